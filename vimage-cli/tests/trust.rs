//! qcow2 images that name other files: only plain names of regular files in their own folder are followed, unless the
//! user trusts the image.

#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::hostile::descriptor;
use support::laid::{DISK, QCOW2};
use support::{Folder, MIB, VIMAGE, disk, left_out, run, wait_until};
use vimage_fixtures::qcow2::{Options, Parent, lay};
use vimage_fixtures::{Fill, Run};

/// An overlay that says all of the disk is in the file `name`.
fn over(name: &str, format: Option<&str>) -> Vec<u8> {
    let parent = Parent { disk: Some(&disk(DISK)), name, format };
    lay(&disk(DISK), &Options { parent: Some(parent), ..Options::default() }).bytes
}

/// An image that says its data are in the file `name`.
fn data_in(name: &str) -> Vec<u8> {
    lay(&disk(DISK), &Options { data_file: Some(name), ..Options::default() }).bytes
}

/// Images that name `name` in every way, one at a time.
fn naming(name: &str) -> [Vec<u8>; 4] {
    [over(name, Some("raw")), over(name, Some("qcow2")), over(name, None), data_in(name)]
}

/// An image that names `name` must be refused with all of `words`, of which `file` is where the fault is.
#[track_caller]
fn never_followed(folder: &Folder, name: &str, file: &str, words: &[&str]) {
    for image in naming(name) {
        folder.put(QCOW2, image);
        folder.refuses(QCOW2, file, words);
        let words: Vec<&str> = words.iter().copied().chain([file]).collect();
        for line in ["map disk.qcow2", "measure -O raw disk.qcow2"] {
            folder.run_tight(line).fails(&words);
        }
        let fault = folder.run_tight("digest --json disk.qcow2").ends(2).json("error");
        assert_eq!(fault["error"]["kind"], "refused", "{name:?}");
        // Saying what the image says needs no other file, nor does looking at its tables.
        folder.run_tight("info disk.qcow2").succeeds();
        folder.run_tight("info --json disk.qcow2").succeeds();
        folder.run_tight("check disk.qcow2").succeeds();
        folder.check();
    }
}

#[test]
fn paths_of_the_system() {
    for name in ["/etc/passwd", "/dev/sda", "/dev/zero", "/proc/self/environ", "/"] {
        never_followed(&Folder::new(), name, QCOW2, &[&format!("\"{name}\""), "not a plain file name", "hint:"]);
    }
}

/// The file is there, and would be read if the name were followed.
#[test]
fn paths_out_of_the_folder_or_into_another() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("sub")).unwrap();
    folder.disk(&disk(DISK));
    folder.expect(&["sub", "sub/x"]);
    std::fs::copy(folder.path("odd-capacity.raw"), folder.path("sub/x")).unwrap();
    folder.forget(&["sub/x"]);
    let absolute = folder.path("odd-capacity.raw").display().to_string();
    for name in ["../x", "sub/x", "./odd-capacity.raw", "sub/../odd-capacity.raw", "sub\\x", "..", ".", &absolute] {
        never_followed(&folder, name, QCOW2, &["not a plain file name"]);
    }
}

#[test]
fn what_is_no_file_at_all() {
    let names = [
        "json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}",
        "json:{}",
        "nbd://h",
        "nbd:unix:/socket",
        "https://example.com/disk.raw",
        "file:odd-capacity.raw",
        "fat:rw:.",
        "host_device:sda",
    ];
    let folder = Folder::new();
    folder.disk(&disk(DISK));
    for name in names {
        never_followed(&folder, name, QCOW2, &["not a plain file name", "hint:"]);
        for image in naming(name) {
            folder.put(QCOW2, image);
            for line in ["digest", "convert --force", "map"] {
                let target = if line.starts_with("convert") { "out.raw" } else { "" };
                let line = format!("{line} --allow-external disk.qcow2 {target}");
                folder.run_tight(&line).fails(&["not a file", QCOW2]);
                folder.check();
            }
        }
    }
}

#[test]
fn a_symbolic_link() {
    let folder = Folder::new();
    folder.disk(&disk(DISK));
    symlink("odd-capacity.raw", folder.path("near")).unwrap();
    symlink("/etc/passwd", folder.path("far")).unwrap();
    symlink("nowhere", folder.path("dangling")).unwrap();
    folder.expect(&["near", "far", "dangling"]);
    for name in ["near", "far", "dangling"] {
        never_followed(&folder, name, name, &[&format!("{name}: the image refers to a symbolic link"), "hint:"]);
    }
}

