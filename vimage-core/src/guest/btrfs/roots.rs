//! The root tree: where the other trees begin, and whether something is unfinished.

use super::chunks::Chunks;
use super::layout::{RawRoot, first, kind, object};
use super::tree::{Pointer, Trees};
use crate::error::{Error, Result};

/// Where the trees begin that tell of space.
#[derive(Debug)]
pub(super) struct Roots {
    pub(super) extents: Pointer,
    pub(super) device: Pointer,
    /// Where block groups have a tree of their own.
    pub(super) groups: Option<Pointer>,
}

impl Roots {
    /// # Errors
    /// `Unsupported` in the middle of a balance; `Corrupt`; those of reading.
    pub(super) fn read(trees: &mut Trees<'_>, chunks: &Chunks) -> Result<Self> {
        let superblock = trees.superblock;
        let (mut extents, mut device, mut groups) = (None, None, None);
        trees.walk(chunks, object::ROOT_TREE, superblock.root, &mut |key, bytes| {
            let unfinished = match key.kind {
                kind::ROOT => key.object == object::TREE_RELOC,
                kind::TEMPORARY => key.object == object::BALANCE,
                _ => false,
            };
            if unfinished {
                return Err(Error::unsupported("is in the middle of a balance")
                    .with_hint("mount it and let the balance end, or cancel it"));
            }
            let root = match (key.kind, key.object) {
                (kind::ROOT, object::EXTENT_TREE) => &mut extents,
                (kind::ROOT, object::DEVICE_TREE) => &mut device,
                (kind::ROOT, object::GROUP_TREE) => &mut groups,
                _ => return Ok(()),
            };
            let (raw, _) = first::<RawRoot>(bytes, "a root")?;
            let (logical, generation, level) = (raw.logical.get(), raw.generation.get(), raw.level);
            if key.offset != 0 || root.is_some() {
                return Err(Error::unsupported(format!("has more than one tree {}", key.object)));
            }
            *root = Some(Pointer { logical, generation, level });
            Ok(())
        })?;
        match (extents, device) {
            (Some(extents), Some(device)) if groups.is_some() == superblock.has_group_tree => {
                Ok(Roots { extents, device, groups })
            }
            _ => Err(Error::corrupt("has a root tree in which a tree is missing, or one too many")),
        }
    }
}
