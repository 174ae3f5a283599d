//! Large disks: in time for what they hold, and in memory that does not depend on them.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};
use support::{Folder, MIB};
use vimage_fixtures::{Disk, Fill, Run};

/// The memory in KiB that a process may write to: its heap, its threads' stacks. The system refuses any more at once,
/// which no reading of a peak could show as surely, and what a process has in memory besides is its program.
const MOST: u64 = 200 << 10;

const THREADS: usize = 4;

/// What is slow with a disk of terabytes is slow by hours.
const QUICK: Duration = Duration::from_secs(20);

#[test]
fn three_tebibytes_in_seconds() {
    for (options, files) in [
        ("out.raw", 1),
        ("out.vmdk -o subformat=twoGbMaxExtentSparse", 1538),
        ("out.vmdk -c", 1),
        ("out.vmdk -o subformat=monolithicFlat", 2),
    ] {
        let folder = Folder::with(&["three-tib"]);
        let begun = Instant::now();
        folder.run_within(MOST, THREADS, &format!("convert three-tib.raw {options} -q")).succeeds();
        let names = folder.names();
        assert_eq!(names.len(), files + 1, "{options}");
        names.iter().for_each(|name| folder.expect(&[name]));
        let image = options.split(' ').next().unwrap();
        folder.run_within(MOST, THREADS, &format!("compare --strict {image} three-tib.raw")).succeeds();
        assert!(begun.elapsed() < QUICK, "{options}: {:?}", begun.elapsed());
    }
}

#[test]
fn three_tebibytes_are_too_much_for_one_sparse_file() {
    let folder = Folder::with(&["three-tib"]);
    for options in ["", "-o subformat=monolithicSparse"] {
        let line = format!("convert three-tib.raw out.vmdk {options}");
        folder.fails(&line, &["monolithicSparse", "at most", "hint: --split 2G", "subformat=monolithicFlat"]);
    }
}

/// A disk that is all data, several times as large as the memory that is allowed.
#[test]
fn the_memory_does_not_grow_with_the_data() {
    let folder = Folder::new();
    let runs = vec![Run { offset: 0, len: 300 * MIB, fill: Fill::Noise(9) }];
    folder.disk(&Disk { name: "noise", size: 300 * MIB, runs });
    for options in ["out.vmdk -c --level 1", "out.vmdk --split 100M", "out.raw"] {
        folder.run_within(MOST, THREADS, &format!("convert noise.raw {options} --force -q")).succeeds();
    }
    for line in ["digest noise.raw", "compare noise.raw out.vmdk", "digest --algorithm sha256 out.raw"] {
        folder.run_within(MOST, THREADS, line).succeeds();
    }
    folder.names().iter().for_each(|name| folder.expect(&[name]));
}
