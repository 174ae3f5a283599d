//! Images that name other files: only plain names of regular files in their own folder are followed.

#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::hostile::descriptor;
use support::{Folder, left_out, wait_until};

/// The kinds of extent that a descriptor can name a file as.
const KINDS: [&str; 5] = ["FLAT", "VMFS", "SPARSE", "VMFSSPARSE", "SESPARSE"];

/// A descriptor that names `file` in every way, one at a time, must be refused with all of `words`.
#[track_caller]
fn never_followed(folder: &Folder, file: &str, words: &[&str]) {
    let extents = KINDS.map(|kind| descriptor(&format!("RW 8 {kind} \"{file}\" 0")));
    let parent = descriptor("RW 8 ZERO").replace("parentCID=ffffffff", "parentCID=00000002");
    let parent = parent.replace("createType", &format!("parentFileNameHint=\"{file}\"\ncreateType"));
    for text in extents.into_iter().chain([parent]) {
        folder.put("disk.vmdk", text);
        folder.refuses("disk.vmdk", "disk.vmdk", words);
    }
}

#[test]
fn a_path_to_a_file_of_the_system() {
    never_followed(&Folder::new(), "/etc/shadow", &["\"/etc/shadow\"", "not a plain file name", "hint:"]);
}

#[test]
fn a_path_to_a_device() {
    never_followed(&Folder::new(), "/dev/sda", &["\"/dev/sda\"", "not a plain file name"]);
}

/// The file is there, of the right length, and would be read if the name were followed.
#[test]
fn a_path_out_of_the_folder_or_into_another() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("sub")).unwrap();
    folder.expect(&["sub", "x"]);
    std::fs::write(folder.path("sub/x"), [7; 4096]).unwrap();
    std::fs::write(folder.path("x"), [7; 4096]).unwrap();
    let absolute = folder.path("x").display().to_string();
    for name in ["../x", "sub/x", "sub/../x", "./x", "sub\\x", "x/", &absolute] {
        never_followed(&folder, name, &["not a plain file name"]);
    }
    for name in ["..", ".", ""] {
        never_followed(&folder, name, &[&format!("\"{name}\""), "not a plain file name"]);
    }
}

#[test]
fn a_symbolic_link_in_its_own_folder() {
    let folder = Folder::new();
    folder.put("target", [7; 4096]);
    symlink("target", folder.path("near")).unwrap();
    symlink("/etc/passwd", folder.path("far")).unwrap();
    symlink("nowhere", folder.path("dangling")).unwrap();
    folder.expect(&["near", "far", "dangling"]);
    for name in ["near", "far", "dangling"] {
        let message = format!("{name}: the image refers to a symbolic link");
        folder.describe("disk.vmdk", &format!("RW 8 FLAT \"{name}\" 0"));
        folder.refuses("disk.vmdk", name, &[&message, "hint:"]);
        folder.describe("disk.vmdk", &format!("RW 8 SPARSE \"{name}\""));
        folder.refuses("disk.vmdk", name, &[&message]);
    }
}

#[test]
fn a_folder_as_an_extent() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("sub")).unwrap();
    folder.expect(&["sub"]);
    folder.describe("disk.vmdk", "RW 8 FLAT \"sub\" 0");
    folder.refuses("disk.vmdk", "sub", &["not a regular file"]);
}

