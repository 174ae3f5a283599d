//! The directory and its tables before the grains, as qemu-img and open-vmdk write them: they say what comes where.

use super::{Grain, take_grain, take_marker};
use crate::error::Error;
use crate::error::Result;
use crate::formats::by_position;
use crate::formats::vmdk::grains::{self, GrainedExtent};
use crate::formats::vmdk::hosted::{Hosted, read_entries};
use crate::formats::vmdk::layout::SECTOR;
use crate::io::{Incoming, Memory, ReadAt, Stop};
use crate::zero::is_zero;
use std::path::Path;
use std::sync::Arc;

/// Tables passed between two questions whether to go on.
const STEPS_BETWEEN_QUESTIONS: usize = 4096;

/// Grains that are looked for where the tables have them.
pub(super) struct Front {
    /// What stands before the grains, and no more.
    extent: GrainedExtent,
    table: usize,
    entry: usize,
}

impl Front {
    /// Of an extent that begins with `hosted` and has `front` before its grains.
    ///
    /// # Errors
    /// `Unsupported` where not all tables are in it; `Corrupt`.
    pub(super) fn new(hosted: &Hosted, front: Memory, label: &Path) -> Result<Self> {
        let (tables, len) = (hosted.tables(hosted.capacity), front.size());
        let table = u64::from(hosted.entries) * 4;
        // What the file has behind its front would be looked at by position.
        for directory in [Some(hosted.directory), hosted.redundant].into_iter().flatten() {
            let at = directory.saturating_mul(SECTOR);
            let outside = || by_position("not all of its grain tables stand before its grains").at_offset(at);
            if tables * 4 > len.saturating_sub(at) {
                return Err(outside());
            }
            let entries = read_entries(&front, directory, tables)?;
            if entries.iter().any(|&entry| u64::from(entry) * SECTOR + table > len) {
                return Err(outside());
            }
        }
        let extent = hosted.clone().open(Arc::new(front), label.to_owned(), hosted.capacity)?;
        Ok(Front { extent, table: 0, entry: 0 })
    }

    /// The next grain; none behind the last. What comes then is of no use by position either: padding, as a rule, or an end-of-stream
    /// marker, and is passed.
    pub(super) fn next(&mut self, incoming: &mut Incoming, stop: Stop<'_>) -> Result<Option<Grain>> {
        let Some((offset, at)) = self.locate(stop)? else {
            incoming.drain(stop)?;
            return Ok(None);
        };
        let Some(gap) = at.checked_sub(incoming.taken()) else {
            return Err(by_position("its grains do not lie in the file as on the disk").at_offset(at));
        };
        incoming.skip(gap, "its grains: not all that its tables name have come", stop)?;
        let marker = take_marker(incoming, "a grain", stop)?;
        take_grain(incoming, at, marker, offset, self.extent.grain, stop).map(Some)
    }

    /// Where the next grain is on the disk and in the stream.
    fn locate(&mut self, stop: Stop<'_>) -> Result<Option<(u64, u64)>> {
        let (entries, unit) = (self.extent.tables.entries(), self.extent.grain);
        while self.table < self.extent.tables.count() {
            if self.entry == 0 && self.table.is_multiple_of(STEPS_BETWEEN_QUESTIONS) && stop() {
                return Err(Error::cancelled());
            }
            if let Some(table) = self.extent.table(self.table)?.filter(|table| !is_zero(table)) {
                while self.entry < entries {
                    let offset = (self.table * entries + self.entry) as u64 * unit;
                    self.entry += 1;
                    if offset >= self.extent.size {
                        break;
                    }
                    if let grains::Grain::At(at) = self.extent.entry(&table, self.entry - 1)? {
                        return Ok(Some((offset, at)));
                    }
                }
            }
            self.table += 1;
            self.entry = 0;
        }
        Ok(None)
    }
}
