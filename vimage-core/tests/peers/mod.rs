//! Readers of disk images that this project did not write, one type for each.
//!
//! A tool that is missing is left out by name, or fails the test where all are required: see [`left_out`].

#![allow(dead_code, unused_imports, reason = "each test uses its own part of this")]

pub(crate) mod left_out;
mod qemu_img;
pub(crate) mod qemu_tools;
mod read_image;
mod run;
mod seven_zip;
pub(crate) mod sum;
pub(crate) mod verdict;
mod zstd;

use left_out::left_out;
use std::ops::Range;
use std::path::Path;
use sum::Sum;

pub(crate) use qemu_img::{QemuImg, QemuImgAs};
pub(crate) use read_image::{Dissect, Imago, Libqcow, Libvmdk, Qcow2Rs, VmdkCore};
pub(crate) use seven_zip::{SevenZip, SevenZipAs};
pub(crate) use zstd::Zstd;

/// A reader that this project did not write.
pub(crate) trait Peer: Sync {
    /// The name that tests know it by.
    fn name(&self) -> &'static str;

    /// Whether it can be run here.
    fn available(&self) -> bool;

    /// What is to be said when it cannot.
    fn missing(&self) -> String {
        format!("{} is not installed", self.name())
    }

    /// The guest's bytes of `image`; a VMDK must be the only one in its folder.
    ///
    /// # Errors
    /// What the tool says, when it cannot read the image.
    fn sha256(&self, image: &Path) -> Result<Sum, String>;
}

/// A reader that can be asked for parts of a disk.
pub(crate) trait RangePeer: Peer {
    /// The disk's size, and the SHA-256 of each of `ranges`.
    ///
    /// # Errors
    /// What the tool says, when it cannot read the image.
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String>;
}

/// Every reader of VMDK.
pub(crate) const ALL: [&dyn Peer; 5] = [&QemuImg, &SevenZip, &Libvmdk, &Dissect, &VmdkCore];

/// Whether `peer` can be run; if not, `test` says that it leaves it out.
pub(crate) fn present(test: &str, peer: &(impl Peer + ?Sized)) -> bool {
    let available = peer.available();
    if !available {
        left_out(test, &peer.missing());
    }
    available
}

/// Every reader of qcow2.
pub(crate) const ALL_QCOW2: [&dyn Peer; 6] =
    [&QemuImgAs("qcow2"), &SevenZipAs("qcow"), &Libqcow, &Dissect, &Imago, &Qcow2Rs];

/// Every reader of VDI.
pub(crate) const ALL_VDI: [&dyn Peer; 3] = [&QemuImgAs("vdi"), &SevenZipAs("vdi"), &Dissect];
