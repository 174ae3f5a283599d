//! The groups' descriptors, and where they say that tables are.

use super::checksum::Checksums;
use super::geometry::Geometry;
use super::layout::{BLOCK_UNINIT, RawDescriptor, RawDescriptorHigh};
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use crate::ranges::{Collector, Ranges};
use std::ops::Range;
use zerocopy::FromBytes;

/// A volume whose superblock was found good.
pub(super) struct Ground<'v, 'a> {
    pub(super) volume: &'v Volume<'a>,
    pub(super) geometry: Geometry,
    pub(super) checksums: Checksums,
}

/// What a descriptor says of its group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) number: u64,
    /// The disk's byte at which the descriptor is.
    pub(super) place: u64,
    /// The block of the bitmap.
    pub(super) bitmap: u64,
    /// What the bitmap's checksum is, as far as the descriptor holds it.
    pub(super) bitmap_checksum: u32,
    /// Whether the bitmap was never written.
    pub(super) uninit: bool,
    /// Clusters that are free.
    pub(super) free: u64,
    /// The first block of the inode table.
    pub(super) table: u64,
    /// The blocks of bitmap, inode bitmap and inode table.
    blocks: [Range<u64>; 3],
}

impl Ground<'_, '_> {
    /// Calls `each` with the groups of a block of descriptors after the other.
    ///
    /// # Errors
    /// `Corrupt` when a descriptor's checksum does not hold or it points out of bounds; those of reading and of `each`.
    pub(super) fn each_block(&self, mut each: impl FnMut(&[Group]) -> Result<()>) -> Result<()> {
        (0..self.geometry.descriptor_blocks()).try_for_each(|index| each(&self.descriptors(index)?))
    }

    /// The groups of which the descriptors are in their block `index`.
    fn descriptors(&self, index: u64) -> Result<Vec<Group>> {
        let geometry = &self.geometry;
        let first = index * geometry.per_descriptor_block();
        let at = geometry.descriptor_block(index) * geometry.block;
        let bytes = self.volume.read(at, geometry.block as usize)?;
        let raw = bytes.chunks_exact(geometry.descriptor).zip(first..geometry.groups);
        raw.map(|(raw, number)| {
            let place = self.volume.disk_offset(at + (number - first) * geometry.descriptor as u64);
            let group = self.descriptor(number, place, raw);
            group.map_err(|error| error.at_offset(place))
        })
        .collect()
    }

    fn descriptor(&self, number: u64, place: u64, bytes: &[u8]) -> Result<Group> {
        let cut = || Error::corrupt(format!("the descriptor of group {number} is cut short"));
        let (low, rest) = RawDescriptor::ref_from_prefix(bytes).map_err(|_| cut())?;
        if self.checksums.descriptor(number, bytes).is_some_and(|sum| sum != low.checksum.get()) {
            return Err(Error::corrupt(format!("the checksum of the descriptor of group {number} does not hold")));
        }
        let high = RawDescriptorHigh::ref_from_prefix(rest).ok().map(|(high, _)| high);
        let block = |low: u32, high: Option<u32>| u64::from(high.unwrap_or(0)) << 32 | u64::from(low);
        let bitmap = block(low.block_bitmap.get(), high.map(|high| high.block_bitmap.get()));
        let inodes = block(low.inode_bitmap.get(), high.map(|high| high.inode_bitmap.get()));
        let table = block(low.inode_table.get(), high.map(|high| high.inode_table.get()));
        let uninit = low.flags.get() & BLOCK_UNINIT != 0;
        if uninit && !self.checksums.any() {
            return Err(Error::corrupt(format!("group {number} has no bitmap yet, without the feature for it")));
        }
        Ok(Group {
            number,
            place,
            bitmap,
            bitmap_checksum: high.map_or(0, |high| u32::from(high.bitmap_checksum.get())) << 16
                | u32::from(low.bitmap_checksum.get()),
            uninit,
            free: u64::from(high.map_or(0, |high| high.free_clusters.get())) << 16 | u64::from(low.free_clusters.get()),
            table,
            blocks: [
                self.inside("bitmap", number, bitmap, 1)?,
                self.inside("inode bitmap", number, inodes, 1)?,
                self.inside("inode table", number, table, self.geometry.table_blocks)?,
            ],
        })
    }

    /// `count` blocks from `start` on, which must be where a table of group `number` may be.
    fn inside(&self, what: &str, number: u64, start: u64, count: u64) -> Result<Range<u64>> {
        let geometry = &self.geometry;
        let bounds = match geometry.flexible {
            true => geometry.first_block..geometry.blocks,
            false => geometry.group(number),
        };
        match start.checked_add(count) {
            // Block 0 holds the boot block or a superblock, and stands in descriptors that were never written.
            Some(end) if start >= bounds.start.max(1) && end <= bounds.end => Ok(start..end),
            _ => Err(Error::corrupt(format!("the {what} of group {number} is at block {start}, out of bounds"))),
        }
    }

    /// The descriptor of one group.
    ///
    /// # Errors
    /// As [`each_block`](Self::each_block).
    pub(super) fn group(&self, number: u64) -> Result<Group> {
        let missing = || Error::corrupt(format!("there is no group {number}"));
        let per = self.geometry.per_descriptor_block();
        if number >= self.geometry.groups {
            return Err(missing());
        }
        self.descriptors(number / per)?.into_iter().nth((number % per) as usize).ok_or_else(missing)
    }

    /// The blocks that hold no files: superblocks, descriptors, bitmaps, inode tables, and the one of `mmp`.
    ///
    /// # Errors
    /// `Corrupt` when two of them are in one place; those of reading.
    pub(super) fn tables(&self, mmp: Option<u64>) -> Result<Ranges> {
        let mut tables = Collector::default();
        let mut blocks = 0;
        let mut add = |range: Range<u64>| {
            blocks += range.end - range.start;
            tables.push(range);
        };
        mmp.into_iter().for_each(|block| add(block..block + 1));
        self.each_block(|groups| {
            for group in groups {
                let head = self.geometry.head(group.number);
                if head.end > self.geometry.group(group.number).end {
                    let message = format!("group {} has no room for the descriptors' copies", group.number);
                    return Err(Error::corrupt(message).at_offset(group.place));
                }
                add(head);
                group.blocks.iter().cloned().for_each(&mut add);
            }
            Ok(())
        })?;
        let tables = tables.finish();
        // What a set does not hold twice, or had to leave out, is missing from its bytes.
        match tables.bytes() == blocks {
            true => Ok(tables),
            false => Err(Error::corrupt("the tables of its groups overlap")),
        }
    }
}
