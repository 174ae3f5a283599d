//! A machine as VMware's desktop products have it: a `.vmx` file beside its disks.
//!
//! A line is `key = "value"`, in UTF-8. Values are quoted as VMware's own library for such files does it (`lib/dict` of
//! open-vm-tools): a bar and two hexadecimal digits stand for what would end the value or the line.

use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use crate::package::appliance::Controller;
use crate::package::appliance::Firmware;
use crate::package::appliance::Network;
use crate::package::appliance::NetworkKind;
use crate::package::appliance::NetworkModel;
use crate::package::defaults;
use crate::package::places;
use crate::package::places::Bus;
use crate::package::places::Family;
use std::fmt::Write as _;

/// The file of `appliance`, whose disks are in the files `disks`, beside it and in the appliance's order; each has one.
///
/// No identifiers are in it, as VMware makes them where there are none, and no file of UEFI's variables, likewise. A virtio card
/// becomes an E1000, as VMware has none. Forwarded ports are settings of the host's network, not the machine's: they are
/// left out. The variant is the default. The appliance's more settings come last, and replace others of the same key.
///
/// # Errors
/// `Usage` where there are more disks than places, where `disks` are not as many as the appliance's, and for a key of its more
/// settings that would not be read as one.
pub fn write(appliance: &Appliance, disks: &[String]) -> Result<String> {
    if disks.len() != appliance.disks.len() {
        let found = format!("the appliance has {} disks, and {} files are given", appliance.disks.len(), disks.len());
        return Err(Error::usage(found));
    }
    let mut lines = Lines(Vec::new());
    machine(&mut lines, appliance);
    bridges(&mut lines);
    places::place(appliance)?.iter().for_each(|bus| controller(&mut lines, bus, disks));
    appliance.networks.iter().enumerate().for_each(|(number, network)| card(&mut lines, number, network));
    for (key, value) in &appliance.extra {
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic() && !"=#\"|".contains(c)) {
            return Err(Error::usage(format!("{key:?} is no key of a .vmx file"))
                .with_hint("keys are of letters, digits, dots and colons, such as guestinfo.role"));
        }
        lines.set(key, value);
    }
    Ok(lines.text())
}

/// Keys and values, in the order in which they are written. A key that comes twice would be a broken file.
struct Lines(Vec<(String, String)>);

impl Lines {
    fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|line| line.0.eq_ignore_ascii_case(&key)) {
            Some(line) => line.1 = value,
            None => self.0.push((key, value)),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            text.extend([key, " = \"", &quoted(value), "\"\n"]);
        }
        text
    }
}

/// A value as it stands between quotes: these, bars and control characters but tabs as the numbers of their bytes.
fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '|') || c.is_control() && c != '\t' {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String does not fail.
                let _ = write!(quoted, "|{byte:02X}");
            }
        } else {
            quoted.push(c);
        }
    }
    quoted
}

fn machine(lines: &mut Lines, appliance: &Appliance) {
    lines.set(".encoding", "UTF-8");
    lines.set("config.version", "8");
    lines.set("virtualHW.version", appliance.hardware.to_string());
    lines.set("displayName", &appliance.name);
    if let Some(annotation) = &appliance.annotation {
        lines.set("annotation", annotation);
    }
    lines.set("guestOS", appliance.guest.vmx);
    if let Firmware::Efi { secure_boot } = appliance.firmware {
        lines.set("firmware", "efi");
        if secure_boot {
            lines.set("uefi.secureBoot.enabled", "TRUE");
        }
    }
    lines.set("numvcpus", defaults::cpus(appliance).to_string());
    if let Some(cores) = appliance.cores_per_socket {
        lines.set("cpuid.coresPerSocket", cores.to_string());
    }
    // VMware takes multiples of 4.
    lines.set("memsize", defaults::mebibytes(appliance).next_multiple_of(4).to_string());
    // A file that was copied makes VMware ask, and wait, otherwise.
    lines.set("uuid.action", "create");
    // There is one where nothing is said.
    lines.set("floppy0.present", "FALSE");
}

/// PCI and the root ports of PCI Express, without which there is no slot for many cards and controllers.
fn bridges(lines: &mut Lines) {
    lines.set("pciBridge0.present", "TRUE");
    for number in 4..=7 {
        lines.set(format!("pciBridge{number}.present"), "TRUE");
        lines.set(format!("pciBridge{number}.virtualDev"), "pcieRootPort");
        lines.set(format!("pciBridge{number}.functions"), "8");
    }
}

fn controller(lines: &mut Lines, bus: &Bus, disks: &[String]) {
    let family = match bus.kind.family() {
        Family::Scsi => "scsi",
        Family::Sata => "sata",
        Family::Nvme => "nvme",
    };
    let name = format!("{family}{}", bus.number);
    lines.set(format!("{name}.present"), "TRUE");
    let kind = match bus.kind {
        Controller::LsiLogic => Some("lsilogic"),
        Controller::LsiSas => Some("lsisas1068"),
        Controller::Pvscsi => Some("pvscsi"),
        Controller::Sata | Controller::Nvme => None,
    };
    if let Some(kind) = kind {
        lines.set(format!("{name}.virtualDev"), kind);
    }
    for &(disk, place) in &bus.disks {
        if let Some(file) = disks.get(disk) {
            lines.set(format!("{name}:{place}.present"), "TRUE");
            lines.set(format!("{name}:{place}.fileName"), file);
        }
    }
}

fn card(lines: &mut Lines, number: usize, network: &Network) {
    let kind = match network.kind {
        NetworkKind::Nat => "nat",
        NetworkKind::Bridged => "bridged",
        NetworkKind::HostOnly => "hostonly",
    };
    let model = match network.model {
        NetworkModel::E1000 | NetworkModel::Virtio => "e1000",
        NetworkModel::E1000e => "e1000e",
        NetworkModel::Vmxnet3 => "vmxnet3",
        NetworkModel::Pcnet32 => "vlance",
    };
    let name = format!("ethernet{number}");
    lines.set(format!("{name}.present"), "TRUE");
    lines.set(format!("{name}.connectionType"), kind);
    lines.set(format!("{name}.virtualDev"), model);
    lines.set(format!("{name}.addressType"), "generated");
}
