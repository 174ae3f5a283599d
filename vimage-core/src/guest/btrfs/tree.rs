//! The trees: every block is checked against its checksum, against what points to it, and for the order of its keys.

use super::chunks::Chunks;
use super::layout::{Key, LEVELS, RawHeader, RawItem, RawPointer, first, object};
use super::superblock::Superblock;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use zerocopy::FromBytes;

/// What points to a tree block, and says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) logical: u64,
    pub(super) generation: u64,
    pub(super) level: u8,
}

/// Takes the items of a tree in the order of their keys.
pub(super) type Visit<'v> = dyn FnMut(Key, &[u8]) -> Result<()> + 'v;

/// Which blocks are a tree's, added up in any order: those that are met in it, and those that the extent tree tells of, must
/// be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    blocks: u64,
    mixed: u64,
}

/// The trees whose blocks are tallied: all that are walked.
const TALLIED: [u64; 5] =
    [object::ROOT_TREE, object::EXTENT_TREE, object::CHUNK_TREE, object::DEVICE_TREE, object::GROUP_TREE];

/// The tallies of all trees that are walked.
#[derive(Debug, Clone, Default)]
pub(super) struct Tallies([Tally; TALLIED.len()]);

impl Tallies {
    /// Notes a block of `tree`.
    pub(super) fn add(&mut self, tree: u64, logical: u64) {
        for (tally, tallied) in self.0.iter_mut().zip(TALLIED) {
            if tallied == tree {
                tally.blocks = tally.blocks.wrapping_add(1);
                let mixed = (logical ^ logical >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                tally.mixed = tally.mixed.wrapping_add(mixed ^ mixed >> 32);
            }
        }
    }

    /// # Errors
    /// `Corrupt` when the extent tree tells of other blocks than were `met`.
    pub(super) fn compare(&self, met: &Self) -> Result<()> {
        for ((told, met), tree) in self.0.iter().zip(met.0).zip(TALLIED) {
            if *told != met {
                return Err(Error::corrupt(format!(
                    "has {} blocks of tree {tree}, and its extent tree tells of {} or of others",
                    met.blocks, told.blocks
                )));
            }
        }
        Ok(())
    }
}

/// Walks trees.
pub(super) struct Trees<'a> {
    pub(super) volume: &'a Volume<'a>,
    pub(super) superblock: &'a Superblock,
    /// The blocks that were met.
    pub(super) met: Tallies,
    /// How many more there can be on the device.
    left: u64,
}

impl<'a> Trees<'a> {
    pub(super) fn of(volume: &'a Volume<'a>, superblock: &'a Superblock) -> Self {
        let left = superblock.device.size / superblock.node_size;
        Trees { volume, superblock, met: Tallies::default(), left }
    }

    /// Shows all items of `tree` to `visit`.
    ///
    /// # Errors
    /// `Corrupt` and `Unsupported`, of the tree and of `visit`; those of reading.
    pub(super) fn walk(&mut self, chunks: &Chunks, tree: u64, root: Pointer, visit: &mut Visit<'_>) -> Result<()> {
        if root.level >= LEVELS {
            return Err(Error::corrupt(format!("has a tree {tree} of {} levels", root.level)));
        }
        self.descend(chunks, tree, root, None, &mut None, visit)
    }

    /// Deeper each time by one level, so never more than [`LEVELS`] deep. `begins` is the key that the parent has for this
    /// block, `last` that of the item before.
    fn descend(
        &mut self,
        chunks: &Chunks,
        tree: u64,
        at: Pointer,
        begins: Option<Key>,
        last: &mut Option<Key>,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let (volume, superblock) = (self.volume, self.superblock);
        let place = chunks.place(at.logical, superblock.node_size)?;
        let located = |error: Error| error.at_offset(volume.disk_offset(place));
        self.left = self.left.checked_sub(1).ok_or_else(|| Error::corrupt("has more tree blocks than fit on it"))?;
        let bytes = volume.read(place, superblock.node_size as usize)?;
        let (header, body) = check(&bytes, superblock, tree, at).map_err(located)?;
        self.met.add(tree, at.logical);
        let count = header.items.get() as usize;
        if at.level == 0 {
            return leaf(body, count, begins, last, visit).map_err(located);
        }
        let (pointers, _) = <[RawPointer]>::ref_from_prefix_with_elems(body, count)
            .map_err(|_| located(Error::corrupt(format!("has a tree block with {count} pointers"))))?;
        let first_key = pointers.first().map(|pointer| pointer.key.get());
        if first_key.is_none() || begins.is_some_and(|begins| Some(begins) != first_key) {
            return Err(located(Error::corrupt("has a tree block that begins with another key than its parent says")));
        }
        for pointer in pointers {
            let (logical, generation) = (pointer.logical.get(), pointer.generation.get());
            let child = Pointer { logical, generation, level: at.level - 1 };
            if generation > at.generation {
                return Err(located(Error::corrupt("has a tree block that is newer than what points to it")));
            }
            self.descend(chunks, tree, child, Some(pointer.key.get()), last, visit)?;
        }
        Ok(())
    }
}

/// Checks a block against what is said of it; gives its header and what follows.
fn check<'b>(bytes: &'b [u8], superblock: &Superblock, tree: u64, at: Pointer) -> Result<(&'b RawHeader, &'b [u8])> {
    let (header, body) = first::<RawHeader>(bytes, "a tree block")?;
    let wrong = |what: &str| Err(Error::corrupt(format!("has a block of tree {tree} with a wrong {what}")));
    match () {
        () if !superblock.checksum.holds(bytes) => wrong("checksum"),
        () if header.logical.get() != at.logical => wrong("address"),
        () if header.fsid != superblock.uuid => wrong("UUID"),
        () if header.generation.get() != at.generation || at.generation > superblock.generation => wrong("generation"),
        () if header.level != at.level => wrong("level"),
        () if header.owner.get() != tree => wrong("owner"),
        () => Ok((header, body)),
    }
}

/// Shows the items of a leaf. Their data lie without gaps from the end of the block towards the items.
fn leaf(body: &[u8], count: usize, begins: Option<Key>, last: &mut Option<Key>, visit: &mut Visit<'_>) -> Result<()> {
    let (items, rest) = <[RawItem]>::ref_from_prefix_with_elems(body, count)
        .map_err(|_| Error::corrupt(format!("has a leaf of {count} items")))?;
    let table = body.len() - rest.len();
    if begins.is_some() && items.first().map(|item| item.key.get()) != begins {
        return Err(Error::corrupt("has a leaf that begins with another key than its parent says"));
    }
    let mut end = body.len();
    for item in items {
        let key = item.key.get();
        if last.is_some_and(|last| key <= last) {
            return Err(Error::corrupt("has a tree whose keys are out of order"));
        }
        let (start, len) = (item.offset.get() as usize, item.size.get() as usize);
        if start < table || start.checked_add(len) != Some(end) {
            return Err(Error::corrupt("has a leaf whose items do not lie end to end"));
        }
        let Some(data) = body.get(start..end) else {
            return Err(Error::corrupt("has a leaf with an item outside"));
        };
        visit(key, data)?;
        *last = Some(key);
        end = start;
    }
    Ok(())
}
