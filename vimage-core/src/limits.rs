//! What an input that nobody vouches for may cost: every bound on memory, time and open files that does not follow from the bytes that
//! are there, in one place. docs/limits.md tells what each is for; each is held where the number that it bounds is read.
//!
//! Lengths are in bytes unless a name or a line says otherwise. What a format itself bounds is with the format, what outputs can hold is
//! with their writers.

use crate::error::{Error, Result};

/// The most images that may lie beneath each other.
pub const DEEPEST_CHAIN: usize = 200;

/// The most files of a folder among which a parent is looked for.
pub const MOST_CANDIDATES: usize = 1000;

/// The most pieces that are joined or written: a bound on open files, not on anybody's disk.
pub const MOST_PIECES: u64 = 9_999;

/// The most findings that a check keeps one by one; the rest is counted.
pub const MOST_FINDINGS: usize = 1000;

/// Extents of a disk passed between two questions whether to stop: some milliseconds.
pub const STEPS_BETWEEN_QUESTIONS: u64 = 1024;

/// Checks the virtual size of a disk, `found` bytes, against the bound of the caller's, where there is one.
///
/// # Errors
/// `Refused`.
pub(crate) fn check_size(found: u64, most: Option<u64>) -> Result<()> {
    check(found, "", most)
}

/// Checks the same of a disk that has come as far as `reached`, whose end is not known yet.
///
/// # Errors
/// `Refused`.
pub(crate) fn check_reached(reached: u64, most: Option<u64>) -> Result<()> {
    check(reached, " or more", most)
}

fn check(found: u64, or_more: &str, most: Option<u64>) -> Result<()> {
    match most.filter(|&most| found > most) {
        None => Ok(()),
        Some(most) => Err(Error::refused(format!(
            "its virtual size is {found} bytes{or_more}, and {most} is the most that is taken"
        ))
        .with_hint("--max-size is that bound: raise it if the disk is meant to be so large")),
    }
}

/// What is compressed as a whole.
pub mod unpacking {
    /// The most bytes that are made of one file, however few they come from.
    pub const MOST_UNPACKED: u64 = 2 << 40;

    /// The most bytes other than holes that are made of one byte, beyond the first [`MOST_UNWEIGHED`]: text and programs come to 20 or
    /// so, what is made to fill a disk to 1000.
    pub const MOST_OF_ONE: u64 = 200;

    /// Bytes that are made of however few.
    pub const MOST_UNWEIGHED: u64 = 1 << 30;

    /// The base 2 logarithm of the largest window of Zstandard: what `zstd` itself takes unless told otherwise.
    pub const LARGEST_WINDOW: u32 = 27;

    /// KiB that unpacking xz may take: its dictionaries go to 64 MiB with the presets of `xz`.
    pub const MOST_XZ_MEMORY: u32 = 128 << 10;
}

/// qcow2. Those that QEMU has are QEMU's own, so that what it takes is taken.
pub mod qcow2 {
    /// The largest L1 table.
    pub const LARGEST_L1: u64 = 32 << 20;

    /// The largest refcount table.
    pub const LARGEST_REFCOUNT_TABLE: u64 = 8 << 20;

    /// The most snapshots.
    pub const MOST_SNAPSHOTS: u32 = 65_536;

    /// The largest snapshot table.
    pub const LARGEST_SNAPSHOT_TABLE: u64 = 64 << 20;

    /// The most bytes of extra data of one snapshot.
    pub const MOST_EXTRA: u32 = 1024;

    /// The most bytes of all identifiers and names of snapshots, which are kept.
    pub const MOST_TEXT: usize = 4 << 20;

    /// The largest bitmap directory, and the largest table of a bitmap.
    pub const LARGEST_DIRECTORY: u64 = 65_535 * 1024;
}

/// VMDK.
pub mod vmdk {
    /// The longest descriptor that is read: as long as QEMU takes.
    pub const LONGEST_DESCRIPTOR: u64 = 1 << 20;

    /// The most tables that the extents of a disk may have: 128 TiB of 64 KiB grains, and 16 MiB of memory.
    pub const MOST_TABLES: u64 = 4 << 20;

    /// The largest grain, in sectors: 32 MiB, of which each reading thread may hold two.
    pub const LARGEST_GRAIN: u64 = 65_536;

    /// The most bytes of a packed grain, in grains.
    pub const MOST_PACKED: u64 = 2;

    /// The most bytes that are held of what stands before the grains of a stream: two directories with their tables for 512 GiB of disk.
    pub const MOST_FRONT: u64 = 64 << 20;

    /// The most sectors behind a marker of a kind that is not known.
    pub const MOST_UNKNOWN: u64 = 2048;

    /// The most things off the step of the others that a check keeps one by one: some 80 MB.
    pub const MOST_ODD: usize = 4 << 20;
}

/// VDI.
pub mod vdi {
    /// The largest block: every tool writes 1 MiB.
    pub const LARGEST_BLOCK: u64 = 256 << 20;

    /// The most extra bytes before each block.
    pub const MOST_EXTRA: u64 = 1 << 20;

    /// The most blocks: QEMU's limit, 512 TiB of blocks of 1 MiB.
    pub const MOST_BLOCKS: u32 = 0x1fff_ff80;
}

/// raw.zst.
pub mod zst {
    /// The most frames: 128 MiB of memory.
    pub const MOST_FRAMES: usize = 16 << 20;

