//! Items of virtual hardware as they belong together (DSP0243, sections 8.3 and 8.4).

use super::case::{Case, Findings, STRICT};
use crate::package::ovf::system::{DISK, ETHERNET, resource_type, setting, settings};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::Element;
use std::collections::{BTreeMap, BTreeSet};

/// A floppy drive, CD drive and DVD drive: what hangs on a controller besides disks.
const DRIVES: [u16; 2] = [15, 16];

/// Whether a resource type is one that disks can hang on: IDE, SCSI, Fibre Channel, iSCSI and other adapters.
fn is_controller(kind: u16) -> bool {
    matches!(kind, 5..=8 | 20)
}

/// The variants that an item is of.
fn variants(item: &Element) -> &str {
    item.attribute("configuration").unwrap_or_default().trim()
}

/// Numbers tell the items of a section apart. An item of some variants stands for that of more of them (section 9.8), and
/// markers of a range have the number of what they limit (section 8.4).
pub(super) fn items_of_one_number(case: &Case<'_>, found: &mut Findings) {
    for items in &case.items {
        let mut seen = BTreeMap::new();
        for item in items {
            let Some(number) = setting(item, "InstanceID").filter(|number| !number.is_empty()) else { continue };
            let bound = item.attribute("bound").filter(|bound| *bound != "normal").unwrap_or_default();
            let first = *seen.entry((number, bound, variants(item))).or_insert(*item);
            if !std::ptr::eq(first, *item) {
                let message = format!("its InstanceID is that of line {} too", first.place.line);
                found.broken(item, message, "vCenter: refused; others attach devices to one or the other");
            }
        }
    }
}

/// What an item hangs on is there, and for disks and drives it is a controller.
pub(super) fn parent_that_is_no_controller(case: &Case<'_>, found: &mut Findings) {
    for items in &case.items {
        let numbered = items.iter().filter_map(|item| Some((setting(item, "InstanceID")?, resource_type(item))));
        let kinds: BTreeMap<&str, u16> = numbered.collect();
        for item in items {
            let Some(parent) = setting(item, "Parent").filter(|parent| !parent.is_empty()) else { continue };
            let kind = resource_type(item);
            match kinds.get(parent) {
                None => {
                    let message = format!("no item has the InstanceID {}, which it hangs on", quoted(parent));
                    let effect = "vCenter: \"does not refer to a ref of type DiskControllerReference\"";
                    found.broken(item, message, effect);
                }
                Some(at) if !is_controller(*at) && (kind == DISK || DRIVES.contains(&kind)) => {
                    let message = format!("it hangs on item {}, which is of type {at}, no controller", quoted(parent));
                    let effect = "vCenter: \"does not refer to a ref of type DiskControllerReference\"";
                    found.refused(item, message, effect);
                }
                Some(_) => {}
            }
        }
    }
}

/// The disk or file that a device is made of is there.
pub(super) fn host_resource_that_is_not_there(case: &Case<'_>, found: &mut Findings) {
    let disks: BTreeSet<&str> = case.disks.iter().filter_map(|disk| disk.attribute("diskId")).collect();
    let files: BTreeSet<&str> = case.files.iter().filter_map(|file| file.attribute("id")).collect();
    for item in case.all_items() {
        for said in settings(item, "HostResource").filter(|said| !said.is_empty()) {
            let path = said.strip_prefix("ovf:").unwrap_or(said);
            let path = path.strip_prefix("//").or_else(|| path.strip_prefix('/'));
            let known = match path.and_then(|path| path.split_once('/')) {
                Some(("disk", id)) => disks.contains(id),
                Some(("file", id)) => files.contains(id),
                _ => resource_type(item) != DISK,
            };
            if !known {
                let message = format!("there is no {}", quoted(said));
                found.broken(item, message, "every importer: refused, or the device comes without content");
            } else if path.is_some() && !said.starts_with("ovf:/") && case.is_of_dmtf() {
                let message = format!("{} does not begin with \"ovf:/\"", quoted(said));
                found.refused(item, message, "Proxmox: the disk is left out");
            }
        }
    }
}

/// The networks that a card is on are listed (section 9.2).
pub(super) fn network_that_is_not_there(case: &Case<'_>, found: &mut Findings) {
    let networks: BTreeSet<&str> = case.networks.iter().filter_map(|network| network.attribute("name")).collect();
    for network in case.networks.iter().filter(|network| network.attribute("name").is_none()) {
        found.broken(network, "it has no ovf:name", STRICT);
    }
    for item in case.all_items().filter(|item| resource_type(item) == ETHERNET) {
        if let Some(network) = settings(item, "Connection").find(|name| !networks.contains(name.trim())) {
            let message = format!("its network {} is not in the NetworkSection", quoted(network));
            found.broken(
                item,
                message,
                "govc: \"Invalid value for element 'Connection'\"; ovftool: no network mapping",
            );
        }
    }
}

/// Disks and drives say where they hang.
pub(super) fn disk_without_a_place(case: &Case<'_>, found: &mut Findings) {
    for item in case.all_items() {
        let kind = resource_type(item);
        let wanted: &[&str] = match kind {
            DISK => &["HostResource", "Parent", "AddressOnParent"],
            kind if DRIVES.contains(&kind) => &["Parent", "AddressOnParent"],
            _ => continue,
        };
        let missing: Vec<&str> = wanted.iter().copied().filter(|name| setting(item, name).is_none()).collect();
        if !missing.is_empty() && item.attribute("bound").is_none() {
            found.refused(item, format!("it has no {}", missing.join(", ")), "VirtualBox: refused");
        }
    }
}

/// Two devices are not at one place of a controller.
pub(super) fn devices_at_one_place(case: &Case<'_>, found: &mut Findings) {
    for items in &case.items {
        let mut seen = BTreeMap::new();
        for item in items.iter().filter(|item| item.attribute("bound").is_none()) {
            let (Some(parent), Some(at)) = (setting(item, "Parent"), setting(item, "AddressOnParent")) else {
                continue;
            };
            let number = setting(item, "InstanceID");
            let (first, first_number) = *seen.entry((parent, at, variants(item))).or_insert((*item, number));
            // The same device of several variants is told of elsewhere.
            if first_number != number && !at.is_empty() {
                let line = first.place.line;
                let message =
                    format!("it is at the place {} of {}, as that of line {line}", quoted(at), quoted(parent));
                found.refused(item, message, "VirtualBox, Proxmox: one of the two is refused or lost");
            }
        }
    }
}
