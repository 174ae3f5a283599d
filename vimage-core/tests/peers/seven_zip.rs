//! 7-Zip, as its own project calls the command.

use super::Peer;
use super::run::{run, succeeds, sum_of};
use super::sum::Sum;
use std::path::Path;
use std::process::Command;

/// 7-Zip, reading VMDK.
pub(crate) struct SevenZip;

/// 7-Zip, reading the type of file that is named, in its own words.
pub(crate) struct SevenZipAs(pub(crate) &'static str);

impl Peer for SevenZipAs {
    fn name(&self) -> &'static str {
        "7zz"
    }

    fn available(&self) -> bool {
        succeeds(Command::new("7zz").arg("i"))
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        // Without the type it opens the partitions within the disk, and gives the bytes of those.
        run(Command::new("7zz").args(["x", &format!("-t{}", self.0), "-so"]).arg(image), sum_of)
    }
}

impl Peer for SevenZip {
    fn name(&self) -> &'static str {
        SevenZipAs("vmdk").name()
    }

    fn available(&self) -> bool {
        SevenZipAs("vmdk").available()
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        SevenZipAs("vmdk").sha256(image)
    }
}
