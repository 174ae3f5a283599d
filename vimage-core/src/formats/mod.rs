//! The formats, in the order in which they are probed, and the one way to open an image of any of them.

mod cache;
mod findings;
mod main_file;
mod members;
mod open;
mod options;
mod packed;
mod parents;
pub mod qcow2;
pub mod raw;
mod streams;
mod tarred;
pub mod vdi;
pub mod vmdk;
pub mod zst;

pub use findings::{Finding, Findings, Severity};
pub use members::disks;
pub(crate) use open::open_unpublished;
pub use open::{DiskFile, Link, OpenImage, OpenOptions, alike, check, describe, describe_chain, open, open_file};
pub use options::{Backing, CreateOptions, SMALLEST_SPLIT, Settings};
pub use streams::{StreamOptions, comes_packed, open_packed_file, open_spooled, open_stream};

use crate::error::{Error, ErrorKind, Result};
use crate::image::{Image, ImageInfo};
use crate::io::{Neighbors, Outputs, ReadAt, archive};
use crate::observer::Observer;
use crate::target::Target;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes at the beginning of a file that decide which format it is.
pub const HEAD: usize = 4096;

/// An image to be opened: its main file, and what of its neighbours it may open.
pub struct Source<'a> {
    /// The file's bytes.
    pub file: Arc<dyn ReadAt>,
    /// Its name, for errors.
    pub path: PathBuf,
    /// The door to other files.
    pub neighbors: &'a Neighbors,
    /// The snapshot that is wanted instead of the present state, by its id or name.
    pub snapshot: Option<&'a str>,
}

/// A disk-image format: how to know, describe, read and write it.
pub trait Format: Sync {
    /// Its name, as `-f` and `-O` take it.
    fn name(&self) -> &'static str;

    /// How its files' names end, without the dot.
    fn extension(&self) -> &'static str;

    /// Whether a file that begins with `head` (at most [`HEAD`] bytes) claims to be of this format. A claim that then
    /// turns out to be broken is an error, and no other format is tried.
    fn probe(&self, head: &[u8]) -> bool;

    /// What the image says of itself. Opens no other file.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported` and `Io`.
    fn describe(&self, source: &Source<'_>) -> Result<ImageInfo>;

    /// Opens it for reading. A parent is not opened: see [`ImageInfo::parent`].
    ///
    /// # Errors
    /// As [`describe`](Self::describe), and `Refused` when it names a file that may not be opened.
    fn open(&self, source: &Source<'_>) -> Result<Box<dyn Image>>;

    /// Looks for faults that reading would not meet, or only late. Parents are not checked. Asks `observer` now and then
    /// whether to go on.
    ///
    /// # Errors
    /// `Corrupt` where a fault keeps the rest from being checked; `Unsupported`, `Io`, `Cancelled`.
    fn check(&self, source: &Source<'_>, observer: &dyn Observer) -> Result<Findings> {
        let _ = observer;
        self.open(source).map(|_| Findings::default())
    }

    /// The options with which [`create`](Self::create) makes an image of the same kind: what compacting one keeps.
    ///
    /// # Errors
    /// `Unsupported` where images of this kind are not written, or something in it would be lost; `Corrupt` and `Io`.
    fn alike(&self, source: &Source<'_>) -> Result<CreateOptions>;

    /// Begins an output of `capacity` bytes whose main file will be `path`. Without a capacity the disk comes out of a stream, and
    /// is as long as it is found to be at its end.
    ///
    /// # Errors
    /// `Usage` when an option is unknown or does not fit, or the format cannot hold `capacity`; `SizeUnknown` when it has to say it;
    /// `Exists` and `Io` from making the files.
    fn create(&self, path: &Path, capacity: Option<u64>, options: &CreateOptions, outputs: &Outputs) -> Result<Target>;
}

/// Every format, in probing order. Raw takes anything, so it is last.
pub static FORMATS: [&dyn Format; 5] = [&qcow2::Qcow2, &vmdk::Vmdk, &vdi::Vdi, &zst::Zst, &raw::Raw];

/// The size of a disk that `what` says in front of the disk's data.
///
/// # Errors
/// `SizeUnknown` where it is not known yet.
pub(crate) fn known(capacity: Option<u64>, what: &str) -> Result<u64> {
    capacity.ok_or_else(|| {
        let message =
            format!("{what} says how large the disk is before its data, and of this stream that is known at its end");
        Error::new(ErrorKind::SizeUnknown, message)
            .with_hint("--size says it now; --spool DIR copies the stream into a file there first")
    })
}

/// That something does not come in order, for the reason `why`.
fn by_position(why: &str) -> Error {
    Error::unsupported(format!("has to be read by position: {why}")).with_hint(SPOOL)
}

/// What to do about that.
const SPOOL: &str = "--spool DIR copies the stream into a file there first";

/// The format called `name`.
///
/// # Errors
/// `Usage`, with the names that there are.
pub fn by_name(name: &str) -> Result<&'static dyn Format> {
    FORMATS.into_iter().find(|format| format.name() == name).ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|format| format.name()).collect();
        Error::usage(format!("there is no format \"{name}\"")).with_hint(format!("formats are: {}", known.join(", ")))
    })
}

/// The format whose files' names end as `path` does. What ends in `.zst` is a raw disk, unless the name before that says otherwise.
pub fn by_extension(path: &Path) -> Option<&'static dyn Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if extension == "zst" {
        let stem = Path::new(path.file_stem()?);
        let other = by_extension(stem).is_some_and(|format| format.name() != "raw") || archive::is_named(stem);
        return if other { None } else { Some(&zst::Zst) };
    }
    if extension == "img" {
        return Some(&raw::Raw);
    }
    FORMATS.into_iter().find(|format| format.extension() == extension)
}

/// The format that `head` claims to be.
pub fn probe(head: &[u8]) -> &'static dyn Format {
    FORMATS.into_iter().find(|format| format.probe(head)).unwrap_or(&raw::Raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_formats() {
        let named = |name: &str| by_extension(Path::new(name)).map(|format| format.name());
        for name in ["disk.raw.zst", "disk.img.ZST", "disk.zst", "a.b/disk.v1.zst"] {
            assert_eq!(named(name), Some("raw.zst"), "{name}");
        }
        assert_eq!(["d.qcow2.zst", "d.tar.zst", "d.zst.zst", "d.raw.gz", "d"].map(named), [None; 5]);
        assert_eq!(["d.img", "d.RAW", "d.vmdk"].map(named), [Some("raw"), Some("raw"), Some("vmdk")]);
    }
}
