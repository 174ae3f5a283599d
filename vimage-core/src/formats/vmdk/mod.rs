//! VMDK, VMware's disk format in all its kinds: "Virtual Disk Format 5.0" and what the tools of the field make of it.

mod alike;
mod check;
mod cowd;
mod descriptor;
mod grains;
mod hosted;
mod incoming;
pub(crate) mod layout;
mod options;
mod parse;
mod reader;
mod sesparse;
mod subformat;
mod writer;

pub use descriptor::{Access, Descriptor, ExtentKind, ExtentLine, Line};
pub use options::{AdapterType, WriteOptions};
pub use subformat::Subformat;

pub(super) use incoming::{IncomingVmdk, may_come_in};

use super::{CreateOptions, Findings, Format, Source};
use crate::error::Result;
use crate::image::{Image, ImageInfo};
use crate::io::Outputs;
use crate::observer::Observer;
use crate::target::Target;
use std::path::Path;

/// The VMDK format.
pub struct Vmdk;

impl Format for Vmdk {
    fn name(&self) -> &'static str {
        "vmdk"
    }

    fn extension(&self) -> &'static str {
        "vmdk"
    }

    fn probe(&self, head: &[u8]) -> bool {
        reader::probe(head)
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

/// Begins a VMDK of `capacity` bytes, rounded up to sectors, whose main file will be `path`. Only streamOptimized ones can be begun
/// without it.
///
/// # Errors
/// `Usage` when the sub-format cannot hold `capacity`, or needs one; `Exists` and `Io` from making the files.
pub fn create(path: &Path, capacity: Option<u64>, options: &WriteOptions, outputs: &Outputs) -> Result<Target> {
    writer::create(path, capacity, options, outputs)
}