    /// The most bytes that a frame unpacks to when it is read by itself, twice of which a reading thread takes. With a longer one, which
    /// is none of zeros, all of the file is unpacked once.
    pub const LARGEST_FRAME: usize = 32 << 20;
}

/// Archives and what they hold.
pub mod archives {
    /// The most members of a tar, files or disks of a descriptor, and chunks of a file.
    pub const MOST_MEMBERS: usize = 4096;

    /// The most headers of all kinds together in a tar: each member may have a few in front of it.
    pub const MOST_HEADERS: usize = 4 * MOST_MEMBERS;

    /// The longest name in a header of its own that is read before it is known to be too long.
    pub const LONGEST_LONG_NAME: u64 = 4096;

    /// The longest extended header.
    pub const LONGEST_EXTENDED: u64 = 64 << 10;

    /// The longest name of a member of a tar, as file systems have it.
    pub const LONGEST_NAME: usize = 255;

    /// The longest name that is unpacked, with its folders.
    pub const LONGEST_PATH: usize = 1024;

    /// The most folders inside each other that are unpacked.
    pub const DEEPEST_FOLDER: usize = 8;

    /// The longest manifest, certificate, or metadata of a box.
    pub const LONGEST_TEXT: u64 = 1 << 20;

    /// The most bytes of gzip-compressed disks of a package, all together, that are inflated to look at them.
    pub const MOST_TO_INFLATE: u64 = 8 << 20;

    /// The longest header of a 7z archive, packed or not: one of a thousand files with long names is shorter.
    pub const LONGEST_HEADER: u64 = 1 << 18;

    /// The most files of a 7z archive.
    pub const MOST_FILES: usize = 1000;

    /// The memory that unpacking a 7z archive may take: 7-Zip's own settings ask for 64 MiB at most, but for its highest.
    pub const MOST_DICTIONARY: u64 = 256 << 20;
}

/// OVF descriptors.
pub mod ovf {
    /// The longest descriptor, and the most bytes of texts in it that are named more than once.
    pub const LONGEST_DESCRIPTOR: usize = 16 << 20;

    /// The most elements within each other.
    pub const DEEPEST_ELEMENT: usize = 64;

    /// The most elements.
    pub const MOST_ELEMENTS: usize = 100_000;

    /// The most attributes of an element.
    pub const MOST_ATTRIBUTES: usize = 64;

    /// The most attributes of a descriptor.
    pub const MOST_ATTRIBUTES_IN_ALL: usize = 4 * MOST_ELEMENTS;

    /// The most namespaces in sight at one place: each name looks through all of them.
    pub const MOST_NAMESPACES: usize = 64;

    /// The longest class or instance of a product.
    pub const LONGEST_CLASS: usize = 1024;

    /// The most bytes of the classes and instances of all properties, each counted as often as it has properties.
    pub const MOST_CLASSES: usize = 16 << 20;

    /// The most families of hardware that are looked at: there are some twenty.
    pub const MOST_FAMILIES: usize = 64;
}

/// What guests wrote on their disks.
pub mod guests {
    /// The most ranges that are held: 32 MiB of them. A disk of 8 GiB in daily use has tens of thousands.
    pub const MOST_RANGES: usize = 1 << 21;

    /// The most bytes that are read at a time: structures of guests are smaller by far.
    pub const MOST_READ: usize = 16 << 20;

    /// The most entries of a GPT. Nearly every table has 128.
    pub const MOST_GPT_ENTRIES: u32 = 4096;

    /// The most sectors of a chain of logical partitions that are followed: Linux has 256 partitions at most.
    pub const MOST_CHAINED: usize = 256;

    /// The longest metadata of LVM. Groups with thousands of volumes have some hundred KiB.
    pub const LONGEST_LVM_TEXT: u64 = 4 << 20;

    /// The most sections of that within each other; LVM has four.
    pub const DEEPEST_LVM_SECTION: usize = 16;

    /// The most values of that: some 20 MB of memory.
    pub const MOST_LVM_VALUES: usize = 1 << 19;

    /// The most chunks of btrfs that are held: of 1 GiB each, as they are on large devices, 256 TiB.
    pub const MOST_CHUNKS: usize = 1 << 18;

    /// The most runs of one value of NTFS that are held: 32 MiB of them.
    pub const MOST_NTFS_RUNS: usize = 1 << 20;

    /// The longest list of attributes of NTFS.
    pub const LONGEST_NTFS_LIST: u64 = 256 << 10;

    /// The most bytes of a root directory's blocks of NTFS that are looked through: some 500,000 files.
    pub const MOST_NTFS_ROOT: u64 = 64 << 20;

    /// The most bytes of a directory of exFAT.
    pub const MOST_EXFAT_DIRECTORY: u64 = 256 << 20;

    /// The most runs of a file of exFAT: 16 MiB of them.
    pub const MOST_EXFAT_RUNS: usize = 1 << 20;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_disk_as_large_as_the_bound_is_taken_and_no_larger() {
        assert!(check_size(u64::MAX, None).is_ok() && check_size(512, Some(512)).is_ok());
        let error = check_size(513, Some(512)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(error.message(), "its virtual size is 513 bytes, and 512 is the most that is taken");
        assert!(error.hint().is_some_and(|hint| hint.contains("--max-size")));
        let error = check_reached(513, Some(512)).unwrap_err();
        assert!(error.message().contains("513 bytes or more"), "{error}");
    }
}
