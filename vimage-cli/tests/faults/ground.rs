//! A run to be disturbed, and what must hold in its folder afterwards.

use crate::support::{Folder, MIB, Outcome, run};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use vimage_fixtures::{Disk, Fill, Run};

/// The source of every job.
pub(crate) const SOURCE: &str = "disk.raw";

/// A run to be disturbed.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    /// The size of its source, `disk.raw`.
    pub(crate) mebibytes: u64,
    pub(crate) line: &'static str,
    /// The file by which its output is known: where that is, all of it is.
    pub(crate) main: &'static str,
}

/// The folder of a job, with what an undisturbed run makes.
pub(crate) struct Ground {
    pub(crate) folder: Folder,
    pub(crate) job: &'static Job,
    sources: BTreeMap<String, (Vec<u8>, SystemTime)>,
    whole: BTreeMap<String, Vec<u8>>,
    /// How long that run took.
    pub(crate) took: Duration,
}

impl Ground {
    pub(crate) fn new(job: &'static Job) -> Self {
        let folder = Folder::new();
        folder.disk(&disk(job.mebibytes));
        let source = |name: String| {
            let changed = folder.path(&name).metadata().unwrap().modified().unwrap();
            let bytes = folder.read(&name);
            (name, (bytes, changed))
        };
        let sources: BTreeMap<_, _> = folder.names().into_iter().map(source).collect();
        let begun = Instant::now();
        run(quiet(folder.command(job.line))).succeeds();
        let took = begun.elapsed();
        let made = folder.names().into_iter().filter(|name| !sources.contains_key(name));
        let whole = made.map(|name| (name.clone(), folder.read(&name))).collect();
        let ground = Ground { folder, job, sources, whole, took };
        assert!(ground.whole.contains_key(job.main));
        ground.clear();
        ground
    }

    /// The job's command.
    pub(crate) fn command(&self) -> Command {
        quiet(self.folder.command(self.job.line))
    }

    /// The sources are as they were: each byte, and the time.
    #[track_caller]
    fn sources_are_untouched(&self) {
        for (name, (bytes, changed)) in &self.sources {
            assert!(self.folder.read(name) == *bytes, "{name} is another");
            assert_eq!(self.folder.path(name).metadata().unwrap().modified().unwrap(), *changed, "{name}");
        }
    }

    /// The run ended with an error that names a file of the job, and left nothing.
    #[track_caller]
    pub(crate) fn failed(&self, outcome: &Outcome) {
        self.sources_are_untouched();
        self.folder.check();
        let first = outcome.stderr.lines().next().unwrap_or_default();
        let named = self.sources.keys().chain(self.whole.keys()).any(|name| first.contains(name.as_str()));
        assert!(named, "no file is named: {outcome}");
        assert!(
            outcome.stderr.lines().skip(1).all(|line| line.starts_with("hint: ")),
            "more than one error: {outcome}"
        );
    }

    /// All is there, as it is without a fault, and nothing else.
    #[track_caller]
    pub(crate) fn is_whole(&self) {
        self.sources_are_untouched();
        let all: BTreeSet<_> = self.sources.keys().chain(self.whole.keys()).cloned().collect();
        assert_eq!(self.folder.names(), all);
        for (name, bytes) in &self.whole {
            assert!(self.folder.read(name) == *bytes, "{name} is another");
        }
    }

    /// The run was killed: what has its own name is whole, all else is seen to be a part. Tells whether the output is there, and the
    /// number of parts.
    #[track_caller]
    pub(crate) fn was_killed(&self) -> (bool, usize) {
        self.sources_are_untouched();
        let mut parts = 0;
        for name in self.folder.names().into_iter().filter(|name| !self.sources.contains_key(name)) {
            match self.whole.get(&name) {
                Some(bytes) => assert!(self.folder.read(&name) == *bytes, "{name} is half-made"),
                None => {
                    let of = name.strip_prefix('.').and_then(|name| name.strip_suffix(".vimage-part"));
                    let of = of.and_then(|name| name.rsplit_once('.')).map(|(of, _)| of);
                    assert!(of.is_some_and(|of| self.whole.contains_key(of)), "what is {name}?");
                    parts += 1;
                }
            }
        }
        let there = self.folder.path(self.job.main).exists();
        if there {
            self.whole.keys().for_each(|name| assert!(self.folder.path(name).exists(), "{name} is missing"));
        }
        (there, parts)
    }

    /// The next run makes all, and removes what was left.
    #[track_caller]
    pub(crate) fn recovers(&self) {
        let mut command = self.command();
        command.arg("--force");
        run(command).succeeds();
        self.is_whole();
        self.clear();
    }

    /// Removes what was made.
    pub(crate) fn clear(&self) {
        self.whole.keys().for_each(|name| drop(std::fs::remove_file(self.folder.path(name))));
        self.folder.check();
    }
}

/// Text and noise by turns, and each eighth mebibyte a hole.
fn disk(mebibytes: u64) -> Disk {
    let run = |index| {
        let fill = if index % 2 == 0 { Fill::Text(index) } else { Fill::Noise(index) };
        Run { offset: index * MIB, len: MIB, fill }
    };
    let runs = (0..mebibytes).filter(|index| index % 8 != 2).map(run).collect();
    Disk { name: "disk", size: mebibytes * MIB, runs }
}

/// With one thread for the work, so that most calls come in one order.
fn quiet(mut command: Command) -> Command {
    command.arg("-q").env("RAYON_NUM_THREADS", "1");
    command
}
