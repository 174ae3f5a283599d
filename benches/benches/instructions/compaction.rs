//! Compacting: reading the guest's maps, and the whole of it, all but the writing.

use crate::one_thread::one_thread;
use gungraun::{library_benchmark, library_benchmark_group};
use std::path::{Path, PathBuf};
use vimage_core::guest::Survey;
use vimage_core::{CompactOptions, Compacted, OpenImage, compact, guest::survey, open};

fn disk(name: &str) -> PathBuf {
    one_thread();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/compaction").join(name);
    assert!(path.exists(), "{} is missing: benches/compaction-disk.sh makes it", path.display());
    path
}

fn opened(name: &str) -> OpenImage {
    open(disk(name), &Default::default()).unwrap()
}

#[library_benchmark]
#[bench::ext4(args = ("disk.raw"), setup = opened)]
fn surveying(image: OpenImage) -> Survey {
    survey(&image, &()).unwrap()
}

#[library_benchmark(setup = disk)]
#[bench::raw("disk.raw")]
#[bench::qcow2("disk.qcow2")]
fn dry(path: PathBuf) -> Compacted {
    compact(&path, &CompactOptions { dry_run: true, ..CompactOptions::default() }, &()).unwrap()
}

library_benchmark_group!(name = compacting, benchmarks = [surveying, dry]);
