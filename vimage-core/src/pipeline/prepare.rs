//! The parallel part: read a slab, find its zeros once, encode what is left for every target.

use super::plan::Slab;
use super::read::read_data;
use crate::digest::{BlockHash, hash_blocks};
use crate::error::Result;
use crate::image::Image;
use crate::target::{Encoding, Units};
use crate::zero::is_zero;
use std::ops::Range;

/// Zeros are looked for in blocks of this many bytes, or of the smallest unit where that is smaller: what file systems
/// allocate, and so what a hole in a file can be.
const ZERO_BLOCK: usize = 4096;

/// A slab read and encoded; kept and filled again.
///
/// Costs, in bytes, a slab and what it encodes to for each target.
#[derive(Default)]
pub(crate) struct Prepared {
    /// The disk's bytes, filled up with zeros to whole units.
    data: Vec<u8>,
    /// For each block of `data`, whether it is all zero.
    zero: Vec<bool>,
    /// What each target gets.
    encoded: Vec<Encoded>,
    /// The hashes of the blocks, where they are asked for.
    pub(crate) hashes: Vec<BlockHash>,
}

#[derive(Default)]
struct Encoded {
    /// Bytes of packed units.
    packed: Vec<u8>,
    bodies: Vec<Body>,
}

/// One call of a writer's `append`: a packed unit, or a run of plain ones.
struct Body {
    /// Where the units start within the slab.
    at: usize,
    /// The bytes, in `packed` or in `data`.
    bytes: Range<usize>,
    how: Encoding,
}

impl Prepared {
    /// Fills this with `slab` of `image`, encoded for `targets`; with `hashes` if `identified`.
    pub(crate) fn fill(&mut self, slab: &Slab, image: &dyn Image, targets: &[&Units], identified: bool) -> Result<()> {
        self.read(slab, image, targets)?;
        self.encoded.resize_with(targets.len(), Encoded::default);
        let block = self.data.len() / self.zero.len().max(1);
        for (target, encoded) in targets.iter().zip(&mut self.encoded) {
            encoded.fill(target, &self.data, &self.zero, block)?;
        }
        self.hashes.clear();
        if identified {
            hash_blocks(slab.offset, &self.data[..slab.len], &mut self.hashes);
        }
        Ok(())
    }

    /// Calls `append` for each body of target `index`, in disk order.
    pub(crate) fn bodies(
        &self,
        index: usize,
        slab: &Slab,
        mut append: impl FnMut(u64, &[u8], Encoding) -> Result<()>,
    ) -> Result<()> {
        let encoded = &self.encoded[index];
        encoded.bodies.iter().try_for_each(|body| {
            let bytes = match body.how {
                Encoding::Plain => &self.data[body.bytes.clone()],
                Encoding::Packed => &encoded.packed[body.bytes.clone()],
            };
            append(slab.offset + body.at as u64, bytes, body.how)
        })
    }

    /// Reads what the image holds of the slab and finds its zeros; what the image knows to be zero is neither read nor
    /// searched.
    fn read(&mut self, slab: &Slab, image: &dyn Image, targets: &[&Units]) -> Result<()> {
        let largest = targets.iter().map(|target| target.size).fold(1, usize::max);
        let smallest = targets.iter().map(|target| target.size).fold(ZERO_BLOCK, usize::min);
        let len = slab.len.next_multiple_of(largest.max(smallest));
        self.data.resize(len, 0);
        read_data(image, slab.offset, &slab.data[0], &mut self.data)?;
        self.zero.clear();
        self.zero.resize(len / smallest, true);
        for range in &slab.data[0] {
            self.zero[range.start / smallest..range.end.div_ceil(smallest)].fill(false);
        }
        for (zero, block) in self.zero.iter_mut().zip(self.data.chunks_exact(smallest)) {
            *zero = *zero || is_zero(block);
        }
        Ok(())
    }
}

impl Encoded {
    fn fill(&mut self, target: &Units, data: &[u8], zero: &[bool], block: usize) -> Result<()> {
        self.packed.clear();
        self.bodies.clear();
        let blocks_per_unit = target.size / block;
        for (index, unit) in data.chunks_exact(target.size).enumerate() {
            if zero[index * blocks_per_unit..][..blocks_per_unit].iter().all(|&zero| zero) {
                continue;
            }
            let at = index * target.size;
            let start = self.packed.len();
            let how = target.encoder.encode(unit, &mut self.packed)?;
            let bytes = match how {
                Encoding::Plain => at..at + target.size,
                Encoding::Packed => start..self.packed.len(),
            };
            match self.bodies.last_mut() {
                // Plain neighbours go to the writer, and so to the file, in one piece.
                Some(last) if how == Encoding::Plain && last.how == how && last.bytes.end == bytes.start => {
                    last.bytes.end = bytes.end;
                }
                _ => self.bodies.push(Body { at, bytes, how }),
            }
        }
        Ok(())
    }
}
