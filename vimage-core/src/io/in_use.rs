//! Whether others work with a file that is to be replaced or changed.

use super::file::FileId;
use super::locks::lock_to_write;
use crate::error::{Error, Result};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Locks the file at `path`, which is to be replaced, as long as what is returned lives. None where there is no such file, or it may
/// not be opened: who may not read it may still replace it.
///
/// # Errors
/// `InUse` when another program uses it.
pub(crate) fn lock_to_replace(path: &Path) -> Result<Option<File>> {
    check_vmware(path)?;
    if !path.symlink_metadata().is_ok_and(|there| there.is_file()) {
        return Ok(None);
    }
    let Ok(file) = File::open(path) else { return Ok(None) };
    lock_to_write(&file, path)?;
    Ok(Some(file))
}

/// Checks that there is none of the folders by which VMware says that a machine runs from the file at `path`.
///
/// # Errors
/// `InUse` when there is one.
pub(crate) fn check_vmware(path: &Path) -> Result<()> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".lck");
    if !Path::new(&folder).is_dir() {
        return Ok(());
    }
    let name = Path::new(&folder).file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(Error::in_use(format!("is in use by another program, by VMware's lock {name}"))
        .at_path(path)
        .with_hint(format!("shut the machine down that runs from it; if none does, remove {name}")))
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
            let now = match path.metadata() {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("cannot look at it", cause).at_path(path));
                }
                now => now.ok(),
            };
            if now.is_none_or(|now| stamp(&now) != stamp(held)) {
                return Err(Error::refused("changed while it was being read, so nothing was done")
                    .at_path(path)
                    .with_hint("shut the machine down that runs from it, and start again"));
            }
        }
        Ok(())
    }
}
