//! The extent tree: every extent in the order of the logical space. What lies between them in a block group is free, in each
//! copy of the chunk.

use super::chunks::{Chunk, Chunks};
use super::device;
use super::layout::{Key, LEVELS, RawBlockInfo, RawExtent, RawGroup, RawReference, extent, first, group, kind, object};
use super::superblock::Superblock;
use super::tree::Tallies;
use crate::error::{Error, Result};
use crate::guest::free::Free;
use std::ops::Range;

/// What is known of a block group: the chunk of the same number.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    /// Bytes in use, by its item.
    used: Option<u64>,
    /// Bytes of the extents that were met in it.
    met: u64,
}

/// Takes the items of the extent tree as they come and calls the gaps free. Holds none of them.
pub(super) struct Space<'a> {
    superblock: &'a Superblock,
    chunks: &'a Chunks,
    free: &'a mut Free,
    groups: Vec<Group>,
    /// The chunk that is being gone through, and the end of the last extent.
    current: usize,
    at: u64,
    /// Where the last extent began: what references refer to.
    last: Option<u64>,
    /// The blocks of which the extent tree tells.
    told: Tallies,
}

impl<'a> Space<'a> {
    pub(super) fn of(superblock: &'a Superblock, chunks: &'a Chunks, free: &'a mut Free) -> Self {
        let groups = vec![Group::default(); chunks.all().len()];
        Space { superblock, chunks, free, groups, current: 0, at: 0, last: None, told: Tallies::default() }
    }

    /// Takes an item of the extent tree.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    pub(super) fn extent_item(&mut self, key: Key, bytes: &[u8]) -> Result<()> {
        match key.kind {
            kind::EXTENT | kind::METADATA => self.extent(key, bytes),
            kind::TREE_BLOCK_REF | kind::EXTENT_DATA_REF | kind::SHARED_BLOCK_REF | kind::SHARED_DATA_REF => {
                if self.last != Some(key.object) {
                    return Err(Error::corrupt(format!("refers to an extent at {} that is not there", key.object)));
                }
                if key.kind == kind::TREE_BLOCK_REF {
                    self.told.add(key.offset, key.object);
                }
                Ok(())
            }
            kind::BLOCK_GROUP if !self.superblock.has_group_tree => self.group_item(key, bytes),
            _ => Err(Error::unsupported(format!("has unknown items of kind {} among its extents", key.kind))),
        }
    }

    /// Takes the item of a block group.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    pub(super) fn group_item(&mut self, key: Key, bytes: &[u8]) -> Result<()> {
        if key.kind != kind::BLOCK_GROUP {
            return Err(Error::unsupported(format!("has unknown items of kind {} among its block groups", key.kind)));
        }
        let (raw, _) = first::<RawGroup>(bytes, "a block group")?;
        let same = |chunk: &Chunk| chunk.length == key.offset && chunk.flags == raw.flags.get();
        match self.chunks.at(key.object) {
            Some((index, chunk)) if same(chunk) && raw.chunk_object.get() == object::CHUNKS => {
                self.groups[index].used = Some(raw.used.get());
                Ok(())
            }
            _ => Err(Error::corrupt(format!("has a block group at {} that is no chunk", key.object))),
        }
    }

    fn extent(&mut self, key: Key, bytes: &[u8]) -> Result<()> {
        let (start, node_size) = (key.object, self.superblock.node_size);
        let (raw, mut references) = first::<RawExtent>(bytes, "an extent")?;
        let is_short = key.kind == kind::METADATA;
        let len = if is_short { node_size } else { key.offset };
        let (is_block, needs) = match raw.flags.get() & !extent::FULL_BACKREF {
            extent::TREE_BLOCK => (true, group::METADATA | group::SYSTEM),
            extent::DATA if !is_short && raw.flags.get() == extent::DATA => (false, group::DATA),
            flags => return Err(Error::unsupported(format!("has an extent at {start} with unknown flags {flags:#x}"))),
        };
        let whole = |bytes: u64| bytes.is_multiple_of(self.superblock.sector_size);
        let sound = len > 0
            && whole(start)
            && whole(len)
            && raw.references.get() > 0
            && raw.generation.get() <= self.superblock.generation
            && (!is_block || len == node_size)
            && (!is_short || key.offset < LEVELS.into());
        let chunk = self.go_to(start)?;
        // `start` lies before its end.
        let within =
            chunk.is_some_and(|chunk| chunk.logical <= start && len <= chunk.end() - start && chunk.flags & needs != 0);
        if !sound || !within || start < self.at {
            return Err(Error::corrupt(format!("has an impossible extent of {len} bytes at {start}")));
        }
        if is_block {
            if !is_short {
                references = first::<RawBlockInfo>(references, "a tree block's extent")?.1;
            }
            // Trees that belong to no subvolume are shared with none: their blocks have one reference.
            if !references.is_empty() {
                let (reference, _) = first::<RawReference>(references, "a reference")?;
                if reference.kind == kind::TREE_BLOCK_REF {
                    self.told.add(reference.object.get(), start);
                }
            }
        }
        self.gap(start)?;
        // There is a chunk, so there is the group of the same number; it cannot hold more than its length.
        self.groups[self.current].met += len;
        self.at = start + len;
        self.last = Some(start);
        Ok(())
    }

    /// Calls the rest of all chunks free that end before `start`, and gives the next.
    fn go_to(&mut self, start: u64) -> Result<Option<Chunk>> {
        loop {
            match self.chunks.all().get(self.current) {
                Some(chunk) if chunk.end() <= start => {
                    self.gap(chunk.end())?;
                    self.current += 1;
                }
                other => return Ok(other.copied()),
            }
        }
    }

    /// Calls the current chunk free from the last extent to `end`.
    fn gap(&mut self, end: u64) -> Result<()> {
        let Some(chunk) = self.chunks.all().get(self.current) else { return Ok(()) };
        let Range { start, end } = self.at.max(chunk.logical)..end;
        if start < end {
            for range in chunk.on_device(start..end) {
                device::push(self.free, range)?;
            }
        }
        Ok(())
    }

    /// Calls what is behind the last extent free, and compares all that counts something. `met` are the blocks of the trees
    /// that were walked.
    ///
    /// # Errors
    /// `Corrupt` when something was counted otherwise.
    pub(super) fn finish(mut self, met: &Tallies) -> Result<()> {
        self.go_to(u64::MAX)?;
        let mut total = 0_u64;
        for (group, chunk) in self.groups.iter().zip(self.chunks.all()) {
            let Group { used, met } = *group;
            match used {
                Some(used) if used == met => total = total.saturating_add(used),
                Some(used) => {
                    let at = chunk.logical;
                    return Err(Error::corrupt(format!(
                        "has a block group at {at} that counts {used} bytes in use, and extents of {met} in it"
                    )));
                }
                None => return Err(Error::corrupt(format!("has a chunk at {} without a block group", chunk.logical))),
            }
        }
        if total != self.superblock.bytes_used {
            return Err(Error::corrupt(format!(
                "counts {} bytes in use, and has extents of {total}",
                self.superblock.bytes_used
            )));
        }
        self.told.compare(met)
    }
}
