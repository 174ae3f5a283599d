//! A btrfs that contradicts itself is kept whole, with the reason; whatever is in it does no harm.

use super::guest::{Scratch, have, noise, only, peek, poke, survey_of};
use super::image::{Image, Leaf, SUPERBLOCKS, add, seal, u64_at};
use super::{MIB, TOOLS, assert_kept, mkfs};
use std::fs;

/// A file system with so many files, made without mounting it.
fn base(scratch: &Scratch, files: usize, options: &[&str]) -> Image {
    let folder = scratch.path("files");
    fs::create_dir_all(&folder).unwrap();
    for number in 0..files {
        fs::write(folder.join(number.to_string()), noise(number as u64, 9000 + number % 5 * 40_000)).unwrap();
    }
    mkfs(&scratch.disk, &[&["--rootdir", folder.to_str().unwrap()], options].concat());
    assert_eq!(only(&survey_of(&scratch.disk)).kept, None);
    Image::of(&scratch.disk)
}

type Case = (&'static str, &'static str, fn(&Image));

/// In the superblock: what, the reason, and how.
const SUPERBLOCK: &[Case] = &[
    ("checksum", "superblock with a wrong checksum", |image| poke(&image.path, SUPERBLOCKS[0] + 0x130, b"x")),
    ("place", "superblock of byte", |image| image.edit_superblock(|block| add(block, 0x30, 4096))),
    ("log", "tree log", |image| image.edit_superblock(|block| add(block, 0x60, 4096))),
    ("zoned", "zoned", |image| image.edit_superblock(|block| block[0xbc + 1] |= 1 << 4)),
    ("extent tree", "extent-tree-v2", |image| image.edit_superblock(|block| block[0xbc + 1] |= 1 << 5)),
    ("stripe tree", "raid-stripe-tree", |image| image.edit_superblock(|block| block[0xbc + 1] |= 1 << 6)),
    ("remap tree", "remap-tree", |image| image.edit_superblock(|block| block[0xbc + 2] |= 1 << 1)),
    ("incompat", "unknown incompat flags 0x80000000", |image| image.edit_superblock(|block| block[0xbc + 3] |= 0x80)),
    ("compat_ro", "unknown compat_ro flags 0x10", |image| image.edit_superblock(|block| block[0xb4] |= 0x10)),
    ("compat", "unknown compat flags 0x1", |image| image.edit_superblock(|block| block[0xac] |= 1)),
    ("errors", "noted errors", |image| image.edit_superblock(|block| block[0x38] |= 1 << 2)),
    ("changing", "change of its UUID", |image| image.edit_superblock(|block| block[0x38 + 4] |= 1 << 3)),
    ("flag", "unknown superblock flags", |image| image.edit_superblock(|block| block[0x38 + 1] |= 1)),
    ("kind of checksum", "unknown kind 9", |image| image.edit_superblock(|block| block[0xc4] = 9)),
    ("devices", "lies on 2 devices", |image| image.edit_superblock(|block| block[0x88] = 2)),
    ("device size", "bytes, of which only", |image| image.edit_superblock(|block| add(block, 0xc9 + 8, 1 << 30))),
    ("less device", "differs from the superblock's", |image| {
        image.edit_superblock(|block| add(block, 0xc9 + 8, -4096));
    }),
    ("bytes used", "bytes in use, and has extents of", |image| image.edit_superblock(|block| add(block, 0x78, 4096))),
    ("generation", "wrong generation", |image| image.edit_superblock(|block| add(block, 0x48, 1))),
    ("node size", "nodes of 3", |image| {
        image.edit_superblock(|block| block[0x94..0x98].copy_from_slice(&[3, 0, 0, 0]));
    }),
    ("level", "wrong level", |image| image.edit_superblock(|block| block[0xc6] = 1)),
    ("height", "impossible root", |image| image.edit_superblock(|block| block[0xc7] = 8)),
    ("root", "where no tree block can be", |image| image.edit_superblock(|block| add(block, 0x50, 1 << 50))),
    ("system chunks", "more chunks than fit", |image| image.edit_superblock(|block| block[0xa2] = 1)),
    ("cut system chunks", "too short", |image| image.edit_superblock(|block| add(block, 0xa0, 5))),
    ("system chunk", "contradicts the superblock", |image| {
        image.edit_superblock(|block| add(block, 0x32b + 17, -65536));
    }),
    ("mirror", "mirror of the superblock that is newer", |image| {
        let mut mirror = peek(&image.path, SUPERBLOCKS[1], 4096);
        add(&mut mirror, 0x48, 1);
        seal(&mut mirror);
        poke(&image.path, SUPERBLOCKS[1], &mirror);
    }),
];

const EXTENT: u8 = 168;
const METADATA: u8 = 169;
const GROUP: u8 = 192;
const DEVICE_EXTENT: u8 = 204;
const CHUNK: u8 = 228;

