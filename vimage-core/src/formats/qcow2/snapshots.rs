//! The snapshot table.

use super::header::Header;
use super::layout::RawSnapshot;
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::limits::qcow2::{LARGEST_L1, LARGEST_SNAPSHOT_TABLE, MOST_EXTRA, MOST_SNAPSHOTS, MOST_TEXT};
use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// A snapshot: its L1 table, and how large the disk was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) l1_offset: u64,
    pub(super) l1_entries: u64,
}

/// Reads the snapshot table; returns it with the bytes that it takes.
///
/// # Errors
/// `Corrupt` when it is too large or not all in the file; `Io`.
pub(super) fn read(file: &dyn ReadAt, header: &Header) -> Result<(Vec<Entry>, u64)> {
    if header.snapshots > MOST_SNAPSHOTS {
        let message = format!("{} snapshots: {MOST_SNAPSHOTS} is the most", header.snapshots);
        return Err(Error::corrupt(message).at_offset(60));
    }
    let mut entries = Vec::new();
    let (mut at, mut text) = (header.snapshots_offset, 0);
    for _ in 0..header.snapshots {
        let (entry, end) = read_one(file, header, at).map_err(|error| error.at_offset(at))?;
        text += entry.id.len() + entry.name.len();
        if text > MOST_TEXT {
            return Err(Error::corrupt(format!("names of snapshots of more than {MOST_TEXT} bytes")).at_offset(at));
        }
        entries.push(entry);
        at = end;
        if at - header.snapshots_offset > LARGEST_SNAPSHOT_TABLE {
            return Err(
                Error::corrupt(format!("a snapshot table of more than {LARGEST_SNAPSHOT_TABLE} bytes")).at_offset(at)
            );
        }
    }
    Ok((entries, at - header.snapshots_offset))
}

fn read_one(file: &dyn ReadAt, header: &Header, at: u64) -> Result<(Entry, u64)> {
    let fetch = |bytes: &mut [u8], from: u64| {
        let size = file.size();
        if from.checked_add(bytes.len() as u64).is_none_or(|end| end > size) {
            return Err(Error::corrupt(format!("the snapshot table reaches past the end of the file, {size} bytes")));
        }
        file.read_exact_at(bytes, from).map_err(|cause| Error::io("cannot read the snapshot table", cause))
    };
    let mut raw = RawSnapshot::new_zeroed();
    fetch(raw.as_mut_bytes(), at)?;
    let extra = raw.extra_data_size.get();
    if extra > MOST_EXTRA {
        return Err(Error::corrupt(format!("a snapshot with {extra} bytes of extra data: {MOST_EXTRA} is the most")));
    }
    let (id, name) = (usize::from(raw.id_size.get()), usize::from(raw.name_size.get()));
    let mut rest = vec![0; extra as usize + id + name];
    let from = at + raw.as_bytes().len() as u64;
    fetch(&mut rest, from)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Extra data: the state of the machine in 8 bytes, then the disk's size, which versions before 3 need not have.
    let size = rest[..extra as usize].get(8..16).and_then(|bytes| U64::read_from_bytes(bytes).ok());
    let size = size.map_or(header.size, |size| size.get() / 512 * 512);
    if i64::try_from(size).is_err() {
        return Err(Error::corrupt(format!("a snapshot of a disk of {size} bytes: 2^63 is the most")));
    }
    let entry = Entry {
        id: text(&rest[extra as usize..][..id]),
        name: text(&rest[extra as usize + id..]),
        size,
        l1_offset: raw.l1_table_offset.get(),
        l1_entries: u64::from(raw.l1_size.get()),
    };
    Ok((entry, (from + rest.len() as u64).next_multiple_of(8)))
}

impl Entry {
    /// Checks that its L1 table is in the file and large enough for the disk.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(super) fn check(&self, file: &dyn ReadAt, header: &Header) -> Result<()> {
        let at = header.snapshots_offset;
        header.check_table("a snapshot's L1 table", at, self.l1_offset, self.l1_entries * 8, LARGEST_L1, file)?;
        let needed = self.size.div_ceil(header.table_span());
        if self.l1_entries < needed {
            return Err(Error::corrupt(format!(
                "a snapshot's L1 table of {} entries: its disk's size needs {needed}",
                self.l1_entries
            ))
            .at_offset(at));
        }
        Ok(())
    }
}
