//! A VDI, described, read and checked.

use super::header::Header;
use super::layout::{RawHeader, kind};
use super::map::{self, Block, STRETCH, Tally};
use super::uuid;
use super::writer::BLOCK;
use crate::error::{Error, Result};
use crate::extent::{Content, Extent};
use crate::formats::cache::TableCache;
use crate::formats::{CreateOptions, Findings, Settings, Severity, Source};
use crate::image::{Image, ImageInfo, Parent};
use crate::io::{ReadAt, Stored};
use crate::observer::Observer;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use zerocopy::{FromZeros, IntoBytes};

/// What the image says of itself.
pub(super) fn describe(source: &Source<'_>) -> Result<ImageInfo> {
    let header = Header::read(source.file.as_ref())?;
    let subformat = match header.kind {
        kind::FIXED => "fixed",
        kind::DIFFERENCING => "differencing",
        _ => "dynamic",
    };
    Ok(ImageInfo {
        format: "vdi",
        subformat: Some(subformat.into()),
        virtual_size: header.size,
        unit: Some(header.block),
        id: Some(header.id()),
        parent: header.parent_id().map(|id| Parent { name: None, format: Some("vdi".into()), id: Some(id) }),
        details: vec![
            ("uuid", uuid::text(&header.created)),
            ("modification-uuid", uuid::text(&header.modified)),
            ("blocks-allocated", format!("{} of {}", header.allocated, header.blocks)),
        ],
        ..ImageInfo::default()
    })
}

/// The options that make an image like this one: with its identifiers, as VirtualBox knows its disks by them.
pub(super) fn alike(source: &Source<'_>) -> Result<CreateOptions> {
    let header = Header::read(source.file.as_ref())?;
    if header.kind == kind::DIFFERENCING {
        return Err(Error::unsupported("holds only what differs from its parent, and such images are not written")
            .with_hint("vimage convert makes a whole disk of it"));
    }
    if header.block != BLOCK || header.extra != 0 {
        let (block, extra) = (header.block, header.extra);
        return Err(Error::unsupported(format!(
            "has blocks of {block} bytes and {extra} between them: {BLOCK} and none are written"
        ))
        .with_hint("vimage convert -O vdi makes one of the usual kind"));
    }
    let mut raw = RawHeader::new_zeroed();
    let read = source.file.read_exact_at(raw.as_mut_bytes(), 0);
    read.map_err(|cause| Error::io("cannot read the header", cause).at_offset(0))?;
    let digits: String = raw.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut settings = Settings::default()
        .with("header", digits)
        .with("static", if header.kind == kind::FIXED { "on" } else { "off" });
    for (key, id) in [("uuid", &header.created), ("modification_uuid", &header.modified)] {
        if *id != [0; 16] {
            settings = settings.with(key, uuid::text(id));
        }
    }
    Ok(CreateOptions { settings, ..CreateOptions::default() })
}

/// Opens the image's own blocks. Goes over the map once, as VirtualBox does.
pub(super) fn open(source: &Source<'_>) -> Result<Box<dyn Image>> {
    let file = Arc::clone(&source.file);
    let header = Header::read(file.as_ref())?;
    map::verify(file.as_ref(), &header, |fault, at| {
        Err(Error::corrupt(fault.message(&header)).at_offset(at).with_hint("the map is damaged"))
    })?;
    Ok(Box::new(VdiImage { header, file, path: source.path.clone(), kept: TableCache::default() }))
}

/// Checks the map, the count of blocks, the file's length and the identifiers.
pub(super) fn check(source: &Source<'_>, observer: &dyn Observer) -> Result<Findings> {
    let file = source.file.as_ref();
    let header = Header::read(file)?;
    let mut findings = Findings::default();
    let mut enough = 1000;
    let Tally { named: there, end: last } = map::verify(file, &header, |fault, at| {
        findings.add(Severity::Corruption, at, fault.message(&header));
        enough -= 1;
        match observer.cancelled() {
            true => Err(Error::cancelled()),
            false if enough == 0 => Ok(ControlFlow::Break(())),
            false => Ok(ControlFlow::Continue(())),
        }
    })?;
    if there != header.allocated {
        let message = format!("the header counts {} blocks, the map names {there}", header.allocated);
        findings.add(Severity::Corruption, 0x184, message);
    }
    let (end, size) = (header.place(last) - header.extra, file.size());
    if size < end {
        let message = format!("the file has {size} bytes, its {last} blocks end at byte {end}");
        findings.add(Severity::Corruption, None, message);
    } else if size > end + header.block {
        findings.add(Severity::Leak, end, format!("{} bytes behind the last block", size - end));
    }
    for (at, name, id) in [(0x188, "it", &header.created), (0x198, "its last change", &header.modified)] {
        if *id == [0; 16] {
            findings.add(Severity::Risk, at, format!("no UUID identifies {name}: VirtualBox refuses it"));
        }
    }
    for (at, id) in [(0x1a8, &header.parent), (0x1b8, &header.parent_modified)] {
        if header.kind != kind::DIFFERENCING && *id != [0; 16] {
            findings.add(Severity::Risk, at, "names a parent, which only differencing images have: QEMU refuses it");
        }
    }
    if header.size > 0 && u64::from(header.blocks) != header.size.div_ceil(header.block) {
        findings.add(Severity::Risk, 0x180, format!("{} blocks are more than the disk needs", header.blocks));
    }
    Ok(findings)
}

