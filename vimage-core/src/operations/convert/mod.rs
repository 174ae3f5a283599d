//! Writing a disk in a format.

mod digests;
mod many;
mod read_back;

pub use many::{Everywhere, Fanned, Made, Output, Place, What, convert_all};

use super::trim::{Dropped, Trim, unused};
use crate::digest::ContentDigest;
use crate::error::{Error, Result};
use crate::formats::{Backing, CreateOptions, OpenImage, OpenOptions, by_name, open};
use crate::guest::Survey;
use crate::image::Image;
use crate::io::Outputs;
use crate::io::outputs::Published;
use crate::layers::Masked;
use crate::observer::{Observer, Phase};
use crate::pipeline::{self, Disk, How, Outcome};
use crate::target::{Target, Whole};
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
    /// Open a backing file of the output that lies in another folder, and whatever it refers to in turn.
    pub allow_external: bool,
    /// The largest virtual size in bytes of a backing file of the output, and of what lies beneath that.
    pub max_size: Option<u64>,
    /// Leave out what the guest does not use.
    pub trim: Trim,
    /// Unpack packed units before they are passed on as they are, to see that they can be.
    pub checked: bool,
}

impl ConvertOptions {
    /// To `format`, as it is written by default.
    pub fn to(format: impl Into<String>) -> Self {
        ConvertOptions {
            format: format.into(),
            create: CreateOptions::default(),
            replace: false,
            flush: true,
            allow_external: false,
            max_size: None,
            trim: Trim::No,
            checked: false,
        }
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
    pub fn level(mut self, level: u32) -> Self {
        self.create.level = Some(level);
        self
    }
}

/// A disk that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Its files, in the order of the disk; one that describes the others is the last.
    pub files: Vec<Published>,
    /// The digest of its content, where it was made on the way: when the format's identifiers derive from it and no packed units
    /// were taken over as they are.
    pub content: Option<ContentDigest>,
    /// What the guest was found to keep on it, where that was looked at.
    pub survey: Option<Survey>,
    /// What the source held and these files do not.
    pub dropped: Dropped,
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
    let path = path.as_ref();
    let base = open_base(path, options.create.backing.as_ref(), options.allow_external, options.max_size)?;
    let outputs = outputs(image, base.as_ref(), options);
    let written = write(image, base.as_ref(), path, options, &outputs, observer)?;
    Ok(written.published(outputs.publish()?))
}

/// What was written, before it has its names.
pub(super) struct Written {
    pub(super) outcome: Outcome,
    pub(super) survey: Option<Survey>,
}

impl Written {
    /// With the names that the files got.
    pub(super) fn published(self, files: Vec<Published>) -> Converted {
        let content = self.outcome.content;
        let dropped = Dropped::of(self.survey.as_ref(), self.outcome.taken.first().map_or(0, |taken| taken.dropped));
        Converted { files, content, survey: self.survey, dropped }
    }
}

/// The files of a run that reads `image` and `base`.
pub(super) fn outputs(image: &dyn Image, base: Option<&OpenImage>, options: &ConvertOptions) -> Outputs {
    let mut sources = image.files();
    sources.extend(base.into_iter().flat_map(Image::files));
    let outputs = Outputs::new(options.replace, sources);
    if options.flush { outputs } else { outputs.unflushed() }
}

/// Writes `image` over `base` to `outputs`, all but the publishing.
pub(super) fn write(
    image: &dyn Image,
    base: Option<&OpenImage>,
    path: &Path,
    options: &ConvertOptions,
    outputs: &Outputs,
    observer: &dyn Observer,
) -> Result<Written> {
    let format = by_name(&options.format)?;
    let survey = unused(image, options.trim, observer)?;
    let base = base.map(|base| base as &dyn Image);
    let masked = survey.as_ref().map(|survey| Masked::new(image, &survey.unused).over(base));
    let image = masked.as_ref().map_or(image, |masked| masked as &dyn Image);
    let mut target = format.create(path, Some(image.size()), &options.create, outputs)?;
    target.checked = options.checked;
    let outcome = fill(Disk::Image(image), base, vec![target], How::default(), observer)?;
    Ok(Written { outcome, survey })
}

/// Sends `disk` through to `targets`, and finishes them.
fn fill<'a>(
    disk: Disk<'a>,
    base: Option<&'a dyn Image>,
    mut targets: Vec<Target>,
    how: How,
    observer: &dyn Observer,
) -> Result<Outcome> {
    let outcome = pipeline::run(disk, base, &mut targets, how, observer)?;
    observer.begin(Phase::Flush, None);
    let whole = Whole { size: outcome.size, content: outcome.content };
    targets.into_iter().try_for_each(|target| target.writer.finish(&whole))?;
    // Flushing may have taken long.
    if observer.cancelled() { Err(Error::cancelled()) } else { Ok(outcome) }
}

/// Opens what the output at `path` is to lie over.
pub(super) fn open_base(
    path: &Path,
    backing: Option<&Backing>,
    allow_external: bool,
    max_size: Option<u64>,
) -> Result<Option<OpenImage>> {
    let Some(backing) = backing else { return Ok(None) };
    let format = Some(backing.format.clone());
    let open_options = OpenOptions { format, allow_external, max_size, ..OpenOptions::default() };
    open(path.with_file_name(&backing.name), &open_options).map(Some)
}
