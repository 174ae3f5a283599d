//! Packages that other people's tools made, as the command line tells of them.
//!
//! `VIMAGE_SAMPLES` names a folder of them with an `INDEX.tsv`, whose notes are of a parser that is not ours. Without it this is
//! left out.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Folder;
use support::samples::{index, root, unpack};

/// A descriptor, and how many disks the index says that it has; none for one that cannot be read.
struct Sample {
    path: PathBuf,
    disks: Option<usize>,
    broken: bool,
}

fn samples(root: &Path, folder: &Path) -> Vec<Sample> {
    let tar = unpack(&root.join("ovf/govmomi.tar.zst"), folder);
    assert!(Command::new("tar").arg("xf").arg(&tar).current_dir(folder).status().unwrap().success());
    let mut samples = Vec::new();
    for row in index(root).iter().filter(|row| row[1] == "ovf") {
        let path = match row[0].split_once('#') {
            Some((_, inside)) => folder.join("govmomi").join(inside),
            None => {
                let own = folder.join(row[0].replace('/', "_"));
                fs::create_dir_all(&own).unwrap();
                unpack(&root.join(&row[0]), &own)
            }
        };
        let disks = row[7].split("disks=").nth(1).map(|rest| rest.split([';', ' ']).next().unwrap());
        let disks = disks.map(|disks| disks.split(':').next().unwrap().parse().unwrap());
        samples.push(Sample { path, disks, broken: row[9] != "ok" });
    }
    samples
}

#[test]
fn info_names_the_disks_of_every_descriptor_and_verify_ends() {
    let Some(root) = root() else { return };
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::new();
    let samples = samples(&root, temporary.path());
    assert!(samples.len() > 400, "{}", samples.len());
    let (mut told, mut refused) = (0, 0);
    for sample in &samples {
        let path = sample.path.to_str().unwrap();
        let mut info = folder.command("info --json");
        info.arg(path);
        let outcome = support::run(info);
        let mut verify = folder.command("verify -q");
        verify.arg(path);
        let verified = support::run(verify);
        assert!(matches!(verified.status.code(), Some(0 | 1)), "{path}: {verified:?}");
        if outcome.status.code() == Some(0) {
            let document = outcome.json("info");
            let listed = document["disks"].as_array().unwrap().len();
            match sample.disks {
                Some(disks) if !path.contains("inside_content") => assert_eq!(listed, disks, "{path}"),
                _ => {}
            }
            told += 1;
        } else {
            // Only what the other parser cannot read either, or what is broken on purpose.
            assert!(sample.disks.is_none() || sample.broken, "{path}: {outcome:?}");
            refused += 1;
        }
    }
    assert!(told > 400 && refused < 20, "{told} told, {refused} refused");
}
