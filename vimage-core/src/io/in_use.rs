//! Whether others work with a file that is to be replaced or changed.

use super::file::FileId;
use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, fcntl_lock};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Locks on files, held while this lives: who wants to run a machine from one of them is refused meanwhile, as QEMU would be.
#[derive(Debug)]
pub(crate) struct Held(#[allow(dead_code, reason = "a lock is given up when its file is closed")] Vec<File>);

impl Held {
    /// Locks `files`. No other handle of them may be closed by this process meanwhile: that would give the locks up.
    ///
    /// # Errors
    /// `Refused` when another program holds a lock on one, as QEMU and VMware do while a machine runs; `Io` when one cannot be
    /// opened.
    pub(crate) fn lock(files: &[(FileId, PathBuf)]) -> Result<Self> {
        let mut held = Vec::new();
        for (index, (id, path)) in files.iter().enumerate() {
            if files[..index].iter().all(|(other, _)| other != id) {
                held.extend(lock(path)?);
            }
        }
        Ok(Held(held))
    }
}

fn lock(path: &Path) -> Result<Option<File>> {
    let busy = |what: &str| Error::refused(format!("is in use by another program, {what}")).at_path(path);
    let mut folder = path.as_os_str().to_owned();
    folder.push(".lck");
    if Path::new(&folder).is_dir() {
        let name = Path::new(&folder).file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(busy(&format!("by VMware's lock {name}"))
            .with_hint(format!("shut the machine down that runs from it; if none does, remove {name}")));
    }
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        // Who may not write to it may still replace it.
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        Err(cause) => return Err(Error::io("cannot open", cause).at_path(path)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
            Err(busy("which holds a lock on it").with_hint("shut the machine down that runs from it"))
        }
        // Where there are no locks, nobody holds one.
        _ => Ok(Some(file)),
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
