//! Whether others work with a file that is to be replaced or changed.

use super::file::FileId;
use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, fcntl_lock};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Refuses a file that another program holds a lock on, as QEMU and VMware do while a machine runs.
///
/// # Errors
/// `Refused` when it is locked; `Io` when it cannot be opened.
pub(crate) fn refuse_in_use(path: &Path) -> Result<()> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        // Who may not write to it may still replace it.
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(cause) => return Err(Error::io("cannot open", cause).at_path(path)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
            Err(Error::refused("is in use by another program, which holds a lock on it")
                .at_path(path)
                .with_hint("shut the machine down that runs from it"))
        }
        // Where there are no locks, nobody holds one.
        _ => Ok(()),
    }
}

/// Files as they were at one time.
#[derive(Debug)]
pub(crate) struct Unchanged(Vec<(PathBuf, Metadata)>);

impl Unchanged {
    /// As they are now.
    ///
    /// # Errors
    /// `Io` when one cannot be looked at.
    pub(crate) fn of(files: &[(FileId, PathBuf)]) -> Result<Self> {
        let mut held: Vec<(PathBuf, Metadata)> = Vec::new();
        for (_, path) in files {
            let metadata = path.metadata().map_err(|cause| Error::io("cannot look at it", cause).at_path(path))?;
            // Extents of one disk may name one file.
            if held.iter().all(|(there, _)| there != path) {
                held.push((path.clone(), metadata));
            }
        }
        Ok(Unchanged(held))
    }

    /// Their length and the storage that they take, in bytes.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |(size, stored), (_, held)| (size + held.len(), stored + held.blocks() * 512))
    }

    /// Checks that they are still so.
    ///
    /// # Errors
    /// `Refused` when one changed.
    pub(crate) fn check(&self) -> Result<()> {
        let stamp = |held: &Metadata| (FileId::of(held), held.len(), held.mtime(), held.mtime_nsec());
        for (path, held) in &self.0 {
            if !path.metadata().is_ok_and(|now| stamp(&now) == stamp(held)) {
                return Err(Error::refused("changed while it was being read, so nothing was done")
                    .at_path(path)
                    .with_hint("shut the machine down that runs from it, and start again"));
            }
        }
        Ok(())
    }
}
