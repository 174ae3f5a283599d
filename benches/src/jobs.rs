//! What is measured: one command of vimage and the command of qemu-img that people use for the same.

use std::path::{Path, PathBuf};

/// A pair of commands that do the same.
pub(crate) struct Job {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    pub(crate) vimage: Run,
    pub(crate) peer: Run,
}

/// A command, and the output that it makes in a folder of its own.
pub(crate) struct Run {
    pub(crate) command: Vec<String>,
    pub(crate) folder: PathBuf,
}

/// Words of a command; `SRC`, `STREAM` and `OUT` stand for the disk, for it as streamOptimized, and for the output.
const JOBS: [(&str, &str, &str); 10] = [
    (
        "raw → streamOptimized",
        "convert -q SRC OUT.vmdk -O vmdk -o subformat=streamOptimized",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=streamOptimized",
    ),
    ("raw → raw", "convert -q SRC OUT.raw -O raw", "convert -f raw SRC OUT.raw -O raw"),
    ("raw → raw, both flushed", "convert -q SRC OUT.raw -O raw", "convert -t writeback -f raw SRC OUT.raw -O raw"),
    ("raw → raw, neither flushed", "convert -q -t unsafe SRC OUT.raw -O raw", "convert -f raw SRC OUT.raw -O raw"),
    (
        "raw → monolithicSparse",
        "convert -q SRC OUT.vmdk -O vmdk -o subformat=monolithicSparse",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=monolithicSparse",
    ),
    (
        "raw → split sparse",
        "convert -q SRC OUT.vmdk -O vmdk --split 2G",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=twoGbMaxExtentSparse",
    ),
    (
        "raw → monolithicFlat",
        "convert -q SRC OUT.vmdk -O vmdk -o subformat=monolithicFlat",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=monolithicFlat",
    ),
    ("streamOptimized → raw", "convert -q STREAM OUT.raw -O raw", "convert -f vmdk STREAM OUT.raw -O raw"),
    ("compare raw, streamOptimized", "compare -q SRC STREAM", "compare -q -f raw -F vmdk SRC STREAM"),
    ("info", "info STREAM", "info -f vmdk STREAM"),
];

/// Every job over `disk`, with outputs in `folder`. The streamOptimized source is made by the first job's measure.
pub(crate) fn all(vimage: &Path, disk: &Path, folder: &Path) -> Vec<Job> {
    let stream = folder.join("stream/OUT.vmdk");
    let run = |program: &Path, words: &str, folder: PathBuf| {
        let place = |word: &str| match word {
            "SRC" => disk.display().to_string(),
            "STREAM" => stream.display().to_string(),
            word if word.starts_with("OUT") => folder.join(word).display().to_string(),
            word => word.to_owned(),
        };
        let command = std::iter::once(program.display().to_string()).chain(words.split(' ').map(place)).collect();
        Run { command, folder }
    };
    let job = |(index, (name, ours, theirs)): (usize, (&'static str, &str, &str))| Job {
        name,
        // What the first job of vimage leaves is the source of the later ones.
        vimage: run(vimage, ours, if index == 0 { folder.join("stream") } else { folder.join("vimage") }),
        peer: run(Path::new("qemu-img"), theirs, folder.join("qemu")),
    };
    JOBS.into_iter().enumerate().map(job).collect()
}
