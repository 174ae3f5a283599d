//! The disks that a descriptor tells of (DSP0243, section 9.1).

use super::case::{Case, Findings, STRICT, UNCLEAR, twice};
use crate::package::ovf::read::property_named;
use crate::package::ovf::sections::{property_key, those};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::Element;
use crate::package::ovf::units::{bytes_of, whole};
use std::collections::{BTreeMap, BTreeSet};

/// Disks have identifiers and capacities.
pub(super) fn disk_without_identifier_or_capacity(case: &Case<'_>, found: &mut Findings) {
    for disk in &case.disks {
        for name in ["diskId", "capacity"] {
            if disk.attribute(name).is_none_or(str::is_empty) {
                let message = format!("it has no ovf:{name}");
                found.broken(disk, message, "VMware: the descriptor does not validate; VirtualBox: refused");
            }
        }
    }
}

/// Identifiers tell disks apart.
pub(super) fn disks_of_one_identifier(case: &Case<'_>, found: &mut Findings) {
    twice(
        &case.disks,
        |disk| disk.attribute("diskId"),
        |disk, id, first| {
            let message = format!("the identifier {} is that of line {} too", quoted(id), first.place.line);
            found.broken(disk, message, UNCLEAR);
        },
    );
}

/// The file that a disk names is listed.
pub(super) fn file_that_is_not_there(case: &Case<'_>, found: &mut Findings) {
    let files: BTreeSet<&str> = case.files.iter().filter_map(|file| file.attribute("id")).collect();
    for disk in &case.disks {
        if let Some(file) = disk.attribute("fileRef").filter(|file| !file.is_empty() && !files.contains(file)) {
            let message = format!("no file has the identifier {}", quoted(file));
            found.broken(disk, message, "every importer: refused");
        }
    }
}

/// The disk beneath a disk is there, and no disk is beneath itself.
pub(super) fn parent_that_is_not_there(case: &Case<'_>, found: &mut Findings) {
    let parent = |disk: &Element| disk.attribute("parentRef").map(str::to_owned).filter(|parent| !parent.is_empty());
    let parents: BTreeMap<&str, Option<String>> =
        case.disks.iter().filter_map(|disk| Some((disk.attribute("diskId")?, parent(disk)))).collect();
    let mut fates = BTreeMap::new();
    for disk in &case.disks {
        let Some(named) = parent(disk) else { continue };
        if !parents.contains_key(named.as_str()) {
            let message = format!("no disk has the identifier {}, which should be beneath it", quoted(&named));
            found.broken(disk, message, UNCLEAR);
        } else if goes_round(disk.attribute("diskId").unwrap_or_default(), &parents, &mut fates) {
            found.broken(disk, "the disks beneath it go round in a circle", UNCLEAR);
        }
    }
}

/// Whether the way down from `disk` comes to no end. `fates` holds what is known of others, so that each is passed once.
fn goes_round<'a>(
    disk: &'a str,
    parents: &'a BTreeMap<&str, Option<String>>,
    fates: &mut BTreeMap<&'a str, bool>,
) -> bool {
    let (mut passed, mut at) = (BTreeSet::new(), disk);
    let round = loop {
        if let Some(fate) = fates.get(at) {
            break *fate;
        }
        if !passed.insert(at) {
            break true;
        }
        match parents.get(at) {
            Some(Some(parent)) => at = parent,
            _ => break false,
        }
    };
    fates.extend(passed.into_iter().map(|disk| (disk, round)));
    round
}

/// Capacities are numbers in units that are known, or a property's.
pub(super) fn capacity_that_is_no_number(case: &Case<'_>, found: &mut Findings) {
    let properties = properties(case);
    for disk in &case.disks {
        let said = disk.attribute("capacity").unwrap_or_default().trim();
        let units = disk.attribute("capacityAllocationUnits");
        let unit = units.map_or(Some(1), bytes_of);
        if unit.is_none() {
            let message = format!("its unit of capacity {} is not known", quoted(units.unwrap_or_default()));
            found.broken(disk, message, "VirtualBox takes the number for bytes whatever the unit is; others refuse it");
        }
        match (property_named(said), whole(said)) {
            (Some(key), _) if !properties.contains(key) => {
                let message = format!("its capacity is that of the property {}, which is not there", quoted(key));
                found.broken(disk, message, UNCLEAR);
            }
            (Some(_), _) => {
                found.refused(disk, "its capacity is a property's", "VirtualBox, Proxmox: no size is known");
            }
            (None, number) if !said.is_empty() => {
                let bytes = number.zip(unit.or(Some(1))).and_then(|(number, unit)| number.checked_mul(unit));
                if bytes.is_none_or(|bytes| i64::try_from(bytes).is_err()) {
                    let message = format!("its capacity {} is no number of bytes", quoted(said));
                    found.broken(disk, message, STRICT);
                }
            }
            _ => {}
        }
    }
}

/// The keys of all properties, whole and by themselves.
fn properties(case: &Case<'_>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for section in case.contents.iter().flat_map(|content| those(content, "ProductSection")) {
        for property in section.children("Property") {
            keys.extend(property.attribute("key").map(str::to_owned));
            keys.insert(property_key(section, property));
        }
    }
    keys
}

/// Proxmox knows units with a power only. It makes no empty disks.
pub(super) fn capacity_in_plain_bytes(case: &Case<'_>, found: &mut Findings) {
    let with_file = |disk: &&&Element| ["capacity", "fileRef"].iter().all(|name| disk.attribute(name).is_some());
    for disk in case.disks.iter().filter(with_file) {
        let units = disk.attribute("capacityAllocationUnits").unwrap_or("byte");
        if bytes_of(units).is_some() && !units.contains('^') {
            let message = format!("its unit of capacity is {}", quoted(units));
            found.refused(
                disk,
                message,
                "Proxmox: of an OVA's disk no size is known; it reads units such as \"byte * 2^20\"",
            );
        }
    }
}

/// Few formats are taken, and by their exact names.
pub(super) fn format_that_importers_refuse(case: &Case<'_>, found: &mut Findings) {
    for disk in &case.disks {
        let Some(format) = disk.attribute("format").filter(|format| !format.is_empty()) else {
            found.refused(disk, "it has no ovf:format", "VirtualBox: refused");
            continue;
        };
        let lower = format.to_ascii_lowercase();
        if !lower.contains("vmdk") {
            let message = format!("its format is {}", quoted(format));
            found.refused(disk, message, "VMware and VirtualBox: they take VMDK only");
        } else if lower.split_once('#').is_none_or(|(_, kind)| kind.is_empty()) {
            let message = format!("its format {} does not say which kind of VMDK", quoted(format));
            found.refused(disk, message, "ESXi: refused; it wants \"#streamOptimized\" behind it");
        }
    }
}
