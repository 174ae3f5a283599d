//! One run: files are copied and compared, and then all of them get their names.

use super::digests::Digests;
use super::folder::Folder;
use super::{UnpackOptions, Unpacked};
use crate::error::{Error, Result};
use crate::io::row::fill;
use crate::io::{FileId, Outputs};
use crate::observer::Observer;
use crate::operations::names::{Names, plain_path};
use crate::package::manifest::Hasher;
use crate::zero::is_zero;
use std::io::{self, Read};
use std::path::PathBuf;

/// Bytes that are copied at once, and left out of the file where they are zero.
const STEP: usize = 64 << 10;

/// A run that unpacks. Dropped, it leaves nothing.
pub(super) struct Job<'a> {
    outputs: Outputs,
    folder: Folder,
    digests: Digests,
    names: Names,
    left_out: Vec<String>,
    observer: &'a dyn Observer,
    /// Bytes that were read.
    done: u64,
}

impl<'a> Job<'a> {
    /// Into the folder at `path`, from `sources`.
    ///
    /// # Errors
    /// Those of making the folder.
    pub(super) fn new(
        path: &std::path::Path,
        sources: Vec<FileId>,
        digests: Digests,
        options: &UnpackOptions,
        observer: &'a dyn Observer,
    ) -> Result<Self> {
        let outputs = Outputs::new(options.replace, sources);
        let outputs = if options.flush { outputs } else { outputs.unflushed() };
        let folder = Folder::at(path, &outputs)?;
        let (names, left_out) = (Names::default(), Vec::new());
        Ok(Job { outputs, folder, digests, names, left_out, observer, done: 0 })
    }

    /// The files that are made.
    pub(super) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Bytes read so far.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Where the file `name` goes.
    ///
    /// # Errors
    /// `Refused` where the name leads elsewhere or is another file's; those of making folders.
    pub(super) fn place(&mut self, name: &str) -> Result<PathBuf> {
        let plain = plain_path(name)?;
        self.names.add(&plain)?;
        self.folder.place(&plain)
    }

    /// Copies `bytes` to the file `name`, and compares its digest.
    ///
    /// # Errors
    /// Those of [`place`](Self::place); `Corrupt`, `Exists`, `Io`, `Cancelled`.
    pub(super) fn store(&mut self, name: &str, bytes: &mut dyn Read) -> Result<()> {
        let path = self.place(name)?;
        if path.extension().is_some_and(|extension| extension == "ovf" || extension == "vmx") {
            self.outputs.known_by(&path);
        }
        let mut file = self.outputs.create(&path)?;
        let mut length = 0;
        self.go_over(name, bytes, |step| {
            let written = if is_zero(step) { Ok(()) } else { file.write_all_at(step, length) };
            length += step.len() as u64;
            written
        })?;
        file.set_len(length)?;
        file.finish()
    }

    /// Compares the digest of the file `name`, which is not copied, where it has to have one.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, `Cancelled`.
    pub(super) fn verify(&mut self, name: &str, bytes: &mut dyn Read) -> Result<()> {
        match self.digests.hasher(name) {
            Some(_) => self.go_over(name, bytes, |_| Ok(())),
            None => Ok(()),
        }
    }

    /// Notes that the file `name` is left out.
    pub(super) fn leave_out(&mut self, name: &str) {
        self.left_out.push(name.to_owned());
    }

    /// Gives every file its name.
    ///
    /// # Errors
    /// As [`Outputs::publish`]; `Cancelled`.
    pub(super) fn publish(self) -> Result<Unpacked> {
        // Flushing may have taken long.
        if self.observer.cancelled() {
            return Err(Error::cancelled());
        }
        let files = self.outputs.publish()?;
        let (manifest, verified, uncovered) = self.digests.told();
        let folder = self.folder.path().to_owned();
        Ok(Unpacked { folder, files, manifest, verified, uncovered, left_out: self.left_out })
    }

    fn go_over(&mut self, name: &str, bytes: &mut dyn Read, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut hasher: Option<Hasher> = self.digests.hasher(name);
        let mut step = vec![0; STEP];
        loop {
            if self.observer.cancelled() {
                return Err(Error::cancelled());
            }
            let read = fill(bytes, &mut step).map_err(|cause| unreadable(name, cause))?;
            if read == 0 {
                return self.digests.compare(name, hasher);
            }
            if let Some(hasher) = &mut hasher {
                hasher.update(&step[..read]);
            }
            each(&step[..read])?;
            self.done += read as u64;
            self.observer.reached(self.done);
        }
    }
}

/// The bytes of the file `name` cannot be had: the system's fault where it says so, and otherwise the package's.
pub(super) fn unreadable(name: &str, cause: io::Error) -> Error {
    match cause.raw_os_error() {
        Some(_) => Error::io(format!("cannot read {name}"), cause),
        None => Error::corrupt(format!("{name} is damaged: {cause}"))
            .with_hint("the package was damaged or cut short: fetch it again"),
    }
}
