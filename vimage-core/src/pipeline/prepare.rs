//! The parallel part: read a slab, find once what need not be written, encode what is left for every target.

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

/// Where the bytes come from.
pub(crate) struct Origin<'a> {
    /// The disk.
    pub(crate) image: &'a dyn Image,
    /// What lies beneath the targets: what is the same there is not written. Zeros, as a rule.
    pub(crate) base: &'a dyn Image,
    /// Whether the block hashes are wanted.
    pub(crate) identified: bool,
    /// Whether packed units are taken over as they are. There is one target then.
    pub(crate) passing: bool,
}

/// A slab read and encoded; kept and filled again.
///
/// Costs, in bytes, a slab and what it encodes to for each target, and another slab where there is a base.
#[derive(Default)]
pub(crate) struct Prepared {
    /// The disk's bytes, filled up with zeros to whole units.
    data: Vec<u8>,
    /// The base's bytes, where it holds any in the slab.
    base: Vec<u8>,
    /// For each block of `data`, whether the base holds the same.
    same: Vec<bool>,
    /// For each block of `data`, whether it is all zero where the base is not.
    zero: Vec<bool>,
    /// For each block of `data`, whether the image holds it as data.
    held: Vec<bool>,
    /// Bytes that the image holds as data and the first target does not get; where the base holds data, none are counted.
    pub(crate) dropped: u64,
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
    /// Fills this with `slab` of `origin`, encoded for `targets`.
    pub(crate) fn fill(&mut self, slab: &Slab<2>, origin: &Origin<'_>, targets: &[&Units]) -> Result<()> {
        self.encoded.resize_with(targets.len(), Encoded::default);
        self.hashes.clear();
        self.dropped = 0;
        if let (true, &[target]) = (origin.passing, targets) {
            return self.pass(slab, origin, target);
        }
        self.read(slab, origin, targets)?;
        for (target, encoded) in targets.iter().zip(&mut self.encoded) {
            encoded.fill(target, &self.data, &self.same, &self.zero)?;
        }
        if let Some(first) = self.encoded.first() {
            self.dropped = dropped(&self.held, &first.bodies, self.data.len(), targets[0].size);
        }
        if origin.identified {
            hash_blocks(slab.offset, &self.data[..slab.len], &mut self.hashes);
        }
        Ok(())
    }

    /// Calls `append` for each body of target `index`, in disk order.
    pub(crate) fn bodies(
        &self,
        index: usize,
        slab: &Slab<2>,
        mut append: impl FnMut(u64, &[u8], Encoding) -> Result<()>,
    ) -> Result<()> {
        let encoded = &self.encoded[index];
        encoded.bodies.iter().try_for_each(|body| {
            let bytes = match body.how {
                Encoding::Plain | Encoding::Zero => &self.data[body.bytes.clone()],
                Encoding::Packed => &encoded.packed[body.bytes.clone()],
            };
            append(slab.offset + body.at as u64, bytes, body.how)
        })
    }

    /// Reads what the image holds of the slab and finds what the base holds too; what both know to be zero is neither read
    /// nor searched.
    fn read(&mut self, slab: &Slab<2>, origin: &Origin<'_>, targets: &[&Units]) -> Result<()> {
        let largest = targets.iter().map(|target| target.size).fold(1, usize::max);
        let smallest = targets.iter().map(|target| target.size).fold(ZERO_BLOCK, usize::min);
        let len = slab.len.next_multiple_of(largest.max(smallest));
        let [data, base] = &slab.data;
        self.data.resize(len, 0);
        read_data(origin.image, slab.offset, data, &mut self.data)?;
        self.same.clear();
        self.same.resize(len / smallest, true);
        self.zero.clear();
        let touched = |range: &Range<usize>| range.start / smallest..range.end.div_ceil(smallest);
        data.iter().for_each(|range| self.same[touched(range)].fill(false));
        self.held.clear();
        self.held.extend(self.same.iter().map(|same| !same));
        if base.is_empty() {
            for (same, block) in self.same.iter_mut().zip(self.data.chunks_exact(smallest)) {
                *same = *same || is_zero(block);
            }
            return Ok(());
        }
        // Whose bytes they are that are as in the base, the image or the base, nobody can tell.
        self.held.fill(false);
        self.base.resize(len, 0);
        read_data(origin.base, slab.offset, base, &mut self.base)?;
        base.iter().for_each(|range| self.same[touched(range)].fill(false));
        let blocks = self.data.chunks_exact(smallest).zip(self.base.chunks_exact(smallest));
        for (same, (block, beneath)) in self.same.iter_mut().zip(blocks) {
            *same = *same || block == beneath;
            self.zero.push(!*same && is_zero(block));
        }
        Ok(())
    }

