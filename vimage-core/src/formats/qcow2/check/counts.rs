//! Refcounts as they are in the file, and as they should be.

use crate::error::Result;
use crate::formats::cache::TableCache;
use crate::formats::qcow2::layout::counter;
use crate::formats::qcow2::reader::read_inside;
use crate::io::ReadAt;
use std::collections::BTreeMap;

/// Clusters whose counts are kept together. Memory is had only for stretches that something refers to, and few bytes each:
/// references may lie far apart in a file of holes.
const STRETCH: u64 = 64;

/// How often each cluster is referred to.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<u64, Box<[u32]>>);

impl Counts {
    /// Counts `times` references to cluster `number`; returns how many there were before.
    pub(super) fn add(&mut self, number: u64, times: u32) -> u32 {
        let stretch = self.0.entry(number / STRETCH).or_insert_with(|| vec![0; STRETCH as usize].into());
        let count = &mut stretch[(number % STRETCH) as usize];
        let before = *count;
        *count = count.saturating_add(times);
        before
    }

    pub(super) fn get(&self, number: u64) -> u32 {
        self.0.get(&(number / STRETCH)).map_or(0, |stretch| stretch[(number % STRETCH) as usize])
    }

    /// The clusters that are referred to and their counts, in order, from `range` alone.
    pub(super) fn within(&self, range: std::ops::Range<u64>) -> impl Iterator<Item = (u64, u32)> {
        let stretches = self.0.range(range.start / STRETCH..range.end.div_ceil(STRETCH));
        stretches
            .flat_map(|(stretch, counts)| (stretch * STRETCH..).zip(counts.iter().copied()))
            .filter(move |(number, count)| *count > 0 && range.contains(number))
    }
}

/// The refcounts in the file.
pub(super) struct Stored<'a> {
    pub(super) file: &'a dyn ReadAt,
    pub(super) cluster: u64,
    pub(super) bits: u32,
    /// Where each block is; 0 where there is none that could be read.
    pub(super) blocks: Vec<u64>,
    pub(super) kept: TableCache,
}

impl Stored<'_> {
    /// Counters of a block.
    pub(super) fn per_block(&self) -> u64 {
        self.cluster * 8 / u64::from(self.bits)
    }

    /// The refcount of cluster `number`.
    pub(super) fn get(&self, number: u64) -> Result<u64> {
        let index = number / self.per_block();
        let Some(&at) = self.blocks.get(index as usize).filter(|&&at| at != 0) else { return Ok(0) };
        let block = self.kept.get(index, || self.read_block(at))?;
        Ok(self.counter(&block, number % self.per_block()))
    }

    pub(super) fn read_block(&self, at: u64) -> Result<Vec<u8>> {
        let mut block = vec![0; self.cluster as usize];
        read_inside(self.file, &mut block, at, "a refcount block").map_err(|error| error.at_offset(at))?;
        Ok(block)
    }

    pub(super) fn counter(&self, block: &[u8], index: u64) -> u64 {
        counter(block, index, self.bits)
    }
}
