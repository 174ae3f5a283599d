//! What an appliance is: plain values, as a person describes them.

use crate::error::{Error, Result};
use crate::package::guests::{self, Guest};
use std::fmt;
use std::path::PathBuf;

/// A virtual machine with its disks, to be shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appliance {
    /// The machine's name, as people see it.
    pub name: String,
    /// What it is as a product.
    pub product: Product,
    /// What a person should know before running it.
    pub annotation: Option<String>,
    /// The texts that have to be agreed to.
    pub eulas: Vec<String>,
    /// A text that goes with packages that are folders.
    pub readme: Option<Readme>,
    /// The operating system.
    pub guest: &'static Guest,
    /// Processors.
    pub cpus: u32,
    /// Cores of one socket; as the hypervisor likes where that is not said.
    pub cores_per_socket: Option<u32>,
    /// Bytes of memory that it should have: whole mebibytes.
    pub memory: u64,
    /// Bytes of memory without which it does not run: whole mebibytes.
    pub minimum_memory: Option<u64>,
    /// What starts it.
    pub firmware: Firmware,
    /// The generation of VMware's virtual hardware: the 13 of `vmx-13`.
    pub hardware: u32,
    /// The disks, the one that it starts from first.
    pub disks: Vec<Disk>,
    /// The network cards.
    pub networks: Vec<Network>,
    /// Ways in which properties reach the guest.
    pub transport: Vec<Transport>,
    /// What a person is asked when the appliance is deployed.
    pub properties: Vec<Property>,
    /// Variants to choose from; the first is the default.
    pub configurations: Vec<Configuration>,
    /// More settings for VMware, as key and value.
    pub extra: Vec<(String, String)>,
}

/// What an appliance is as a product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Product {
    /// Its name; the machine's where there is none.
    pub name: Option<String>,
    /// Who makes it.
    pub vendor: Option<String>,
    /// Its version, short.
    pub version: Option<String>,
    /// Its version, at length.
    pub full_version: Option<String>,
    /// Where more is told of it.
    pub product_url: Option<String>,
    /// Where more is told of its vendor.
    pub vendor_url: Option<String>,
    /// Where it can be used once it runs.
    pub app_url: Option<String>,
}

/// A text that goes with a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readme {
    /// Its file's name, without a folder.
    pub name: String,
    /// Its bytes, as they are.
    pub text: Vec<u8>,
}

/// What starts a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Firmware {
    /// A BIOS.
    #[default]
    Bios,
    /// UEFI.
    Efi {
        /// Whether it starts only what is signed.
        secure_boot: bool,
    },
}

/// What a disk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// The machine starts from it.
    #[default]
    System,
    /// It comes with content.
    Data,
    /// It comes empty: a package holds its size, and no file.
    Scratch,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What it is for.
    pub role: Role,
    /// The image, and how it is opened; none for a scratch disk.
    pub image: Option<DiskImage>,
    /// Bytes of a scratch disk; of others the image knows.
    pub size: Option<u64>,
    /// What it hangs on.
    pub controller: Controller,
}

/// A disk's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskImage {
    /// Its file.
    pub path: PathBuf,
    /// Its format, where it is not to be probed.
    pub format: Option<String>,
    /// The snapshot that is meant, where it is not the present state.
    pub snapshot: Option<String>,
}

/// A kind of disk controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Controller {
    /// LSI Logic parallel SCSI: what every hypervisor has.
    #[default]
    LsiLogic,
    /// LSI Logic SAS.
    LsiSas,
    /// VMware's paravirtual SCSI.
    Pvscsi,
    /// AHCI.
    Sata,
    /// NVMe.
    Nvme,
}

impl Controller {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Controller; 5] =
        [Controller::LsiLogic, Controller::LsiSas, Controller::Pvscsi, Controller::Sata, Controller::Nvme];

    /// The word for it in a description.
    pub const fn word(self) -> &'static str {
        match self {
            Controller::LsiLogic => "lsilogic",
            Controller::LsiSas => "lsisas",
            Controller::Pvscsi => "pvscsi",
            Controller::Sata => "sata",
            Controller::Nvme => "nvme",
        }
    }

    /// Whether its disks are SCSI disks.
    pub const fn is_scsi(self) -> bool {
        matches!(self, Controller::LsiLogic | Controller::LsiSas | Controller::Pvscsi)
    }

    /// Disks that one controller takes: on SCSI addresses 0 to 15 without 7, which is the controller's own.
    pub const fn disks(self) -> usize {
        match self {
            Controller::Sata => 30,
            _ => 15,
        }
    }

    /// The first generation of VMware's virtual hardware that has it.
    pub const fn hardware(self) -> u32 {
        match self {
            Controller::Nvme => 13,
            Controller::Sata => 10,
            _ => 7,
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The network's name, as a person maps it to one of theirs.
    pub name: String,
    /// What kind of network that is, for hypervisors that make one.
    pub kind: NetworkKind,
    /// The card.
    pub model: NetworkModel,
    /// Ports of the host that lead to ports of the guest, behind NAT.
    pub forwards: Vec<Forward>,
}

/// How a card's network is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NetworkKind {
    /// Behind the host's address.
    #[default]
    Nat,
    /// On the host's network.
    Bridged,
    /// With the host alone.
    HostOnly,
}

