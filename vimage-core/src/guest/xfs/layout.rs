//! Structures on disk. Big-endian, but for checksums.
#![allow(dead_code, reason = "structures are given whole, and not all of them is looked at")]

use crate::guest::{UNSUMMED, crc32c};
use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFSB`.
pub(super) const SUPERBLOCK_MAGIC: u32 = 0x5846_5342;

/// `XAGF`.
pub(super) const AGF_MAGIC: u32 = 0x5841_4746;

/// `XAGI`.
pub(super) const AGI_MAGIC: u32 = 0x5841_4749;

/// `XAFL`; version 4 has none.
pub(super) const AGFL_MAGIC: u32 = 0x5841_464c;

/// The only version of AGF and AGI.
pub(super) const HEADER_VERSION: u32 = 1;

/// A pointer within an allocation group that points nowhere.
pub(super) const NULL_BLOCK: u32 = 0xffff_ffff;

/// Where checksums stand.
pub(super) mod checksum_at {
    pub(crate) const SUPERBLOCK: usize = 0xe0;
    pub(crate) const AGF: usize = 0xd8;
    pub(crate) const AGI: usize = 0x138;
    pub(crate) const AGFL: usize = 0x20;
    pub(crate) const TREE_BLOCK: usize = 0x34;
}

/// The start of an allocation group's first sector.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSuperblock {
    /* 0x000 */ pub(super) magic: U32,
    /* 0x004 */ pub(super) block_size: U32,
    /* 0x008 */ pub(super) blocks: U64,
    /* 0x010 */ pub(super) realtime_blocks: U64,
    /* 0x018 */ pub(super) realtime_extents: U64,
    /* 0x020 */ pub(super) uuid: [u8; 16],
    /* 0x030 */ pub(super) log_start: U64,
    /* 0x038 */ pub(super) root_inode: U64,
    /* 0x040 */ pub(super) realtime_bitmap_inode: U64,
    /* 0x048 */ pub(super) realtime_summary_inode: U64,
    /* 0x050 */ pub(super) realtime_extent_size: U32,
    /* 0x054 */ pub(super) group_blocks: U32,
    /* 0x058 */ pub(super) groups: U32,
    /* 0x05c */ pub(super) realtime_bitmap_blocks: U32,
    /* 0x060 */ pub(super) log_blocks: U32,
    /* 0x064 */ pub(super) version: U16,
    /* 0x066 */ pub(super) sector_size: U16,
    /* 0x068 */ pub(super) inode_size: U16,
    /* 0x06a */ pub(super) inodes_per_block: U16,
    /* 0x06c */ pub(super) label: [u8; 12],
    /* 0x078 */ pub(super) block_log: u8,
    /* 0x079 */ pub(super) sector_log: u8,
    /* 0x07a */ pub(super) inode_log: u8,
    /* 0x07b */ pub(super) inodes_per_block_log: u8,
    /* 0x07c */ pub(super) group_blocks_log: u8,
    /* 0x07d */ pub(super) realtime_extents_log: u8,
    /* 0x07e */ pub(super) in_progress: u8,
    /* 0x07f */ pub(super) most_inodes_percent: u8,
    /* 0x080 */ pub(super) inodes: U64,
    /* 0x088 */ pub(super) free_inodes: U64,
    /* 0x090 */ pub(super) free_blocks: U64,
    /* 0x098 */ pub(super) free_realtime_extents: U64,
    /* 0x0a0 */ pub(super) user_quota_inode: U64,
    /* 0x0a8 */ pub(super) group_quota_inode: U64,
    /* 0x0b0 */ pub(super) quota_flags: U16,
    /* 0x0b2 */ pub(super) flags: u8,
    /* 0x0b3 */ pub(super) shared_version: u8,
    /* 0x0b4 */ pub(super) inode_alignment: U32,
    /* 0x0b8 */ pub(super) stripe_unit: U32,
    /* 0x0bc */ pub(super) stripe_width: U32,
    /* 0x0c0 */ pub(super) directory_block_log: u8,
    /* 0x0c1 */ pub(super) log_sector_log: u8,
    /* 0x0c2 */ pub(super) log_sector_size: U16,
    /* 0x0c4 */ pub(super) log_stripe_unit: U32,
    /* 0x0c8 */ pub(super) features2: U32,
    /* 0x0cc */ pub(super) misplaced_features2: U32,
    /* 0x0d0 */ pub(super) compatible: U32,
    /* 0x0d4 */ pub(super) compatible_for_reading: U32,
    /* 0x0d8 */ pub(super) incompatible: U32,
    /* 0x0dc */ pub(super) incompatible_log: U32,
    /* 0x0e0 */ pub(super) checksum: [u8; 4],
    /* 0x0e4 */ pub(super) sparse_inode_alignment: U32,
    /* 0x0e8 */ pub(super) project_quota_inode: U64,
    /* 0x0f0 */ pub(super) last_write: U64,
    /* 0x0f8 */ pub(super) metadata_uuid: [u8; 16],
}

const _: () = assert!(size_of::<RawSuperblock>() == 0x108);

/// The second sector of an allocation group: its free space.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawAgf {
    /* 0x00 */ pub(super) magic: U32,
    /* 0x04 */ pub(super) version: U32,
    /* 0x08 */ pub(super) number: U32,
    /* 0x0c */ pub(super) blocks: U32,
    /* 0x10 */ pub(super) by_place_root: U32,
    /* 0x14 */ pub(super) by_size_root: U32,
    /* 0x18 */ pub(super) reverse_map_root: U32,
    /* 0x1c */ pub(super) by_place_levels: U32,
    /* 0x20 */ pub(super) by_size_levels: U32,
    /* 0x24 */ pub(super) reverse_map_levels: U32,
    /* 0x28 */ pub(super) list_first: U32,
    /* 0x2c */ pub(super) list_last: U32,
    /* 0x30 */ pub(super) list_count: U32,
    /* 0x34 */ pub(super) free_blocks: U32,
    /* 0x38 */ pub(super) longest: U32,
    /* 0x3c */ pub(super) tree_blocks: U32,
    /* 0x40 */ pub(super) uuid: [u8; 16],
    /* 0x50 */ pub(super) reverse_map_blocks: U32,
    /* 0x54 */ pub(super) reference_blocks: U32,
    /* 0x58 */ pub(super) reference_root: U32,
    /* 0x5c */ pub(super) reference_levels: U32,
    /* 0x60 */ pub(super) spare: [U64; 14],
    /* 0xd0 */ pub(super) last_write: U64,
    /* 0xd8 */ pub(super) checksum: [u8; 4],
    /* 0xdc */ pub(super) spare2: U32,
}

const _: () = assert!(size_of::<RawAgf>() == 0xe0);

/// The third sector: its inodes.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawAgi {
    /* 0x000 */ pub(super) magic: U32,
    /* 0x004 */ pub(super) version: U32,
    /* 0x008 */ pub(super) number: U32,
    /* 0x00c */ pub(super) blocks: U32,
    /* 0x010 */ pub(super) inodes: U32,
    /* 0x014 */ pub(super) root: U32,
    /* 0x018 */ pub(super) levels: U32,
    /* 0x01c */ pub(super) free_inodes: U32,
    /* 0x020 */ pub(super) newest: U32,
    /* 0x024 */ pub(super) directory: U32,
    /* 0x028 */ pub(super) unlinked: [U32; 64],
    /* 0x128 */ pub(super) uuid: [u8; 16],
    /* 0x138 */ pub(super) checksum: [u8; 4],
    /* 0x13c */ pub(super) padding: U32,
    /* 0x140 */ pub(super) last_write: U64,
    /* 0x148 */ pub(super) free_root: U32,
    /* 0x14c */ pub(super) free_levels: U32,
}

const _: () = assert!(size_of::<RawAgi>() == 0x150);

/// The fourth sector of version 5, before the list of blocks; that of version 4 is all list.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawAgfl {
    /* 0x00 */ pub(super) magic: U32,
    /* 0x04 */ pub(super) number: U32,
    /* 0x08 */ pub(super) uuid: [u8; 16],
    /* 0x18 */ pub(super) last_write: U64,
    /* 0x20 */ pub(super) checksum: [u8; 4],
}

const _: () = assert!(size_of::<RawAgfl>() == 0x24);

/// The start of a tree's block.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawTreeBlock {
    /* 0x00 */ pub(super) magic: U32,
    /* 0x04 */ pub(super) level: U16,
    /* 0x06 */ pub(super) records: U16,
    /* 0x08 */ pub(super) left: U32,
    /* 0x0c */ pub(super) right: U32,
}

const _: () = assert!(size_of::<RawTreeBlock>() == 0x10);

/// What follows it in version 5.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawTreeSeal {
    /* 0x10 */ pub(super) sector: U64,
    /* 0x18 */ pub(super) last_write: U64,
    /* 0x20 */ pub(super) uuid: [u8; 16],
    /* 0x30 */ pub(super) owner: U32,
    /* 0x34 */ pub(super) checksum: [u8; 4],
}

const _: () = assert!(size_of::<RawTreeSeal>() == 0x28);

/// A free extent; also a key.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawExtent {
    pub(super) start: U32,
    pub(super) blocks: U32,
}

/// The first sector of a log record.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawRecord {
    /* 0x000 */ pub(super) magic: U32,
    /* 0x004 */ pub(super) cycle: U32,
    /* 0x008 */ pub(super) version: U32,
    /* 0x00c */ pub(super) bytes: U32,
    /* 0x010 */ pub(super) place_cycle: U32,
    /* 0x014 */ pub(super) place_sector: U32,
    /* 0x018 */ pub(super) tail: U64,
    /* 0x020 */ pub(super) checksum: [u8; 4],
    /* 0x024 */ pub(super) previous: U32,
    /* 0x028 */ pub(super) operations: U32,
    /* 0x02c */ pub(super) cycle_data: [U32; 64],
    /* 0x12c */ pub(super) format: U32,
    /* 0x130 */ pub(super) uuid: [u8; 16],
    /* 0x140 */ pub(super) buffer_size: U32,
}

const _: () = assert!(size_of::<RawRecord>() == 0x144);

/// The operation that begins a log record's data; its first four bytes are replaced by the cycle.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawOperation {
    /* 0x0 */ pub(super) cycle: U32,
    /* 0x4 */ pub(super) bytes: U32,
    /* 0x8 */ pub(super) client: u8,
    /* 0x9 */ pub(super) flags: u8,
    /* 0xa */ pub(super) unused: U16,
    /* 0xc */ pub(super) data: [u8; 2],
}

const _: () = assert!(size_of::<RawOperation>() == 0xe);

/// Whether `bytes` hold their CRC-32C, little-endian, at `at`; it is taken with zeros in its own place.
pub(super) fn checks_out(bytes: &[u8], at: usize) -> bool {
    let Some((before, rest)) = bytes.split_at_checked(at) else { return false };
    let Some((held, behind)) = rest.split_first_chunk() else { return false };
    UNSUMMED || {
        let sum = [before, &[0; 4], behind].into_iter().fold(crc32c::START, crc32c::sum);
        !sum == u32::from_le_bytes(*held)
    }
}
