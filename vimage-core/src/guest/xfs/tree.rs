//! The two trees of a group's free extents. Their blocks point to each other by number in the group: down to the children, and
//! to both neighbours in the same level.

use super::layout::{NULL_BLOCK, RawExtent, RawTreeBlock, RawTreeSeal, checks_out, checksum_at};
use super::superblock::Geometry;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use zerocopy::FromBytes;

/// No tree of XFS is higher.
const MOST_LEVELS: u32 = 9;

/// By what a tree is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Place,
    Size,
}

/// A free extent: blocks of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u32,
    pub(super) blocks: u32,
}

/// What a walk tells.
pub(super) enum Found {
    /// One of the tree's own blocks.
    Block(u32),
    /// A free extent, in the tree's order.
    Free(Extent),
}

/// Where a tree is, and how high.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a> {
    pub(super) volume: &'a Volume<'a>,
    pub(super) geometry: &'a Geometry,
    pub(super) group: u32,
    pub(super) order: Order,
    pub(super) root: u32,
    pub(super) levels: u32,
}

impl Tree<'_> {
    /// Goes through all of it and tells `found`. As extents must ascend, no block can come twice.
    ///
    /// # Errors
    /// `Corrupt` where it is not a sound tree; those of `found`.
    pub(super) fn walk(&self, found: impl FnMut(Found) -> Result<()>) -> Result<()> {
        if !(1..=MOST_LEVELS).contains(&self.levels) {
            let what = format!("a tree of allocation group {} has {} levels", self.group, self.levels);
            return Err(Error::corrupt(what).at_offset(self.volume.disk_offset(self.geometry.offset(self.group, 0))));
        }
        let mut walk = Walk { tree: self, neighbors: vec![None; self.levels as usize], last: None, found };
        walk.visit(self.root, self.levels - 1, (0, 0))?;
        match walk.neighbors.iter().flatten().find(|(_, right)| *right != NULL_BLOCK) {
            Some((block, _)) => Err(self.corrupt(*block, "has a neighbour that its parents do not know")),
            None => Ok(()),
        }
    }

    fn corrupt(&self, block: u32, what: &str) -> Error {
        let Tree { volume, geometry, group, .. } = self;
        let what = format!("block {block} of allocation group {group}, in the tree of free space, {what}");
        Error::corrupt(what).at_offset(volume.disk_offset(geometry.offset(*group, block)))
    }

    /// Reads a block and checks what is said of it: its level, the number of its records, its neighbours.
    fn read(&self, block: u32, level: u32) -> Result<(RawTreeBlock, Vec<u8>)> {
        let Tree { volume, geometry, group, .. } = self;
        let corrupt = |what: &str| self.corrupt(block, what);
        if block < geometry.header_blocks() || block >= geometry.length(*group) {
            return Err(Error::corrupt(format!("a tree of allocation group {group} points to block {block}"))
                .at_offset(volume.disk_offset(geometry.offset(*group, 0))));
        }
        let at = geometry.offset(*group, block);
        let bytes = volume.read(at, geometry.block as usize)?;
        let (raw, rest) = RawTreeBlock::read_from_prefix(&bytes).map_err(|_| corrupt("is cut short"))?;
        let magic = match (geometry.features.sealed, self.order) {
            (false, Order::Place) => b"ABTB",
            (false, Order::Size) => b"ABTC",
            (true, Order::Place) => b"AB3B",
            (true, Order::Size) => b"AB3C",
        };
        if raw.magic.get() != u32::from_be_bytes(*magic) {
            return Err(corrupt("is no block of that tree"));
        }
        if geometry.features.sealed {
            if !checks_out(&bytes, checksum_at::TREE_BLOCK) {
                return Err(corrupt("has a wrong checksum"));
            }
            let (seal, _) = RawTreeSeal::read_from_prefix(rest).map_err(|_| corrupt("is cut short"))?;
            let is_own =
                seal.owner.get() == *group && seal.uuid == geometry.metadata_uuid && seal.sector.get() == at / 512;
            if !is_own {
                return Err(corrupt("belongs elsewhere"));
            }
        }
        let (records, most) = (raw.records.get().into(), self.most_records(level));
        // All but the root are at least half full.
        let least = if level + 1 == self.levels { usize::from(level > 0) } else { most / 2 };
        if u32::from(raw.level.get()) != level || !(least..=most).contains(&records) {
            return Err(corrupt("has the wrong level or number of records"));
        }
        Ok((raw, bytes))
    }

    fn header(&self) -> usize {
        if self.geometry.features.sealed { 56 } else { 16 }
    }

    /// A leaf has extents of 8 bytes; other blocks have as many keys of 8 bytes and then pointers of 4.
    fn most_records(&self, level: u32) -> usize {
        (self.geometry.block as usize - self.header()) / if level == 0 { 8 } else { 12 }
    }

    /// By what an extent is sorted.
    fn key(&self, extent: Extent) -> (u32, u32) {
        match self.order {
            // Where an extent is told by its place, its length does not count in keys.
            Order::Place => (extent.start, 0),
            Order::Size => (extent.blocks, extent.start),
        }
    }
}

