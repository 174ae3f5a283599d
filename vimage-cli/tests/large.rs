//! Large disks: in time for what they hold, and in memory that does not depend on them.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};
use support::{Folder, MIB};
use vimage_core::{Content, ConvertOptions, Extent, Image, Result, convert};
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

/// 64 TiB with a gibibyte of data all over it: no file system here holds that as a raw file.
struct Scattered(Vec<u8>);

impl Scattered {
    const SIZE: u64 = 64 << 40;
    const RUNS: u64 = 1024;
    const SPAN: u64 = Self::SIZE / Self::RUNS;

    /// Where the data of the run that `offset` belongs to begin: elsewhere in each.
    fn start(offset: u64) -> u64 {
        let run = offset / Self::SPAN;
        run * Self::SPAN + run * 7919 % (Self::SPAN / MIB - 1) * MIB
    }
}

impl Image for Scattered {
    fn size(&self) -> u64 {
        Self::SIZE
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let start = Self::start(offset);
        let next = (offset / Self::SPAN + 1) * Self::SPAN;
        Ok(match offset {
            before if before < start => Extent::new(offset..start, Content::Hole),
            within if within < start + MIB => Extent::new(offset..start + MIB, Content::Data),
            _ => Extent::new(offset..next, Content::Hole),
        })
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        // The pipeline reads what the map calls data, a mebibyte aligned to its size at most.
        let from = (offset - Self::start(offset)) as usize;
        buf.copy_from_slice(&self.0[from..from + buf.len()]);
        Ok(())
    }
}

#[test]
fn sixty_four_tebibytes_in_time_for_what_they_hold() {
    let folder = Folder::new();
    // Never zero, so that nothing of it is left out.
    let disk = Scattered((0..MIB).map(|at| (at % 251 + 1) as u8).collect());
    for (name, format, settings) in
        [("small.qcow2", "qcow2", ""), ("large.qcow2", "qcow2", "cluster_size=2M"), ("disk.vdi", "vdi", "")]
    {
        let mut options = ConvertOptions::to(format);
        options.create.settings = settings.parse().unwrap();
        convert(&disk, folder.path(name), &options, &()).unwrap();
        let begun = Instant::now();
        for line in [
            format!("info {name}"),
            format!("check {name}"),
            format!("map --json {name}"),
            format!("measure {name} -O vdi"),
            format!("convert {name} again.qcow2 -q"),
            format!("compare {name} again.qcow2"),
        ] {
            folder.run_within(MOST, THREADS, &line).succeeds();
        }
        assert!(begun.elapsed() < QUICK, "{name}: {:?}", begun.elapsed());
        std::fs::remove_file(folder.path("again.qcow2")).unwrap();
        std::fs::remove_file(folder.path(name)).unwrap();
    }
}
