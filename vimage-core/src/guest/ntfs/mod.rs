//! NTFS, versions 1.2, 3.0 and 3.1: what is free in it.
//!
//! After the structures in NTFS-3G's include/ntfs-3g/layout.h and logfile.h, and the "NTFS Documentation" of the Linux-NTFS
//! project; for shadow copies, the "Volume Shadow Snapshot (VSS) format" of libvshadow.
//!
//! A cluster is free where its bit in `$Bitmap` is clear, on a volume that was unmounted in order, of which no Windows keeps
//! anything in memory or in shadow copies. What the system's own files take cannot be free.

mod bitmap;
mod boot;
mod hibernation;
mod layout;
mod log;
mod mft;
mod record;
mod runs;
mod shadow;
mod state;

use super::FileSystem;
use super::free::Free;
use super::volume::Volume;
use crate::error::{Error, Result};
use boot::Geometry;
use mft::Mft;

/// NTFS.
pub(super) struct Ntfs;

impl FileSystem for Ntfs {
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>> {
        Ok(boot::sector(volume)?.map(|_| "NTFS"))
    }

    fn asleep(&self, volume: &Volume<'_>) -> Result<Option<Error>> {
        let Some(sector) = boot::sector(volume)? else { return Ok(None) };
        let geometry = Geometry::of(&sector, volume)?;
        let mft = Mft::open(volume, &geometry)?;
        // Windows 8 and later leave both marks, earlier ones the file alone.
        Ok(match log::asleep(&mft)? {
            None => hibernation::asleep(&mft)?,
            found => found,
        })
    }

    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()> {
        let sector = boot::sector(volume)?.ok_or_else(|| Error::corrupt("has no boot sector of NTFS"))?;
        let geometry = Geometry::of(&sector, volume)?;
        let mft = Mft::open(volume, &geometry)?;
        state::check(&mft)?;
        mft.compare_mirror()?;
        log::check(&mft)?;
        shadow::check(volume, &geometry)?;
        bitmap::read(&mft, free)
    }
}

/// What ends a use of the volume that was not ended.
const SHUT_DOWN: &str =
    "start its Windows and shut it down in full (shutdown /s /t 0, without fast startup), or unmount it";

/// What finds and repairs faults.
const CHECK: &str = "have it checked by its Windows (chkdsk /f)";
