//! The directory and its tables behind the grains: what the markers lead to is compared with what came.
//!
//! A reader by position believes the tables; one from front to back has given the grains away when the tables come. So these must say
//! exactly where the grains came. Held are the table whose grains are coming, and of each one before a digest.

use super::{Grain, take_grain, take_marker};
use crate::error::{Error, Result};
use crate::formats::by_position;
use crate::formats::vmdk::hosted::{Hosted, TAIL, header_in};
use crate::formats::vmdk::layout::{GD_AT_END, MARKER, SECTOR, marker};
use crate::io::{Incoming, Stop};
use crate::limits::vmdk::{MOST_TABLES, MOST_UNKNOWN};
use crate::zero::is_zero;

/// Bytes of a directory that are looked at at a time.
const STEP: u64 = 64 << 10;

/// What an error calls the rest of a stream.
const REST: &str = "its grains and tables, before the end-of-stream marker";

pub(super) struct Walk {
    hosted: Hosted,
    /// Tables of the disk.
    tables: u64,
    /// The sector of the disk of the last grain.
    last: Option<u64>,
    /// The table whose grains are coming: its number, and where they came.
    coming: Option<(u32, Box<[u32]>)>,
    /// Those whose grains have come.
    come: Vec<Come>,
    /// Where tables came; twice as many as the disk has at most.
    places: Vec<Place>,
    /// The sectors of directories that name just these tables.
    directories: Vec<u32>,
}

/// A table whose grains have come.
struct Come {
    number: u32,
    /// The sector at which the first of them came.
    first: u32,
    /// Of what the table has to say.
    digest: Digest,
}

struct Place {
    sector: u32,
    /// Which of those that have come it is; none where it names no grain.
    table: Option<u32>,
}

type Digest = [u8; 16];

