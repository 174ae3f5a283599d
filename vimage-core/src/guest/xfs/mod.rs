//! XFS, versions 4 and 5: what is free in it.
//!
//! After "XFS Algorithms & Data Structures" (the file system's own description), Linux fs/xfs/libxfs/xfs_format.h and
//! xfs_log_format.h. The disk is cut into allocation groups. Each has a copy of the superblock, a header that counts its free
//! blocks (AGF), one for its inodes (AGI), a list of blocks set aside for its own trees (AGFL), and two B+trees of its free
//! extents: one by place, one by size. A block is free where both trees say so, all counters agree, nothing else is known to
//! lie there, and the log holds nothing that was not written back.

mod features;
mod group;
mod layout;
mod log;
mod superblock;
mod tree;

use super::FileSystem;
use super::free::Free;
use super::volume::Volume;
use crate::error::{Error, ErrorKind, Result};
use layout::SUPERBLOCK_MAGIC;
use superblock::Geometry;

/// XFS, versions 4 and 5.
pub(super) struct Xfs;

impl FileSystem for Xfs {
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>> {
        if volume.size() < 512 {
            return Ok(None);
        }
        let mut mark = [0; 4];
        volume.read_into(&mut mark, 0)?;
        Ok((u32::from_be_bytes(mark) == SUPERBLOCK_MAGIC).then_some("xfs"))
    }

    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()> {
        self::survey(volume, free).map_err(|error| match error.kind() {
            ErrorKind::Corrupt => error.with_hint("run xfs_repair on it"),
            _ => error,
        })
    }
}

fn survey(volume: &Volume<'_>, free: &mut Free) -> Result<()> {
    let geometry = Geometry::read(volume)?;
    log::prove_clean(volume, &geometry)?;
    let mut counted = 0;
    for group in 0..geometry.groups {
        counted += group::survey(volume, &geometry, group, free)?;
    }
    if counted != geometry.free {
        return Err(Error::corrupt(format!(
            "the superblock counts {} free blocks and the allocation groups {counted}",
            geometry.free
        ))
        .at_offset(volume.disk_offset(0)));
    }
    Ok(())
}