/// In the trees.
const TREES: &[Case] = &[
    ("a group's count", "and extents of", |image| {
        image.edit("extent", |leaf| {
            let group = leaf.last(GROUP);
            add(&mut leaf.items[group].1, 0, 4096);
        });
    }),
    ("a group's flags", "that is no chunk", |image| {
        image.edit("extent", |leaf| {
            let group = leaf.last(GROUP);
            leaf.items[group].1[16] ^= 4;
        });
    }),
    ("no group", "without a block group", |image| {
        image.edit("extent", |leaf| drop(leaf.items.remove(leaf.last(GROUP))));
    }),
    ("no extent", "bytes in use, and extents of", |image| {
        image.edit("extent", |leaf| drop(leaf.items.remove(leaf.last(EXTENT))));
    }),
    ("a longer extent", "impossible extent", |image| {
        image.edit("extent", |leaf| {
            let extent = leaf.last(EXTENT);
            leaf.items[extent].0.2 += 1 << 40;
        });
    }),
    ("extents over each other", "impossible extent", |image| {
        image.edit("extent", |leaf| {
            let extent = leaf.items.iter().position(|(key, _)| key.1 == EXTENT).unwrap();
            leaf.items[extent].0.2 += 4096 * 20;
        });
    }),
    ("an unaligned extent", "impossible extent", |image| {
        image.edit("extent", |leaf| {
            let extent = leaf.last(EXTENT);
            leaf.items[extent].0.2 -= 1;
        });
    }),
    ("data among metadata", "impossible extent", |image| {
        image.edit("extent", |leaf| {
            let block = leaf.last(METADATA);
            leaf.items[block].0.1 = EXTENT;
            leaf.items[block].0.2 = 4096;
            leaf.items[block].1[16] = 1;
        });
    }),
    ("a foreign item", "unknown items of kind 172", |image| {
        image.edit("extent", |leaf| {
            let last = leaf.items.last().unwrap().0;
            leaf.insert((last.0 + 4096, 172, 0), Vec::new());
        });
    }),
    ("a reference to nothing", "that is not there", |image| {
        image.edit("extent", |leaf| {
            let last = leaf.items.last().unwrap().0;
            leaf.insert((last.0 + 4096, 178, 0), vec![0; 28]);
        });
    }),
    // All counters agree: only the blocks of the trees themselves tell that one is missing.
    ("no extent of a tree block", "of tree 4", |image| {
        let node = image.node_size as i64;
        let device = image.root("device");
        image.edit("extent", |leaf| {
            leaf.items.retain(|(key, _)| *key != (device, METADATA, 0));
            let group = leaf.items.iter_mut().filter(|(key, _)| key.1 == GROUP && key.0 <= device).last().unwrap();
            add(&mut group.1, 0, -node);
        });
        image.edit_superblock(|block| add(block, 0x78, -node));
    }),
    ("no device extent", "the device tree knows nothing", |image| {
        image.edit("device", |leaf| drop(leaf.items.remove(leaf.last(DEVICE_EXTENT))));
    }),
    ("a longer device extent", "that is no chunk's", |image| {
        image.edit("device", |leaf| {
            let extent = leaf.last(DEVICE_EXTENT);
            add(&mut leaf.items[extent].1, 24, 4096);
        });
    }),
    ("another device's extent", "that is no chunk's", |image| {
        image.edit("device", |leaf| {
            let extent = leaf.last(DEVICE_EXTENT);
            leaf.items[extent].0.0 = 2;
        });
    }),
    ("a replacement", "the replacement of its device", |image| {
        let state = [0, 0, 0, 0, 1, 0, 0, 0, 0].map(u64::to_le_bytes).concat();
        image.edit("device", |leaf| leaf.insert((0, 250, 0), state));
    }),
    ("a chunk elsewhere", "that is no chunk's", |image| {
        image.edit("chunk", |leaf| {
            let chunk = data_chunk(leaf);
            add(&mut leaf.items[chunk].1, 48 + 8, 1 << 16);
        });
    }),
    ("a shorter chunk", "in chunks, and chunks of", |image| {
        image.edit("chunk", |leaf| {
            let chunk = data_chunk(leaf);
            add(&mut leaf.items[chunk].1, 0, -(1 << 16));
        });
    }),
    ("a chunk past the end", "past the end of its device", |image| {
        image.edit("chunk", |leaf| {
            let chunk = data_chunk(leaf);
            add(&mut leaf.items[chunk].1, 48 + 8, 1 << 50);
        });
    }),
    ("a striped chunk", "RAID5", |image| {
        image.edit("chunk", |leaf| {
            let chunk = data_chunk(leaf);
            leaf.items[chunk].1[24] |= 1 << 7;
        });
    }),
    ("a chunk of another device", "on another device", |image| {
        image.edit("chunk", |leaf| {
            let chunk = data_chunk(leaf);
            leaf.items[chunk].1[48] = 2;
        });
    }),
    ("a balance", "balance", |image| {
        image.edit("root", |leaf| leaf.insert((4_u64.wrapping_neg(), 248, 0), vec![0; 448]));
    }),
    ("a relocation", "balance", |image| {
        image.edit("root", |leaf| {
            let root = leaf.items[leaf.last(132)].1.clone();
            leaf.insert((8_u64.wrapping_neg(), 132, 5), root);
        });
    }),
    ("no extent tree", "a tree is missing", |image| {
        image.edit("root", |leaf| leaf.items.retain(|(key, _)| (key.0, key.1) != (2, 132)));
    }),
    ("keys out of order", "out of order", |image| {
        image.edit("root", |leaf| leaf.items.swap(0, 1));
    }),
    ("another owner", "wrong owner", |image| image.edit("device", |leaf| leaf.header[88] = 5)),
    ("another UUID", "wrong UUID", |image| image.edit("extent", |leaf| leaf.header[40] ^= 1)),
    ("another address", "wrong address", |image| image.edit("extent", |leaf| leaf.header[50] ^= 1)),
    ("a root's checksum", "tree 1 with a wrong checksum", |image| flip(image, "root")),
    ("an extent's checksum", "tree 2 with a wrong checksum", |image| flip(image, "extent")),
    ("a chunk's checksum", "tree 3 with a wrong checksum", |image| flip(image, "chunk")),
    ("a device's checksum", "tree 4 with a wrong checksum", |image| flip(image, "device")),
];

