//! 7-Zip, as its own project calls the command.

use super::Peer;
use super::run::{run, succeeds, sum_of};
use super::sum::Sum;
use std::path::Path;
use std::process::Command;

/// 7-Zip.
pub(crate) struct SevenZip;

impl Peer for SevenZip {
    fn name(&self) -> &'static str {
        "7zz"
    }

    fn available(&self) -> bool {
        succeeds(Command::new("7zz").arg("i"))
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        // Without the type it opens the partitions within the disk, and gives the bytes of those.
        run(Command::new("7zz").args(["x", "-tvmdk", "-so"]).arg(image), sum_of)
    }
}
