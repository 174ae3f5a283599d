//! What fails under a run, call by call, and runs that are killed: the source stays as it is, an output is whole or not there, what was
//! there before is there again, the error names the file and the cause, and what a killed run leaves behind the next one removes.
//!
//! A part of the calls is failed, and a few runs of each job are killed; with `VIMAGE_FAULTS=all` every call is, and 1,000 runs are.

#![allow(clippy::unwrap_used)]

#[path = "faults/ground.rs"]
mod ground;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/short.rs"]
mod short;
mod support;
#[path = "faults/traced.rs"]
mod traced;

use ground::{DISK, Ground, Job};
use short::Short;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use support::{Folder, MIB, Running, left_out, wait_until};
use traced::{Comes, FAULTS};
use vimage_fixtures::{Disk, Fill, Run};

/// How many calls of a kind are failed, where not all are.
const MOST_CALLS: usize = 3;

/// A conversion of `disk.raw` to something new.
const NEW: Job = Job {
    name: "",
    mebibytes: 4,
    before: |_| {},
    line: "",
    source: DISK,
    spare: 0,
    main: "",
    needed: &["openat", "pread64", "pwrite64", "fsync", "renameat2"],
};

/// One that comes in the place of something old.
const OVER: Job = Job { needed: &["openat", "pread64", "pwrite64", "fsync", "renameat"], ..NEW };

/// Packed units, tables behind them: one file.
const QCOW2: Job = Job { name: "qcow2", line: "convert disk.raw out.qcow2 -c", main: "out.qcow2", ..NEW };

/// Extents and their descriptor, which comes last.
const SPLIT: Job = Job { name: "split VMDK", line: "convert disk.raw out.vmdk --split 1M", main: "out.vmdk", ..NEW };

/// The same in the place of fewer and larger ones.
const OVER_SPLIT: Job = Job {
    name: "split VMDK over another",
    before: |folder| made(folder, "convert disk.raw out.vmdk --split 2M"),
    line: "convert disk.raw out.vmdk --split 1M --force",
    main: "out.vmdk",
    ..OVER
};

/// Fewer pieces than there were, with their digests: the first comes last, and those behind the last go.
const OVER_PIECES: Job = Job {
    name: "raw pieces over others",
    before: |folder| made(folder, "convert disk.raw out.raw --split 1M --digest sha256,sha1"),
    line: "convert disk.raw out.raw --split 2M --digest sha256 --force",
    main: "out.raw.001",
    ..OVER
};

/// Two outputs of one run. Where it is killed between the two, the first stays.
const TWO: Job = Job {
    name: "two outputs",
    line: "convert disk.raw -O vmdk:file=out.vmdk,split=1M,qcow2:file=out.qcow2 . --force",
    main: "out.qcow2",
    ..OVER
};

/// More than is flushed at the end alone: threads write it.
const BEHIND: Job = Job { name: "raw", mebibytes: 14, line: "convert disk.raw out.raw", main: "out.raw", ..NEW };

/// An image with something behind its end that is of no use, written anew in its own place.
const COMPACT: Job = Job {
    name: "compacted qcow2",
    before: |folder| {
        made(folder, "convert disk.raw image.qcow2");
        lengthen(folder, "image.qcow2");
    },
    line: "compact image.qcow2",
    source: "image.qcow2",
    main: "image.qcow2",
    ..OVER
};

/// The same of several files.
const COMPACT_SPLIT: Job = Job {
    name: "compacted split VMDK",
    before: |folder| {
        made(folder, "convert disk.raw image.vmdk --split 2M");
        lengthen(folder, "image-s001.vmdk");
        lengthen(folder, "image-s002.vmdk");
    },
    line: "compact image.vmdk",
    source: "image-s002.vmdk",
    spare: 1,
    main: "image.vmdk",
    ..OVER
};

/// A file that stays what it is: what is freed in it was zero, and no byte of it changes.
const PUNCH: Job = Job {
    name: "punched raw",
    mebibytes: 14,
    before: |folder| folder.put("image.raw", folder.read(DISK)),
    line: "compact image.raw --punch",
    source: "image.raw",
    spare: 0,
    main: "image.raw",
    needed: &["openat", "pread64", "fallocate", "fsync"],
};

/// A tar of texts and a disk: one file.
const OVA: Job = Job { name: "OVA", line: "pack appliance.toml", main: "machine.ova", ..NEW };

/// A folder with a machine and its disk, that is made for them.
const FOLDER: Job =
    Job { name: "folder", line: "pack appliance.toml -O vmx --split 1M", main: "machine/machine.vmx", ..NEW };

/// The same in the place of another.
const OVER_FOLDER: Job = Job {
    name: "folder over another",
    before: |folder| made(folder, "pack appliance.toml -O vmx --split 2M"),
    line: "pack appliance.toml -O vmx --split 1M --force",
    main: "machine/machine.vmx",
    ..OVER
};

/// Runs `line`, which must succeed.
fn made(folder: &Folder, line: &str) {
    folder.run(&format!("{line} -q")).succeeds();
}

