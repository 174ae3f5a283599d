//! A streamOptimized VMDK that comes once, from front to back.
//!
//! It gives the same disk as [`super::reader`] does by position, or an error. "Virtual Disk Format 5.0", "Stream-Optimized Compressed
//! Sparse Extents", and what is in the field of it: the directory behind the grains ([`walk`]) or before them ([`front`]).

mod front;
mod stretch;
mod walk;

use super::grains::{Form, check_marker};
use super::hosted::{Hosted, header_in};
use super::layout::{GD_AT_END, HOSTED_MAGIC, MARKER, Marker, SECTOR};
use super::reader::{embedded, one_extent, parent};
use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::formats::by_position;
use crate::image::Packing;
use crate::io::{FileId, Incoming, Memory, Stop};
use crate::limits::vmdk::MOST_FRONT;
use crate::observer::Observer;
use crate::stream::{DiskStream, Stretch};
use crate::target::LARGEST_UNIT;
use front::Front;
use std::sync::Arc;
use stretch::Grains;
use walk::Walk;
use zerocopy::FromBytes;

/// Whether what begins with `head` can be a VMDK that is read from front to back.
pub(crate) fn may_come_in(head: &[u8]) -> bool {
    head.starts_with(&HOSTED_MAGIC)
}

/// A streamOptimized VMDK out of a stream.
pub(crate) struct IncomingVmdk {
    incoming: Incoming,
    capacity: u64,
    /// Bytes of a grain.
    unit: u64,
    /// Grains of a table.
    entries: u64,
    layout: Layout,
    /// The grain that comes next, or goes on in the next stretch.
    grain: Option<Grain>,
    /// The byte of the disk up to which all was given.
    reached: u64,
    ended: bool,
}

enum Layout {
    Walk(Walk),
    Front(Box<Front>),
}

/// A packed grain.
#[derive(Clone)]
struct Grain {
    /// Where it starts on the disk.
    offset: u64,
    /// The byte of the stream at which its marker is.
    at: u64,
    packed: Arc<[u8]>,
}

impl IncomingVmdk {
    /// Reads what stands before the grains.
    ///
    /// # Errors
    /// `Unsupported` when it has to be read by position; `Corrupt`, `Io`, `Cancelled`.
    pub(crate) fn open(mut incoming: Incoming, stop: Stop<'_>) -> Result<Self> {
        let begun = begin(&mut incoming, stop);
        let (hosted, layout) = begun.map_err(|error| error.at_path(incoming.label()))?;
        let (capacity, unit, entries) = (hosted.capacity, hosted.grain, u64::from(hosted.entries));
        Ok(IncomingVmdk { incoming, capacity, unit, entries, layout, grain: None, reached: 0, ended: false })
    }

    /// What it comes out of.
    pub(crate) fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// The next grain; none when the stream has ended as it should.
    fn pull(&mut self, stop: Stop<'_>) -> Result<Option<Grain>> {
        if self.ended {
            return Ok(None);
        }
        let grain = match &mut self.layout {
            Layout::Walk(walk) => walk.next(&mut self.incoming, stop),
            Layout::Front(front) => front.next(&mut self.incoming, stop),
        };
        let grain = grain.map_err(|error| error.at_path(self.incoming.label()))?;
        self.ended = grain.is_none();
        Ok(grain)
    }
}

