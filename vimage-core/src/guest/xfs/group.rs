//! One allocation group: its headers, its trees of free extents, and whether they agree.

use super::layout::{
    AGF_MAGIC, AGFL_MAGIC, AGI_MAGIC, HEADER_VERSION, RawAgf, RawAgfl, RawAgi, checks_out, checksum_at,
};
use super::superblock::Geometry;
use super::tree::{Extent, Found, Order, Tree};
use crate::error::{Error, Result};
use crate::guest::free::Free;
use crate::guest::volume::Volume;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Puts into `free` what is free in a group, and gives the number of blocks that the superblock counts as free for it:
/// those, the ones set aside in the list, and the trees' blocks but for their roots.
///
/// # Errors
/// `Corrupt` where not all that the group says agrees.
pub(super) fn survey(volume: &Volume<'_>, geometry: &Geometry, group: u32, free: &mut Free) -> Result<u64> {
    if group > 0 {
        geometry.check_copy(volume, group)?;
    }
    let headers = Headers::read(volume, geometry, group)?;
    let Headers { agf, .. } = &headers;
    let mut taken = headers.taken()?;
    let tree = |order, root: u32, levels: u32| Tree { volume, geometry, group, order, root, levels };
    let by_place = tree(Order::Place, agf.by_place_root.get(), agf.by_place_levels.get());
    let by_size = tree(Order::Size, agf.by_size_root.get(), agf.by_size_levels.get());

    let (first, second) = (Tally::of(&by_place, &mut taken)?, Tally::of(&by_size, &mut taken)?);
    if first.extents != second.extents || first.blocks != second.blocks || first.print != second.print {
        return Err(headers.corrupt("has two trees of free space that do not agree"));
    }
    if first.blocks != u64::from(agf.free_blocks.get()) || first.longest != agf.longest.get() {
        let (blocks, counted, longest) = (first.blocks, agf.free_blocks, agf.longest);
        return Err(headers.corrupt(&format!(
            "counts {counted} free blocks, {longest} in a row at most, and has {blocks}, {} in a row",
            first.longest
        )));
    }
    let mut tree_blocks = first.inner_blocks + second.inner_blocks;
    if geometry.features.reverse_map {
        tree_blocks += u64::from(agf.reverse_map_blocks.get()).saturating_sub(1);
    }
    if geometry.features.counts_tree_blocks && tree_blocks != u64::from(agf.tree_blocks.get()) {
        let counted = agf.tree_blocks;
        return Err(headers.corrupt(&format!("counts {counted} blocks of trees and has {tree_blocks}")));
    }

    taken.sort_unstable_by_key(|extent| extent.start);
    let twice = taken.iter().zip(taken.iter().skip(1)).find(|(one, next)| end(**one) > next.start.into());
    if let Some((_, next)) = twice {
        return Err(headers.corrupt(&format!("uses block {} twice", next.start)));
    }
    let mut taken = taken.into_iter().peekable();
    by_place.walk(|found| {
        let Found::Free(extent) = found else { return Ok(()) };
        while taken.next_if(|used| end(*used) <= extent.start.into()).is_some() {}
        if let Some(used) = taken.peek().filter(|used| u64::from(used.start) < end(extent)) {
            return Err(headers.corrupt(&format!("calls block {} free, which is in use", used.start.max(extent.start))));
        }
        let start = geometry.offset(group, extent.start);
        free.push(start..start + u64::from(extent.blocks) * u64::from(geometry.block))
    })?;
    Ok(first.blocks + u64::from(agf.list_count.get()) + tree_blocks)
}

/// The block behind an extent.
fn end(extent: Extent) -> u64 {
    u64::from(extent.start) + u64::from(extent.blocks)
}

/// What a tree holds in all.
#[derive(Default)]
struct Tally {
    extents: u64,
    blocks: u64,
    longest: u32,
    /// The same for the same extents in any order.
    print: u64,
    /// The tree's own blocks but for the root.
    inner_blocks: u64,
}

impl Tally {
    /// Goes through a tree and adds its own blocks to `taken`.
    fn of(tree: &Tree<'_>, taken: &mut Vec<Extent>) -> Result<Self> {
        let mut tally = Tally::default();
        tree.walk(|found| {
            match found {
                Found::Block(block) => {
                    tally.inner_blocks += u64::from(block != tree.root);
                    taken.push(Extent { start: block, blocks: 1 });
                }
                Found::Free(extent) => {
                    tally.extents += 1;
                    tally.blocks += u64::from(extent.blocks);
                    tally.longest = tally.longest.max(extent.blocks);
                    tally.print = tally.print.wrapping_add(scattered(extent));
                }
            }
            Ok(())
        })?;
        Ok(tally)
    }
}

/// An extent as a number that looks like any other (the finish of SplitMix64).
fn scattered(extent: Extent) -> u64 {
    let bits = u64::from(extent.start) << 32 | u64::from(extent.blocks);
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// The three sectors behind the superblock's copy.
struct Headers<'a> {
    volume: &'a Volume<'a>,
    geometry: &'a Geometry,
    group: u32,
    agf: RawAgf,
    agi: RawAgi,
    /// The blocks set aside.
    list: Vec<u32>,
}

