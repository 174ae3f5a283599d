//! Gives a file system that mkfs.btrfs has just made a block group tree, which not every mkfs.btrfs can. The kernel and
//! `btrfs check` are shown what comes of it.

use super::image::{Image, Leaf, add};
use std::path::Path;

const GROUP: u8 = 192;
const METADATA_ITEM: u8 = 169;
const ROOT_ITEM: u8 = 132;
const FREE_EXTENT: u8 = 199;
const GROUP_TREE: u64 = 11;

pub(crate) fn give(disk: &Path) {
    let image = Image::of(disk);
    let node = image.node_size as u64;
    // The last block of the metadata is free in a new file system.
    let (start, length, ..) = image.chunks.iter().find(|chunk| chunk.2.starts_with("METADATA")).unwrap();
    let logical = start + length - node;
    let mut groups = Leaf::of(&image.block(image.root("extent")));
    let generation = groups.header[80..88].to_vec();
    groups.items.retain(|(key, _)| key.1 == GROUP);
    for (key, data) in &mut groups.items {
        if key.0 == *start {
            add(data, 0, node as i64);
        }
    }
    groups.header[48..56].copy_from_slice(&logical.to_le_bytes());
    groups.header[88..96].copy_from_slice(&GROUP_TREE.to_le_bytes());
    image.put(logical, groups.bytes(image.node_size));
    image.edit("extent", |leaf| {
        leaf.items.retain(|(key, _)| key.1 != GROUP);
        // One reference, a tree block, referred to by the tree of block groups.
        let mut item = 1_u64.to_le_bytes().to_vec();
        item.extend(generation);
        item.extend(2_u64.to_le_bytes());
        item.push(176);
        item.extend(GROUP_TREE.to_le_bytes());
        leaf.insert((logical, METADATA_ITEM, 0), item);
    });
    image.edit("root", |leaf| {
        let (_, extents) = leaf.items.iter().find(|(key, _)| (key.0, key.1) == (2, ROOT_ITEM)).unwrap();
        let mut root = extents.clone();
        root[176..184].copy_from_slice(&logical.to_le_bytes());
        leaf.insert((GROUP_TREE, ROOT_ITEM, 0), root);
    });
    image.edit("free space", |leaf| {
        let ends = |key: &(u64, u8, u64)| key.1 == FREE_EXTENT && key.0 + key.2 == start + length;
        leaf.items.iter_mut().find(|(key, _)| ends(key)).unwrap().0.2 -= node;
    });
    image.edit_superblock(|superblock| {
        add(superblock, 0x78, node as i64);
        superblock[0xb4] |= 1 << 3;
    });
}
