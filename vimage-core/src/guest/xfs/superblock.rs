//! The superblock: where everything is, and whether all of it is known.

use super::features::{Features, known, version};
use super::layout::{RawSuperblock, SUPERBLOCK_MAGIC, checks_out, checksum_at};
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use std::ops::{Range, RangeInclusive};
use zerocopy::FromBytes;

/// A group is 16 MiB to 1 TiB.
const GROUP_BYTES: RangeInclusive<u64> = 1 << 24..=1 << 40;

/// The most blocks and bytes that a log has.
const MOST_LOG: (u32, u64) = (1 << 20, 1 << 31);

/// What the superblock says.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    pub(super) sector: u32,
    pub(super) block: u32,
    /// Blocks in all.
    pub(super) blocks: u64,
    /// Blocks of each group but the last, which may have fewer.
    pub(super) group_blocks: u32,
    pub(super) groups: u32,
    /// Blocks that the superblock counts as free.
    pub(super) free: u64,
    pub(super) features: Features,
    /// The group that holds the log, and its blocks there.
    pub(super) log: (u32, Range<u32>),
    /// The group and the block that hold the root directory's inode.
    pub(super) root_inode: (u32, u32),
    pub(super) uuid: [u8; 16],
    /// What metadata is marked with.
    pub(super) metadata_uuid: [u8; 16],
}

impl Geometry {
    /// Reads the superblock.
    ///
    /// # Errors
    /// `Corrupt` where it contradicts itself or the volume, `Unsupported` for what is not known or not finished.
    pub(super) fn read(volume: &Volume<'_>) -> Result<Self> {
        let here = |error: Error| error.at_offset(volume.disk_offset(0));
        let bytes = volume.read(0, 512)?;
        let (raw, _) =
            RawSuperblock::read_from_prefix(&bytes).map_err(|_| Error::corrupt("the superblock is cut short"))?;
        let number = version(&raw);
        if !matches!(number, 4 | 5) {
            return Err(here(Error::unsupported(format!("is XFS of version {number}, which is not looked into"))));
        }
        let sector = u32::from(raw.sector_size.get());
        if !is_power(sector, raw.sector_log, 9, 15) {
            return Err(here(Error::corrupt(format!("has sectors of {sector} bytes"))));
        }
        if number == 5 && !checks_out(&volume.read(0, sector as usize)?, checksum_at::SUPERBLOCK) {
            return Err(here(Error::corrupt("the superblock has a wrong checksum")));
        }
        known(&raw).and_then(|features| Self::of(&raw, features, volume.size())).map_err(here)
    }

    fn of(raw: &RawSuperblock, features: Features, volume_size: u64) -> Result<Self> {
        let (block, blocks) = (raw.block_size.get(), raw.blocks.get());
        let (group_blocks, groups) = (raw.group_blocks.get(), raw.groups.get());
        if !is_power(block, raw.block_log, 9, 16) {
            return Err(Error::corrupt(format!("has blocks of {block} bytes")));
        }
        let size = blocks.checked_mul(block.into()).filter(|&size| size > 0 && size <= volume_size);
        if size.is_none() {
            return Err(Error::corrupt(format!("has {blocks} blocks of {block} bytes in a volume of {volume_size}")));
        }
        let group_bytes = u64::from(group_blocks) * u64::from(block);
        // The logarithm is rounded up, as places are put together of a group's number and a block's in it.
        let rounded_up = group_blocks.checked_sub(1).map(|last| 32 - last.leading_zeros());
        if !GROUP_BYTES.contains(&group_bytes)
            || rounded_up != Some(raw.group_blocks_log.into())
            || blocks.div_ceil(group_blocks.into()) != u64::from(groups)
        {
            let what = format!("has {groups} allocation groups of {group_blocks} blocks for {blocks} blocks");
            return Err(Error::corrupt(what));
        }
        let inode = u32::from(raw.inode_size.get());
        if !is_power(inode, raw.inode_log, 8, 11)
            || raw.block_log.checked_sub(raw.inode_log) != Some(raw.inodes_per_block_log)
        {
            return Err(Error::corrupt(format!("has inodes of {inode} bytes in blocks of {block}")));
        }
        let mut geometry = Geometry {
            sector: raw.sector_size.get().into(),
            block,
            blocks,
            group_blocks,
            groups,
            free: raw.free_blocks.get(),
            features,
            log: (0, 0..0),
            root_inode: (0, 0),
            uuid: raw.uuid,
            metadata_uuid: if features.metadata_uuid { raw.metadata_uuid } else { raw.uuid },
        };
        let (place, length) = (raw.log_start.get(), raw.log_blocks.get());
        geometry.log = geometry
            .stretch(place, raw.group_blocks_log, length)
            .filter(|_| length <= MOST_LOG.0 && u64::from(length) * u64::from(block) <= MOST_LOG.1)
            .ok_or_else(|| Error::corrupt(format!("has a log of {length} blocks at block {place:#x}")))?;
        let inode = raw.root_inode.get();
        let (group, stretch) = geometry
            .stretch(inode >> raw.inodes_per_block_log, raw.group_blocks_log, 1)
            .ok_or_else(|| Error::corrupt(format!("has the root directory's inode at {inode:#x}")))?;
        geometry.root_inode = (group, stretch.start);
        Ok(geometry)
    }

