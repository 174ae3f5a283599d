//! What compacting costs in instructions, which do not depend on the machine's mood: `cargo bench -p vimage-benches`.
//!
//! Needs valgrind, `gungraun-runner` of the version in `Cargo.lock`, and the disk of `benches/compaction-disk.sh`. The figures below
//! are what the present code needs with the toolchain that CI uses; a build that needs 3 % more fails. Who makes it faster,
//! or has a good reason to make it slower, writes the new figure here in the same commit.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may")]

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use vimage_core::guest::Survey;
use vimage_core::{CompactOptions, Compacted, OpenImage, compact, guest::survey, open};

/// Instructions of reading the guest's maps.
const SURVEY: u64 = 317_473;

/// Instructions of compacting the raw disk, all but the writing.
const RAW: u64 = 67_397_438;

/// The same for the disk as qcow2.
const QCOW2: u64 = 69_291_045;

/// More than this fails: 3 %.
fn limit(counted: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, counted + counted * 3 / 100)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

fn disk(name: &str) -> PathBuf {
    // One thread does it all: others would be counted while they wait.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/compaction").join(name);
    assert!(path.exists(), "{} is missing: benches/compaction-disk.sh makes it", path.display());
    path
}

fn opened(name: &str) -> OpenImage {
    open(disk(name), &Default::default()).unwrap()
}

#[library_benchmark(config = limit(SURVEY))]
#[bench::ext4(args = ("disk.raw"), setup = opened)]
fn surveying(image: OpenImage) -> Survey {
    black_box(survey(&image, &()).unwrap())
}

#[library_benchmark(config = limit(RAW))]
#[bench::raw(args = ("disk.raw"), setup = disk)]
fn compacting_raw(path: PathBuf) -> Compacted {
    black_box(dry(&path))
}

#[library_benchmark(config = limit(QCOW2))]
#[bench::qcow2(args = ("disk.qcow2"), setup = disk)]
fn compacting_qcow2(path: PathBuf) -> Compacted {
    black_box(dry(&path))
}

fn dry(path: &Path) -> Compacted {
    compact(path, &CompactOptions { dry_run: true, ..CompactOptions::default() }, &()).unwrap()
}

library_benchmark_group!(name = compaction, benchmarks = [surveying, compacting_raw, compacting_qcow2]);
main!(library_benchmark_groups = compaction);
