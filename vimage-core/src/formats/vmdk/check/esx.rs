//! Where the deltas of ESX and ESXi have what is neither table nor grain.

use super::Part;
use super::grained::Check;
use crate::error::{Error, Result};
use crate::formats::vmdk::grains::GrainedExtent;
use crate::formats::vmdk::layout::{CowdHeader, SECTOR, SeSparseHeader};
use crate::formats::{Findings, Severity};
use std::ops::Range;
use zerocopy::FromBytes;

/// Sectors of a COWD header.
const COWD_HEADER: u64 = 4;

/// What the directory of an extent is called.
const DIRECTORY: &str = "the grain directory";

/// Checks the COWD extent in `part`.
pub(super) fn cowd(part: &Part<'_>, extent: &GrainedExtent, findings: &mut Findings) -> Result<()> {
    let header: CowdHeader = header(part)?;
    let directory = u64::from(header.gd_offset.get()) * SECTOR;
    let fixed = [
        ("the header", 0..COWD_HEADER * SECTOR),
        (DIRECTORY, directory..directory + u64::from(header.num_gd_entries.get()) * 4),
    ];
    let mut check = follow(part, extent, findings, fixed)?;
    check.unused();
    Ok(())
}

/// Checks the seSparse extent in `part`.
pub(super) fn sesparse(part: &Part<'_>, extent: &GrainedExtent, findings: &mut Findings) -> Result<()> {
    let header: SeSparseHeader = header(part)?;
    let areas = [
        ("the volatile header", header.volatile_header),
        ("the journal's header", header.journal_header),
        ("the journal", header.journal),
        (DIRECTORY, header.grain_directory),
        ("the bitmap of free grains", header.free_bitmap),
        ("the map back from grains", header.backmap),
    ];
    let areas = areas.into_iter().map(|(what, area)| {
        let at = area.offset.get().saturating_mul(SECTOR);
        (what, at..at.saturating_add(area.size.get().saturating_mul(SECTOR)))
    });
    let fixed = [("the header", 0..SECTOR)].into_iter().chain(areas.filter(|(_, range)| !range.is_empty()));
    follow(part, extent, findings, fixed).map(drop)
}

fn header<T: FromBytes>(part: &Part<'_>) -> Result<T> {
    let mut bytes = vec![0; size_of::<T>()];
    let read = part.file.read_exact_at(&mut bytes, 0);
    read.map_err(|cause| Error::io("cannot read the header", cause).at_path(&part.path).at_offset(0))?;
    T::read_from_bytes(&bytes).map_err(|_| Error::corrupt("no header"))
}

/// Follows the extent's tables, with `fixed` taken before.
fn follow<'a>(
    part: &'a Part<'a>,
    extent: &'a GrainedExtent,
    findings: &'a mut Findings,
    fixed: impl IntoIterator<Item = (&'static str, Range<u64>)>,
) -> Result<Check<'a>> {
    let mut check = Check::new(part, extent, 0, findings);
    let mut directory = 0;
    for (what, range) in fixed {
        if what == DIRECTORY {
            directory = range.start;
        }
        check.fix(what, range);
    }
    for index in 0..extent.tables.count() {
        if let Some(at) = extent.tables.table_at(index) {
            let entry = directory + (index * extent.tables.entry_len()) as u64;
            check.take_table("a grain table", entry, at, Severity::Corruption);
        }
    }
    check.follow()?;
    Ok(check)
}
