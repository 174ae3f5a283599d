//! The machine itself: processors, memory, firmware, virtual hardware.

use super::{Checked, Fault, Key};
use crate::package::appliance::{Appliance, Firmware};
use std::ops::RangeInclusive;

/// Processors: ESXi 7.0 and later take up to 768.
pub(crate) const CPUS: RangeInclusive<u32> = 1..=768;

/// Cores of a socket: all may be in one.
pub(crate) const CORES: RangeInclusive<u32> = CPUS;

/// Generations of VMware's virtual hardware: 7 is ESX 4's, the first that knows OVF 1; 21 is that of ESXi 8.0 U2, the newest that is known.
pub(crate) const HARDWARE: RangeInclusive<u32> = 7..=21;

/// The first generation of hardware with secure boot.
const SECURE_BOOT_HARDWARE: u32 = 13;

/// What VMware's memory is a multiple of.
const MEMORY_STEP: u64 = 4 << 20;

/// The most memory of a machine: ESXi's limit.
const MOST_MEMORY: u64 = 24 << 40;

/// The machine's own numbers.
pub(super) fn check(appliance: &Appliance) -> Checked {
    let system = Key::of("system");
    cpus(system.then("cpus"), appliance.cpus)?;
    if let Some(cores) = appliance.cores_per_socket {
        within(system.then("cores-per-socket"), i64::from(cores), &CORES)?;
        whole_sockets(system.then("cores-per-socket"), appliance.cpus, cores)?;
    }
    memory(system.then("memory"), appliance.memory)?;
    if let Some(minimum) = appliance.minimum_memory {
        memory(system.then("minimum-memory"), minimum)?;
        if minimum > appliance.memory {
            return Err(Fault::new(system.then("minimum-memory"), "is more than memory"));
        }
    }
    within(system.then("hardware"), i64::from(appliance.hardware), &HARDWARE)?;
    let secure_boot = appliance.firmware == Firmware::Efi { secure_boot: true };
    if secure_boot && appliance.hardware < SECURE_BOOT_HARDWARE {
        let message = format!("needs hardware = {SECURE_BOOT_HARDWARE} or later, not {}", appliance.hardware);
        return Err(Fault::new(system.then("secure-boot"), message));
    }
    Ok(())
}

/// Processors of a machine.
pub(super) fn cpus(key: Key, cpus: u32) -> Checked {
    within(key, i64::from(cpus), &CPUS).map(drop)
}

/// Processors fill their sockets.
pub(super) fn whole_sockets(key: Key, cpus: u32, cores: u32) -> Checked {
    if cores == 0 || !cpus.is_multiple_of(cores) {
        return Err(Fault::new(key, format!("{cpus} processors do not make whole sockets of {cores} cores")));
    }
    Ok(())
}

/// Memory of a machine.
pub(super) fn memory(key: Key, bytes: u64) -> Checked {
    if !(MEMORY_STEP..=MOST_MEMORY).contains(&bytes) {
        return Err(Fault::new(key, "a machine has from 4 MiB to 24 TiB of memory"));
    }
    if !bytes.is_multiple_of(MEMORY_STEP) {
        let down = bytes / MEMORY_STEP * 4;
        return Err(Fault::new(key, "is not a multiple of 4 MiB, and VMware starts no machine with such memory")
            .with_hint(format!("{down}M and {}M are", down + 4)));
    }
    Ok(())
}

/// `number` where it is in `range`.
pub(crate) fn within(key: Key, number: i64, range: &RangeInclusive<u32>) -> Checked<u32> {
    let found = u32::try_from(number).ok().filter(|number| range.contains(number));
    found.ok_or_else(|| Fault::new(key, format!("has to be from {} to {}, not {number}", range.start(), range.end())))
}
