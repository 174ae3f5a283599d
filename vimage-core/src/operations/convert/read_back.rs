//! Reading outputs back before they get their names, and comparing them with what was read.

use super::many::{Everywhere, Output, Place, What};
use crate::digest::ContentDigest;
use crate::error::{Error, Result};
use crate::formats::{OpenOptions, open_unpublished};
use crate::image::Image;
use crate::io::Outputs;
use crate::layers::Cut;
use crate::observer::{Observer, PartOf};
use crate::pipeline::{self, Disk, How};
use crate::zero::is_zero;

/// The most bytes by which an output may be longer than the disk: packages are filled up to a mebibyte.
const MOST_FILL: u64 = 1 << 20;

/// What outputs are compared with.
pub(super) struct ReadBack<'a> {
    /// The disk's size in bytes.
    pub(super) size: u64,
    /// What was read.
    pub(super) content: ContentDigest,
    pub(super) options: &'a Everywhere,
    pub(super) run: &'a Outputs,
}

impl ReadBack<'_> {
    /// Reads back the output of `owner`, in an OVA the disk called `member`.
    ///
    /// # Errors
    /// `Corrupt` when it is not the disk that was read; `Cancelled`; and those of opening and reading.
    pub(super) fn check(
        &self,
        owner: usize,
        output: &Output,
        member: Option<&str>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let Place::Path(path) = &output.place else { return Ok(()) };
        let files = self.run.unpublished(owner);
        // The disk in pieces is known by the first.
        let main = files.iter().find(|file| file.path == *path).or(files.first()).map_or(path, |file| &file.path);
        let format = match &output.what {
            What::Image { format, .. } => Some(format.clone()),
            What::Ova(_) => None,
        };
        let opening = OpenOptions { format, allow_external: self.options.allow_external, ..OpenOptions::default() };
        let image = open_unpublished(main, member, &files, &opening)?;
        let differs = || {
            Error::corrupt("reads back as another disk than was written")
                .at_path(path)
                .with_hint("the disk that it was written to, or this machine's memory, is not to be trusted")
        };
        let fill = image.size().checked_sub(self.size).filter(|&fill| fill < MOST_FILL).ok_or_else(differs)?;
        let mut behind = vec![0; fill as usize];
        image.read_exact_at(&mut behind, self.size)?;
        let how = How { digest: true, memory: self.options.memory };
        let part = PartOf { whole: observer, before: self.size.saturating_mul(owner as u64) };
        let back = pipeline::run(Disk::Image(&Cut::new(&image, self.size)), None, &mut [], how, &part)?;
        if back.content != Some(self.content) || !is_zero(&behind) {
            return Err(differs());
        }
        Ok(())
    }
}
