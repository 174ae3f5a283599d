//! The folder that a package is unpacked to.

use crate::error::{Error, ErrorKind, Result};
use std::io;
use std::path::{Path, PathBuf};

/// A folder, and those inside it. What was made of them is removed again, unless [kept](Self::keep).
pub(super) struct Folder {
    path: PathBuf,
    made: Vec<PathBuf>,
}

impl Folder {
    /// At `path`; made if it is not there.
    ///
    /// # Errors
    /// `Io`; `Exists` where something else is there.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let mut folder = Folder { path: path.to_owned(), made: Vec::new() };
        // The one that a person names may be a link to one.
        if !path.is_dir() {
            folder.make(path.to_owned())?;
        }
        Ok(folder)
    }

    /// Its own path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file `name` goes, a [plain path](crate::operations::names::plain_path): folders on the way are made.
    ///
    /// # Errors
    /// `Io`; `Exists` where something else is in the place of a folder: links are not followed.
    pub(super) fn place(&mut self, name: &str) -> Result<PathBuf> {
        for (end, _) in name.match_indices('/') {
            let inner = self.path.join(&name[..end]);
            match inner.symlink_metadata() {
                Ok(there) if there.is_dir() => {}
                _ => self.make(inner)?,
            }
        }
        Ok(self.path.join(name))
    }

    /// Leaves it there.
    pub(super) fn keep(mut self) {
        self.made.clear();
    }

    fn make(&mut self, path: PathBuf) -> Result<()> {
        std::fs::create_dir(&path).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::new(ErrorKind::Exists, "exists already, and is no folder").at_path(&path)
            }
            _ => Error::io("cannot make the folder", cause).at_path(&path),
        })?;
        self.made.push(path);
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // One that holds something by now is somebody else's too.
        self.made.iter().rev().for_each(|path| drop(std::fs::remove_dir(path)));
    }
}
