//! The structures on disk, as Linux Documentation/filesystems/ext4 ("Super Block", "Block Group Descriptors") has them.
//! Little-endian throughout. What no survey asks for is left without a name of its own.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The byte at which the superblock starts, whatever the size of a block.
pub(super) const SUPERBLOCK: u64 = 1024;

/// The mark of a superblock.
pub(super) const MAGIC: u16 = 0xEF53;

/// The superblock.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawSuper {
    /* 0x000 */ pub(super) inodes: U32,
    /* 0x004 */ pub(super) blocks_lo: U32,
    /* 0x008 */ _reserved_lo: U32,
    /* 0x00c */ pub(super) free_blocks_lo: U32,
    /* 0x010 */ _free_inodes: U32,
    /* 0x014 */ pub(super) first_data_block: U32,
    /* 0x018 */ pub(super) log_block_size: U32,
    /* 0x01c */ pub(super) log_cluster_size: U32,
    /* 0x020 */ pub(super) blocks_per_group: U32,
    /* 0x024 */ pub(super) clusters_per_group: U32,
    /* 0x028 */ pub(super) inodes_per_group: U32,
    /* 0x02c */ _mounts: [u8; 12],
    /* 0x038 */ pub(super) magic: U16,
    /* 0x03a */ pub(super) state: U16,
    /* 0x03c */ _checks: [u8; 16],
    /* 0x04c */ pub(super) revision: U32,
    /* 0x050 */ _root: [u8; 8],
    /* 0x058 */ pub(super) inode_size: U16,
    /* 0x05a */ _group: U16,
    /* 0x05c */ pub(super) compat: U32,
    /* 0x060 */ pub(super) incompat: U32,
    /* 0x064 */ pub(super) ro_compat: U32,
    /* 0x068 */ pub(super) uuid: [u8; 16],
    /* 0x078 */ _names: [u8; 86],
    /* 0x0ce */ pub(super) reserved_descriptor_blocks: U16,
    /* 0x0d0 */ _journal_uuid: [u8; 16],
    /* 0x0e0 */ pub(super) journal_inode: U32,
    /* 0x0e4 */ _journal_device: U32,
    /* 0x0e8 */ pub(super) last_orphan: U32,
    /* 0x0ec */ _hash: [u8; 18],
    /* 0x0fe */ pub(super) descriptor_size: U16,
    /* 0x100 */ _mount_options: U32,
    /* 0x104 */ pub(super) first_meta_bg: U32,
    /* 0x108 */ _made: [u8; 72],
    /* 0x150 */ pub(super) blocks_hi: U32,
    /* 0x154 */ _reserved_hi: U32,
    /* 0x158 */ pub(super) free_blocks_hi: U32,
    /* 0x15c */ _extra: [u8; 12],
    /* 0x168 */ pub(super) mmp_block: U64,
    /* 0x170 */ _raid: [u8; 5],
    /* 0x175 */ pub(super) checksum_type: u8,
    /* 0x176 */ _usage: [u8; 214],
    /* 0x24c */ pub(super) backup_groups: [U32; 2],
    /* 0x254 */ _encryption: [u8; 28],
    /* 0x270 */ pub(super) checksum_seed: U32,
    /* 0x274 */ _rest: [u8; 392],
    /* 0x3fc */ pub(super) checksum: U32,
}

/// Bits of `state`.
pub(super) mod state {
    /// Unmounted as it should be; where there is a journal, always.
    pub(crate) const CLEAN: u16 = 1;
    /// Something wrong was found in it.
    pub(crate) const ERRORS: u16 = 1 << 1;
}

/// Features that a writer need not know.
pub(super) mod compat {
    pub(crate) const HAS_JOURNAL: u32 = 0x4;
    pub(crate) const RESIZE_INODE: u32 = 0x10;
    pub(crate) const SPARSE_SUPER2: u32 = 0x200;
}

/// Features that a reader must know.
pub(super) mod incompat {
    pub(crate) const FILETYPE: u32 = 0x2;
    pub(crate) const RECOVER: u32 = 0x4;
    pub(crate) const JOURNAL_DEV: u32 = 0x8;
    pub(crate) const META_BG: u32 = 0x10;
    pub(crate) const BITS_64: u32 = 0x80;
    pub(crate) const MMP: u32 = 0x100;
    pub(crate) const FLEX_BG: u32 = 0x200;
    pub(crate) const CSUM_SEED: u32 = 0x2000;
}

/// Features that a writer must know.
pub(super) mod ro_compat {
    pub(crate) const SPARSE_SUPER: u32 = 0x1;
    pub(crate) const LARGE_FILE: u32 = 0x2;
    pub(crate) const BTREE_DIR: u32 = 0x4;
    pub(crate) const GDT_CSUM: u32 = 0x10;
    pub(crate) const BIGALLOC: u32 = 0x200;
    pub(crate) const METADATA_CSUM: u32 = 0x400;
    pub(crate) const ORPHAN_PRESENT: u32 = 0x10000;
}

/// A group's descriptor; all of it, where descriptors have 32 bytes.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDescriptor {
    /* 0x00 */ pub(super) block_bitmap: U32,
    /* 0x04 */ pub(super) inode_bitmap: U32,
    /* 0x08 */ pub(super) inode_table: U32,
    /* 0x0c */ pub(super) free_clusters: U16,
    /* 0x0e */ _inodes: [u8; 4],
    /* 0x12 */ pub(super) flags: U16,
    /* 0x14 */ _exclude: U32,
    /* 0x18 */ pub(super) bitmap_checksum: U16,
    /* 0x1a */ _inode_bitmap: [u8; 4],
    /* 0x1e */ pub(super) checksum: U16,
}

/// What follows it in one of 64 bytes and more: the upper halves.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawDescriptorHigh {
    /* 0x20 */ pub(super) block_bitmap: U32,
    /* 0x24 */ pub(super) inode_bitmap: U32,
    /* 0x28 */ pub(super) inode_table: U32,
    /* 0x2c */ pub(super) free_clusters: U16,
    /* 0x2e */ _inodes: [u8; 10],
    /* 0x38 */ pub(super) bitmap_checksum: U16,
    /* 0x3a */ _inode_bitmap: [u8; 6],
}

/// Where in a descriptor its checksum stands.
pub(super) const DESCRIPTOR_CHECKSUM: usize = 0x1e;

/// Bit of a descriptor's flags: the block bitmap was never written, and is what can be told from the tables' places.
pub(super) const BLOCK_UNINIT: u16 = 1 << 1;

const _: () = assert!(size_of::<RawSuper>() == 1024);
const _: () = assert!(size_of::<RawDescriptor>() == 32);
const _: () = assert!(size_of::<RawDescriptorHigh>() == 32);
