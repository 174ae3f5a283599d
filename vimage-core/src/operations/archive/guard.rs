//! What is looked at before a 7z archive is given to the crate that reads it: how much its header can make of itself.
//!
//! The header is packed, and a few kilobytes can unpack to gigabytes. So its unpacked length is read first, from where 7-Zip
//! writes it: one stream, one coder. Anything else is no archive that a package comes in.

use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::limits::archives::LONGEST_HEADER;

/// Every archive begins with these.
const SIGNATURE: &[u8; 6] = b"7z\xbc\xaf\x27\x1c";

/// Bytes of the signature, the version, and where the header is.
const START: u64 = 32;

/// Marks in a header.
mod mark {
    pub(super) const END: u8 = 0x00;
    pub(super) const PACKED_STREAMS: u8 = 0x06;
    pub(super) const CODERS: u8 = 0x07;
    pub(super) const SIZES: u8 = 0x09;
    pub(super) const DIGESTS: u8 = 0x0a;
    pub(super) const FOLDERS: u8 = 0x0b;
    pub(super) const UNPACKED_SIZES: u8 = 0x0c;
    pub(super) const ENCODED_HEADER: u8 = 0x17;
}

/// Whether a file that begins with `head` claims to be a 7z archive.
pub(super) fn is_7z(head: &[u8]) -> bool {
    head.starts_with(SIGNATURE)
}

/// Checks that the header of `file` is there, and small however it is packed.
///
/// # Errors
/// `Corrupt`, `Unsupported` and `Io`.
pub(super) fn check_header(file: &dyn ReadAt) -> Result<()> {
    let mut start = [0; START as usize];
    let read = |buf: &mut [u8], offset| {
        file.read_exact_at(buf, offset).map_err(|cause| Error::io("cannot read", cause).at_offset(offset))
    };
    if file.size() < START {
        return Err(Error::corrupt(format!("a 7z archive is longer than {} bytes", file.size())));
    }
    read(&mut start, 0)?;
    if !is_7z(&start) {
        return Err(Error::corrupt("is not a 7z archive: it does not begin as one").at_offset(0));
    }
    let number = |at: usize| start[at..at + 8].iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    let (offset, length) = (number(12), number(20));
    if length == 0 {
        return Err(Error::corrupt("the 7z archive holds nothing, or was not written to its end").at_offset(20));
    }
    let at = offset.checked_add(START).filter(|at| at.checked_add(length).is_some_and(|end| end <= file.size()));
    let at = at.ok_or_else(|| {
        Error::corrupt(format!(
            "the 7z archive ends before its header: {length} bytes from byte {offset}+{START} on, of {}",
            file.size()
        ))
        .at_offset(12)
        .with_hint("it was cut short, or volumes of it are missing")
    })?;
    if length > LONGEST_HEADER {
        return Err(too_long(length).at_offset(20));
    }
    let mut header = vec![0; length as usize];
    read(&mut header, at)?;
    if header.first() != Some(&mark::ENCODED_HEADER) {
        return Ok(());
    }
    let unpacked = unpacked_length(&header[1..]).ok_or_else(|| {
        Error::unsupported("the header of the 7z archive is packed in a way that is not read, or damaged")
            .at_offset(at)
            .with_hint("archives with a password are not read")
    })?;
    if unpacked > LONGEST_HEADER { Err(too_long(unpacked).at_offset(at)) } else { Ok(()) }
}

fn too_long(length: u64) -> Error {
    Error::unsupported(format!(
        "the header of the 7z archive has {length} bytes, and more than {LONGEST_HEADER} are not read"
    ))
}

/// The length that the packed header has when it is unpacked, where it is one stream of one plain coder.
fn unpacked_length(header: &[u8]) -> Option<u64> {
    let mut rest = Fields(header);
    rest.expect(mark::PACKED_STREAMS)?;
    rest.number()?;
    rest.expect(1)?;
    rest.expect(mark::SIZES)?;
    rest.number()?;
    match rest.byte()? {
        mark::END => {}
        mark::DIGESTS => {
            rest.expect(1)?;
            rest.skip(4)?;
            rest.expect(mark::END)?;
        }
        _ => return None,
    }
    for byte in [mark::CODERS, mark::FOLDERS, 1, 0, 1] {
        rest.expect(byte)?;
    }
    // The length of the coder's identifier, and whether properties follow; nothing else of it is plain.
    let flags = rest.byte()?;
    if flags & 0xd0 != 0 {
        return None;
    }
    rest.skip(u64::from(flags & 0x0f))?;
    if flags & 0x20 != 0 {
        let length = rest.number()?;
        rest.skip(length)?;
    }
    rest.expect(mark::UNPACKED_SIZES)?;
    rest.number()
}

/// Fields that follow each other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.byte()? == wanted).then_some(())
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    /// A number as the format has it: as many bytes follow the first as that has ones at its top, low ones first; what is left
    /// of the first is above them.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let count = first.leading_ones();
        let mut number = 0;
        for index in 0..count {
            number |= u64::from(self.byte()?) << (8 * index);
        }
        let high = u64::from(first) & (0x7f >> count);
        Some(number | high.checked_shl(8 * count).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_the_format_has_them() {
        let number = |bytes: &[u8]| Fields(bytes).number();
        assert_eq!(number(&[0x7f]), Some(0x7f));
        assert_eq!(number(&[0x80, 0x80]), Some(0x80));
        assert_eq!(number(&[0xbf, 0xff]), Some(0x3fff));
        assert_eq!(number(&[0xc1, 0x34, 0x12]), Some(0x1_1234));
        assert_eq!(number(&[0xfe, 1, 0, 0, 0, 0, 0, 1]), Some(1 | 1 << 48));
        assert_eq!(number(&[0xff; 9]), Some(u64::MAX));
        assert_eq!(number(&[0xff; 8]), None);
    }

    #[test]
    fn the_unpacked_length_is_found_and_nothing_else_is_taken_for_one() {
        // Packed by 7-Zip: position, one stream of 0x71 bytes, LZMA with five bytes of properties, 0x9a bytes, its digest.
        let plain = [6, 0x80, 0x90, 1, 9, 0x71, 0, 7, 11, 1, 0, 1, 0x23, 3, 1, 1, 5, 0x5d, 0, 16, 0, 0, 12, 0x80, 0x9a];
        assert_eq!(unpacked_length(&plain), Some(0x9a));
        for end in 0..plain.len() {
            assert_eq!(unpacked_length(&plain[..end]), None, "{end}");
        }
        // Two coders, as with a password.
        let mut two = plain;
        two[11] = 2;
        assert_eq!(unpacked_length(&two), None);
    }
}
