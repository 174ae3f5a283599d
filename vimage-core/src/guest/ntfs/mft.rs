//! The master file table, and the values of its files' attributes.

use super::CHECK;
use super::boot::Geometry;
use super::layout::{ListEntry, kind, number, record_of, sequence_of};
use super::record::{Attribute, Body, Record};
use super::runs::Stream;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use crate::limits::guests::LONGEST_NTFS_LIST;
use zerocopy::FromBytes;

/// Records of which a copy is kept, at the least.
const MIRRORED: u64 = 4;

/// The value of an attribute.
pub(super) enum Value {
    /// In the record itself.
    Resident(Vec<u8>),
    /// In clusters.
    Stream(Stream),
}

/// The master file table.
pub(super) struct Mft<'a> {
    pub(super) volume: &'a Volume<'a>,
    pub(super) geometry: &'a Geometry,
    pub(super) stream: Stream,
}

impl<'a> Mft<'a> {
    /// Finds all of it.
    ///
    /// # Errors
    /// `Corrupt` where it is damaged.
    pub(super) fn open(volume: &'a Volume<'a>, geometry: &'a Geometry) -> Result<Self> {
        let at = geometry.mft * geometry.cluster;
        let place = |error: Error| error.at_offset(volume.disk_offset(at)).with_hint(CHECK);
        let first = volume.read(at, geometry.record as usize)?;
        let first = Record::of(number::MFT, first).map_err(place)?;
        let mut mft = Mft { volume, geometry, stream: Stream::default() };
        mft.stream = match mft.value(&first, kind::DATA, "", None)? {
            Some(Value::Stream(stream)) => stream,
            _ => return Err(place(Error::corrupt("has no file table"))),
        };
        if mft.stream.place(geometry, 0) != Some(at) {
            return Err(place(Error::corrupt("has a file table that does not know where it starts")));
        }
        mft.sound(&mft.stream, number::MFT)?;
        Ok(mft)
    }

    /// Record `number`.
    ///
    /// # Errors
    /// `Corrupt` where it is not there.
    pub(super) fn record(&self, number: u64) -> Result<Record> {
        self.record_in(&self.stream, number)
    }

    fn record_in(&self, table: &Stream, number: u64) -> Result<Record> {
        let len = self.geometry.record as usize;
        let at = number * self.geometry.record;
        let bytes = table.read(self.volume, self.geometry, at, len)?;
        if bytes.len() != len {
            return Err(self.misplaced(number, Error::corrupt(format!("has no file record {number}"))));
        }
        Record::of(number, bytes).map_err(|error| self.misplaced(number, error))
    }

    /// `error` at the place of a record, as far as that is known.
    fn misplaced(&self, number: u64, error: Error) -> Error {
        let first = (number == number::MFT).then_some(self.geometry.mft * self.geometry.cluster);
        let at = self.stream.place(self.geometry, number.saturating_mul(self.geometry.record)).or(first);
        let error = error.with_hint(CHECK);
        match at {
            Some(at) => error.at_offset(self.volume.disk_offset(at)),
            None => error,
        }
    }

    /// The value of an attribute of file `number`, if it has that.
    ///
    /// # Errors
    /// `Corrupt` where it cannot be followed.
    pub(super) fn attribute(&self, number: u64, kind: u32, name: &str) -> Result<Option<Value>> {
        self.value(&self.record(number)?, kind, name, Some(&self.stream))
    }

    /// A value in clusters that a file of the system must have, and that cannot be coded or have holes.
    ///
    /// # Errors
    /// `Corrupt` and `Unsupported` where that is not so.
    pub(super) fn system(&self, number: u64, kind: u32, name: &str) -> Result<Stream> {
        match self.attribute(number, kind, name)? {
            Some(Value::Stream(stream)) => {
                self.sound(&stream, number)?;
                Ok(stream)
            }
            _ => Err(self.misplaced(number, Error::corrupt(format!("has a system file {number} without its data")))),
        }
    }

    /// Checks that a value of a file of the system is in clusters, byte for byte.
    fn sound(&self, stream: &Stream, number: u64) -> Result<()> {
        let fault = if stream.coded {
            Error::unsupported(format!("has its system file {number} compressed or encrypted"))
        } else if stream.is_sparse() {
            Error::corrupt(format!("has holes in its system file {number}"))
        } else if stream.size.div_ceil(self.geometry.cluster) > stream.clusters() || stream.initialized > stream.size {
            Error::corrupt(format!("has its system file {number} with sizes that cannot be"))
        } else {
            return Ok(());
        };
        Err(self.misplaced(number, fault))
    }

