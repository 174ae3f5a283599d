//! btrfs on one device: what is free in it.
//!
//! After the btrfs documentation ("On-disk Format") and the Linux headers `uapi/linux/btrfs_tree.h` and `btrfs.h`. Free is
//! what is in no chunk, and what is in a chunk and in no extent of the extent tree. The chunk tree, the device tree, the block
//! groups and the superblock tell parts of the same, and all of them must agree; so must the blocks of these trees themselves
//! with what the extent tree has of them. Each commit is whole: there is no other state than that of the superblock, and a
//! tree log beside it, which must be none. The older roots that the superblock remembers for rescues are not kept.

mod checksum;
mod chunks;
mod device;
mod extents;
mod layout;
mod roots;
mod superblock;
mod tree;

use super::FileSystem;
use super::free::Free;
use super::volume::Volume;
use crate::error::Result;
use chunks::Chunks;
use extents::Space;
use layout::{MAGIC, MAGIC_AT, SUPERBLOCK, SUPERBLOCK_AT, object};
use roots::Roots;
use superblock::Superblock;
use tree::Trees;

/// btrfs on one device.
pub(super) struct Btrfs;

impl FileSystem for Btrfs {
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>> {
        if volume.size() < SUPERBLOCK_AT + SUPERBLOCK as u64 {
            return Ok(None);
        }
        let mut magic = [0; MAGIC.len()];
        volume.read_into(&mut magic, SUPERBLOCK_AT + MAGIC_AT)?;
        Ok((magic == MAGIC).then_some("btrfs"))
    }

    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()> {
        let superblock = Superblock::read(volume)?;
        let mut trees = Trees::of(volume, &superblock);
        let system = Chunks::of_system(&superblock)?;
        let chunks = Chunks::read(&mut trees, &system)?;
        let roots = Roots::read(&mut trees, &chunks)?;
        device::survey(&mut trees, roots.device, &chunks, free)?;
        let mut space = Space::of(&superblock, &chunks, free);
        if let Some(groups) = roots.groups {
            let mut group = |key, bytes: &[u8]| space.group_item(key, bytes);
            trees.walk(&chunks, object::GROUP_TREE, groups, &mut group)?;
        }
        let mut extent = |key, bytes: &[u8]| space.extent_item(key, bytes);
        trees.walk(&chunks, object::EXTENT_TREE, roots.extents, &mut extent)?;
        space.finish(&trees.met)
    }
}
