//! The checksums that tree blocks and superblocks begin with.

use super::layout::CHECKSUM;
use crate::guest::{UNSUMMED, crc32c};
use blake2::Blake2b;
use blake2::digest::consts::U32;
use sha2::{Digest, Sha256};
use twox_hash::XxHash64;

/// How a file system checks its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Crc32c,
    XxHash64,
    Sha256,
    Blake2b,
}

impl Checksum {
    /// The one that a superblock names by `number`.
    pub(super) fn numbered(number: u16) -> Option<Self> {
        match number {
            0 => Some(Checksum::Crc32c),
            1 => Some(Checksum::XxHash64),
            2 => Some(Checksum::Sha256),
            3 => Some(Checksum::Blake2b),
            _ => None,
        }
    }

    /// Whether `block` begins with the checksum of what is behind the room for it.
    pub(super) fn holds(self, block: &[u8]) -> bool {
        let Some((stored, subject)) = block.split_at_checked(CHECKSUM) else { return false };
        UNSUMMED
            || match self {
                Checksum::Crc32c => stored.starts_with(&(!crc32c::sum(crc32c::START, subject)).to_le_bytes()),
                Checksum::XxHash64 => stored.starts_with(&XxHash64::oneshot(0, subject).to_le_bytes()),
                Checksum::Sha256 => stored == Sha256::digest(subject).as_slice(),
                Checksum::Blake2b => stored == Blake2b::<U32>::digest(subject).as_slice(),
            }
    }
}
