//! ext2, ext3 and ext4: what is free in it.
//!
//! Each group's bitmap says what is free in the group, once all that can be held against it agrees: the checksums, the
//! group's own counter, the superblock's counter, and the places of the tables. After Linux
//! Documentation/filesystems/ext4.

mod bitmaps;
mod checksum;
mod features;
mod geometry;
mod groups;
mod inode;
mod layout;
mod state;

use super::FileSystem;
use super::free::Free;
use super::volume::Volume;
use crate::error::{Error, ErrorKind, Result};
use checksum::Checksums;
use features::Features;
use geometry::Geometry;
use groups::Ground;
use layout::{MAGIC, RawSuper, SUPERBLOCK};
use zerocopy::FromBytes;

/// ext2, ext3 and ext4.
pub(super) struct Ext;

impl FileSystem for Ext {
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>> {
        let Some(bytes) = superblock(volume)? else { return Ok(None) };
        let raw = RawSuper::ref_from_bytes(&bytes).ok().filter(|raw| raw.magic.get() == MAGIC);
        Ok(raw.map(|raw| Features::of(raw).name()))
    }

    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()> {
        survey(volume, free).map_err(|error| match error.kind() {
            ErrorKind::Corrupt => error.with_hint("let e2fsck repair it"),
            _ => error,
        })
    }
}

/// The superblock's bytes, where the volume is large enough to have one.
fn superblock(volume: &Volume<'_>) -> Result<Option<Vec<u8>>> {
    let size = size_of::<RawSuper>();
    if volume.size() < SUPERBLOCK + size as u64 { Ok(None) } else { volume.read(SUPERBLOCK, size).map(Some) }
}

fn survey(volume: &Volume<'_>, free: &mut Free) -> Result<()> {
    let none = || Error::corrupt("has no superblock");
    let bytes = superblock(volume)?.ok_or_else(none)?;
    let raw = RawSuper::ref_from_bytes(&bytes).map_err(|_| none())?;
    let features = Features::of(raw);

    let here = |error: Error| error.at_offset(volume.disk_offset(SUPERBLOCK));
    let ground = ground(volume, raw, &bytes, &features).map_err(here)?;
    let guard = state::guard(&ground, raw, &features).map_err(here)?;
    state::journal_is_empty(&ground, raw, &features)?;

    let tables = ground.tables(guard)?;
    let found = ground.read_free(&tables, free)? << ground.geometry.cluster_bits;
    let counted = u64::from(raw.free_blocks_hi.get()) << 32 | u64::from(raw.free_blocks_lo.get());
    if found != counted {
        // Linux brings it up to date when it unmounts, and only then.
        let message = format!("has {found} free blocks and counts {counted}");
        return Err(here(Error::corrupt(message).with_hint(state::FINISH)));
    }
    Ok(())
}

/// What the superblock says, if it is good and the volume at rest.
fn ground<'v, 'a>(volume: &'v Volume<'a>, raw: &RawSuper, bytes: &[u8], features: &Features) -> Result<Ground<'v, 'a>> {
    match raw.revision.get() {
        0 if features.any() => return Err(Error::corrupt("is of revision 0 and has features")),
        0 | 1 => {}
        revision => return Err(Error::unsupported(format!("is of the unknown revision {revision}"))),
    }
    features.judge()?;
    let checksums = Checksums::of(raw, bytes, features)?;
    state::at_rest(raw, features)?;
    let geometry = Geometry::of(raw, features, volume.size())?;
    Ok(Ground { volume, geometry, checksums })
}
