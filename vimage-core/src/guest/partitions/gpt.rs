//! The GPT: a header and a list of partitions near the disk's beginning, and a copy of both at its end.
//!
//! UEFI Specification 2.10, section 5.3. The crate `gpt` takes headers and entries apart and checks their CRCs. It is given
//! bytes that were read here, once their number is known to be bounded, since it takes memory by the header's numbers and
//! panics at entries of another size than 128.

use super::{Partitions, disjoint};
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use crate::limits::guests::MOST_GPT_ENTRIES;
use ::gpt::disk::LogicalBlockSize;
use ::gpt::header::{Header, read_header_from_arbitrary_device};
use ::gpt::partition::{Partition, file_read_partitions};
use ::gpt::partition_types::{WINDOWS_DATA, WINDOWS_METADATA, WINDOWS_STORAGESPACES};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;

/// What a header begins with.
const MARK: &[u8; 8] = b"EFI PART";

/// Bytes of a header, and where it says so.
const HEADER: u32 = 92;

/// Bytes of an entry. The specification lets there be longer ones; nothing makes them.
const ENTRY: u32 = 128;

/// The sizes of blocks in which a disk can count.
const BLOCKS: [LogicalBlockSize; 2] = [LogicalBlockSize::Lb512, LogicalBlockSize::Lb4096];

/// One of the two copies, whole in itself.
struct Copy {
    header: Header,
    partitions: BTreeMap<u32, Partition>,
    /// The bytes that it takes.
    places: [Range<u64>; 2],
}

/// Whether a header seems to begin where the first one does.
pub(super) fn has_mark(disk: &Volume<'_>) -> Result<bool> {
    for block in BLOCKS {
        if disk.size() >= 2 * block.as_u64() && disk.read(block.as_u64(), MARK.len())? == MARK {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The bytes of a block, and the partitions. One copy that is whole is enough, unless the other is whole too and says
/// something else.
pub(super) fn read(disk: &Volume<'_>) -> Result<(u64, Partitions)> {
    let mut found = None;
    for block in BLOCKS {
        let first = Copy::read(disk, block, 1)?;
        let elsewhere = first.as_ref().map(|copy| copy.header.backup_lba).unwrap_or_default();
        let last = (disk.size() / block.as_u64()).saturating_sub(1);
        let mut copies: Vec<_> = first.into_iter().collect();
        // A disk that was made larger has its copy where it once ended.
        for place in [elsewhere, last] {
            if place > 1 && !copies.iter().any(|copy| copy.header.current_lba == place) {
                copies.extend(Copy::read(disk, block, place)?);
            }
        }
        if copies.is_empty() {
            continue;
        }
        let partitions = agreed(disk, block.as_u64(), &copies)?;
        if found.replace((block.as_u64(), partitions)).is_some() {
            return Err(Error::corrupt("has two GPTs, in blocks of 512 and of 4096 bytes"));
        }
    }
    found.ok_or_else(|| {
        Error::corrupt("has neither a GPT nor a copy of it that is whole")
            .at_offset(BLOCKS[0].as_u64())
            .with_hint("gdisk or sgdisk can mend it")
    })
}

impl Copy {
    /// The copy whose header is at block `at`, where there is one that is whole.
    fn read(disk: &Volume<'_>, block: LogicalBlockSize, at: u64) -> Result<Option<Self>> {
        let size = block.as_u64();
        let within = |start: Option<u64>, len: u64| {
            let start = start?;
            start.checked_add(len).filter(|end| *end <= disk.size()).map(|end| start..end)
        };
        let Some(place) = within(at.checked_mul(size), size) else { return Ok(None) };
        let sector = disk.read(place.start, HEADER as usize)?;
        if !sector.starts_with(MARK) {
            return Ok(None);
        }
        // The crate looks for a header one block behind the start.
        let mut device = vec![0; block.as_usize()];
        device.extend(sector);
        let Ok(mut header) = read_header_from_arbitrary_device(&mut Cursor::new(device), block) else {
            return Ok(None);
        };
        if header.current_lba != at {
            return Ok(None);
        }
        if header.revision != (1, 0) || header.header_size_le != HEADER {
            return Err(Error::unsupported("has a GPT of another revision than 1.0").at_offset(place.start));
        }
        if header.part_size != ENTRY || header.num_parts > MOST_GPT_ENTRIES {
            let (count, size) = (header.num_parts, header.part_size);
            return Err(
                Error::unsupported(format!("has a GPT with {count} entries of {size} bytes")).at_offset(place.start)
            );
        }
        let len = u64::from(header.num_parts * ENTRY);
        let start = header.part_start;
        let Some(list) = within(start.checked_mul(size), len) else { return Ok(None) };
        let bytes = disk.read(list.start, len as usize)?;
        header.part_start = 0;
        let Ok(mut partitions) = file_read_partitions(&mut Cursor::new(bytes), &header, block) else {
            return Ok(None);
        };
        header.part_start = start;
        partitions.retain(|_, partition| partition.is_used());
        Ok(Some(Copy { header, partitions, places: [place, list] }))
    }
}

/// The partitions that all copies agree on.
fn agreed(disk: &Volume<'_>, block: u64, copies: &[Copy]) -> Result<Partitions> {
    let copy = &copies[0];
    let differs =
        |other: &&Copy| other.partitions != copy.partitions || other.header.disk_guid != copy.header.disk_guid;
    if let Some(other) = copies.iter().find(differs) {
        return Err(Error::corrupt("the GPT and its copy do not agree")
            .at_offset(other.places[0].start)
            .with_hint("gdisk shows both, and writes the one that is right over the other"));
    }
    let mut found = Vec::new();
    // The first header's place is no partition's, though the header be lost.
    let mut taken = vec![0..block];
    if copy.header.current_lba != 1 {
        taken.push(block..2 * block);
    }
    taken.extend(copies.iter().flat_map(|copy| copy.places.clone()));
    for (number, partition) in &copy.partitions {
        let fault = |what: &str| Error::corrupt(format!("partition {number} {what}")).at_offset(copy.places[1].start);
        let kind = &partition.part_type_guid;
        if [&WINDOWS_DATA, &WINDOWS_METADATA, &WINDOWS_STORAGESPACES].iter().any(|known| known.guid == kind.guid) {
            return Err(Error::unsupported("is a dynamic disk or a pool of Windows").at_offset(copy.places[1].start));
        }
        let (first, last) = (partition.first_lba, partition.last_lba);
        if first > last || first < copy.header.first_usable || last > copy.header.last_usable {
            return Err(fault("lies outside of the blocks for partitions"));
        }
        let range = first.checked_mul(block).zip(last.checked_add(1).and_then(|end| end.checked_mul(block)));
        let Some((start, end)) = range.filter(|(_, end)| *end <= disk.size()) else {
            return Err(fault("goes on past the end of the disk"));
        };
        taken.push(start..end);
        found.push((*number, start..end));
    }
    disjoint(taken)?;
    Ok(found)
}
