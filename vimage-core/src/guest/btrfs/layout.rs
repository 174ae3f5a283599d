//! The structures on disk, as the Linux headers `uapi/linux/btrfs_tree.h` and `uapi/linux/btrfs.h` and the btrfs
//! documentation ("On-disk Format") describe them. Little-endian and packed throughout. What is not read begins with `_`.

use crate::error::{Error, Result};
use std::ops::Range;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Where the superblock is.
pub(super) const SUPERBLOCK_AT: u64 = 64 << 10;

/// Bytes of a superblock.
pub(super) const SUPERBLOCK: usize = 4096;

/// Where copies of the superblock are, on devices that reach so far.
pub(super) const MIRRORS: [u64; 2] = [64 << 20, 256 << 30];

/// Where the magic stands in a superblock, and what it is.
pub(super) const MAGIC_AT: u64 = 0x40;
pub(super) const MAGIC: [u8; 8] = *b"_BHRfS_M";

/// What nothing is ever allocated from: the first MiB, with room for boot loaders and the superblock, and the stripe of 64 KiB
/// in which each mirror is.
pub(super) const RESERVED: [Range<u64>; 3] =
    [0..1 << 20, MIRRORS[0]..MIRRORS[0] + (64 << 10), MIRRORS[1]..MIRRORS[1] + (64 << 10)];

/// Bytes before a checksum's subject: the room for the checksum itself.
pub(super) const CHECKSUM: usize = 32;

/// A tree is at most this high.
pub(super) const LEVELS: u8 = 8;

/// Trees, and other objects that have a number of their own.
pub(super) mod object {
    pub(crate) const ROOT_TREE: u64 = 1;
    pub(crate) const EXTENT_TREE: u64 = 2;
    pub(crate) const CHUNK_TREE: u64 = 3;
    pub(crate) const DEVICE_TREE: u64 = 4;
    pub(crate) const GROUP_TREE: u64 = 11;
    pub(crate) const BALANCE: u64 = 4_u64.wrapping_neg();
    pub(crate) const TREE_RELOC: u64 = 8_u64.wrapping_neg();
    /// Whose items in the chunk tree are devices.
    pub(crate) const DEVICES: u64 = 1;
    /// Whose items in the chunk tree are chunks; the owner of all block groups.
    pub(crate) const CHUNKS: u64 = 256;
}

/// The kinds of item.
pub(super) mod kind {
    pub(crate) const ROOT: u8 = 132;
    pub(crate) const EXTENT: u8 = 168;
    pub(crate) const METADATA: u8 = 169;
    pub(crate) const TREE_BLOCK_REF: u8 = 176;
    pub(crate) const EXTENT_DATA_REF: u8 = 178;
    pub(crate) const SHARED_BLOCK_REF: u8 = 182;
    pub(crate) const SHARED_DATA_REF: u8 = 184;
    pub(crate) const BLOCK_GROUP: u8 = 192;
    pub(crate) const DEVICE_EXTENT: u8 = 204;
    pub(crate) const DEVICE: u8 = 216;
    pub(crate) const CHUNK: u8 = 228;
    pub(crate) const TEMPORARY: u8 = 248;
    pub(crate) const PERSISTENT: u8 = 249;
    pub(crate) const DEVICE_REPLACE: u8 = 250;
}

/// What an extent is, in its item's flags.
pub(super) mod extent {
    pub(crate) const DATA: u64 = 1;
    pub(crate) const TREE_BLOCK: u64 = 1 << 1;
    pub(crate) const FULL_BACKREF: u64 = 1 << 8;
}

/// What a chunk is for, and how it lies on devices.
pub(super) mod group {
    pub(crate) const DATA: u64 = 1;
    pub(crate) const SYSTEM: u64 = 1 << 1;
    pub(crate) const METADATA: u64 = 1 << 2;
    pub(crate) const DUP: u64 = 1 << 5;
    /// The profiles that spread over several devices, and what chunks may be besides.
    pub(crate) const OTHERS: [(u64, &str); 9] = [
        (1 << 3, "RAID0"),
        (1 << 4, "RAID1"),
        (1 << 6, "RAID10"),
        (1 << 7, "RAID5"),
        (1 << 8, "RAID6"),
        (1 << 9, "RAID1C3"),
        (1 << 10, "RAID1C4"),
        (1 << 11, "remapped"),
        (1 << 12, "remap metadata"),
    ];
}

/// What tells items apart and orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) object: u64,
    pub(super) kind: u8,
    pub(super) offset: u64,
}

#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawKey {
    object: U64,
    kind: u8,
    offset: U64,
}

impl RawKey {
    pub(super) fn get(&self) -> Key {
        Key { object: self.object.get(), kind: self.kind, offset: self.offset.get() }
    }
}

/// A device, in the superblock and in the chunk tree.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDevice {
    pub(super) id: U64,
    pub(super) total_bytes: U64,
    pub(super) bytes_used: U64,
    _alignment: [U32; 3],
    _kind: U64,
    _generation: U64,
    _start_offset: U64,
    _group: U32,
    _speed: [u8; 2],
    pub(super) uuid: [u8; 16],
    _fsid: [u8; 16],
}

