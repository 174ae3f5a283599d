//! What all tests of the command line need: a folder that knows what may be in it, the built binary run there, and what
//! came of it.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub(crate) mod hostile;
pub(crate) mod laid;
pub(crate) mod namespace;
mod outcome;
pub(crate) mod samples;

pub(crate) use outcome::Outcome;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vimage_fixtures::Disk;

pub(crate) const MIB: u64 = 1 << 20;

/// The binary under test.
pub(crate) const VIMAGE: &str = env!("CARGO_BIN_EXE_vimage");

/// How long a run may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run on a hostile image may take: a second of processor time, and in KiB the memory that it writes to. The
/// system enforces both, so nothing that is over in between goes unnoticed.
const TIGHT: (u64, u64) = (1, 96 << 10);

/// A folder of its own. When it is dropped it must hold the files that the test expects and no others, hidden ones
/// included: whatever a run left half-made fails the test.
pub(crate) struct Folder {
    folder: TempDir,
    expected: RefCell<BTreeSet<String>>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Folder { folder: tempfile::tempdir().unwrap(), expected: RefCell::default() }
    }

    /// With a raw file `NAME.raw` of each of these disks.
    pub(crate) fn with(disks: &[&str]) -> Self {
        let folder = Self::new();
        for name in disks {
            folder.disk(&disk(name));
        }
        folder
    }

    /// Puts the disk's raw file, `NAME.raw`, here.
    pub(crate) fn disk(&self, disk: &Disk) {
        let name = format!("{}.raw", disk.name);
        disk.write_raw(&self.path(&name)).unwrap();
        self.expect(&[&name]);
    }

    /// Puts a file here.
    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
        self.expect(&[name]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
        self.forget(&[name]);
    }

    /// From now on these names are to be here.
    pub(crate) fn expect(&self, names: &[&str]) {
        self.expected.borrow_mut().extend(names.iter().map(|&name| name.to_owned()));
    }

    /// From now on these names are not to be here.
    pub(crate) fn forget(&self, names: &[&str]) {
        self.expected.borrow_mut().retain(|name| !names.contains(&name.as_str()));
    }

    /// Everything that is here, hidden files too.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        names(self.folder.path())
    }

    /// Checks that nothing is missing here and nothing left over.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert_eq!(self.names(), *self.expected.borrow());
    }

    /// `vimage` with the words of `line`, to be run here.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(VIMAGE);
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command
    }

    /// Runs `vimage` with the words of `line`.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        run(self.command(line))
    }

    /// Runs it with at most so much memory to write to, on so many threads.
    pub(crate) fn run_within(&self, kib: u64, threads: usize, line: &str) -> Outcome {
        let mut command = limited(&format!("ulimit -d {kib}"), line);
        command.current_dir(self.folder.path()).env("RAYON_NUM_THREADS", threads.to_string());
        run(command)
    }

    /// Runs it within what a small hostile image may cost.
    pub(crate) fn run_tight(&self, line: &str) -> Outcome {
        let (seconds, kib) = TIGHT;
        let mut command = limited(&format!("ulimit -t {seconds}; ulimit -d {kib}"), line);
        command.current_dir(self.folder.path()).env("RAYON_NUM_THREADS", "2");
        run(command)
    }

    /// Runs it; it must succeed and make `files`, and nothing else.
    #[track_caller]
    pub(crate) fn makes(&self, line: &str, files: &[&str]) -> Outcome {
        let outcome = self.run(line).succeeds();
        self.expect(files);
        self.check();
        outcome
    }

    /// Runs it; it must fail, tell of all of `words`, and leave everything here as it was.
    #[track_caller]
    pub(crate) fn fails(&self, line: &str, words: &[&str]) -> Outcome {
        let outcome = self.run(line).fails(words);
        self.check();
        outcome
    }

    /// Checks that a guest sees the same disk in both.
    #[track_caller]
    pub(crate) fn same(&self, one: &str, two: &str) {
        self.run(&format!("compare --strict {one} {two}")).succeeds().says(&["identical"]);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

/// The fixtures' disk of that name.
pub(crate) fn disk(name: &str) -> Disk {
    vimage_fixtures::disk(name).unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn limited(limits: &str, line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), VIMAGE]).args(line.split_whitespace());
    command
}

/// Runs `command` to its end.
pub(crate) fn run(command: Command) -> Outcome {
    Running::start(command).end_within(PATIENCE)
}

/// A run that has begun.
pub(crate) struct Running {
    pub(crate) child: Child,
    line: String,
    stdout: File,
    stderr: File,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        // The standard library can stand still over the backtrace of a process that is out of memory.
        command.env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let child = command.spawn().unwrap();
        Running { child, line: format!("{command:?}"), stdout, stderr }
    }

    /// What comes of it, which must be soon enough.
    #[track_caller]
    pub(crate) fn end_within(mut self, patience: Duration) -> Outcome {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Outcome::new(self.line, status, self.stdout, self.stderr);
            }
            if begun.elapsed() > patience {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("{}: still running after {patience:?}", self.line);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Waits until `done`, not for ever.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Says that the running test was left out, and why; where nothing may be left out, fails instead.
pub(crate) fn left_out(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    assert!(std::env::var_os("VIMAGE_REQUIRE_PEERS").is_none(), "{name} cannot be left out: {why}");
    // Not by eprintln!, which the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "LEFT OUT {name}: {why}");
}
