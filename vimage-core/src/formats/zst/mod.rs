//! A raw disk compressed with Zstandard (RFC 8878): independent frames, zeros as frames that are hardly there, and at the end the seek
//! table of the zstd seekable format (contrib/seekable_format/zstd_seekable_compression_format.md), by which it is read at random.
//! `zstd -d` makes the raw disk of it.
//!
//! Zeros are not free: a block of Zstandard holds 128 KiB at most and takes 4 bytes, so that a tebibyte of zeros comes to 32 MiB.

mod frames;
mod options;
mod reader;
mod table;
mod writer;
mod zeros;

pub(super) use frames::plain_size;
pub use options::WriteOptions;
pub(super) use table::is_there as has_table;

use super::{CreateOptions, Findings, Format, Source};
use crate::error::Result;
use crate::image::{Image, ImageInfo};
use crate::io::Outputs;
use crate::observer::Observer;
use crate::target::Target;
use std::path::Path;

/// The format.
pub struct Zst;

/// Its name.
const NAME: &str = "raw.zst";

impl Format for Zst {
    fn name(&self) -> &'static str {
        NAME
    }

    fn extension(&self) -> &'static str {
        NAME
    }

    /// Never: a raw disk's first bytes are its guest's, who may write there what begins as Zstandard does. The file's name tells.
    fn probe(&self, _: &[u8]) -> bool {
        false
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

    /// The level is nowhere in the file, so it is the usual one.
    fn alike(&self, _: &Source<'_>) -> Result<CreateOptions> {
        Ok(CreateOptions::default())
    }

    fn create(&self, path: &Path, _: Option<u64>, options: &CreateOptions, outputs: &Outputs) -> Result<Target> {
        create(path, WriteOptions::from_words(options)?, outputs)
    }
}

/// Begins a disk at `path`, as long as it is found to be at its end; strictly from front to back, so it may be a pipe.
///
/// # Errors
/// `Exists` and `Io` from making the file. Later `Usage`, when the disk comes to more than 16 Mi frames, which is 8 to 16 TiB of data.
pub fn create(path: &Path, options: WriteOptions, outputs: &Outputs) -> Result<Target> {
    writer::create(path, options, outputs)
}
