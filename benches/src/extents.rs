//! Where a file holds data.

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::ops::Range;

/// Bytes read at a time: vimage's own slab.
pub(crate) const SLAB: u64 = 1 << 20;

/// The runs of `file` that are no holes, in order.
pub(crate) fn data(file: &File) -> std::io::Result<Vec<Range<u64>>> {
    let mut runs = Vec::new();
    let mut at = 0;
    loop {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(runs),
            Err(error) => return Err(error.into()),
        };
        at = seek(file, SeekFrom::Hole(start))?;
        runs.push(start..at);
    }
}

/// `runs` cut at every multiple of `size`.
pub(crate) fn cut(runs: &[Range<u64>], size: u64) -> Vec<Range<u64>> {
    let pieces = |run: &Range<u64>| {
        let (start, end) = (run.start, run.end);
        (start / size..end.div_ceil(size)).map(move |piece| (piece * size).max(start)..((piece + 1) * size).min(end))
    };
    runs.iter().flat_map(pieces).collect()
}

/// `len` bytes of `buffer`, from a page on: the system copies into others at half the speed.
pub(crate) fn aligned(buffer: &mut Vec<u8>, len: u64) -> &mut [u8] {
    const PAGE: usize = 4096;
    buffer.resize(len as usize + PAGE, 0);
    let start = buffer.as_ptr().align_offset(PAGE).min(PAGE);
    &mut buffer[start..start + len as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_at_a_page() {
        let mut buffer = Vec::new();
        for len in [0, 7, 4096, 1 << 20] {
            let bytes = aligned(&mut buffer, len);
            assert_eq!((bytes.len() as u64, bytes.as_ptr() as usize % 4096), (len, 0));
        }
    }

    #[test]
    fn runs_are_cut_where_slabs_begin() {
        assert_eq!(cut(&[5..12, 20..30, 31..32], 10), [5..10, 10..12, 20..30, 31..32]);
        assert!(cut(&[], 10).is_empty());
    }
}
