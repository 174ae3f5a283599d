//! The virtual hardware: processors, memory, controllers, disks, cards and settings.

use super::item::{Item, kind};
use super::{Host, OPTIONAL, Writer, connection, disk_id};
use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use crate::package::appliance::Configuration;
use crate::package::appliance::Controller;
use crate::package::appliance::Firmware;
use crate::package::appliance::NetworkModel;
use crate::package::appliance::Transport;
use crate::package::places::Bus;
use crate::package::places::Family;
use crate::package::xml::Xml;

/// The place of the first card, as VMware's tools number them; further ones follow.
const FIRST_CARD: u32 = 7;

/// Checks that `host` has all of the appliance's hardware.
pub(super) fn check(appliance: &Appliance, buses: &[Bus], host: Host) -> Result<()> {
    let cards = if host == Host::Vmware { 10 } else { 8 };
    if appliance.networks.len() > cards {
        let found =
            format!("{} network cards are more than {cards}, the most that importers take", appliance.networks.len());
        return Err(Error::usage(found).with_hint("describe fewer networks"));
    }
    if host == Host::Vmware {
        return Ok(());
    }
    let count = |family: Family| buses.iter().filter(|bus| bus.kind.family() == family).count();
    // VirtualBox 6.1 refuses an appliance for any of these; 7 has NVMe.
    let found = match (count(Family::Scsi), count(Family::Sata), count(Family::Nvme)) {
        (_, _, 1..) => "VirtualBox imports no disk on an NVMe controller",
        (2.., _, _) => "VirtualBox imports one SCSI controller at most, and the disks need more",
        (_, 2.., _) => "VirtualBox imports one SATA controller at most, and the disks need more",
        _ => return Ok(()),
    };
    Err(Error::usage(found).with_hint("hang the disks on other controllers, or pack with --for vmware"))
}

/// Writes the section.
pub(super) fn write(xml: &mut Xml, writer: &Writer<'_>) -> Result<()> {
    let transports: Vec<&str> = transports(writer).map(transport_word).collect();
    let transports = transports.join(" ");
    let mut attributes = Vec::new();
    if !transports.is_empty() {
        attributes.push(("ovf:transport", transports.as_str()));
    }
    xml.element("VirtualHardwareSection", &attributes, |xml| {
        xml.text("Info", "Virtual hardware")?;
        xml.element("System", &[], |xml| {
            xml.text("vssd:ElementName", "Virtual Hardware Family")?;
            xml.text("vssd:InstanceID", "0")?;
            xml.text("vssd:VirtualSystemIdentifier", &writer.appliance.name)?;
            xml.text("vssd:VirtualSystemType", &format!("vmx-{:02}", writer.appliance.hardware))
        })?;
        items(writer).iter().try_for_each(|item| item.write(xml))?;
        settings(xml, writer.appliance)
    })
}

/// The ways in which properties reach the guest. VirtualBox has none.
fn transports(writer: &Writer<'_>) -> impl Iterator<Item = Transport> {
    let known = writer.host != Host::VirtualBox;
    writer.appliance.transport.iter().copied().filter(move |_| known)
}

fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::GuestInfo => "com.vmware.guestInfo",
        Transport::Iso => "iso",
    }
}

/// All items, numbered from 1: 0 is the system.
fn items<'a>(writer: &'a Writer<'_>) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    processors(writer, &mut items);
    memory(writer, &mut items);
    storage(writer, &mut items);
    // Disks name their controllers, so items are numbered as they are added.
    if transports(writer).any(|transport| transport == Transport::Iso) {
        cd(&mut items);
    }
    cards(writer, &mut items);
    items
}

/// Adds `item` with the next number, which is the result.
fn add<'a>(items: &mut Vec<Item<'a>>, mut item: Item<'a>) -> u32 {
    item.instance = items.len() as u32 + 1;
    let instance = item.instance;
    items.push(item);
    instance
}

fn processors<'a>(writer: &Writer<'_>, items: &mut Vec<Item<'a>>) {
    let of = |configuration: &Configuration| configuration.cpus.map(u64::from);
    for (count, configuration) in variants(writer, u64::from(writer.appliance.cpus), of) {
        let item = Item {
            configuration,
            units: Some("hertz * 10^6"),
            name: format!("{count} virtual CPU(s)"),
            kind: kind::PROCESSOR,
            quantity: Some(count),
            cores_per_socket: writer.appliance.cores_per_socket,
            ..Item::default()
        };
        add(items, item);
    }
}

/// In mebibytes: virt-v2v and Proxmox take no other unit, nor does VirtualBox 6.1.
fn memory<'a>(writer: &Writer<'_>, items: &mut Vec<Item<'a>>) {
    for (bytes, configuration) in variants(writer, writer.appliance.memory, |configuration| configuration.memory) {
        let mebibytes = bytes >> 20;
        let item = Item {
            configuration,
            units: Some("byte * 2^20"),
            name: format!("{mebibytes} MB of memory"),
            kind: kind::MEMORY,
            quantity: Some(mebibytes),
            ..Item::default()
        };
        add(items, item);
    }
}

