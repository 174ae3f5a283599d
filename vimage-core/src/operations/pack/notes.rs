//! What of an appliance a package has no way to say, told to whoever packs it.

use super::{PackOptions, Package};
use crate::package::appliance::{Appliance, Controller, NetworkModel};
use crate::package::ovf::Host;
use crate::package::vagrant::Provider;

/// What is left out of the package, or becomes something else.
pub(super) fn notes(appliance: &Appliance, options: &PackOptions) -> Vec<String> {
    let ovf = matches!(options.package, Package::Ova | Package::Ovf);
    let host = if options.package == Package::Vagrant(Provider::VirtualBox) { Host::VirtualBox } else { options.host };
    let ports = appliance.networks.iter().any(|network| !network.forwards.is_empty());
    let model = |models: &[NetworkModel]| appliance.networks.iter().any(|network| models.contains(&network.model));
    let told_by_ovf_alone =
        !appliance.properties.is_empty() || !appliance.eulas.is_empty() || !appliance.configurations.is_empty();
    let mut notes = Vec::new();
    let mut note = |when: bool, what: &str| notes.extend(when.then(|| what.to_owned()));
    note(
        ovf && ports && host != Host::VirtualBox,
        "ports are not forwarded: only VirtualBox takes that (--for virtualbox)",
    );
    note(
        ovf && host == Host::Any && !appliance.configurations.is_empty(),
        "VirtualBox does not know variants and takes the last one's processors and memory: --for vmware or --for virtualbox",
    );
    note(
        ovf && host != Host::Vmware && model(&[NetworkModel::Vmxnet3, NetworkModel::E1000e]),
        "the network card is an E1000, which all know: --for vmware keeps vmxnet3 and e1000e",
    );
    note(
        ovf && host != Host::VirtualBox && model(&[NetworkModel::Virtio]),
        "the network card is an E1000: only VirtualBox and libvirt know virtio",
    );
    note(
        ovf && host == Host::VirtualBox && appliance.disks.iter().any(|disk| disk.controller == Controller::Pvscsi),
        "the paravirtual SCSI controller is an LSI Logic: VirtualBox has no other",
    );
    note(
        !ovf && told_by_ovf_alone,
        "properties, licences to agree to and variants are left out: only OVF can say them",
    );
    notes
}
