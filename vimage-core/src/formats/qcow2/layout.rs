//! The structures on disk, as "The QCOW2 image format" has them. Big-endian throughout.

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// "QFI" and 0xfb.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";

/// Bytes of the header of version 2.
pub(super) const HEADER_V2: usize = 72;

/// Bytes of the header of version 3 without its optional fields.
pub(super) const HEADER_V3: usize = 104;

/// The header; what lies behind `snapshots_offset` is of version 3 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    /* 0x00 */ pub(super) magic: [u8; 4],
    /* 0x04 */ pub(super) version: U32,
    /* 0x08 */ pub(super) backing_file_offset: U64,
    /* 0x10 */ pub(super) backing_file_size: U32,
    /* 0x14 */ pub(super) cluster_bits: U32,
    /* 0x18 */ pub(super) size: U64,
    /* 0x20 */ pub(super) crypt_method: U32,
    /* 0x24 */ pub(super) l1_size: U32,
    /* 0x28 */ pub(super) l1_table_offset: U64,
    /* 0x30 */ pub(super) refcount_table_offset: U64,
    /* 0x38 */ pub(super) refcount_table_clusters: U32,
    /* 0x3c */ pub(super) nb_snapshots: U32,
    /* 0x40 */ pub(super) snapshots_offset: U64,
    /* 0x48 */ pub(super) incompatible_features: U64,
    /* 0x50 */ pub(super) compatible_features: U64,
    /* 0x58 */ pub(super) autoclear_features: U64,
    /* 0x60 */ pub(super) refcount_order: U32,
    /* 0x64 */ pub(super) header_length: U32,
    /* 0x68 */ pub(super) compression_type: u8,
    /* 0x69 */ pub(super) padding: [u8; 7],
}

/// Bits of `incompatible_features`: a reader must know every one that is set.
pub(super) mod incompatible {
    /// Refcounts may be wrong: the image was not closed.
    pub(crate) const DIRTY: u64 = 1;
    /// Some tool found the image corrupt.
    pub(crate) const CORRUPT: u64 = 1 << 1;
    /// The guest's data are in another file.
    pub(crate) const DATA_FILE: u64 = 1 << 2;
    /// `compression_type` is there and not 0.
    pub(crate) const COMPRESSION: u64 = 1 << 3;
    /// L2 entries have a bitmap of subclusters.
    pub(crate) const EXTENDED_L2: u64 = 1 << 4;
    /// Those that are known.
    pub(crate) const KNOWN: u64 = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2;
}

/// `compatible_features`: refcounts are written late, and the dirty bit says when.
pub(super) const LAZY_REFCOUNTS: u64 = 1;

/// Bits of `autoclear_features`.
pub(super) mod autoclear {
    /// The bitmaps are consistent.
    pub(crate) const BITMAPS: u64 = 1;
    /// The data file holds the disk byte for byte.
    pub(crate) const RAW_DATA_FILE: u64 = 1 << 1;
}

/// Types of header extensions.
pub(super) mod extension {
    pub(crate) const END: u32 = 0;
    /// The backing file's format.
    pub(crate) const BACKING_FORMAT: u32 = 0xe279_2aca;
    /// Names of feature bits.
    pub(crate) const FEATURE_NAMES: u32 = 0x6803_f857;
    /// Persistent dirty bitmaps.
    pub(crate) const BITMAPS: u32 = 0x2385_2875;
    /// Where the LUKS header is.
    pub(crate) const ENCRYPTION: u32 = 0x0537_be77;
    /// The external data file's name.
    pub(crate) const DATA_FILE: u32 = 0x4441_5441;
}

/// An entry of the snapshot table, without what of variable length follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSnapshot {
    /* 0x00 */ pub(super) l1_table_offset: U64,
    /* 0x08 */ pub(super) l1_size: U32,
    /* 0x0c */ pub(super) id_size: U16,
    /* 0x0e */ pub(super) name_size: U16,
    /* 0x10 */ pub(super) date_sec: U32,
    /* 0x14 */ pub(super) date_nsec: U32,
    /* 0x18 */ pub(super) vm_clock_nsec: U64,
    /* 0x20 */ pub(super) vm_state_size: U32,
    /* 0x24 */ pub(super) extra_data_size: U32,
}

/// Bits of L1 and L2 entries.
pub(super) mod entry {
    /// The cluster's refcount is exactly one.
    pub(crate) const COPIED: u64 = 1 << 63;
    /// The cluster is compressed (L2 only).
    pub(crate) const COMPRESSED: u64 = 1 << 62;
    /// The cluster reads as zero (L2 of version 3 only, not extended).
    pub(crate) const ZERO: u64 = 1;
    /// The host offset.
    pub(crate) const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
    /// Must be zero in L1 entries.
    pub(crate) const L1_RESERVED: u64 = 0x7f00_0000_0000_01ff;
    /// Must be zero in L2 entries of standard clusters.
    pub(crate) const L2_RESERVED: u64 = 0x3f00_0000_0000_01fe;
}

/// Subclusters of a cluster, where L2 entries are extended.
pub(super) const SUBCLUSTERS: u64 = 32;

/// Counter `index` of a refcount block, whose counters have `bits` bits: those of less than a byte stand in it from the
/// lowest bits up, the others are big-endian.
pub(super) fn counter(block: &[u8], index: u64, bits: u32) -> u64 {
    let (index, bits) = (index as usize, bits as usize);
    if bits < 8 {
        return u64::from(block[index * bits / 8] >> (index * bits % 8)) & ((1 << bits) - 1);
    }
    block[index * bits / 8..][..bits / 8].iter().fold(0, |count, &byte| count << 8 | u64::from(byte))
}

/// Bytes of a sector: the unit of compressed sizes.
pub(super) const SECTOR: u64 = 512;

const _: () = assert!(size_of::<RawHeader>() == 112);
const _: () = assert!(size_of::<RawSnapshot>() == 40);
