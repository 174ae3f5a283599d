//! An appliance as an OVF 1.x descriptor: DSP0243 1.1, of which only what VMware's products, VirtualBox, virt-v2v and Proxmox
//! all read alike. Numbers and identifiers are counted, so the same appliance has the same text.

mod hardware;
mod item;
mod product;
mod virtualbox;

pub use virtualbox::mac_address;

use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use crate::package::appliance::Network;
use crate::package::appliance::NetworkKind;
use crate::package::appliance::is_plain;
use crate::package::ovf::read::read;
use crate::package::places;
use crate::package::places::Bus;
use crate::package::xml::Xml;
use std::collections::BTreeSet;

/// Whom a package is for.
///
/// What one of them refuses is left out of what is for any of them, or becomes what all of them know:
///
/// | | any | VMware | VirtualBox |
/// |---|---|---|---|
/// | forwarded ports | – | – | in its own element |
/// | UEFI | a setting of VMware's | a setting of VMware's | in its own element too |
/// | secure boot | a setting of VMware's | a setting of VMware's | – |
/// | cards: E1000e, vmxnet3 | as E1000 | yes | as E1000 |
/// | card: virtio | as E1000 | as E1000 | yes |
/// | name of a network | as given | as given | what kind it is: `NAT`, `Bridged`, `HostOnly` |
/// | paravirtual SCSI | yes: VirtualBox makes LSI Logic of it | yes | as LSI Logic |
/// | NVMe, several SCSI or SATA controllers | refused | yes | refused |
/// | configurations | yes: VirtualBox takes the last, wrongly | yes | the default's values |
///
/// The hardware's family is always `vmx-NN`: VMware's products refuse `virtualbox-2.2`, and VirtualBox does not mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Host {
    /// VMware's products, VirtualBox and all others that read OVF.
    #[default]
    Any,
    /// VMware's products.
    Vmware,
    /// VirtualBox.
    VirtualBox,
}

/// A disk as it lies in a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Its file's name, and that file's length in bytes; none for an empty disk.
    pub file: Option<(String, u64)>,
    /// Bytes that the guest sees.
    pub capacity: u64,
    /// Bytes of it that are not zero, by whole grains.
    pub populated: u64,
    /// What tells it from all other disks: 16 bytes derived from the appliance and the disk.
    pub uuid: [u8; 16],
}

/// The namespaces, all of them at the top: Proxmox looks for `vmw` whether or not it is used.
const NAMESPACES: [(&str, &str); 8] = [
    ("xmlns", "http://schemas.dmtf.org/ovf/envelope/1"),
    ("xmlns:cim", "http://schemas.dmtf.org/wbem/wscim/1/common"),
    ("xmlns:ovf", "http://schemas.dmtf.org/ovf/envelope/1"),
    ("xmlns:rasd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"),
    ("xmlns:vbox", "http://www.virtualbox.org/ovf/machine"),
    ("xmlns:vmw", "http://www.vmware.com/schema/ovf"),
    ("xmlns:vssd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
];

/// The format of disks. ESXi refuses the address without its end.
const STREAM: &str = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";

/// What may be left out by those who do not know it.
const OPTIONAL: (&str, &str) = ("ovf:required", "false");

/// The descriptor of `appliance`, whose disks are `disks`, in their order.
///
/// # Errors
/// `Usage` where `host` has no way to say something of it, where there are more disks or cards than places, where `disks`
/// are not as many as the appliance's, where one of them has half a sector or a name that importers do not take, where a text
/// has a character that XML has not, and where there is more of anything than [`read`](super::read()) takes.
pub fn write(appliance: &Appliance, disks: &[Packed], host: Host) -> Result<String> {
    if disks.len() != appliance.disks.len() {
        let found = format!("the appliance has {} disks, and {} are packed", appliance.disks.len(), disks.len());
        return Err(Error::usage(found));
    }
    let buses = places::place(appliance)?;
    hardware::check(appliance, &buses, host)?;
    let descriptor = Writer { appliance, disks, buses, host };
    let mut xml = Xml::new()?;
    let mut attributes = vec![("ovf:version", "1.0"), ("xml:lang", "en-US")];
    attributes.extend(NAMESPACES);
    xml.element("Envelope", &attributes, |xml| descriptor.envelope(xml))?;
    let text = xml.finish()?;
    // A package that could not be verified or unpacked is none.
    match read(text.as_bytes()) {
        Ok(_) => Ok(text),
        Err(error) => {
            let message = format!("the appliance has more than is read of a descriptor: {}", error.message());
            Err(Error::usage(message).with_hint("leave variants, properties or texts out"))
        }
    }
}

struct Writer<'a> {
    appliance: &'a Appliance,
    disks: &'a [Packed],
    buses: Vec<Bus>,
    host: Host,
}

