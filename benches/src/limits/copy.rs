//! Copying.

use crate::cores;
use crate::extents::aligned;
use crate::measure::settle;
use crate::memory;
use crate::place::Place;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// How long it takes to copy `slabs` of `file` into a new one, one behind the other, and to have that on the disk where it is to be `flushed`.
pub(super) fn seconds(place: &Place, file: &File, slabs: &[Range<u64>], flushed: bool) -> Result<f64, String> {
    let mut size = 0;
    let moves: Vec<(&Range<u64>, u64)> = slabs
        .iter()
        .map(|slab| {
            let to = size;
            size += slab.end - slab.start;
            (slab, to)
        })
        .collect();
    settle(place, "")?;
    memory::ready(size)?;
    let fault = |error: std::io::Error| format!("copying: {error}");
    let begun = Instant::now();
    let copy = File::create(place.run.join("copy")).map_err(fault)?;
    cores::each(&moves, |(slab, to), buffer| {
        let buffer = aligned(buffer, slab.end - slab.start);
        file.read_exact_at(buffer, slab.start).map_err(fault)?;
        copy.write_all_at(buffer, *to).map_err(fault)
    })?;
    if flushed {
        copy.sync_all().map_err(fault)?;
    }
    Ok(begun.elapsed().as_secs_f64())
}
