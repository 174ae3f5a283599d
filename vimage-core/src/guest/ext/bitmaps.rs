//! What the block bitmaps say, held against the counters and against where the tables are.

use super::groups::{Ground, Group};
use crate::error::{Error, Result};
use crate::guest::free::{Free, bit_runs};
use crate::ranges::Ranges;
use std::ops::Range;

/// Bitmaps that follow each other are read at once, as many as fit into this.
const READ_AT_ONCE: u64 = 1 << 20;

impl Ground<'_, '_> {
    /// Puts what is free into `free`, and gives its clusters' number.
    ///
    /// # Errors
    /// `Corrupt` when a bitmap's checksum does not hold, it contradicts its group's counter, or it calls one of `tables`
    /// free; those of reading.
    pub(super) fn read_free(&self, tables: &Ranges, free: &mut Free) -> Result<u64> {
        let block = self.geometry.block;
        let mut total = 0;
        self.each_block(|groups| {
            let mut rest = groups;
            while let Some(first) = rest.first() {
                let (now, later) = rest.split_at(following(rest, READ_AT_ONCE / block));
                rest = later;
                if first.uninit {
                    self.volume.go_on()?;
                    self.take(first, tables, free, |run| self.never_written(first, tables, run))?;
                } else {
                    let bitmaps = self.volume.read(first.bitmap * block, now.len() * block as usize)?;
                    for (group, bitmap) in now.iter().zip(bitmaps.chunks_exact(block as usize)) {
                        self.verify(group, bitmap)?;
                        let clusters = self.geometry.clusters(group.number);
                        self.take(group, tables, free, |run| bit_runs(bitmap, clusters, false, run))?;
                    }
                }
                total += now.iter().map(|group| group.free).sum::<u64>();
            }
            Ok(())
        })?;
        Ok(total)
    }

    /// Takes the free clusters of a group from `source`, which calls a function with each run of them.
    fn take(
        &self,
        group: &Group,
        tables: &Ranges,
        free: &mut Free,
        source: impl FnOnce(&mut dyn FnMut(Range<u64>) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let geometry = &self.geometry;
        let number = group.number;
        let bounds = geometry.group(number);
        let mut found = 0;
        source(&mut |run| {
            found += run.end - run.start;
            let place = |cluster: u64| (bounds.start + (cluster << geometry.cluster_bits)).min(bounds.end);
            let blocks = place(run.start)..place(run.end);
            if let Some(table) = tables.within(blocks.clone()).next() {
                let message =
                    format!("the bitmap of group {number} calls block {} free, which is of a table", table.start);
                return Err(Error::corrupt(message).at_offset(self.volume.disk_offset(group.bitmap * geometry.block)));
            }
            free.push(blocks.start * geometry.block..blocks.end * geometry.block)
        })?;
        if found != group.free {
            let message = format!("group {number} has {found} free clusters and counts {}", group.free);
            return Err(Error::corrupt(message).at_offset(group.place));
        }
        Ok(())
    }

    /// The free clusters of a group whose bitmap was never written: all that no table touches.
    fn never_written(
        &self,
        group: &Group,
        tables: &Ranges,
        run: &mut dyn FnMut(Range<u64>) -> Result<()>,
    ) -> Result<()> {
        let bounds = self.geometry.group(group.number);
        let start = bounds.start;
        let mut next = 0;
        for table in tables.within(bounds) {
            let first = (table.start - start) >> self.geometry.cluster_bits;
            if next < first {
                run(next..first)?;
            }
            next = next.max((table.end - start).div_ceil(1 << self.geometry.cluster_bits));
        }
        let end = self.geometry.clusters(group.number);
        if next < end { run(next..end) } else { Ok(()) }
    }

    /// Checks a bitmap's checksum, which is over the group's clusters and not over the rest of the block.
    fn verify(&self, group: &Group, bitmap: &[u8]) -> Result<()> {
        let summed = (self.geometry.per_group >> self.geometry.cluster_bits) / 8;
        let Some(sum) = bitmap.get(..summed as usize).and_then(|bytes| self.checksums.block(bytes)) else {
            return Ok(());
        };
        // Short descriptors hold the lower half only.
        let held = if self.geometry.descriptor > 32 { u32::MAX } else { 0xFFFF };
        if sum & held != group.bitmap_checksum {
            let at = self.volume.disk_offset(group.bitmap * self.geometry.block);
            let message = format!("the checksum of the bitmap of group {} does not hold", group.number);
            return Err(Error::corrupt(message).at_offset(at));
        }
        Ok(())
    }
}

/// How many of `groups`, which are not none, can be read at once: the first, and those whose bitmaps follow its own.
fn following(groups: &[Group], most: u64) -> usize {
    let Some(first) = groups.first().filter(|first| !first.uninit) else { return 1 };
    let follows = |(group, index): &(&Group, u64)| !group.uninit && group.bitmap == first.bitmap + index;
    groups.iter().zip(0..most.max(1)).take_while(follows).count().max(1)
}
