//! How often each cluster of the file is used, counted while it is written.

use crate::formats::qcow2::layout::counter;
use std::collections::BTreeMap;

/// Counters in blocks of one cluster each, those not yet written.
pub(super) struct Refcounts {
    cluster: u64,
    bits: u32,
    per_block: u64,
    /// Blocks in memory, as they go into the file.
    blocks: BTreeMap<u64, Vec<u8>>,
    /// Where each block was placed; 0 for those that were not.
    placed: Vec<u64>,
}

impl Refcounts {
    /// Counters of `bits` bits in blocks of `cluster` bytes.
    pub(super) fn new(cluster: u64, bits: u32) -> Self {
        let per_block = cluster * 8 / u64::from(bits);
        Refcounts { cluster, bits, per_block, blocks: BTreeMap::new(), placed: Vec::new() }
    }

    /// Counts one more use of cluster `number`; the caller sees to it that there [is room](Self::has_room).
    pub(super) fn add(&mut self, number: u64) {
        let count = self.get(number) + 1;
        let (index, bits) = ((number % self.per_block) as usize, self.bits as usize);
        let block = self.blocks.entry(number / self.per_block).or_insert_with(|| vec![0; self.cluster as usize]);
        if bits < 8 {
            // Several to a byte, the first in the lowest bits.
            let shift = index * bits % 8;
            let byte = &mut block[index * bits / 8];
            *byte = *byte & !((((1_u16 << bits) - 1) as u8) << shift) | (count as u8) << shift;
        } else {
            let len = bits / 8;
            block[index * len..][..len].copy_from_slice(&count.to_be_bytes()[8 - len..]);
        }
    }

    /// Whether cluster `number` can be used once more.
    pub(super) fn has_room(&self, number: u64) -> bool {
        let most = if self.bits == 64 { u64::MAX } else { (1 << self.bits) - 1 };
        self.get(number) < most
    }

    fn get(&self, number: u64) -> u64 {
        let block = self.blocks.get(&(number / self.per_block));
        block.map_or(0, |block| counter(block, number % self.per_block, self.bits))
    }

    /// Takes out the blocks whose clusters all lie before cluster `end`, with their numbers.
    pub(super) fn take_finished(&mut self, end: u64) -> Vec<(u64, Vec<u8>)> {
        let rest = self.blocks.split_off(&(end / self.per_block));
        std::mem::replace(&mut self.blocks, rest).into_iter().collect()
    }

    /// Takes out block `number`.
    pub(super) fn take(&mut self, number: u64) -> Vec<u8> {
        self.blocks.remove(&number).unwrap_or_else(|| vec![0; self.cluster as usize])
    }

    /// Notes where block `number` was written.
    pub(super) fn place(&mut self, number: u64, at: u64) {
        let number = number as usize;
        if self.placed.len() <= number {
            self.placed.resize(number + 1, 0);
        }
        self.placed[number] = at;
    }

    /// The blocks that still have to be written for a file of `clusters` clusters without them and without the table that
    /// names all blocks, and the clusters of that table.
    pub(super) fn still_needed(&self, clusters: u64) -> (Vec<u64>, u64) {
        let mut total = clusters;
        loop {
            let blocks = total.div_ceil(self.per_block);
            let missing = |number: &u64| self.placed.get(*number as usize).is_none_or(|&at| at == 0);
            let missing: Vec<u64> = (0..blocks).filter(missing).collect();
            let table = (blocks * 8).div_ceil(self.cluster);
            // They take clusters themselves, which may need one more of them.
            let needed = clusters + missing.len() as u64 + table;
            if needed == total {
                return (missing, table);
            }
            total = needed;
        }
    }

    /// Where the blocks are, in order.
    pub(super) fn table(&self) -> impl Iterator<Item = u64> {
        self.placed.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_every_width() {
        for bits in [1, 2, 4, 8, 16, 32, 64] {
            let mut counts = Refcounts::new(512, bits);
            let uses = if bits == 1 { 1 } else { 3 };
            (0..uses).for_each(|_| counts.add(5));
            counts.add(6);
            assert_eq!([4, 5, 6, 7].map(|number| counts.get(number)), [0, uses, 1, 0], "{bits}");
            assert_eq!(counts.has_room(5), bits > 2, "{bits}");
        }
    }

    #[test]
    fn blocks_count_themselves() {
        // 256 counters a block, 64 blocks a cluster of the table.
        let counts = Refcounts::new(512, 16);
        assert_eq!(counts.still_needed(100), (vec![0], 1));
        assert_eq!(counts.still_needed(254), (vec![0], 1));
        assert_eq!(counts.still_needed(255), (vec![0, 1], 1));
        let mut counts = Refcounts::new(512, 16);
        counts.place(0, 512);
        assert_eq!(counts.still_needed(300), (vec![1], 1));
    }
}
