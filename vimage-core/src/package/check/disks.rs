//! Disks: which is the system's, and where they hang.

use super::{Checked, Fault, Key};
use crate::package::appliance::{Controller, Disk, Role};
use crate::package::places::MOST;

/// The largest disk that ESXi takes.
const LARGEST: u64 = 62 << 40;

/// The disks of a machine with this generation of virtual hardware.
pub(super) fn check(disks: &[Disk], hardware: u32) -> Checked {
    let all = Key::of("disk");
    if disks.is_empty() {
        let hint = "describe the one that it starts from: [[disk]] and, below it, image = \"disk.qcow2\"";
        return Err(Fault::new(all, "there is no disk").with_hint(hint));
    }
    for (index, disk) in disks.iter().enumerate() {
        let key = all.nth(index);
        role(&key, disk, index)?;
        content(&key, disk)?;
        let needed = disk.controller.hardware();
        if hardware < needed {
            let message = format!("{} came with hardware = {needed}, and the system has {hardware}", disk.controller);
            return Err(Fault::new(key.then("controller"), message));
        }
    }
    places(&all, disks)
}

/// The first disk is the system's, and no other is.
fn role(key: &Key, disk: &Disk, index: usize) -> Checked {
    match (index, disk.role) {
        (0, Role::System) => Ok(()),
        (0, _) => Err(Fault::new(key.then("role"), "the first disk is the one that the machine starts from")
            .with_hint("put the disk with role = \"system\" in front of the others")),
        (_, Role::System) => Err(Fault::new(key.then("role"), "there is one disk of the system, and it is the first")
            .with_hint("the others are \"data\", or \"scratch\" where they have no image")),
        _ => Ok(()),
    }
}

/// A scratch disk has a size and the others an image.
fn content(key: &Key, disk: &Disk) -> Checked {
    match (disk.role, &disk.image, disk.size) {
        (Role::Scratch, Some(_), _) => Err(Fault::new(key.then("image"), "a scratch disk is empty and has no image")
            .with_hint("role = \"data\" is for disks with content")),
        (Role::Scratch, None, None) => Err(Fault::new(key.then("size"), "a scratch disk needs a size")),
        (Role::Scratch, None, Some(size)) => scratch_size(key.then("size"), size),
        (_, None, _) => Err(Fault::new(key.then("image"), "the disk needs an image")
            .with_hint("one that comes empty is of role = \"scratch\", with a size")),
        (_, Some(_), Some(_)) => Err(Fault::new(key.then("size"), "is for scratch disks: an image has its own size")),
        (_, Some(image), None) => {
            if image.path.as_os_str().is_empty() {
                return Err(Fault::new(key.then("image"), "is empty"));
            }
            Ok(())
        }
    }
}

/// OVF tells the sizes of empty disks in mebibytes.
fn scratch_size(key: Key, size: u64) -> Checked {
    match size {
        0 => Err(Fault::new(key, "is 0")),
        size if size > LARGEST => Err(Fault::new(key, "is more than 62 TiB, the largest disk that ESXi takes")),
        size if !size.is_multiple_of(1 << 20) => Err(Fault::new(key, "is not a whole number of mebibytes")),
        _ => Ok(()),
    }
}

/// Every disk has a place on a controller.
fn places(all: &Key, disks: &[Disk]) -> Checked {
    let mut counts = [0_usize; Controller::ALL.len()];
    for (index, disk) in disks.iter().enumerate() {
        if let Some(count) = counts.get_mut(disk.controller as usize) {
            *count += 1;
        }
        let controllers = |kind: Controller| counts.get(kind as usize).map_or(0, |n| n.div_ceil(kind.disks()));
        let scsi: usize = Controller::ALL.into_iter().filter(|kind| kind.is_scsi()).map(controllers).sum();
        let own = disk.controller;
        let fault = if own.is_scsi() && scsi > MOST {
            format!("needs a fifth SCSI controller: a machine has {MOST}, with {} disks each", own.disks())
        } else if !own.is_scsi() && controllers(own) > 1 {
            format!("there are {} places for disks on {own}", own.disks())
        } else {
            continue;
        };
        return Err(Fault::new(all.nth(index).then("controller"), fault));
    }
    Ok(())
}