#[test]
fn a_folder_or_a_device() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("sub")).unwrap();
    folder.expect(&["sub"]);
    never_followed(&folder, "sub", "sub", &["not a regular file"]);
    let made = Command::new("mknod").arg(folder.path("zero")).args(["c", "1", "5"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return left_out("device nodes cannot be made here (mknod needs root)");
    }
    folder.expect(&["zero"]);
    never_followed(&folder, "zero", "zero", &["not a regular file"]);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = Folder::new();
    make_pipe(&folder);
    never_followed(&folder, "pipe", "pipe", &["not a regular file"]);
    for image in naming("pipe") {
        folder.put(QCOW2, image);
        folder.run_tight("digest --allow-external disk.qcow2").fails(&["pipe", "is a pipe"]);
    }
}

#[test]
fn an_extent_of_a_vmdk_that_is_a_device() {
    let folder = Folder::new();
    for name in ["/dev/sda", "/dev/zero", "\\\\.\\PhysicalDrive0"] {
        for kind in ["FLAT", "SPARSE", "VMFS"] {
            folder.put("disk.vmdk", descriptor(&format!("RW 8 {kind} \"{name}\" 0")));
            folder.refuses("disk.vmdk", "disk.vmdk", &["not a plain file name", "hint:"]);
            folder.run_tight("info disk.vmdk").succeeds();
        }
    }
    // A user who trusts it still does not have a character device taken for a disk.
    folder.put("disk.vmdk", descriptor("RW 8 FLAT \"/dev/zero\" 0"));
    folder.run_tight("digest --allow-external disk.vmdk").fails(&["/dev/zero", "not a file"]);
}

/// Whoever opens a pipe to write waits until somebody opens it to read, however shortly: that shows an open.
#[test]
fn info_and_check_open_no_other_file() {
    let folder = Folder::new();
    make_pipe(&folder);
    let opened = Arc::new(AtomicBool::new(false));
    let (path, noted) = (folder.path("pipe"), Arc::clone(&opened));
    let writer = std::thread::spawn(move || {
        std::fs::File::options().write(true).open(path).unwrap();
        noted.store(true, Ordering::SeqCst);
    });
    for image in naming("pipe") {
        folder.put(QCOW2, image);
        folder.run_tight("info disk.qcow2").succeeds().says(&["pipe"]);
        folder.run_tight("info --json --allow-external disk.qcow2").succeeds().says(&["pipe"]);
        folder.run_tight("check --allow-external disk.qcow2").succeeds();
    }
    std::thread::sleep(Duration::from_millis(100));
    assert!(!opened.load(Ordering::SeqCst), "the file that the image names was opened");
    // Conversion may, to see what it is: and so this shows that an open does not go unnoticed.
    let _reader = std::fs::File::open(folder.path("pipe")).unwrap();
    wait_until("the pipe is open", || opened.load(Ordering::SeqCst));
    writer.join().unwrap();
}

/// What the system itself says was opened.
#[test]
fn the_system_sees_no_open_of_what_is_refused() {
    if !Command::new("strace").arg("-V").output().is_ok_and(|out| out.status.success()) {
        return left_out("strace is not there");
    }
    let folder = Folder::new();
    folder.disk(&disk(DISK));
    symlink("odd-capacity.raw", folder.path("link")).unwrap();
    folder.expect(&["link", "trace"]);
    let traced = |line: &str| {
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=open,openat,openat2", "-o", "trace", VIMAGE]);
        command.args(line.split_whitespace()).current_dir(folder.path("")).env_remove("LD_LIBRARY_PATH");
        let outcome = run(command);
        (outcome.status.code(), folder.text("trace"))
    };
    folder.put("trace", "");
    folder.put(QCOW2, over("odd-capacity.raw", Some("raw")));
    let (status, trace) = traced("digest disk.qcow2");
    if status != Some(0) || !trace.contains("disk.qcow2") {
        return left_out("strace cannot trace here");
    }
    // An open shows, and is made in a way that follows no link: one may be swapped in before it.
    let tries: Vec<_> = trace.lines().filter(|line| line.contains("odd-capacity.raw")).collect();
    assert!(!tries.is_empty() && tries.iter().all(|line| line.contains("O_NOFOLLOW")), "{trace}");
    for line in ["info disk.qcow2", "check disk.qcow2", "info --json --allow-external disk.qcow2"] {
        let (status, trace) = traced(line);
        assert_eq!(status, Some(0), "{trace}");
        assert!(trace.contains("disk.qcow2") && !trace.contains("odd-capacity"), "{line}: {trace}");
    }
    let absolute = folder.path("odd-capacity.raw").display().to_string();
    for name in ["../odd-capacity.raw", &absolute, "file:odd-capacity.raw", "/etc/shadow"] {
        for image in naming(name) {
            folder.put(QCOW2, image);
            for line in ["info disk.qcow2", "check disk.qcow2", "digest disk.qcow2", "info --chain disk.qcow2"] {
                let (_, trace) = traced(line);
                let wrong = ["odd-capacity", "shadow"].iter().any(|word| trace.contains(word));
                assert!(trace.contains("disk.qcow2") && !wrong, "{name}, {line}: {trace}");
            }
        }
    }
    // What is a link is not opened at all.
    for image in naming("link") {
        folder.put(QCOW2, image);
        let (status, trace) = traced("digest disk.qcow2");
        assert_eq!(status, Some(2), "{trace}");
        assert!(!trace.contains("\"link\"") && !trace.contains("odd-capacity"), "{trace}");
    }
}

