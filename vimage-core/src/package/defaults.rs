//! What follows from an appliance's description, for machines that are not deployed by questions.

use crate::package::appliance::Appliance;

/// The processors of one that nobody chooses a variant of: the first variant's, where it says.
pub(super) fn cpus(appliance: &Appliance) -> u32 {
    let chosen = appliance.configurations.first().and_then(|default| default.cpus);
    chosen.unwrap_or(appliance.cpus)
}

/// Its memory in mebibytes, likewise.
pub(super) fn mebibytes(appliance: &Appliance) -> u64 {
    let chosen = appliance.configurations.first().and_then(|default| default.memory);
    chosen.unwrap_or(appliance.memory) >> 20
}

/// Whether the guest is Windows: its clock has the local time, and it comes without drivers for virtio.
pub(super) fn windows(appliance: &Appliance) -> bool {
    appliance.guest.virtualbox.starts_with("Windows")
}