    /// Takes over what is packed, and reads and encodes the units that are not.
    fn pass(&mut self, slab: &Slab<2>, origin: &Origin<'_>, target: &Units) -> Result<()> {
        let Encoded { packed, bodies } = &mut self.encoded[0];
        packed.clear();
        bodies.clear();
        self.data.resize(slab.len.next_multiple_of(target.size), 0);
        for at in (0..slab.len).step_by(target.size) {
            let unit = at..at + target.size;
            let held = at..unit.end.min(slab.len);
            if !slab.data[0].iter().any(|range| range.start < held.end && range.end > held.start) {
                continue;
            }
            let (start, offset) = (packed.len(), slab.offset + at as u64);
            let how = if origin.image.read_packed(offset, packed)? {
                Encoding::Packed
            } else {
                self.data[unit.clone()].fill(0);
                origin.image.read_exact_at(&mut self.data[held], offset)?;
                if is_zero(&self.data[unit.clone()]) {
                    self.dropped += unit.len() as u64;
                    continue;
                }
                target.encoder.encode(&self.data[unit.clone()], packed)?
            };
            let bytes = if how == Encoding::Packed { start..packed.len() } else { unit };
            bodies.push(Body { at, bytes, how });
        }
        Ok(())
    }
}

/// Bytes of the blocks `held` that are in none of the units of `bodies`.
fn dropped(held: &[bool], bodies: &[Body], len: usize, unit: usize) -> u64 {
    let block = len / held.len().max(1);
    let bytes = |blocks: &[bool]| (blocks.iter().filter(|&&held| held).count() * block) as u64;
    let kept = bodies.iter().map(|body| {
        let len = if body.how == Encoding::Packed { unit } else { body.bytes.len() };
        bytes(&held[body.at / block.max(1)..(body.at + len) / block.max(1)])
    });
    bytes(held) - kept.sum::<u64>()
}

impl Encoded {
    /// Encodes the units of `data` that are not all the `same` as beneath. `zero` is empty where nothing is beneath.
    fn fill(&mut self, target: &Units, data: &[u8], same: &[bool], zero: &[bool]) -> Result<()> {
        self.packed.clear();
        self.bodies.clear();
        let block = data.len() / same.len().max(1);
        let blocks = target.size / block.max(1);
        for (index, unit) in data.chunks_exact(target.size).enumerate() {
            let (first, at) = (index * blocks, index * target.size);
            if same[first..][..blocks].iter().all(|&same| same) {
                continue;
            }
            let start = self.packed.len();
            let hides = !zero.is_empty() && zero[first..][..blocks].iter().zip(&same[first..]).all(|(&z, &s)| z || s);
            let how = match hides && is_zero(unit) {
                true => Encoding::Zero,
                false => target.encoder.encode(unit, &mut self.packed)?,
            };
            let bytes = match how {
                Encoding::Plain | Encoding::Zero => at..at + target.size,
                Encoding::Packed => start..self.packed.len(),
            };
            match self.bodies.last_mut() {
                // Neighbours go to the writer, and so to the file, in one piece.
                Some(last) if how != Encoding::Packed && last.how == how && last.bytes.end == bytes.start => {
                    last.bytes.end = bytes.end;
                }
                _ => self.bodies.push(Body { at, bytes, how }),
            }
        }
        Ok(())
    }
}
