//! What the hot paths cost in instructions, which do not depend on the machine's mood: `benches/instructions.sh` counts them,
//! and compares them with its list.
//!
//! Needs valgrind, `gungraun-runner` of the version in `Cargo.lock`, and the disk of `benches/compaction-disk.sh`. What is not
//! about files goes from memory to nowhere, so that no file system has a say in it.
//!
//! The counts still depend on the toolchain and on the C library. They do not depend on the processor where it has AVX2: to
//! the code that looks for more, valgrind shows no more.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may")]

mod codecs;
mod compaction;
mod content;
mod one_thread;
mod tables;
mod zeros;

use codecs::coding;
use compaction::compacting;
use gungraun::{Callgrind, LibraryBenchmarkConfig, main};
use tables::table_building;
use zeros::zero_finding;

/// Instructions alone: simulated caches take twice the time.
///
/// The C library's own choice for copying and filling is one instruction that repeats, which is counted once for each byte: it
/// would hide all that is done beside it. With these thresholds it takes loops over wide registers, as for short pieces.
fn config() -> LibraryBenchmarkConfig {
    const LOOPS: &str = "glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:glibc.cpu.x86_rep_stosb_threshold=0x7fffffff";
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"])).env("GLIBC_TUNABLES", LOOPS);
    config
}

main!(config = config(); library_benchmark_groups = zero_finding, coding, table_building, compacting);
