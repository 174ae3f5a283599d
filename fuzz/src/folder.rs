//! A folder that inputs are written into, one after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

static SCRATCH: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

/// An empty folder, which is removed with all that is in it.
pub struct Folder(PathBuf);

impl Folder {
    /// One called `name`.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn new(name: &str) -> Self {
        let path = SCRATCH.path().join(name);
        fs::create_dir(&path).expect("made");
        Folder(path)
    }

    /// Writes `files` into it; gives the path of the first.
    ///
    /// # Panics
    /// Where that fails.
    pub fn put(&self, files: &[(String, Vec<u8>)]) -> PathBuf {
        files.iter().for_each(|(name, bytes)| fs::write(self.0.join(name), bytes).expect("written"));
        self.0.join(&files[0].0)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The names of all that is in it.
    ///
    /// # Panics
    /// Where it cannot be read.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("readable");
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A panic goes on to libFuzzer, and run.sh removes what it leaves.
        let _ = fs::remove_dir_all(&self.0);
    }
}
