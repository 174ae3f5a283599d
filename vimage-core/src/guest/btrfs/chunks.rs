//! Chunks: stretches of the logical space in which all extents are, and where on the device each copy of one is.

use super::layout::{RawChunk, RawDevice, RawKey, RawStripe, first, group, kind, object};
use super::superblock::{Device, Superblock};
use super::tree::Trees;
use crate::error::{Error, Result};
use crate::limits::guests::MOST_CHUNKS;
use std::ops::Range;

/// A chunk. A block group is the same stretch, seen as what extents are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) logical: u64,
    /// Its length; the end is below 2^64.
    pub(super) length: u64,
    /// What it is for and how it lies: `layout::group`.
    pub(super) flags: u64,
    /// Where each copy starts on the device. The second is there where `copies` is 2.
    stripes: [u64; 2],
    copies: usize,
}

impl Chunk {
    fn parse(logical: u64, bytes: &[u8], superblock: &Superblock) -> Result<Self> {
        let (raw, rest) = first::<RawChunk>(bytes, "a chunk")?;
        let (length, flags) = (raw.length.get(), raw.flags.get());
        if let Some((_, name)) = group::OTHERS.iter().find(|(bit, _)| flags & bit != 0) {
            return Err(Error::unsupported(format!("has chunks that are {name}")));
        }
        let known = group::DATA | group::METADATA | group::SYSTEM | group::DUP;
        let copies = if flags & group::DUP != 0 { 2 } else { 1 };
        if flags & !known != 0 {
            return Err(Error::unsupported(format!("has chunks with unknown flags {:#x}", flags & !known)));
        }
        let whole = |bytes: u64| bytes.is_multiple_of(superblock.sector_size);
        let fits = length > 0 && logical.checked_add(length).is_some() && whole(logical) && whole(length);
        let has_use = flags & !group::DUP != 0;
        if !fits
            || !has_use
            || usize::from(raw.stripes.get()) != copies
            || rest.len() != copies * size_of::<RawStripe>()
        {
            return Err(Error::corrupt(format!("has an impossible chunk of {length} bytes at {logical}")));
        }
        let mut chunk = Chunk { logical, length, flags, stripes: [0; 2], copies };
        let Device { id, size, uuid } = superblock.device;
        let mut rest = rest;
        for stripe in &mut chunk.stripes[..copies] {
            let (raw, behind) = first::<RawStripe>(rest, "a stripe")?;
            if raw.device.get() != id || raw.device_uuid != uuid {
                return Err(Error::unsupported("has chunks on another device"));
            }
            *stripe = raw.offset.get();
            if stripe.checked_add(length).is_none_or(|end| end > size) {
                return Err(Error::corrupt(format!("has a chunk of {length} bytes past the end of its device")));
            }
            rest = behind;
        }
        Ok(chunk)
    }

    pub(super) fn end(&self) -> u64 {
        self.logical + self.length
    }

    /// Where `range` of the logical space, which must lie in it, is on the device: each copy.
    pub(super) fn on_device(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let (from, len) = (range.start - self.logical, range.end - range.start);
        self.stripes[..self.copies].iter().map(move |stripe| stripe + from..stripe + from + len)
    }
}

/// The chunks of a file system, by their logical start, none over another.
#[derive(Debug, Default)]
pub(super) struct Chunks(Vec<Chunk>);

