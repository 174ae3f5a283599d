//! A btrfs with crc32c as `btrfs inspect-internal` tells of it; its blocks taken apart and put together again.

use super::guest::{peek, poke, run};
use std::path::{Path, PathBuf};

/// Where the superblock and its first mirror are.
pub(crate) const SUPERBLOCKS: [u64; 2] = [64 << 10, 64 << 20];

pub(crate) struct Image {
    pub(crate) path: PathBuf,
    pub(crate) node_size: usize,
    /// Logical start, length, what it is for, and where each copy is.
    pub(crate) chunks: Vec<(u64, u64, String, Vec<u64>)>,
    roots: String,
}

impl Image {
    pub(crate) fn of(path: &Path) -> Self {
        let dump = |what: &[&str]| {
            let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"inspect-internal"];
            arguments.extend(what.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
            arguments.push(&path);
            run("btrfs", &arguments)
        };
        let mut chunks: Vec<(u64, u64, String, Vec<u64>)> = Vec::new();
        for line in dump(&["dump-tree", "-t", "chunk"]).lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if let Some(at) = words.iter().position(|word| *word == "CHUNK_ITEM") {
                chunks.push((words[at + 1].trim_end_matches(')').parse().unwrap(), 0, String::new(), Vec::new()));
            }
            match (words.as_slice(), chunks.last_mut()) {
                (["length", length, "owner", .., "type", kind], Some(chunk)) => {
                    chunk.1 = length.parse().unwrap();
                    chunk.2 = (*kind).to_owned();
                }
                (["stripe", _, "devid", _, "offset", offset], Some(chunk)) => chunk.3.push(offset.parse().unwrap()),
                _ => {}
            }
        }
        let node_size = u32_at(&peek(path, SUPERBLOCKS[0], 4096), 0x94) as usize;
        Image { path: path.to_owned(), node_size, chunks, roots: dump(&["dump-tree", "-r"]) }
    }

    /// The same in another file.
    pub(crate) fn copied(&self, to: &Path) -> Self {
        run("cp", &[&"--sparse=always", &self.path, &to]);
        Image { path: to.to_owned(), node_size: self.node_size, chunks: self.chunks.clone(), roots: self.roots.clone() }
    }

    /// The logical address of the root of a tree: `root`, `chunk`, `extent`, `device`, `free space`.
    pub(crate) fn root(&self, tree: &str) -> u64 {
        let begins = format!("{tree} tree");
        let line = self.roots.lines().find(|line| line.starts_with(&begins)).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "level").unwrap();
        words[at - 1].parse().unwrap()
    }

    /// Where on the disk each copy of a logical address is.
    pub(crate) fn places(&self, logical: u64) -> Vec<u64> {
        let (start, _, _, copies) =
            self.chunks.iter().find(|chunk| (chunk.0..chunk.0 + chunk.1).contains(&logical)).unwrap();
        copies.iter().map(|copy| copy + logical - start).collect()
    }

    pub(crate) fn block(&self, logical: u64) -> Vec<u8> {
        peek(&self.path, self.places(logical)[0], self.node_size)
    }

    /// Writes all copies of a block, with its checksum.
    pub(crate) fn put(&self, logical: u64, mut block: Vec<u8>) {
        seal(&mut block);
        self.places(logical).iter().for_each(|at| poke(&self.path, *at, &block));
    }

    /// Changes a leaf, and says so in its checksum.
    pub(crate) fn edit(&self, tree: &str, change: impl FnOnce(&mut Leaf)) {
        let logical = self.root(tree);
        let mut leaf = Leaf::of(&self.block(logical));
        change(&mut leaf);
        self.put(logical, leaf.bytes(self.node_size));
    }

    /// Changes the superblock and its mirror, and says so in their checksums.
    pub(crate) fn edit_superblock(&self, change: impl Fn(&mut [u8])) {
        for at in SUPERBLOCKS {
            let mut block = peek(&self.path, at, 4096);
            change(&mut block);
            seal(&mut block);
            poke(&self.path, at, &block);
        }
    }
}

/// Kind, object and offset of a key.
pub(crate) type Key = (u64, u8, u64);

pub(crate) struct Leaf {
    pub(crate) header: Vec<u8>,
    pub(crate) items: Vec<(Key, Vec<u8>)>,
}

const HEADER: usize = 101;
const ITEM: usize = 25;

impl Leaf {
    pub(crate) fn of(block: &[u8]) -> Self {
        assert_eq!(block[100], 0, "not a leaf");
        let items = (0..u32_at(block, 96) as usize).map(|index| {
            let item = &block[HEADER + index * ITEM..];
            let start = HEADER + u32_at(item, 17) as usize;
            let data = block[start..start + u32_at(item, 21) as usize].to_vec();
            ((u64_at(item, 0), item[8], u64_at(item, 9)), data)
        });
        Leaf { header: block[..HEADER].to_vec(), items: items.collect() }
    }

    /// In the order in which the items are.
    pub(crate) fn bytes(&self, node_size: usize) -> Vec<u8> {
        let mut block = vec![0; node_size];
        block[..HEADER].copy_from_slice(&self.header);
        block[96..100].copy_from_slice(&(self.items.len() as u32).to_le_bytes());
        let mut end = node_size;
        for (index, ((object, kind, offset), data)) in self.items.iter().enumerate() {
            end -= data.len();
            block[end..end + data.len()].copy_from_slice(data);
            let mut item = object.to_le_bytes().to_vec();
            item.push(*kind);
            item.extend(offset.to_le_bytes());
            item.extend(((end - HEADER) as u32).to_le_bytes());
            item.extend((data.len() as u32).to_le_bytes());
            let at = HEADER + index * ITEM;
            block[at..at + ITEM].copy_from_slice(&item);
        }
        block
    }

    /// Puts in an item where it belongs.
    pub(crate) fn insert(&mut self, key: Key, data: Vec<u8>) {
        self.items.retain(|(other, _)| *other != key);
        self.items.push((key, data));
        self.items.sort();
    }

    /// The last item of a kind.
    pub(crate) fn last(&self, kind: u8) -> usize {
        self.items.iter().rposition(|(key, _)| key.1 == kind).unwrap()
    }
}

/// Puts the checksum at the start of a block.
pub(crate) fn seal(block: &mut [u8]) {
    let mut crc = !0_u32;
    for byte in &block[32..] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0x82F6_3B78 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    block[..4].copy_from_slice(&(!crc).to_le_bytes());
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Adds to a number of eight bytes.
pub(crate) fn add(bytes: &mut [u8], at: usize, more: i64) {
    let sum = u64_at(bytes, at).wrapping_add_signed(more);
    bytes[at..at + 8].copy_from_slice(&sum.to_le_bytes());
}
