//! A run to be disturbed, and what must hold in its folder afterwards.

use crate::support::{Folder, MIB, Outcome, run};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use vimage_fixtures::{Disk, Fill, Run};

/// The disk of every job, and its description as an appliance. No job writes to them.
pub(crate) const DISK: &str = "disk.raw";
const APPLIANCE: &str = "appliance.toml";

/// A run to be disturbed.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    /// The size of `disk.raw`.
    pub(crate) mebibytes: u64,
    /// Puts there what it finds.
    pub(crate) before: fn(&Folder),
    pub(crate) line: &'static str,
    /// A file of what it reads.
    pub(crate) source: &'static str,
    /// How many reads of that file may fail: what they read is there twice, and the second is read where the first cannot be.
    pub(crate) spare: usize,
    /// The file by which its output is known: where that is, all of it is.
    pub(crate) main: &'static str,
    /// The calls without which nothing is done.
    pub(crate) needed: &'static [&'static str],
}

/// Files by their paths within a folder; folders that are empty end in a slash.
type Tree = BTreeMap<String, Vec<u8>>;

/// The folder of a job, with what an undisturbed run makes.
pub(crate) struct Ground {
    pub(crate) folder: Folder,
    pub(crate) job: &'static Job,
    /// When the files that no job writes to were changed last.
    untouched: BTreeMap<&'static str, SystemTime>,
    before: Tree,
    after: Tree,
    /// How long that run took.
    pub(crate) took: Duration,
}

impl Ground {
    pub(crate) fn new(job: &'static Job) -> Self {
        let folder = Folder::new();
        folder.disk(&disk(job.mebibytes));
        folder.put(APPLIANCE, format!("name = \"machine\"\n[[disk]]\nimage = \"{DISK}\"\n"));
        let changed = |name| folder.path(name).metadata().unwrap().modified().unwrap();
        let untouched = [DISK, APPLIANCE].map(|name| (name, changed(name))).into();
        (job.before)(&folder);
        folder.names().iter().for_each(|name| folder.expect(&[name]));
        let before = tree(&folder.path(""));
        let begun = Instant::now();
        run(quiet(folder.command(job.line))).succeeds();
        let took = begun.elapsed();
        let after = tree(&folder.path(""));
        let ground = Ground { folder, job, untouched, before, after, took };
        assert!(ground.after.contains_key(job.main));
        ground.reset();
        ground
    }

    /// The job's command.
    pub(crate) fn command(&self) -> Command {
        quiet(self.folder.command(self.job.line))
    }

    /// Whether the output is new, and replaces nothing.
    fn is_new(&self) -> bool {
        !self.before.contains_key(self.job.main)
    }

    /// What is here now; what no job writes to is as it was.
    #[track_caller]
    fn now(&self) -> Tree {
        let now = tree(&self.folder.path(""));
        for (name, changed) in &self.untouched {
            assert!(now.get(*name) == self.before.get(*name), "{name} is another");
            assert_eq!(self.folder.path(name).metadata().unwrap().modified().unwrap(), *changed, "{name}");
        }
        now
    }

    /// The run ended with an error that names a file of the job, and all is as it was before.
    #[track_caller]
    pub(crate) fn failed(&self, outcome: &Outcome) {
        same(&self.now(), &self.before);
        let first = outcome.stderr.lines().next().unwrap_or_default();
        let names = || self.before.keys().chain(self.after.keys()).flat_map(|path| path.split('/'));
        assert!(names().any(|name| !name.is_empty() && first.contains(name)), "no file is named: {outcome}");
        assert!(
            outcome.stderr.lines().skip(1).all(|line| line.starts_with("hint: ")),
            "more than one error: {outcome}"
        );
    }

    /// All is there, as it is without a fault, and nothing else.
    #[track_caller]
    pub(crate) fn is_whole(&self) {
        same(&self.now(), &self.after);
    }

    /// The run was killed. What has a name of its own is whole, all else is seen to be a part; where the output is, all of it is,
    /// the old one or the new one; and no old file is lost. Tells whether the output is there, and the number of parts.
    #[track_caller]
    pub(crate) fn was_killed(&self) -> (bool, usize) {
        let (parts, own): (Tree, Tree) = self.now().into_iter().partition(|(path, _)| self.is_part(path));
        for (name, bytes) in own.iter().filter(|(name, _)| !name.ends_with('/')) {
            let whole = [&self.before, &self.after].into_iter().filter_map(|tree| tree.get(name));
            assert!(whole.into_iter().any(|whole| whole == bytes), "{name} is half-made");
        }
        let there = own.contains_key(self.job.main);
        assert!(!there || own == self.before || own == self.after, "a mixture: {:?}, {:?}", own.keys(), parts.keys());
        let kept = |(name, bytes): (&String, &Vec<u8>)| {
            let was = format!("/was/{}", name.rsplit('/').next().unwrap());
            own.get(name) == Some(bytes) || parts.iter().any(|(path, kept)| path.ends_with(&was) && kept == bytes)
        };
        let none_is_lost = own == self.after || self.before.iter().all(kept);
        assert!(none_is_lost, "something is lost: {:?}, {:?}", own.keys(), parts.keys());
        (there && own == self.after, parts.len())
    }

    /// Whether it is, or lies in, what bears the name of a part of one of the files.
    fn is_part(&self, path: &str) -> bool {
        let file = |name: &str| {
            self.before.keys().chain(self.after.keys()).any(|path| path.split('/').any(|part| part == name))
        };
        path.split('/').any(|name| {
            let of = |ending: &str| name.strip_prefix('.').and_then(|name| name.strip_suffix(ending));
            let part = of(".vimage-part").and_then(|name| name.rsplit_once('.')).map(|(name, _)| name);
            part.or_else(|| of(".vimage-undo")).is_some_and(file)
        })
    }

    /// The next run makes all, and removes what was left. It need not replace anything where the output is not there.
    #[track_caller]
    pub(crate) fn recovers(&self, there: bool) {
        let mut command = self.command();
        if there && self.is_new() && !self.job.line.contains("--force") {
            command.arg("--force");
        }
        run(command).succeeds();
        self.is_whole();
        self.reset();
    }

    /// Puts everything back.
    pub(crate) fn reset(&self) {
        for path in tree(&self.folder.path("")).into_keys().filter(|path| !self.before.contains_key(path)) {
            drop(fs::remove_file(self.folder.path(&path)));
            // Folders that are not empty stay.
            Path::new(&path).ancestors().for_each(|path| drop(fs::remove_dir(self.folder.path("").join(path))));
        }
        // Written anew, they have no holes.
        let replaced = self.before.iter().filter(|(name, _)| !self.untouched.contains_key(name.as_str()));
        replaced.for_each(|(name, bytes)| {
            fs::create_dir_all(self.folder.path(name).parent().unwrap()).unwrap();
            fs::write(self.folder.path(name), bytes).unwrap();
        });
        self.folder.check();
    }
}

/// All files in `folder` and the folders in it.
fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if !entry.file_type().unwrap().is_dir() {
            found.insert(name, fs::read(entry.path()).unwrap());
            continue;
        }
        let inside = tree(&entry.path());
        if inside.is_empty() {
            found.insert(format!("{name}/"), Vec::new());
        }
        found.extend(inside.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
    }
    found
}

#[track_caller]
fn same(one: &Tree, two: &Tree) {
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(bytes == &two[name], "{name} is another");
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
