//! Images and packages of other projects that must not be read: damaged, hostile, or not all there. Every command ends within a second
//! of time and within little memory, with an error where there is nothing to be had.
//!
//! `VIMAGE_SAMPLES` names a folder of them with an `INDEX.tsv` that says which they are, and what to expect. Without it this is left out.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};
use support::samples::{index, root, with_neighbors};
use support::{Folder, Outcome};

/// Formats that are read, and packages with disks of these.
const FORMATS: [&str; 5] = ["raw", "qcow2", "vmdk", "vdi", "ova"];

/// The longest that a command may take.
const SOON: Duration = Duration::from_secs(1);

/// A sample, the exit status of `info` and of `check`, and what the others say.
struct Expected {
    file: &'static str,
    /// `info` reads heads, and tells what they claim.
    info: i32,
    /// `check` looks at the image's own file: what is wrong beneath it is no finding.
    check: i32,
    /// What every command that needs the disk must say; none where its bytes can be had all the same.
    words: Option<&'static str>,
}

static EXPECTED: [Expected; 12] = [
    // Its only extent is not there.
    Expected { file: "vmfs_thick-000001.vmdk", info: 0, check: 1, words: Some("vmfs_thick-000001-delta.vmdk") },
    // Devices of somebody else's machine.
    Expected { file: "vbox-fullDevice.vmdk", info: 0, check: 2, words: Some("fullDevice") },
    Expected { file: "vmware-partitionedDevice.vmdk", info: 0, check: 2, words: Some("partitionedDevice") },
    // 2.2e18 sectors, found by fuzzing.
    Expected { file: "afl9.vmdk", info: 2, check: 1, words: Some("afl9.vmdk") },
    // A stream that was cut short.
    Expected { file: "vmdk-invalid.img", info: 2, check: 2, words: Some("vmdk-invalid.img") },
    // Over another, which lies over this one.
    Expected { file: "loop-1.qcow2", info: 0, check: 0, words: Some("loop-1.qcow2") },
    // Over a network's device, a file that is not there, one of another folder.
    Expected { file: "qcow2_nbd-raw.qcow2", info: 0, check: 0, words: Some("nbd+tcp://example.org") },
    Expected { file: "qcow2_qcow2-missing.qcow2", info: 0, check: 0, words: Some("bogus") },
    Expected { file: "qcow2_raw-raw-reldir.qcow2", info: 0, check: 0, words: Some("../raw") },
    // 65,536 snapshots of garbage over a sound disk.
    Expected { file: "invalid-qcow-large-json.img", info: 0, check: 1, words: None },
    // The descriptor alone; a picture.
    Expected { file: "glance-testserver-no-disk.ova", info: 0, check: 2, words: Some("no disk") },
    Expected { file: "glance-not-tar.ova", info: 2, check: 2, words: Some("no tar") },
];

/// Runs the words of `line`, which must end soon; nothing may be left.
#[track_caller]
fn soon(folder: &Folder, line: &str) -> Outcome {
    let run = || {
        let begun = Instant::now();
        (folder.run_tight(line), begun.elapsed())
    };
    // Another process may have the machine for a moment.
    let (outcome, took) = Some(run()).filter(|(_, took)| *took < SOON).unwrap_or_else(run);
    assert!(took < SOON, "{took:?}: {outcome}");
    outcome
}

#[test]
fn nothing_bad_takes_long_or_much() {
    let Some(root) = root() else { return };
    let rows = index(&root);
    let bad: Vec<_> =
        rows.iter().filter(|row| FORMATS.contains(&row[1].as_str()) && row[9] == "error/limited").collect();
    for row in &bad {
        let (folder, file) = with_neighbors(&root, row);
        let known = EXPECTED.iter().find(|expected| expected.file == file);
        let &Expected { info, check, words, .. } = known.unwrap_or_else(|| panic!("what is to come of {file}?"));
        for line in ["info", "info --json"] {
            soon(&folder, &format!("{line} {file}")).ends(info);
        }
        for line in ["check", "check --json", "check -q"] {
            soon(&folder, &format!("{line} {file}")).ends(check);
        }
        for line in ["map", "map --json", "measure -O qcow2", "measure -c -O vmdk", "digest", "compact -n"] {
            let outcome = soon(&folder, &format!("{line} {file}"));
            match words {
                Some(words) => drop(outcome.fails(&[words])),
                // What compacting would lose, it refuses.
                None => drop(outcome.ends(if line == "compact -n" { 2 } else { 0 })),
            }
            folder.check();
        }
        for line in
            ["compare FILE FILE", "convert FILE -O raw out", "convert FILE -c -O vmdk out", "convert FILE -O ova out"]
        {
            let outcome = soon(&folder, &line.replace("FILE", &file));
            match words {
                Some(words) => drop(outcome.fails(&[words])),
                None => drop(outcome.ends(0)),
            }
            if words.is_none() && line.starts_with("convert") {
                folder.expect(&["out"]);
                folder.remove("out");
            }
            folder.check();
        }
    }
    assert_eq!(bad.len(), EXPECTED.len(), "some that were here are gone");
}
