//! Making a raw image smaller without writing it anew: what it need not hold is freed in the file itself.

use super::compact::{CompactOptions, Compacted, check_own, check_place};
use super::convert::Converted;
use super::trim::{Dropped, unused};
use crate::error::{Error, Result};
use crate::formats::open;
use crate::image::Image;
use crate::io::in_use::Unchanged;
use crate::io::outputs::Published;
use crate::io::punch::Puncher;
use crate::layers::Masked;
use crate::observer::{Observer, Phase};
use crate::pipeline::{CUT, InFlight, Plan, in_order, read_data};
use crate::ranges::Ranges;
use crate::zero::is_zero;
use std::ops::Range;
use std::path::Path;

/// What a file system frees at a time, as a rule.
const BLOCK: usize = 4096;

/// Frees in the raw image at `path` what is zero, or not used by its guest. Every byte that the guest uses stays where it is, so
/// that a crash in between leaves an image as good as the one before; it needs no space beside it.
///
/// # Errors
/// `Unsupported` when the image is not one raw file, or the file system cannot free a part of a file; `InUse` when another
/// program uses it; `Refused` when it is a device; `Io` and `Cancelled`.
pub fn punch(path: impl AsRef<Path>, options: &CompactOptions, observer: &dyn Observer) -> Result<Compacted> {
    let path = path.as_ref();
    if !options.dry_run {
        check_own(&options.open)?;
    }
    let image = open(path, &options.open)?;
    check_place(&image)?;
    if image.info().format != "raw" || image.own_files().len() != 1 {
        return Err(Error::unsupported("is not one raw file, and only such can be made smaller in place")
            .at_path(path)
            .with_hint("vimage compact without --punch writes it anew"));
    }
    let before = Unchanged::of(image.own_files())?;
    let (size_before, allocated_before) = before.sizes();
    let held = path.metadata().map_err(|cause| Error::io("cannot look at it", cause).at_path(path))?;
    if !held.is_file() {
        return Err(Error::refused("is a device, of which nobody can tell who else writes to it").at_path(path));
    }
    let puncher = if options.dry_run { None } else { Some(Puncher::open(path)?) };
    puncher.as_ref().map_or(Ok(()), |_| image.lock_to_write())?;
    let survey = unused(&image, options.trim, observer)?;
    let nothing = Ranges::default();
    let unused = survey.as_ref().map_or(&nothing, |survey| &survey.unused);
    before.check()?;
    for range in unused.iter() {
        if observer.cancelled() {
            return Err(Error::cancelled());
        }
        puncher.iter().try_for_each(|puncher| puncher.punch(range.clone()))?;
    }
    let zero = punch_zeros(&image, unused, puncher.as_ref(), observer)?;
    puncher.iter().try_for_each(Puncher::finish)?;
    let dropped = Dropped::of(survey.as_ref(), zero);
    let allocated = match &puncher {
        Some(_) => Unchanged::of(image.own_files())?.sizes().1,
        None => allocated_before.saturating_sub(dropped.zero + dropped.free + dropped.swap),
    };
    let files = vec![Published { path: path.to_owned(), size: size_before, allocated }];
    let made = Converted { files, content: None, survey, dropped };
    Ok(Compacted { made, size_before, allocated_before, virtual_size: image.size() })
}

/// Frees the blocks that are held and zero, outside of `unused`; returns how many bytes.
fn punch_zeros(image: &dyn Image, unused: &Ranges, puncher: Option<&Puncher>, observer: &dyn Observer) -> Result<u64> {
    let masked = Masked::new(image, unused);
    let mut bytes = 0;
    observer.begin(Phase::Work, Some(image.size()));
    in_order(
        InFlight::usual(),
        Plan::new([&masked], image.size(), CUT, observer).map(|slab| slab.map(Some)),
        |slab, (data, zeros): &mut (Vec<u8>, Vec<Range<u64>>)| {
            zeros.clear();
            data.resize(slab.len, 0);
            read_data(&masked, slab.offset, &slab.data[0], data)?;
            for range in &slab.data[0] {
                // Whole blocks, as only they can be freed; what is around the range is known to be zero, or another range.
                for start in (range.start / BLOCK * BLOCK..range.end).step_by(BLOCK) {
                    let block = start..(start + BLOCK).min(slab.len);
                    let (start, end) = (slab.offset + block.start as u64, slab.offset + block.end as u64);
                    match zeros.last_mut() {
                        _ if !is_zero(&data[block]) => {}
                        Some(last) if last.end >= start => last.end = end,
                        _ => zeros.push(start..end),
                    }
                }
            }
            Ok(())
        },
        |slab, (_, zeros)| {
            if observer.cancelled() {
                return Err(Error::cancelled());
            }
            for range in zeros {
                bytes += range.end - range.start;
                puncher.iter().try_for_each(|puncher| puncher.punch(range.clone()))?;
            }
            observer.reached(slab.range().end);
            Ok(())
        },
    )?;
    observer.reached(image.size());
    Ok(bytes)
}
