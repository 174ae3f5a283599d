//! What vimage makes of an image, against the bytes that its disk is known to have.

use vimage_core::{Error, Extents, Image};
use vimage_fixtures::Disk;

const MIB: u64 = 1 << 20;

/// A disk up to here is read a second time in pieces of every odd size; of a larger one only what lies about its data.
const SMALL: u64 = 128 * MIB;

/// Lengths of reads that no sector, grain or table divides.
const ODD: [u64; 8] = [1, 511, 513, 4097, 65_535, 65_537, 131_071, 1_000_003];

/// The size that a VMDK of `disk` has: whole sectors.
pub(crate) fn capacity(disk: &Disk) -> u64 {
    disk.size.next_multiple_of(512)
}

/// Checks size, bytes and map of `image`, a VMDK of `disk`.
///
/// # Errors
/// A sentence that says what is wrong, and where.
pub(crate) fn check(image: &dyn Image, disk: &Disk) -> Result<(), String> {
    let size = capacity(disk);
    if image.size() != size {
        return Err(format!("the disk has {} bytes, not {size}", image.size()));
    }
    let mut reads = Reads { image, disk, read: Vec::new(), expected: Vec::new() };
    for offset in (0..size).step_by(MIB as usize) {
        reads.check(offset, MIB.min(size - offset))?;
    }
    reads.odd(size)?;
    reads.edges(size)?;
    map(image, disk)
}

/// An error with its cause.
pub(crate) fn words(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

struct Reads<'a> {
    image: &'a dyn Image,
    disk: &'a Disk,
    read: Vec<u8>,
    expected: Vec<u8>,
}

impl Reads<'_> {
    fn check(&mut self, offset: u64, len: u64) -> Result<(), String> {
        // Left from another place, or never filled: a reader that does not write its buffer is found out.
        self.read.clear();
        self.read.resize(len as usize, 0xa5);
        self.expected.resize(len as usize, 0);
        self.image
            .read_exact_at(&mut self.read, offset)
            .map_err(|error| format!("{offset}+{len}: {}", words(&error)))?;
        self.disk.read_at(&mut self.expected, offset);
        if self.read == self.expected {
            return Ok(());
        }
        let wrong = self.read.iter().zip(&self.expected).position(|(read, expected)| read != expected);
        Err(format!("read {offset}+{len}: the byte at {} is wrong", offset + wrong.unwrap_or(0) as u64))
    }

    fn odd(&mut self, size: u64) -> Result<(), String> {
        let about = |run: &vimage_fixtures::Run| (run.offset.saturating_sub(3 * MIB), (run.end() + 3 * MIB).min(size));
        let parts = if size <= SMALL { vec![(0, size)] } else { self.disk.runs.iter().map(about).collect() };
        for (mut offset, end) in parts {
            for len in ODD.into_iter().cycle() {
                let len = len.min(end - offset);
                if len == 0 {
                    break;
                }
                self.check(offset, len)?;
                offset += len;
            }
        }
        Ok(())
    }

    /// Short reads at and across both ends of each run, where one grain's bytes meet another's.
    fn edges(&mut self, size: u64) -> Result<(), String> {
        let disk = self.disk;
        for edge in disk.runs.iter().flat_map(|run| [run.offset, run.end()]).chain([size]) {
            for (before, len) in [(1, 2), (0, 1), (513, 1026), (65_537, 131_074)] {
                let start = edge.saturating_sub(before);
                self.check(start, len.min(size - start))?;
            }
        }
        Ok(())
    }
}

/// The map tiles the disk, and calls nothing empty that holds a byte.
fn map(image: &dyn Image, disk: &Disk) -> Result<(), String> {
    let mut at = 0;
    for extent in Extents::of(image) {
        let extent = extent.map_err(|error| format!("map at {at}: {}", words(&error)))?;
        if extent.range.start != at || extent.range.end <= at {
            return Err(format!("the map goes on with {:?} at {at}", extent.range));
        }
        at = extent.range.end;
        if !extent.content.is_data() && disk.holds_data(extent.range.clone()) {
            return Err(format!("the map calls {extent:?} empty"));
        }
    }
    if at == image.size() { Ok(()) } else { Err(format!("the map ends at {at}")) }
}
