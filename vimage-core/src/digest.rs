//! The digest of a disk's content: the same for the same disk in any format and layout.
//!
//! A plain hash of a 64 TiB sparse disk would spend hours on zeros. This one takes time for what is stored only, on all
//! cores: blocks of 64 KiB that are not all zero are hashed by themselves, and the digest is BLAKE3 (in key-derivation
//! mode, with [`CONTEXT`]) over, for each of them in ascending order, its index (u64, little-endian) and its BLAKE3 hash,
//! and at the end the capacity in sectors of 512 bytes (u64, little-endian). The last block and the last sector are filled
//! up with zeros, so a raw file that ends within a sector has the digest of the disk that other formats make of it.

use crate::zero::is_zero;
use std::fmt;

/// The context string that sets these digests apart from other uses of BLAKE3.
pub const CONTEXT: &str = "vimage 2026-11-21 content digest of a disk, version 1";

/// Bytes hashed by themselves.
pub const BLOCK: usize = 64 << 10;

/// What identifies a disk's content, independent of format and layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest(pub [u8; 32]);

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl ContentDigest {
    /// Bytes for an identifier that derives from this content and from `options`, everything else that tells two outputs
    /// apart.
    pub fn derive(&self, options: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("vimage 2026-11-21 identifiers from content and options");
        hasher.update(&self.0).update(options.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// The hash of one block: the part of the work that any thread can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHash {
    index: u64,
    hash: [u8; 32],
}

/// The hashes of the blocks of `data` that are not zero. `data` begins at the disk's byte `offset`, a multiple of
/// [`BLOCK`], and ends at one or at the end of the disk.
pub fn hash_blocks(offset: u64, data: &[u8], out: &mut Vec<BlockHash>) {
    let first = offset / BLOCK as u64;
    for (index, block) in (first..).zip(data.chunks(BLOCK)) {
        if is_zero(block) {
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(block);
        const FILL: [u8; 4096] = [0; 4096];
        let mut missing = BLOCK - block.len();
        while missing > 0 {
            let now = missing.min(FILL.len());
            hasher.update(&FILL[..now]);
            missing -= now;
        }
        out.push(BlockHash { index, hash: *hasher.finalize().as_bytes() });
    }
}

/// Puts hashes of blocks, in ascending order, into one digest.
pub struct Fold(blake3::Hasher);

impl Default for Fold {
    fn default() -> Self {
        Fold(blake3::Hasher::new_derive_key(CONTEXT))
    }
}

impl Fold {
    /// Takes the next blocks.
    pub fn update(&mut self, blocks: &[BlockHash]) {
        for block in blocks {
            self.0.update(&block.index.to_le_bytes()).update(&block.hash);
        }
    }

    /// The digest of a disk of `size` bytes.
    pub fn finish(mut self, size: u64) -> ContentDigest {
        self.0.update(&size.div_ceil(512).to_le_bytes());
        ContentDigest(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(parts: &[(u64, &[u8])], size: u64) -> ContentDigest {
        let mut fold = Fold::default();
        for (offset, data) in parts {
            let mut blocks = Vec::new();
            hash_blocks(*offset, data, &mut blocks);
            fold.update(&blocks);
        }
        fold.finish(size)
    }

    #[test]
    fn zeros_stored_or_not_and_a_short_end_are_the_same() {
        let block = BLOCK as u64;
        let mut data = vec![0; 2 * BLOCK + 10];
        data[2 * BLOCK + 3] = 1;
        let whole = digest(&[(0, &data)], 2 * block + 10);
        assert_eq!(whole, digest(&[(2 * block, &data[2 * BLOCK..])], 2 * block + 10));
        data.resize(3 * BLOCK, 0);
        assert_eq!(whole, digest(&[(0, &data)], 2 * block + 512));
        assert_ne!(whole, digest(&[(0, &data)], 2 * block + 513));
        assert_ne!(whole, digest(&[(block, &data[2 * BLOCK..])], 2 * block + 512));
    }

    #[test]
    fn the_definition_by_hand() {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&1_u64.to_le_bytes()).update(blake3::hash(&[5; BLOCK]).as_bytes()).update(&256_u64.to_le_bytes());
        let by_hand = ContentDigest(*hasher.finalize().as_bytes());
        assert_eq!(by_hand, digest(&[(BLOCK as u64, &[5; BLOCK])], 2 * BLOCK as u64));
    }
}
