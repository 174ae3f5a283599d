//! CRC-32C, by which ext4, XFS and btrfs sum their structures.

use crc::{Algorithm, CRC_32_ISCSI, Crc, Table};

/// Castagnoli's polynomial without the complement at the end, so that what comes out can go in again as a seed.
const CRC_32C: Algorithm<u32> = Algorithm { xorout: 0, check: !CRC_32_ISCSI.check, ..CRC_32_ISCSI };

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32C);

/// What a sum starts from.
pub(super) const START: u32 = u32::MAX;

/// Goes on with the sum of `bytes` from `seed`, without the complement at the end.
pub(super) fn sum(seed: u32, bytes: &[u8]) -> u32 {
    // The crate takes a seed with its bits in the order of the polynomial's.
    let mut digest = CRC.digest_with_initial(seed.reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_goes_on_where_another_ended() {
        // The check value of CRC-32C over the digits, before its complement.
        assert_eq!(!sum(START, b"123456789"), 0xE306_9283);
        assert_eq!(sum(sum(START, b"1234"), b"56789"), sum(START, b"123456789"));
    }
}
