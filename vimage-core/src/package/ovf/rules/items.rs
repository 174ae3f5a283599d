//! Items of virtual hardware, each by itself (DSP0243, section 8.3; CIM_ResourceAllocationSettingData).

use super::case::{Case, Findings, STRICT, UNCLEAR, called};
use super::outline::is_optional;
use crate::package::ovf::system::{MEMORY, resource_type, setting};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::{Element, Space};
use crate::package::ovf::units::{bytes_of, whole};
use std::collections::BTreeSet;

/// Settings whose values are numbers without a sign.
const NUMBERS: [&str; 4] = ["VirtualQuantity", "Reservation", "Limit", "Weight"];

/// Settings of a resource, in the order of the schema, which is that of the alphabet.
const SETTINGS: [&str; 23] = [
    "Address",
    "AddressOnParent",
    "AllocationUnits",
    "AutomaticAllocation",
    "AutomaticDeallocation",
    "Caption",
    "Connection",
    "ConsumerVisibility",
    "Description",
    "ElementName",
    "HostResource",
    "InstanceID",
    "Limit",
    "MappingBehavior",
    "OtherResourceType",
    "Parent",
    "PoolID",
    "Reservation",
    "ResourceSubType",
    "ResourceType",
    "VirtualQuantity",
    "VirtualQuantityUnits",
    "Weight",
];

/// Settings of 0.9's drafts of CIM, which VMware still takes.
const OLD_SETTINGS: [&str; 2] = ["BusNumber", "InstanceId"];

/// Items have numbers, names and types.
pub(super) fn item_without_what_it_needs(case: &Case<'_>, found: &mut Findings) {
    for item in case.all_items() {
        let empty = |name: &&str| setting(item, name).is_none_or(str::is_empty);
        let named = if case.is_of_dmtf() { "ElementName" } else { "InstanceID" };
        let typed = if item.name == "Item" { "ResourceType" } else { "InstanceID" };
        let missing: BTreeSet<&str> = ["InstanceID", named, typed].into_iter().filter(empty).collect();
        if !missing.is_empty() {
            let message = format!("it has no {}", missing.into_iter().collect::<Vec<_>>().join(", "));
            found.broken(item, message, STRICT);
        }
        if setting(item, "InstanceID") == Some("0") {
            found.refused(item, "its InstanceID is 0", "VMware: that is the number of the System itself");
        }
        if case.is_of_dmtf() && child(item, "InstanceId").is_some() {
            let message = "its number is written InstanceId, as in 0.9, not InstanceID";
            found.refused(item, message, "importers that look for InstanceID alone do not find what hangs on what");
        }
    }
}

/// Quantities and types are numbers, and of processors and memory there are some.
pub(super) fn number_that_is_none(case: &Case<'_>, found: &mut Findings) {
    for item in case.all_items() {
        for (name, said) in NUMBERS.iter().filter_map(|name| Some((name, setting(item, name)?))) {
            if whole(said).is_none() {
                let message = format!("its {name} {} is no number", quoted(said));
                found.broken(item, message, STRICT);
            }
        }
        let kind = setting(item, "ResourceType").filter(|kind| !kind.is_empty());
        if let Some(kind) = kind.filter(|kind| kind.parse::<u16>().is_err()) {
            let message = format!("its ResourceType {} is no number of CIM", quoted(kind));
            found.broken(item, message, STRICT);
        }
        let unmarked = item.attribute("bound").is_none();
        if unmarked && matches!(resource_type(item), 3 | MEMORY) && setting(item, "VirtualQuantity") == Some("0") {
            found.refused(item, "its VirtualQuantity is 0", "no machine can be made so");
        }
    }
}

/// What the schema has in a sequence stands in it, and what is not of CIM behind it (DSP8023: xs:sequence).
pub(super) fn children_out_of_order(case: &Case<'_>, found: &mut Findings) {
    if !case.is_of_dmtf() {
        return;
    }
    for item in case.all_items() {
        let order = |element: &Element| (element.space != Space::Rasd, spelling(&element.name).to_owned());
        let pairs = item.children.iter().zip(item.children.iter().skip(1));
        if let Some((before, child)) = pairs.into_iter().find(|(a, b)| b.space == Space::Rasd && order(b) < order(a)) {
            let message = format!("{} comes behind {}", called(child), called(before));
            found.broken(item, message, STRICT);
        }
    }
}

/// A setting of 0.9 stands where that of today does.
fn spelling(name: &str) -> &str {
    if name == "InstanceId" { "InstanceID" } else { name }
}

/// Settings are those of CIM, unless they may be left out.
pub(super) fn unknown_child(case: &Case<'_>, found: &mut Findings) {
    for item in case.all_items().filter(|item| item.name == "Item") {
        for child in item.children.iter().filter(|child| !is_optional(child)) {
            let name = child.name.as_str();
            let known = SETTINGS.contains(&name) || OLD_SETTINGS.contains(&name);
            if !known && (child.space == Space::Rasd || child.is_ovf()) {
                let message = format!("{} is no setting of CIM", quoted(name));
                found.broken(child, message, STRICT);
            } else if known && child.space == Space::None && case.is_of_dmtf() {
                let message = format!("{} is in no namespace", quoted(name));
                found.broken(child, message, "VMware: the descriptor does not validate; virt-v2v: not seen");
            }
        }
    }
}

/// The variants that an item belongs to are there (section 9.8).
pub(super) fn unknown_configuration(case: &Case<'_>, found: &mut Findings) {
    let known: BTreeSet<&str> = case.configurations.iter().filter_map(|variant| variant.attribute("id")).collect();
    for item in case.all_items() {
        let named = item.attribute("configuration").unwrap_or_default().split_whitespace();
        if let Some(variant) = named.into_iter().find(|variant| !known.contains(variant)) {
            let message = format!("no Configuration has the identifier {}", quoted(variant));
            found.broken(item, message, UNCLEAR);
        }
    }
}

/// Most importers take memory for mebibytes whatever is said.
pub(super) fn memory_in_other_units(case: &Case<'_>, found: &mut Findings) {
    for item in case.all_items().filter(|item| resource_type(item) == MEMORY) {
        let Some(units) = setting(item, "AllocationUnits") else { continue };
        let unit = bytes_of(units);
        let number = setting(item, "VirtualQuantity").and_then(whole);
        if unit.is_none() {
            let message = format!("its unit {} is not one of memory", quoted(units));
            found.broken(
                item,
                message,
                "virt-v2v, Proxmox and Forklift take the number for mebibytes; others refuse it",
            );
        } else if unit != Some(1 << 20) {
            let message = format!("its unit is {}", quoted(units));
            let effect = "virt-v2v, Proxmox and Forklift take the number for mebibytes; VirtualBox 6.1: refused";
            found.refused(item, message, effect);
        }
        if number.zip(unit).is_some_and(|(number, unit)| number.checked_mul(unit).is_none()) {
            found.broken(item, "its memory is over 2^64 bytes", "no machine can be made so");
        }
    }
}

/// The child that is written so exactly.
fn child<'a>(item: &'a Element, name: &str) -> Option<&'a Element> {
    item.children.iter().find(|child| child.name == name)
}
