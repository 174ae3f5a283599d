//! Runs under strace, which fails the Nth call of a kind, or kills the run there.

use crate::ground::Ground;
use crate::support::{Folder, Outcome, run};
use std::collections::HashMap;
use std::fmt;
use std::process::{Command, Stdio};

/// Calls of a kind that fail.
pub(crate) struct Fault {
    pub(crate) call: &'static str,
    error: &'static str,
    /// The system's words for it.
    pub(crate) cause: &'static str,
    /// Only calls on the source, not those that load the program.
    source: bool,
    pub(crate) comes: Comes,
}

/// What can come of a call that fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    Error,
    Output,
    Either,
}

const fn fault(call: &'static str, error: &'static str, cause: &'static str, source: bool, comes: Comes) -> Fault {
    Fault { call, error, cause, source, comes }
}

/// What fails, and how.
pub(crate) const FAULTS: &[Fault] = &[
    fault("pwrite64", "ENOSPC", "No space left on device", false, Comes::Error),
    fault("pwrite64", "EIO", "Input/output error", false, Comes::Error),
    fault("pwrite64", "EINTR", "", false, Comes::Output),
    fault("fsync", "EIO", "Input/output error", false, Comes::Error),
    fault("fdatasync", "EIO", "Input/output error", false, Comes::Error),
    // Making a file longer ahead of time is only for speed.
    fault("ftruncate", "EFBIG", "File too large", false, Comes::Either),
    fault("fallocate", "ENOSPC", "No space left on device", false, Comes::Either),
    fault("renameat2", "EIO", "Input/output error", false, Comes::Error),
    fault("rename", "EIO", "Input/output error", false, Comes::Error),
    fault("renameat", "EIO", "Input/output error", false, Comes::Error),
    fault("mkdir", "ENOSPC", "No space left on device", false, Comes::Error),
    fault("write", "ENOSPC", "No space left on device", false, Comes::Error),
    fault("openat", "EMFILE", "Too many open files", false, Comes::Either),
    fault("flock", "ENOLCK", "No locks available", false, Comes::Output),
    fault("getdents64", "EIO", "Input/output error", false, Comes::Either),
    fault("pread64", "EIO", "Input/output error", true, Comes::Error),
    fault("pread64", "EINTR", "", true, Comes::Output),
    fault("openat", "EACCES", "Permission denied", true, Comes::Error),
    fault("statx", "EIO", "Input/output error", true, Comes::Either),
    fault("lseek", "EIO", "Input/output error", true, Comes::Either),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}{}", self.call, self.error, if self.source { " on the source" } else { "" })
    }
}

/// Which calls of a kind a run makes that can be failed.
pub(crate) struct Calls {
    /// Those before are the system's, which loads the program.
    skipped: usize,
    /// The most that one thread makes: strace counts in each for itself.
    last: usize,
}

impl Calls {
    pub(crate) fn len(&self) -> usize {
        self.last.saturating_sub(self.skipped)
    }

    /// At most so many of them, counted from 1.
    pub(crate) fn evenly(&self, most: usize) -> impl Iterator<Item = usize> + use<> {
        let (skipped, len, take) = (self.skipped, self.len(), self.len().min(most));
        (0..take).map(move |index| skipped + index * len / take + 1)
    }
}

/// Whether strace is there and may trace.
pub(crate) fn possible() -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// How often a run calls what is to fail.
pub(crate) fn counted(ground: &Ground, fault: &Fault) -> Calls {
    let (outcome, log) = traced(ground, &[fault.call], fault.source, None);
    outcome.succeeds();
    ground.is_whole();
    ground.reset();
    count(&log, fault.call, ground)
}

/// Which of `calls` a run makes, and how often.
pub(crate) fn counted_all(ground: &Ground, calls: &[&'static str]) -> Vec<(&'static str, Calls)> {
    let (outcome, log) = traced(ground, calls, false, None);
    outcome.succeeds();
    ground.reset();
    calls.iter().map(|&call| (call, count(&log, call, ground))).filter(|(_, calls)| calls.len() > 0).collect()
}

/// Fails call `nth`; tells whether it came to that.
pub(crate) fn failed(ground: &Ground, fault: &Fault, nth: usize) -> (Outcome, bool) {
    let inject = format!("inject={}:error={}:when={nth}", fault.call, fault.error);
    let (outcome, log) = traced(ground, &[fault.call], fault.source, Some(&inject));
    (outcome, log.contains("(INJECTED)"))
}

/// Kills the run where it is about to make call `nth`.
pub(crate) fn killed(ground: &Ground, call: &str, nth: usize) -> Outcome {
    traced(ground, &[call], false, Some(&format!("inject={call}:signal=SIGKILL:when={nth}"))).0
}

/// Runs the job under strace and gives its log: a line for each of `calls`, of those on its source alone or of all, with the thread in
/// front.
fn traced(ground: &Ground, calls: &[&str], source: bool, inject: Option<&str>) -> (Outcome, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let job = ground.command();
    let mut command = Command::new("strace");
    command.args(["-f", "--quiet=all", "-o"]).arg(log.path()).arg("-e").arg(format!("trace={}", calls.join(",")));
    command.args(source.then_some(["-P", ground.job.source]).into_iter().flatten());
    command.args(inject.iter().flat_map(|inject| ["-e", inject]));
    command.arg(job.get_program()).args(job.get_args()).current_dir(ground.folder.path(""));
    command.envs(job.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let outcome = run(command);
    (outcome, std::fs::read_to_string(log.path()).unwrap())
}

/// `vimage` with the words of `line`, each of whose reads of `source` begins late.
pub(crate) fn slowly(folder: &Folder, line: &str, source: &str) -> Command {
    let job = folder.command(line);
    let mut command = Command::new("strace");
    command.args(["-f", "--quiet=all", "-o", "/dev/null", "-P", source, "-e", "inject=pread64:delay_enter=50000"]);
    command.arg(job.get_program()).args(job.get_args()).current_dir(folder.path("")).env("RAYON_NUM_THREADS", "1");
    command
}

fn count(log: &str, call: &str, ground: &Ground) -> Calls {
    // The thread, spaces, and the call; one that was resumed begins otherwise.
    let is_call = |line: &&str| {
        let named = line.split_once(' ').and_then(|(_, rest)| rest.trim_start().split_once('('));
        named.is_some_and(|(name, _)| name == call)
    };
    let calls = || log.lines().filter(is_call);
    // What the job names is the first file that it opens.
    let named = ground.job.line.split(' ').nth(1).unwrap_or_default();
    let begun = |line: &&str| [named, ground.job.source].iter().any(|name| line.contains(name));
    let skipped = if call == "openat" { calls().take_while(|line| !begun(line)).count() } else { 0 };
    let mut threads = HashMap::<&str, usize>::new();
    calls().for_each(|line| *threads.entry(line.split(' ').next().unwrap_or_default()).or_default() += 1);
    Calls { skipped, last: threads.into_values().max().unwrap_or(0) }
}
