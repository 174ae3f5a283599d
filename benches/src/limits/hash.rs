//! Hashing.

use sha2::{Digest, Sha256};
use std::time::Instant;

/// How long SHA-256 takes on one core for so many `bytes`, by what it takes for some.
pub(super) fn seconds(bytes: u64) -> f64 {
    let slab = vec![7_u8; SLAB];
    let begun = Instant::now();
    let mut hash = Sha256::new();
    for _ in 0..SLABS {
        hash.update(&slab);
    }
    std::hint::black_box(hash.finalize());
    begun.elapsed().as_secs_f64() * bytes as f64 / (SLAB * SLABS) as f64
}

const SLAB: usize = 1 << 20;
const SLABS: usize = 512;
