//! Where things are: blocks, clusters, groups, the copies of the superblock and the descriptors.
//!
//! After Linux Documentation/filesystems/ext4, "Layout", "Meta Block Groups", "Flexible Block Groups" and "Bigalloc", and
//! fs/ext4/balloc.c for what a group begins with.

use super::features::Features;
use super::layout::{RawSuper, compat, incompat, ro_compat};
use crate::error::{Error, Result};
use std::ops::Range;

/// The smallest block, of which sizes are given as powers.
const LEAST_BLOCK: u64 = 1024;

/// The largest `log_block_size` and `log_cluster_size`: 64 KiB and 1 GiB.
const MOST_LOG_BLOCK: u32 = 6;
const MOST_LOG_CLUSTER: u32 = 20;

/// The largest size of a descriptor.
const MOST_DESCRIPTOR: u16 = 1024;

/// Which groups have a copy of the superblock.
#[derive(Debug, Clone, Copy)]
enum Copies {
    /// Each.
    All,
    /// 0, 1 and the powers of 3, 5 and 7.
    Sparse,
    /// 0 and these two.
    Two([u64; 2]),
}

/// The measures of a volume. Blocks count from its start; groups from `first_block`.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    /// Bytes of a block.
    pub(super) block: u64,
    /// Blocks of a cluster, for which one bit of a bitmap stands, as a power of two.
    pub(super) cluster_bits: u32,
    /// The first block of group 0.
    pub(super) first_block: u64,
    /// Blocks in all, those before the first one too.
    pub(super) blocks: u64,
    /// Blocks of a group; the last one may have fewer.
    pub(super) per_group: u64,
    /// Groups.
    pub(super) groups: u64,
    /// Bytes of a group's descriptor.
    pub(super) descriptor: usize,
    /// Blocks of a group's inode table.
    pub(super) table_blocks: u64,
    /// Inodes of a group.
    pub(super) inodes_per_group: u64,
    /// Bytes of an inode.
    pub(super) inode_size: u64,
    /// Whether a group's tables may be in another group.
    pub(super) flexible: bool,
    copies: Copies,
    /// With `meta_bg`, the first block of descriptors that is not behind the superblock but in its own groups.
    scattered_from: Option<u64>,
    /// Blocks for more descriptors, behind each copy of them.
    reserved: u64,
}

impl Geometry {
    /// Takes it from the superblock of a volume of `size` bytes.
    ///
    /// # Errors
    /// `Corrupt`, when it cannot be.
    pub(super) fn of(raw: &RawSuper, features: &Features, size: u64) -> Result<Self> {
        let (log_block, log_cluster) = (raw.log_block_size.get(), raw.log_cluster_size.get());
        let bigalloc = features.ro_compat(ro_compat::BIGALLOC);
        if log_block > MOST_LOG_BLOCK || log_cluster > MOST_LOG_CLUSTER || log_cluster < log_block {
            return Err(strange("size of blocks and clusters", format!("2^{log_block} KiB and 2^{log_cluster} KiB")));
        }
        if log_cluster != log_block && !bigalloc {
            return Err(strange("size of clusters", format!("2^{log_cluster} KiB")));
        }
        let (block, cluster_bits) = (LEAST_BLOCK << log_block, log_cluster - log_block);

        let wide = features.incompat(incompat::BITS_64);
        if !wide && (raw.blocks_hi.get(), raw.free_blocks_hi.get()) != (0, 0) {
            return Err(Error::corrupt("counts blocks with 64 bits without the feature"));
        }
        let blocks = u64::from(raw.blocks_hi.get()) << 32 | u64::from(raw.blocks_lo.get());
        if blocks > size / block {
            return Err(Error::corrupt(format!("has {blocks} blocks of {block} bytes in a volume of {size} bytes")));
        }
        // Blocks of 1 KiB leave the boot block to no group, unless clusters are larger.
        let first_block = u64::from(raw.first_data_block.get());
        if first_block != u64::from(block == LEAST_BLOCK && cluster_bits == 0) || first_block >= blocks {
            return Err(strange("first block", first_block));
        }

        let clusters = u64::from(raw.clusters_per_group.get());
        let per_group = u64::from(raw.blocks_per_group.get());
        if clusters == 0 || !clusters.is_multiple_of(8) || clusters > block * 8 || per_group != clusters << cluster_bits
        {
            return Err(strange("size of a group", format!("{per_group} blocks, {clusters} clusters")));
        }
        let groups = (blocks - first_block).div_ceil(per_group);

        let inodes_per_group = u64::from(raw.inodes_per_group.get());
        let inode_size = if raw.revision.get() == 0 { 128 } else { u64::from(raw.inode_size.get()) };
        if !inode_size.is_power_of_two() || inode_size < 128 || inode_size > block {
            return Err(strange("size of inodes", inode_size));
        }
        let inodes = u64::from(raw.inodes.get());
        if inodes_per_group == 0 || inodes_per_group > block * 8 || inodes_per_group.checked_mul(groups) != Some(inodes)
        {
            return Err(strange(
                "number of inodes",
                format!("{inodes}, {inodes_per_group} in each of {groups} groups"),
            ));
        }

        let descriptor = match raw.descriptor_size.get() {
            _ if !wide => 32,
            size @ 64..=MOST_DESCRIPTOR if size.is_power_of_two() => size,
            size => return Err(strange("size of descriptors", size)),
        };
        let copies = match () {
            () if features.compat(compat::SPARSE_SUPER2) => {
                Copies::Two(raw.backup_groups.map(|group| group.get().into()))
            }
            () if features.ro_compat(ro_compat::SPARSE_SUPER) => Copies::Sparse,
            () => Copies::All,
        };
        let reserved = u64::from(raw.reserved_descriptor_blocks.get());
        if reserved != 0 && !features.compat(compat::RESIZE_INODE) {
            return Err(Error::corrupt(format!("reserves {reserved} blocks for descriptors without the feature")));
        }
        let mut geometry = Geometry {
            block,
            cluster_bits,
            first_block,
            blocks,
            per_group,
            groups,
            descriptor: descriptor.into(),
            table_blocks: (inodes_per_group * inode_size).div_ceil(block),
            inodes_per_group,
            inode_size,
            flexible: features.incompat(incompat::FLEX_BG),
            copies,
            scattered_from: None,
            reserved,
        };
        if features.incompat(incompat::META_BG) {
            let first = u64::from(raw.first_meta_bg.get());
            if first > geometry.descriptor_blocks() || features.compat(compat::RESIZE_INODE) {
                return Err(strange("first meta block group", first));
            }
            geometry.scattered_from = Some(first);
        }
        Ok(geometry)
    }

