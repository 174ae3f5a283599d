//! Grains that came, as the image of a stretch of the disk.

use super::Grain;
use crate::codec::Codec;
use crate::error::Result;
use crate::extent::{Content, Extent, clip};
use crate::formats::vmdk::grains::unpack;
use crate::image::{Image, Packing};
use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

thread_local! {
    /// A grain inflated whole where only a part is wanted.
    static WHOLE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Some grains of a disk, in order; what is between them reads as zero.
pub(super) struct Grains {
    /// Bytes of the disk.
    size: u64,
    unit: u64,
    /// Grains of a table.
    entries: u64,
    label: PathBuf,
    grains: Vec<Grain>,
}

impl Grains {
    pub(super) fn new(size: u64, unit: u64, entries: u64, label: &Path) -> Self {
        Grains { size, unit, entries, label: label.to_owned(), grains: Vec::new() }
    }

    pub(super) fn push(&mut self, grain: Grain) {
        self.grains.push(grain);
    }

    /// The ranges of `bounds` that hold data, as offsets from its start: what extents by position come to, which end with a table.
    pub(super) fn data(&self, bounds: Range<u64>) -> Vec<Range<usize>> {
        let mut data: Vec<Range<usize>> = Vec::new();
        for grain in &self.grains {
            let held = clip(&(grain.offset..grain.offset + self.unit), &bounds);
            let held = (held.start - bounds.start) as usize..(held.end - bounds.start) as usize;
            let begins = (grain.offset / self.unit).is_multiple_of(self.entries);
            match data.last_mut() {
                Some(last) if last.end == held.start && !begins => last.end = held.end,
                _ => data.push(held),
            }
        }
        data
    }

    /// The grain that holds `offset`, or the number of the one behind it.
    fn at(&self, offset: u64) -> Result<&Grain, usize> {
        let behind = self.grains.partition_point(|grain| grain.offset <= offset);
        let found = behind.checked_sub(1).and_then(|index| self.grains.get(index));
        found.filter(|grain| offset - grain.offset < self.unit).ok_or(behind)
    }

    /// The first byte of the disk behind `offset` that may be another's.
    fn end(&self, found: Result<&Grain, usize>) -> u64 {
        let end = match found {
            Ok(grain) => grain.offset + self.unit,
            Err(behind) => self.grains.get(behind).map_or(self.size, |grain| grain.offset),
        };
        end.min(self.size)
    }
}

impl Image for Grains {
    fn size(&self) -> u64 {
        self.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let found = self.at(offset);
        let content = if found.is_ok() { Content::Packed } else { Content::Hole };
        Ok(Extent::new(offset..self.end(found), content))
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> Result<()> {
        while !buf.is_empty() {
            let found = self.at(offset);
            // At least a byte, as both ends lie within the disk.
            let take = self.end(found).saturating_sub(offset).min(buf.len() as u64);
            let (now, rest) = buf.split_at_mut(take as usize);
            match found {
                Err(_) => now.fill(0),
                Ok(grain) => WHOLE.with_borrow_mut(|whole| {
                    let held = self.unit.min(self.size - grain.offset);
                    let unpacked = unpack(&grain.packed, self.unit, held, offset - grain.offset, whole, now);
                    unpacked.map_err(|error| error.at_path(&self.label).at_offset(grain.at))
                })?,
            }
            buf = rest;
            offset += take;
        }
        Ok(())
    }

    fn packing(&self) -> Option<Packing> {
        Some(Packing { codec: Codec::Zlib, unit: self.unit })
    }

    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        // A last grain may be as short as the disk, and other readers want it whole.
        let found = self.at(offset).ok().filter(|_| offset + self.unit <= self.size);
        out.extend_from_slice(found.map_or(&[], |grain| &grain.packed));
        Ok(found.is_some())
    }
}
