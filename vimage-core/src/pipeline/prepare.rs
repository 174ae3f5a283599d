//! The parallel part: read a slab, find once what need not be written, encode what is left for every target.

use super::plan::Slab;
use super::read::read_data;
use super::spare::Spare;
use crate::codec::{Codec, deflate};
use crate::digest::{BlockHash, hash_blocks};
use crate::error::Result;
use crate::image::{Image, Packing};
use crate::io::Aligned;
use crate::target::{Encoder, Encoding, Plain, Units};
use crate::zero::is_zero;
use std::ops::Range;

/// Zeros are looked for in blocks of this many bytes, or of the smallest unit where that is smaller: what file systems
/// allocate, and so what a hole in a file can be.
const ZERO_BLOCK: usize = 4096;

/// What is encoded for the targets: once for all that want the same.
pub(crate) struct Encoders<'a> {
    units: Vec<&'a Units>,
    /// For each target, the first that gets the same.
    first: Vec<usize>,
    /// For each target, how packed units of the disk go to it.
    ways: Vec<Way>,
    /// Whether the disk's bytes are looked into: not where packed units go to all targets as they are.
    reads: bool,
    /// Whether the block hashes are wanted.
    identified: bool,
    /// Buffers of slabs that nothing refers to any more: 4 GiB of zeros are found in half the time that it takes with as many buffers as
    /// slabs in flight.
    spare: Spare<Aligned>,
}

/// How a target takes the packed units of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Unpacked and encoded anew.
    Encoded,
    /// As they are.
    Passed,
    /// The same deflate stream, in another wrapping.
    Rewrapped(deflate::Wrapping),
}

impl Way {
    /// How a target that takes `takes` as it is gets the units of a disk of `packing`.
    fn of(takes: Option<Packing>, packing: Option<Packing>) -> Self {
        match (takes, packing) {
            (Some(takes), Some(packing)) if takes == packing => Way::Passed,
            (Some(takes), Some(packing)) if takes.unit == packing.unit => match (packing.codec, takes.codec) {
                (Codec::Zlib, Codec::Deflate) => Way::Rewrapped(deflate::Wrapping::None),
                (Codec::Deflate, Codec::Zlib) => Way::Rewrapped(deflate::Wrapping::Zlib),
                _ => Way::Encoded,
            },
            _ => Way::Encoded,
        }
    }
}

impl<'a> Encoders<'a> {
    /// For targets that take `units` of a disk whose packed units are of `packing`. With `identified`, blocks are hashed; with
    /// `checked`, packed units are unpacked even where they are passed on.
    pub(crate) fn new(units: Vec<&'a Units>, packing: Option<Packing>, identified: bool, checked: bool) -> Self {
        let ways: Vec<Way> = units.iter().map(|units| Way::of(units.takes, packing)).collect();
        let alike = |one: usize, two: usize| {
            let (one, two, same) = (units[one], units[two], ways[one] == ways[two]);
            let name = one.encoder.name();
            same && name.is_some() && name == two.encoder.name() && one.size == two.size
        };
        let first =
            (0..units.len()).map(|index| (0..index).find(|&other| alike(other, index)).unwrap_or(index)).collect();
        let reads = identified || checked || ways.is_empty() || ways.contains(&Way::Encoded);
        Encoders { units, first, ways, reads, identified, spare: Spare::default() }
    }

    /// Whether all targets get the disk's bytes as they are.
    pub(crate) fn copy(&self) -> bool {
        self.units.iter().all(|units| units.encoder.name() == Plain.name())
    }

    /// Bytes that a slab of `slab` bytes takes while it is prepared: itself, what it comes from, and what is made of it.
    pub(crate) fn cost(&self, slab: usize, base: bool) -> u64 {
        let made = self.first.iter().enumerate().filter(|(index, first)| index == *first).count();
        slab as u64 * (2 + made as u64 + u64::from(base))
    }

    /// Bytes of a unit of target `index`.
    pub(crate) fn unit(&self, index: usize) -> usize {
        self.units[index].size
    }
}

/// A slab read and encoded; kept and filled again.
///
/// Costs, in bytes, a slab and what it encodes to for each target, and another slab where there is a base.
#[derive(Default)]
pub(crate) struct Prepared {
    /// The disk's bytes, filled up with zeros to whole units; empty where no target is given any of them.
    pub(crate) data: Aligned,
    /// The base's bytes, where it holds any in the slab.
    base: Aligned,
    /// For each block of `data`, whether the base holds the same.
    same: Vec<bool>,
    /// For each block of `data`, whether it is all zero where the base is not.
    zero: Vec<bool>,
    /// For each block of `data`, whether the disk holds it as data.
    held: Vec<bool>,
    /// What each target gets.
    encoded: Vec<Encoded>,
    /// The hashes of the blocks, where they are asked for.
    pub(crate) hashes: Vec<BlockHash>,
}