struct VdiImage {
    header: Header,
    file: Arc<dyn ReadAt>,
    path: PathBuf,
    kept: TableCache,
}

impl VdiImage {
    /// The run of blocks of one kind from `offset` on, as far as one stretch of the map tells; data are one run while they
    /// go on in the file.
    fn run(&self, offset: u64) -> Result<Extent> {
        let header = &self.header;
        let number = (offset / header.block) as u32;
        let first = number / STRETCH * STRETCH;
        let entries = self.kept.get(u64::from(first), || map::read(self.file.as_ref(), header, first));
        let entries = entries.map_err(|error| error.at_path(&self.path))?;
        let found = map::block(header, &entries, (number - first) as usize);
        let mut end = (number - first) as usize + 1;
        while end < entries.len() / 4 {
            let next = map::block(header, &entries, end);
            let goes_on = match (found, next) {
                (Block::At(at), Block::At(next)) => {
                    at + (end as u64 - u64::from(number - first)) * header.block == next
                }
                _ => found == next,
            };
            if !goes_on {
                break;
            }
            end += 1;
        }
        let range = offset..((u64::from(first) + end as u64) * header.block).min(header.size);
        Ok(match found {
            Block::Free => Extent::new(range, Content::Hole),
            Block::Zero => Extent::new(range, Content::Zero),
            Block::At(at) => {
                let extent = Extent::new(range, Content::Data).stored_at(at + offset % header.block);
                if header.kind == kind::FIXED { self.without_holes(extent)? } else { extent }
            }
        })
    }

    /// Where all blocks are there, it is the file's holes that tell where there is nothing.
    fn without_holes(&self, mut extent: Extent) -> Result<Extent> {
        let Some(at) = extent.at.filter(|&at| at < self.file.size()) else { return Ok(extent) };
        let place = |cause| Error::io("cannot map", cause).at_path(&self.path).at_offset(at);
        let (stored, end) = self.file.stored_at(at).map_err(place)?;
        extent.range.end = extent.range.end.min(extent.range.start + (end - at));
        if stored == Stored::Hole {
            extent.content = Content::Zero;
        }
        Ok(extent)
    }

    /// Reads stored bytes. A file may end within its last block, the rest of which is zero.
    fn read_data(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let size = self.file.size();
        let (there, place) = (size.saturating_sub(at), |error: Error| error.at_path(&self.path).at_offset(at));
        let there = there.min(buf.len() as u64) as usize;
        let behind = (size.saturating_sub(self.header.data)).next_multiple_of(self.header.extra + self.header.block);
        if there < buf.len() && at + buf.len() as u64 > self.header.data + behind {
            return Err(place(
                Error::corrupt(format!("a block lies past the end of the file, which has {size} bytes"))
                    .with_hint("the file was cut off"),
            ));
        }
        let (held, rest) = buf.split_at_mut(there);
        rest.fill(0);
        self.file.read_exact_at(held, at).map_err(|cause| place(Error::io("cannot read a block", cause)))
    }
}

impl Image for VdiImage {
    fn size(&self) -> u64 {
        self.header.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        self.run(offset)
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> Result<()> {
        while !buf.is_empty() {
            let run = self.run(offset)?;
            let take = (run.range.end - offset).min(buf.len() as u64);
            let (now, rest) = buf.split_at_mut(take as usize);
            match (run.content, run.at) {
                (Content::Data, Some(at)) => self.read_data(now, at)?,
                _ => now.fill(0),
            }
            buf = rest;
            offset += take;
        }
        Ok(())
    }
}
