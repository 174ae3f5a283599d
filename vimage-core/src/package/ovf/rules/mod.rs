//! What importers stumble over in a descriptor by itself.
//!
//! Each rule is a function that is named by what it finds. What is wrong by the specification (DSP0243 1.1 and its schema
//! DSP8023; for 0.9 only what both have) makes a package broken; what some importer refuses, though it is right, does not.

mod case;
mod devices;
mod disks;
mod files;
mod importers;
mod items;
mod outline;
mod products;
mod sections;

use super::sections::envelope;
use crate::error::Result;
use crate::package::Finding;
use case::{Case, Findings};

/// A rule: looks at a descriptor and tells what it finds.
type Rule = fn(&Case<'_>, &mut Findings);

/// All rules, in the order in which their findings are told.
const RULES: &[Rule] = &[
    outline::no_machine,
    outline::version_that_contradicts,
    outline::element_in_no_namespace,
    outline::no_references,
    outline::parts_out_of_order,
    outline::missing_info,
    outline::name_out_of_place,
    outline::machine_without_identifier,
    outline::machines_of_one_identifier,
    sections::section_elsewhere,
    sections::unknown_section,
    sections::unknown_element,
    sections::guest_without_number,
    sections::configurations_that_are_no_choice,
    files::file_without_identifier_or_name,
    files::files_of_one_identifier,
    files::files_of_one_name,
    files::length_that_is_no_number,
    files::name_that_leaves_the_folder,
    files::file_elsewhere,
    files::name_that_importers_refuse,
    files::compressed_file,
    files::file_in_pieces,
    files::file_of_nvram,
    disks::disk_without_identifier_or_capacity,
    disks::disks_of_one_identifier,
    disks::file_that_is_not_there,
    disks::parent_that_is_not_there,
    disks::capacity_that_is_no_number,
    disks::capacity_in_plain_bytes,
    disks::format_that_importers_refuse,
    items::item_without_what_it_needs,
    items::number_that_is_none,
    items::children_out_of_order,
    items::unknown_child,
    items::unknown_configuration,
    items::memory_in_other_units,
    devices::items_of_one_number,
    devices::parent_that_is_no_controller,
    devices::host_resource_that_is_not_there,
    devices::network_that_is_not_there,
    devices::disk_without_a_place,
    devices::devices_at_one_place,
    importers::version_that_importers_refuse,
    importers::hardware_that_importers_refuse,
    importers::settings_that_importers_refuse,
    importers::machines_and_choices_that_importers_refuse,
    products::properties_that_are_not_told_apart,
];

/// Everything in the descriptor `text` that an importer stumbles over, of which at most 1,000 are told.
///
/// # Errors
/// As [`read`](super::read).
pub fn rules(text: &[u8]) -> Result<Vec<Finding>> {
    let (envelope, version) = envelope(text)?;
    let case = Case::new(&envelope, version);
    let mut findings = Findings::default();
    for rule in RULES {
        rule(&case, &mut findings);
    }
    Ok(findings.list)
}
