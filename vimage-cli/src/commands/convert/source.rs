//! Where the disk comes from: a file, or standard input.

use super::places::is_pipe;
use crate::args::ConvertArgs;
use crate::commands::open_options;
use crate::progress::Progress;
use vimage_core::pipeline::Disk;
use vimage_core::{DiskStream, Error, Image, OpenImage, Result, open};

/// A disk to be converted.
pub(super) enum Source {
    /// Read by position.
    Image(Box<OpenImage>),
    /// Read from front to back.
    Stream(Box<dyn DiskStream>),
}

impl Source {
    /// The one that `args` name.
    pub(super) fn open(args: &ConvertArgs, _: &Progress) -> Result<Self> {
        let mut opening = open_options(args.source_format.as_ref(), &args.open);
        opening.snapshot.clone_from(&args.output.snapshot);
        if is_pipe(&args.source) {
            return Err(Error::usage("standard input cannot be used yet"));
        }
        Ok(Source::Image(Box::new(open(&args.source, &opening)?)))
    }

    /// The disk, where it is read by position.
    pub(super) fn image(&self) -> Option<&dyn Image> {
        match self {
            Source::Image(image) => Some(image.as_ref()),
            Source::Stream(_) => None,
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
