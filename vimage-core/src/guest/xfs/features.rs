//! Feature bits: which are known, and what they change here.

use super::layout::RawSuperblock;
use crate::error::{Error, Result};

/// Bits of the version word, beside the number in the lowest four.
mod version_bits {
    pub(super) const NUMBER: u32 = 0x000f;
    /// Nobody knows what it does; Linux refuses it.
    pub(super) const SHARED: u32 = 0x0200;
    pub(super) const LOG_2: u32 = 0x0400;
    pub(super) const DIRECTORIES_2: u32 = 0x2000;
    pub(super) const MORE_BITS: u32 = 0x8000;
}

/// Bits of the second feature word.
mod features2 {
    pub(super) const LAZY_COUNTERS: u32 = 0x002;
    pub(super) const CHECKSUMS: u32 = 0x100;
    /// Those, attributes of version 2, project identifiers of 32 bits, types in directories.
    pub(super) const KNOWN: u32 = LAZY_COUNTERS | 0x008 | 0x080 | CHECKSUMS | 0x200;
}

/// Bits of version 5 that old systems may read past.
mod compatible_for_reading {
    pub(super) const FREE_INODE_TREE: u32 = 1;
    pub(super) const REVERSE_MAP: u32 = 2;
    pub(super) const REFERENCES: u32 = 4;
    /// Those, and counters of the inode trees' blocks.
    pub(super) const KNOWN: u32 = FREE_INODE_TREE | REVERSE_MAP | REFERENCES | 8;
}

/// Bits of version 5 that one must know.
mod incompatible {
    pub(super) const METADATA_UUID: u32 = 0x004;
    pub(super) const NEEDS_REPAIR: u32 = 0x010;
    pub(super) const METADATA_DIRECTORY: u32 = 0x100;
    pub(super) const ZONED: u32 = 0x200;
    /// That, types in directories, sparse inodes, large times, large extent counters, exchanged ranges, parent pointers.
    pub(super) const KNOWN: u32 = METADATA_UUID | 0x001 | 0x002 | 0x008 | 0x020 | 0x040 | 0x080;
}

/// Logged attributes. What the log may hold does not matter when it is clean.
const KNOWN_LOG: u32 = 1;

/// What a file system has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Features {
    /// Version 5: all metadata has checksums and names its owner.
    pub(super) sealed: bool,
    /// The AGF counts the blocks of the trees of free space.
    pub(super) counts_tree_blocks: bool,
    pub(super) free_inode_tree: bool,
    pub(super) reverse_map: bool,
    pub(super) references: bool,
    /// Metadata is marked with a UUID of its own.
    pub(super) metadata_uuid: bool,
    pub(super) log_version: u32,
}

/// The version's number.
pub(super) fn version(raw: &RawSuperblock) -> u32 {
    u32::from(raw.version.get()) & version_bits::NUMBER
}

/// Checks the features of a superblock of version 4 or 5.
///
/// # Errors
/// `Unsupported` for a feature that is not known, or that makes free space another thing; `Corrupt` for one that cannot be.
pub(super) fn known(raw: &RawSuperblock) -> Result<Features> {
    let sealed = version(raw) == 5;
    let bits = u32::from(raw.version.get());
    let more = bits & version_bits::MORE_BITS != 0;
    let unsupported = |what: &str| Err(Error::unsupported(what));
    if raw.in_progress != 0 {
        return unsupported("was not made to the end: mkfs was at work");
    }
    if bits & version_bits::DIRECTORIES_2 == 0 {
        return unsupported("has directories of version 1");
    }
    only(bits, !version_bits::SHARED, "version")?;
    if raw.shared_version != 0 {
        return unsupported("is of a shared version");
    }
    if more {
        only(second_features(raw), features2::KNOWN, "features2")?;
    }
    if sealed != (more && second_features(raw) & features2::CHECKSUMS != 0) {
        return Err(Error::corrupt("does not agree with its version on having checksums"));
    }
    if sealed {
        let incompatible = raw.incompatible.get();
        if incompatible & incompatible::NEEDS_REPAIR != 0 {
            return Err(Error::unsupported("is marked as needing repair").with_hint("run xfs_repair on it"));
        }
        if incompatible & incompatible::ZONED != 0 {
            return unsupported("has zones, which are not looked into");
        }
        if incompatible & incompatible::METADATA_DIRECTORY != 0 {
            return unsupported("has a metadata directory, which is not looked into");
        }
        only(incompatible, incompatible::KNOWN, "incompatible")?;
        only(raw.compatible_for_reading.get(), compatible_for_reading::KNOWN, "read-only compatible")?;
        only(raw.compatible.get(), 0, "compatible")?;
        only(raw.incompatible_log.get(), KNOWN_LOG, "log")?;
    }
    if raw.realtime_blocks.get() != 0 {
        return unsupported("has a realtime section on another device");
    }
    if raw.log_start.get() == 0 {
        return unsupported("has its log on another device");
    }
    let has = |bit: u32| sealed && raw.compatible_for_reading.get() & bit != 0;
    Ok(Features {
        sealed,
        counts_tree_blocks: sealed || more && second_features(raw) & features2::LAZY_COUNTERS != 0,
        free_inode_tree: has(compatible_for_reading::FREE_INODE_TREE),
        reverse_map: has(compatible_for_reading::REVERSE_MAP),
        references: has(compatible_for_reading::REFERENCES),
        metadata_uuid: sealed && raw.incompatible.get() & incompatible::METADATA_UUID != 0,
        log_version: if sealed || bits & version_bits::LOG_2 != 0 { 2 } else { 1 },
    })
}

/// The second feature word. Some systems wrote it four bytes further on; Linux takes both.
fn second_features(raw: &RawSuperblock) -> u32 {
    raw.features2.get() | raw.misplaced_features2.get()
}

/// # Errors
/// `Unsupported` when there are other bits than the known ones.
fn only(bits: u32, known: u32, word: &str) -> Result<()> {
    match bits & !known {
        0 => Ok(()),
        unknown => Err(Error::unsupported(format!("has {word} features that are not known: {unknown:#x}"))),
    }
}
