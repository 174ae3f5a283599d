//! Keeps the machine's memory in one state from run to run.
//!
//! A virtual machine gives memory that is free back to its host, bit by bit, and pays for the first touch of a page when it is used again: up
//! to four seconds per run, or none, as chance has it. So what a run does not need is not left free but held, and what it needs is touched
//! right before it begins.

use std::hint::black_box;
use std::sync::Mutex;

/// What is held between runs: there is one machine, so there is one of it.
static HELD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes of each piece that is held.
const PIECE: u64 = 256 << 20;

/// What a run needs beside its output: programs' own, and what the system keeps for them.
const OWN: u64 = 1 << 30;
const MOST: u64 = 8 << 30;

/// Makes ready for a run that writes so many bytes of `output`; what it reads is in the page cache already.
pub(crate) fn ready(output: u64) -> Result<(), String> {
    let room = (output + OWN).min(MOST);
    let mut held = HELD.lock().map_err(|error| error.to_string())?;
    while free()? < room && held.pop().is_some() {}
    while free()? > room + 2 * PIECE {
        held.push(vec![1; PIECE as usize]);
    }
    drop(black_box(vec![1_u8; room as usize]));
    Ok(())
}

/// Lets go of all that is held, for work that is not measured.
pub(crate) fn release() -> Result<(), String> {
    HELD.lock().map_err(|error| error.to_string())?.clear();
    Ok(())
}

/// Bytes that nothing uses, not even as page cache.
fn free() -> Result<u64, String> {
    const FILE: &str = "/proc/meminfo";
    let text = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.ok_or_else(|| format!("{FILE} does not tell MemFree"))? << 10)
}
