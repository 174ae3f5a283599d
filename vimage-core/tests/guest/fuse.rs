//! File systems that the kernel does not have, mounted through FUSE.

#![allow(dead_code, reason = "each test uses its own part of this")]

use crate::guest::{left_out, output, say};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A FUSE file system that is mounted while this lives. The program stays a child, so that all is written when it ends.
pub(crate) struct Fuse {
    child: Child,
    pub(crate) folder: PathBuf,
    /// Of drivers that want a block device.
    device: Option<Loop>,
}

/// A block device for a file while this lives.
pub(crate) struct Loop(pub(crate) String);

impl Loop {
    /// Makes one. None where the machine does not let one: said by name, and a failure where everything is required.
    pub(crate) fn new(test: &str, disk: &Path) -> Option<Self> {
        let output = output("losetup", &[&"--find", &"--show", &disk]);
        if !output.status.success() {
            left_out(test, &format!("losetup: {}", String::from_utf8_lossy(&output.stderr)));
            return None;
        }
        Some(Loop(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        output("losetup", &[&"--detach", &self.0]);
    }
}

impl Fuse {
    /// Mounts with `command` at `folder`. None where the machine does not let one: said by name, and a failure where
    /// everything is required.
    pub(crate) fn new(test: &str, command: &mut Command, folder: &Path) -> Option<Self> {
        let mounts = || fs::read_to_string("/proc/self/mounts").unwrap().contains(folder.to_str().unwrap());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..300 {
            if mounts() {
                return Some(Fuse { child, folder: folder.to_owned(), device: None });
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
        left_out(test, &format!("{command:?} does not mount"));
        None
    }

    /// Keeps `device` as long as the mount.
    pub(crate) fn on(mut self, device: Loop) -> Self {
        self.device = Some(device);
        self
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        for _ in 0..50 {
            if output("umount", &[&self.folder]).status.success() {
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        say("FUSE", &format!("{} stays mounted", self.folder.display()));
    }
}