/// The first chunk for data.
fn data_chunk(leaf: &Leaf) -> usize {
    leaf.items.iter().position(|(key, data)| key.1 == CHUNK && data[24] & 1 != 0).unwrap()
}

/// Changes a bit of the first copy of a block, and not its checksum.
fn flip(image: &Image, tree: &str) {
    let logical = image.root(tree);
    let mut block = image.block(logical);
    block[8000] ^= 1;
    poke(&image.path, image.places(logical)[0], &block);
}

#[test]
fn contradictions_and_unknown_features_are_kept_whole() {
    if !have("guest_btrfs::contradictions", TOOLS) {
        return;
    }
    let scratch = Scratch::of(200 * MIB);
    let image = base(&scratch, 20, &[]);
    for (what, reason, change) in SUPERBLOCK.iter().chain(TREES) {
        let copy = image.copied(&scratch.path("copy.raw"));
        change(&copy);
        assert_kept(&copy.path, what, reason);
    }
}

/// Blocks of the five trees that are read, at every level, wherever they are: those that are in use and older ones.
fn blocks(image: &Image) -> Vec<(u64, usize)> {
    let fsid = peek(&image.path, SUPERBLOCKS[0] + 0x20, 16);
    let mut found = vec![(SUPERBLOCKS[0], 4096)];
    for (logical, length, kind, copies) in &image.chunks {
        if kind.starts_with("DATA|") {
            continue;
        }
        for at in (0..(*length).min(8 * MIB)).step_by(image.node_size) {
            let place = copies[0] + at;
            let header = peek(&image.path, place, 101);
            if header[32..48] == fsid && u64_at(&header, 48) == logical + at && u64_at(&header, 88) <= 4 {
                found.push((place, image.node_size));
            }
        }
    }
    found
}

#[test]
fn changed_blocks_with_right_checksums_do_no_harm() {
    if !have("guest_btrfs::changed_blocks", TOOLS) {
        return;
    }
    let scratch = Scratch::of(200 * MIB);
    let image = base(&scratch, 600, &["-n", "4096"]);
    let found = blocks(&image);
    let deep = found[1..].iter().filter(|(place, _)| peek(&image.path, place + 100, 1) != [0]).count();
    assert!(deep > 0 && found.len() > 10, "{} blocks, {deep} above leaves", found.len());
    let free = only(&survey_of(&image.path)).free;
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let (mut kept, rounds) = (0, 4000);
    for round in 0..rounds {
        // Every second time in the superblock or the roots, which are few and matter.
        let (place, len) = found[random(if round % 2 == 0 { 4 } else { found.len() })];
        let whole = peek(&image.path, place, len);
        let mut block = whole.clone();
        for _ in 0..=random(3) {
            let below = if random(2) == 0 { 300 } else { len - 32 };
            let at = 32 + random(below);
            block[at] = if random(2) == 0 { block[at] ^ 1 << random(8) } else { [0, 1, 0x7f, 0xff][random(4)] };
        }
        seal(&mut block);
        poke(&image.path, place, &block);
        let survey = survey_of(&image.path);
        // What is moved within a group, or is no counter, is no contradiction.
        match only(&survey) {
            region if region.kind.is_none() || region.kept.is_some() => kept += 1,
            region => assert_eq!(region.free, free, "round {round}, block at {place}"),
        }
        poke(&image.path, place, &whole);
    }
    assert!(kept > rounds / 10, "only {kept} were kept whole");
    assert_eq!(only(&survey_of(&image.path)).free, free);
}