#[test]
fn a_trusted_image_may_name_files_elsewhere() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    folder.disk(&disk(DISK));
    elsewhere.disk(&disk(DISK));
    std::fs::create_dir(folder.path("sub")).unwrap();
    symlink(elsewhere.path("odd-capacity.raw"), folder.path("link")).unwrap();
    folder.expect(&["sub", "link"]);
    let absolute = elsewhere.path("odd-capacity.raw").display().to_string();
    for name in ["sub/../odd-capacity.raw", "./odd-capacity.raw", "link", &absolute] {
        for image in [over(name, Some("raw")), over(name, None), data_in(name)] {
            folder.put(QCOW2, image);
            folder.run_tight("digest disk.qcow2").fails(&["the image refers to", "hint:"]);
            folder.run("compare --allow-external --strict disk.qcow2 odd-capacity.raw").succeeds();
            folder.makes("convert --allow-external --force disk.qcow2 out.raw", &["out.raw"]);
            folder.same("out.raw", "odd-capacity.raw");
        }
    }
    folder.put(QCOW2, over("/nowhere/at/all", Some("raw")));
    folder.run_tight("digest --allow-external disk.qcow2").fails(&["/nowhere/at/all"]);
}

#[test]
fn a_vmdk_that_is_trusted_may_too() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    elsewhere.put("flat.bin", [7; 4096]);
    folder.put("want.raw", [7; 4096]);
    let name = elsewhere.path("flat.bin").display().to_string();
    folder.put("disk.vmdk", descriptor(&format!("RW 8 FLAT \"{name}\" 0")));
    folder.refuses("disk.vmdk", "disk.vmdk", &["not a plain file name", "--allow-external"]);
    folder.run("compare --allow-external --strict disk.vmdk want.raw").succeeds();
}

#[test]
fn a_chain_is_read_through() {
    let folder = Folder::new();
    let text = Run { offset: MIB + 70_000, len: 200_000, fill: Fill::Text(9) };
    let zeros = Run { offset: MIB, len: 70_000, fill: Fill::Byte(0) };
    let base = disk(DISK);
    let middle = base.overwritten("middle", text);
    let top = middle.overwritten("top", zeros);
    let over = |disk, parent, name, format| {
        let parent = Parent { disk: Some(parent), name, format: Some(format) };
        lay(disk, &Options { parent: Some(parent), ..Options::default() }).bytes
    };
    folder.disk(&base);
    folder.disk(&top);
    folder.put("middle.qcow2", over(&middle, &base, "odd-capacity.raw", "raw"));
    folder.put(QCOW2, over(&top, &middle, "middle.qcow2", "qcow2"));
    folder.same(QCOW2, "top.raw");
    let document = folder.run("info --chain --json disk.qcow2").succeeds().json("info");
    let names: Vec<_> = document["images"].as_array().unwrap().iter().map(|image| &image["filename"]).collect();
    assert_eq!(names, ["disk.qcow2", "middle.qcow2", "odd-capacity.raw"]);
}

