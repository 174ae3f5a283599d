//! What of an appliance a package has no way to say, told to whoever packs it.

use super::{PackOptions, Package};
use crate::package::appliance::{Appliance, Controller, Firmware, NetworkModel};
use crate::package::ovf::Host;
use crate::package::vagrant::Provider;

/// What is left out of the package, or becomes something else.
pub(in crate::operations) fn notes(appliance: &Appliance, options: &PackOptions) -> Vec<String> {
    let all = match options.package {
        Package::Ova | Package::Ovf => ovf(appliance, options.host),
        Package::Vagrant(Provider::VirtualBox) => ovf(appliance, Host::VirtualBox),
        Package::Vmx | Package::Vagrant(Provider::VmwareDesktop) => vmware(appliance),
        Package::Libvirt | Package::Vagrant(Provider::Libvirt) => libvirt(appliance),
        // Told for what it holds.
        Package::SevenZip(_) => Vec::new(),
    };
    let file = matches!(options.package, Package::Ova | Package::Vagrant(_));
    let readme =
        (file && appliance.readme.is_some(), "the README is left out: only folders and archives have room for one");
    all.into_iter().chain([readme]).filter(|(holds, _)| *holds).map(|(_, note)| note.to_owned()).collect()
}

/// Whether it holds, and what there is to say then.
type Note = (bool, &'static str);

fn ovf(appliance: &Appliance, host: Host) -> Vec<Note> {
    let (any, vmware, virtualbox) = (host == Host::Any, host == Host::Vmware, host == Host::VirtualBox);
    let secure = appliance.firmware == Firmware::Efi { secure_boot: true };
    vec![
        (
            any && appliance.firmware != Firmware::Bios,
            "VirtualBox starts it by BIOS, not UEFI: vimage pack --for virtualbox says it in VirtualBox's own way",
        ),
        (virtualbox && secure, "secure boot has to be switched on by hand: VirtualBox reads no setting of it"),
        (
            !virtualbox && forwards(appliance),
            "ports are not forwarded: only VirtualBox takes that (vimage pack --for virtualbox)",
        ),
        (
            any && !appliance.configurations.is_empty(),
            "VirtualBox does not know variants and takes the last one's processors and memory: vimage pack --for vmware or --for virtualbox",
        ),
        (
            !vmware && has(appliance, &[NetworkModel::Vmxnet3, NetworkModel::E1000e]),
            "the network card is an E1000, which all know: vimage pack --for vmware keeps vmxnet3 and e1000e",
        ),
        (
            !virtualbox && has(appliance, &[NetworkModel::Virtio]),
            "the network card is an E1000: only VirtualBox and libvirt know virtio",
        ),
        (
            virtualbox && appliance.disks.iter().any(|disk| disk.controller == Controller::Pvscsi),
            "the paravirtual SCSI controller is an LSI Logic: VirtualBox has no other",
        ),
    ]
}

fn vmware(appliance: &Appliance) -> Vec<Note> {
    vec![
        (forwards(appliance), "ports are not forwarded: that is a setting of VMware's host"),
        (has(appliance, &[NetworkModel::Virtio]), "the network card is an E1000: VMware knows no virtio"),
        asked(appliance),
    ]
}

fn libvirt(appliance: &Appliance) -> Vec<Note> {
    let own = |controller| matches!(controller, Controller::LsiLogic | Controller::Sata);
    vec![
        (
            appliance.disks.iter().any(|disk| !own(disk.controller)),
            "disks are virtio's: QEMU's controllers are other ones than VMware's",
        ),
        (!appliance.extra.is_empty(), "further settings are VMware's, and left out"),
        asked(appliance),
    ]
}

fn asked(appliance: &Appliance) -> Note {
    let holds = !appliance.properties.is_empty() || !appliance.eulas.is_empty() || !appliance.configurations.is_empty();
    (holds, "properties, licences to agree to and variants are left out: only OVF can say them")
}

fn forwards(appliance: &Appliance) -> bool {
    appliance.networks.iter().any(|network| !network.forwards.is_empty())
}

fn has(appliance: &Appliance, models: &[NetworkModel]) -> bool {
    appliance.networks.iter().any(|network| models.contains(&network.model))
}
