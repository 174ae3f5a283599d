//! The header on disk, as VirtualBox's VDICore.h and QEMU's block/vdi.c describe it. Little-endian throughout.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What VirtualBox writes before the signature, and no reader looks at.
pub(super) const TEXT: &[u8] = b"<<< Oracle VM VirtualBox Disk Image >>>\n";

/// Where the signature stands.
pub(super) const SIGNATURE_AT: usize = 64;

/// The signature: 0xbeda107f.
pub(super) const SIGNATURE: [u8; 4] = 0xbeda_107f_u32.to_le_bytes();

/// Version 1.1, the only one since 2007.
pub(super) const VERSION: u32 = 0x0001_0001;

/// Bytes of the header, counted from behind the version, that every reader wants.
pub(super) const SHORTEST_HEADER: u32 = 0x180;

/// Bytes of the header as VirtualBox writes it, with a second geometry.
pub(super) const HEADER: u32 = 400;

/// The kinds of image.
pub(super) mod kind {
    /// Blocks are there when they hold something.
    pub(crate) const DYNAMIC: u32 = 1;
    /// All blocks are there.
    pub(crate) const FIXED: u32 = 2;
    /// Of ancient versions.
    pub(crate) const UNDO: u32 = 3;
    /// Blocks that differ from a parent.
    pub(crate) const DIFFERENCING: u32 = 4;
}

/// A block that is nowhere: the parent's, or zero.
pub(super) const FREE: u32 = 0xffff_ffff;

/// A block that is zero.
pub(super) const ZERO: u32 = 0xffff_fffe;

/// The first 512 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    /* 0x000 */ pub(super) text: [u8; 64],
    /* 0x040 */ pub(super) signature: [u8; 4],
    /* 0x044 */ pub(super) version: U32,
    /* 0x048 */ pub(super) header_size: U32,
    /* 0x04c */ pub(super) kind: U32,
    /* 0x050 */ pub(super) flags: U32,
    /* 0x054 */ pub(super) comment: [u8; 256],
    /* 0x154 */ pub(super) map_offset: U32,
    /* 0x158 */ pub(super) data_offset: U32,
    /* 0x15c */ pub(super) legacy_geometry: [U32; 3],
    /* 0x168 */ pub(super) sector_size: U32,
    /* 0x16c */ pub(super) unused: U32,
    /* 0x170 */ pub(super) disk_size: U64,
    /* 0x178 */ pub(super) block_size: U32,
    /* 0x17c */ pub(super) block_extra: U32,
    /* 0x180 */ pub(super) blocks: U32,
    /* 0x184 */ pub(super) allocated: U32,
    /* 0x188 */ pub(super) created: [u8; 16],
    /* 0x198 */ pub(super) modified: [u8; 16],
    /* 0x1a8 */ pub(super) parent: [u8; 16],
    /* 0x1b8 */ pub(super) parent_modified: [u8; 16],
    /* 0x1c8 */ pub(super) geometry: [U32; 4],
    /* 0x1d8 */ pub(super) rest: [u8; 40],
}

const _: () = assert!(size_of::<RawHeader>() == 512);
