//! pax extended headers: records of `LENGTH KEY=VALUE`, each ended by a line feed (POSIX.1-2017, pax, "pax Extended Header").

use super::names;
use crate::error::{Error, Result};
use crate::io::neighbors::quote;

/// The records that say something of where a member is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// The member's name.
    pub(super) path: Option<String>,
    /// The length of its bytes.
    pub(super) size: Option<u64>,
}

impl Records {
    /// Reads all records; those that say nothing of that are left out. The last of several of one key counts.
    pub(super) fn parse(mut text: &[u8]) -> Result<Self> {
        let mut records = Records::default();
        while !text.is_empty() {
            let (key, value, rest) = record(text).ok_or_else(|| Error::corrupt("has a pax header that is damaged"))?;
            match key {
                b"path" => records.path = Some(names::text(value)?),
                b"size" => records.size = Some(size(value)?),
                _ if key.starts_with(b"GNU.sparse.") || key.starts_with(b"SCHILY.realsize") => {
                    return Err(Error::unsupported("has a sparse member, whose bytes do not lie in one piece")
                        .with_hint("pack it anew, without --sparse"));
                }
                _ => {}
            }
            text = rest;
        }
        Ok(records)
    }
}

/// The first record's key and value, and what follows it.
fn record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = text.iter().take(8).position(|&byte| byte == b' ')?;
    let digits = std::str::from_utf8(&text[..space]).ok().filter(|digits| !digits.starts_with('+'))?;
    let len: usize = digits.parse().ok()?;
    let rest = text.get(len..)?;
    let line = text.get(space + 1..len)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|&byte| byte == b'=')?;
    Some((&line[..equals], &line[equals + 1..], rest))
}

fn size(value: &[u8]) -> Result<u64> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_digit()));
    let size = digits.and_then(|digits| digits.parse().ok()).filter(|&size| size <= i64::MAX as u64);
    size.ok_or_else(|| {
        Error::corrupt(format!("has a pax header with the size {}", quote(&String::from_utf8_lossy(value))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_by_their_lengths() {
        let records = Records::parse(b"30 mtime=1350244992.023960108\n11 path=a\n\n17 size=8589934592\n");
        assert!(records.is_err(), "17 is one short");
        let records = Records::parse(b"30 mtime=1350244992.023960108\n11 path=a\n\n19 size=8589934592\n").unwrap();
        assert_eq!(records, Records { path: Some("a\n".into()), size: Some(8 << 30) });
        for bad in [
            &b"x"[..],
            b"6 a=b",
            b"0 a=b\n",
            b"99 a=b\n",
            b"-6 a=b\n",
            b"+6 a=b\n",
            b"6 abcd\n",
            b"11 size=-12\n",
            b"9 size=\n9 ",
            b"18446744073709551615 a=b\n",
            b"11 size=0x1\n",
            b"24 size=9223372036854775808\n",
            b"23 GNU.sparse.major=1\n\n",
            b"22 GNU.sparse.major=1\n",
        ] {
            assert!(Records::parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
