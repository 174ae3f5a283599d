//! The folder that a package is unpacked to.

use crate::error::Result;
use crate::io::Outputs;
use std::path::{Path, PathBuf};

/// A folder, and those inside it, which are made where they are not there.
pub(super) struct Folder {
    path: PathBuf,
    outputs: Outputs,
}

impl Folder {
    /// At `path`, for files of `outputs`.
    ///
    /// # Errors
    /// `Io`; `Exists` where something else is there.
    pub(super) fn at(path: &Path, outputs: &Outputs) -> Result<Self> {
        // The one that a person names may be a link to one.
        if !path.is_dir() {
            outputs.create_folder(path)?;
        }
        Ok(Folder { path: path.to_owned(), outputs: outputs.clone() })
    }

    /// Its own path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file `name` goes, a [plain path](crate::operations::names::plain_path): folders on the way are made.
    ///
    /// # Errors
    /// `Io`; `Exists` where something else is in the place of a folder: links are not followed.
    pub(super) fn place(&self, name: &str) -> Result<PathBuf> {
        for (end, _) in name.match_indices('/') {
            let inner = self.path.join(&name[..end]);
            match inner.symlink_metadata() {
                Ok(there) if there.is_dir() => {}
                _ => self.outputs.create_folder(&inner)?,
            }
        }
        Ok(self.path.join(name))
    }
}
