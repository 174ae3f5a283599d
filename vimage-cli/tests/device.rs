//! A block device as the source.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;
use support::{Folder, left_out};

/// A loop device over a file, until it is dropped.
struct Loop(String);

impl Loop {
    fn over(file: &Path) -> Option<Self> {
        let made = Command::new("losetup").args(["--read-only", "--find", "--show"]).arg(file).output().ok()?;
        let device = String::from_utf8(made.stdout).ok()?.trim().to_owned();
        (made.status.success() && !device.is_empty()).then_some(Loop(device))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

#[test]
fn a_loop_device_reads_as_the_file_beneath_it() {
    let folder = Folder::with(&["sparse"]);
    let Some(device) = Loop::over(&folder.path("sparse.raw")) else {
        return left_out("no loop device can be had (losetup needs root and /dev/loop-control)");
    };
    let device = &device.0;
    let info = folder.run(&format!("info {device} --json")).succeeds().json("info");
    assert_eq!((&info["format"], &info["virtual-size"]), (&"raw".into(), &(64 * support::MIB).into()));
    folder.same(device, "sparse.raw");
    folder.makes(&format!("convert {device} out.vmdk"), &["out.vmdk"]);
    folder.same("out.vmdk", "sparse.raw");
    // Reading the device lets nothing else of /dev be read.
    let said = folder.run(&format!("digest -v {device}")).ends(0).stderr;
    assert!(
        said.contains("the sandbox is off") || said.contains(&format!("read: {device}; written: nothing")),
        "{said}"
    );
    let digests = folder.run(&format!("digest {device} sparse.raw")).succeeds().stdout;
    let digests: Vec<&str> = digests.lines().map(|line| &line[..64]).collect();
    assert_eq!(digests[0], digests[1]);
    // Without a target it would go into /dev; as a target a device is refused.
    folder.fails(&format!("convert sparse.raw {device} -O raw --force"), &[device, "not a regular file", "hint:"]);
    folder.fails(&format!("convert {device} {device} -O raw --force"), &[device]);
}
