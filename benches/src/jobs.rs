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

/// A job: its name, the words of both commands, and the folder in which vimage's output stays as a source of later jobs.
///
/// In the words, `SRC` stands for the disk, `STREAM`, `PACKED` and `PLAIN` for it as streamOptimized, compressed and plain
/// qcow2, and `OUT` for the output.
type Words = (&'static str, &'static str, &'static str, Option<&'static str>);

/// The sources that jobs leave: the word, and the file.
const SOURCES: [(&str, &str); 3] =
    [("STREAM", "stream/OUT.vmdk"), ("PACKED", "packed/OUT.qcow2"), ("PLAIN", "plain/OUT.qcow2")];

const JOBS: [Words; 26] = [
    (
        "raw → streamOptimized",
        "convert -q SRC OUT.vmdk -O vmdk -o subformat=streamOptimized",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=streamOptimized",
        Some("stream"),
    ),
    ("raw → raw", "convert -q SRC OUT.raw -O raw", "convert -f raw SRC OUT.raw -O raw", None),
    (
        "raw → raw, both flushed",
        "convert -q SRC OUT.raw -O raw",
        "convert -t writeback -f raw SRC OUT.raw -O raw",
        None,
    ),
    (
        "raw → raw, neither flushed",
        "convert -q -t unsafe SRC OUT.raw -O raw",
        "convert -f raw SRC OUT.raw -O raw",
        None,
    ),
    (
        "raw → monolithicSparse",
        "convert -q SRC OUT.vmdk -O vmdk -o subformat=monolithicSparse",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=monolithicSparse",
        None,
    ),
    (
        "raw → split sparse",
        "convert -q SRC OUT.vmdk -O vmdk --split 2G",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=twoGbMaxExtentSparse",
        None,
    ),
    (
        "raw → monolithicFlat",
        "convert -q SRC OUT.vmdk -O vmdk -o subformat=monolithicFlat",
        "convert -f raw SRC OUT.vmdk -O vmdk -o subformat=monolithicFlat",
        None,
    ),
    ("streamOptimized → raw", "convert -q STREAM OUT.raw -O raw", "convert -f vmdk STREAM OUT.raw -O raw", None),
    (
        "streamOptimized → streamOptimized",
        "convert -q STREAM OUT.vmdk -c",
        "convert -f vmdk STREAM OUT.vmdk -O vmdk -o subformat=streamOptimized",
        None,
    ),
    ("compare raw, streamOptimized", "compare -q SRC STREAM", "compare -q -f raw -F vmdk SRC STREAM", None),
    ("info", "info STREAM", "info -f vmdk STREAM", None),
    (
        "raw → qcow2 -c zlib",
        "convert -q SRC OUT.qcow2 -c",
        "convert -c -m 16 -W -f raw SRC OUT.qcow2 -O qcow2",
        Some("packed"),
    ),
    (
        "raw → qcow2 -c zstd",
        "convert -q SRC OUT.qcow2 -c -o compression_type=zstd",
        "convert -c -m 16 -W -f raw SRC OUT.qcow2 -O qcow2 -o compression_type=zstd",
        None,
    ),
    ("qcow2 zlib → raw", "convert -q PACKED OUT.raw", "convert -m 16 -W -f qcow2 PACKED OUT.raw -O raw", None),
    (
        "qcow2 zlib → raw, both flushed",
        "convert -q PACKED OUT.raw",
        "convert -t writeback -m 16 -W -f qcow2 PACKED OUT.raw -O raw",
        None,
    ),
    (
        "qcow2 zlib → raw, neither flushed",
        "convert -q -t unsafe PACKED OUT.raw",
        "convert -m 16 -W -f qcow2 PACKED OUT.raw -O raw",
        None,
    ),
    (
        "qcow2 zlib → qcow2 zlib",
        "convert -q PACKED OUT.qcow2 -c",
        "convert -c -m 16 -W PACKED OUT.qcow2 -O qcow2",
        None,
    ),
    (
        "raw → qcow2, both flushed",
        "convert -q SRC OUT.qcow2",
        "convert -t writeback -f raw SRC OUT.qcow2 -O qcow2",
        Some("plain"),
    ),
    (
        "raw → qcow2, neither flushed",
        "convert -q -t unsafe SRC OUT.qcow2",
        "convert -f raw SRC OUT.qcow2 -O qcow2",
        None,
    ),
    ("qcow2 → raw, both flushed", "convert -q PLAIN OUT.raw", "convert -t writeback PLAIN OUT.raw -O raw", None),
    ("qcow2 → raw, neither flushed", "convert -q -t unsafe PLAIN OUT.raw", "convert PLAIN OUT.raw -O raw", None),
    ("raw → vdi, both flushed", "convert -q SRC OUT.vdi", "convert -t writeback -f raw SRC OUT.vdi -O vdi", None),
    ("raw → vdi, neither flushed", "convert -q -t unsafe SRC OUT.vdi", "convert -f raw SRC OUT.vdi -O vdi", None),
    ("compare raw, qcow2", "compare -q SRC PLAIN", "compare -q -f raw -F qcow2 SRC PLAIN", None),
    ("map qcow2", "map --json PLAIN", "map --output=json PLAIN", None),
    ("check qcow2", "check -q PLAIN", "check -q PLAIN", None),
];

/// Every job over `disk`, with outputs in `folder`. Sources that jobs leave are made when those are measured.
pub(crate) fn all(vimage: &Path, disk: &Path, folder: &Path) -> Vec<Job> {
    let run = |program: &Path, words: &str, own: PathBuf| {
        let place = |word: &str| match SOURCES.iter().find(|(name, _)| *name == word) {
            Some((_, file)) => folder.join(file).display().to_string(),
            None if word == "SRC" => disk.display().to_string(),
            None if word.starts_with("OUT") => own.join(word).display().to_string(),
            None => word.to_owned(),
        };
        let command = std::iter::once(program.display().to_string()).chain(words.split(' ').map(place)).collect();
        Run { command, folder: own }
    };
    let job = |(name, ours, theirs, leaves): Words| Job {
        name,
        vimage: run(vimage, ours, folder.join(leaves.unwrap_or("vimage"))),
        peer: run(Path::new("qemu-img"), theirs, folder.join("qemu")),
    };
    JOBS.into_iter().map(job).collect()
}
