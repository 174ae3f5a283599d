//! qemu-img.

use super::run::{output, succeeds, sum_of};
use super::sum::Sum;
use super::{Peer, RangePeer};
use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// qemu-img, of QEMU, reading VMDK.
pub(crate) struct QemuImg;

/// qemu-img, reading the format that is named.
pub(crate) struct QemuImgAs(pub(crate) &'static str);

impl Peer for QemuImgAs {
    fn name(&self) -> &'static str {
        "qemu-img"
    }

    fn available(&self) -> bool {
        succeeds(qemu_img().arg("--version"))
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        // It writes disks to files only; holes stay holes there.
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let raw = folder.path().join("disk.raw");
        output(qemu_img().args(["convert", "-f", self.0, "-O", "raw"]).args([image, &raw]))?;
        File::open(&raw).and_then(sum_of).map_err(|error| error.to_string())
    }
}

impl Peer for QemuImg {
    fn name(&self) -> &'static str {
        VMDK.name()
    }

    fn available(&self) -> bool {
        VMDK.available()
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        VMDK.sha256(image)
    }
}

const VMDK: QemuImgAs = QemuImgAs("vmdk");
const SECTOR: u64 = 512;

impl RangePeer for QemuImgAs {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        let said = output(qemu_img().args(["info", "-f", self.0]).arg(image))?;
        // The first is that of the disk, those of its files follow.
        let size = said.lines().find_map(|line| line.strip_prefix("virtual size:")?.split(['(', ' ']).rev().nth(1));
        let size = size.and_then(|size| size.parse().ok()).ok_or_else(|| format!("no size: {said}"))?;
        let sums = ranges.iter().map(|range| part(image, self.0, range));
        Ok((size, sums.collect::<Result<_, _>>()?))
    }
}

impl RangePeer for QemuImg {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        VMDK.ranges(image, ranges)
    }
}

/// The SHA-256 of part of a disk.
fn part(image: &Path, format: &str, range: &Range<u64>) -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let raw = folder.path().join("part.raw");
    // A window on the disk, of whole sectors. `qemu-img dd` is no help: it takes `count` from the disk's start.
    let start = range.start / SECTOR * SECTOR;
    let size = range.end.next_multiple_of(SECTOR) - start;
    let file = image.to_str().ok_or("not a name for qemu-img")?.replace(',', ",,");
    let window = format!("driver=raw,offset={start},size={size},file.driver={format},file.file.filename={file}");
    output(qemu_img().args(["convert", "--image-opts", &window, "-O", "raw"]).arg(&raw))?;
    let bytes = fs::read(&raw).map_err(|error| error.to_string())?;
    let part = bytes.get((range.start - start) as usize..(range.end - start) as usize);
    let part = part.ok_or_else(|| format!("{range:?}: {} bytes from {start} on", bytes.len()))?;
    sum_of(part).map(|sum| sum.sha256).map_err(|error| error.to_string())
}

impl QemuImgAs {
    /// Whether the guest's bytes of `image` are those of the file `raw`, in size too. Holes in both are passed over, but
    /// those of a sparse image one table after the other.
    pub(crate) fn compare(&self, image: &Path, raw: &Path) -> Result<(), String> {
        let said = output(qemu_img().args(["compare", "-f", self.0, "-F", "raw"]).args([image, raw]))?;
        // Of sizes that differ by zeros it only warns.
        if said.contains("Warning") { Err(said) } else { Ok(()) }
    }
}

impl QemuImg {
    /// As [`QemuImgAs::compare`].
    pub(crate) fn compare(&self, image: &Path, raw: &Path) -> Result<(), String> {
        VMDK.compare(image, raw)
    }

    /// Writes the disk in the file `raw` as a VMDK with the settings `options`.
    pub(crate) fn write(&self, raw: &Path, image: &Path, options: &str) -> Result<(), String> {
        let convert = ["convert", "-f", "raw", "-O", "vmdk", "-o", options];
        output(qemu_img().args(convert).args([raw, image])).map(drop)
    }

    /// The same, but into a VMDK that is there already: so zeros are written too.
    pub(crate) fn overwrite(&self, raw: &Path, image: &Path, options: &str) -> Result<(), String> {
        let size = raw.metadata().map_err(|error| error.to_string())?.len();
        output(qemu_img().args(["create", "-f", "vmdk", "-o", options]).arg(image).arg(size.to_string()))?;
        output(qemu_img().args(["convert", "-n", "-f", "raw", "-O", "vmdk"]).args([raw, image])).map(drop)
    }
}

fn qemu_img() -> Command {
    Command::new("qemu-img")
}