/// What a target gets of a slab.
#[derive(Default)]
pub(crate) struct Encoded {
    /// Bytes of packed units.
    packed: Vec<u8>,
    bodies: Vec<Body>,
    /// Bytes that the disk holds as data and the target does not get; where the base holds data, none are counted.
    pub(crate) dropped: u64,
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
    /// Fills this with `slab` of `image` over `base`, encoded by `encoders`.
    pub(crate) fn fill(
        &mut self,
        slab: &Slab<2>,
        image: &dyn Image,
        base: &dyn Image,
        encoders: &Encoders<'_>,
    ) -> Result<()> {
        self.encoded.resize_with(encoders.units.len(), Encoded::default);
        self.hashes.clear();
        let sizes = || encoders.units.iter().map(|units| units.size);
        let block = sizes().fold(ZERO_BLOCK, usize::min);
        if self.data.is_empty() {
            self.data = encoders.spare.take();
        }
        self.data.resize(slab.len.next_multiple_of(sizes().fold(block, usize::max)));
        if encoders.reads {
            self.read(slab, image, base, block)?;
        }
        for (index, (units, encoded)) in encoders.units.iter().zip(&mut self.encoded).enumerate() {
            match (encoders.first[index] == index, encoders.ways[index]) {
                (false, _) => {}
                (true, Way::Encoded) => {
                    encoded.fill(units, &self.data, &self.same, &self.zero)?;
                    encoded.dropped = dropped(&self.held, &encoded.bodies, self.data.len(), units.size);
                }
                (true, way) => encoded.pass(units, slab, image, way, &mut self.data, encoders.reads)?,
            }
        }
        if encoders.identified {
            hash_blocks(slab.offset, &self.data[..slab.len], &mut self.hashes);
        }
        let given = self.encoded.iter().flat_map(|encoded| &encoded.bodies).any(|body| body.how != Encoding::Packed);
        if !given {
            encoders.spare.give(std::mem::take(&mut self.data));
        }
        Ok(())
    }

    /// What target `index` gets.
    pub(crate) fn encoded(&self, encoders: &Encoders<'_>, index: usize) -> &Encoded {
        &self.encoded[encoders.first[index]]
    }

    /// Reads what the disk holds of the slab and finds what the base holds too, in blocks of `block` bytes; what both know to be zero
    /// is neither read nor searched.
    fn read(&mut self, slab: &Slab<2>, image: &dyn Image, beneath: &dyn Image, block: usize) -> Result<()> {
        let len = self.data.len();
        let [data, base] = &slab.data;
        read_data(image, slab.offset, data, &mut self.data)?;
        self.same.clear();
        self.same.resize(len / block, true);
        self.zero.clear();
        let touched = |range: &Range<usize>| range.start / block..range.end.div_ceil(block);
        data.iter().for_each(|range| self.same[touched(range)].fill(false));
        self.held.clear();
        self.held.extend(self.same.iter().map(|same| !same));
        if base.is_empty() {
            for (same, block) in self.same.iter_mut().zip(self.data.chunks_exact(block)) {
                *same = *same || is_zero(block);
            }
            return Ok(());
        }
        // Whose bytes they are that are as in the base, the disk or the base, nobody can tell.
        self.held.fill(false);
        self.base.resize(len);
        read_data(beneath, slab.offset, base, &mut self.base)?;
        base.iter().for_each(|range| self.same[touched(range)].fill(false));
        let blocks = self.data.chunks_exact(block).zip(self.base.chunks_exact(block));
        for (same, (block, beneath)) in self.same.iter_mut().zip(blocks) {
            *same = *same || block == beneath;
            self.zero.push(!*same && is_zero(block));
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
    /// Calls `append` for each body, in disk order; `data` are the slab's bytes, which starts at `offset` of the disk.
    pub(crate) fn bodies(
        &self,
        data: &[u8],
        offset: u64,
        mut append: impl FnMut(u64, &[u8], Encoding) -> Result<()>,
    ) -> Result<()> {
        self.bodies.iter().try_for_each(|body| {
            let bytes = match body.how {
                Encoding::Plain | Encoding::Zero => &data[body.bytes.clone()],
                Encoding::Packed => &self.packed[body.bytes.clone()],
            };
            append(offset + body.at as u64, bytes, body.how)
        })
    }

    /// Takes over what is packed, and encodes the units that are not; they are in `data` where that was `read`, and are put there else.
    fn pass(
        &mut self,
        target: &Units,
        slab: &Slab<2>,
        image: &dyn Image,
        way: Way,
        data: &mut [u8],
        read: bool,
    ) -> Result<()> {
        self.packed.clear();
        self.bodies.clear();
        self.dropped = 0;
        for at in (0..slab.len).step_by(target.size) {
            let unit = at..at + target.size;
            let held = at..unit.end.min(slab.len);
            if !slab.data[0].iter().any(|range| range.start < held.end && range.end > held.start) {
                continue;
            }
            let (start, offset) = (self.packed.len(), slab.offset + at as u64);
            // What a unit holds past the disk's end is not for other targets to see.
            let packed = (way == Way::Passed || unit.end <= slab.len) && image.read_packed(offset, &mut self.packed)?;
            // Whether `data` holds the unit.
            let mut there = read && !packed;
            let taken = packed
                && match way {
                    Way::Rewrapped(to) => {
                        there = deflate::rewrap(&mut self.packed, start, to, &mut data[unit.clone()]);
                        // What did not get smaller is not for all to take.
                        there && self.packed.len() - start < target.size && !is_zero(&data[unit.clone()])
                    }
                    _ => true,
                };
            let how = if taken {
                Encoding::Packed
            } else {
                self.packed.truncate(start);
                if !there {
                    data[unit.clone()].fill(0);
                    image.read_exact_at(&mut data[held], offset)?;
                }
                let plain = &data[unit.clone()];
                if is_zero(plain) {
                    self.dropped += unit.len() as u64;
                    continue;
                }
                match packed && there {
                    true => target.encoder.encode_stubborn(plain, &mut self.packed)?,
                    false => target.encoder.encode(plain, &mut self.packed)?,
                }
            };
            let bytes = if how == Encoding::Packed { start..self.packed.len() } else { unit };
            self.bodies.push(Body { at, bytes, how });
        }
        Ok(())
    }

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