/// Puts a mebibyte behind the end of a file.
fn lengthen(folder: &Folder, name: &str) {
    let mut file = std::fs::File::options().append(true).open(folder.path(name)).unwrap();
    file.write_all(&vec![0x5a; MIB as usize]).unwrap();
}

/// Whether every call is to be failed.
fn all() -> bool {
    std::env::var("VIMAGE_FAULTS").is_ok_and(|value| value == "all")
}

/// Prints a count, whatever the test harness keeps to itself.
fn tell(job: &Job, what: impl Display) {
    let _ = writeln!(std::io::stderr(), "faults: {}: {what}", job.name);
}

/// Fails calls of each kind, the first, the second and so on.
fn each_call_fails(job: &'static Job) {
    if !traced::possible() {
        return left_out("strace may not trace here, or is not there");
    }
    let ground = Ground::new(job);
    let most = if all() { usize::MAX } else { MOST_CALLS };
    let mut failed = BTreeSet::new();
    for fault in FAULTS {
        let calls = traced::counted(&ground, fault);
        let (mut errors, mut borne) = (0, 0);
        for nth in calls.evenly(most) {
            let (outcome, met) = traced::failed(&ground, fault, nth);
            assert!(met, "call {nth} of {} did not fail: {outcome}", fault.call);
            if outcome.status.code() == Some(0) {
                let spared = fault.call == "pread64" && borne < job.spare;
                assert!(fault.comes != Comes::Error || spared, "call {nth} of {fault} was passed over: {outcome}");
                ground.is_whole();
                ground.reset();
                borne += 1;
            } else {
                assert!(fault.comes != Comes::Output, "call {nth} of {fault} was not borne: {outcome}");
                ground.failed(&outcome.fails(&[fault.cause]));
                ground.reset();
                failed.insert(fault.call);
                errors += 1;
            }
        }
        tell(job, format!("{} calls of {fault}: {errors} errors, {borne} borne", calls.len()));
    }
    assert!(job.needed.iter().all(|call| failed.contains(call)), "{failed:?}");
}

#[test]
fn each_call_of_a_conversion_to_qcow2() {
    each_call_fails(&QCOW2);
}

#[test]
fn each_call_of_a_conversion_to_several_files() {
    each_call_fails(&SPLIT);
}

#[test]
fn each_call_of_a_conversion_over_several_files() {
    each_call_fails(&OVER_SPLIT);
}

#[test]
fn each_call_of_a_conversion_over_more_pieces() {
    each_call_fails(&OVER_PIECES);
}

#[test]
fn each_call_of_a_conversion_to_two_outputs() {
    each_call_fails(&TWO);
}

#[test]
fn each_call_of_a_conversion_that_is_written_behind() {
    each_call_fails(&BEHIND);
}

#[test]
fn each_call_of_compacting_in_place() {
    each_call_fails(&COMPACT);
}

#[test]
fn each_call_of_compacting_several_files_in_place() {
    each_call_fails(&COMPACT_SPLIT);
}

#[test]
fn each_call_of_punching() {
    each_call_fails(&PUNCH);
}

#[test]
fn each_call_of_packing_an_ova() {
    each_call_fails(&OVA);
}

#[test]
fn each_call_of_packing_a_folder() {
    each_call_fails(&FOLDER);
}

#[test]
fn each_call_of_packing_over_a_folder() {
    each_call_fails(&OVER_FOLDER);
}

#[test]
fn kills_of_a_conversion_to_qcow2() {
    kills::killed(&QCOW2, 1);
}

#[test]
fn kills_of_a_conversion_to_several_files() {
    kills::killed(&SPLIT, 2);
}

#[test]
fn kills_of_a_conversion_over_several_files() {
    kills::killed(&OVER_SPLIT, 3);
}

#[test]
fn kills_of_a_conversion_over_more_pieces() {
    kills::killed(&OVER_PIECES, 4);
}

#[test]
fn kills_of_a_conversion_to_two_outputs() {
    kills::killed(&TWO, 12);
}

#[test]
fn kills_of_a_conversion_that_is_written_behind() {
    kills::killed(&BEHIND, 5);
}

#[test]
fn kills_of_compacting_in_place() {
    kills::killed(&COMPACT, 6);
}

#[test]
fn kills_of_compacting_several_files_in_place() {
    kills::killed(&COMPACT_SPLIT, 7);
}

#[test]
fn kills_of_punching() {
    kills::killed(&PUNCH, 8);
}

#[test]
fn kills_of_packing_an_ova() {
    kills::killed(&OVA, 9);
}

#[test]
fn kills_of_packing_a_folder() {
    kills::killed(&FOLDER, 10);
}

#[test]
fn kills_of_packing_over_a_folder() {
    kills::killed(&OVER_FOLDER, 11);
}

/// What is read or written in pieces is the same.
#[test]
fn reads_and_writes_that_do_a_part_of_what_they_should() {
    let Some(short) = Short::build() else { return left_out("cc is not there") };
    for job in [&QCOW2, &SPLIT, &OVER_PIECES, &TWO, &BEHIND, &COMPACT, &COMPACT_SPLIT, &OVA, &FOLDER] {
        let ground = Ground::new(job);
        let (outcome, reads, writes) = short.run(&ground);
        outcome.succeeds();
        ground.is_whole();
        ground.reset();
        assert!(reads > 4 && writes > 1, "{}: {reads} reads and {writes} writes were short", job.name);
        tell(job, format!("{reads} short reads and {writes} short writes"));
    }
}

