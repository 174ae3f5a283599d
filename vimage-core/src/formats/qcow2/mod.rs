//! qcow2, QEMU's disk format: "The QCOW2 image format", docs/interop/qcow2 of QEMU, versions 2 and 3.

mod alike;
mod check;
mod extensions;
mod header;
mod layout;
mod options;
mod reader;
mod snapshots;
mod tables;
mod writer;

pub use options::{Compression, Version, WriteOptions};

use super::{CreateOptions, Findings, Format, Source};
use crate::error::Result;
use crate::image::{Image, ImageInfo};
use crate::io::Outputs;
use crate::observer::Observer;
use crate::target::Target;
use std::path::Path;

/// The qcow2 format.
pub struct Qcow2;

impl Format for Qcow2 {
    fn name(&self) -> &'static str {
        "qcow2"
    }

    fn extension(&self) -> &'static str {
        "qcow2"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(&layout::MAGIC)
    }

    fn describe(&self, source: &Source<'_>) -> Result<ImageInfo> {
        reader::describe(source)
    }

    fn open(&self, source: &Source<'_>) -> Result<Box<dyn Image>> {
        reader::open(source)
    }

    fn check(&self, source: &Source<'_>, observer: &dyn Observer) -> Result<Findings> {
        check::check(source, observer)
    }

    fn alike(&self, source: &Source<'_>) -> Result<CreateOptions> {
        alike::alike(source)
    }

    fn create(&self, path: &Path, capacity: Option<u64>, options: &CreateOptions, outputs: &Outputs) -> Result<Target> {
        create(path, capacity, &WriteOptions::from_words(options)?, outputs).map(|target| options.at_level(target))
    }
}

/// Begins a qcow2 image of `capacity` bytes, rounded up to sectors, at `path`; without it, of as many as come.
///
/// # Errors
/// `Usage` when clusters of this size cannot hold `capacity`; `Exists` and `Io` from making the file.
pub fn create(path: &Path, capacity: Option<u64>, options: &WriteOptions, outputs: &Outputs) -> Result<Target> {
    writer::create(path, capacity, options, outputs)
}