impl Walk {
    pub(super) fn new(hosted: Hosted) -> Result<Self> {
        let tables = hosted.tables(hosted.capacity);
        if tables > MOST_TABLES {
            return Err(Error::unsupported(format!(
                "its disk has {tables} grain tables, and {MOST_TABLES} is the most"
            ))
            .at_offset(0xc));
        }
        let (come, places, directories) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Walk { hosted, tables, last: None, coming: None, come, places, directories })
    }

    /// The next grain; none when the stream has ended as it should.
    pub(super) fn next(&mut self, incoming: &mut Incoming, stop: Stop<'_>) -> Result<Option<Grain>> {
        loop {
            incoming.go_on(stop)?;
            let at = incoming.taken();
            let (value, size) = take_marker(incoming, REST, stop)?;
            if size != 0 {
                return self.grain(incoming, at, (value, size), stop).map(Some);
            }
            let mut rest = [0; SECTOR as usize - MARKER];
            incoming.take(&mut rest, REST, stop)?;
            match u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) {
                marker::END_OF_STREAM => return self.end(incoming, at, stop).map(|()| None),
                marker::GRAIN_TABLE => self.tables(incoming, at, value, stop)?,
                marker::GRAIN_DIRECTORY => self.directory(incoming, at, value, stop)?,
                marker::FOOTER => return self.footer(incoming, stop).map(|()| None),
                kind if value > MOST_UNKNOWN => {
                    let what = format!("a marker of the unknown kind {kind}, with {value} sectors behind it");
                    return Err(Error::corrupt(what).at_offset(at));
                }
                _ => incoming.skip(value * SECTOR, REST, stop)?,
            }
        }
    }

    fn grain(&mut self, incoming: &mut Incoming, at: u64, marker: (u64, u64), stop: Stop<'_>) -> Result<Grain> {
        let (lba, unit) = (marker.0, self.hosted.grain);
        let offset = lba.checked_mul(SECTOR).filter(|&at| at < self.hosted.capacity && at.is_multiple_of(unit));
        let Some(offset) = offset else {
            return Err(
                Error::corrupt(format!("a grain says that it is sector {lba}, where the disk has none")).at_offset(at)
            );
        };
        if self.last.replace(lba).is_some_and(|last| lba <= last) {
            return Err(by_position("its grains do not come in the order of the disk").at_offset(at));
        }
        self.note(offset / unit, at).map_err(|error| error.at_offset(at))?;
        let grain = take_grain(incoming, at, marker, offset, unit, stop)?;
        let filled = (MARKER as u64 + marker.1).next_multiple_of(SECTOR) - MARKER as u64 - marker.1;
        incoming.skip(filled, "a grain", stop)?;
        Ok(grain)
    }

    /// Notes that grain `index` of the disk came at byte `at`.
    fn note(&mut self, index: u64, at: u64) -> Result<()> {
        let (sector, entries) = (sector(at)?, u64::from(self.hosted.entries));
        // In range, as a disk has no more than MOST_TABLES.
        let (number, entry) = ((index / entries) as u32, (index % entries) as usize);
        if self.coming.as_ref().is_some_and(|(coming, _)| *coming != number) {
            self.close();
        }
        let late = self.come.last().is_some_and(|come| come.number == number);
        if late || !self.directories.is_empty() {
            return Err(Error::corrupt("a grain comes behind the table or the directory that should name it"));
        }
        let (_, table) = self.coming.get_or_insert_with(|| (number, vec![0; entries as usize].into()));
        table[entry] = sector;
        Ok(())
    }

    /// Ends the table whose grains are coming.
    fn close(&mut self) {
        if let Some((number, table)) = self.coming.take() {
            let first = table.iter().copied().find(|&sector| sector != 0).unwrap_or(0);
            self.come.push(Come { number, first, digest: digest(&table) });
        }
    }

    /// Takes the tables behind a marker that counts `count` sectors.
    fn tables(&mut self, incoming: &mut Incoming, at: u64, count: u64, stop: Stop<'_>) -> Result<()> {
        self.close();
        let mut bytes = vec![0; (self.hosted.entries as usize * 4).next_multiple_of(SECTOR as usize)];
        let each = bytes.len() as u64 / SECTOR;
        // One that counts none stands before all tables of the disk.
        let many = if count == 0 { self.tables } else { count / each };
        if many == 0 || many > 2 * self.tables - (self.places.len() as u64).min(2 * self.tables) {
            let expected =
                format!("a marker of {count} sectors of grain tables: {} of {each} are expected", self.tables);
            return Err(Error::corrupt(expected).at_offset(at));
        }
        for _ in 0..many {
            incoming.go_on(stop)?;
            let at = incoming.taken();
            incoming.take(&mut bytes, "a grain table", stop)?;
            let table = self.named(&bytes).map_err(|error| error.at_offset(at))?;
            self.places.push(Place { sector: sector(at)?, table });
        }
        incoming.skip(if count == 0 { 0 } else { count % each * SECTOR }, "a grain table", stop)
    }

    /// Which of those that have come the table in `bytes` is: it has to name its grains where they came.
    fn named(&self, bytes: &[u8]) -> Result<Option<u32>> {
        let entries = bytes.as_chunks::<4>().0.iter().map(|entry| u32::from_le_bytes(*entry));
        // An entry of 1 says no more than one of 0, where there is nothing beneath.
        let plain = |entry| if entry == 1 && self.hosted.zeroed_grains { 0 } else { entry };
        let table: Vec<u32> = entries.take(self.hosted.entries as usize).map(plain).collect();
        let Some(&first) = table.iter().find(|&&sector| sector != 0) else { return Ok(None) };
        let behind = self.come.partition_point(|come| come.first <= first);
        let index = behind.checked_sub(1).filter(|&index| self.come[index].digest == digest(&table));
        index.map(|index| Some(index as u32)).ok_or_else(|| {
            Error::corrupt("a grain table does not name the grains where they came")
                .with_hint("it is damaged: copy or download it again; --spool DIR, to read it as its tables say")
        })
    }

    /// Takes the directory behind a marker that counts `count` sectors.
    fn directory(&mut self, incoming: &mut Incoming, at: u64, count: u64, stop: Stop<'_>) -> Result<()> {
        self.close();
        let len = self.tables * 4;
        let counted = if count == 0 { len.div_ceil(SECTOR) } else { count }.saturating_mul(SECTOR);
        if counted < len {
            return Err(Error::corrupt(format!("a grain directory of {counted} bytes: {len} are needed")).at_offset(at));
        }
        let start = incoming.taken();
        let (mut number, mut owed) = (0, self.come.iter().zip(0..).peekable());
        let mut left = len;
        while left > 0 {
            let at = incoming.taken();
            let bytes = incoming.take_vec(left.min(STEP) as usize, "the grain directory", stop)?;
            left -= bytes.len() as u64;
            for (index, entry) in bytes.as_chunks::<4>().0.iter().enumerate() {
                let table = owed.next_if(|(come, _)| come.number == number).map(|(_, index)| index);
                let checked = self.check_entry(u32::from_le_bytes(*entry), table);
                checked.map_err(|error| error.at_offset(at + 4 * index as u64))?;
                number += 1;
            }
        }
        incoming.skip(counted - len, "the grain directory", stop)?;
        // More than two are of no use, and would be counted for ever.
        if self.directories.len() < 2 {
            self.directories.push(sector(start)?);
        } else {
            return Err(Error::corrupt("more than two grain directories").at_offset(at));
        }
        Ok(())
    }

    /// Checks that a directory's `entry` leads to `table`, of those that have come.
    fn check_entry(&self, entry: u32, table: Option<u32>) -> Result<()> {
        let place = self.places.binary_search_by_key(&entry, |place| place.sector);
        match place.ok().map(|index| self.places[index].table) {
            Some(found) if found == table => Ok(()),
            None if entry == 0 && table.is_none() => Ok(()),
            _ => Err(Error::corrupt(format!("the grain directory says sector {entry}, and the table came elsewhere"))
                .with_hint("it is damaged: copy or download it again; --spool DIR, to read it as its directory says")),
        }
    }

    /// Takes the footer, and all behind it.
    fn footer(&mut self, incoming: &mut Incoming, stop: Stop<'_>) -> Result<()> {
        let at = incoming.taken();
        let mut bytes = [0; SECTOR as usize];
        incoming.take(&mut bytes, "the footer", stop)?;
        let found = header_in(&bytes).and_then(|found| self.hosted.checked_footer(&found));
        let found = found.map_err(|error| error.at_offset(at))?;
        if found.zeroed_grains != self.hosted.zeroed_grains {
            return Err(Error::corrupt("the footer contradicts the header").at_offset(at));
        }
        self.check_directories(&found).map_err(|error| error.at_offset(at))?;
        if self.hosted.directory == GD_AT_END {
            self.hosted = found;
        }
        let end = incoming.taken();
        incoming.take(&mut bytes, REST, stop)?;
        if !is_zero(&bytes) {
            return Err(Error::corrupt("no end-of-stream marker is behind the footer").at_offset(end));
        }
        self.end(incoming, end, stop)
    }

    /// Checks that `hosted` names directories that came.
    fn check_directories(&self, hosted: &Hosted) -> Result<()> {
        let came = |at: u64| self.directories.iter().any(|&sector| u64::from(sector) == at);
        match came(hosted.directory) && hosted.redundant.is_none_or(came) {
            true => Ok(()),
            false => Err(Error::corrupt("no grain directory came where it should be")),
        }
    }

    /// Takes what is behind the end-of-stream marker at byte `at`. Zeros are passed, as many as are by position. Anything else is a
    /// fault: by position it hides the footer, and where the header can do without one, it is rather another file's beginning.
    fn end(&self, incoming: &mut Incoming, at: u64, stop: Stop<'_>) -> Result<()> {
        self.check_directories(&self.hosted).map_err(|error| {
            error.at_offset(at).with_hint("the stream ends before its grain directory: copy or download it again")
        })?;
        let mut bytes = [0; SECTOR as usize];
        loop {
            let start = incoming.taken();
            let len = incoming.fill(&mut bytes, stop)?;
            if bytes[..len].iter().any(|&byte| byte != 0) {
                return Err(Error::corrupt("bytes that are not zero follow the end-of-stream marker").at_offset(start));
            }
            if len < bytes.len() {
                return Ok(());
            }
            if start + SECTOR - at >= TAIL {
                return Err(Error::corrupt("too many zeros follow the end-of-stream marker").at_offset(start));
            }
        }
    }
}

/// The sector at byte `at`.
fn sector(at: u64) -> Result<u32> {
    u32::try_from(at / SECTOR).map_err(|_| Error::corrupt("a streamOptimized VMDK goes on past 2 TiB").at_offset(at))
}

fn digest(table: &[u32]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for sector in table {
        hasher.update(&sector.to_le_bytes());
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}