fn begin(incoming: &mut Incoming, stop: Stop<'_>) -> Result<(Hosted, Layout)> {
    let mut sector = [0; SECTOR as usize];
    incoming.take(&mut sector, "its header", stop)?;
    let header = header_in(&sector)?;
    let hosted = Hosted::check(&header)?;
    if hosted.form != Form::Marked {
        return Err(by_position("of VMDKs only streamOptimized ones have their grains in order").at_offset(8));
    }
    // Grains of which few make the memory of a run are read where they lie.
    if hosted.grain > LARGEST_UNIT as u64 {
        return Err(by_position(&format!("its grains of {} bytes are too large to be kept for a while", hosted.grain))
            .at_offset(0x14));
    }
    let start = header.over_head.get().saturating_mul(SECTOR);
    let text = hosted.descriptor.map_or(SECTOR, |(offset, size)| offset.saturating_add(size).max(SECTOR));
    if start < text {
        return Err(by_position("its header does not say where its grains begin").at_offset(0x40));
    }
    // A header may know a directory's place behind the grains too.
    let in_front = hosted.directory != GD_AT_END && hosted.directory.saturating_mul(SECTOR) < start;
    let held = if in_front { start } else { text };
    if held > MOST_FRONT {
        return Err(by_position(&format!("{held} bytes stand before its grains, and {MOST_FRONT} can be held")));
    }
    let mut front = sector.to_vec();
    front.extend(incoming.take_vec((held - SECTOR) as usize, "what stands before its grains", stop)?);
    let front = Memory(front);
    let descriptor = embedded(&hosted, &front)?;
    one_extent(&descriptor)?;
    // What is told of it has to be sound too, as it has to be by position.
    descriptor.cid()?;
    if parent(&descriptor)?.is_some() {
        return Err(by_position("it lies over another image"));
    }
    let layout = match in_front {
        true => Layout::Front(Box::new(Front::new(&hosted, front, incoming.label())?)),
        false => {
            incoming.skip(start - held, "what stands before its grains", stop)?;
            Layout::Walk(Walk::new(hosted.clone())?)
        }
    };
    Ok((hosted, layout))
}

/// A marker: what it says of a grain's place or of sectors that follow, and the length of a grain.
fn take_marker(incoming: &mut Incoming, what: &str, stop: Stop<'_>) -> Result<(u64, u64)> {
    let mut bytes = [0; MARKER];
    incoming.take(&mut bytes, what, stop)?;
    let marker = Marker::read_from_bytes(&bytes).map_err(|_| Error::corrupt("a marker that is none"))?;
    Ok((marker.value.get(), marker.size.get().into()))
}

/// The grain of `unit` bytes whose marker, at byte `at`, says `lba` and `size`, and which should start on the disk at `offset`.
fn take_grain(
    incoming: &mut Incoming,
    at: u64,
    (lba, size): (u64, u64),
    offset: u64,
    unit: u64,
    stop: Stop<'_>,
) -> Result<Grain> {
    check_marker(lba, size, offset, unit).map_err(|error| error.at_offset(at))?;
    let packed = incoming.take_vec(size as usize, "a grain", stop)?;
    Ok(Grain { offset, at, packed: packed.into() })
}

impl DiskStream for IncomingVmdk {
    fn size(&self) -> Option<u64> {
        Some(self.capacity)
    }

    fn packing(&self) -> Option<Packing> {
        Some(Packing { codec: Codec::Zlib, unit: self.unit })
    }

    fn next(&mut self, slab: usize, observer: &dyn Observer) -> Result<Option<Stretch>> {
        let stop = || observer.cancelled();
        if self.grain.is_none() {
            self.grain = self.pull(&stop)?;
        }
        let Some(first) = &self.grain else { return Ok(None) };
        let slab = slab as u64;
        let offset = first.offset.max(self.reached) / slab * slab;
        let end = (offset + slab).min(self.capacity);
        let mut stretch = Grains::new(self.capacity, self.unit, self.entries, self.incoming.label());
        while let Some(grain) = self.grain.take_if(|grain| grain.offset < end) {
            stretch.push(grain.clone());
            if grain.offset + self.unit > end && end < self.capacity {
                self.grain = Some(grain);
                break;
            }
            self.grain = self.pull(&stop)?;
        }
        self.reached = end;
        let data = stretch.data(offset..end);
        Ok(Some(Stretch { offset, len: (end - offset) as usize, data, image: Box::new(stretch) }))
    }

    fn files(&self) -> Vec<FileId> {
        self.incoming.files().to_vec()
    }
}
