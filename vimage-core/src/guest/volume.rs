//! A stretch of the disk that a guest uses as one: a partition, a logical volume, the whole of it.

use crate::error::{Error, Result};
use crate::image::Image;
use crate::limits::guests::MOST_READ;
use crate::observer::Observer;
use std::ops::Range;

/// A part of a volume: bytes of the volume, laid over one or several stretches of the disk in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The volume's bytes that it holds.
    pub(super) range: Range<u64>,
    /// Where on the disk each stripe starts; one, where it is not striped.
    pub(super) stripes: Vec<u64>,
    /// Bytes that go to one stripe before the next has its turn.
    pub(super) chunk: u64,
}

impl Segment {
    /// `range` of the volume, from the disk's byte `at` on.
    pub(super) fn linear(range: Range<u64>, at: u64) -> Self {
        let chunk = (range.end - range.start).max(1);
        Segment { range, stripes: vec![at], chunk }
    }

    /// Where on the disk the volume's byte `offset` is, and how many bytes follow it there.
    fn place(&self, offset: u64) -> (u64, u64) {
        let within = offset - self.range.start;
        let (chunk, rest) = (within / self.chunk, within % self.chunk);
        let count = self.stripes.len() as u64;
        let at = self.stripes[(chunk % count) as usize] + chunk / count * self.chunk + rest;
        (at, (self.chunk - rest).min(self.range.end - offset))
    }
}

/// The bytes of a volume. Offsets count from its own start.
pub(super) struct Volume<'a> {
    disk: &'a dyn Image,
    /// Ascending, without gaps, all on the disk.
    segments: Vec<Segment>,
    observer: &'a dyn Observer,
}

impl<'a> Volume<'a> {
    /// All of `disk`.
    pub(super) fn whole(disk: &'a dyn Image, observer: &'a dyn Observer) -> Self {
        Volume { disk, segments: vec![Segment::linear(0..disk.size(), 0)], observer }
    }

    /// The volume that `segments` make of the same disk. They must tile it from 0 on.
    ///
    /// # Errors
    /// `Corrupt` when one lies past the end of the disk.
    pub(super) fn of_segments(&self, segments: Vec<Segment>) -> Result<Volume<'a>> {
        let (disk, observer) = (self.disk, self.observer);
        for segment in &segments {
            let count = segment.stripes.len().max(1) as u64;
            let len = (segment.range.end - segment.range.start) / count;
            if segment.stripes.iter().any(|at| at.checked_add(len).is_none_or(|end| end > disk.size())) {
                return Err(Error::corrupt(format!(
                    "a volume goes on past the end of the disk of {} bytes",
                    disk.size()
                )));
            }
        }
        Ok(Volume { disk, segments, observer })
    }

    /// Its bytes within `range`, as a volume of their own.
    ///
    /// # Errors
    /// `Corrupt` when they are not all there.
    pub(super) fn window(&self, range: Range<u64>) -> Result<Volume<'a>> {
        if range.start > range.end || range.end > self.size() {
            let Range { start, end } = range;
            return Err(Error::corrupt(format!("bytes {start} to {end} are not all among its {}", self.size())));
        }
        let mut segments = Vec::new();
        self.on_disk(range.clone(), |at, part| {
            segments.push(Segment::linear(part.start - range.start..part.end - range.start, at));
        });
        Ok(Volume { disk: self.disk, segments, observer: self.observer })
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.segments.last().map_or(0, |last| last.range.end)
    }

    /// Calls `each` for the stretches of the disk that hold `range`: where it starts on the disk, and the volume's bytes there.
    pub(super) fn on_disk(&self, range: Range<u64>, mut each: impl FnMut(u64, Range<u64>)) {
        let mut offset = range.start;
        let mut index = self.segments.partition_point(|segment| segment.range.end <= offset);
        while offset < range.end && index < self.segments.len() {
            let (at, len) = self.segments[index].place(offset);
            let end = (offset + len).min(range.end);
            each(at, offset..end);
            offset = end;
            if offset >= self.segments[index].range.end {
                index += 1;
            }
        }
    }

    /// The disk's byte at which the volume's byte `offset` is.
    pub(super) fn disk_offset(&self, offset: u64) -> u64 {
        let mut found = offset;
        self.on_disk(offset..offset.saturating_add(1), |at, _| found = at);
        found
    }

    /// Fills `buf` from byte `offset` on.
    ///
    /// # Errors
    /// `Corrupt` when that is not all in the volume; those of the image; `Cancelled`.
    pub(super) fn read_into(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.go_on()?;
        let end = offset
            .checked_add(buf.len() as u64)
            .filter(|&end| end <= self.size())
            .ok_or_else(|| Error::corrupt(format!("points to byte {offset} of a volume of {} bytes", self.size())))?;
        let mut outcome = Ok(());
        self.on_disk(offset..end, |at, part| {
            let within = (part.start - offset) as usize..(part.end - offset) as usize;
            if outcome.is_ok() {
                outcome = self.disk.read_exact_at(&mut buf[within], at);
            }
        });
        outcome
    }

    /// `len` bytes from byte `offset` on.
    ///
    /// # Errors
    /// As [`read_into`](Self::read_into), and `Corrupt` for more bytes than any structure has.
    pub(super) fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        if len > MOST_READ {
            return Err(Error::corrupt(format!("has a structure of {len} bytes")));
        }
        let mut bytes = vec![0; len];
        self.read_into(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Whether there is nothing to be read in `range`: the image holds no data there, so that it is zero.
    ///
    /// # Errors
    /// Those of the image.
    pub(super) fn is_hole(&self, range: Range<u64>) -> Result<bool> {
        let mut outcome = Ok(true);
        self.on_disk(range, |at, part| {
            if let Ok(true) = outcome {
                let end = at + (part.end - part.start);
                outcome = self.disk.extent_at(at).map(|extent| !extent.content.is_data() && extent.range.end >= end);
            }
        });
        outcome
    }

    /// Whether to go on; long loops that do not read ask now and then.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.observer.cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}