    /// The blocks of group `number`.
    pub(super) fn group(&self, number: u64) -> Range<u64> {
        let start = self.first_block + number * self.per_group;
        start..(start + self.per_group).min(self.blocks)
    }

    /// Clusters of group `number`.
    pub(super) fn clusters(&self, number: u64) -> u64 {
        let Range { start, end } = self.group(number);
        (end - start).div_ceil(1 << self.cluster_bits)
    }

    /// Descriptors in a block.
    pub(super) fn per_descriptor_block(&self) -> u64 {
        self.block / self.descriptor as u64
    }

    /// Blocks that descriptors take.
    pub(super) fn descriptor_blocks(&self) -> u64 {
        self.groups.div_ceil(self.per_descriptor_block())
    }

    /// The block that holds the descriptors' block `index`.
    pub(super) fn descriptor_block(&self, index: u64) -> u64 {
        if self.scattered_from.is_some_and(|from| index >= from) {
            let group = index * self.per_descriptor_block();
            return self.group(group).start + self.boot(group) + u64::from(self.has_superblock(group));
        }
        self.first_block + self.boot(0) + 1 + index
    }

    /// The blocks that group `number` begins with: its copies of superblock and descriptors, and what is reserved for these.
    pub(super) fn head(&self, number: u64) -> Range<u64> {
        let superblock = u64::from(self.has_superblock(number));
        let per = self.per_descriptor_block();
        let descriptors = match self.scattered_from {
            Some(from) if number / per >= from => u64::from([0, 1, per - 1].contains(&(number % per))),
            from => superblock * (from.unwrap_or_else(|| self.descriptor_blocks()) + self.reserved),
        };
        let start = self.group(number).start;
        start..start + self.boot(number) + superblock + descriptors
    }

    /// Blocks before the superblock in group `number`: it is at byte 1024, which need not be the start of group 0.
    fn boot(&self, number: u64) -> u64 {
        u64::from(number == 0 && self.block == LEAST_BLOCK && self.first_block == 0)
    }

    fn has_superblock(&self, number: u64) -> bool {
        let power_of = |base: u64| {
            let mut rest = number;
            while rest.is_multiple_of(base) {
                rest /= base;
            }
            rest == 1
        };
        number == 0
            || match self.copies {
                Copies::All => true,
                Copies::Sparse => [3, 5, 7].into_iter().any(power_of),
                Copies::Two(groups) => groups.contains(&number),
            }
    }
}

fn strange(what: &str, value: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("its {what} cannot be: {value}"))
}
