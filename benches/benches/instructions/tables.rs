//! Building the tables of a large disk that holds little, here and there, and reading them.

use crate::one_thread::one_thread;
use gungraun::{library_benchmark, library_benchmark_group};
use std::path::{Path, PathBuf};
use vimage_core::formats::by_name;
use vimage_core::io::Outputs;
use vimage_core::target::{Encoding, Target, Whole};
use vimage_core::{ContentDigest, ConvertOptions, Extents, OpenImage, measure, open};

/// Bytes of the disk: 512 L2 tables of a qcow2, 8192 grain tables.
const SIZE: u64 = 256 << 30;

/// Clusters, grains or blocks in which it holds something.
const HELD: u64 = 4096;

/// Where it does: somewhere in each of as many equal parts.
fn places() -> impl Iterator<Item = u64> {
    const CLUSTER: u64 = 64 << 10;
    let part = SIZE / HELD / CLUSTER;
    (0..HELD).map(move |number| (number * part + number * number * 7 % part) * CLUSTER)
}

fn begin(format: &str, path: &Path, outputs: &Outputs) -> Target {
    by_name(format).unwrap().create(path, Some(SIZE), &Default::default(), outputs).unwrap()
}

/// What a writer does for the disk: with its smallest units, as what they hold is not the point.
fn fill(target: Target) {
    let Target { units, mut writer, .. } = target;
    let unit = vec![1; units.size];
    places().for_each(|offset| writer.append(offset, &unit, Encoding::Plain).unwrap());
    writer.finish(&Whole { size: SIZE, content: Some(ContentDigest([1; 32])) }).unwrap();
}

fn begun(format: &str) -> Target {
    begin(format, Path::new("disk"), &Outputs::measuring())
}

#[library_benchmark(setup = begun)]
#[bench::qcow2("qcow2")]
#[bench::vdi("vdi")]
#[bench::monolithic_sparse("vmdk")]
fn building(target: Target) {
    fill(target);
}

/// The disk as qcow2, a file of 48 MiB.
fn qcow2() -> OpenImage {
    one_thread();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scattered.qcow2");
    let outputs = Outputs::new(true, Vec::new()).unflushed();
    fill(begin("qcow2", &path, &outputs));
    outputs.publish().unwrap();
    open(path, &Default::default()).unwrap()
}

#[library_benchmark(setup = qcow2)]
#[bench::qcow2()]
fn mapping(disk: OpenImage) -> usize {
    Extents::of(&disk).map(Result::unwrap).count()
}

// As another qcow2: read, looked into and laid out, but not written.
#[library_benchmark(setup = qcow2)]
#[bench::qcow2()]
fn measuring(disk: OpenImage) -> u64 {
    measure(&disk, "disk.qcow2", &ConvertOptions::to("qcow2"), &()).unwrap()[0].allocated
}

library_benchmark_group!(name = table_building, benchmarks = [building, mapping, measuring]);
