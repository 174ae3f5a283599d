//! Freeing parts of a file.

use crate::error::{Error, Result};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file of which parts are freed: they read as zero and take no storage.
#[derive(Debug)]
pub(crate) struct Puncher {
    file: File,
    path: PathBuf,
}

impl Puncher {
    /// Opens the file at `path` for it.
    ///
    /// # Errors
    /// `Io` when it may not be written to.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(|cause| Error::io("cannot open for writing", cause).at_path(path))?;
        Ok(Puncher { file, path: path.to_owned() })
    }

    /// Frees `range`. What is not a whole block of the file system is filled with zeros.
    ///
    /// # Errors
    /// `Unsupported` where the file system cannot; `Io`.
    pub(crate) fn punch(&self, range: Range<u64>) -> Result<()> {
        let place = |error: Error| error.at_path(&self.path).at_offset(range.start);
        match free(&self.file, &range) {
            Ok(()) => Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::Unsupported => {
                Err(place(Error::unsupported("the file system it lies on cannot free a part of a file"))
                    .with_hint("without --punch it is written anew"))
            }
            Err(cause) => Err(place(Error::io("cannot free a part of it", cause))),
        }
    }

    /// Puts it on the disk.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn finish(&self) -> Result<()> {
        self.file.sync_all().map_err(|cause| Error::io("cannot flush to the disk", cause).at_path(&self.path))
    }
}

#[cfg(target_os = "linux")]
fn free(file: &File, range: &Range<u64>) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, range.start, range.end - range.start)?)
}

#[cfg(not(target_os = "linux"))]
fn free(_: &File, _: &Range<u64>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
