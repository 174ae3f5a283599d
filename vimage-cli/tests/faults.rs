//! What fails under a run, call by call, and runs that are killed: the source stays as it is, an output is whole or not there, the
//! error names the file and the cause, and what a killed run leaves behind the next one removes.
//!
//! A part of the calls is failed, and 30 runs of each job are killed; with `VIMAGE_FAULTS=all` every call is, and 1,000 runs are.

#![allow(clippy::unwrap_used)]

#[path = "faults/ground.rs"]
mod ground;
#[path = "faults/kills.rs"]
mod kills;
mod support;
#[path = "faults/traced.rs"]
mod traced;

use ground::{Ground, Job};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write;
use support::{Folder, left_out};
use traced::{Comes, FAULTS};

/// Packed units, tables behind them: one file.
const QCOW2: Job = Job { name: "qcow2", mebibytes: 4, line: "convert disk.raw out.qcow2 -c", main: "out.qcow2" };

/// Extents and their descriptor, which comes last.
const SPLIT: Job =
    Job { name: "split VMDK", mebibytes: 4, line: "convert disk.raw out.vmdk --split 1M", main: "out.vmdk" };

/// More than is flushed at the end alone: threads write it.
const BEHIND: Job = Job { name: "raw", mebibytes: 14, line: "convert disk.raw out.raw", main: "out.raw" };

/// The calls without which nothing is made.
const NEEDED: [&str; 5] = ["openat", "pread64", "pwrite64", "fsync", "renameat2"];

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
    let most = if all() { usize::MAX } else { 8 };
    let mut failed = BTreeSet::new();
    for fault in FAULTS {
        let calls = traced::counted(&ground, fault);
        let (mut errors, mut borne) = (0, 0);
        for nth in calls.evenly(most) {
            let (outcome, met) = traced::failed(&ground, fault, nth);
            assert!(met, "call {nth} of {} did not fail: {outcome}", fault.call);
            if outcome.status.code() == Some(0) {
                assert!(fault.comes != Comes::Error, "call {nth} of {fault} was passed over: {outcome}");
                ground.is_whole();
                ground.clear();
                borne += 1;
            } else {
                assert!(fault.comes != Comes::Output, "call {nth} of {fault} was not borne: {outcome}");
                ground.failed(&outcome.fails(&[fault.cause]));
                failed.insert(fault.call);
                errors += 1;
            }
        }
        tell(job, format!("{} calls of {fault}: {errors} errors, {borne} borne", calls.len()));
    }
    assert!(NEEDED.iter().all(|call| failed.contains(call)), "{failed:?}");
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
fn each_call_of_a_conversion_that_is_written_behind() {
    each_call_fails(&BEHIND);
}

#[test]
fn killed_conversions_to_qcow2() {
    kills::killed(&QCOW2, 1);
}

#[test]
fn killed_conversions_to_several_files() {
    kills::killed(&SPLIT, 2);
}

#[test]
fn killed_conversions_that_are_written_behind() {
    kills::killed(&BEHIND, 3);
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
