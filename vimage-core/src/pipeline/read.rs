//! Reading a stretch of a disk without reading what is known to be zero.

use crate::error::Result;
use crate::extent::Extents;
use crate::image::Image;
use std::ops::Range;

/// Fills `buf` with the disk's bytes from `offset` on: what the image knows to be zero is filled in, the rest is read.
/// Each range of `buf` that was read is told to `on_data`, in order.
pub(crate) fn read_data(
    image: &dyn Image,
    offset: u64,
    buf: &mut [u8],
    mut on_data: impl FnMut(Range<usize>),
) -> Result<()> {
    for extent in Extents::within(image, offset..offset + buf.len() as u64) {
        let extent = extent?;
        let range = (extent.range.start - offset) as usize..(extent.range.end - offset) as usize;
        if extent.content.is_data() {
            image.read_exact_at(&mut buf[range.clone()], extent.range.start)?;
            on_data(range);
        } else {
            buf[range].fill(0);
        }
    }
    Ok(())
}
