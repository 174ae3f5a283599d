//! The checksums of superblock, descriptors and bitmaps.

use super::features::Features;
use super::layout::{DESCRIPTOR_CHECKSUM, RawSuper, incompat, ro_compat};
use crate::error::{Error, Result};
use crate::guest::{UNSUMMED, crc32c};
use crc::{CRC_16_MODBUS, Crc};

static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// The only `checksum_type` there is.
const TYPE_CRC32C: u8 = 1;

/// How descriptors and bitmaps are summed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Checksums {
    /// Not at all.
    None,
    /// `gdt_csum`: descriptors by CRC-16, which starts with the volume's UUID; bitmaps not.
    Crc16([u8; 16]),
    /// `metadata_csum`: CRC-32C from this seed on, of which a descriptor keeps the lower half.
    Crc32(u32),
}

impl Checksums {
    /// Those of a volume. Its superblock, as `bytes`, is checked.
    ///
    /// # Errors
    /// `Corrupt` when the superblock's own checksum does not hold, `Unsupported` when it is of an unknown type.
    pub(super) fn of(raw: &RawSuper, bytes: &[u8], features: &Features) -> Result<Self> {
        if !features.ro_compat(ro_compat::METADATA_CSUM) {
            return match () {
                () if features.incompat(incompat::CSUM_SEED) => {
                    Err(Error::corrupt("has a seed for checksums, and none of the checksums"))
                }
                () if features.ro_compat(ro_compat::GDT_CSUM) => Ok(Checksums::Crc16(raw.uuid)),
                () => Ok(Checksums::None),
            };
        }
        if raw.checksum_type != TYPE_CRC32C {
            return Err(Error::unsupported(format!("has checksums of the unknown type {}", raw.checksum_type)));
        }
        if UNSUMMED {
            return Ok(Checksums::None);
        }
        let summed = &bytes[..bytes.len().saturating_sub(size_of_val(&raw.checksum))];
        if crc32c::sum(crc32c::START, summed) != raw.checksum.get() {
            return Err(Error::corrupt("the checksum of its superblock does not hold"));
        }
        Ok(Checksums::Crc32(match features.incompat(incompat::CSUM_SEED) {
            true => raw.checksum_seed.get(),
            false => crc32c::sum(crc32c::START, &raw.uuid),
        }))
    }

    /// Whether there are any: without, a descriptor's flags mean nothing.
    pub(super) fn any(&self) -> bool {
        !matches!(self, Checksums::None)
    }

    /// What the checksum in the descriptor of group `number` must be.
    pub(super) fn descriptor(&self, number: u64, bytes: &[u8]) -> Option<u16> {
        let number = (number as u32).to_le_bytes();
        let (before, rest) = bytes.split_at(DESCRIPTOR_CHECKSUM.min(bytes.len()));
        let after = rest.get(2..).unwrap_or_default();
        match self {
            Checksums::None => None,
            Checksums::Crc16(uuid) => {
                let mut digest = CRC16.digest();
                [&uuid[..], &number, before, after].iter().for_each(|part| digest.update(part));
                Some(digest.finalize())
            }
            Checksums::Crc32(seed) => {
                // The checksum counts as zero in its place.
                let sum = [&number[..], before, &[0; 2], after].iter().fold(*seed, |sum, part| crc32c::sum(sum, part));
                Some(sum as u16)
            }
        }
    }

    /// What the checksum of a block bitmap, or of another block that has one, must be.
    pub(super) fn block(&self, bytes: &[u8]) -> Option<u32> {
        match self {
            Checksums::Crc32(seed) => Some(crc32c::sum(*seed, bytes)),
            _ => None,
        }
    }
}