/// The values that a quantity has, each with the variants that have it, the default's first; where there is one value, it
/// is every variant's. What a variant does not say is `base`.
fn variants(writer: &Writer<'_>, base: u64, of: impl Fn(&Configuration) -> Option<u64>) -> Vec<(u64, Option<String>)> {
    let mut values: Vec<(u64, Option<String>)> = Vec::new();
    for configuration in &writer.appliance.configurations {
        let value = of(configuration).unwrap_or(base);
        match values.iter_mut().find(|known| known.0 == value) {
            Some((_, Some(ids))) => ids.extend([" ", &configuration.id]),
            _ => values.push((value, Some(configuration.id.clone()))),
        }
    }
    match values.first() {
        None => vec![(base, None)],
        Some(&(default, _)) if values.len() == 1 || writer.host == Host::VirtualBox => vec![(default, None)],
        Some(_) => values,
    }
}

/// Controllers, then disks.
fn storage<'a>(writer: &Writer<'_>, items: &mut Vec<Item<'a>>) {
    let mut disks = Vec::new();
    for bus in &writer.buses {
        let (kind, subkind, name) = controller(bus.kind, writer.host);
        let name = format!("{name} controller {}", bus.number);
        let item = Item { address: Some(bus.number), name, kind, subkind: Some(subkind), ..Item::default() };
        let parent = add(items, item);
        disks.extend(bus.disks.iter().map(|&(disk, place)| (disk, place, parent)));
    }
    disks.sort_unstable();
    for (disk, place, parent) in disks {
        let item = Item {
            address_on_parent: Some(place),
            name: format!("Hard disk {}", disk + 1),
            host_resource: Some(format!("ovf:/disk/{}", disk_id(disk))),
            parent: Some(parent),
            kind: kind::DISK,
            ..Item::default()
        };
        add(items, item);
    }
}

/// A controller's resource type, the word for its kind, and its name.
///
/// VirtualBox takes `vmware.sata.ahci` too, but older VMware products do not know its `AHCI`. It makes LSI Logic of
/// `VirtualSCSI`, so that its own element, which is read first, has that too.
fn controller(controller: Controller, host: Host) -> (u16, &'static str, &'static str) {
    match controller {
        Controller::Pvscsi if host == Host::VirtualBox => (kind::SCSI, "lsilogic", "SCSI"),
        Controller::LsiLogic => (kind::SCSI, "lsilogic", "SCSI"),
        Controller::LsiSas => (kind::SCSI, "lsilogicsas", "SCSI"),
        Controller::Pvscsi => (kind::SCSI, "VirtualSCSI", "SCSI"),
        Controller::Sata if host == Host::VirtualBox => (kind::OTHER_STORAGE, "AHCI", "SATA"),
        Controller::Sata => (kind::OTHER_STORAGE, "vmware.sata.ahci", "SATA"),
        Controller::Nvme => (kind::OTHER_STORAGE, "vmware.nvme.controller", "NVMe"),
    }
}

/// A drive for the disc with the properties. Its controller has no kind: vCenter refuses VirtualBox's word for it.
fn cd<'a>(items: &mut Vec<Item<'a>>) {
    let ide = Item { address: Some(1), name: "IDE controller 1".into(), kind: kind::IDE, ..Item::default() };
    let parent = add(items, ide);
    let drive = Item {
        optional: true,
        address_on_parent: Some(0),
        automatic: Some(false),
        name: "CD/DVD drive 1".into(),
        parent: Some(parent),
        subkind: Some("vmware.cdrom.remotepassthrough"),
        kind: kind::CD,
        ..Item::default()
    };
    add(items, drive);
}

fn cards<'a>(writer: &'a Writer<'_>, items: &mut Vec<Item<'a>>) {
    for (number, network) in (0..).zip(&writer.appliance.networks) {
        let item = Item {
            address_on_parent: Some(FIRST_CARD + number),
            automatic: Some(true),
            name: format!("Ethernet {}", number + 1),
            connection: Some(connection(network, writer.host)),
            subkind: Some(card(network.model, writer.host)),
            kind: kind::ETHERNET,
            ..Item::default()
        };
        add(items, item);
    }
}

/// The word for a card's model. What `host` does not have becomes an E1000, which all have, and all guests drive.
fn card(model: NetworkModel, host: Host) -> &'static str {
    match (model, host) {
        (NetworkModel::Pcnet32, _) => "PCNet32",
        (NetworkModel::E1000e, Host::Vmware) => "E1000e",
        (NetworkModel::Vmxnet3, Host::Vmware) => "VmxNet3",
        (NetworkModel::Virtio, Host::VirtualBox) => "virtio",
        _ => "E1000",
    }
}

/// Settings of VMware's, none of them required: it refuses what it does not know otherwise. The firmware is told always, as
/// some take UEFI for the default. No order of booting: vCenter shows BIOS where there is one.
fn settings(xml: &mut Xml, appliance: &Appliance) -> Result<()> {
    let mut setting =
        |name: &str, key: &str, value: &str| xml.empty(name, &[OPTIONAL, ("vmw:key", key), ("vmw:value", value)]);
    appliance.extra.iter().try_for_each(|(key, value)| setting("vmw:ExtraConfig", key, value))?;
    match appliance.firmware {
        Firmware::Bios => setting("vmw:Config", "firmware", "bios"),
        Firmware::Efi { secure_boot } => {
            setting("vmw:Config", "firmware", "efi")?;
            let secure = if secure_boot { "true" } else { "false" };
            setting("vmw:Config", "bootOptions.efiSecureBootEnabled", secure)
        }
    }
}
