//! The log: whether it holds nothing that the rest of the disk still wants.
//!
//! The log is a ring of 512-byte sectors, written in turn, round after round. Each sector's first word is the number of the
//! round, the cycle; in the first sector of a record, a mark stands there and the cycle behind it. So the newest cycle fills
//! the front of the log and the one before it the rest, down to the last sector; the head, where writing goes on, is between
//! them. The log is clean when the record that ends at the head is the one that unmounting leaves, and holds only that. After
//! a crash, sectors of different cycles may lie mixed: guests sort that out, here it is enough that nothing is proven.

use super::layout::{RawOperation, RawRecord};
use super::superblock::Geometry;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use zerocopy::FromBytes;

const SECTOR: u64 = 512;

/// What a record's first sector starts with; never a cycle.
const RECORD_MAGIC: u32 = 0xfeed_babe;

/// Bytes of data for which one sector of a record's header keeps the words that cycles have replaced.
const HEADER_COVERS: u32 = 32 << 10;

/// The most that is written at a time, and so the largest record.
const LARGEST_RECORD: u32 = 256 << 10;

/// The client that writes of the log itself.
const LOG_CLIENT: u8 = 0xaa;

/// The operation that unmounting writes.
const UNMOUNT: u8 = 0x20;

/// Bytes read at a time.
const PIECE: u64 = 1 << 20;

/// Goes through the log.
///
/// # Errors
/// `Unsupported` where it is not certain to be clean.
pub(super) fn prove_clean(volume: &Volume<'_>, geometry: &Geometry) -> Result<()> {
    let (group, blocks) = &geometry.log;
    let log = Log {
        volume,
        start: geometry.offset(*group, blocks.start),
        sectors: u64::from(blocks.end - blocks.start) * u64::from(geometry.block) / SECTOR,
    };
    match log.doubt(geometry)? {
        None => Ok(()),
        Some(doubt) => Err(Error::unsupported(format!("its log may hold changes that are not in place yet: {doubt}"))
            .at_offset(volume.disk_offset(log.start))
            .with_hint("mount and unmount it once")),
    }
}

struct Log<'a> {
    volume: &'a Volume<'a>,
    start: u64,
    sectors: u64,
}

impl Log<'_> {
    /// Why it may not be clean.
    fn doubt(&self, geometry: &Geometry) -> Result<Option<&'static str>> {
        let Some(turn) = self.turn()? else { return Ok(Some("it was not written in one turn")) };
        let Some(last) = turn.last_record() else { return Ok(Some("it has no record")) };
        let head = turn.head.unwrap_or(self.sectors);
        // One that starts behind the head goes on at the front.
        let Some(cycle) = turn.newest.map(|newest| if last < head { newest } else { newest.wrapping_sub(1) }) else {
            return Ok(Some("it is empty"));
        };
        let sector = self.sector(last)?;
        let Ok((record, _)) = RawRecord::read_from_prefix(&sector) else { return Ok(Some("its record is cut short")) };
        if record.uuid != geometry.uuid {
            return Ok(Some("it is another file system's"));
        }
        let sound = record.cycle.get() == cycle
            && record.version.get() == geometry.features.log_version
            && (record.place_cycle.get(), u64::from(record.place_sector.get())) == (cycle, last)
            && record.bytes.get() > 0
            && record.bytes.get() <= LARGEST_RECORD;
        let Some(headers) = header_sectors(&record).filter(|_| sound) else {
            return Ok(Some("its last record makes no sense"));
        };
        let data = last + headers;
        let end = data + u64::from(record.bytes.get()).div_ceil(SECTOR);
        if end % self.sectors != head % self.sectors || end - last > self.sectors {
            return Ok(Some("its last record does not end at its head"));
        }
        let sector = self.sector(data % self.sectors)?;
        let Ok((operation, _)) = RawOperation::read_from_prefix(&sector) else { return Ok(Some("it is cut short")) };
        // The mark is in the byte order of the machine that wrote it.
        let unmounts = record.operations.get() == 1
            && operation.client == LOG_CLIENT
            && operation.flags == UNMOUNT
            && matches!(&operation.data, b"Un" | b"nU");
        Ok((!unmounts).then_some("it was not unmounted"))
    }

    fn sector(&self, index: u64) -> Result<[u8; SECTOR as usize]> {
        let mut bytes = [0; SECTOR as usize];
        self.volume.read_into(&mut bytes, self.start + index * SECTOR)?;
        Ok(bytes)
    }

    /// Reads the cycles of all sectors; none where they are not those of a log written in turn.
    fn turn(&self) -> Result<Option<Turn>> {
        let mut turn = Turn::default();
        let mut buffer = Vec::new();
        let mut at = 0;
        while at < self.sectors {
            let count = (self.sectors - at).min(PIECE / SECTOR);
            let place = self.start + at * SECTOR;
            let in_turn = if self.volume.is_hole(place..place + count * SECTOR)? {
                self.volume.go_on()?;
                turn.take(at, 0, false)
            } else {
                buffer.resize((count * SECTOR) as usize, 0);
                self.volume.read_into(&mut buffer, place)?;
                buffer.chunks_exact(SECTOR as usize).zip(at..).all(|(sector, index)| match words(sector) {
                    (RECORD_MAGIC, cycle) => turn.take(index, cycle, true),
                    (cycle, _) => turn.take(index, cycle, false),
                })
            };
            if !in_turn {
                return Ok(None);
            }
            at += count;
        }
        Ok(Some(turn))
    }
}

