//! Finding zeros: in blocks, and in a disk on its way through the pipeline.

use crate::content::{LEN, content, disk};
use crate::one_thread::one_thread;
use gungraun::{library_benchmark, library_benchmark_group};
use std::hint::black_box;
use vimage_core::zero::is_zero;
use vimage_core::{ConvertOptions, measure};

/// Bytes of a block in which the pipeline looks for zeros.
const BLOCK: usize = 4096;

/// Blocks of zeros but for their last bytes.
fn late() -> Vec<u8> {
    [[0; BLOCK - 1].as_slice(), &[1]].concat().repeat(LEN / BLOCK)
}

#[library_benchmark]
#[bench::zeros(vec![0; LEN])]
#[bench::data(content())]
#[bench::late(late())]
fn finding(slab: Vec<u8>) -> usize {
    // Known to the compiler, the length would make code that the pipeline does not run.
    slab.chunks_exact(black_box(BLOCK)).filter(|block| is_zero(block)).count()
}

// All that conversion does for a disk but the writing.
#[library_benchmark]
#[bench::zeros(args = (64 << 20), setup = zeros)]
fn converting(bytes: Vec<u8>) -> u64 {
    let disk = disk(bytes);
    measure(&disk, "disk.qcow2", &ConvertOptions::to("qcow2"), &()).unwrap()[0].allocated
}

/// A disk that holds that many zeros as data.
fn zeros(len: usize) -> Vec<u8> {
    one_thread();
    vec![0; len]
}

library_benchmark_group!(name = zero_finding, benchmarks = [finding, converting]);