/// The source ends before it did when it was opened: that is an error which names it, and nothing is made of it.
#[test]
fn a_source_that_is_cut_while_it_is_read() {
    if !traced::possible() {
        return left_out("strace may not trace here, or is not there");
    }
    let folder = Folder::new();
    let runs = vec![Run { offset: 0, len: 8 * MIB, fill: Fill::Noise(1) }];
    folder.disk(&Disk { name: "disk", size: 8 * MIB, runs });
    folder.put("appliance.toml", format!("name = \"machine\"\n[[disk]]\nimage = \"{DISK}\"\n"));
    for target in ["image.qcow2", "image.vmdk --split 6M", "image.raw --split 6M"] {
        made(&folder, &format!("convert {DISK} {target}"));
    }
    folder.names().iter().for_each(|name| folder.expect(&[name]));
    for (line, source) in [
        ("convert disk.raw out.raw", DISK),
        ("convert disk.raw out.qcow2 -c", DISK),
        ("convert disk.raw out.vmdk --split 1M", DISK),
        ("pack appliance.toml", DISK),
        ("pack appliance.toml -O vmx", DISK),
        ("convert image.qcow2 out.raw", "image.qcow2"),
        ("convert image.vmdk out.raw", "image-s001.vmdk"),
        ("convert image.raw.001 out.qcow2", "image.raw.001"),
        ("compact image.qcow2", "image.qcow2"),
    ] {
        let whole = folder.read(source);
        let running = Running::start(traced::slowly(&folder, line, source));
        let begun = || folder.names().iter().any(|name| name.ends_with(".vimage-part") || name == "machine");
        wait_until("an output is begun", begun);
        let half = whole.len() as u64 / 2 + 100;
        std::fs::File::options().write(true).open(folder.path(source)).unwrap().set_len(half).unwrap();
        running.end_within(Duration::from_secs(60)).fails(&[source]);
        folder.check();
        assert!(folder.read(source) == whole[..half as usize], "{line}");
        std::fs::write(folder.path(source), whole).unwrap();
    }
}

/// The descriptor is away, and comes back when the image is compacted by its name, also by a link to it.
#[test]
fn an_image_that_is_half_replaced_is_compacted_again() {
    if !traced::possible() {
        return left_out("strace may not trace here, or is not there");
    }
    let ground = Ground::new(&COMPACT_SPLIT);
    assert_eq!(traced::killed(&ground, "rename", 3).status.signal(), Some(9));
    let words = ["image.vmdk", "hint: a run that was replacing it was killed", ".image.vmdk.vimage-undo"];
    for line in ["digest image.vmdk", "compact image.vmdk --dry-run"] {
        ground.folder.run(line).fails(&words);
    }
    ground.was_killed();
    let elsewhere = Folder::new();
    std::os::unix::fs::symlink(ground.folder.path("image.vmdk"), elsewhere.path("link")).unwrap();
    elsewhere.expect(&["link"]);
    elsewhere.makes("compact link -q", &[]);
    ground.is_whole();
    ground.reset();
}

/// Who looks for what a killed run was replacing is told where it is; a folder for it in which nothing is goes.
#[test]
fn what_is_away_is_told_of() {
    let folder = Folder::with(&["one-sector"]);
    let undo = ".out.vmdk.vimage-undo";
    std::fs::create_dir(folder.path(undo)).unwrap();
    folder.expect(&[undo]);
    folder.fails("digest out.vmdk", &["out.vmdk: cannot open", "hint: a run that was replacing it was killed", undo]);
    folder.forget(&[undo]);
    folder.makes("convert one-sector.raw other.raw -q", &["other.raw"]);
}

/// Only what nobody holds is left over: not what another run is writing, not what is of another output, not what is of others.
#[test]
fn what_is_left_over_is_removed_and_nothing_else() {
    let folder = Folder::with(&["one-sector"]);
    let (dead, others) = (
        [".out.raw.002.abcdef.vimage-part", ".out.raw.777.a1B2c3.vimage-part"],
        [".other.raw.001.abcdef.vimage-part", ".out.raw.001.vimage-part", "out.raw.001.abcdef.vimage-part"],
    );
    dead.iter().for_each(|name| std::fs::write(folder.path(name), "half").unwrap());
    others.iter().for_each(|name| folder.put(name, "theirs"));
    let held = ".out.raw.001.zzzzzz.vimage-part";
    folder.put(held, "under way");
    let file = std::fs::File::open(folder.path(held)).unwrap();
    file.lock().unwrap();
    folder.makes("convert one-sector.raw out.raw --split 1M -q", &["out.raw.001"]);
    assert_eq!(folder.text(held), "under way");
    drop(file);
    folder.forget(&[held]);
    folder.makes("convert one-sector.raw out.raw --split 1M -q --force", &["out.raw.001"]);
}
