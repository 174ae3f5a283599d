//! Disks that come once, from front to back: which of them a stream holds.

use super::members::{self, Named};
use super::raw::{IncomingRaw, Length};
use super::tarred::IncomingMember;
use super::vmdk::{IncomingVmdk, may_come_in};
use super::{HEAD, by_name, by_position, probe};
use crate::error::{Error, Result};
use crate::io::compression::Compression;
use crate::io::row::Row;
use crate::io::{FileReader, Incoming, tar};
use crate::observer::Observer;
use crate::stream::DiskStream;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// Bytes read at a time of a compressed file.
const STEP: usize = 1 << 20;

/// How the disk in a stream is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// The format that it must have; otherwise it is probed. `raw` takes the stream's bytes for the disk's, whatever they are.
    pub format: Option<String>,
    /// The size in bytes that the disk must have: of a raw one that is said in no other way.
    pub size: Option<u64>,
    /// The member that it is, of an archive. Otherwise it is the only disk there.
    pub member: Option<String>,
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
/// `options` do not fit, or an archive holds no disk; `Refused` as [`tar::list`]; `Io`; `Cancelled`.
pub fn open_stream(
    mut incoming: Incoming,
    options: &StreamOptions,
    observer: &dyn Observer,
) -> Result<Box<dyn DiskStream>> {
    let head = incoming.peek(HEAD, &|| observer.cancelled())?;
    let compression = Compression::of(head).filter(|_| options.format.as_deref() != Some("raw"));
    let Some(compression) = compression else { return open_plain(incoming, Length::Open, options, observer) };
    let length = compression.unpacked_size(head).map_or(Length::Open, Length::Framed);
    open_unpacked(incoming.unpacked(compression)?, length, options, observer)
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
    let (incoming, length) = unpack(path.as_ref())?;
    open_unpacked(incoming, length, options, observer)
}

/// The bytes that the compressed file at `path` unpacks to, found by unpacking it.
///
/// # Errors
/// `Corrupt` where it is damaged or was cut short; `Usage` where it is not compressed; `Io`; `Cancelled`.
pub fn size_of_packed(path: impl AsRef<Path>, observer: &dyn Observer) -> Result<u64> {
    let (mut incoming, _) = unpack(path.as_ref())?;
    let mut buffer = vec![0; STEP];
    loop {
        if observer.cancelled() {
            return Err(Error::cancelled());
        }
        match incoming.fill(&mut buffer, &|| observer.cancelled())? {
            0 => return Ok(incoming.taken()),
            _ => observer.reached(incoming.taken()),
        }
    }
}

fn unpack(path: &Path) -> Result<(Incoming, Length)> {
    let file = Arc::new(FileReader::open(path)?);
    let head = members::head(file.as_ref(), path)?;
    let Some(compression) = Compression::of(&head) else {
        return Err(Error::usage("is not compressed with gzip, zstd or xz").at_path(path));
    };
    let length = compression.unpacked_size(&head).map_or(Length::Open, Length::Framed);
    let files = vec![file.id()];
    let incoming = Incoming::new(Box::new(BufReader::with_capacity(STEP, Row::new(file))), path).from_files(files);
    Ok((incoming.unpacked(compression)?, length))
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
    if !raw && probe(head).name() == "raw" && tar::begins(head, &label) {
        return Ok(Box::new(IncomingMember::open(incoming, options, observer)?));
    }
    if options.member.is_some() {
        return Err(Error::usage("is no tar archive that could have a member").at_path(label));
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
