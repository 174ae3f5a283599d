//! Runs two commands in turn and takes their time, memory and output.

use crate::jobs::{Job, Run};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// One run of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of processor, in the program and in the kernel.
    pub(crate) cpu: f64,
    /// The most memory held, in KiB.
    pub(crate) peak: u64,
    /// Bytes of its output, or of storage where the output has holes.
    pub(crate) output: u64,
}

/// A run of each, one right after the other.
pub(crate) type Pair = (Figures, Figures);

/// Runs both commands of `job` once to warm up and then `runs` times, in turn.
pub(crate) fn pairs(job: &Job, runs: usize) -> Result<Vec<Pair>, String> {
    let pair = |_| Ok((measure(&job.vimage)?, measure(&job.peer)?));
    pair(0)?;
    (0..runs).map(pair).collect()
}

fn measure(run: &Run) -> Result<Figures, String> {
    // Its own last output goes first: what is replaced would have to be freed meanwhile.
    if run.folder.is_dir() {
        std::fs::remove_dir_all(&run.folder).map_err(|error| format!("{}: {error}", run.folder.display()))?;
    }
    std::fs::create_dir(&run.folder).map_err(|error| format!("{}: {error}", run.folder.display()))?;
    // What the run before left to be written to the disk would be written during this one.
    Command::new("sync").status().map_err(|error| format!("sync: {error}"))?;
    touch_memory();
    let notes = run.folder.join("time");
    let begun = Instant::now();
    let status = Command::new("/usr/bin/time")
        .args(["-f", "%U %S %M", "-o"])
        .arg(&notes)
        .args(&run.command)
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("/usr/bin/time: {error}"))?;
    let wall = begun.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("failed: {}", run.command.join(" ")));
    }
    let text = std::fs::read_to_string(&notes).map_err(|error| format!("{}: {error}", notes.display()))?;
    std::fs::remove_file(&notes).map_err(|error| format!("{}: {error}", notes.display()))?;
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, peak] = figures[..] else { return Err(format!("/usr/bin/time printed {text:?}")) };
    Ok(Figures { wall, cpu: user + system, peak: peak as u64, output: stored(&run.folder)? })
}

/// Makes the machine back so much memory as a run may need. A virtual machine gives back what is free, and pays for the first
/// touch of a page when it is used again: up to four seconds per run here, or none, as chance has it.
fn touch_memory() {
    drop(std::hint::black_box(vec![1_u8; TOUCHED]));
}

/// More than any job writes.
const TOUCHED: usize = 6 << 30;

/// Bytes of storage that a folder's files take.
fn stored(folder: &Path) -> Result<u64, String> {
    use std::os::unix::fs::MetadataExt;
    let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
    entries
        .map(|entry| {
            entry
                .and_then(|entry| entry.metadata())
                .map(|data| data.len().min(data.blocks() * 512))
                .map_err(|error| error.to_string())
        })
        .sum()
}
