//! The map: for each block of the disk, which block of the file holds it.

use super::header::Header;
use super::layout::{FREE, ZERO};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use std::ops::ControlFlow;

/// Entries read at a time.
pub(super) const STRETCH: u32 = 16 << 10;

/// Where a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Nowhere: the parent's, or zero.
    Free,
    /// Known to be zero.
    Zero,
    /// At this byte of the file.
    At(u64),
}

/// Reads the entries from `first` on, [`STRETCH`] at most, as they are in the file.
pub(super) fn read(file: &dyn ReadAt, header: &Header, first: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; STRETCH.min(header.blocks - first) as usize * 4];
    let at = header.map + u64::from(first) * 4;
    let read = file.read_exact_at(&mut bytes, at);
    read.map_err(|cause| Error::io("cannot read the map", cause).at_offset(at))?;
    Ok(bytes)
}

/// What entry `index` of `entries` says.
pub(super) fn block(header: &Header, entries: &[u8], index: usize) -> Block {
    match entry(entries, index) {
        FREE => Block::Free,
        ZERO => Block::Zero,
        number => Block::At(header.place(number)),
    }
}

fn entry(entries: &[u8], index: usize) -> u32 {
    entries[index * 4..].first_chunk().map_or(FREE, |bytes| u32::from_le_bytes(*bytes))
}

/// A fault of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It names a block that the file's header does not count.
    OutOfRange(u32),
    /// It names a block that another entry names too.
    Duplicate(u32),
}

impl Fault {
    pub(super) fn message(self, header: &Header) -> String {
        match self {
            Fault::OutOfRange(number) => format!("the map names block {number}: the image has {}", header.blocks),
            Fault::Duplicate(number) => format!("the map names block {number} twice"),
        }
    }
}

/// What the map says of the file's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// How many are named.
    pub(super) named: u32,
    /// The number behind the highest of them.
    pub(super) end: u32,
}

/// Goes over all of the map and tells `fault` of what is wrong, with the byte of the file, until that says that it is enough.
/// Takes a bit of memory for each block that is named, and for those near it.
///
/// # Errors
/// `Io`, and those of `fault`.
pub(super) fn verify(
    file: &dyn ReadAt,
    header: &Header,
    mut fault: impl FnMut(Fault, u64) -> Result<ControlFlow<()>>,
) -> Result<Tally> {
    let mut seen: Vec<Option<Box<[u64; WORDS]>>> = vec![None; (header.blocks as usize).div_ceil(WORDS * 64)];
    let mut tally = Tally::default();
    for first in (0..header.blocks).step_by(STRETCH as usize) {
        let entries = read(file, header, first)?;
        for index in 0..entries.len() / 4 {
            let number = entry(&entries, index);
            if number >= ZERO {
                continue;
            }
            let at = header.map + (u64::from(first) + index as u64) * 4;
            let found = if number >= header.blocks {
                Some(Fault::OutOfRange(number))
            } else {
                let (chunk, bit) = (number as usize / 64 / WORDS, number as usize % (64 * WORDS));
                let word = &mut seen[chunk].get_or_insert_with(|| Box::new([0; WORDS]))[bit / 64];
                let twice = *word >> (bit % 64) & 1 == 1;
                *word |= 1 << (bit % 64);
                tally.named += 1;
                tally.end = tally.end.max(number + 1);
                twice.then_some(Fault::Duplicate(number))
            };
            if let Some(found) = found
                && fault(found, at)?.is_break()
            {
                return Ok(tally);
            }
        }
    }
    Ok(tally)
}

/// Words of bits that are had together.
const WORDS: usize = 1024;
