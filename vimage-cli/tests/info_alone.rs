//! `vimage info` opens the file that it was asked about and no other, as the system itself tells: whatever that names as its parent,
//! its data, its extents or its files.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::process::Command;
use support::hostile::descriptor;
use support::laid::{DISK, QCOW2};
use support::{Folder, VIMAGE, disk, left_out, run};
use vimage_fixtures::qcow2::{Options, Parent, lay};
use vimage_fixtures::vdi;

/// Where programs, libraries, and what the system tells of itself lie.
const SYSTEM: [&str; 8] = ["/lib", "/usr/", "/etc/ld.so", "/proc/", "/sys/", "/nix/", "/etc/localtime", "/dev/null"];

/// The names that a run of `vimage` with `words` opens or tries to, outside the system. A folder that is held to look names up from
/// gives nothing of any file, and is left out.
fn opened(folder: &Folder, words: &str) -> BTreeSet<String> {
    let mut command = Command::new("strace");
    // `creat` and `open` are not everywhere.
    command.args(["-f", "-qq", "-e", "trace=?open,openat,?openat2,?creat,?open_by_handle_at", "-e", "signal=none"]);
    command.args(["-o", "trace", VIMAGE]).args(words.split_whitespace());
    command.current_dir(folder.path("")).env_remove("LD_LIBRARY_PATH");
    let outcome = run(command);
    folder.expect(&["trace"]);
    assert_eq!(outcome.status.code(), Some(0), "{outcome}");
    let trace = folder.text("trace");
    folder.remove("trace");
    let names = trace.lines().filter(|line| line.contains("open") && !line.contains("O_DIRECTORY"));
    let names = names.filter_map(|line| line.split('"').nth(1));
    names.filter(|name| !SYSTEM.iter().any(|system| name.starts_with(system))).map(str::to_owned).collect()
}

fn can_trace() -> bool {
    let works = Command::new("strace").args(["-e", "trace=openat", "true"]).output();
    works.is_ok_and(|out| out.status.success()) || {
        left_out("strace is not there, or cannot trace here");
        false
    }
}

/// Asked about `image` in every way, `info` must open that alone, and name all of `others`.
#[track_caller]
fn alone(folder: &Folder, image: &str, others: &[&str]) {
    for words in ["info", "info --json", "info --allow-external"] {
        let line = format!("{words} {image}");
        folder.run(&line).succeeds().says(others);
        let found = opened(folder, &line);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [image], "{line}");
    }
}

fn over(name: &str, format: Option<&str>) -> Vec<u8> {
    let parent = Parent { disk: Some(&disk(DISK)), name, format };
    lay(&disk(DISK), &Options { parent: Some(parent), ..Options::default() }).bytes
}

/// Every kind of image that is made of several files, with all of them there.
#[test]
fn an_image_that_names_others() {
    if !can_trace() {
        return;
    }
    let folder = Folder::with(&[DISK]);
    let raw = &format!("{DISK}.raw");
    for format in [Some("raw"), None] {
        folder.put(QCOW2, over(raw, format));
        alone(&folder, QCOW2, &[raw]);
    }
    folder.put("top.qcow2", over(QCOW2, Some("qcow2")));
    alone(&folder, "top.qcow2", &[QCOW2]);
    folder.put(QCOW2, lay(&disk(DISK), &Options { data_file: Some(raw), ..Options::default() }).bytes);
    alone(&folder, QCOW2, &[raw]);
    // Converting opens it: so it would show here.
    let found = opened(&folder, &format!("digest {QCOW2}"));
    assert!(found.contains(QCOW2) && found.contains(raw), "{found:?}");

    folder.makes(&format!("convert {raw} flat.vmdk -o subformat=monolithicFlat -q"), &["flat.vmdk", "flat-flat.vmdk"]);
    alone(&folder, "flat.vmdk", &["flat-flat.vmdk"]);
    folder.makes(
        &format!("convert {raw} split.vmdk --split 2M -o subformat=twoGbMaxExtentSparse -q"),
        &["split.vmdk", "split-s001.vmdk", "split-s002.vmdk"],
    );
    alone(&folder, "split.vmdk", &["split-s001.vmdk", "split-s002.vmdk"]);
    let hint = "parentCID=00000002\nparentFileNameHint=\"flat.vmdk\"";
    let text = descriptor("RW 8 SPARSE \"split-s001.vmdk\"").replace("parentCID=ffffffff", hint);
    folder.put("delta.vmdk", text);
    alone(&folder, "delta.vmdk", &["flat.vmdk", "split-s001.vmdk"]);

    let ids = [[0x41; 16], [0x42; 16]];
    folder.put("parent.vdi", vdi::lay(&disk(DISK), &vdi::Options { ids, ..vdi::Options::default() }).bytes);
    let parent = vdi::Parent { disk: &disk(DISK), ids };
    let child = vdi::Options { parent: Some(parent), ..vdi::Options::default() };
    folder.put("child.vdi", vdi::lay(&disk(DISK), &child).bytes);
    alone(&folder, "child.vdi", &["41414141"]);
}

/// A folder of a descriptor, with all that it names; and the same as an archive.
#[test]
fn a_package_that_names_others() {
    if !can_trace() {
        return;
    }
    let folder = Folder::with(&["sparse"]);
    folder.put("vm.toml", "name = \"vm\"\n[[disk]]\nimage = \"sparse.raw\"\n");
    folder.run("pack vm.toml out -O ovf -q").succeeds();
    folder.expect(&["out"]);
    let files = ["vm.mf", "vm-disk1.vmdk"];
    for words in ["info", "info --json", "info --allow-external"] {
        let line = format!("{words} out/vm.ovf");
        folder.run(&line).succeeds().says(&files);
        let found = opened(&folder, &line);
        assert!(found.iter().all(|name| name.ends_with("vm.ovf")) && !found.is_empty(), "{line}: {found:?}");
    }
    folder.makes("pack vm.toml vm.ova -q", &["vm.ova"]);
    alone(&folder, "vm.ova", &files);
    std::fs::remove_dir_all(folder.path("out")).unwrap();
    folder.forget(&["out"]);
}

/// Numbered pieces are one file that was cut, and not named by anything in it: those that follow are its own bytes.
#[test]
fn pieces_are_the_file_that_was_asked_about() {
    if !can_trace() {
        return;
    }
    let folder = Folder::with(&[DISK]);
    folder.run(&format!("convert {DISK}.raw out.raw --split 1M -q")).succeeds();
    let made: Vec<_> = folder.names().into_iter().filter(|name| name.starts_with("out.raw.")).collect();
    made.iter().for_each(|name| folder.expect(&[name]));
    folder.put("out.vmdk", "beside them");
    let found: Vec<_> = opened(&folder, "info out.raw.001").into_iter().collect();
    assert_eq!(found, made);
}
