//! How a disk is divided: MBR with extended partitions, GPT, or not at all.
//!
//! What lies in no partition is no partition's free space, so boot code, tables and gaps are kept. A table that contradicts
//! itself, or that is not the only thing to claim the disk, is not believed: the disk is then kept whole.

mod gpt;
mod mbr;

use super::volume::Volume;
use super::{foreign, lvm};
use crate::error::{Error, ErrorKind, Result};
use std::ops::Range;

/// A partition table.
pub(super) struct Table {
    /// `gpt` or `mbr`.
    pub(super) kind: &'static str,
    /// The partitions' numbers and bytes, in the order of the disk; they neither overlap nor pass the disk's end.
    pub(super) partitions: Partitions,
}

/// Numbers and bytes of partitions.
type Partitions = Vec<(u32, Range<u64>)>;

/// Reads the table at the disk's beginning, or the copy at its end; none where there is no table.
///
/// # Errors
/// `Corrupt` and `Unsupported` where there is one that cannot be trusted; `Io`.
pub(super) fn read(disk: &Volume<'_>) -> Result<Option<Table>> {
    let Some(mut table) = find(disk)? else { return Ok(None) };
    table.partitions.sort_unstable_by_key(|(_, range)| range.start);
    // Either the table or what the mark tells of is a leftover, and the disk's owner alone knows which.
    let whole = if lvm::recognise(disk)? { Some(lvm::NAME) } else { foreign::anything(disk)? };
    match whole {
        Some(kind) if !table.partitions.is_empty() => {
            Err(Error::unsupported(format!("carries a partition table and, over the whole disk, the mark of {kind}"))
                .with_hint("if the mark is a leftover, wipefs removes it"))
        }
        _ => Ok(Some(table)),
    }
}

/// Whether a volume seems to have a table of its own.
///
/// # Errors
/// Those of reading.
pub(super) fn divides(volume: &Volume<'_>) -> Result<bool> {
    match find(volume) {
        Ok(found) => Ok(found.is_some_and(|table| !table.partitions.is_empty())),
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => Ok(true),
        Err(error) => Err(error),
    }
}

fn find(disk: &Volume<'_>) -> Result<Option<Table>> {
    let Some(record) = mbr::Record::read(disk)? else { return none(disk) };
    if record.is_protective() {
        let (block, partitions) = gpt::read(disk)?;
        record.agrees(block, &partitions)?;
        return Ok(Some(Table { kind: "gpt", partitions }));
    }
    if record.is_empty() {
        return none(disk);
    }
    let partitions = record.partitions(disk);
    if record.is_boot_sector() {
        // Its code and texts lie where a table would be; what they seem to say counts only if it makes sense.
        return match partitions {
            Ok(found) if !found.is_empty() => {
                Err(Error::unsupported("begins with a boot sector that is a partition table too"))
            }
            Err(error) if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => Err(error),
            _ => none(disk),
        };
    }
    if !record.has_valid_states() {
        return match record.has_plausible_entry(disk.size()) {
            true => {
                Err(Error::corrupt("has a partition table of which some entries are none").at_offset(mbr::TABLE_AT))
            }
            false => none(disk),
        };
    }
    let partitions = partitions?;
    if gpt::has_mark(disk)? {
        return Err(Error::unsupported("carries both an MBR and a GPT that the MBR does not speak of"));
    }
    Ok(Some(Table { kind: "mbr", partitions }))
}

/// That there is no table, unless there is a GPT that nothing protects.
fn none(disk: &Volume<'_>) -> Result<Option<Table>> {
    match gpt::has_mark(disk)? {
        true => Err(Error::unsupported("carries a GPT without the MBR that protects it")
            .with_hint("gdisk writes one, if the table is in use")),
        false => Ok(None),
    }
}

/// Sorts what is taken, and makes sure that nothing is taken twice.
fn disjoint(mut taken: Vec<Range<u64>>) -> Result<()> {
    taken.sort_unstable_by_key(|range| range.start);
    match taken.windows(2).find(|pair| pair[1].start < pair[0].end) {
        Some(pair) => Err(Error::corrupt("partitions overlap each other or their tables").at_offset(pair[1].start)),
        None => Ok(()),
    }
}
