//! What disks hold, for want of a disk: text, a program's tables, and what is compressed already.

use vimage_core::layers::Flat;
use vimage_core::{Image, io::Memory};
use vimage_fixtures::Fill;

/// Bytes of [`content`]: a slab of the pipeline, sixteen clusters, one frame.
pub(crate) const LEN: usize = vimage_core::pipeline::SLAB;

/// Bytes of a cluster and of a grain.
const UNIT: usize = 64 << 10;

/// Eight units of text, six of tables and two of noise, in turn; deflate makes about half of them.
pub(crate) fn content() -> Vec<u8> {
    let mut content = vec![0; LEN];
    for (number, unit) in content.chunks_exact_mut(UNIT).enumerate() {
        match number % 8 {
            7 => Fill::Noise(1).read_at(unit, (number * UNIT) as u64),
            odd if odd % 2 == 1 => records(unit, number as u32),
            _ => Fill::Text(1).read_at(unit, (number * UNIT) as u64),
        }
    }
    content
}

/// Records as programs keep them: an address that ascends, a length, a kind, a reference, a checksum.
fn records(unit: &mut [u8], seed: u32) {
    let (mut state, mut address) = (seed, seed << 20);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for record in unit.chunks_exact_mut(24) {
        let len = 16 + next() % 512;
        address += len;
        record[..4].copy_from_slice(&address.to_le_bytes());
        record[8..12].copy_from_slice(&len.to_le_bytes());
        record[12] = (next() % 5) as u8;
        record[16..20].copy_from_slice(&(next() % 4096 * 8).to_le_bytes());
        record[20..].copy_from_slice(&(next() << 8 | next() & 0xff).to_le_bytes());
    }
}

/// A disk of these bytes.
pub(crate) fn disk(bytes: Vec<u8>) -> impl Image {
    Flat::whole(std::sync::Arc::new(Memory(bytes)), "memory".into())
}