#[test]
fn a_chain_that_comes_back() {
    let folder = Folder::new();
    for format in [Some("qcow2"), None] {
        folder.put("a.qcow2", over("b.qcow2", format));
        folder.put("b.qcow2", over("a.qcow2", format));
        folder.put("self.qcow2", over("self.qcow2", format));
        for (image, back) in [("a.qcow2", "a.qcow2"), ("self.qcow2", "self.qcow2")] {
            folder.refuses(image, image, &["comes back to", back]);
            folder.run_tight(&format!("info --chain {image}")).fails(&["comes back to", back]);
            folder.run_tight(&format!("info {image}")).succeeds();
        }
        // Into the circle from outside, and by another name of the same file.
        folder.put(QCOW2, over("a.qcow2", format));
        folder.refuses(QCOW2, QCOW2, &["comes back to", "a.qcow2"]);
    }
    std::fs::hard_link(folder.path("self.qcow2"), folder.path("again.qcow2")).unwrap();
    folder.expect(&["again.qcow2"]);
    folder.put(QCOW2, over("again.qcow2", Some("qcow2")));
    folder.refuses(QCOW2, QCOW2, &["comes back to"]);
}

#[test]
fn a_chain_too_deep() {
    let folder = Folder::new();
    for number in 0..220 {
        folder.put(&format!("{number}.qcow2"), small_over(&format!("{}.qcow2", number + 1)));
    }
    folder.refuses("0.qcow2", "0.qcow2", &["more than 200 images"]);
    folder.disk(&disk("one-sector"));
    folder.put("220.qcow2", small_over("one-sector.raw"));
    folder.run_tight("compare 100.qcow2 one-sector.raw").succeeds();
}

/// An overlay of few bytes over a disk of one sector.
fn small_over(name: &str) -> Vec<u8> {
    let parent = Parent { disk: Some(&disk("one-sector")), name, format: None };
    lay(&disk("one-sector"), &Options { parent: Some(parent), cluster_bits: 9, ..Options::default() }).bytes
}

#[test]
fn a_chain_with_a_missing_file() {
    let folder = Folder::new();
    for image in naming("gone.raw") {
        folder.put(QCOW2, image);
        folder.refuses(QCOW2, "gone.raw", &["missing", "hint:"]);
        folder.run_tight("check disk.qcow2").succeeds();
    }
    folder.put("middle.qcow2", over("gone.raw", None));
    folder.put(QCOW2, over("middle.qcow2", Some("qcow2")));
    folder.refuses(QCOW2, "gone.raw", &["missing", "hint:"]);
    folder.run_tight("info --chain disk.qcow2").fails(&["gone.raw", "missing"]);
}

#[test]
fn a_parent_of_a_format_that_there_is_not() {
    let folder = Folder::new();
    folder.disk(&disk(DISK));
    folder.put(QCOW2, over("odd-capacity.raw", Some("qc\x1bow9")));
    folder.refuses(QCOW2, "odd-capacity.raw", &["format", "ow9"]);
    let outcome = folder.run_tight("info disk.qcow2").succeeds();
    assert!(!outcome.stdout.contains('\x1b'), "{outcome}");
    let outcome = folder.run_tight("digest disk.qcow2");
    assert!(!outcome.stderr.contains('\x1b'), "{outcome}");
    // It says what it is, and is not.
    folder.put(QCOW2, over("odd-capacity.raw", Some("qcow2")));
    folder.refuses(QCOW2, "odd-capacity.raw", &["no qcow2 image"]);
}

/// An image that is beneath another must not be taken for something else by what a guest wrote into it.
#[test]
fn a_raw_disk_that_a_guest_made_look_like_an_overlay_stays_raw() {
    let folder = Folder::new();
    folder.put("secret", [b'S'; 4096]);
    folder.put("guest.raw", over("secret", Some("raw")));
    folder.put(QCOW2, over("guest.raw", Some("raw")));
    folder.makes("convert disk.qcow2 out.raw", &["out.raw"]);
    assert!(folder.read("out.raw").starts_with(b"QFI\xfb"));
    folder.makes("convert -f raw guest.raw again.raw", &["again.raw"]);
    assert_eq!(folder.read("again.raw"), folder.read("guest.raw"));
}

#[test]
fn a_data_file_that_is_not_named() {
    let folder = Folder::new();
    let mut image = data_in("x");
    // The extension is made one of an unknown type.
    image[112..116].copy_from_slice(&[0x12; 4]);
    folder.put(QCOW2, image);
    folder.refuses(QCOW2, QCOW2, &["another file", "does not name it"]);
}

#[test]
fn a_data_file_that_is_too_short() {
    let folder = Folder::new();
    folder.put("short.raw", [7; 1000]);
    folder.put(QCOW2, data_in("short.raw"));
    folder.refuses(QCOW2, "short.raw", &["past the end"]);
}

fn make_pipe(folder: &Folder) {
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    folder.expect(&["pipe"]);
}
