//! Disks that come once, from front to back: which of them a stream holds.

use super::members::{self, Named};
use super::raw::{IncomingRaw, LENGTH_HEAD, Length};
use super::tarred::IncomingMember;
use super::vmdk::{IncomingVmdk, may_come_in};
use super::{HEAD, OpenImage, OpenOptions, by_extension, by_name, by_position, open_file, probe, zst};
use crate::error::{Error, Result};
use crate::image::{Image, Packing};
use crate::io::compression::Compression;
use crate::io::row::Row;
use crate::io::{FileId, FileReader, Incoming, tar};
use crate::limits::{check_reached, check_size};
use crate::observer::{Observer, Phase};
use crate::stream::{DiskStream, Stretch};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes read at a time of a compressed file.
const STEP: usize = 1 << 20;

/// The format of a raw disk that is compressed with Zstandard.
const PACKED_RAW: &str = "raw.zst";

/// How the disk in a stream is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// The format that it must have; otherwise it is probed. `raw` takes the stream's bytes for the disk's, whatever they are.
    pub format: Option<String>,
    /// The size in bytes that the disk must have: of a raw one that is said in no other way.
    pub size: Option<u64>,
    /// The member that it is, of an archive. Otherwise it is the only disk there.
    pub member: Option<String>,
    /// The largest size in bytes that the disk may have, as [`OpenOptions`] have it. One that is not known before its end is refused when
    /// more has come.
    pub max_size: Option<u64>,
}

/// A disk that ends where a part of a stream does.
pub(super) trait Part: DiskStream {
    /// What it comes out of.
    fn incoming(&mut self) -> &mut Incoming;
}

impl Part for IncomingVmdk {
    fn incoming(&mut self) -> &mut Incoming {
        self.incoming()
    }
}

impl Part for IncomingRaw {
    fn incoming(&mut self) -> &mut Incoming {
        self.incoming()
    }
}

/// Finds the disk in what comes in: a streamOptimized VMDK, or a raw disk; by itself or within a tar, as in an OVA; and all that
/// compressed with gzip, Zstandard or xz. Reads to the disk's beginning, while it asks `observer` whether to go on.
///
/// # Errors
/// `Unsupported` for what has to be read by position; `Corrupt` where what was read contradicts itself or was cut short; `Usage` where
/// `options` do not fit, or an archive holds no disk; `Refused` as [`tar::list`], and for a disk that is larger than it may be; `Io`;
/// `Cancelled`.
pub fn open_stream(
    incoming: Incoming,
    options: &StreamOptions,
    observer: &dyn Observer,
) -> Result<Box<dyn DiskStream>> {
    let label = incoming.label().to_owned();
    Bounded::of(find(incoming, options, observer)?, options.max_size, &label)
}

fn find(mut incoming: Incoming, options: &StreamOptions, observer: &dyn Observer) -> Result<Box<dyn DiskStream>> {
    let head = incoming.peek(HEAD, &|| observer.cancelled())?;
    let compression = Compression::of(head).filter(|_| options.format.as_deref() != Some("raw"));
    let Some(compression) = compression else { return open_plain(incoming, Length::Open, options, observer) };
    let length = compression.unpacked_size(head).map_or(Length::Open, Length::Framed);
    let inner = options.inner(compression).map_err(|error| error.at_path(incoming.label()))?;
    open_unpacked(incoming.unpacked(compression)?, length, &inner, observer)
}

/// Finds the disk in the compressed file at `path`, which is unpacked on the way, as [`open_stream`] does in a stream.
/// [`format`](StreamOptions::format) is that of what it unpacks to.
///
/// # Errors
/// As [`open_stream`]; `Usage` where the file is not compressed.
pub fn open_packed_file(
    path: impl AsRef<Path>,
    options: &StreamOptions,
    observer: &dyn Observer,
) -> Result<Box<dyn DiskStream>> {
    let path = path.as_ref();
    let file = Arc::new(FileReader::open(path)?);
    let head = members::head(file.as_ref(), path)?;
    let Some(compression) = Compression::of(&head) else {
        return Err(Error::usage("is not compressed with gzip, zstd or xz").at_path(path));
    };
    let packed = PackedFile { file, path: path.to_owned(), compression, max_size: options.max_size };
    let disk = open_unpacked(packed.unpack()?, Length::Open, &options.inner(compression)?, observer)?;
    Bounded::of(Box::new(FileStream { packed, disk, sized: None }), options.max_size, path)
}