    /// The value of an attribute of the file with the record `base`. Further records are found by `table`, or where that is
    /// none, by what is found of the value itself: the table's own.
    fn value(&self, base: &Record, kind: u32, name: &str, table: Option<&Stream>) -> Result<Option<Value>> {
        let place = |error: Error| self.misplaced(base.number, error);
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let own = base.attributes().map_err(place)?;
        let list = match own.iter().find(|attribute| attribute.kind == kind::LIST) {
            None => vec![(base.number, 0)],
            Some(list) => {
                let list = self.list(list, base)?;
                places(&list, kind, &name).ok_or_else(|| {
                    place(Error::corrupt(format!("has a damaged list of attributes of file {}", base.number)))
                })?
            }
        };
        let mut whole: Option<Stream> = None;
        let mut allocated = 0;
        let mut last = None;
        for (number, sequence) in list {
            // A record is looked through once for all its pieces, which follow each other in the list.
            if last.replace(number) == Some(number) {
                continue;
            }
            let further;
            let attributes = match number == base.number {
                true => base.attributes(),
                false => {
                    let table = table.or(whole.as_ref()).ok_or_else(|| place(Error::corrupt("has no file table")))?;
                    further = self.record_in(table, number)?;
                    let belongs = record_of(further.header.base) == base.number
                        && [0, further.header.sequence.get()].contains(&sequence);
                    if !belongs {
                        let what = format!("has a file record {number} that is not of file {}", base.number);
                        return Err(self.misplaced(number, Error::corrupt(what)));
                    }
                    further.attributes()
                }
            };
            for attribute in attributes.map_err(place)? {
                if attribute.kind != kind || !attribute.name.eq_ignore_ascii_case(&name) {
                    continue;
                }
                match (attribute.body, &mut whole) {
                    (Body::Resident(bytes), None) => return Ok(Some(Value::Resident(bytes.to_vec()))),
                    (Body::Resident(_), Some(_)) => return Err(place(Error::corrupt("has a value twice"))),
                    (Body::Runs { lowest, highest, pairs, allocated: all, size, initialized, coded }, whole) => {
                        if whole.is_none() {
                            allocated = all;
                        }
                        let first = || Stream { runs: Vec::new(), size, initialized, coded };
                        let stream = whole.get_or_insert_with(first);
                        stream.extend(pairs, lowest, highest, self.geometry.clusters).map_err(place)?;
                        stream.coded |= coded;
                    }
                }
            }
        }
        // Where a piece is missing, it has fewer clusters than it should.
        if whole.as_ref().is_some_and(|stream| stream.clusters().checked_mul(self.geometry.cluster) != Some(allocated))
        {
            return Err(place(Error::corrupt(format!("has a value of file {} in too few clusters", base.number))));
        }
        Ok(whole.map(Value::Stream))
    }

    /// The bytes of a list of attributes.
    fn list(&self, list: &Attribute<'_>, base: &Record) -> Result<Vec<u8>> {
        let place = |error: Error| self.misplaced(base.number, error);
        match &list.body {
            Body::Resident(bytes) => Ok(bytes.to_vec()),
            &Body::Runs { lowest, highest, pairs, size, initialized, coded, .. } => {
                let mut stream = Stream { runs: Vec::new(), size, initialized, coded };
                stream.extend(pairs, lowest, highest, self.geometry.clusters).map_err(place)?;
                if size > LONGEST_NTFS_LIST || coded {
                    return Err(place(Error::corrupt(format!("has a list of attributes of {size} bytes"))));
                }
                stream.read(self.volume, self.geometry, 0, size as usize).map_err(place)
            }
        }
    }

    /// Compares the first records with their copies.
    ///
    /// # Errors
    /// `Corrupt` where they differ.
    pub(super) fn compare_mirror(&self) -> Result<()> {
        let at = self.geometry.mirror * self.geometry.cluster;
        let mirror = self.system(number::MIRROR, kind::DATA, "")?;
        let place = |error: Error| error.at_offset(self.volume.disk_offset(at)).with_hint(CHECK);
        if mirror.place(self.geometry, 0) != Some(at) {
            return Err(place(Error::corrupt("has a copy of its file table that does not know where it is")));
        }
        for number in 0..MIRRORED {
            let copy = self.record_in(&mirror, number).map_err(place)?;
            let record = self.record(number)?;
            if record.content() != copy.content() {
                return Err(place(Error::corrupt(format!("has a file record {number} that differs from its copy"))));
            }
        }
        Ok(())
    }
}

/// The records in which a list says that pieces of an attribute are, with their sequence numbers, in the order of the value;
/// none where the list is damaged.
fn places(list: &[u8], kind: u32, name: &[u8]) -> Option<Vec<(u64, u16)>> {
    let mut found = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (entry, _) = ListEntry::read_from_prefix(rest).ok()?;
        let len = usize::from(entry.len.get());
        let bytes = rest.get(..len).filter(|_| len >= size_of::<ListEntry>())?;
        let from = usize::from(entry.name);
        let called = bytes.get(from..from + 2 * usize::from(entry.name_len)).or((entry.name_len == 0).then_some(&[]))?;
        if entry.kind.get() == kind && called.eq_ignore_ascii_case(name) {
            found.push((entry.lowest.get(), record_of(entry.record), sequence_of(entry.record)));
        }
        rest = &rest[len..];
    }
    found.sort_by_key(|(lowest, ..)| *lowest);
    Some(found.into_iter().map(|(_, number, sequence)| (number, sequence)).collect())
}