impl Writer<'_> {
    fn envelope(&self, xml: &mut Xml) -> Result<()> {
        xml.element("References", &[], |xml| self.files(xml))?;
        xml.element("DiskSection", &[], |xml| self.disks(xml))?;
        xml.element("NetworkSection", &[], |xml| self.networks(xml))?;
        // VirtualBox would take every variant's processors and memory, one over the other.
        if !self.appliance.configurations.is_empty() && self.host != Host::VirtualBox {
            xml.element("DeploymentOptionSection", &[], |xml| self.configurations(xml))?;
        }
        // The name that people see is further down; this one is an identifier.
        let id = self.appliance.stem().unwrap_or_else(|_| "vm".into());
        xml.element("VirtualSystem", &[("ovf:id", &id)], |xml| self.system(xml))
    }

    fn files(&self, xml: &mut Xml) -> Result<()> {
        for (number, disk) in self.disks.iter().enumerate() {
            if let Some((name, size)) = &disk.file {
                check_name(name)?;
                let (id, size) = (file_id(number), size.to_string());
                xml.empty("File", &[("ovf:href", name), ("ovf:id", &id), ("ovf:size", &size)])?;
            }
        }
        Ok(())
    }

    fn disks(&self, xml: &mut Xml) -> Result<()> {
        xml.text("Info", "Virtual disks")?;
        for (number, disk) in self.disks.iter().enumerate() {
            let (capacity, units) = capacity(disk).ok_or_else(|| {
                Error::usage(format!("disk {} has {} bytes, and disks are whole sectors", number + 1, disk.capacity))
                    .with_hint("give it a size that is a multiple of 512 bytes")
            })?;
            let (capacity, id, file) = (capacity.to_string(), disk_id(number), file_id(number));
            let (populated, uuid) = (disk.populated.to_string(), virtualbox::digits(disk.uuid));
            let mut attributes =
                vec![("ovf:capacity", capacity.as_str()), ("ovf:capacityAllocationUnits", units), ("ovf:diskId", &id)];
            if disk.file.is_some() {
                attributes.push(("ovf:fileRef", &file));
            }
            attributes.push(("ovf:format", STREAM));
            if disk.file.is_some() {
                attributes.push(("ovf:populatedSize", &populated));
            }
            if self.host == Host::VirtualBox {
                attributes.push(("vbox:uuid", &uuid));
            }
            xml.empty("Disk", &attributes)?;
        }
        Ok(())
    }

    fn networks(&self, xml: &mut Xml) -> Result<()> {
        xml.text("Info", "Logical networks")?;
        let mut told = BTreeSet::new();
        for name in self.appliance.networks.iter().map(|network| connection(network, self.host)) {
            if told.insert(name) {
                xml.element("Network", &[("ovf:name", name)], |xml| {
                    xml.text("Description", &format!("The network {name}"))
                })?;
            }
        }
        Ok(())
    }

    fn configurations(&self, xml: &mut Xml) -> Result<()> {
        xml.text("Info", "Variants of the machine")?;
        for (number, configuration) in self.appliance.configurations.iter().enumerate() {
            let mut attributes = vec![("ovf:id", configuration.id.as_str())];
            if number == 0 {
                attributes.push(("ovf:default", "true"));
            }
            xml.element("Configuration", &attributes, |xml| {
                xml.text("Label", &configuration.label)?;
                xml.text("Description", &configuration.description)
            })?;
        }
        Ok(())
    }

    fn system(&self, xml: &mut Xml) -> Result<()> {
        let Appliance { name, guest, .. } = self.appliance;
        xml.text("Info", "A virtual machine")?;
        xml.text("Name", name)?;
        let cim = guest.cim.to_string();
        xml.element("OperatingSystemSection", &[("ovf:id", &cim), ("vmw:osType", guest.vmware)], |xml| {
            xml.text("Info", "The guest operating system")?;
            xml.text("Description", guest.name)?;
            xml.text_with("vbox:OSType", &[OPTIONAL], guest.virtualbox)
        })?;
        hardware::write(xml, self)?;
        product::write(xml, self.appliance)?;
        if self.host == Host::VirtualBox {
            virtualbox::write(xml, self)?;
        }
        Ok(())
    }
}

/// Checks that every importer takes a file's name: Proxmox and virt-v2v refuse other characters, VirtualBox a name without
/// an ending.
fn check_name(name: &str) -> Result<()> {
    if name.chars().all(is_plain) && name.trim_start_matches('.').contains('.') {
        return Ok(());
    }
    Err(Error::usage(format!("importers do not take {name:?} for the name of a disk's file"))
        .with_hint("use letters, digits, '.', '_' and '-', and an ending such as .vmdk"))
}

fn disk_id(number: usize) -> String {
    format!("vmdisk{}", number + 1)
}

fn file_id(number: usize) -> String {
    format!("file{}", number + 1)
}

/// A disk's size in the largest of some units that it is a whole number of; none where it is no number of sectors.
///
/// Proxmox takes units as `byte * 2^E` alone, and mebibytes are what VMware's own tools write. A disk that is none of these
/// is told in kibibytes or sectors, as DSP0004's units allow any exponent, rather than rounded: importers compare it with
/// the VMDK. VirtualBox reads the number without its unit, which matters for an empty disk only, which it makes of that size;
/// Proxmox passes over such a disk, so that one is in bytes.
fn capacity(disk: &Packed) -> Option<(u64, &'static str)> {
    let bytes = disk.capacity;
    match disk.file {
        _ if !bytes.is_multiple_of(1 << 9) => None,
        None => Some((bytes, "byte")),
        Some(_) if bytes.is_multiple_of(1 << 20) => Some((bytes >> 20, "byte * 2^20")),
        Some(_) if bytes.is_multiple_of(1 << 10) => Some((bytes >> 10, "byte * 2^10")),
        Some(_) => Some((bytes >> 9, "byte * 2^9")),
    }
}

/// What a card's network is called: VirtualBox takes the name for the kind, and for bridged any that it does not know.
fn connection(network: &Network, host: Host) -> &str {
    match (host, network.kind) {
        (Host::Any | Host::Vmware, _) => &network.name,
        (Host::VirtualBox, NetworkKind::Nat) => "NAT",
        (Host::VirtualBox, NetworkKind::Bridged) => "Bridged",
        (Host::VirtualBox, NetworkKind::HostOnly) => "HostOnly",
    }
}