/// Whether the file at `path` is compressed as a whole, as its name and its first bytes say, and has no table by which what is in it is
/// read by position: whether [`open_packed_file`] is the way to read it once.
///
/// # Errors
/// `Io`.
pub fn comes_packed(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    let Some(compression) = Compression::named(path) else { return Ok(false) };
    let file = FileReader::open(path)?;
    if Compression::of(&members::head(&file, path)?) != Some(compression) {
        return Ok(false);
    }
    let named_raw = by_extension(path).is_some_and(|format| format.name() == PACKED_RAW);
    Ok(!(named_raw && zst::has_table(&file).map_err(|error| error.at_path(path))?))
}

/// Opens what was [spooled](crate::io::spool::spool) into `file` out of the stream called `label`, as [`open_file`] does; a raw disk has to
/// end as one in a stream does. It comes from `sources`, which are no more written to than other files of an image.
///
/// # Errors
/// As [`open_file`]; `Corrupt` where it was cut short, or is of another size than `options` say.
pub fn open_spooled(
    file: File,
    label: &Path,
    options: &StreamOptions,
    opening: &OpenOptions,
    sources: &[FileId],
) -> Result<OpenImage> {
    let image = open_file(file, label, options.member.as_deref(), opening)?.also_of(sources, label);
    let mut head = vec![0; LENGTH_HEAD.min(usize::try_from(image.size()).unwrap_or(LENGTH_HEAD))];
    image.read_exact_at(&mut head, 0)?;
    let alone = image.archive().is_none() && image.info().format == "raw";
    let length = match options.size {
        Some(size) => Length::Told(size),
        None if alone => Length::Open,
        None => return Ok(image),
    };
    length.check(image.size(), false, &head).map_err(|error| error.at_path(label))?;
    Ok(image)
}

/// A compressed file, which can be unpacked as often as it has to be.
struct PackedFile {
    file: Arc<FileReader>,
    path: PathBuf,
    compression: Compression,
    /// The most bytes that a disk in it may have.
    max_size: Option<u64>,
}

impl PackedFile {
    fn unpack(&self) -> Result<Incoming> {
        let row = BufReader::with_capacity(STEP, Row::new(Arc::clone(&self.file)));
        Incoming::new(Box::new(row), &self.path).from_files(vec![self.file.id()]).unpacked(self.compression)
    }

    /// The bytes that it unpacks to, which are a disk's.
    fn size(&self, observer: &dyn Observer) -> Result<u64> {
        let mut incoming = self.unpack()?;
        let mut buffer = vec![0; STEP];
        observer.begin(Phase::Measure, None);
        loop {
            if observer.cancelled() {
                return Err(Error::cancelled());
            }
            match incoming.fill(&mut buffer, &|| observer.cancelled())? {
                0 => return Ok(incoming.taken()),
                _ => observer.reached(incoming.taken()),
            }
            check_reached(incoming.taken(), self.max_size).map_err(|error| error.at_path(&self.path))?;
        }
    }
}

/// The disk in a compressed file.
struct FileStream {
    packed: PackedFile,
    disk: Box<dyn DiskStream>,
    /// The size that was found by unpacking the file once.
    sized: Option<u64>,
}

impl DiskStream for FileStream {
    fn size(&self) -> Option<u64> {
        self.disk.size().or(self.sized)
    }

    fn find_size(&mut self, observer: &dyn Observer) -> Result<Option<u64>> {
        if self.size().is_none() {
            self.sized = Some(self.packed.size(observer)?);
        }
        Ok(self.size())
    }

    fn packing(&self) -> Option<Packing> {
        self.disk.packing()
    }

    fn next(&mut self, slab: usize, observer: &dyn Observer) -> Result<Option<Stretch>> {
        let stretch = self.disk.next(slab, observer)?;
        let end =
            stretch.as_ref().map_or_else(|| self.disk.size(), |stretch| Some(stretch.offset + stretch.len as u64));
        let changed = match (self.sized, end) {
            (Some(sized), Some(end)) => end > sized || (stretch.is_none() && end < sized),
            _ => false,
        };
        if changed { Err(Error::corrupt("changed while it was read").at_path(&self.packed.path)) } else { Ok(stretch) }
    }

    fn files(&self) -> Vec<FileId> {
        self.disk.files()
    }
}

/// A disk that may have so many bytes and no more.
struct Bounded {
    disk: Box<dyn DiskStream>,
    most: u64,
    label: PathBuf,
}

impl Bounded {
    /// `disk`, called `label`, within the bound where there is one.
    fn of(disk: Box<dyn DiskStream>, most: Option<u64>, label: &Path) -> Result<Box<dyn DiskStream>> {
        let Some(most) = most else { return Ok(disk) };
        let bounded = Bounded { disk, most, label: label.to_owned() };
        bounded.check(bounded.size())?;
        Ok(Box::new(bounded))
    }

    fn check(&self, size: Option<u64>) -> Result<()> {
        check_size(size.unwrap_or(0), Some(self.most)).map_err(|error| error.at_path(&self.label))
    }
}