impl<'a> Headers<'a> {
    fn read(volume: &'a Volume<'a>, geometry: &'a Geometry, group: u32) -> Result<Self> {
        let at = geometry.offset(group, 0);
        let sector = geometry.sector as usize;
        let bytes = volume.read(at, 4 * sector)?;
        let (_, bytes) = bytes.split_at(sector);
        let wrong = |what: &str, index: u64| {
            Error::corrupt(format!("allocation group {group} has {what}"))
                .at_offset(volume.disk_offset(at + index * sector as u64))
        };
        let (agf_bytes, bytes) = bytes.split_at(sector);
        let (agi_bytes, agfl_bytes) = bytes.split_at(sector);
        let (agf, agi): (RawAgf, RawAgi) = match (prefix(agf_bytes), prefix(agi_bytes)) {
            (Some(agf), Some(agi)) => (agf, agi),
            _ => return Err(wrong("no headers", 1)),
        };
        let own = |magic: (u32, u32), version: u32, number: u32, blocks: u32, uuid: [u8; 16]| {
            magic.0 == magic.1
                && (version, number, blocks) == (HEADER_VERSION, group, geometry.length(group))
                && (!geometry.features.sealed || uuid == geometry.metadata_uuid)
        };
        let is_sound = |bytes: &[u8], at: usize| !geometry.features.sealed || checks_out(bytes, at);
        if !own((agf.magic.get(), AGF_MAGIC), agf.version.get(), agf.number.get(), agf.blocks.get(), agf.uuid) {
            return Err(wrong("no header of free space", 1));
        }
        if !is_sound(agf_bytes, checksum_at::AGF) {
            return Err(wrong("a header of free space with a wrong checksum", 1));
        }
        if !own((agi.magic.get(), AGI_MAGIC), agi.version.get(), agi.number.get(), agi.blocks.get(), agi.uuid) {
            return Err(wrong("no header of inodes", 2));
        }
        if !is_sound(agi_bytes, checksum_at::AGI) {
            return Err(wrong("a header of inodes with a wrong checksum", 2));
        }
        let mut places = agfl_bytes;
        if geometry.features.sealed {
            let agfl: RawAgfl = prefix(agfl_bytes).ok_or_else(|| wrong("no list of blocks", 3))?;
            if (agfl.magic.get(), agfl.number.get(), agfl.uuid) != (AGFL_MAGIC, group, geometry.metadata_uuid) {
                return Err(wrong("no list of blocks set aside", 3));
            }
            if !checks_out(agfl_bytes, checksum_at::AGFL) {
                return Err(wrong("a list of blocks set aside with a wrong checksum", 3));
            }
            places = agfl_bytes.get(size_of::<RawAgfl>()..).unwrap_or_default();
        }
        let list =
            list(&agf, places.as_chunks().0).ok_or_else(|| wrong("an impossible list of blocks set aside", 3))?;
        Ok(Headers { volume, geometry, group, agf, agi, list })
    }

    fn corrupt(&self, what: &str) -> Error {
        let at = self.geometry.offset(self.group, 0) + u64::from(self.geometry.sector);
        Error::corrupt(format!("allocation group {} {what}", self.group)).at_offset(self.volume.disk_offset(at))
    }

    /// What is known to be in use, but for the blocks of the trees of free space.
    ///
    /// # Errors
    /// `Corrupt` where some of it is not in the group.
    fn taken(&self) -> Result<Vec<Extent>> {
        let Headers { geometry, agf, agi, .. } = self;
        let mut taken = vec![Extent { start: 0, blocks: geometry.header_blocks() }];
        let (log_group, log) = &geometry.log;
        if *log_group == self.group {
            taken.push(Extent { start: log.start, blocks: log.end - log.start });
        }
        let root_inode = (geometry.root_inode.0 == self.group).then_some(geometry.root_inode.1);
        let single = [
            Some(agi.root.get()),
            geometry.features.free_inode_tree.then_some(agi.free_root.get()),
            geometry.features.reverse_map.then_some(agf.reverse_map_root.get()),
            geometry.features.references.then_some(agf.reference_root.get()),
            root_inode,
        ];
        for start in single.into_iter().flatten().chain(self.list.iter().copied()) {
            if start >= geometry.length(self.group) {
                return Err(self.corrupt(&format!("points to block {start} of {}", geometry.length(self.group))));
            }
            taken.push(Extent { start, blocks: 1 });
        }
        Ok(taken)
    }
}

/// The blocks in the list, which goes round; none where it cannot be so.
fn list(agf: &RawAgf, places: &[[u8; 4]]) -> Option<Vec<u32>> {
    let (first, last, count) =
        (agf.list_first.get() as usize, agf.list_last.get() as usize, agf.list_count.get() as usize);
    let size = places.len();
    if first >= size || last >= size || count > size {
        return None;
    }
    // An empty list ends before it starts, and so does a full one.
    let between = (last + size - first) % size + 1;
    if count % size != between % size {
        return None;
    }
    let place = |index: usize| places.get((first + index) % size).map(|place| u32::from_be_bytes(*place));
    (0..count).map(place).collect()
}

/// The structure that `bytes` start with.
fn prefix<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Option<T> {
    T::read_from_prefix(bytes).ok().map(|(raw, _)| raw)
}
