//! The MBR: four entries in the disk's first sector, one of which may be a chain of further such sectors.
//!
//! The layout is that of the PC's BIOS; which entries of the chain count, and their numbers, are as in Linux's
//! block/partitions/msdos.c. Positions count in sectors of 512 bytes.

use super::{Partitions, disjoint};
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use crate::limits::guests::MOST_CHAINED;
use std::ops::Range;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a sector.
const SECTOR: u64 = 512;

/// Where the entries stand.
pub(super) const TABLE_AT: u64 = 446;

/// What ends each sector that has a table, and boot sectors of file systems too.
const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// The type of what covers a disk that has a GPT.
const PROTECTIVE: u8 = 0xee;

/// The types of extended partitions.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// The type of what a dynamic disk of Windows has its volumes in.
const DYNAMIC: u8 = 0x42;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Entry {
    state: u8,
    first_chs: [u8; 3],
    kind: u8,
    last_chs: [u8; 3],
    first: U32,
    sectors: U32,
}

/// A sector with a table.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Record {
    code: [u8; TABLE_AT as usize],
    entries: [Entry; 4],
    signature: [u8; 2],
}

/// What a boot sector tells of a FAT: the first bytes of the BIOS parameter block.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Parameters {
    jump: [u8; 3],
    maker: [u8; 8],
    sector: U16,
    cluster_sectors: u8,
    reserved: U16,
    tables: u8,
    roots: U16,
    sectors: U16,
    medium: u8,
}

impl Entry {
    fn is_used(&self) -> bool {
        self.kind != 0 || self.sectors != 0
    }

    fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind)
    }

    /// Its bytes, where it is used; its position counts from the disk's byte `base`.
    fn range(&self, base: u64, bounds: &Range<u64>, at: u64) -> Result<Option<Range<u64>>> {
        if !self.is_used() {
            return Ok(None);
        }
        // A base on the disk, below 2^63, and twice 32 bits of sectors stay below 2^64.
        let start = base + u64::from(self.first.get()) * SECTOR;
        let end = start + u64::from(self.sectors.get()) * SECTOR;
        let fault = match () {
            () if self.kind == 0 => "has a size and no type",
            () if start == end => "has no size",
            () if start < bounds.start || end > bounds.end => "lies outside of what holds it",
            () => return Ok(Some(start..end)),
        };
        Err(Error::corrupt(format!("a partition of type {:#04x} {fault}", self.kind)).at_offset(at))
    }
}

impl Record {
    /// The disk's first sector, where it ends as one with a table does.
    pub(super) fn read(disk: &Volume<'_>) -> Result<Option<Self>> {
        if disk.size() < SECTOR {
            return Ok(None);
        }
        Ok(Some(Self::at(disk, 0)?).filter(|record| record.signature == SIGNATURE))
    }

    fn at(disk: &Volume<'_>, offset: u64) -> Result<Self> {
        let mut record = Record::new_zeroed();
        disk.read_into(record.as_mut_bytes(), offset)?;
        Ok(record)
    }

    /// Whether it says that the disk has a GPT.
    pub(super) fn is_protective(&self) -> bool {
        self.has_valid_states() && self.entries.iter().any(|entry| entry.kind == PROTECTIVE)
    }

    /// Whether it has no partitions.
    pub(super) fn is_empty(&self) -> bool {
        !self.entries.iter().any(Entry::is_used)
    }

    /// Whether each entry is marked as one to boot from, or not: boot code in their place is neither.
    pub(super) fn has_valid_states(&self) -> bool {
        self.entries.iter().all(|entry| matches!(entry.state, 0 | 0x80))
    }

    /// Whether some entry could be one of a disk of `size` bytes.
    pub(super) fn has_plausible_entry(&self, size: u64) -> bool {
        self.entries.iter().any(|entry| {
            let range = entry.range(0, &(SECTOR..size), TABLE_AT);
            matches!(entry.state, 0 | 0x80) && matches!(range, Ok(Some(_)))
        })
    }

