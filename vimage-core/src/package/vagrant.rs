//! What a Vagrant box has beside its disks: `metadata.json`, which names the provider, and a `Vagrantfile` with what a project
//! does not have to say again.

use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use crate::package::appliance::Controller;
use crate::package::appliance::Forward;
use crate::package::defaults;
use crate::package::ovf::Packed;
use crate::package::ovf::mac_address;
use std::fmt::Write as _;

/// What runs a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// VirtualBox: the box has `box.ovf` and its disks.
    ///
    /// That descriptor is to have no forwarded ports. They are in the `Vagrantfile`, from where Vagrant moves them out of the way
    /// of other machines.
    VirtualBox,
    /// libvirt, by vagrant-libvirt: the box has qcow2 images, see [`Provider::images`].
    Libvirt,
    /// VMware's desktop products: the box has a `.vmx` file and its disks.
    VmwareDesktop,
}

impl Provider {
    /// What Vagrant calls it.
    pub fn name(self) -> &'static str {
        match self {
            Provider::VirtualBox => "virtualbox",
            Provider::Libvirt => "libvirt",
            Provider::VmwareDesktop => "vmware_desktop",
        }
    }

    /// The names of `count` disks' images, where the provider has its own for them: vagrant-libvirt has.
    pub fn images(self, count: usize) -> Option<Vec<String>> {
        match (self, count) {
            (Provider::Libvirt, 1) => Some(vec!["box.img".into()]),
            (Provider::Libvirt, _) => Some((0..count).map(|number| format!("box_{number}.img")).collect()),
            _ => None,
        }
    }
}

/// The `metadata.json` of a box for `provider` with disks of `capacities` bytes.
///
/// For libvirt, one disk is told in vagrant-libvirt's first way, which all its versions read: with a size in whole GiB, rounded
/// up. Several are told in its second way, of 0.6: with the images' names, and the sizes left to these.
///
/// # Errors
/// `Usage` for a box for libvirt without disks.
pub fn metadata(provider: Provider, capacities: &[u64]) -> Result<String> {
    let mut members = vec![format!("\"provider\": \"{}\"", provider.name()), "\"architecture\": \"amd64\"".into()];
    match (provider.images(capacities.len()), capacities) {
        (None, _) => {}
        (Some(_), []) => return Err(Error::usage("a box for libvirt has a disk, and there is none")),
        (Some(_), [capacity]) => {
            members.push("\"format\": \"qcow2\"".into());
            members.push(format!("\"virtual_size\": {}", capacity.div_ceil(1 << 30)));
        }
        (Some(images), _) => {
            let disk = |image: &String| format!("    {{\"path\": \"{image}\", \"format\": \"qcow2\"}}");
            let disks: Vec<String> = images.iter().map(disk).collect();
            members.push(format!("\"disks\": [\n{}\n  ]", disks.join(",\n")));
        }
    }
    Ok(format!("{{\n  {}\n}}\n", members.join(",\n  ")))
}

/// The `Vagrantfile` of a box of `appliance` for `provider`, whose disks are `disks`.
///
/// It has the forwarded ports of all networks, for VirtualBox the address of the first card, as [`mac_address`] has it, and for
/// libvirt what a `.vmx` file or a descriptor tells the others. UEFI is a file of the host's to libvirt's provider, so that is
/// left to the project.
pub fn vagrantfile(appliance: &Appliance, provider: Provider, disks: &[Packed]) -> String {
    let mut lines = Vec::new();
    if provider == Provider::VirtualBox {
        lines.push(format!("config.vm.base_mac = {}", quoted(&mac_address(disks, 0))));
    }
    let forwards = || appliance.networks.iter().flat_map(|network| &network.forwards);
    // That of SSH takes the place of Vagrant's own, which has this name.
    let ssh = forwards().position(|forward| forward.guest == 22 && !forward.udp);
    for (number, forward) in forwards().enumerate() {
        let name = match (ssh == Some(number), forward.name.as_str()) {
            (true, _) => "ssh",
            // Of two with one name Vagrant keeps the last.
            (false, "ssh") if ssh.is_some() => "ssh-2",
            (false, name) => name,
        };
        lines.push(port(forward, name));
    }
    if provider == Provider::Libvirt {
        lines.push("config.vm.provider :libvirt do |libvirt|".into());
        lines.push(format!("  libvirt.memory = {}", defaults::mebibytes(appliance)));
        lines.push(format!("  libvirt.cpus = {}", defaults::cpus(appliance)));
        if defaults::windows(appliance)
            || appliance.disks.first().is_some_and(|disk| disk.controller == Controller::Sata)
        {
            lines.push("  libvirt.disk_bus = 'sata'".into());
        }
        lines.push("end".into());
    }
    let mut text = "Vagrant.configure('2') do |config|\n".to_owned();
    for line in lines {
        text.extend(["  ", &line, "\n"]);
    }
    text.push_str("end\n");
    text
}

fn port(forward: &Forward, name: &str) -> String {
    let mut line = format!("config.vm.network 'forwarded_port', guest: {}, host: {}", forward.guest, forward.host);
    // Writing to a String does not fail.
    if let Some(address) = forward.host_address {
        let _ = write!(line, ", host_ip: '{address}'");
    }
    let _ = write!(line, ", protocol: '{}'", if forward.udp { "udp" } else { "tcp" });
    let _ = write!(line, ", id: {}, auto_correct: true", quoted(name));
    line
}

/// A string of Ruby's that nothing is replaced in.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
