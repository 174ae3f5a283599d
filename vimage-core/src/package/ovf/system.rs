//! A machine in a descriptor, with its hardware.

use super::read::{Texts, owned};
use super::sections;
use super::tree::{Element, Space};
use super::units::{bytes_of, whole};
use crate::limits::ovf::MOST_FAMILIES;
use crate::package::descriptor::{Item, System};

/// CIM's resource type of memory: CIM_ResourceAllocationSettingData.ResourceType.
pub(super) const MEMORY: u16 = 4;
/// Of a network card.
pub(super) const ETHERNET: u16 = 10;
/// Of a disk.
pub(super) const DISK: u16 = 17;

/// What `element`, a machine, says of itself.
pub(super) fn system<'a>(element: &'a Element, texts: &Texts<'a>) -> System {
    let hardware: Vec<&Element> = sections::those(element, "VirtualHardwareSection").collect();
    let products: Vec<&Element> = sections::those(element, "ProductSection").collect();
    let product = |name: &str| products.iter().find_map(|section| texts.text(section.child(name)?));
    System {
        id: owned(element, "id").unwrap_or_default(),
        name: element.child("Name").and_then(|name| texts.text(name)),
        product: product("Product"),
        vendor: product("Vendor"),
        product_version: product("Version").or_else(|| product("FullVersion")),
        annotation: sections::those(element, "AnnotationSection")
            .find_map(|section| texts.text(section.child("Annotation")?)),
        os: sections::those(element, "OperatingSystemSection").next().map(|section| guest(section, texts)),
        hardware: families(&hardware),
        efi: hardware.iter().any(|section| has_efi(section)) || has_virtualbox_efi(element),
        // More than one section is a choice, and the first is the one that every importer knows.
        items: hardware.first().map(|section| items(section).map(item).collect()).unwrap_or_default(),
        properties: products.iter().flat_map(|section| keys(section)).collect(),
        eulas: sections::those(element, "EulaSection")
            .filter_map(|section| texts.text(section.child("License")?))
            .collect(),
    }
}

/// The items of a section of hardware, 2.x's own kinds too.
pub(super) fn items(section: &Element) -> impl Iterator<Item = &Element> {
    let is_item = |name: &str| matches!(name, "Item" | "StorageItem" | "EthernetPortItem");
    section.children.iter().filter(move |child| child.is_ovf() && is_item(&child.name))
}

/// CIM's number, 0 for unknown, and the best of the descriptions: VMware's and VirtualBox's own are exact.
fn guest<'a>(section: &'a Element, texts: &Texts<'a>) -> (u16, String) {
    let number = section.attribute("id").and_then(|id| id.trim().parse().ok()).unwrap_or(0);
    let vmware = section.attribute_in(Space::Vmware, "osType").map(str::to_owned);
    let mut children = section.children.iter();
    let of_virtualbox = |child: &&Element| child.space == Space::VirtualBox && child.name == "OSType";
    let virtualbox = children.find(of_virtualbox).and_then(|child| texts.text(child));
    let description = section.child("Description").and_then(|child| texts.text(child));
    (number, vmware.or(virtualbox).or(description).unwrap_or_default())
}

/// The families of virtual hardware of all `sections`, each once.
fn families(sections: &[&Element]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for system in sections.iter().filter_map(|section| section.child("System")) {
        let named = system.children.iter().filter(|child| child.name == "VirtualSystemType");
        for family in named.flat_map(|child| child.text.split([' ', ',', ';', '\t', '\r', '\n'])) {
            if !family.is_empty() && !found.iter().any(|other| other == family) && found.len() < MOST_FAMILIES {
                found.push(family.to_owned());
            }
        }
    }
    found
}

/// Whether VMware's settings in a section of hardware say UEFI.
fn has_efi(section: &Element) -> bool {
    section.children.iter().any(|child| {
        let setting = |name| child.attribute_in(Space::Vmware, name).unwrap_or_default();
        let config = child.space == Space::Vmware && child.name == "Config";
        config && setting("key") == "firmware" && setting("value").eq_ignore_ascii_case("efi")
    })
}

/// Whether VirtualBox's own description of the machine says UEFI: Machine, Hardware, Firmware, type `EFI`, `EFI64`.
fn has_virtualbox_efi(system: &Element) -> bool {
    // What is in it has the default namespace, OVF's, though it is none of OVF's.
    let called = |name: &'static str| move |child: &&Element| child.name == name;
    let machines = system.children.iter().filter(|child| child.space == Space::VirtualBox && child.name == "Machine");
    let hardware = machines.flat_map(|machine| machine.children.iter().filter(called("Hardware")));
    let mut firmware = hardware.flat_map(|hardware| hardware.children.iter().filter(called("Firmware")));
    firmware.any(|firmware| firmware.attribute("type").is_some_and(|kind| kind.starts_with("EFI")))
}

/// The whole keys of the properties of a section.
fn keys(section: &Element) -> impl Iterator<Item = String> {
    section.children("Property").map(|property| sections::property_key(section, property))
}

/// The setting `name` of an item: one of CIM's elements, or of none in particular where old tools write none.
pub(super) fn setting<'a>(item: &'a Element, name: &str) -> Option<&'a str> {
    settings(item, name).next()
}

/// All of them. 0.9 writes `InstanceId` where later versions have `InstanceID`.
pub(super) fn settings<'a>(item: &'a Element, name: &str) -> impl Iterator<Item = &'a str> {
    let called = move |child: &&Element| child.name == name || name == "InstanceID" && child.name == "InstanceId";
    let of_cim = |child: &&Element| child.space == Space::Rasd || child.is_ovf();
    item.children.iter().filter(of_cim).filter(called).map(Element::trimmed)
}

/// The resource type of an item; 2.x's own kinds need not say it, and 0 stands for one that cannot be read.
pub(super) fn resource_type(item: &Element) -> u16 {
    let default = match item.name.as_str() {
        "StorageItem" => DISK,
        "EthernetPortItem" => ETHERNET,
        _ => 0,
    };
    setting(item, "ResourceType").map_or(default, |kind| kind.parse().unwrap_or(0))
}

fn item(element: &Element) -> Item {
    let kind = resource_type(element);
    let text = |name| setting(element, name).filter(|text| !text.is_empty()).map(str::to_owned);
    let quantity = setting(element, "VirtualQuantity").and_then(whole);
    Item {
        instance: text("InstanceID").unwrap_or_default(),
        kind,
        subkind: text("ResourceSubType"),
        name: text("ElementName").or_else(|| text("Caption")).unwrap_or_default(),
        quantity: if kind == MEMORY { quantity.and_then(|number| memory(element, number)) } else { quantity },
        parent: text("Parent"),
        address_on_parent: text("AddressOnParent"),
        host_resource: text("HostResource"),
        connections: settings(element, "Connection").map(str::to_owned).collect(),
        configurations: element
            .attribute("configuration")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        optional: matches!(element.attribute("required"), Some("false" | "0")),
    }
}

/// Bytes of memory. Where no unit is said, importers take it for mebibytes.
fn memory(item: &Element, number: u64) -> Option<u64> {
    number.checked_mul(setting(item, "AllocationUnits").map_or(Some(1 << 20), bytes_of)?)
}
