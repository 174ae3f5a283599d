//! A compressed raw disk, described, read at random by its seek table, and checked.

use super::NAME;
use super::frames::plain_size;
use super::table::{Frame, Table};
use super::zeros;
use crate::codec::zstd::{bound, decompress_frame};
use crate::error::{Error, ErrorKind, Result};
use crate::extent::{Content, Extent};
use crate::formats::{Findings, Source};
use crate::image::{Image, ImageInfo};
use crate::io::unpacked::{unpack, unpacked_size};
use crate::io::{Compression, FileReader, ReadAt};
use crate::layers::Flat;
use crate::limits::zst::LARGEST_FRAME;
use crate::observer::Observer;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A frame as read, and what it unpacks to.
#[derive(Default)]
struct Scratch {
    packed: Vec<u8>,
    plain: Vec<u8>,
    /// The image and the byte of the file whose frame `plain` holds: small reads come close together.
    of: Option<(u64, u64)>,
}

/// Tells images from each other in what threads keep.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What the file says of itself. Without a seek table, frames that do not say how long they are are unpacked to find out.
pub(super) fn describe(source: &Source<'_>) -> Result<ImageInfo> {
    let file = source.file.as_ref();
    let (size, details) = match table(file)? {
        Some(table) => (table.size(), ("frames", table.len().to_string())),
        None => {
            let counted = || unpacked_size(file, &source.path, Compression::Zstd);
            let size = plain_size(file)?.map_or_else(counted, Ok)?;
            (size, ("seek-table", "none: it is unpacked to be read".to_owned()))
        }
    };
    Ok(ImageInfo { format: NAME, virtual_size: size, compressed: true, details: vec![details], ..ImageInfo::default() })
}

/// The seek table of what begins as Zstandard does.
fn table(file: &dyn ReadAt) -> Result<Option<Table>> {
    let mut head = vec![0; file.size().min(Compression::HEAD as u64) as usize];
    let read = file.read_exact_at(&mut head, 0);
    read.map_err(|cause| Error::io("cannot read", cause).at_offset(0))?;
    if Compression::of(&head) != Some(Compression::Zstd) {
        return Err(Error::corrupt("is not compressed with Zstandard: it begins otherwise").at_offset(0));
    }
    Table::read(file)
}

/// Opens it by its seek table; without one it is unpacked into a file without a name.
pub(super) fn open(source: &Source<'_>) -> Result<Box<dyn Image>> {
    if let Some(image) = ZstImage::open(source)? {
        return Ok(Box::new(image));
    }
    let said = said(source.file.as_ref())?;
    let unpacked = unpack(source.file.as_ref(), &source.path, Compression::Zstd, None)?;
    let unpacked = FileReader::from_file(unpacked)?;
    check_size(said, unpacked.size())?;
    Ok(Box::new(Flat::whole(Arc::new(unpacked), source.path.clone())))
}

/// Unpacks every frame, or all of the file where it has no seek table.
pub(super) fn check(source: &Source<'_>, observer: &dyn Observer) -> Result<Findings> {
    let mut findings = Findings::default();
    let Some(image) = ZstImage::open(source)? else {
        let file = source.file.as_ref();
        let size = unpacked_size(file, &source.path, Compression::Zstd)?;
        return check_size(said(file)?, size).map(|()| findings);
    };
    for frame in image.table.frames().filter(|frame| frame.plain > 0) {
        if observer.cancelled() {
            return Err(Error::cancelled());
        }
        match image.with(&frame, |_| ()) {
            Err(error) if error.kind() == ErrorKind::Corrupt => findings.add_error(&error),
            unpacked => unpacked?,
        }
    }
    Ok(findings)
}

/// How many bytes `file` says that it unpacks to: its seek table, or its frames.
fn said(file: &dyn ReadAt) -> Result<Option<u64>> {
    table(file)?.map_or_else(|| plain_size(file), |table| Ok(Some(table.size())))
}

fn check_size(said: Option<u64>, found: u64) -> Result<()> {
    match said.filter(|&said| said != found) {
        None => Ok(()),
        Some(said) => Err(Error::corrupt(format!("says that it unpacks to {said} bytes, and unpacks to {found}"))
            .at_offset(0)
            .with_hint("zstd -d unpacks it, whatever it says")),
    }
}

struct ZstImage {
    file: Arc<dyn ReadAt>,
    path: PathBuf,
    table: Table,
    number: u64,
}

