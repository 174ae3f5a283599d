//! FAT12, FAT16 and FAT32: what is free in them.
//!
//! After Microsoft's "FAT: General Overview of On-Disk Format", version 1.03, and for the byte of the boot sector that says
//! whether the volume was left in order, Linux's include/uapi/linux/msdos_fs.h.
//!
//! A cluster is free where its entry in all copies of the table is zero and no other entry leads to it. The number of free
//! clusters in FAT32's FSInfo sector is a hint by that specification, which systems need not keep: it is not looked at.

mod layout;
mod root;
mod table;

use super::FileSystem;
use super::free::{Free, bit_runs};
use super::volume::Volume;
use crate::error::{Error, Result};
use layout::{BootSector, Geometry};

/// FAT12, FAT16 and FAT32.
pub(super) struct Fat;

impl FileSystem for Fat {
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>> {
        Ok(BootSector::of(volume)?.map(|boot| boot.kind()))
    }

    fn asleep(&self, volume: &Volume<'_>) -> Result<Option<Error>> {
        match BootSector::of(volume)? {
            Some(boot) => root::asleep(volume, &Geometry::of(&boot, volume)?),
            None => Ok(None),
        }
    }

    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()> {
        let boot = BootSector::of(volume)?.ok_or_else(|| Error::corrupt("has no boot sector of FAT"))?;
        let geometry = Geometry::of(&boot, volume)?;
        if boot.state() & layout::UNCLEAN != 0 {
            return Err(unclean(volume.disk_offset(0)));
        }
        let unused = table::read(volume, &geometry)?;
        root::check(volume, &geometry, &unused)?;
        bit_runs(&unused.bits, geometry.entries(), true, |run| {
            let start = geometry.cluster_at(run.start);
            free.push(start..start + (run.end - run.start) * geometry.cluster)
        })
    }
}

/// It was not unmounted, or has faults that are known to its system.
fn unclean(at: u64) -> Error {
    Error::unsupported("is marked as in use or faulty: it was not unmounted").at_offset(at).with_hint(
        "have it checked by its own system (chkdsk /f, fsck.fat -a), and unmount it or shut the system down in order",
    )
}
