//! A machine as libvirt has it: the XML of a domain, for QEMU with KVM.

use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use crate::package::appliance::Controller;
use crate::package::appliance::Firmware;
use crate::package::appliance::Forward;
use crate::package::appliance::Network;
use crate::package::appliance::NetworkKind;
use crate::package::appliance::NetworkModel;
use crate::package::defaults;
use crate::package::xml::Xml;

/// Where libvirt keeps the disks of its default pool.
pub const FOLDER: &str = "/var/lib/libvirt/images";

/// The bridge that a card on the host's network is on: what hosts that have one call it by custom.
const BRIDGE: &str = "br0";

/// The network of libvirt's that a card with the host alone is on. Nothing makes it: there is no such one by default.
const HOST_ONLY: &str = "hostonly";

/// The domain of `appliance`, whose disks are the qcow2 files `disks` in `folder`, in the appliance's order; each has one.
///
/// libvirt takes whole paths alone, so the disks belong in `folder` (as a rule [`FOLDER`]) before the domain is defined.
///
/// Disks are virtio's, or SATA where that is asked for or the guest is Windows, which comes without drivers for virtio:
/// QEMU's own SCSI controllers are other ones than VMware's, and NVMe disks are new to libvirt. Cards are the models asked for.
/// NAT is libvirt's network `default`; with forwarded ports it is passt, which libvirt 9.0 has, and older ones and Debian 12's
/// refuse. A bridged card is on the bridge `br0`, and a card with the host alone on a network `hostonly`. The variant is the
/// default.
///
/// # Errors
/// `Usage` where `disks` are not as many as the appliance's, where `folder` is not a whole path, where no file can be named after
/// the appliance, and for a character that XML has not.
pub fn write(appliance: &Appliance, disks: &[String], folder: &str) -> Result<String> {
    if disks.len() != appliance.disks.len() {
        let found = format!("the appliance has {} disks, and {} files are given", appliance.disks.len(), disks.len());
        return Err(Error::usage(found));
    }
    if !folder.starts_with('/') {
        return Err(Error::usage(format!("libvirt takes no disks from {folder:?}"))
            .with_hint("give the folder's whole path, beginning with /"));
    }
    let mut xml = Xml::bare();
    xml.element("domain", &[("type", "kvm")], |xml| {
        // A domain's name is also a file's; the title is for people, and has one line.
        xml.text("name", &appliance.stem()?)?;
        let title = appliance.name.replace('\n', " ");
        xml.text("title", &title)?;
        xml.text_if("description", appliance.annotation.as_deref())?;
        machine(xml, appliance)?;
        xml.element("devices", &[], |xml| devices(xml, appliance, disks, folder))
    })?;
    xml.finish()
}

fn machine(xml: &mut Xml, appliance: &Appliance) -> Result<()> {
    let cpus = defaults::cpus(appliance);
    xml.text_with("memory", &[("unit", "MiB")], &defaults::mebibytes(appliance).to_string())?;
    xml.text("vcpu", &cpus.to_string())?;
    let secure = appliance.firmware == Firmware::Efi { secure_boot: true };
    match appliance.firmware {
        Firmware::Bios => xml.element("os", &[], kind)?,
        Firmware::Efi { .. } => xml.element("os", &[("firmware", "efi")], |xml| {
            kind(xml)?;
            xml.element("firmware", &[], |xml| {
                let enabled = if secure { "yes" } else { "no" };
                xml.empty("feature", &[("enabled", enabled), ("name", "enrolled-keys")])?;
                xml.empty("feature", &[("enabled", enabled), ("name", "secure-boot")])
            })
        })?,
    }
    xml.element("features", &[], |xml| {
        xml.empty("acpi", &[])?;
        xml.empty("apic", &[])?;
        // What guards UEFI's variables from the guest.
        if secure { xml.empty("smm", &[("state", "on")]) } else { Ok(()) }
    })?;
    processor(xml, cpus, appliance.cores_per_socket)?;
    xml.empty("clock", &[("offset", if defaults::windows(appliance) { "localtime" } else { "utc" })])
}

fn kind(xml: &mut Xml) -> Result<()> {
    xml.text_with("type", &[("arch", "x86_64"), ("machine", "q35")], "hvm")
}

