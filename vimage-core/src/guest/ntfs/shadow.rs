//! Shadow copies: earlier states of the volume, as restore points have them. What is free now may be theirs: a block goes over
//! into their store only when it is written to anew.

#![allow(dead_code, reason = "not all that structures on disk hold is wanted")]

use super::boot::Geometry;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Where on the volume the head is, within its boot code.
const AT: u64 = 0x1E00;

/// What marks the head and the blocks of the catalog: 3808876b-c176-4e48-b7ae-04046e6cc752.
const MARK: [u8; 16] = [0x6B, 0x87, 0x08, 0x38, 0x76, 0xC1, 0x48, 0x4E, 0xB7, 0xAE, 0x04, 0x04, 0x6E, 0x6C, 0xC7, 0x52];

/// Bytes of a block of the catalog, of its head and of an entry.
const BLOCK: usize = 16 << 10;
const ENTRY: usize = 128;

/// The kind of a catalog's block.
const CATALOG: u32 = 2;

/// Entries of lower kinds are empty.
const LEAST_KIND: u64 = 2;

/// The most blocks of a catalog: 512 shadow copies of a volume are allowed, at two entries each.
const MOST: usize = 256;

/// The head of all. Each block of the catalog starts like it, as far as the place of the next one.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    /*  0 */ mark: [u8; 16],
    /* 16 */ version: U32,
    /* 20 */ kind: U32,
    /* 24 */ place: [U64; 2],
    /* 40 */ next: U64,
    /* 48 */ catalog: U64,
    /* 56 */ most: U64,
    /// The volume's own identifier, and that of the volume on which its shadow copies are.
    /* 64 */
    volume: [u8; 16],
    /* 80 */ storage: [u8; 16],
}

/// Checks that there are no shadow copies, here or on another volume.
///
/// # Errors
/// `Unsupported` where there are, or where their catalog cannot be read.
pub(super) fn check(volume: &Volume<'_>, geometry: &Geometry) -> Result<()> {
    let fault = |at: u64, message: &str| {
        Err(Error::unsupported(message)
            .at_offset(volume.disk_offset(at))
            .with_hint("delete them in its Windows (vssadmin delete shadows /all), or turn off its system protection"))
    };
    if AT + size_of::<Header>() as u64 > geometry.bytes(0..geometry.clusters).end {
        return Ok(());
    }
    let Ok(head) = Header::read_from_bytes(&volume.read(AT, size_of::<Header>())?) else { return Ok(()) };
    if head.mark != MARK {
        return Ok(());
    }
    if head.storage != [0; 16] && head.storage != head.volume {
        return fault(AT, "keeps its shadow copies on another volume, and they may need what is free now");
    }
    let mut next = head.catalog.get();
    for _ in 0..MOST {
        if next == 0 {
            return Ok(());
        }
        let block = match next.checked_add(BLOCK as u64) {
            Some(end) if end <= volume.size() => volume.read(next, BLOCK)?,
            _ => return fault(AT, "has a catalog of shadow copies that cannot be read"),
        };
        let Some(header) = Header::read_from_prefix(&block).ok().map(|(header, _)| header) else { break };
        if header.mark != MARK || header.kind.get() != CATALOG {
            return fault(next, "has a catalog of shadow copies that cannot be read");
        }
        let kinds = block[ENTRY..].chunks_exact(ENTRY).filter_map(|entry| U64::read_from_prefix(entry).ok());
        if kinds.map(|(kind, _)| kind.get()).any(|kind| kind >= LEAST_KIND) {
            return fault(next, "has shadow copies, which may need what is free now");
        }
        next = header.next.get();
    }
    fault(AT, "has a catalog of shadow copies without end")
}