impl ZstImage {
    /// None where there is no seek table, or it has frames too long to be read by themselves.
    fn open(source: &Source<'_>) -> Result<Option<Self>> {
        let Some(table) = table(source.file.as_ref())? else { return Ok(None) };
        if !table.frames().all(|frame| is_small(&frame) || zeros::may_be(frame.packed, frame.plain)) {
            return Ok(None);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Some(ZstImage { file: Arc::clone(&source.file), path: source.path.clone(), table, number }))
    }

    fn frame_at(&self, offset: u64) -> Result<Frame> {
        let past = || Error::usage(format!("byte {offset} lies past the end of the disk")).at_path(&self.path);
        self.table.frame_at(offset).ok_or_else(past)
    }

    fn read(&self, frame: &Frame, packed: &mut Vec<u8>) -> Result<()> {
        // Bounded when it was opened.
        packed.resize(frame.packed as usize, 0);
        let read = self.file.read_exact_at(packed, frame.at);
        read.map_err(|cause| Error::io("cannot read a frame", cause).at_path(&self.path).at_offset(frame.at))
    }

    /// Whether `frame`, which is in `packed`, is one of zeros, byte for byte.
    fn is_zeros(frame: &Frame, packed: &[u8]) -> bool {
        zeros::may_be(frame.packed, frame.plain) && packed == zeros::frame(frame.plain)
    }

    /// Unpacks `packed` into `plain`.
    fn unpack(&self, frame: &Frame, packed: &[u8], plain: &mut [u8]) -> Result<()> {
        decompress_frame(packed, plain).map_err(|error| {
            error.at_path(&self.path).at_offset(frame.at).with_hint("copy or download it again; vimage check tells all")
        })
    }

    /// Gives `work` what `frame` holds; nothing for zeros.
    fn with<T>(&self, frame: &Frame, work: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        SCRATCH.with_borrow_mut(|Scratch { packed, plain, of }| {
            if *of != Some((self.number, frame.at)) {
                self.read(frame, packed)?;
                if Self::is_zeros(frame, packed) {
                    return Ok(work(None));
                }
                self.check_small(frame)?;
                *of = None;
                plain.resize(frame.plain as usize, 0);
                self.unpack(frame, packed, plain)?;
                *of = Some((self.number, frame.at));
            }
            Ok(work(Some(plain)))
        })
    }

    /// Fills `buf` with all that `frame` holds, without keeping it.
    fn whole(&self, frame: &Frame, buf: &mut [u8]) -> Result<()> {
        SCRATCH.with_borrow_mut(|Scratch { packed, .. }| {
            self.read(frame, packed)?;
            match Self::is_zeros(frame, packed) {
                true => buf.fill(0),
                false => self.check_small(frame).and_then(|()| self.unpack(frame, packed, buf))?,
            }
            Ok(())
        })
    }

    /// A long frame is taken for one of zeros by its length alone, until it is read.
    fn check_small(&self, frame: &Frame) -> Result<()> {
        if is_small(frame) {
            return Ok(());
        }
        let plain = frame.plain;
        Err(Error::corrupt(format!("a frame of {plain} bytes is as long as one of zeros, and is none"))
            .at_path(&self.path)
            .at_offset(frame.at)
            .with_hint("if zstd -t finds nothing wrong with the file, zstd -d unpacks it"))
    }
}

fn is_small(frame: &Frame) -> bool {
    frame.plain <= LARGEST_FRAME as u64 && frame.packed <= bound(LARGEST_FRAME) as u64
}

impl Image for ZstImage {
    fn size(&self) -> u64 {
        self.table.size()
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let frame = self.frame_at(offset)?;
        let mut content = Content::Packed;
        if zeros::may_be(frame.packed, frame.plain) {
            SCRATCH.with_borrow_mut(|Scratch { packed, .. }| {
                self.read(&frame, packed)?;
                if Self::is_zeros(&frame, packed) {
                    content = Content::Zero;
                }
                Ok(())
            })?;
        }
        Ok(Extent::new(frame.offset..frame.offset + frame.plain, content))
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> Result<()> {
        while !buf.is_empty() {
            let frame = self.frame_at(offset)?;
            let within = (offset - frame.offset) as usize;
            let take = (frame.plain as usize - within).min(buf.len());
            let (now, rest) = buf.split_at_mut(take);
            if take as u64 == frame.plain {
                self.whole(&frame, now)?;
            } else {
                self.with(&frame, |plain| match plain {
                    Some(plain) => now.copy_from_slice(&plain[within..within + take]),
                    None => now.fill(0),
                })?;
            }
            buf = rest;
            offset += take as u64;
        }
        Ok(())
    }
}
