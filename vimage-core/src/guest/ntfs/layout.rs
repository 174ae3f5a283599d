//! Structures on disk. Little-endian throughout.

#![allow(dead_code, reason = "not all that structures on disk hold is wanted")]

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Numbers of the records of the system's own files.
pub(super) mod number {
    pub(crate) const MFT: u64 = 0;
    pub(crate) const MIRROR: u64 = 1;
    pub(crate) const LOG: u64 = 2;
    pub(crate) const VOLUME: u64 = 3;
    pub(crate) const DEFINITIONS: u64 = 4;
    pub(crate) const ROOT: u64 = 5;
    pub(crate) const BITMAP: u64 = 6;
    pub(crate) const BOOT: u64 = 7;
    pub(crate) const UP_CASE: u64 = 10;
}

/// Kinds of attributes.
pub(super) mod kind {
    pub(crate) const LIST: u32 = 0x20;
    pub(crate) const VOLUME_INFORMATION: u32 = 0x70;
    pub(crate) const DATA: u32 = 0x80;
    pub(crate) const INDEX_ROOT: u32 = 0x90;
    pub(crate) const INDEX_ALLOCATION: u32 = 0xA0;
    pub(crate) const BITMAP: u32 = 0xB0;
    pub(crate) const END: u32 = 0xFFFF_FFFF;
}

/// The first 512 bytes of a volume.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct BootSector {
    /*  0 */ pub(super) jump: [u8; 3],
    /*  3 */ pub(super) maker: [u8; 8],
    /* 11 */ pub(super) sector: U16,
    /* 13 */ pub(super) cluster_sectors: u8,
    /* 14 */ pub(super) reserved: [u8; 26],
    /* 40 */ pub(super) sectors: U64,
    /* 48 */ pub(super) mft: U64,
    /* 56 */ pub(super) mirror: U64,
    /* 64 */ pub(super) record_clusters: i8,
    /* 65 */ pub(super) unused: [u8; 3],
    /* 68 */ pub(super) index_clusters: i8,
    /* 69 */ pub(super) unused_too: [u8; 3],
    /* 72 */ pub(super) serial: U64,
    /* 80 */ pub(super) code: [u8; 430],
    /* 510 */ pub(super) signature: [u8; 2],
}

/// What records, index blocks and pages of the log start with: the last two bytes of each 512 are kept in a table.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Protected {
    /* 0 */ pub(super) mark: [u8; 4],
    /* 4 */ pub(super) table: U16,
    /* 6 */ pub(super) count: U16,
}

/// The head of a record of the master file table.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RecordHeader {
    /*  0 */ pub(super) protected: Protected,
    /*  8 */ pub(super) log_number: U64,
    /* 16 */ pub(super) sequence: U16,
    /* 18 */ pub(super) links: U16,
    /* 20 */ pub(super) attributes: U16,
    /* 22 */ pub(super) flags: U16,
    /* 24 */ pub(super) used: U32,
    /* 28 */ pub(super) allocated: U32,
    /* 32 */ pub(super) base: U64,
    /* 40 */ pub(super) next_instance: U16,
    /* 42 */ pub(super) reserved: U16,
    /// Since version 3.1.
    /* 44 */
    pub(super) number: U32,
}

/// The head of an attribute.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct AttributeHeader {
    /*  0 */ pub(super) kind: U32,
    /*  4 */ pub(super) len: U32,
    /*  8 */ pub(super) non_resident: u8,
    /*  9 */ pub(super) name_len: u8,
    /* 10 */ pub(super) name: U16,
    /* 12 */ pub(super) flags: U16,
    /* 14 */ pub(super) instance: U16,
}

/// What follows in attributes whose value is in the record.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Resident {
    /* 16 */ pub(super) len: U32,
    /* 20 */ pub(super) at: U16,
}

/// What follows in attributes whose value is in clusters.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct NonResident {
    /* 16 */ pub(super) lowest: U64,
    /* 24 */ pub(super) highest: U64,
    /* 32 */ pub(super) runs: U16,
    /* 34 */ pub(super) unit: u8,
    /* 35 */ pub(super) reserved: [u8; 5],
    /* 40 */ pub(super) allocated: U64,
    /* 48 */ pub(super) size: U64,
    /* 56 */ pub(super) initialized: U64,
}

/// An entry of the list of a file's attributes.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct ListEntry {
    /*  0 */ pub(super) kind: U32,
    /*  4 */ pub(super) len: U16,
    /*  6 */ pub(super) name_len: u8,
    /*  7 */ pub(super) name: u8,
    /*  8 */ pub(super) lowest: U64,
    /* 16 */ pub(super) record: U64,
    /* 24 */ pub(super) instance: U16,
}

/// The head of an index's entries, in its root and in its blocks.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct IndexHeader {
    /*  0 */ pub(super) entries: U32,
    /*  4 */ pub(super) len: U32,
    /*  8 */ pub(super) allocated: U32,
    /* 12 */ pub(super) flags: u8,
    /* 13 */ pub(super) reserved: [u8; 3],
}

/// The head of an entry of an index.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct IndexEntry {
    /*  0 */ pub(super) record: U64,
    /*  8 */ pub(super) len: U16,
    /* 10 */ pub(super) key_len: U16,
    /* 12 */ pub(super) flags: U16,
    /* 14 */ pub(super) reserved: U16,
}

/// The head of a restart page of the log.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RestartPage {
    /*  0 */ pub(super) protected: Protected,
    /*  8 */ pub(super) checked: U64,
    /* 16 */ pub(super) system_page: U32,
    /* 20 */ pub(super) log_page: U32,
    /* 24 */ pub(super) area: U16,
    /* 26 */ pub(super) minor: U16,
    /* 28 */ pub(super) major: U16,
}

/// The restart area in such a page.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RestartArea {
    /*  0 */ pub(super) current: U64,
    /*  8 */ pub(super) clients: U16,
    /* 10 */ pub(super) free_list: U16,
    /* 12 */ pub(super) in_use_list: U16,
    /* 14 */ pub(super) flags: U16,
}

const _: () = assert!(size_of::<BootSector>() == 512);
const _: () = assert!(size_of::<RecordHeader>() == 48);
const _: () = assert!(size_of::<NonResident>() == 64 - 16);

/// The record that a reference names, without its sequence number.
pub(super) fn record_of(reference: U64) -> u64 {
    reference.get() & 0xFFFF_FFFF_FFFF
}

/// The sequence number of a reference.
pub(super) fn sequence_of(reference: U64) -> u16 {
    (reference.get() >> 48) as u16
}