/// A model of network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NetworkModel {
    /// Intel's 82545EM: what every hypervisor has.
    #[default]
    E1000,
    /// Intel's 82574L.
    E1000e,
    /// VMware's paravirtual card.
    Vmxnet3,
    /// virtio.
    Virtio,
    /// AMD's PCnet.
    Pcnet32,
}

/// A port of the host that leads to one of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its name.
    pub name: String,
    /// Whether it is UDP rather than TCP.
    pub udp: bool,
    /// The host's address; all of them where there is none.
    pub host_address: Option<std::net::Ipv4Addr>,
    /// The host's port.
    pub host: u16,
    /// The guest's port.
    pub guest: u16,
}

/// How properties reach the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By VMware's tools: `guestinfo.ovfEnv`.
    GuestInfo,
    /// On a CD.
    Iso,
}

/// A question that a person is asked when the appliance is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Property {
    /// Its key.
    pub key: String,
    /// What it belongs to, in front of the key.
    pub class: Option<String>,
    /// One of several of its class, behind the key.
    pub instance: Option<String>,
    /// The heading above it.
    pub category: Option<String>,
    /// Its type: string, boolean, uint8 to uint64, sint8 to sint64, real32 or real64.
    pub kind: String,
    /// Its value where nobody gives one.
    pub default: Option<String>,
    /// Whether it is not to be shown.
    pub password: bool,
    /// Whether it may be changed when the appliance is deployed.
    pub user_configurable: bool,
    /// What values may be, in OVF's words: `MinLen(1) MaxLen(64)`, `ValueMap{"a","b"}`.
    pub qualifiers: Option<String>,
    /// Its name, for people.
    pub label: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// A variant of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its identifier.
    pub id: String,
    /// Its name, for people.
    pub label: String,
    /// What it is for.
    pub description: String,
    /// Processors, where they are others.
    pub cpus: Option<u32>,
    /// Bytes of memory, where it is other: whole mebibytes.
    pub memory: Option<u64>,
}

impl Appliance {
    /// A machine called `name` with nothing but defaults: one processor, 1 GiB of memory, BIOS, no disk, one card behind NAT.
    pub fn new(name: impl Into<String>) -> Self {
        Appliance {
            name: name.into(),
            product: Product::default(),
            annotation: None,
            eulas: Vec::new(),
            readme: None,
            guest: guests::other(),
            cpus: 1,
            cores_per_socket: None,
            memory: 1 << 30,
            minimum_memory: None,
            firmware: Firmware::Bios,
            hardware: HARDWARE,
            disks: Vec::new(),
            networks: vec![Network::default()],
            transport: Vec::new(),
            properties: Vec::new(),
            configurations: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// With the image at `path` as one more disk: the first is the system's.
    #[must_use]
    pub fn with_image(mut self, path: impl Into<PathBuf>) -> Self {
        let image = DiskImage { path: path.into(), format: None, snapshot: None };
        let role = if self.disks.is_empty() { Role::System } else { Role::Data };
        self.disks.push(Disk { role, image: Some(image), size: None, controller: Controller::default() });
        self
    }

    /// How its files' names begin: the machine's name in the characters that every importer takes, `[A-Za-z0-9._-]`.
    ///
    /// # Errors
    /// `Usage` where none of its characters is one of these.
    pub fn stem(&self) -> Result<String> {
        let words: Vec<&str> = self.name.split(|c| !is_plain(c)).filter(|word| !word.is_empty()).collect();
        let stem = words.join("-");
        // Names in a tar end at 100 bytes, and more is put behind this one.
        let stem: String = stem.trim_matches(['.', '-']).chars().take(LONGEST_STEM).collect();
        if stem.is_empty() {
            return Err(Error::usage(format!("no file can be named after the appliance {:?}", self.name))
                .with_hint("give it a name with letters or digits of ASCII"));
        }
        Ok(stem)
    }
}

/// Whether `c` is one of the characters of which every importer takes names of files: `[A-Za-z0-9._-]`.
pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The generation of virtual hardware that ESXi 6.5 and all later ones take.
pub const HARDWARE: u32 = 13;

/// Bytes of the longest stem of a file's name.
const LONGEST_STEM: usize = 60;

impl Default for Network {
    fn default() -> Self {
        Network {
            // What ESXi calls its own.
            name: "VM Network".into(),
            kind: NetworkKind::Nat,
            model: NetworkModel::E1000,
            forwards: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_what_every_importer_takes() {
        let stem = |name: &str| Appliance::new(name).stem().ok();
        assert_eq!(stem("Debian 12 (bookworm)").as_deref(), Some("Debian-12-bookworm"));
        assert_eq!(stem("../etc/passwd").as_deref(), Some("etc-passwd"));
        assert_eq!(stem("虚拟机 a").as_deref(), Some("a"));
        assert_eq!(stem("虚拟机"), None);
        assert_eq!(stem(&"x".repeat(200)).unwrap().len(), LONGEST_STEM);
    }
}
