//! The device tree: what of the device is in chunks. It and the chunk tree say the same twice, and both must.

use super::chunks::Chunks;
use super::layout::{RESERVED, RawDeviceExtent, RawDeviceReplace, first, kind, object};
use super::tree::{Pointer, Trees};
use crate::error::{Error, Result};
use crate::guest::free::Free;
use std::ops::Range;

/// Calls free what is in no chunk.
///
/// # Errors
/// `Corrupt` when the device tree contradicts the chunks; `Unsupported`; those of reading.
pub(super) fn survey(trees: &mut Trees<'_>, root: Pointer, chunks: &Chunks, free: &mut Free) -> Result<()> {
    let device = trees.superblock.device;
    let mut stripes: Vec<(Range<u64>, u64)> = Vec::new();
    for chunk in chunks.all() {
        let copies = chunk.on_device(chunk.logical..chunk.end());
        stripes.extend(copies.map(|range| (range, chunk.logical)));
    }
    stripes.sort_unstable_by_key(|(range, _)| range.start);
    let mut expected = stripes.iter();
    trees.walk(chunks, object::DEVICE_TREE, root, &mut |key, bytes| {
        match key.kind {
            kind::DEVICE_EXTENT => {
                let (raw, _) = first::<RawDeviceExtent>(bytes, "a device extent")?;
                let same = expected.next().is_some_and(|(range, logical)| {
                    key.object == device.id
                        && key.offset == range.start
                        && raw.length.get() == range.end - range.start
                        && raw.chunk.get() == *logical
                });
                if !same {
                    return Err(Error::corrupt(format!("has a device extent at {} that is no chunk's", key.offset)));
                }
            }
            kind::DEVICE_REPLACE => {
                let (raw, _) = first::<RawDeviceReplace>(bytes, "the state of a replacement")?;
                // Never begun, finished, cancelled; else it is running or suspended.
                if ![0, 2, 3].contains(&raw.state.get()) {
                    return Err(Error::unsupported("is in the middle of the replacement of its device")
                        .with_hint("let the replacement end, or cancel it"));
                }
            }
            kind::PERSISTENT => {}
            _ => return Err(Error::unsupported(format!("has unknown items of kind {} in its device tree", key.kind))),
        }
        Ok(())
    })?;
    if let Some((range, _)) = expected.next() {
        return Err(Error::corrupt(format!(
            "has a chunk at byte {} of which the device tree knows nothing",
            range.start
        )));
    }
    let mut at = 0;
    for (range, _) in stripes {
        if range.start < at {
            return Err(Error::corrupt(format!(
                "has two chunks over each other at byte {} of its device",
                range.start
            )));
        }
        push(free, at..range.start)?;
        at = range.end;
    }
    push(free, at..device.size)
}

/// Calls what of `range` can be allocated free: never where superblocks are.
///
/// # Errors
/// `Corrupt` when it is not all in the volume.
pub(super) fn push(free: &mut Free, range: Range<u64>) -> Result<()> {
    let mut at = range.start;
    for reserved in &RESERVED {
        if at < reserved.end && reserved.start < range.end {
            free.push(at..reserved.start.max(at))?;
            at = reserved.end.min(range.end);
        }
    }
    free.push(at..range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_superblock_is_called_free() {
        let size = 257 << 30;
        let pushed = |ranges: &[Range<u64>]| {
            let mut free = Free::of(size);
            ranges.iter().for_each(|range| push(&mut free, range.clone()).unwrap());
            free.finish().iter().cloned().collect::<Vec<_>>()
        };
        let (first, mirror, last) = (1 << 20, 64 << 20, 256 << 30);
        let stripe = 64 << 10;
        assert_eq!(pushed(&[0..size]), [first..mirror, mirror + stripe..last, last + stripe..size]);
        assert_eq!(pushed(&[0..first]), []);
        assert_eq!(pushed(&[10..first + 10]), [first..first + 10]);
        assert_eq!(pushed(&[mirror - 5..mirror + 5]), [mirror - 5..mirror]);
        assert_eq!(pushed(&[mirror + 5..mirror + stripe + 5]), [mirror + stripe..mirror + stripe + 5]);
        assert_eq!(pushed(&[mirror + 5..mirror + 10]), []);
        assert_eq!(pushed(&[mirror + stripe..last]), [mirror + stripe..last]);
        assert_eq!(pushed(&[5 << 20..6 << 20, last - 1..last]), [5 << 20..6 << 20, last - 1..last]);
    }
}
