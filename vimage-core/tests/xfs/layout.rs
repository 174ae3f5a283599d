//! Where structures are, and how a test changes them.

use super::{Told, field, is_kept, make};
use crate::guest::{Scratch, peek, poke, survey_of};
use std::path::Path;
use vimage_core::guest::Kept;

/// Places of structures, after "XFS Algorithms & Data Structures".
pub struct Layout {
    pub block: u64,
    pub sector: u64,
    pub group_blocks: u64,
    sealed: bool,
}

impl Layout {
    pub fn of(disk: &Path) -> Self {
        let name = |name: &str| field(disk, "sb 0", name);
        let sealed = name("versionnum") & 15 == 5;
        Layout { block: name("blocksize"), sector: name("sectsize"), group_blocks: name("agblocks"), sealed }
    }

    pub fn at(&self, group: u64, block: u64) -> u64 {
        (group * self.group_blocks + block) * self.block
    }

    pub fn agf(&self, group: u64) -> u64 {
        self.at(group, 0) + self.sector
    }

    /// The root of the tree by place (`4`) or by size (`5`): the word of the AGF in which it stands.
    pub fn tree_root(&self, disk: &Path, group: u64, word: u64) -> u64 {
        self.at(group, number(disk, self.agf(group) + word * 4).into())
    }

    pub fn tree_block(&self, disk: &Path, group: u64, word: u64) -> Vec<u8> {
        peek(disk, self.tree_root(disk, group, word), self.block as usize)
    }

    pub fn log(&self, disk: &Path) -> u64 {
        let place = field(disk, "sb 0", "logstart");
        let log = field(disk, "sb 0", "agblklog");
        self.at(place >> log, place & ((1 << log) - 1))
    }

    pub fn superblock(&self) -> Seal {
        Seal { start: 0, len: self.sector, place: 0xe0 }
    }

    pub fn space_header(&self, group: u64) -> Seal {
        Seal { start: self.agf(group), len: self.sector, place: 0xd8 }
    }

    pub fn inode_header(&self, group: u64) -> Seal {
        Seal { start: self.agf(group) + self.sector, len: self.sector, place: 0x138 }
    }

    pub fn list(&self, group: u64) -> Seal {
        Seal { start: self.agf(group) + 2 * self.sector, len: self.sector, place: 0x20 }
    }

    pub fn tree(&self, start: u64) -> Seal {
        Seal { start, len: self.block, place: 0x34 }
    }

    /// Puts the right checksum into a structure, where it has one.
    pub fn seal(&self, disk: &Path, seal: Seal) {
        if self.sealed {
            let mut bytes = peek(disk, seal.start, seal.len as usize);
            bytes[seal.place as usize..][..4].fill(0);
            poke(disk, seal.start + seal.place, &crc32c(&bytes).to_le_bytes());
        }
    }
}

/// A structure, and where its checksum stands in it.
#[derive(Clone, Copy)]
pub struct Seal {
    pub start: u64,
    pub len: u64,
    pub place: u64,
}

pub fn number(disk: &Path, at: u64) -> u32 {
    u32::from_be_bytes(peek(disk, at, 4).try_into().unwrap())
}

/// CRC-32C (RFC 3720, appendix B.4), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 })
    })
}

/// A file system that is put back as it was after each change.
pub struct Subject {
    scratch: Scratch,
    pub layout: Layout,
    /// What is put back.
    before: Vec<(u64, Vec<u8>)>,
}

impl Subject {
    pub fn made(size: u64, options: &[&str]) -> Self {
        let scratch = Scratch::of(size);
        make(&scratch.disk, options);
        let layout = Layout::of(&scratch.disk);
        Told::of(&scratch.disk).is(&survey_of(&scratch.disk));
        Subject { scratch, layout, before: Vec::new() }
    }

    pub fn disk(&self) -> &Path {
        &self.scratch.disk
    }

    pub fn put(&mut self, at: u64, bytes: &[u8]) -> &mut Self {
        self.note(at, bytes.len());
        poke(self.disk(), at, bytes);
        self
    }

    /// The same in a structure whose checksum is then put right.
    pub fn put_sealed(&mut self, seal: Seal, at: u64, bytes: &[u8]) -> &mut Self {
        self.note(seal.start + seal.place, 4);
        self.put(seal.start + at, bytes);
        self.layout.seal(self.disk(), seal);
        self
    }

    fn note(&mut self, at: u64, len: usize) {
        let held = peek(self.disk(), at, len);
        self.before.push((at, held));
    }

    /// Changes words of the superblock.
    #[track_caller]
    pub fn superblock(&mut self, at: u64, bytes: &[u8], why: &str) -> Kept {
        self.put_sealed(self.layout.superblock(), at, bytes).whole(why)
    }

    /// Changes a word of the first AGF.
    #[track_caller]
    pub fn agf(&mut self, word: u64, change: impl Fn(u32) -> u32, why: &str) {
        let changed = change(number(self.disk(), self.layout.agf(0) + word * 4));
        self.put_sealed(self.layout.space_header(0), word * 4, &changed.to_be_bytes()).whole(why);
    }

    /// Changes words of the tree's block at `start`.
    #[track_caller]
    pub fn tree(&mut self, start: u64, changes: &[(u64, u32)], why: &str) {
        for (at, word) in changes {
            self.put_sealed(self.layout.tree(start), *at, &word.to_be_bytes());
        }
        self.whole(why);
    }

    /// The disk must be kept whole; then it is put back.
    #[track_caller]
    pub fn whole(&mut self, why: &str) -> Kept {
        let kept = is_kept(self.disk(), why);
        for (at, bytes) in std::mem::take(&mut self.before).into_iter().rev() {
            poke(self.disk(), at, &bytes);
        }
        kept
    }
}
