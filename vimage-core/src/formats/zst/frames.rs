//! Frames without a seek table: how much they unpack to, where each says (RFC 8878, sections 3.1.1 and 3.1.2).

use super::zeros::MAGIC;
use crate::error::{Error, Result};
use crate::io::ReadAt;

/// Bytes read at a time: headers of blocks are mostly further from each other, and small ones come many at a time.
const PAGE: u64 = 4096;

/// How many bytes `file` unpacks to: none where a frame does not say. Goes from block to block, and reads little of each.
///
/// # Errors
/// `Corrupt` where something is no frame, or one is cut short; `Io`.
pub(in crate::formats) fn plain_size(file: &dyn ReadAt) -> Result<Option<u64>> {
    let mut walk = Walk { file, at: 0, page: Vec::new(), start: 0 };
    let mut total = 0_u64;
    while walk.at < file.size() {
        let Some(size) = walk.frame()? else { return Ok(None) };
        total = total.checked_add(size).filter(|&total| i64::try_from(total).is_ok()).ok_or_else(|| {
            Error::corrupt("its frames say that they unpack to 2^63 bytes or more").at_offset(walk.at)
        })?;
    }
    Ok(Some(total))
}

/// A way along a file.
struct Walk<'a> {
    file: &'a dyn ReadAt,
    at: u64,
    /// What was read last, and where that starts.
    page: Vec<u8>,
    start: u64,
}

impl Walk<'_> {
    /// Passes a frame; what it says of its content's size.
    fn frame(&mut self) -> Result<Option<u64>> {
        let begun = self.at;
        let magic = self.bytes(4)?.to_le_bytes();
        if magic[..4] != MAGIC {
            if magic[0] & 0xf0 == 0x50 && magic[1..4] == [0x2a, 0x4d, 0x18] {
                let len = self.bytes(4)?;
                return self.skip(len).map(|()| Some(0));
            }
            return Err(Error::corrupt("something that is no frame of Zstandard").at_offset(begun));
        }
        let descriptor = self.bytes(1)?;
        let (flag, single) = (descriptor >> 6, descriptor >> 5 & 1);
        let dictionary = [0, 1, 2, 4][(descriptor & 3) as usize];
        self.skip(1 - single + dictionary)?;
        let size = match flag {
            0 if single == 0 => None,
            0 => Some(self.bytes(1)?),
            1 => Some(self.bytes(2)? + 256),
            flag => Some(self.bytes(1 << flag)?),
        };
        loop {
            let at = self.at;
            let header = self.bytes(3)?;
            let len = match header >> 1 & 3 {
                0 | 2 => header >> 3,
                1 => 1,
                _ => return Err(Error::corrupt("a block of a kind that there is not").at_offset(at)),
            };
            self.skip(len)?;
            if header & 1 == 1 {
                break;
            }
        }
        self.skip(if descriptor >> 2 & 1 == 1 { 4 } else { 0 })?;
        Ok(size)
    }

    /// The number in the next `len` bytes, 8 at most.
    fn bytes(&mut self, len: u64) -> Result<u64> {
        let at = self.at;
        self.skip(len)?;
        if at < self.start || at + len > self.start + self.page.len() as u64 {
            self.page.resize(PAGE.min(self.file.size() - at) as usize, 0);
            self.start = at;
            let read = self.file.read_exact_at(&mut self.page, at);
            read.map_err(|cause| Error::io("cannot read", cause).at_offset(at))?;
        }
        let from = (at - self.start) as usize;
        let mut number = [0; 8];
        number.iter_mut().zip(&self.page[from..from + len as usize]).for_each(|(to, byte)| *to = *byte);
        Ok(u64::from_le_bytes(number))
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        let end = self.at.checked_add(len).filter(|&end| end <= self.file.size());
        self.at = end.ok_or_else(|| {
            Error::corrupt("a frame of Zstandard is cut short")
                .at_offset(self.at)
                .with_hint("copy or download it again")
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::zstd::{Level, compress_frame};
    use crate::io::Memory;

    #[test]
    fn sizes_are_told_by_headers_of_every_length_and_a_cut_is_found() {
        let mut all = Vec::new();
        let mut total = 0;
        for len in [0_usize, 1, 255, 256, 65_791, 65_792, 1 << 20] {
            let plain: Vec<u8> = (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61) as u8).collect();
            compress_frame(&plain, Level::default(), len.is_multiple_of(2), &mut all).unwrap();
            all.extend(b"\x50\x2a\x4d\x18\x03\0\0\0abc");
            total += len as u64;
            assert_eq!(plain_size(&Memory(all.clone())).unwrap(), Some(total));
        }
        assert_eq!(plain_size(&Memory(all[..all.len() - 1].to_vec())).unwrap_err().kind(), crate::ErrorKind::Corrupt);
        assert_eq!(plain_size(&Memory(b"rubbish!".to_vec())).unwrap_err().offset(), Some(0));
        // A window, no size, one block of no bytes, the last.
        assert_eq!(plain_size(&Memory(vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x38, 1, 0, 0])).unwrap(), None);
    }
}
