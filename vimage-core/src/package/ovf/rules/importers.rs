//! What is right by the specification, and refused by some importers all the same.

use super::case::{Case, Findings};
use super::outline::is_optional;
use crate::package::descriptor::Version;
use crate::package::ovf::sections::kind;
use crate::package::ovf::system::{resource_type, setting};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::{Element, Space};

/// 1.x is what all read.
pub(super) fn version_that_importers_refuse(case: &Case<'_>, found: &mut Findings) {
    match case.version {
        Version::V0 => found.refused(case.envelope, "it is of version 0.9", "virt-v2v: refused, it knows 1.x only"),
        Version::V1 => {}
        Version::V2 => {
            let effect = "VMware: \"Unsupported element 'StorageItem'\"; virt-v2v: refused";
            found.refused(case.envelope, "it is of version 2", effect);
        }
    }
}

/// The kinds of devices and of hardware that some refuse.
pub(super) fn hardware_that_importers_refuse(case: &Case<'_>, found: &mut Findings) {
    for (section, items) in case.hardware.iter().zip(&case.items) {
        hardware_family(section, found);
        for item in items {
            device(item, found);
        }
        // Variants' own are counted once for all, as they are where variants are not known.
        let of = |kind: u16| items.iter().copied().filter(move |item| resource_type(item) == kind);
        let plain =
            |kind: u16| of(kind).filter(|item| item.attribute("configuration").or(item.attribute("bound")).is_none());
        for (kind, most, what) in [(5, 2, "IDE"), (6, 1, "SCSI"), (20, 1, "SATA")] {
            if let Some(surplus) = of(kind).nth(most) {
                let message = format!("it is one {what} controller more than {most}");
                found.refused(surplus, message, "VirtualBox: refused; Proxmox: disks of two controllers get one place");
            }
        }
        for (kind, what) in [(3, "processors"), (4, "memory")] {
            if let Some(second) = plain(kind).nth(1) {
                found.refused(second, format!("it is a second item of {what}"), "importers take one or the other");
            }
        }
    }
}

/// The generation of VMware's hardware: what ESXi 8.0 U2 takes at most, and those that only Workstation and Fusion know.
fn hardware_family(section: &Element, found: &mut Findings) {
    let Some(system) = section.child("System") else { return };
    let types = system.children.iter().find(|child| child.name == "VirtualSystemType");
    let text = types.map(Element::trimmed).unwrap_or_default();
    let families = || text.split([' ', ',', ';']).filter(|family| !family.is_empty());
    let generation = |family: &str| family.strip_prefix("vmx-").and_then(|number| number.parse::<u32>().ok());
    if families().next().is_none() {
        return;
    }
    if families().all(|family| generation(family).is_none()) {
        let message = format!("its hardware is {}, none of VMware's", quoted(text));
        found.refused(system, message, "VMware: \"Unsupported hardware family\"");
    } else if families().filter_map(generation).all(|number| number > NEWEST || matches!(number, 12 | 16)) {
        let message = format!("its hardware is {}", quoted(text));
        found.refused(system, message, "ESXi: \"Unsupported hardware family\"");
    }
}

/// The newest generation of hardware that ESXi takes.
const NEWEST: u32 = 21;

fn device(item: &Element, found: &mut Findings) {
    let kind = resource_type(item);
    let model = setting(item, "ResourceSubType").unwrap_or_default();
    match kind {
        5 if model.eq_ignore_ascii_case("PIIX4") => {
            found.refused(
                item,
                "its ResourceSubType is PIIX4",
                "vCenter: VALUE_ILLEGAL; without one, all take it for that",
            );
        }
        20 if !matches!(model.to_ascii_lowercase().as_str(), "ahci" | "vmware.sata.ahci") => {
            let message = format!("it is a controller of the kind {}", quoted(model));
            found.refused(item, message, "VirtualBox 6.1: refused");
        }
        1 | 21 | 23 | 24 | 35 if !is_optional(item) => {
            let message = format!("a device of type {kind} must not be left out");
            found.refused(
                item,
                message,
                "importers that have none: refused; ovf:required=\"false\" lets them leave it out",
            );
        }
        _ => {}
    }
    if matches!(item.attribute("bound"), Some("min" | "max")) {
        found.refused(item, "it marks the end of a range", "VirtualBox: a device more");
    }
}

/// VMware's settings may be left out where they are not known, and some had better not be there.
pub(super) fn settings_that_importers_refuse(case: &Case<'_>, found: &mut Findings) {
    let inside = case.contents.iter().flat_map(|content| &content.children);
    for section in case.envelope.children.iter().chain(inside) {
        own_section(section, found);
        let items = section.children.iter().filter(|child| matches!(child.space, Space::Ovf(_)));
        let within = items.flat_map(|item| &item.children);
        for setting in section.children.iter().chain(within).filter(|child| child.space == Space::Vmware) {
            let key = setting.attribute_in(Space::Vmware, "key").unwrap_or_default();
            if key == "nvram" {
                let effect = "vCenter, ESXi: deploying by their interfaces fails with \"405 Method Not Allowed\"";
                found.refused(setting, "it names a file of NVRAM", effect);
            }
            if !is_optional(setting) && matches!(setting.name.as_str(), "Config" | "ExtraConfig") {
                let message = format!("the setting {} must not be left out", quoted(key));
                let effect =
                    "VMware: refused where the setting is not known; ovf:required=\"false\" lets it be left out";
                found.refused(setting, message, effect);
            }
        }
    }
}

/// Sections of VMware and VirtualBox.
fn own_section(section: &Element, found: &mut Findings) {
    match (section.space, section.name.as_str()) {
        (Space::Vmware, "BootOrderSection") => {
            found.refused(
                section,
                "it says what to start from",
                "vCenter: the firmware is shown as BIOS whatever it is",
            );
        }
        (Space::Vmware, _) if !is_optional(section) => {
            found.refused(
                section,
                "it is VMware's own, and must not be left out",
                "importers that do not know it have to refuse the machine",
            );
        }
        (Space::VirtualBox, _) if !is_optional(section) => {
            found.refused(
                section,
                "it is VirtualBox's own, and must not be left out",
                "importers that do not know it have to refuse the machine",
            );
        }
        _ => {}
    }
}

/// Several machines and variants are not taken by all.
pub(super) fn machines_and_choices_that_importers_refuse(case: &Case<'_>, found: &mut Findings) {
    if let Some(collection) = case.envelope.children.iter().find(|child| kind(child) == "VirtualSystemCollection") {
        let effect = "ESXi without vCenter, Workstation, Proxmox, virt-v2v: refused, or one machine of them is taken";
        found.refused(collection, "it is a collection of machines", effect);
    }
    if let Some(item) = case.all_items().find(|item| item.attribute("configuration").is_some()) {
        let effect = "VirtualBox: every variant's devices are attached at once";
        found.refused(item, "it belongs to some variants only", effect);
    }
}
