//! The structures on disk, as VMware's "Virtual Disk Format 5.0" and the open readers have them. Little-endian throughout.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a sector: the unit of every offset and size in these structures.
pub(crate) const SECTOR: u64 = 512;

/// "KDMV": the first bytes of a hosted sparse extent.
pub(crate) const HOSTED_MAGIC: [u8; 4] = *b"KDMV";

/// "COWD": the first bytes of an ESX delta.
pub(crate) const COWD_MAGIC: [u8; 4] = *b"COWD";

/// The first eight bytes of an ESXi space-efficient delta: 0xcafebabe.
pub(crate) const SESPARSE_MAGIC: u64 = 0xcafe_babe;

/// In `gd_offset`: the grain directory comes after the grains, and the footer says where.
pub(crate) const GD_AT_END: u64 = u64::MAX;

/// The line ends that show whether the file was changed by a transfer as text.
pub(crate) const NEWLINES: [u8; 4] = *b"\n \r\n";

/// Hosted sparse extent header, "Hosted Sparse Extent Header".
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct SparseHeader {
    /* 0x00 */ pub magic: [u8; 4],
    /* 0x04 */ pub version: U32,
    /* 0x08 */ pub flags: U32,
    /* 0x0c */ pub capacity: U64,
    /* 0x14 */ pub grain_size: U64,
    /* 0x1c */ pub descriptor_offset: U64,
    /* 0x24 */ pub descriptor_size: U64,
    /* 0x2c */ pub num_gtes_per_gt: U32,
    /* 0x30 */ pub rgd_offset: U64,
    /* 0x38 */ pub gd_offset: U64,
    /* 0x40 */ pub over_head: U64,
    /* 0x48 */ pub unclean_shutdown: u8,
    /* 0x49 */ pub newlines: [u8; 4],
    /* 0x4d */ pub compress_algorithm: U16,
    /* 0x4f */ pub pad: [u8; 433],
}

/// Flags of [`SparseHeader`]. Those of the upper half must be understood by a reader.
pub(crate) mod flags {
    /// The newline bytes are there to be tested.
    pub(crate) const NEWLINE_TEST: u32 = 1;
    /// There is a redundant grain directory.
    pub(crate) const REDUNDANT_GD: u32 = 1 << 1;
    /// A grain table entry of 1 is a grain of zeros.
    pub(crate) const ZEROED_GRAIN: u32 = 1 << 2;
    /// Grains are compressed.
    pub(crate) const COMPRESSED: u32 = 1 << 16;
    /// Grains and tables have markers before them.
    pub(crate) const MARKERS: u32 = 1 << 17;
}

/// `compress_algorithm`: deflate in zlib's wrapping, RFC 1950.
pub(crate) const COMPRESSION_DEFLATE: u16 = 1;

/// What stands before a compressed grain (`size` != 0, its data follows at once) or, alone in its sector, before a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Marker {
    /* 0x00 */ /// A grain's first sector on the disk, or the number of sectors that follow.
    pub value: U64,
    /* 0x08 */ /// Bytes of a grain's data; 0 where it is no grain.
    pub size: U32,
}

/// Bytes of [`Marker`] before a grain's data.
pub(crate) const MARKER: usize = 12;

/// Kinds of markers that are no grain: a u32 behind [`Marker`].
pub(crate) mod marker {
    /// The end of the stream.
    pub(crate) const END_OF_STREAM: u32 = 0;
    /// A grain table follows.
    pub(crate) const GRAIN_TABLE: u32 = 1;
    /// The grain directory follows.
    pub(crate) const GRAIN_DIRECTORY: u32 = 2;
    /// The footer follows.
    pub(crate) const FOOTER: u32 = 3;
}

/// COWD header, "ESX Server Sparse Extents": its first 28 bytes and where the rest of its 4 sectors is of no use to a
/// reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct CowdHeader {
    /* 0x00 */ pub magic: [u8; 4],
    /* 0x04 */ pub version: U32,
    /* 0x08 */ pub flags: U32,
    /* 0x0c */ pub num_sectors: U32,
    /* 0x10 */ pub grain_size: U32,
    /* 0x14 */ pub gd_offset: U32,
    /* 0x18 */ pub num_gd_entries: U32,
    /* 0x1c */ pub free_sector: U32,
}

/// Entries of a COWD grain table.
pub(crate) const COWD_GTES: u32 = 4096;

/// seSparse constant header, as QEMU's block/vmdk.c documents it; all in sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct SeSparseHeader {
    /* 0x00 */ pub magic: U64,
    /* 0x08 */ pub version: U64,
    /* 0x10 */ pub capacity: U64,
    /* 0x18 */ pub grain_size: U64,
    /* 0x20 */ pub grain_table_size: U64,
    /* 0x28 */ pub flags: U64,
    /* 0x30 */ pub reserved: [U64; 4],
    /* 0x50 */ pub volatile_header: Area,
    /* 0x60 */ pub journal_header: Area,
    /* 0x70 */ pub journal: Area,
    /* 0x80 */ pub grain_directory: Area,
    /* 0x90 */ pub grain_tables: Area,
    /* 0xa0 */ pub free_bitmap: Area,
    /* 0xb0 */ pub backmap: Area,
    /* 0xc0 */ pub grains: Area,
}

/// A stretch of sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Area {
    pub offset: U64,
    pub size: U64,
}

/// seSparse volatile header: its magic is 0xcafecafe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct SeSparseVolatile {
    /* 0x00 */ pub magic: U64,
    /* 0x08 */ pub free_gt_number: U64,
    /* 0x10 */ pub next_txn_seq: U64,
    /* 0x18 */ pub replay_journal: U64,
}

/// The magic of [`SeSparseVolatile`].
pub(crate) const SESPARSE_VOLATILE_MAGIC: u64 = 0xcafe_cafe;

/// The one version of seSparse that is known: 2.1.
pub(crate) const SESPARSE_VERSION: u64 = 0x0000_0002_0000_0001;

const _: () = assert!(size_of::<SparseHeader>() == 512);
const _: () = assert!(size_of::<Marker>() == MARKER);
const _: () = assert!(size_of::<SeSparseHeader>() == 0xd0);
