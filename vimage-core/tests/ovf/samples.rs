//! Descriptors that other people's tools wrote, with what an independent parser found in them.
//!
//! `VIMAGE_SAMPLES` names a folder with `INDEX.tsv` and, in `ovf`, descriptors compressed with zstd and a tar of more.

use crate::left_out::left_out;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder of samples.
const SAMPLES: &str = "VIMAGE_SAMPLES";

/// A descriptor of the collection.
#[allow(dead_code, reason = "not every test looks at all of it")]
pub(crate) struct Sample {
    /// Its name in the index.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// `upstream class POS` or `NEG` where it comes from a corpus that has classes.
    pub(crate) class: String,
    /// What was found in it: `ns=1.x; files=1:a.vmdk; disks=1:1073741824[sparse]; systems=1; …`.
    pub(crate) notes: String,
    /// Whether nothing is wrong with it that anybody knows of.
    pub(crate) sound: bool,
}

#[allow(dead_code, reason = "not every test asks all of it")]
impl Sample {
    /// The value of `key` in the notes: everything up to the next semicolon.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        let parts = self.notes.split(['|', ';']).map(str::trim);
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Whether its name ends with one of `names`.
    pub(crate) fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.name.ends_with(name))
    }
}

/// All descriptors of the index; none, said by name, where there is no collection.
pub(crate) fn samples(test: &str) -> Vec<Sample> {
    let Some(folder) = std::env::var_os(SAMPLES).filter(|folder| !folder.is_empty()).map(PathBuf::from) else {
        left_out(test, &format!("{SAMPLES} names no folder"));
        return Vec::new();
    };
    if Command::new("zstd").args(["--version", "-q"]).output().is_err() {
        left_out(test, "zstd is not installed");
        return Vec::new();
    }
    let unpacked = tempfile::tempdir().unwrap();
    unpack(&folder.join("ovf/govmomi.tar.zst"), unpacked.path());
    let text = fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let found: Vec<_> = text.lines().filter_map(|line| sample(line, &folder, unpacked.path())).collect();
    // An index that lost its lines would let everything pass.
    assert!(found.len() > 300, "only {} descriptors are in the index", found.len());
    found
}

fn sample(line: &str, folder: &Path, unpacked: &Path) -> Option<Sample> {
    let columns: Vec<_> = line.split('\t').collect();
    let [file, "ovf", class, _, _, _, _, notes, _, expect, ..] = columns[..] else { return None };
    let bytes = match file.split_once('#') {
        Some(("ovf/govmomi.tar.zst", path)) => fs::read(unpacked.join("govmomi").join(path)).unwrap(),
        Some(_) => return None,
        None => Command::new("zstd").args(["-dcq"]).arg(folder.join(file)).output().unwrap().stdout,
    };
    let (class, notes) = (class.into(), notes.into());
    Some(Sample { name: file.into(), bytes, class, notes, sound: expect == "ok" })
}

fn unpack(packed: &Path, to: &Path) {
    let tar = to.join("packed.tar");
    assert!(Command::new("zstd").args(["-dqo"]).arg(&tar).arg(packed).status().unwrap().success());
    assert!(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(to).status().unwrap().success());
}