#[test]
fn a_device_in_its_own_folder() {
    let folder = Folder::new();
    let made = Command::new("mknod").arg(folder.path("zero")).args(["c", "1", "5"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return left_out("device nodes cannot be made here (mknod needs root)");
    }
    folder.expect(&["zero"]);
    folder.describe("disk.vmdk", "RW 8 FLAT \"zero\" 0");
    folder.refuses("disk.vmdk", "zero", &["not a regular file"]);
}

#[test]
fn a_pipe_as_an_extent_is_not_waited_for() {
    let folder = Folder::new();
    make_pipe(&folder, "pipe");
    for kind in KINDS {
        folder.describe("disk.vmdk", &format!("RW 8 {kind} \"pipe\" 0"));
        folder.refuses("disk.vmdk", "pipe", &["not a regular file"]);
    }
}

/// Whoever opens a pipe to write waits until somebody opens it to read, however shortly: that shows an open.
#[test]
fn info_opens_no_extent_and_no_parent() {
    let folder = Folder::new();
    make_pipe(&folder, "pipe");
    let opened = Arc::new(AtomicBool::new(false));
    let (path, noted) = (folder.path("pipe"), Arc::clone(&opened));
    let writer = std::thread::spawn(move || {
        std::fs::File::options().write(true).open(path).unwrap();
        noted.store(true, Ordering::SeqCst);
    });
    let lines = KINDS.map(|kind| format!("RW 8 {kind} \"pipe\" 0")).join("\n");
    let text = descriptor(&lines).replace("parentCID=ffffffff", "parentCID=2\nparentFileNameHint=\"pipe\"");
    folder.put("disk.vmdk", text);
    folder.run_tight("info disk.vmdk").succeeds().says(&["pipe", "VMFSSPARSE", "extents"]);
    folder.run_tight("info --json disk.vmdk").succeeds();
    std::thread::sleep(Duration::from_millis(100));
    assert!(!opened.load(Ordering::SeqCst), "info opened the file that the image names");
    // Conversion may, to see what it is: and so this shows that an open does not go unnoticed.
    let _reader = std::fs::File::open(folder.path("pipe")).unwrap();
    wait_until("the pipe is open", || opened.load(Ordering::SeqCst));
    writer.join().unwrap();
}

#[test]
fn an_extent_that_is_missing() {
    let folder = Folder::new();
    for kind in KINDS {
        folder.describe("disk.vmdk", &format!("RW 8 {kind} \"disk-f001.vmdk\" 0"));
        folder.refuses("disk.vmdk", "disk-f001.vmdk", &["missing", "hint:"]);
    }
}

#[test]
fn an_extent_that_is_too_short() {
    let folder = Folder::new();
    folder.put("disk-f001.vmdk", [7; 4095]);
    for line in ["RW 8 FLAT \"disk-f001.vmdk\" 0", "RW 7 FLAT \"disk-f001.vmdk\" 1", "RW 8 VMFS \"disk-f001.vmdk\""] {
        folder.describe("disk.vmdk", line);
        folder.refuses("disk.vmdk", "disk-f001.vmdk", &["too short", "4095"]);
    }
    folder.describe("disk.vmdk", "RW 8 FLAT \"disk-f001.vmdk\" 36028797018963967");
    folder.refuses("disk.vmdk", "disk-f001.vmdk", &[]);
}

#[test]
fn a_host_device_as_a_disk() {
    let folder = Folder::new();
    for kind in ["fullDevice", "partitionedDevice", "vmfsRDM", "vmfsRDMP", "vmfsRaw", "FULLDEVICE"] {
        folder.put("disk.vmdk", descriptor("RW 8 FLAT \"sda\" 0").replace("custom", kind));
        folder.refuses("disk.vmdk", "disk.vmdk", &["device"]);
    }
    for kind in ["VMFSRDM", "VMFSRAW"] {
        folder.describe("disk.vmdk", &format!("RW 8 {kind} \"sda\""));
        folder.refuses("disk.vmdk", "disk.vmdk", &["device", "sda"]);
    }
}

#[test]
fn a_piece_that_is_a_symbolic_link() {
    let folder = Folder::new();
    folder.put("disk.raw.001", [7; 512]);
    symlink("/etc/passwd", folder.path("disk.raw.002")).unwrap();
    folder.expect(&["disk.raw.002"]);
    folder.refuses("disk.raw.001", "disk.raw.002", &["symbolic link"]);
}

fn make_pipe(folder: &Folder, name: &str) {
    let path = folder.path(name);
    assert!(Command::new("mkfifo").arg(Path::new(&path)).status().unwrap().success());
    folder.expect(&[name]);
}
