//! A raw disk that comes once, from front to back.

use super::cut;
use crate::error::{Error, Result};
use crate::extent::{Content, Extent};
use crate::image::Image;
use crate::io::{FileId, Incoming};
use crate::observer::Observer;
use crate::stream::{DiskStream, Stretch};

/// What a disk's length is a multiple of, unless somebody says how long it is.
const SECTOR: u64 = 512;

/// How long a raw disk is, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// Nobody does: as long as the stream.
    Open,
    /// The caller, or what the stream is a part of.
    Told(u64),
    /// The first frame of what is compressed, of which there may be more.
    Framed(u64),
    /// The same, when there must not be more: an output was told the size.
    Settled(u64),
}

impl Length {
    fn bytes(self) -> Option<u64> {
        match self {
            Length::Open | Length::Framed(_) => None,
            Length::Told(size) | Length::Settled(size) => Some(size),
        }
    }
}

impl Length {
    /// Checks that a disk may have `size` bytes and begin with `head`, where `more` may come behind it.
    pub(crate) fn check(self, size: u64, more: bool, head: &[u8]) -> Result<()> {
        match self {
            Length::Told(told) | Length::Settled(told) if size < told => {
                Err(Error::corrupt(format!("has {size} bytes, and should have {told}: it was cut short"))
                    .with_hint("copy or download it again, or correct --size"))
            }
            Length::Told(told) if more || size > told => {
                Err(Error::corrupt(format!("goes on behind the {told} bytes of its disk"))
                    .with_hint("--size says how large the disk is; or something else follows it"))
            }
            Length::Settled(told) if more => Err(Error::unsupported(format!(
                "is compressed in several frames, of which the first, of {told} bytes, does not say how large the disk is"
            ))
            .with_hint("--size says it; --spool DIR copies the stream into a file there first")),
            Length::Told(_) | Length::Settled(_) => Ok(()),
            // The only frame.
            Length::Framed(framed) if size == framed => Ok(()),
            Length::Open | Length::Framed(_) if size == 0 => Err(Error::corrupt("is empty: there is no disk in it")),
            Length::Open | Length::Framed(_) if !size.is_multiple_of(SECTOR) => {
                Err(Error::corrupt("ends within a sector: it was cut short, or is no disk")
                    .with_hint("--size says that it is as long as that"))
            }
            Length::Open | Length::Framed(_) => cut::check(head, size),
        }
    }
}

/// Bytes at a disk's beginning by which its length is checked.
pub(crate) const HEAD: usize = cut::HEAD;

/// A raw disk out of a stream.
pub(crate) struct IncomingRaw {
    incoming: Incoming,
    length: Length,
    at: u64,
    /// Its first bytes, which may say how long it should be.
    head: Vec<u8>,
    ended: bool,
}

impl IncomingRaw {
    pub(crate) fn new(incoming: Incoming, length: Length) -> Self {
        IncomingRaw { incoming, length, at: 0, head: Vec::new(), ended: false }
    }

    /// What it comes out of.
    pub(crate) fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// Checks that the stream ends where the disk does.
    fn end(&mut self, observer: &dyn Observer) -> Result<()> {
        let more = self.incoming.fill(&mut [0], &|| observer.cancelled())? > 0;
        let checked = self.length.check(self.at, more, &self.head);
        checked.map_err(|error| error.at_path(self.incoming.label()).at_offset(self.at))
    }
}

impl DiskStream for IncomingRaw {
    fn size(&self) -> Option<u64> {
        self.length.bytes().or(self.ended.then_some(self.at))
    }

    fn find_size(&mut self, _: &dyn Observer) -> Result<Option<u64>> {
        if let Length::Framed(size) = self.length {
            self.length = Length::Settled(size);
        }
        Ok(self.size())
    }

    fn next(&mut self, slab: usize, observer: &dyn Observer) -> Result<Option<Stretch>> {
        if self.ended {
            return Ok(None);
        }
        let left = self.length.bytes().map_or(u64::MAX, |size| size - self.at);
        let mut bytes = vec![0; slab.min(usize::try_from(left).unwrap_or(slab))];
        let len = self.incoming.fill(&mut bytes, &|| observer.cancelled())?;
        if len == 0 {
            self.end(observer)?;
            self.ended = true;
            return Ok(None);
        }
        bytes.truncate(len);
        let offset = self.at;
        self.at += len as u64;
        let wanted = cut::HEAD.saturating_sub(self.head.len()).min(len);
        self.head.extend_from_slice(&bytes[..wanted]);
        let data = vec![0..len];
        Ok(Some(Stretch { offset, len, data, image: Box::new(Piece { offset, bytes }) }))
    }

    fn files(&self) -> Vec<FileId> {
        self.incoming.files().to_vec()
    }
}

/// Bytes that came, as a stretch of the disk.
struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

impl Image for Piece {
    fn size(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        // What lies before was in other stretches.
        let (content, end) =
            if offset < self.offset { (Content::Hole, self.offset) } else { (Content::Data, self.size()) };
        Ok(Extent::new(offset..end, content))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let from = offset.checked_sub(self.offset).and_then(|from| usize::try_from(from).ok());
        let bytes = from.and_then(|from| self.bytes.get(from..from.checked_add(buf.len())?));
        let bytes = bytes.ok_or_else(|| Error::usage("these bytes are not in this stretch of the stream"))?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}
