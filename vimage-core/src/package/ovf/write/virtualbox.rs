//! VirtualBox's own element: the machine as it has them in its settings, of version 1.15, which 5.0 and all later ones read.
//!
//! VirtualBox takes the hardware from here where it is, rather than from the items. It is the only place for ports that are
//! forwarded, for UEFI, and for the addresses of cards, which Vagrant asks for. DMTF's schema has no place for it, so it is
//! written where a package is for VirtualBox alone.

use super::{OPTIONAL, Packed, Writer};
use crate::error::Result;
use crate::package::appliance::Controller;
use crate::package::appliance::Firmware;
use crate::package::appliance::Forward;
use crate::package::appliance::Network;
use crate::package::appliance::NetworkKind;
use crate::package::appliance::NetworkModel;
use crate::package::defaults;
use crate::package::places::Bus;
use crate::package::places::Family;
use crate::package::xml::Xml;

/// What the addresses of VirtualBox's cards begin with.
const VENDOR: u32 = 0x08_00_27;

/// The address of card `card`, from 0: twelve digits, of which the first disk's identifier gives the last six.
///
/// Vagrant's `base_mac` is that of card 0.
pub fn mac_address(disks: &[Packed], card: usize) -> String {
    let uuid = disks.first().map_or(0, |disk| u128::from_be_bytes(disk.uuid));
    format!("{VENDOR:06X}{:06X}", (uuid as u32).wrapping_add(card as u32) & 0xff_ffff)
}

/// A UUID in digits, parted as they are by custom.
pub(super) fn digits(uuid: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(uuid));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| digits.get(part).unwrap_or_default()).join("-")
}

/// The same between braces, as machines have it.
fn braced(uuid: [u8; 16]) -> String {
    format!("{{{}}}", digits(uuid))
}

/// Writes the element.
pub(super) fn write(xml: &mut Xml, writer: &Writer<'_>) -> Result<()> {
    let mut uuid = writer.disks.first().map_or([0; 16], |disk| disk.uuid);
    // Another than that of any disk: those differ in more than their first byte.
    uuid[0] = !uuid[0];
    let uuid = braced(uuid);
    let attributes = [
        OPTIONAL,
        ("version", "1.15-linux"),
        ("uuid", &uuid),
        ("name", &writer.appliance.name),
        ("OSType", writer.appliance.guest.virtualbox),
    ];
    xml.element("vbox:Machine", &attributes, |xml| {
        xml.text("ovf:Info", "The machine in VirtualBox's own format")?;
        xml.element("Hardware", &[], |xml| hardware(xml, writer))?;
        xml.element("StorageControllers", &[], |xml| {
            writer.buses.iter().try_for_each(|bus| controller(xml, bus, writer.disks))
        })
    })
}

fn hardware(xml: &mut Xml, writer: &Writer<'_>) -> Result<()> {
    let cpus = defaults::cpus(writer.appliance).to_string();
    let memory = defaults::mebibytes(writer.appliance).to_string();
    xml.element("CPU", &[("count", &cpus)], |xml| xml.empty("PAE", &[("enabled", "true")]))?;
    xml.empty("Memory", &[("RAMSize", &memory)])?;
    if let Firmware::Efi { .. } = writer.appliance.firmware {
        xml.empty("Firmware", &[("type", "EFI")])?;
    }
    xml.empty("Display", &[("VRAMSize", "16")])?;
    xml.element("BIOS", &[], |xml| xml.empty("IOAPIC", &[("enabled", "true")]))?;
    xml.element("Network", &[], |xml| {
        writer.appliance.networks.iter().enumerate().try_for_each(|(slot, network)| {
            let address = mac_address(writer.disks, slot);
            adapter(xml, network, slot, &address)
        })
    })?;
    xml.empty("RTC", &[("localOrUTC", if defaults::windows(writer.appliance) { "local" } else { "UTC" })])
}

/// A card. Packer looks for its address with a pattern that ends with the line.
fn adapter(xml: &mut Xml, network: &Network, slot: usize, address: &str) -> Result<()> {
    let model = match network.model {
        NetworkModel::Virtio => "virtio",
        NetworkModel::Pcnet32 => "Am79C970A",
        NetworkModel::E1000 | NetworkModel::E1000e | NetworkModel::Vmxnet3 => "82540EM",
    };
    let slot = slot.to_string();
    let attributes = [("slot", slot.as_str()), ("enabled", "true"), ("MACAddress", address), ("type", model)];
    xml.element("Adapter", &attributes, |xml| match network.kind {
        NetworkKind::Nat => {
            xml.element("NAT", &[], |xml| network.forwards.iter().try_for_each(|forward| forwarding(xml, forward)))
        }
        // Which of the host's interfaces it is on, VirtualBox asks on that host.
        NetworkKind::Bridged => xml.empty("BridgedInterface", &[]),
        NetworkKind::HostOnly => xml.empty("HostOnlyInterface", &[]),
    })
}

fn forwarding(xml: &mut Xml, forward: &Forward) -> Result<()> {
    let (host, guest) = (forward.host.to_string(), forward.guest.to_string());
    let address = forward.host_address.map(|address| address.to_string());
    let mut attributes = vec![("name", forward.name.as_str()), ("proto", if forward.udp { "0" } else { "1" })];
    attributes.extend(address.as_deref().map(|address| ("hostip", address)));
    attributes.extend([("hostport", host.as_str()), ("guestport", &guest)]);
    xml.empty("Forwarding", &attributes)
}

fn controller(xml: &mut Xml, bus: &Bus, disks: &[Packed]) -> Result<()> {
    let kind = match bus.kind {
        Controller::LsiLogic | Controller::Pvscsi => "LsiLogic",
        Controller::LsiSas => "LsiLogicSas",
        Controller::Sata => "AHCI",
        Controller::Nvme => "NVMe",
    };
    let used = bus.disks.iter().map(|&(_, place)| place + 1).max().unwrap_or(0);
    let ports = if bus.kind.family() == Family::Scsi { 16 } else { used }.to_string();
    let name = format!("{} {}", bus.kind.name(), bus.number);
    let attributes = [
        ("name", name.as_str()),
        ("type", kind),
        ("PortCount", &ports),
        ("useHostIOCache", "false"),
        ("Bootable", "true"),
    ];
    xml.element("StorageController", &attributes, |xml| {
        for &(disk, place) in &bus.disks {
            let port = place.to_string();
            let uuid = disks.get(disk).map(|disk| braced(disk.uuid)).unwrap_or_default();
            xml.element("AttachedDevice", &[("type", "HardDisk"), ("port", &port), ("device", "0")], |xml| {
                // The same as the disk's further up: VirtualBox finds the file by it.
                xml.empty("Image", &[("uuid", &uuid)])
            })?;
        }
        Ok(())
    })
}
