//! Little-endian numbers and zeros in a file's bytes.

pub(crate) const SECTOR: usize = 512;

pub(crate) fn sector(file: &[u8], number: usize) -> &[u8] {
    &file[number * SECTOR..][..SECTOR]
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}

/// `count` numbers from the start of a sector on.
pub(crate) fn u32s(file: &[u8], sector: usize, count: usize) -> Vec<u32> {
    file[sector * SECTOR..][..count * 4].chunks(4).map(|entry| u32_at(entry, 0)).collect()
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