impl DiskStream for Bounded {
    fn size(&self) -> Option<u64> {
        self.disk.size()
    }

    fn find_size(&mut self, observer: &dyn Observer) -> Result<Option<u64>> {
        let size = self.disk.find_size(observer)?;
        self.check(size).map(|()| size)
    }

    fn packing(&self) -> Option<Packing> {
        self.disk.packing()
    }

    fn next(&mut self, slab: usize, observer: &dyn Observer) -> Result<Option<Stretch>> {
        let stretch = self.disk.next(slab, observer)?;
        let reached = stretch.as_ref().map_or(0, |stretch| stretch.offset + stretch.len as u64);
        check_reached(reached, Some(self.most)).map_err(|error| error.at_path(&self.label))?;
        Ok(stretch)
    }

    fn files(&self) -> Vec<FileId> {
        self.disk.files()
    }
}

impl StreamOptions {
    /// Those for what something unpacks to that is compressed with `compression`: `raw.zst` is raw within.
    fn inner(&self, compression: Compression) -> Result<Self> {
        match self.format.as_deref() {
            Some(PACKED_RAW) if compression == Compression::Zstd => {
                Ok(StreamOptions { format: Some("raw".into()), ..self.clone() })
            }
            Some(PACKED_RAW) => Err(Error::corrupt(format!("is compressed with {}, not zstd", compression.name()))),
            _ => Ok(self.clone()),
        }
    }
}

fn open_unpacked(
    mut incoming: Incoming,
    length: Length,
    options: &StreamOptions,
    observer: &dyn Observer,
) -> Result<Box<dyn DiskStream>> {
    let head = incoming.peek(HEAD, &|| observer.cancelled())?;
    if options.format.as_deref() != Some("raw") && Compression::of(head).is_some() {
        return Err(Error::unsupported("is compressed, and what that unpacks to is compressed again")
            .at_path(incoming.label())
            .with_hint("unpack it once first"));
    }
    open_plain(incoming, length, options, observer)
}

/// The disk in what is not compressed.
fn open_plain(
    mut incoming: Incoming,
    length: Length,
    options: &StreamOptions,
    observer: &dyn Observer,
) -> Result<Box<dyn DiskStream>> {
    let stop = || observer.cancelled();
    let label = incoming.label().to_owned();
    let head = incoming.peek(HEAD, &stop)?;
    let raw = options.format.as_deref() == Some("raw");
    if !raw && probe(head).name() == "raw" {
        members::check_tar(head, &label)?;
    }
    if !raw && probe(head).name() == "raw" && tar::begins(head, &label) {
        return Ok(Box::new(IncomingMember::open(incoming, options, observer)?));
    }
    if options.member.is_some() {
        let why = if raw {
            "-f raw takes it for a raw disk, which has no member"
        } else {
            "is no tar archive that could have a member"
        };
        return Err(Error::usage(why).at_path(label));
    }
    let known = options.size.map_or(length, Length::Told);
    let disk = open_disk(incoming, known, options.format.as_deref(), observer)?;
    match (options.size, disk.size()) {
        (Some(wanted), Some(found)) if wanted != found => {
            Err(Error::usage(format!("is a disk of {found} bytes, not of {wanted}")).at_path(label))
        }
        _ => Ok(disk),
    }
}

/// The disk that all of `incoming` is: of the format called `named`, or else probed.
pub(super) fn open_disk(
    mut incoming: Incoming,
    length: Length,
    named: Option<&str>,
    observer: &dyn Observer,
) -> Result<Box<dyn Part>> {
    let stop = || observer.cancelled();
    let head = incoming.peek(HEAD, &stop)?;
    let format = named.map_or_else(|| Ok(probe(head)), by_name)?;
    match format.name() {
        "raw" => Ok(Box::new(IncomingRaw::new(incoming, length))),
        "vmdk" if may_come_in(head) => Ok(Box::new(IncomingVmdk::open(incoming, &stop)?)),
        other => {
            Err(by_position(&format!("it is a {other} image, and no streamOptimized one")).at_path(incoming.label()))
        }
    }
}

/// Whether the member called `name`, which begins with `head`, is a disk; `Unsupported` for one that does not come in order.
pub(super) fn is_disk(name: &str, head: &[u8]) -> Result<bool> {
    match members::named_as(name) {
        Named::Pieces => Err(by_position(&format!("its member {name} is one piece of a disk"))),
        Named::Packed => Err(by_position(&format!("its member {name} is compressed by itself"))),
        Named::Disk if probe(head).name() == "raw" && !members::is_raw(name) => {
            Err(by_position(&format!("its member {name} is named like a disk, and its format is not known")))
        }
        Named::Disk => Ok(true),
        Named::Other => Ok(probe(head).name() != "raw"),
    }
}