struct Walk<'a, F> {
    tree: &'a Tree<'a>,
    /// For each level the block seen last, and which it says is to its right.
    neighbors: Vec<Option<(u32, u32)>>,
    last: Option<Extent>,
    found: F,
}

impl<F: FnMut(Found) -> Result<()>> Walk<'_, F> {
    /// Goes through what hangs on `block`. Nothing there may come before `low`. Is called no deeper than the tree is high.
    fn visit(&mut self, block: u32, level: u32, low: (u32, u32)) -> Result<()> {
        let (raw, bytes) = self.tree.read(block, level)?;
        let corrupt = |what: &str| self.tree.corrupt(block, what);
        let (left, right) = (raw.left.get(), raw.right.get());
        let neighbor = self.neighbors.get_mut(level as usize).ok_or_else(|| corrupt("lies too high"))?;
        let fits = match neighbor.replace((block, right)) {
            None => left == NULL_BLOCK,
            Some((last, its_right)) => left == last && its_right == block,
        };
        if !fits {
            return Err(corrupt("is not the neighbour of the one before"));
        }
        (self.found)(Found::Block(block))?;
        let records = usize::from(raw.records.get());
        let body = bytes.get(self.tree.header()..).unwrap_or_default();
        let (extents, _) = body.as_chunks::<8>();
        let mut extents = extents.iter().take(records).map(extent);
        if level == 0 {
            return extents.try_for_each(|extent| self.leaf(block, extent, low));
        }
        let pointers = body.get(self.tree.most_records(level) * 8..).unwrap_or_default();
        let (pointers, _) = pointers.as_chunks::<4>();
        for (key, pointer) in extents.zip(pointers) {
            let key = self.tree.key(key);
            if key < low || self.last.is_some_and(|last| key <= self.tree.key(last)) {
                return Err(self.tree.corrupt(block, "has keys out of order"));
            }
            self.visit(u32::from_be_bytes(*pointer), level - 1, key)?;
        }
        Ok(())
    }

    fn leaf(&mut self, block: u32, extent: Extent, low: (u32, u32)) -> Result<()> {
        let tree = self.tree;
        let end = u64::from(extent.start) + u64::from(extent.blocks);
        if extent.blocks == 0
            || extent.start < tree.geometry.header_blocks()
            || end > tree.geometry.length(tree.group).into()
        {
            let Extent { start, blocks } = extent;
            return Err(tree.corrupt(block, &format!("calls {blocks} blocks from {start} on free")));
        }
        let ascends = match (self.last, tree.order) {
            (None, _) => true,
            (Some(last), Order::Place) => u64::from(last.start) + u64::from(last.blocks) <= extent.start.into(),
            (Some(last), Order::Size) => tree.key(last) < tree.key(extent),
        };
        if !ascends || tree.key(extent) < low {
            return Err(tree.corrupt(block, "has extents out of order"));
        }
        self.last = Some(extent);
        (self.found)(Found::Free(extent))
    }
}

fn extent(bytes: &[u8; 8]) -> Extent {
    let raw: RawExtent = zerocopy::transmute!(*bytes);
    Extent { start: raw.start.get(), blocks: raw.blocks.get() }
}
