//! A tar header: one block of 512 bytes.

use super::names;
use crate::error::{Error, Result};
use crate::io::neighbors::quote;

/// Bytes of a block.
pub(super) const BLOCK: u64 = 512;

/// How a header is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// As Unix V7 did, with no magic.
    Old,
    /// POSIX.1-1988.
    Ustar,
    /// GNU tar's own.
    Gnu,
    /// POSIX.1-2001: ustar with a pax extended header of its own in front.
    Pax,
}

/// What a header stands in front of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// GNU: the name of the next member.
    LongName,
    /// GNU: where the next member, a link, leads.
    LongLink,
    /// pax: records for the next member.
    Extended,
    /// pax: records for all members to come.
    Global,
    /// A kind that must not be.
    Refused(&'static str),
    /// A kind that is not read.
    Unsupported(&'static str),
}

/// A header's fields, as far as anything is done with them.
pub(super) struct Header {
    pub(super) dialect: Dialect,
    pub(super) kind: Kind,
    pub(super) size: u64,
    name: Vec<u8>,
}

impl Header {
    /// Reads a block; none where it is all zeros, which ends an archive.
    pub(super) fn parse(block: &[u8; BLOCK as usize]) -> Result<Option<Self>> {
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        check_sum(block)?;
        let dialect = dialect(block);
        let mut name = Vec::new();
        // GNU keeps times where ustar has the front of a long name.
        if dialect == Dialect::Ustar {
            name.extend_from_slice(until_nul(&block[345..500]));
            if !name.is_empty() {
                name.push(b'/');
            }
        }
        name.extend_from_slice(until_nul(&block[..100]));
        let size = number(&block[124..136]).map_err(|what| {
            Error::corrupt(format!("its member {} has {what} for a size", quote(&String::from_utf8_lossy(&name))))
        })?;
        Ok(Some(Header { dialect, kind: kind(block[156]), size, name }))
    }

    /// The name in the header itself.
    pub(super) fn name(&self) -> Result<String> {
        names::text(&self.name)
    }
}

/// The dialect in which `block` is a header, as far as its checksum can tell.
pub(super) fn claims(block: &[u8; BLOCK as usize]) -> Option<Dialect> {
    check_sum(block).is_ok().then(|| dialect(block))
}

/// POSIX.1-2017, pax, "ustar Interchange Format", has the places of the fields. GNU fills magic and version in one.
fn dialect(block: &[u8; BLOCK as usize]) -> Dialect {
    match &block[257..265] {
        b"ustar  \0" => Dialect::Gnu,
        magic if magic.starts_with(b"ustar") => Dialect::Ustar,
        _ => Dialect::Old,
    }
}

fn kind(flag: u8) -> Kind {
    match flag {
        b'0' | b'\0' | b'7' => Kind::File,
        b'5' => Kind::Folder,
        b'1' => Kind::Refused("a hard link"),
        b'2' => Kind::Refused("a symbolic link"),
        b'3' | b'4' => Kind::Refused("a device"),
        b'6' => Kind::Refused("a pipe"),
        b'L' => Kind::LongName,
        b'K' => Kind::LongLink,
        b'x' => Kind::Extended,
        b'g' => Kind::Global,
        b'S' => Kind::Unsupported("sparse, in GNU tar's own way"),
        b'M' => Kind::Unsupported("continued from another volume"),
        b'V' => Kind::Unsupported("the label of a volume"),
        _ => Kind::Unsupported("of a kind that is not known"),
    }
}

/// The sum of all bytes, its own field taken for spaces.
fn check_sum(block: &[u8; BLOCK as usize]) -> Result<()> {
    let field = 148..156;
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(index, &byte)| u64::from(if field.contains(&index) { b' ' } else { byte }))
        .sum();
    match number(&block[field]) {
        Ok(found) if found == sum => Ok(()),
        _ => Err(Error::corrupt("has a header whose checksum is wrong")
            .with_hint("it is damaged, or no tar archive; copy or download it again")),
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// A number: octal digits, or where its first bit is set, GNU's binary number of the other bits.
fn number(field: &[u8]) -> Result<u64, &'static str> {
    match field {
        [first, ..] if first & 0xc0 == 0xc0 => Err("a negative number"),
        [first, rest @ ..] if first & 0x80 != 0 => rest
            .iter()
            .try_fold(u64::from(first & 0x3f), |value, &byte| Some(value.checked_mul(256)? | u64::from(byte)))
            .filter(|&value| value <= i64::MAX as u64)
            .ok_or("a number past 2^63"),
        _ => octal(field),
    }
}

/// Digits with spaces in front, ended by spaces or NULs or the field's end.
fn octal(field: &[u8]) -> Result<u64, &'static str> {
    let text = until_nul(field).trim_ascii();
    let rest = &field[until_nul(field).len()..];
    let clean = rest.iter().all(|byte| matches!(byte, 0 | b' '));
    if text.is_empty() || !clean || !text.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return Err("no octal number");
    }
    // Twelve digits at most, so it fits.
    Ok(text.iter().fold(0, |value, digit| value * 8 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_dialects_write_them() {
        assert_eq!(number(b"00000001750\0"), Ok(1000));
        assert_eq!(number(b"       1750 "), Ok(1000));
        assert_eq!(number(b"77777777777\0"), Ok((8 << 30) - 1));
        assert_eq!(number(b"777777777777"), Ok((64 << 30) - 1));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Ok(8 << 30));
        assert_eq!(number(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), Ok(i64::MAX as u64));
        for bad in [
            &b"\0\0\0\0\0\0\0\0\0\0\0\0"[..],
            b"-0000000001\0",
            b"0000000x000\0",
            b"0000008\0\0\0\0\0",
            b"0000\x00001\0\0\0\0\0\0",
            b"\x80\0\0\0\x80\0\0\0\0\0\0\0",
            b"\x80\x01\0\0\0\0\0\0\0\0\0\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(number(bad).is_err(), "{bad:?}");
        }
    }
}
