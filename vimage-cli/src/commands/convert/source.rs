//! Where the disk comes from: a file, or standard input.

use super::places::is_pipe;
use crate::args::ConvertArgs;
use crate::commands::open_options;
use crate::progress::Progress;
use std::fs::File;
use std::io::{IsTerminal, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use vimage_core::formats::{StreamOptions, comes_packed, open_file, open_packed_file, open_spooled, open_stream};
use vimage_core::io::spool::spool;
use vimage_core::io::{Compression, FileId, Incoming};
use vimage_core::pipeline::Disk;
use vimage_core::{DiskStream, Error, ErrorKind, Image, Observer, OpenImage, OpenOptions, Phase, Result, open};

/// What standard input is called.
const LABEL: &str = "standard input";

/// A disk to be converted.
pub(super) enum Source {
    /// Read by position.
    Image(Box<OpenImage>),
    /// Read from front to back.
    Stream(Box<dyn DiskStream>),
}

impl Source {
    /// The one that `args` name.
    pub(super) fn open(args: &ConvertArgs, progress: &Progress) -> Result<Self> {
        let mut opening = open_options(args.source_format.as_ref(), &args.open);
        opening.snapshot.clone_from(&args.output.snapshot);
        let path = args.source.as_path();
        if is_pipe(path) {
            return piped(args, args.member.as_deref(), &opening, progress);
        }
        if args.spool.is_some() {
            return Err(Error::usage("--spool is for what comes through standard input").at_path(path));
        }
        if let Some(member) = &args.member {
            return Err(Error::usage("--member is for what comes through standard input")
                .at_path(path)
                .with_hint(format!("the member of a file is named behind it: {}:{member}", path.display())));
        }
        if goes_by(args, &opening)? {
            let (size, max_size) = (args.size.map(|size| size.0), opening.max_size);
            let options = StreamOptions { format: opening.format.clone(), size, member: None, max_size };
            match open_packed_file(path, &options, progress) {
                // What has to be read by position is unpacked into a file first.
                Err(error) if error.kind() == ErrorKind::Unsupported => {}
                stream => return stream.map(Source::Stream),
            }
        }
        if args.size.is_some() {
            return Err(Error::usage("--size is for a raw disk out of a stream: a file has its own").at_path(path));
        }
        Ok(Source::Image(Box::new(open(path, &opening)?)))
    }

    /// The disk, where it is read by position.
    pub(super) fn image(&self) -> Option<&dyn Image> {
        match self {
            Source::Image(image) => Some(image.as_ref()),
            Source::Stream(_) => None,
        }
    }

    /// The files that it comes from.
    pub(super) fn files(&self) -> Vec<FileId> {
        match self {
            Source::Image(image) => image.files(),
            Source::Stream(stream) => stream.files(),
        }
    }

    /// As the pipeline takes it.
    pub(super) fn disk(&mut self) -> Disk<'_> {
        match self {
            Source::Image(image) => Disk::Image(&**image),
            Source::Stream(stream) => Disk::Stream(stream.as_mut()),
        }
    }
}

/// Whether the disk in the file can go by as it is unpacked: nothing is wanted that has to be known before.
fn goes_by(args: &ConvertArgs, opening: &OpenOptions) -> Result<bool> {
    let ova_away = args.target.as_deref().is_some_and(is_pipe) && args.output.format.as_deref() == Some("ova");
    let looked_into =
        args.output.trim.is_some() || opening.snapshot.is_some() || args.output.backing.is_some() || ova_away;
    if looked_into || opening.format.as_deref() == Some("raw") || !args.source.is_file() {
        return Ok(false);
    }
    comes_packed(&args.source)
}

/// The disk of a compressed file, unpacked into another and read by position: for one of which that was the `fault` that it has to be.
pub(super) fn by_position(args: &ConvertArgs, fault: Error) -> Result<Source> {
    if is_pipe(&args.source) || args.size.is_some() {
        return Err(fault);
    }
    Ok(Source::Image(Box::new(open(&args.source, &open_options(args.source_format.as_ref(), &args.open))?)))
}

/// What comes through standard input.
fn piped(args: &ConvertArgs, member: Option<&str>, opening: &OpenOptions, progress: &Progress) -> Result<Source> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Error::usage("standard input is a terminal, and no disk comes from there")
            .with_hint("vimage convert - < FILE, or PROGRAM | vimage convert -"));
    }
    let file = input.as_fd().try_clone_to_owned().map(File::from);
    let file = file.map_err(|cause| Error::io("cannot read", cause).at_path(LABEL))?;
    let size = args.size.map(|size| size.0);
    let raw = opening.format.as_deref() == Some("raw");
    if is_file(&file, raw) {
        return sized(open_file(file, Path::new(LABEL), member, opening)?, size);
    }
    let incoming = Incoming::of_file(file, LABEL);
    let options = StreamOptions {
        format: opening.format.clone(),
        size,
        member: member.map(str::to_owned),
        max_size: opening.max_size,
    };
    let Some(folder) = &args.spool else {
        return open_stream(incoming, &options, progress).map(Source::Stream);
    };
    progress.begin(Phase::Spool, None);
    let sources = incoming.files().to_vec();
    let spooled = spool(incoming, !raw, folder, &|| progress.cancelled(), &mut |bytes| progress.reached(bytes))?;
    let mut opening = opening.clone();
    // It is unpacked now.
    opening.format = opening.format.map(|format| if format == "raw.zst" { "raw".into() } else { format });
    let image = open_spooled(spooled, Path::new(LABEL), &options, &opening, &sources)?;
    Ok(Source::Image(Box::new(image)))
}

/// Whether standard input is a file, from its beginning, that is read by position: not one that is compressed, unless that is the disk.
fn is_file(file: &File, raw: bool) -> bool {
    let mut head = [0; Compression::HEAD];
    let begins = (&mut &*file).stream_position().is_ok_and(|at| at == 0);
    let mut plain = || file.read_at(&mut head, 0).is_ok_and(|len| raw || Compression::of(&head[..len]).is_none());
    begins && file.metadata().is_ok_and(|metadata| metadata.is_file()) && plain()
}

/// `image`, which has to be of `size` bytes where that was said.
fn sized(image: OpenImage, size: Option<u64>) -> Result<Source> {
    match size.filter(|&size| size != image.size()) {
        Some(size) => Err(Error::corrupt(format!("has {} bytes, and should have {size}", image.size()))
            .at_path(LABEL)
            .with_hint("it was cut short, or --size is wrong")),
        None => Ok(Source::Image(Box::new(image))),
    }
}
