//! Other people's images and packages: `VIMAGE_SAMPLES` names a folder of them with an `INDEX.tsv`.

use super::{Folder, left_out};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of samples; without one, the running test is said to be left out.
pub(crate) fn root() -> Option<PathBuf> {
    let root = std::env::var_os("VIMAGE_SAMPLES").filter(|root| !root.is_empty()).map(PathBuf::from);
    if root.is_none() {
        left_out("VIMAGE_SAMPLES names no folder");
    }
    root
}

/// The lines of the index, each by its columns; the heading is left out.
pub(crate) fn index(root: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root.join("INDEX.tsv")).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Takes what is compressed with zstd apart, into `folder`.
pub(crate) fn unpack(packed: &Path, folder: &Path) -> PathBuf {
    let path = folder.join(packed.file_stem().unwrap());
    let status = Command::new("zstd").args(["-dqf", "-o"]).arg(&path).arg(packed).status().unwrap();
    assert!(status.success(), "{}", packed.display());
    path
}

/// The sample of that row of the index, with the others of its folder, in a folder of its own; and its name there.
pub(crate) fn with_neighbors(root: &Path, row: &[String]) -> (Folder, String) {
    let packed = root.join(&row[0]);
    let folder = Folder::new();
    let beside = packed.parent().unwrap().read_dir().unwrap().map(|beside| beside.unwrap().path());
    for beside in beside.filter(|beside| beside.is_file() && beside.extension().is_some_and(|ending| ending == "zst")) {
        let path = unpack(&beside, &folder.path(""));
        folder.expect(&[path.file_name().unwrap().to_str().unwrap()]);
    }
    (folder, packed.file_stem().unwrap().to_str().unwrap().to_owned())
}
