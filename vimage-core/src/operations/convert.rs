//! Writing a disk in a format.

use crate::codec::Level;
use crate::digest::ContentDigest;
use crate::error::{Error, Result};
use crate::formats::{CreateOptions, by_name};
use crate::image::Image;
use crate::io::Outputs;
use crate::io::outputs::Published;
use crate::pipeline::{self, Observer};
use std::path::Path;

/// What a disk is to be written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertOptions {
    /// The format's name.
    pub format: String,
    /// How the format is to be written.
    pub create: CreateOptions,
    /// Replace files that are in the way.
    pub replace: bool,
    /// Flush the files to the disk before they get their names, so that not even a power failure leaves half of one.
    pub flush: bool,
}

impl ConvertOptions {
    /// To `format`, as it is written by default.
    pub fn to(format: impl Into<String>) -> Self {
        ConvertOptions { format: format.into(), create: CreateOptions::default(), replace: false, flush: true }
    }

    /// With the format's setting `key`, as `-o` has it.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.create.settings = self.create.settings.with(key, value);
        self
    }

    /// In files none of which is longer than `size` bytes.
    #[must_use]
    pub fn split(mut self, size: u64) -> Self {
        self.create.split = Some(size);
        self
    }

    /// Compressed at `level`.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.create.level = Some(level);
        self
    }
}

/// A disk that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Its files, in the order of the disk; one that describes the others is the last.
    pub files: Vec<Published>,
    /// The digest of its content, where the format's identifiers derive from it.
    pub content: Option<ContentDigest>,
}

/// Writes `image` to `path`. The files appear when all of them are whole; until then, and if it fails, there is nothing.
///
/// # Errors
/// `Usage` for options that do not go together; `Exists` when a file is in the way; `Refused` when it would overwrite its
/// own source; `Cancelled`; and the faults of reading and writing.
pub fn convert(
    image: &dyn Image,
    path: impl AsRef<Path>,
    options: &ConvertOptions,
    observer: &dyn Observer,
) -> Result<Converted> {
    let format = by_name(&options.format)?;
    let outputs = Outputs::new(options.replace, image.files());
    let outputs = if options.flush { outputs } else { outputs.unflushed() };
    let target = format.create(path.as_ref(), image.size(), &options.create, &outputs)?;
    let mut targets = [target];
    let content = pipeline::run(image, &mut targets, false, observer)?;
    for target in targets {
        target.writer.finish(content.as_ref())?;
    }
    // Flushing may have taken long.
    if observer.cancelled() {
        return Err(Error::cancelled());
    }
    Ok(Converted { files: outputs.publish()?, content })
}
