//! A qcow2 image, described and read.

use super::header::Header;
use super::layout::{autoclear, entry, incompatible};
use super::snapshots;
use super::tables::{Cluster, Entries, Piece, read_words};
use crate::codec::deflate::{Wrapping, inflate};
use crate::codec::{Codec, zstd};
use crate::error::{Error, ErrorKind, Result};
use crate::extent::{Content, Extent};
use crate::formats::Source;
use crate::formats::cache::TableCache;
use crate::image::{Image, ImageInfo, Packing, Parent, Part, Snapshot};
use crate::io::ReadAt;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of an L2 table that are read and kept at a time: tables of large clusters are not read whole for one entry.
const SLICE: u64 = 64 << 10;

thread_local! {
    /// A packed cluster as read, and one inflated whole where only a part is wanted.
    static SCRATCH: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// What the image says of itself.
pub(super) fn describe(source: &Source<'_>) -> Result<ImageInfo> {
    let file = source.file.as_ref();
    let header = Header::read(file)?;
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut details = vec![("compat", if header.version == 2 { "0.10" } else { "1.1" }.to_owned())];
    if header.version > 2 {
        let codec = if header.codec == Codec::Zstd { "zstd" } else { "zlib" };
        details.push(("compression-type", codec.into()));
        details.push(("lazy-refcounts", yes_no(header.lazy_refcounts())));
        details.push(("extended-l2", yes_no(header.extended())));
        details.push(("corrupt", yes_no(header.incompatible & incompatible::CORRUPT != 0)));
    }
    details.push(("refcount-bits", header.refcount_bits.to_string()));
    if header.incompatible & incompatible::DIRTY != 0 {
        details.push(("dirty", "yes: it was not closed, its refcounts may be wrong".into()));
    }
    match header.encryption {
        0 => {}
        1 => details.push(("encrypted", "AES".into())),
        2 => details.push(("encrypted", "LUKS".into())),
        other => details.push(("encrypted", format!("method {other}, which is not known"))),
    }
    if let Some((count, ..)) = header.extensions.bitmaps {
        let stale = if header.autoclear & autoclear::BITMAPS == 0 { ", out of date" } else { "" };
        details.push(("bitmaps", format!("{count}{stale}")));
    }
    let mut parts = Vec::new();
    if header.external() {
        details.push(("data-file-raw", yes_no(header.raw_external())));
        parts.push(Part { file: header.extensions.data_file.clone(), kind: "DATA".into(), size: header.size });
    }
    let snapshots = match snapshots::read(file, &header) {
        Ok((entries, _)) => entries,
        // The present state does not need them.
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            details.push(("snapshots", format!("cannot be read: {error}")));
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    Ok(ImageInfo {
        format: "qcow2",
        virtual_size: header.size,
        unit: Some(header.cluster()),
        parent: header.backing.map(|name| Parent {
            name: Some(name),
            format: header.extensions.backing_format,
            id: None,
        }),
        parts,
        snapshots: snapshots
            .into_iter()
            .map(|entry| Snapshot { id: entry.id, name: entry.name, virtual_size: entry.size })
            .collect(),
        details,
        ..ImageInfo::default()
    })
}

/// Opens the image's own clusters.
pub(super) fn open(source: &Source<'_>) -> Result<Box<dyn Image>> {
    let file = Arc::clone(&source.file);
    let header = Header::read(file.as_ref())?;
    if header.encryption != 0 {
        let method = match header.encryption {
            1 => "AES".to_owned(),
            2 => "LUKS".to_owned(),
            other => format!("method {other}, which is not known"),
        };
        return Err(Error::unsupported(format!("is encrypted ({method}), and cannot be read without its key"))
            .at_offset(32)
            .with_hint("decrypt it with the tool that encrypted it"));
    }
    let (size, l1_offset, l1_entries) = match source.snapshot {
        None => (header.size, header.l1_offset, header.l1_entries),
        Some(wanted) => {
            let (entries, _) = snapshots::read(file.as_ref(), &header)?;
            let by_id = entries.iter().find(|entry| entry.id == wanted);
            let found = by_id.or_else(|| entries.iter().find(|entry| entry.name == wanted));
            let entry = found.ok_or_else(|| Error::usage(format!("has no snapshot \"{wanted}\"")))?;
            entry.check(file.as_ref(), &header)?;
            (entry.size, entry.l1_offset, entry.l1_entries)
        }
    };
    let (data, data_path) = if header.external() {
        let name = header.extensions.data_file.as_ref();
        let name = name.ok_or_else(|| Error::corrupt("keeps its data in another file, but does not name it"))?;
        let (data, path) = source.neighbors.open(name)?;
        (data as Arc<dyn ReadAt>, path)
    } else {
        (Arc::clone(&file), source.path.clone())
    };
    let needed = size.div_ceil(header.table_span()).min(l1_entries);
    let l1 = read_words(file.as_ref(), "the L1 table", l1_offset, needed)?;
    Ok(Box::new(Qcow2Image {
        entries: Entries::of(&header),
        cluster: header.cluster(),
        span: header.table_span(),
        codec: header.codec,
        size,
        l1,
        file,
        path: source.path.clone(),
        data,
        data_path,
        kept: TableCache::default(),
    }))
}

struct Qcow2Image {
    entries: Entries,
    /// Bytes of a cluster.
    cluster: u64,
    /// Bytes of the disk that an L2 table covers.
    span: u64,
    codec: Codec,
    size: u64,
    l1: Vec<u64>,
    /// The file with the tables.
    file: Arc<dyn ReadAt>,
    path: PathBuf,
    /// The file with the data: the same, as a rule.
    data: Arc<dyn ReadAt>,
    data_path: PathBuf,
    kept: TableCache,
}

/// A stretch of an L2 table, and the disk's byte at which what it covers starts.
struct Slice {
    table: Arc<[u8]>,
    start: u64,
    /// Where the stretch is in the file.
    at: u64,
    /// The disk's byte before which what it covers ends.
    end: u64,
}

impl Qcow2Image {
    /// The stretch of the L2 table for the disk's byte `offset`; none where there is no table.
    fn slice(&self, offset: u64) -> Result<Option<Slice>> {
        let word = self.l1[(offset / self.span) as usize];
        let table = word & entry::OFFSET;
        if table == 0 {
            return Ok(None);
        }
        let bytes = SLICE.min(self.cluster);
        let span = bytes / self.entries.len() as u64 * self.cluster;
        let number = offset / span;
        let at = table + offset % self.span / span * bytes;
        let table = self.kept.get(number, || {
            if !table.is_multiple_of(self.cluster) {
                return Err(Error::corrupt(format!("an L1 entry {word:#018x} points into the middle of a cluster")));
            }
            let mut slice = vec![0; bytes as usize];
            read_inside(self.file.as_ref(), &mut slice, at, "an L2 table")?;
            Ok(slice)
        });
        let table = table.map_err(|error| error.at_path(&self.path).at_offset(at))?;
        Ok(Some(Slice { table, at, start: number * span, end: ((number + 1) * span).min(self.size) }))
    }

    fn cluster_at(&self, slice: &Slice, offset: u64) -> Result<Cluster> {
        let index = ((offset - slice.start) / self.cluster) as usize;
        let place = |error: Error| error.at_path(&self.path).at_offset(slice.at + (index * self.entries.len()) as u64);
        self.entries.cluster_at(&slice.table, index).map_err(place)
    }

    /// The piece of a cluster that holds `offset`, and the disk's byte before which it ends.
    fn piece(&self, slice: &Slice, offset: u64) -> Result<(Piece, u64)> {
        let piece = self.entries.piece(self.cluster_at(slice, offset)?, offset % self.cluster);
        Ok((piece, offset / self.cluster * self.cluster + piece.end))
    }

    /// The run of one content from `offset` on, as far as one stretch of a table tells and to `limit` at most; data are one
    /// run while they go on in the file.
    fn run(&self, offset: u64, limit: u64) -> Result<Extent> {
        let Some(slice) = self.slice(offset)? else {
            let first = (offset / self.span) as usize;
            let absent = self.l1[first..].iter().take_while(|&&word| word & entry::OFFSET == 0).count();
            let end = (first + absent) as u64;
            return Ok(Extent::new(offset..end.saturating_mul(self.span).min(self.size), Content::Hole));
        };
        let (first, mut end) = self.piece(&slice, offset)?;
        if first.content == Content::Hole {
            let index = (offset - slice.start) / self.cluster;
            let absent = index + self.entries.absent(&slice.table, index as usize) as u64;
            end = end.max((slice.start + absent * self.cluster).min(slice.end));
        }
        while end < slice.end.min(limit) {
            let (next, stop) = self.piece(&slice, end)?;
            if next.content != first.content || next.at != first.at.map(|at| at + (end - offset)) {
                break;
            }
            end = stop;
        }
        let extent = Extent::new(offset..end.min(slice.end), first.content);
        Ok(match first.at {
            Some(at) => extent.stored_at(at),
            None => extent,
        })
    }

    /// Reads stored bytes. A file may end within its last cluster, the rest of which is zero.
    fn read_data(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let there = self.data.size().saturating_sub(at).min(buf.len() as u64) as usize;
        let last = self.data.size().next_multiple_of(self.cluster);
        let place = |error: Error| error.at_path(&self.data_path).at_offset(at);
        if there < buf.len() && at + buf.len() as u64 > last {
            return Err(place(past_end("a cluster", self.data.size())));
        }
        let (held, rest) = buf.split_at_mut(there);
        rest.fill(0);
        self.data.read_exact_at(held, at).map_err(|cause| place(Error::io("cannot read a cluster", cause)))
    }

    /// Where the packed cluster that holds `offset` is, and how many bytes it may have: no more than up to the next one
    /// that is packed behind it.
    fn packed_at(&self, slice: &Slice, offset: u64) -> Result<Option<(u64, u64)>> {
        let Cluster::Packed(at, most) = self.cluster_at(slice, offset)? else { return Ok(None) };
        let next = offset + self.cluster;
        let next = if next < slice.end { self.cluster_at(slice, next).ok() } else { None };
        let len = match next {
            Some(Cluster::Packed(next, _)) if next > at => most.min(next - at),
            _ => most,
        };
        let there = self.data.size().saturating_sub(at);
        if there == 0 {
            return Err(past_end("a compressed cluster", self.data.size()).at_path(&self.path).at_offset(at));
        }
        Ok(Some((at, len.min(there))))
    }

    fn fetch_packed(&self, at: u64, out: &mut [u8]) -> Result<()> {
        let read = self.data.read_exact_at(out, at);
        read.map_err(|cause| Error::io("cannot read a cluster", cause).at_path(&self.data_path).at_offset(at))
    }

    /// Reads from `offset` on what one packed cluster holds, or a part of it.
    fn read_packed_part(&self, slice: &Slice, buf: &mut [u8], offset: u64) -> Result<()> {
        let Some((at, len)) = self.packed_at(slice, offset)? else { return Ok(()) };
        SCRATCH.with_borrow_mut(|(packed, whole)| {
            packed.resize(len as usize, 0);
            self.fetch_packed(at, packed)?;
            let unpack = |out: &mut [u8]| {
                let got = match self.codec {
                    Codec::Zstd => zstd::decompress(packed, out)?,
                    _ => inflate(packed, Wrapping::None, out)?,
                };
                match got == out.len() {
                    true => Ok(()),
                    false => Err(Error::corrupt(format!("a cluster inflates to {got} bytes instead of {}", out.len()))),
                }
            };
            let place = |error: Error| error.at_path(&self.path).at_offset(at);
            // Straight into place where all of the cluster is wanted.
            if buf.len() as u64 == self.cluster {
                return unpack(buf).map_err(place);
            }
            whole.resize(self.cluster as usize, 0);
            unpack(whole).map_err(place)?;
            buf.copy_from_slice(&whole[(offset % self.cluster) as usize..][..buf.len()]);
            Ok(())
        })
    }
}

impl Image for Qcow2Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        self.run(offset, u64::MAX)
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> Result<()> {
        while !buf.is_empty() {
            let end = offset + buf.len() as u64;
            let run = self.run(offset, end)?;
            let mut take = run.range.end.min(end) - offset;
            if run.content == Content::Packed {
                take = take.min(self.cluster - offset % self.cluster);
            }
            let (now, rest) = buf.split_at_mut(take as usize);
            match (run.content, run.at) {
                (Content::Packed, _) => {
                    if let Some(slice) = self.slice(offset)? {
                        self.read_packed_part(&slice, now, offset)?;
                    }
                }
                (Content::Data, Some(at)) => self.read_data(now, at)?,
                _ => now.fill(0),
            }
            buf = rest;
            offset += take;
        }
        Ok(())
    }

    fn packing(&self) -> Option<Packing> {
        Some(Packing { codec: self.codec, unit: self.cluster })
    }

    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        let Some(slice) = self.slice(offset)? else { return Ok(false) };
        let Some((at, len)) = self.packed_at(&slice, offset)? else { return Ok(false) };
        let start = out.len();
        out.resize(start + len as usize, 0);
        self.fetch_packed(at, &mut out[start..])?;
        Ok(true)
    }
}

/// Reads what must be all in the file.
pub(super) fn read_inside(file: &dyn ReadAt, buf: &mut [u8], at: u64, what: &str) -> Result<()> {
    let size = file.size();
    if at.checked_add(buf.len() as u64).is_none_or(|end| end > size) {
        return Err(past_end(what, size));
    }
    file.read_exact_at(buf, at).map_err(|cause| Error::io(format!("cannot read {what}"), cause))
}

fn past_end(what: &str, size: u64) -> Error {
    Error::corrupt(format!("{what} lies past the end of the file, which has {size} bytes"))
        .with_hint("the file was cut off, or its tables are damaged")
}