impl Chunks {
    /// The system chunks, in which the chunk tree is, from the superblock.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    pub(super) fn of_system(superblock: &Superblock) -> Result<Self> {
        let mut chunks = Vec::new();
        let mut rest = &superblock.system_chunks[..];
        while !rest.is_empty() {
            let (key, behind) = first::<RawKey>(rest, "a key in the superblock")?;
            let key = key.get();
            let (raw, _) = first::<RawChunk>(behind, "a chunk in the superblock")?;
            let len = size_of::<RawChunk>() + usize::from(raw.stripes.get()) * size_of::<RawStripe>();
            let (bytes, behind) = behind
                .split_at_checked(len)
                .ok_or_else(|| Error::corrupt("has a superblock in which a chunk is cut off"))?;
            let chunk = Chunk::parse(key.offset, bytes, superblock)?;
            if key.kind != kind::CHUNK || key.object != object::CHUNKS || chunk.flags & group::SYSTEM == 0 {
                return Err(Error::corrupt("has a superblock with something else among the system chunks"));
            }
            chunks.push(chunk);
            rest = behind;
        }
        chunks.sort_unstable_by_key(|chunk| chunk.logical);
        Self::checked(chunks)
    }

    /// All chunks, from the chunk tree, which is in those of `system`.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`; those of reading.
    pub(super) fn read(trees: &mut Trees<'_>, system: &Chunks) -> Result<Self> {
        let superblock = trees.superblock;
        let mut chunks = Vec::new();
        let mut allocated = None;
        trees.walk(system, object::CHUNK_TREE, superblock.chunk_root, &mut |key, bytes| {
            match (key.object, key.kind) {
                (object::CHUNKS, kind::CHUNK) => {
                    if chunks.len() >= MOST_CHUNKS {
                        return Err(Error::unsupported(format!("has more than {MOST_CHUNKS} chunks")));
                    }
                    chunks.push(Chunk::parse(key.offset, bytes, superblock)?);
                }
                (object::DEVICES, kind::DEVICE) => {
                    let (raw, _) = first::<RawDevice>(bytes, "a device item")?;
                    let found = Device { id: raw.id.get(), size: raw.total_bytes.get(), uuid: raw.uuid };
                    if found != superblock.device || key.offset != found.id {
                        return Err(Error::corrupt("has a device item that differs from the superblock's"));
                    }
                    allocated = Some(raw.bytes_used.get());
                }
                _ => {
                    return Err(Error::unsupported(format!("has unknown items of kind {} among its chunks", key.kind)));
                }
            }
            Ok(())
        })?;
        let chunks = Self::checked(chunks)?;
        let same = |chunk: &Chunk| chunks.at(chunk.logical).is_some_and(|(_, other)| other == chunk);
        if !system.0.iter().all(same) {
            return Err(Error::corrupt("has a chunk tree that contradicts the superblock"));
        }
        let total = chunks.0.iter().map(|chunk| u128::from(chunk.length) * chunk.copies as u128).sum::<u128>();
        match allocated {
            Some(allocated) if u128::from(allocated) == total => Ok(chunks),
            Some(allocated) => Err(Error::corrupt(format!(
                "has a device of which {allocated} bytes are said to be in chunks, and chunks of {total}"
            ))),
            None => Err(Error::corrupt("has no device item")),
        }
    }

    /// The chunk that begins at `logical`, and which it is.
    pub(super) fn at(&self, logical: u64) -> Option<(usize, &Chunk)> {
        let index = self.0.binary_search_by_key(&logical, |chunk| chunk.logical).ok()?;
        Some((index, &self.0[index]))
    }

    fn checked(chunks: Vec<Chunk>) -> Result<Self> {
        match chunks.windows(2).find(|pair| pair[0].end() > pair[1].logical) {
            Some(pair) => Err(Error::corrupt(format!("has chunks that overlap at {}", pair[1].logical))),
            None => Ok(Chunks(chunks)),
        }
    }

    /// All of them, ascending.
    pub(super) fn all(&self) -> &[Chunk] {
        &self.0
    }

    /// The device's byte where the first copy of `len` bytes at `logical` is.
    ///
    /// # Errors
    /// `Corrupt` when they are not all in one chunk for metadata.
    pub(super) fn place(&self, logical: u64, len: u64) -> Result<u64> {
        let index = self.0.partition_point(|chunk| chunk.end() <= logical);
        let end = logical.saturating_add(len);
        let holds = |chunk: &&Chunk| {
            chunk.logical <= logical && end <= chunk.end() && chunk.flags & (group::METADATA | group::SYSTEM) != 0
        };
        let place = self.0.get(index).filter(holds).and_then(|chunk| chunk.on_device(logical..end).next());
        place
            .map(|place| place.start)
            .ok_or_else(|| Error::corrupt(format!("points to {logical}, where no tree block can be")))
    }
}