    /// Whether a file system begins with it: NTFS, exFAT, FAT, or BitLocker over one of them.
    pub(super) fn is_boot_sector(&self) -> bool {
        let Ok((parameters, _)) = Parameters::ref_from_prefix(self.as_bytes()) else { return false };
        let is_named = [b"NTFS    ", b"EXFAT   ", b"-FVE-FS-"].contains(&&parameters.maker);
        let is_fat = matches!(parameters.sector.get(), 512 | 1024 | 2048 | 4096)
            && parameters.cluster_sectors.is_power_of_two()
            && parameters.reserved != 0
            && matches!(parameters.tables, 1 | 2)
            && (parameters.medium == 0xf0 || parameters.medium >= 0xf8);
        matches!(parameters.jump[0], 0xeb | 0xe9) && (is_named || is_fat)
    }

    /// The partitions, with the numbers that Linux gives them.
    pub(super) fn partitions(&self, disk: &Volume<'_>) -> Result<Partitions> {
        let mut found = Vec::new();
        let mut extended = None;
        let mut taken = vec![0..SECTOR];
        for (number, entry) in (1..).zip(&self.entries) {
            let Some(range) = entry.range(0, &(0..disk.size()), TABLE_AT + 16 * (u64::from(number) - 1))? else {
                continue;
            };
            taken.push(range.clone());
            match entry.kind {
                DYNAMIC => return Err(Error::unsupported("is a dynamic disk of Windows").at_offset(TABLE_AT)),
                _ if !entry.is_extended() => found.push((number, range)),
                _ if extended.is_none() => extended = Some(range),
                _ => return Err(Error::unsupported("has two extended partitions").at_offset(TABLE_AT)),
            }
        }
        disjoint(taken)?;
        if let Some(extended) = extended {
            found.extend((5..).zip(logical(disk, &extended)?));
        }
        Ok(found)
    }

    /// Makes sure that what stands beside the entry that protects a GPT is a partition of that too.
    pub(super) fn agrees(&self, block: u64, partitions: &[(u32, Range<u64>)]) -> Result<()> {
        for entry in self.entries.iter().filter(|entry| entry.is_used() && entry.kind != PROTECTIVE) {
            let start = u64::from(entry.first.get()) * block;
            let range = start..start + u64::from(entry.sectors.get()) * block;
            if !partitions.iter().any(|(_, known)| *known == range) {
                return Err(Error::corrupt("the MBR has a partition that the GPT has not").at_offset(TABLE_AT));
            }
        }
        Ok(())
    }
}

/// The logical partitions, in the order of the chain.
fn logical(disk: &Volume<'_>, extended: &Range<u64>) -> Result<Vec<Range<u64>>> {
    let mut found = Vec::new();
    let mut taken = Vec::new();
    let mut at = extended.start;
    while taken.len() < 2 * MOST_CHAINED {
        let record = Record::at(disk, at)?;
        if at == extended.start && record.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(found);
        }
        let [data, link, rest @ ..] = &record.entries;
        if record.signature != SIGNATURE {
            return Err(Error::corrupt("the chain of logical partitions breaks off").at_offset(at));
        }
        if data.is_extended() || (link.is_used() && !link.is_extended()) || rest.iter().any(Entry::is_used) {
            return Err(Error::unsupported("a table of logical partitions has more than one and a link").at_offset(at));
        }
        taken.push(at..at + SECTOR);
        if let Some(range) = data.range(at, extended, at)? {
            taken.push(range.clone());
            found.push(range);
        }
        match link.range(extended.start, extended, at)? {
            Some(next) => at = next.start,
            // A chain that comes back to itself takes a sector twice.
            None => return disjoint(taken).map(|()| found),
        }
    }
    Err(Error::corrupt(format!("the chain of logical partitions has no end within {MOST_CHAINED}")).at_offset(at))
}
