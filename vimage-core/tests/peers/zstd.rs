//! The `zstd` command, of Zstandard's own project.

use super::Peer;
use super::run::{output, run, succeeds, sum_of};
use super::sum::Sum;
use std::path::Path;
use std::process::Command;

/// `zstd`, which unpacks raw disks.
pub(crate) struct Zstd;

impl Zstd {
    /// What it lists of a file.
    pub(crate) fn list(&self, file: &Path) -> Result<String, String> {
        output(Command::new("zstd").arg("-lv").arg(file))
    }

    /// Checks a file.
    pub(crate) fn test(&self, file: &Path) -> Result<String, String> {
        output(Command::new("zstd").arg("-tq").arg(file))
    }
}

impl Peer for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn available(&self) -> bool {
        succeeds(Command::new("zstd").arg("--version"))
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        run(Command::new("zstd").arg("-dcq").arg(image), sum_of)
    }
}
