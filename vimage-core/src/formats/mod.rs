//! The formats, in the order in which they are probed, and the one way to open an image of any of them.

mod open;
mod options;
pub mod raw;
pub mod vmdk;

pub use open::{OpenImage, OpenOptions, describe, open};
pub use options::{CreateOptions, SMALLEST_SPLIT, Settings};

use crate::error::{Error, Result};
use crate::image::{Image, ImageInfo};
use crate::io::{Neighbors, Outputs, ReadAt};
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

    /// Begins an output of `capacity` bytes whose main file will be `path`.
    ///
    /// # Errors
    /// `Usage` when an option is unknown or does not fit, or the format cannot hold `capacity`; `Exists` and `Io` from
    /// making the files.
    fn create(&self, path: &Path, capacity: u64, options: &CreateOptions, outputs: &Outputs) -> Result<Target>;
}

/// Every format, in probing order. Raw takes anything, so it is last.
pub static FORMATS: [&dyn Format; 2] = [&vmdk::Vmdk, &raw::Raw];

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

/// The format whose files' names end as `path` does.
pub fn by_extension(path: &Path) -> Option<&'static dyn Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if extension == "img" {
        return Some(&raw::Raw);
    }
    FORMATS.into_iter().find(|format| format.extension() == extension)
}

/// The format that `head` claims to be.
pub fn probe(head: &[u8]) -> &'static dyn Format {
    FORMATS.into_iter().find(|format| format.probe(head)).unwrap_or(&raw::Raw)
}
