//! Runs whose reads and writes do less than they are asked for: a library stands before the C library's.

use crate::ground::Ground;
use crate::support::{Outcome, run};
use std::path::PathBuf;
use std::process::Command;

/// The library, built anew.
pub(crate) struct Short {
    folder: tempfile::TempDir,
}

impl Short {
    /// Builds it; none where there is no C compiler.
    pub(crate) fn build() -> Option<Self> {
        let short = Short { folder: tempfile::tempdir().unwrap() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/short.c");
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-o"]).arg(short.library()).arg(source);
        let built = command.output().ok()?;
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Some(short)
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("short.so")
    }

    /// Runs the job; tells how many reads and writes were short.
    pub(crate) fn run(&self, ground: &Ground) -> (Outcome, usize, usize) {
        let told = self.folder.path().join("told");
        let mut command = ground.command();
        // Where it tells is no file of the job.
        command.arg("--sandbox=off").env("LD_PRELOAD", self.library()).env("SHORT", &told);
        let outcome = run(command);
        let told = std::fs::read_to_string(told).unwrap();
        let (reads, writes) = told.split_once(' ').unwrap();
        (outcome, reads.parse().unwrap(), writes.parse().unwrap())
    }
}
