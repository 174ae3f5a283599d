//! Whether a raw disk is shorter than its own partition table says: nothing else tells that a stream was cut short.
//!
//! Tables are in units of 512 bytes, as in the PC's BIOS (MBR) and UEFI 2.10, 5.3 (GPT). Only what is well-formed counts: a boot
//! sector of a file system ends as an MBR does.

use crate::error::{Error, Result};
use crc::{CRC_32_ISO_HDLC, Crc};
use std::ops::Range;

/// Bytes of the disk that are looked at.
pub(super) const HEAD: usize = 1024;

const SECTOR: u64 = 512;

/* MBR */
const TABLE: Range<usize> = 0x1be..0x1fe;
const SIGNATURE: Range<usize> = 0x1fe..0x200;
/// The type of what covers a disk that has a GPT: its length is often wrong.
const PROTECTIVE: u8 = 0xee;

/* GPT header, from its own start */
const GPT_MAGIC: &[u8] = b"EFI PART\0\0\x01\0";
const HEADER_SIZE: usize = 0x0c;
const HEADER_CRC: usize = 0x10;
const MY_LBA: usize = 0x18;
const ALTERNATE_LBA: usize = 0x20;
const LAST_USABLE_LBA: usize = 0x30;

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Checks that what begins with `head` is no longer than `size` bytes by its own account.
///
/// # Errors
/// `Corrupt`.
pub(super) fn check(head: &[u8], size: u64) -> Result<()> {
    let sectors = gpt(head).into_iter().chain(mbr(head)).max().unwrap_or(0);
    if sectors.saturating_mul(SECTOR) <= size {
        return Ok(());
    }
    let needed = sectors.saturating_mul(SECTOR);
    Err(Error::corrupt(format!("was cut short: its partition table needs {needed} bytes, and {size} came"))
        .with_hint("copy or download it again; --size says that it is as long as that"))
}

/// The sectors that a GPT covers, its second copy at the end included.
fn gpt(head: &[u8]) -> Option<u64> {
    let header = head.get(SECTOR as usize..).filter(|header| header.starts_with(GPT_MAGIC))?;
    let size = u32_at(header, HEADER_SIZE)? as usize;
    let mut summed = header.get(..size).filter(|_| size >= 0x5c)?.to_vec();
    let crc = u32_at(header, HEADER_CRC)?;
    summed[HEADER_CRC..HEADER_CRC + 4].fill(0);
    let (mine, alternate, last) =
        (u64_at(header, MY_LBA)?, u64_at(header, ALTERNATE_LBA)?, u64_at(header, LAST_USABLE_LBA)?);
    let sound = CRC.checksum(&summed) == crc && mine == 1;
    sound.then(|| alternate.max(last).saturating_add(1))
}

/// The sectors that an MBR's partitions reach to.
fn mbr(head: &[u8]) -> Option<u64> {
    let table = head.get(TABLE).filter(|_| head[SIGNATURE] == [0x55, 0xaa])?;
    let mut taken: Vec<Range<u64>> = Vec::new();
    for entry in table.chunks_exact(16) {
        let (first, sectors) = (u64::from(u32_at(entry, 8)?), u64::from(u32_at(entry, 12)?));
        match entry[4] {
            _ if entry[0] & 0x7f != 0 => return None,
            0 if entry.iter().all(|&byte| byte == 0) => {}
            // Whatever its length says, it is the GPT that counts.
            PROTECTIVE => return None,
            0 => return None,
            _ if first == 0 || sectors == 0 => return None,
            _ if taken.iter().any(|other| first < other.end && other.start < first + sectors) => return None,
            _ => taken.push(first..first + sectors),
        }
    }
    taken.iter().map(|range| range.end).max()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_mbr(entries: &[[u32; 3]]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        head[SIGNATURE].copy_from_slice(&[0x55, 0xaa]);
        for (index, [kind, first, sectors]) in entries.iter().enumerate() {
            let entry = &mut head[TABLE][16 * index..][..16];
            entry[4] = *kind as u8;
            entry[8..12].copy_from_slice(&first.to_le_bytes());
            entry[12..].copy_from_slice(&sectors.to_le_bytes());
        }
        head
    }

    #[test]
    fn partitions_behind_the_end_are_found() {
        let head = with_mbr(&[[0x83, 63, 100], [7, 200, 56]]);
        assert!(check(&head, 256 * 512).is_ok());
        let error = check(&head, 256 * 512 - 512).unwrap_err();
        assert_eq!(error.to_string(), "was cut short: its partition table needs 131072 bytes, and 130560 came");
    }

    #[test]
    fn what_is_no_table_says_nothing() {
        for head in [
            vec![0; HEAD],
            vec![0xff; HEAD],
            vec![0; 100],
            with_mbr(&[]),
            with_mbr(&[[0xee, 1, u32::MAX]]),
            with_mbr(&[[0x83, 63, 1000], [0x83, 100, 1000]]),
            with_mbr(&[[0x83, 0, 1000]]),
            with_mbr(&[[0, 5, 1000]]),
        ] {
            assert!(check(&head, 512).is_ok());
        }
        // Text where the table would be, as boot sectors of FAT have it.
        let mut head = with_mbr(&[[0x83, 63, 1000]]);
        head[TABLE.start] = b'B';
        assert!(check(&head, 512).is_ok());
    }
}
