//! Reading a stretch of a disk without reading what is known to be zero.

use crate::error::Result;
use crate::image::Image;
use std::ops::Range;

/// Fills `buf` with the disk's bytes from `offset` on, of which only the ranges `data` are read: the rest is zero.
pub(crate) fn read_data(image: &dyn Image, offset: u64, data: &[Range<usize>], buf: &mut [u8]) -> Result<()> {
    let mut zeros = 0;
    for range in data {
        buf[zeros..range.start].fill(0);
        image.read_exact_at(&mut buf[range.clone()], offset + range.start as u64)?;
        zeros = range.end;
    }
    buf[zeros..].fill(0);
    Ok(())
}
