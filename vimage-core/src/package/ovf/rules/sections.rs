//! Which sections stand where, and what is in them (DSP0243, sections 8 and 9).

use super::case::{Case, Findings, STRICT, UNCLEAR, called, twice};
use super::outline::{is_extension, is_optional};
use crate::package::ovf::sections::{is_content, kind, those};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::{Element, Space};

/// Sections that stand in the envelope.
const AT_THE_TOP: [&str; 5] =
    ["DiskSection", "NetworkSection", "DeploymentOptionSection", "SharedDiskSection", "PlacementGroupSection"];
/// Those of machines and of collections, with whether they are of machines and of collections.
const INSIDE: [(&str, bool, bool); 13] = [
    ("VirtualHardwareSection", true, false),
    ("OperatingSystemSection", true, false),
    ("InstallSection", true, false),
    ("EnvironmentFilesSection", true, false),
    ("BootDeviceSection", true, false),
    ("ResourceAllocationSection", false, true),
    ("StartupSection", false, true),
    ("ScaleOutSection", false, true),
    ("PlacementSection", true, true),
    ("EncryptionSection", true, true),
    ("AnnotationSection", true, true),
    ("ProductSection", true, true),
    ("EulaSection", true, true),
];

/// Sections stand where the specification has them (section 9).
pub(super) fn section_elsewhere(case: &Case<'_>, found: &mut Findings) {
    for child in &case.envelope.children {
        // Texts about the whole package are taken at the top by VMware.
        if INSIDE.iter().any(|(name, of_machine, of_both)| *name == kind(child) && *of_machine != *of_both) {
            tell_elsewhere(child, "the Envelope", found);
        }
    }
    for content in &case.contents {
        let machine = kind(content) == "VirtualSystem";
        for child in &content.children {
            let placed = INSIDE.iter().find(|(name, ..)| *name == kind(child));
            let belongs =
                placed.is_none_or(|(_, of_machine, of_collection)| if machine { *of_machine } else { *of_collection });
            if !belongs || AT_THE_TOP.contains(&kind(child)) {
                tell_elsewhere(child, &called(content), found);
            }
        }
    }
}

fn tell_elsewhere(section: &Element, inside: &str, found: &mut Findings) {
    let message = format!("a {} does not belong in {inside}", called(section));
    found.broken(section, message, "VMware: \"Unsupported section\"; others do not see it");
}

/// A section that an importer does not know has to say whether it may be left out (section 7.3).
pub(super) fn unknown_section(case: &Case<'_>, found: &mut Findings) {
    let known = |name: &str| AT_THE_TOP.contains(&name) || INSIDE.iter().any(|(known, ..)| *known == name);
    let plain = ["References", "Strings", "Info", "Name"];
    let inside = case.contents.iter().flat_map(|content| &content.children);
    for child in case.envelope.children.iter().chain(inside) {
        let unknown = if child.is_ovf() {
            !known(kind(child)) && !plain.contains(&kind(child)) && !is_content(child)
        } else {
            // VMware's and VirtualBox's own are told of elsewhere.
            is_extension(child) && child.name != "Strings" && !matches!(child.space, Space::Vmware | Space::VirtualBox)
        };
        if unknown && !is_optional(child) {
            let message = format!("{} is no section of OVF, and must not be left out", quoted(&called(child)));
            found.broken(child, message, "every importer: refused; ovf:required=\"false\" lets them leave it out");
        }
    }
}

/// What stands in a section besides what belongs there has to say whether it may be left out.
pub(super) fn unknown_element(case: &Case<'_>, found: &mut Findings) {
    let inside = case.contents.iter().flat_map(|content| &content.children);
    for section in case.envelope.children.iter().chain(inside) {
        let Some(known) = children_of(kind(section)) else { continue };
        for child in section.children.iter().filter(|child| child.is_ovf() && !is_optional(child)) {
            if !known.contains(&child.name.as_str()) && child.name != "Info" {
                let message = format!("{} is not known in a {}", quoted(&child.name), called(section));
                found.broken(child, message, STRICT);
            }
        }
    }
}

/// The elements of OVF that a section has besides Info, of those that are looked into.
fn children_of(section: &str) -> Option<&'static [&'static str]> {
    Some(match section {
        "References" => &["File"],
        "DiskSection" => &["Disk"],
        "NetworkSection" => &["Network"],
        "DeploymentOptionSection" => &["Configuration"],
        "VirtualHardwareSection" => &["System", "Item", "StorageItem", "EthernetPortItem"],
        "OperatingSystemSection" => &["Description"],
        "AnnotationSection" => &["Annotation"],
        "EulaSection" => &["License"],
        _ => return None,
    })
}

/// A guest has a number of CIM (section 9.9; CIM_OperatingSystem.OSType).
pub(super) fn guest_without_number(case: &Case<'_>, found: &mut Findings) {
    for section in case.contents.iter().flat_map(|content| those(content, "OperatingSystemSection")) {
        let said = section.attribute("id");
        if said.is_none_or(|id| id.trim().parse::<u16>().is_err()) {
            let message = format!("its ovf:id {} is no number of CIM", quoted(said.unwrap_or_default()));
            found.broken(section, message, STRICT);
        }
    }
}

/// Variants have identifiers, names and descriptions, and one at most is the default (section 9.8).
pub(super) fn configurations_that_are_no_choice(case: &Case<'_>, found: &mut Findings) {
    twice(
        &case.configurations,
        |variant| variant.attribute("id"),
        |variant, id, first| {
            let message = format!("the identifier {} is that of line {} too", quoted(id), first.place.line);
            found.broken(variant, message, UNCLEAR);
        },
    );
    for variant in &case.configurations {
        let missing = ["Label", "Description"].into_iter().filter(|name| variant.child(name).is_none());
        let missing: Vec<&str> =
            variant.attribute("id").is_none().then_some("ovf:id").into_iter().chain(missing).collect();
        if !missing.is_empty() {
            let message = format!("it has no {}", missing.join(", "));
            found.broken(variant, message, STRICT);
        }
    }
    let is_default = |variant: &&&Element| matches!(variant.attribute("default"), Some("true" | "1"));
    if let Some(second) = case.configurations.iter().filter(is_default).nth(1) {
        found.broken(second, "it is a second default", UNCLEAR);
    }
}
