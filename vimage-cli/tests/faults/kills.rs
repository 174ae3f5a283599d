//! Runs that are killed at moments which a seeded generator picks: at a call, or after a time.

use crate::ground::{Ground, Job};
use crate::support::{Running, left_out};
use crate::traced;
use crate::{all, tell};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// The calls before which a run is killed.
const CALLS: &[&str] = &[
    "pwrite64",
    "ftruncate",
    "fsync",
    "fallocate",
    "renameat2",
    "rename",
    "renameat",
    "flock",
    "getdents64",
    "write",
    "mkdir",
    "unlink",
    "rmdir",
];

/// How many are killed, where not all are.
const KILLS: usize = 12;

/// Numbers that are the same each time: SplitMix64, as Steele, Lea and Flood give it.
struct Numbers(u64);

impl Numbers {
    /// One below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// Kills runs of `job`, half of them at a call and half after a time; each time the next run makes all good.
pub(crate) fn killed(job: &'static Job, seed: u64) {
    let ground = Ground::new(job);
    let mut numbers = Numbers(seed);
    let mut told = Told::default();
    let kills = if all() { 1000 } else { KILLS };
    if traced::possible() {
        let calls = traced::counted_all(&ground, CALLS);
        for _ in 0..kills / 2 {
            let (call, there) = &calls[numbers.below(calls.len())];
            let outcome = traced::killed(&ground, call, numbers.below(there.len()) + 1);
            assert_eq!(outcome.status.signal(), Some(9), "{outcome}");
            ground.recovers(told.look(&ground));
        }
    } else {
        left_out("strace may not trace here, or is not there");
    }
    let mut there = false;
    for _ in 0..kills / 2 {
        let mut running = Running::start(ground.command());
        std::thread::sleep(Duration::from_micros(numbers.below(ground.took.as_micros() as usize) as u64));
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        there = told.look(&ground);
        // The one that would make all good may be killed, too.
        if there || numbers.below(3) > 0 {
            ground.recovers(there);
            there = false;
        }
    }
    ground.recovers(there);
    let Told { kills, there, parts } = told;
    tell(job, format!("{kills} kills: {there} times the output was there, {parts} parts were left and then removed"));
}

/// What came of it.
#[derive(Default)]
struct Told {
    kills: usize,
    there: usize,
    parts: usize,
}

impl Told {
    /// Looks at what a killed run left; tells whether the output is there.
    #[track_caller]
    fn look(&mut self, ground: &Ground) -> bool {
        let (there, parts) = ground.was_killed();
        self.kills += 1;
        self.there += usize::from(there);
        self.parts += parts;
        there
    }
}