/// The host's processor: QEMU's default is too old for the distributions of today.
fn processor(xml: &mut Xml, cpus: u32, cores: Option<u32>) -> Result<()> {
    let mode = [("mode", "host-model")];
    // libvirt refuses sockets that are not whole.
    let Some(cores) = cores.filter(|&cores| cores != 0 && cpus.is_multiple_of(cores)) else {
        return xml.empty("cpu", &mode);
    };
    let (sockets, cores) = ((cpus / cores).to_string(), cores.to_string());
    let topology = [("sockets", sockets.as_str()), ("dies", "1"), ("cores", &cores), ("threads", "1")];
    xml.element("cpu", &mode, |xml| xml.empty("topology", &topology))
}

fn devices(xml: &mut Xml, appliance: &Appliance, disks: &[String], folder: &str) -> Result<()> {
    let folder = folder.trim_end_matches('/');
    let (mut virtio, mut sata) = (0, 0);
    for (number, (disk, file)) in appliance.disks.iter().zip(disks).enumerate() {
        let (bus, prefix, count) = match disk.controller {
            Controller::Sata => ("sata", "sd", &mut sata),
            _ if defaults::windows(appliance) => ("sata", "sd", &mut sata),
            _ => ("virtio", "vd", &mut virtio),
        };
        let device = format!("{prefix}{}", letters(*count));
        *count += 1;
        xml.element("disk", &[("type", "file"), ("device", "disk")], |xml| {
            // libvirt does not look what a file is, and takes it for raw.
            xml.empty("driver", &[("name", "qemu"), ("type", "qcow2"), ("discard", "unmap")])?;
            xml.empty("source", &[("file", &format!("{folder}/{file}"))])?;
            xml.empty("target", &[("dev", &device), ("bus", bus)])?;
            if number == 0 { xml.empty("boot", &[("order", "1")]) } else { Ok(()) }
        })?;
    }
    appliance.networks.iter().try_for_each(|network| card(xml, network))?;
    xml.empty("console", &[("type", "pty")])?;
    xml.empty("graphics", &[("type", "vnc")])
}

/// The letters of disk `number`: a to z, then aa.
fn letters(mut number: u32) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + (number % 26) as u8));
        match (number / 26).checked_sub(1) {
            Some(rest) => number = rest,
            None => return letters.iter().rev().collect(),
        }
    }
}

fn card(xml: &mut Xml, network: &Network) -> Result<()> {
    let (kind, source) = match network.kind {
        NetworkKind::Nat if !network.forwards.is_empty() => ("user", None),
        NetworkKind::Nat => ("network", Some(("network", "default"))),
        NetworkKind::Bridged => ("bridge", Some(("bridge", BRIDGE))),
        NetworkKind::HostOnly => ("network", Some(("network", HOST_ONLY))),
    };
    let model = match network.model {
        NetworkModel::E1000 => "e1000",
        NetworkModel::E1000e => "e1000e",
        NetworkModel::Vmxnet3 => "vmxnet3",
        NetworkModel::Virtio => "virtio",
        NetworkModel::Pcnet32 => "pcnet",
    };
    xml.element("interface", &[("type", kind)], |xml| {
        if let Some(source) = source {
            xml.empty("source", &[source])?;
        }
        xml.empty("model", &[("type", model)])?;
        if kind == "user" {
            xml.empty("backend", &[("type", "passt")])?;
            network.forwards.iter().try_for_each(|forward| port(xml, forward))?;
        }
        Ok(())
    })
}

fn port(xml: &mut Xml, forward: &Forward) -> Result<()> {
    let address = forward.host_address.map(|address| address.to_string());
    let mut attributes = vec![("proto", if forward.udp { "udp" } else { "tcp" })];
    attributes.extend(address.as_deref().map(|address| ("address", address)));
    let (host, guest) = (forward.host.to_string(), forward.guest.to_string());
    xml.element("portForward", &attributes, |xml| xml.empty("range", &[("start", &host), ("to", &guest)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_go_on_behind_z() {
        let named: Vec<String> = [0, 25, 26, 27, 51, 52, 701, 702].into_iter().map(letters).collect();
        assert_eq!(named, ["a", "z", "aa", "ab", "az", "ba", "zz", "aaa"]);
    }
}