    /// The group in which `length` blocks from `place` on lie, and which they are there.
    fn stretch(&self, place: u64, group_log: u8, length: u32) -> Option<(u32, Range<u32>)> {
        let group = u32::try_from(place.checked_shr(group_log.into())?).ok()?;
        let start = u32::try_from(place & (1_u64.checked_shl(group_log.into())? - 1)).ok()?;
        let end = start.checked_add(length)?;
        let fits = group < self.groups && length > 0 && start >= self.header_blocks() && end <= self.length(group);
        fits.then_some((group, start..end))
    }

    /// Blocks of a group.
    pub(super) fn length(&self, group: u32) -> u32 {
        let before = u64::from(group) * u64::from(self.group_blocks);
        // At most `group_blocks`.
        self.blocks.saturating_sub(before).min(self.group_blocks.into()) as u32
    }

    /// Blocks at the start of each group that its four sectors of headers take.
    pub(super) fn header_blocks(&self) -> u32 {
        (4 * self.sector).div_ceil(self.block)
    }

    /// The volume's byte at which a block of a group starts. Both must be there, so it is under the volume's size.
    pub(super) fn offset(&self, group: u32, block: u32) -> u64 {
        (u64::from(group) * u64::from(self.group_blocks) + u64::from(block)) * u64::from(self.block)
    }

    /// Checks the copy of the superblock that a group starts with. Only what never changes is the same in it.
    ///
    /// # Errors
    /// `Corrupt` where it is another.
    pub(super) fn check_copy(&self, volume: &Volume<'_>, group: u32) -> Result<()> {
        let at = self.offset(group, 0);
        let wrong = |what: &str| {
            Error::corrupt(format!("the superblock of allocation group {group} {what}"))
                .at_offset(volume.disk_offset(at))
        };
        let bytes = volume.read(at, self.sector as usize)?;
        let (raw, _) = RawSuperblock::read_from_prefix(&bytes).map_err(|_| wrong("is cut short"))?;
        if raw.magic.get() != SUPERBLOCK_MAGIC {
            return Err(wrong("is not there"));
        }
        if self.features.sealed && !checks_out(&bytes, checksum_at::SUPERBLOCK) {
            return Err(wrong("has a wrong checksum"));
        }
        if raw.block_size.get() != self.block
            || u32::from(raw.sector_size.get()) != self.sector
            || raw.group_blocks.get() != self.group_blocks
        {
            return Err(wrong("is of another file system"));
        }
        Ok(())
    }
}

/// Whether `size` is two to the power `log`, and that within bounds.
fn is_power(size: u32, log: u8, least: u8, most: u8) -> bool {
    (least..=most).contains(&log) && size == 1 << log
}
