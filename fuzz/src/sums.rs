//! Checksums made right again after a change, so that it reaches what lies behind them.
//!
//! Those of ext, XFS and btrfs are in every block of a tree, and passed over instead in a build for fuzzing.

use crc::{Algorithm, CRC_32_ISO_HDLC, Crc};
use vimage_core::Image;

const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// LVM2's lib/misc/crc.c.
const LVM: Crc<u32> = Crc::<u32>::new(&Algorithm { init: 0xf365_e9af, xorout: 0, ..CRC_32_ISO_HDLC });

/// Blocks of a tar.
const BLOCK: usize = 512;

/// Mends a file's own: of whatever it begins or ends as.
pub fn mend(bytes: &mut [u8]) {
    if bytes.get(257..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        tar(bytes);
    }
    if bytes.starts_with(b"7z\xbc\xaf\x27\x1c") {
        seven_zip(bytes);
    }
    if bytes.ends_with(&0x8f92_eab1_u32.to_le_bytes()) {
        seek_table(bytes);
    }
}

/// The sum in each header of a tar, as far as sizes lead from one to the next.
fn tar(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        let mut size = 0;
        if header.iter().any(|&byte| byte != 0) {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
            header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
            let digits = header[124..136].iter().filter(|byte| matches!(byte, b'0'..=b'7'));
            size = digits.fold(0, |size: usize, digit| size.wrapping_mul(8).wrapping_add(usize::from(digit - b'0')));
        }
        let Some(next) = size.checked_next_multiple_of(BLOCK).and_then(|room| at.checked_add(BLOCK + room)) else {
            return;
        };
        at = next;
    }
}

/// The CRCs of a 7z archive's header, and of the place where it is.
fn seven_zip(bytes: &mut [u8]) {
    let number =
        |bytes: &[u8], at: usize| bytes.get(at..at + 8).map(|field| u64::from_le_bytes(field.try_into().expect("8")));
    let (Some(offset), Some(len)) = (number(bytes, 12), number(bytes, 20)) else { return };
    let start = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(32));
    let header =
        start.zip(usize::try_from(len).ok()).and_then(|(start, len)| bytes.get(start..start.checked_add(len)?));
    if let Some(sum) = header.map(|header| CRC32.checksum(header)) {
        bytes[28..32].copy_from_slice(&sum.to_le_bytes());
    }
    if bytes.len() >= 32 {
        let sum = CRC32.checksum(&bytes[12..32]);
        bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    }
}

/// The last frame's length in the seek table of a compressed raw disk: the frames then end where the table begins.
fn seek_table(bytes: &mut [u8]) {
    let foot = bytes.len() - 9;
    let count = u32::from_le_bytes(bytes[foot..foot + 4].try_into().expect("4")) as usize;
    let entry = if bytes[foot + 4] & 0x80 != 0 { 12 } else { 8 };
    let Some(start) = count.checked_mul(entry).and_then(|len| foot.checked_sub(len + 8)) else { return };
    bytes[start + 4..start + 8].copy_from_slice(&((count * entry + 9) as u32).to_le_bytes());
    let Some(last) = (start + 8..foot).step_by(entry).next_back() else { return };
    let packed = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4")));
    let before: u64 = (start + 8..last).step_by(entry).map(packed).sum();
    if let Some(rest) = (start as u64).checked_sub(before).and_then(|rest| u32::try_from(rest).ok()) {
        bytes[last..last + 4].copy_from_slice(&rest.to_le_bytes());
    }
}

/// What has to be put where on `disk` so that the checksums of its partition table, and of the exFAT or the physical volume of LVM that it is, are right.
pub fn of_disk(disk: &dyn Image) -> Vec<(u64, Vec<u8>)> {
    let mut changes = Vec::new();
    let last = (disk.size() / 512).saturating_sub(1);
    for lba in [1, last] {
        changes.extend(gpt(disk, lba * 512));
    }
    if read(disk, 3, 8).is_some_and(|name| name == b"EXFAT   ") {
        changes.extend([0, 12].into_iter().filter_map(|sector| exfat(disk, sector * 512)));
    }
    if read(disk, 512, 8).is_some_and(|mark| mark == b"LABELONE") {
        changes.extend(lvm_label(disk).into_iter().chain(lvm_text(disk)));
    }
    changes
}

fn read(disk: &dyn Image, at: u64, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    let within = at.checked_add(len as u64).is_some_and(|end| end <= disk.size());
    within.then(|| disk.read_exact_at(&mut bytes, at)).and_then(Result::ok).map(|()| bytes)
}

/// UEFI Specification 2.10, section 5.3.2: the list's sum at 88, and the header's at 16.
fn gpt(disk: &dyn Image, at: u64) -> Option<(u64, Vec<u8>)> {
    let mut header = read(disk, at, 92)?;
    if !header.starts_with(b"EFI PART") {
        return None;
    }
    let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("4"));
    let list = u64::from_le_bytes(header[72..80].try_into().expect("8")).checked_mul(512)?;
    // More than this is refused, whatever its sum.
    let len = u64::from(number(80)).checked_mul(number(84).into()).filter(|&len| len <= 1 << 20)?;
    if let Some(list) = read(disk, list, len as usize) {
        header[88..92].copy_from_slice(&CRC32.checksum(&list).to_le_bytes());
    }
    header[16..20].fill(0);
    let sum = CRC32.checksum(&header);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    Some((at, header))
}

/// exFAT specification, section 3.4: over eleven sectors without three bytes that change, all through the twelfth.
fn exfat(disk: &dyn Image, at: u64) -> Option<(u64, Vec<u8>)> {
    let boot = read(disk, at, 11 * 512)?;
    let summed = boot.iter().enumerate().filter(|(index, _)| !matches!(index, 106 | 107 | 112));
    let sum = summed.fold(0_u32, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(byte.into()));
    Some((at + 11 * 512, sum.to_le_bytes().repeat(128)))
}

/// LVM2's lib/label/label.h: the label's sum is over what is behind it in its sector, the second.
fn lvm_label(disk: &dyn Image) -> Option<(u64, Vec<u8>)> {
    let sum = LVM.checksum(&read(disk, 512 + 20, 512 - 20)?);
    Some((512 + 16, sum.to_le_bytes().to_vec()))
}

/// LVM2's lib/format_text/layout.h: an area's header has its own sum and that of the text. The first area begins where pvcreate puts it.
fn lvm_text(disk: &dyn Image) -> Option<(u64, Vec<u8>)> {
    const AREA: u64 = 4096;
    let mut header = read(disk, AREA, 512)?;
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8"));
    let (offset, len) = (AREA.checked_add(number(40))?, number(48));
    let text = read(disk, offset, usize::try_from(len).ok().filter(|&len| len <= 1 << 20)?)?;
    header[56..60].copy_from_slice(&LVM.checksum(&text).to_le_bytes());
    let sum = LVM.checksum(&header[4..]);
    header[..4].copy_from_slice(&sum.to_le_bytes());
    Some((AREA, header))
}