/// The superblock, as far as it is used.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSuperblock {
    /* 0x000 */ _checksum: [u8; CHECKSUM],
    /* 0x020 */ pub(super) fsid: [u8; 16],
    /* 0x030 */ pub(super) at: U64,
    /* 0x038 */ pub(super) flags: U64,
    /* 0x040 */ pub(super) magic: [u8; 8],
    /* 0x048 */ pub(super) generation: U64,
    /* 0x050 */ pub(super) root: U64,
    /* 0x058 */ pub(super) chunk_root: U64,
    /* 0x060 */ pub(super) log_root: U64,
    /* 0x068 */ _log_root_transid: U64,
    /* 0x070 */ _total_bytes: U64,
    /* 0x078 */ pub(super) bytes_used: U64,
    /* 0x080 */ _root_dir: U64,
    /* 0x088 */ pub(super) devices: U64,
    /* 0x090 */ pub(super) sector_size: U32,
    /* 0x094 */ pub(super) node_size: U32,
    /* 0x098 */ _leaf_size: U32,
    /* 0x09c */ _stripe_size: U32,
    /* 0x0a0 */ pub(super) system_chunks_size: U32,
    /* 0x0a4 */ pub(super) chunk_root_generation: U64,
    /* 0x0ac */ pub(super) compat: U64,
    /* 0x0b4 */ pub(super) compat_ro: U64,
    /* 0x0bc */ pub(super) incompat: U64,
    /* 0x0c4 */ pub(super) checksum_kind: U16,
    /* 0x0c6 */ pub(super) root_level: u8,
    /* 0x0c7 */ pub(super) chunk_root_level: u8,
    /* 0x0c8 */ _log_root_level: u8,
    /* 0x0c9 */ pub(super) device: RawDevice,
    /* 0x12b */ _label: [u8; 256],
    /* 0x22b */ _cache_generation: U64,
    /* 0x233 */ _uuid_tree_generation: U64,
    /* 0x23b */ pub(super) metadata_uuid: [u8; 16],
    /* 0x24b */ _reserved: [u8; 224],
    /* 0x32b */ pub(super) system_chunks: [u8; 2048],
    /* 0xb2b */ _rest: [u8; SUPERBLOCK - 0xb2b],
}

const _: () = assert!(size_of::<RawDevice>() == 98 && size_of::<RawSuperblock>() == SUPERBLOCK);

/// What every tree block begins with.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    _checksum: [u8; CHECKSUM],
    pub(super) fsid: [u8; 16],
    pub(super) logical: U64,
    _flags: U64,
    _chunk_tree_uuid: [u8; 16],
    pub(super) generation: U64,
    pub(super) owner: U64,
    pub(super) items: U32,
    pub(super) level: u8,
}

const _: () = assert!(size_of::<RawHeader>() == 101);

/// What a block above the leaves has for each of its children.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawPointer {
    pub(super) key: RawKey,
    pub(super) logical: U64,
    pub(super) generation: U64,
}

/// What a leaf has for each of its items. Offsets count from behind the header.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawItem {
    pub(super) key: RawKey,
    pub(super) offset: U32,
    pub(super) size: U32,
}

/// A chunk, before its stripes.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawChunk {
    pub(super) length: U64,
    _owner: U64,
    _stripe_length: U64,
    pub(super) flags: U64,
    _alignment: [U32; 3],
    pub(super) stripes: U16,
    _sub_stripes: U16,
}

/// Where one copy of a chunk is.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawStripe {
    pub(super) device: U64,
    pub(super) offset: U64,
    pub(super) device_uuid: [u8; 16],
}

/// What the device tree says of a stretch that a chunk has.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDeviceExtent {
    _chunk_tree: U64,
    _chunk_object: U64,
    pub(super) chunk: U64,
    pub(super) length: U64,
    _chunk_tree_uuid: [u8; 16],
}

/// The state of a device's replacement.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDeviceReplace {
    _before: [U64; 4],
    pub(super) state: U64,
}

/// The root of a tree, as the root tree has it, as far as it is used.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawRoot {
    _inode: [u8; 160],
    pub(super) generation: U64,
    _root_dir: U64,
    pub(super) logical: U64,
    _before: [U64; 4],
    _references: U32,
    _drop_progress: RawKey,
    _drop_level: u8,
    pub(super) level: u8,
}

const _: () = assert!(size_of::<RawRoot>() == 239);

/// What a block group has in it.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawGroup {
    pub(super) used: U64,
    pub(super) chunk_object: U64,
    pub(super) flags: U64,
}

/// An extent, before its references.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtent {
    pub(super) references: U64,
    pub(super) generation: U64,
    pub(super) flags: U64,
}

/// What stands between an extent and its references where it is a tree block with an item of the longer kind.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawBlockInfo {
    _key: RawKey,
    _level: u8,
}

/// A reference to an extent, within its item.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawReference {
    pub(super) kind: u8,
    pub(super) object: U64,
}

/// What `bytes` begin with, and the rest.
///
/// # Errors
/// `Corrupt` when they are too few.
pub(super) fn first<'a, T>(bytes: &'a [u8], what: &str) -> Result<(&'a T, &'a [u8])>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    T::ref_from_prefix(bytes)
        .map_err(|_| Error::corrupt(format!("has {what} of {} bytes, which is too short", bytes.len())))
}
