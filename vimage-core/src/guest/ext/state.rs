//! Whether the volume is at rest: nothing in it waits to be finished, and nobody has it mounted.

use super::features::Features;
use super::groups::Ground;
use super::layout::{RawSuper, compat, incompat, ro_compat, state};
use crate::error::{Error, Result};
use zerocopy::byteorder::{big_endian, little_endian};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// What finishes what was begun.
pub(super) const FINISH: &str = "mount and unmount it once, or let e2fsck look at it";

fn unfinished(message: impl Into<String>) -> Error {
    Error::unsupported(message).with_hint(FINISH)
}

/// What the superblock says.
///
/// # Errors
/// `Unsupported` when it is not at rest.
pub(super) fn at_rest(raw: &RawSuper, features: &Features) -> Result<()> {
    let flags = raw.state.get();
    match () {
        () if features.incompat(incompat::RECOVER) => {
            Err(unfinished("its journal holds changes that are not in their places yet"))
        }
        () if flags & state::ERRORS != 0 => {
            Err(Error::unsupported("it noted errors in itself").with_hint("let e2fsck repair it"))
        }
        () if flags & state::CLEAN == 0 => Err(unfinished("it was not unmounted")),
        () if flags != state::CLEAN => Err(unfinished(format!("is in the unknown state {flags:#x}"))),
        () if features.ro_compat(ro_compat::ORPHAN_PRESENT) || raw.last_orphan.get() != 0 => {
            Err(unfinished("has deleted files whose blocks are not free yet"))
        }
        () => Ok(()),
    }
}

/// The block that guards against mounting twice, with `mmp`: Linux fs/ext4/ext4.h, `struct mmp_struct`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawMmp {
    /* 0x000 */ magic: little_endian::U32,
    /* 0x004 */ sequence: little_endian::U32,
    /* 0x008 */ _rest: [u8; 1012],
    /* 0x3fc */ checksum: little_endian::U32,
}

const MMP_MAGIC: u32 = 0x004D_4D50;
const MMP_CLEAN: u32 = 0xFF4D_4D50;

/// The block of `mmp`, where there is one, after a look into it.
///
/// # Errors
/// `Unsupported` when the volume is mounted; `Corrupt` when the block is none; those of reading.
pub(super) fn guard(ground: &Ground<'_, '_>, raw: &RawSuper, features: &Features) -> Result<Option<u64>> {
    if !features.incompat(incompat::MMP) {
        return Ok(None);
    }
    let (geometry, block) = (&ground.geometry, raw.mmp_block.get());
    if block < geometry.first_block || block >= geometry.blocks {
        return Err(Error::corrupt(format!("the block that guards it is at {block}, out of bounds")));
    }
    let at = block * geometry.block;
    let bytes = ground.volume.read(at, size_of::<RawMmp>())?;
    let checked = || {
        let none = || Error::corrupt("the block that guards it is damaged");
        let mmp = RawMmp::ref_from_bytes(&bytes).map_err(|_| none())?;
        let sum = ground.checksums.block(&bytes[..bytes.len() - size_of_val(&mmp.checksum)]);
        if mmp.magic.get() != MMP_MAGIC || sum.is_some_and(|sum| sum != mmp.checksum.get()) {
            return Err(none());
        }
        match mmp.sequence.get() {
            MMP_CLEAN => Ok(Some(block)),
            _ => Err(unfinished("is mounted, or being checked")),
        }
    };
    checked().map_err(|error: Error| error.at_offset(ground.volume.disk_offset(at)))
}

/// The first bytes of a journal: Linux include/linux/jbd2.h, `journal_superblock_t`. Big-endian.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RawJournal {
    /* 0x00 */ magic: big_endian::U32,
    /* 0x04 */ kind: big_endian::U32,
    /* 0x08 */ _sizes: [u8; 20],
    /* 0x1c */ start: big_endian::U32,
    /* 0x20 */ error: big_endian::U32,
}

const JOURNAL_MAGIC: u32 = 0xC03B_3998;
/// The kinds of block that a journal's superblock is.
const JOURNAL_SUPERBLOCKS: [u32; 2] = [3, 4];

/// Looks whether the journal in the volume is empty, as the superblock says it is.
///
/// # Errors
/// `Unsupported` when it is not; `Corrupt` when it cannot be found; those of reading.
pub(super) fn journal_is_empty(ground: &Ground<'_, '_>, raw: &RawSuper, features: &Features) -> Result<()> {
    let inode = raw.journal_inode.get();
    // Without an inode, it is on another device.
    if !features.compat(compat::HAS_JOURNAL) || inode == 0 {
        return Ok(());
    }
    let at = ground.first_byte_of(inode)?;
    let bytes = ground.volume.read(at, size_of::<RawJournal>())?;
    let checked = || match RawJournal::ref_from_bytes(&bytes) {
        Ok(journal) if journal.magic.get() == JOURNAL_MAGIC && JOURNAL_SUPERBLOCKS.contains(&journal.kind.get()) => {
            match (journal.start.get(), journal.error.get()) {
                (0, 0) => Ok(()),
                (0, _) => Err(unfinished("its journal noted an error")),
                _ => Err(unfinished("its journal is not empty, though its superblock says so")),
            }
        }
        _ => Err(Error::corrupt("its journal has no superblock")),
    };
    checked().map_err(|error: Error| error.at_offset(ground.volume.disk_offset(at)))
}
