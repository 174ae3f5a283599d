//! Records of the master file table, and their attributes.

use super::layout::{AttributeHeader, NonResident, Protected, RecordHeader, Resident, kind};
use crate::error::{Error, Result};
use zerocopy::FromBytes;

/// Bytes of which the last two are kept elsewhere, so that a torn write is noticed.
const STRIDE: usize = 512;

/// Where the table of those bytes starts in records that hold their own number.
const TABLE_BEHIND_NUMBER: u16 = 48;

/// Bits of a record's flags: in use.
const IN_USE: u16 = 1;

/// Bits of an attribute's flags: compressed, encrypted.
const CODED: u16 = 0x00FF | 0x4000;

/// Puts back the last two bytes of each stride, and says whether all were as they should be: that `bytes` carries `mark`
/// and was written whole.
pub(super) fn restore(bytes: &mut [u8], mark: &[u8; 4]) -> bool {
    let Ok((head, _)) = Protected::read_from_prefix(bytes) else { return false };
    let (table, strides) = (usize::from(head.table.get()), bytes.len() / STRIDE);
    let end = table + 2 * (strides + 1);
    if head.mark != *mark || strides == 0 || usize::from(head.count.get()) != strides + 1 || !table.is_multiple_of(2) {
        return false;
    }
    // In the first stride, before the bytes that it stands for.
    if table < size_of::<Protected>() || end > STRIDE - 2 {
        return false;
    }
    let kept = bytes[table..end].to_vec();
    for (stride, kept_pair) in bytes.chunks_exact_mut(STRIDE).zip(kept[2..].chunks_exact(2)) {
        if stride[STRIDE - 2..] != kept[..2] {
            return false;
        }
        stride[STRIDE - 2..].copy_from_slice(kept_pair);
    }
    true
}

/// A record, restored.
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) header: RecordHeader,
    bytes: Vec<u8>,
}

/// An attribute of a record, as it stands there.
pub(super) struct Attribute<'a> {
    pub(super) kind: u32,
    /// Its name in UTF-16, little-endian.
    pub(super) name: &'a [u8],
    pub(super) body: Body<'a>,
}

/// The value of an attribute, or a part of it.
pub(super) enum Body<'a> {
    Resident(&'a [u8]),
    Runs {
        /// The clusters of the value that are told here.
        lowest: u64,
        highest: u64,
        pairs: &'a [u8],
        /// The sizes, which count where `lowest` is 0.
        allocated: u64,
        size: u64,
        initialized: u64,
        coded: bool,
    },
}

impl Record {
    /// Record `number` of `bytes`.
    ///
    /// # Errors
    /// `Corrupt`, without a place, where it is none, or not in use.
    pub(super) fn of(number: u64, mut bytes: Vec<u8>) -> Result<Self> {
        if !restore(&mut bytes, b"FILE") {
            return Err(Error::corrupt(format!("has a damaged file record {number}")));
        }
        let cannot = || Error::corrupt(format!("has a file record {number} that cannot be"));
        let header = RecordHeader::read_from_prefix(&bytes).map_err(|_| cannot())?.0;
        let used = header.used.get() as usize;
        let knows_number = header.protected.table.get() >= TABLE_BEHIND_NUMBER;
        if header.flags.get() & IN_USE == 0
            || header.allocated.get() as usize != bytes.len()
            || used > bytes.len()
            || usize::from(header.attributes.get()) > used
            || knows_number && u64::from(header.number.get()) != number & 0xFFFF_FFFF
        {
            return Err(cannot());
        }
        bytes.truncate(used);
        Ok(Record { number, header, bytes })
    }

    /// What holds its attributes.
    pub(super) fn content(&self) -> &[u8] {
        self.bytes.get(usize::from(self.header.attributes.get())..).unwrap_or_default()
    }

    /// Its attributes.
    ///
    /// # Errors
    /// `Corrupt`, without a place, where they cannot be.
    pub(super) fn attributes(&self) -> Result<Vec<Attribute<'_>>> {
        let mut found = Vec::new();
        let mut rest = self.content();
        loop {
            let cannot = || Error::corrupt(format!("has a file record {} with damaged attributes", self.number));
            let kind =
                rest.get(..4).and_then(|kind| kind.try_into().ok()).map(u32::from_le_bytes).ok_or_else(cannot)?;
            if kind == kind::END {
                return Ok(found);
            }
            let header = AttributeHeader::read_from_prefix(rest).map_err(|_| cannot())?.0;
            let len = header.len.get() as usize;
            let bytes = rest.get(..len).filter(|_| len >= 24 && len.is_multiple_of(8)).ok_or_else(cannot)?;
            found.push(attribute(&header, bytes).ok_or_else(cannot)?);
            rest = &rest[len..];
        }
    }
}

/// The attribute that `bytes` hold, if it can be one.
fn attribute<'a>(header: &AttributeHeader, bytes: &'a [u8]) -> Option<Attribute<'a>> {
    let name_at = usize::from(header.name.get());
    let name =
        bytes.get(name_at..name_at + 2 * usize::from(header.name_len)).or((header.name_len == 0).then_some(&[]))?;
    let behind = &bytes[size_of::<AttributeHeader>()..];
    let body = match header.non_resident {
        0 => {
            let (value, _) = Resident::read_from_prefix(behind).ok()?;
            let at = usize::from(value.at.get());
            Body::Resident(bytes.get(at..at.checked_add(value.len.get() as usize)?)?)
        }
        1 => {
            let (value, _) = NonResident::read_from_prefix(behind).ok()?;
            Body::Runs {
                lowest: value.lowest.get(),
                highest: value.highest.get(),
                pairs: bytes.get(usize::from(value.runs.get())..)?,
                allocated: value.allocated.get(),
                size: value.size.get(),
                initialized: value.initialized.get(),
                coded: header.flags.get() & CODED != 0,
            }
        }
        _ => return None,
    };
    Some(Attribute { kind: header.kind.get(), name, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected() -> Vec<u8> {
        let mut bytes = vec![7; 1024];
        bytes[..10].copy_from_slice(b"FILE\x30\0\x03\0\x01\x02");
        bytes[0x30..0x36].copy_from_slice(&[0xAB, 0xCD, 1, 2, 3, 4]);
        bytes[510..512].copy_from_slice(&[0xAB, 0xCD]);
        bytes[1022..].copy_from_slice(&[0xAB, 0xCD]);
        bytes
    }

    #[test]
    fn the_ends_of_strides_are_put_back() {
        let mut bytes = protected();
        assert!(restore(&mut bytes, b"FILE"));
        assert_eq!((&bytes[510..512], &bytes[1022..]), (&[1, 2][..], &[3, 4][..]));
    }

    #[test]
    fn torn_writes_are_noticed() {
        for (at, byte) in [(0, b'B'), (4, 0x31), (4, 2), (5, 0xFF), (6, 2), (511, 0), (1022, 0), (0x30, 0)] {
            let mut bytes = protected();
            bytes[at] = byte;
            assert!(!restore(&mut bytes, b"FILE"), "{at}");
        }
        assert!(!restore(&mut protected(), b"INDX"));
        assert!(!restore(&mut [], b"FILE"));
    }
}
