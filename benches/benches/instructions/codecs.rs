//! Each target's own encoder, at the level that it has by default, and what undoes it.

use crate::content::{LEN, content, disk};
use crate::one_thread::one_thread;
use gungraun::{library_benchmark, library_benchmark_group};
use std::path::Path;
use vimage_core::codec::deflate::{Wrapping, inflate};
use vimage_core::codec::zstd::{decompress, decompress_frame};
use vimage_core::formats::by_name;
use vimage_core::io::Outputs;
use vimage_core::target::{Encoding, Units};
use vimage_core::{ConvertOptions, CreateOptions, Result, measure};

/// The encoder of a compressed target, and what it is to encode.
fn encoder(format: &str, settings: &str) -> (Units, Vec<u8>) {
    let options = CreateOptions { compress: true, settings: settings.parse().unwrap(), ..CreateOptions::default() };
    let target = by_name(format).unwrap();
    let target = target.create(Path::new("disk"), Some(LEN as u64), &options, &Outputs::measuring()).unwrap();
    (target.units, content())
}

#[library_benchmark(setup = encoder)]
#[bench::stream_optimized("vmdk", "")]
#[bench::qcow2_zlib("qcow2", "compression_type=zlib")]
#[bench::qcow2_near("qcow2", "compression_type=zlib,window=12")]
#[bench::qcow2_zstd("qcow2", "compression_type=zstd")]
#[bench::raw_zst("raw.zst", "")]
fn encoding((units, plain): (Units, Vec<u8>)) -> usize {
    let mut out = Vec::new();
    for unit in plain.chunks_exact(units.size) {
        units.encoder.encode(unit, &mut out).unwrap();
    }
    out.len()
}

// What is not compressed goes through the pipeline as it is.
#[library_benchmark]
#[bench::qcow2(setup = plain)]
fn passing(bytes: Vec<u8>) -> u64 {
    measure(&disk(bytes), "disk.qcow2", &ConvertOptions::to("qcow2"), &()).unwrap()[0].allocated
}

fn plain() -> Vec<u8> {
    one_thread();
    content()
}

/// Packed units of a target, each with the bytes that it holds.
struct Packed {
    units: Vec<Vec<u8>>,
    size: usize,
}

fn packed(format: &str, settings: &str) -> Packed {
    let (units, plain) = encoder(format, settings);
    let pack = |unit: &[u8]| {
        let mut out = Vec::new();
        let how = units.encoder.encode(unit, &mut out).unwrap();
        // What does not become smaller is not unpacked either.
        (how == Encoding::Packed).then_some(out)
    };
    Packed { units: plain.chunks_exact(units.size).filter_map(pack).collect(), size: units.size }
}

impl Packed {
    fn unpack<T>(&self, unpack: impl Fn(&[u8], &mut [u8]) -> Result<T>) -> Vec<u8> {
        let mut plain = vec![0; self.size];
        for unit in &self.units {
            unpack(unit, &mut plain).unwrap();
        }
        plain
    }
}

#[library_benchmark(setup = packed)]
#[bench::stream_optimized("vmdk", "")]
fn inflating_zlib(packed: Packed) -> Vec<u8> {
    packed.unpack(|unit, plain| inflate(unit, Wrapping::Zlib, plain))
}

#[library_benchmark(setup = packed)]
#[bench::qcow2("qcow2", "compression_type=zlib")]
fn inflating(packed: Packed) -> Vec<u8> {
    packed.unpack(|unit, plain| inflate(unit, Wrapping::None, plain))
}

#[library_benchmark(setup = packed)]
#[bench::qcow2("qcow2", "compression_type=zstd")]
fn decompressing(packed: Packed) -> Vec<u8> {
    packed.unpack(decompress)
}

#[library_benchmark(setup = packed)]
#[bench::raw_zst("raw.zst", "")]
fn decompressing_frames(packed: Packed) -> Vec<u8> {
    packed.unpack(decompress_frame)
}

library_benchmark_group!(
    name = coding,
    benchmarks = [encoding, passing, inflating_zlib, inflating, decompressing, decompressing_frames]
);
