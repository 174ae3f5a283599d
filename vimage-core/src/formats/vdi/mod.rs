//! VDI, VirtualBox's disk format, version 1.1: as VirtualBox's own reader and QEMU's have it.

mod header;
mod layout;
mod map;
mod options;
mod reader;
mod uuid;
mod writer;

pub use options::WriteOptions;

use super::{CreateOptions, Findings, Format, Source, known};
use crate::error::Result;
use crate::image::{Image, ImageInfo};
use crate::io::Outputs;
use crate::observer::Observer;
use crate::target::Target;
use std::path::Path;

/// The VDI format.
pub struct Vdi;

impl Format for Vdi {
    fn name(&self) -> &'static str {
        "vdi"
    }

    fn extension(&self) -> &'static str {
        "vdi"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.get(layout::SIGNATURE_AT..).is_some_and(|rest| rest.starts_with(&layout::SIGNATURE))
    }

    fn describe(&self, source: &Source<'_>) -> Result<ImageInfo> {
        reader::describe(source)
    }

    fn open(&self, source: &Source<'_>) -> Result<Box<dyn Image>> {
        reader::open(source)
    }

    fn check(&self, source: &Source<'_>, observer: &dyn Observer) -> Result<Findings> {
        reader::check(source, observer)
    }

    fn alike(&self, source: &Source<'_>) -> Result<CreateOptions> {
        reader::alike(source)
    }

    fn create(&self, path: &Path, capacity: Option<u64>, options: &CreateOptions, outputs: &Outputs) -> Result<Target> {
        create(path, known(capacity, "a VDI")?, WriteOptions::from_words(options)?, outputs)
    }
}

/// Begins a VDI of `capacity` bytes, rounded up to sectors, at `path`.
///
/// # Errors
/// `Usage` when the format cannot hold `capacity`; `Exists` and `Io` from making the file.
pub fn create(path: &Path, capacity: u64, options: WriteOptions, outputs: &Outputs) -> Result<Target> {
    writer::create(path, capacity, options, outputs)
}
