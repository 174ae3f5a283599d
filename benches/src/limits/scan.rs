//! Reading, and looking for zeros.

use crate::cores;
use crate::extents::aligned;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// How long it takes to read `slabs` of `file` and to test each for anything but zeros.
pub(super) fn seconds(file: &File, slabs: &[Range<u64>]) -> Result<f64, String> {
    cores::each(slabs, |slab, buffer| {
        let buffer = aligned(buffer, slab.end - slab.start);
        file.read_exact_at(buffer, slab.start).map_err(|error| error.to_string())?;
        std::hint::black_box(is_zero(buffer));
        Ok(())
    })
}

/// Whether all of `bytes` are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().fold(0, |seen, word| seen | u64::from_ne_bytes(*word)) == 0 && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        for at in 0..19 {
            let mut bytes = [0; 19];
            assert!(is_zero(&bytes));
            bytes[at] = 128;
            assert!(!is_zero(&bytes), "{at}");
        }
    }
}