/// How a log was written.
#[derive(Default)]
struct Turn {
    /// The cycle that the log starts with.
    newest: Option<u32>,
    /// The first sector of the cycle before; none where there is only one cycle.
    head: Option<u64>,
    /// The last record before the head.
    before: Option<u64>,
    /// The last record behind it.
    behind: Option<u64>,
}

impl Turn {
    /// Takes the next sector: its cycle, and whether a record starts there. False when it is out of turn.
    fn take(&mut self, index: u64, cycle: u32, is_record: bool) -> bool {
        let newest = *self.newest.get_or_insert(cycle);
        let is_before = self.head.is_none() && cycle == newest;
        if !is_before {
            self.head.get_or_insert(index);
        }
        if is_record {
            *(if is_before { &mut self.before } else { &mut self.behind }) = Some(index);
        }
        newest != 0 && (is_before || cycle == newest - 1)
    }

    fn last_record(&self) -> Option<u64> {
        self.before.or(self.behind)
    }
}

/// The first two words of a sector.
fn words(sector: &[u8]) -> (u32, u32) {
    let word = |at: usize| sector.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes);
    (word(0), word(4))
}

/// Sectors of a record's header; none where the record says what cannot be.
fn header_sectors(record: &RawRecord) -> Option<u64> {
    match (record.version.get(), record.buffer_size.get()) {
        (1, _) => Some(1),
        (_, size) => (1..=LARGEST_RECORD).contains(&size).then(|| size.div_ceil(HEADER_COVERS).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head and last record of a log whose sectors have these cycles; those in `records` start one.
    fn turn(cycles: &[u32], records: &[u64]) -> Option<(Option<u64>, Option<u64>)> {
        let mut turn = Turn::default();
        let in_turn = cycles.iter().zip(0..).all(|(&cycle, index)| turn.take(index, cycle, records.contains(&index)));
        in_turn.then(|| (turn.head, turn.last_record()))
    }

    #[test]
    fn the_head_is_where_the_newest_cycle_ends() {
        assert_eq!(turn(&[1, 1, 0, 0], &[0]), Some((Some(2), Some(0))));
        assert_eq!(turn(&[7, 7, 7, 6, 6], &[0, 2, 3]), Some((Some(3), Some(2))));
        assert_eq!(turn(&[7, 7, 7, 7], &[0, 3]), Some((None, Some(3))));
        assert_eq!(turn(&[7, 6, 6, 6], &[1, 3]), Some((Some(1), Some(3))), "the last record goes on at the front");
        assert_eq!(turn(&[7, 7, 6], &[]), Some((Some(2), None)));
    }

    #[test]
    fn cycles_that_are_mixed_are_told() {
        for cycles in [&[0, 0][..], &[2, 2, 0], &[2, 1, 2], &[3, 2, 1], &[1, 2], &[1, 0, 1], &[0, 0xffff_ffff]] {
            assert_eq!(turn(cycles, &[0]), None, "{cycles:?}");
        }
    }
}
