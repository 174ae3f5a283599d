//! Where a file starts: for the journal, which is a file.
//!
//! Linux Documentation/filesystems/ext4, "Index Nodes" and "The Contents of inode.i_block".

use super::groups::Ground;
use crate::error::{Error, Result};
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The part of an inode that says where its blocks are.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawInode {
    /* 0x00 */ _owner: [u8; 32],
    /* 0x20 */ flags: U32,
    /* 0x24 */ _version: U32,
    /* 0x28 */ blocks: [u8; 60],
}

/// Flag of an inode: its blocks are told by extents.
const EXTENTS: u32 = 0x8_0000;

/// A node of the tree of extents, as far as its first entry.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawNode {
    /* 0x00 */ magic: U16,
    /* 0x02 */ entries: U16,
    /* 0x04 */ _most: U16,
    /* 0x06 */ depth: U16,
    /* 0x08 */ _generation: U32,
    /* 0x0c */ logical: U32,
    /// The lower half of the child's block; in a leaf, the extent's length and the upper half of its block.
    /* 0x10 */
    first: U32,
    /// The upper half of the child's block; in a leaf, the lower half of the extent's.
    /* 0x14 */
    second: U32,
}

const NODE_MAGIC: u16 = 0xF30A;

/// The deepest tree that Linux makes.
const MOST_DEPTH: u16 = 5;

impl Ground<'_, '_> {
    /// The volume's byte at which the file of `inode` starts.
    ///
    /// # Errors
    /// `Corrupt` when that cannot be told; those of reading.
    pub(super) fn first_byte_of(&self, inode: u32) -> Result<u64> {
        let geometry = &self.geometry;
        let strange = || Error::corrupt(format!("inode {inode} does not say where its file is"));
        let index = u64::from(inode).checked_sub(1).ok_or_else(strange)?;
        let group = self.group(index / geometry.inodes_per_group)?;
        let at = group.table * geometry.block + index % geometry.inodes_per_group * geometry.inode_size;
        let bytes = self.volume.read(at, size_of::<RawInode>())?;
        let raw = RawInode::ref_from_bytes(&bytes).map_err(|_| strange())?;
        let block = match raw.flags.get() & EXTENTS {
            0 => U32::ref_from_prefix(&raw.blocks).map(|(first, _)| u64::from(first.get())).ok(),
            _ => self.first_extent(&raw.blocks)?,
        };
        block
            .filter(|&block| block >= geometry.first_block.max(1) && block < geometry.blocks)
            .map(|block| block * geometry.block)
            .ok_or_else(|| strange().at_offset(self.volume.disk_offset(at)))
    }

    /// The block at which a file starts, by the root of its extents.
    fn first_extent(&self, root: &[u8]) -> Result<Option<u64>> {
        let mut node = root.to_vec();
        let mut depth_above = MOST_DEPTH + 1;
        loop {
            let Ok((raw, _)) = RawNode::ref_from_prefix(&node) else { return Ok(None) };
            let depth = raw.depth.get();
            if raw.magic.get() != NODE_MAGIC || raw.entries.get() == 0 || raw.logical.get() != 0 || depth >= depth_above
            {
                return Ok(None);
            }
            if depth == 0 {
                return Ok(Some(u64::from(raw.first.get() >> 16) << 32 | u64::from(raw.second.get())));
            }
            let child = u64::from(raw.second.get() & 0xFFFF) << 32 | u64::from(raw.first.get());
            if child >= self.geometry.blocks {
                return Ok(None);
            }
            node = self.volume.read(child * self.geometry.block, size_of::<RawNode>())?;
            depth_above = depth;
        }
    }
}
