//! Brings the machine's memory into one state before each run.
//!
//! A virtual machine gives memory that is free back to its host, bit by bit, and pays for the first touch of a page when it is used again: up
//! to four seconds per run, or none, as chance has it. So as much as a run may need is touched right before it begins; the system hands out
//! first what it has not given back. It keeps short and long stretches of free memory apart, and takes what caches a long write out of the
//! long ones, so both are touched.

use crate::cores;
use memmap2::{Advice, MmapMut};
use std::sync::Mutex;

/// Bytes touched at a time.
const PIECE: usize = 64 << 20;

/// What a run needs beside its output: programs' own, and room for the system, which looks for long stretches of free memory.
const OWN: u64 = 2 << 30;
const MOST: u64 = 8 << 30;

/// Makes ready for a run that writes so many bytes of `output`; what it reads is in the page cache already.
pub(crate) fn ready(output: u64) -> Result<(), String> {
    let pieces = (output + OWN).min(MOST).div_ceil(PIECE as u64);
    touch(pieces, Advice::NoHugePage)?;
    touch(pieces, Advice::HugePage)
}

/// Touches so many `pieces` of memory, all at once: what is given back may be had again.
fn touch(pieces: u64, advice: Advice) -> Result<(), String> {
    let held = Mutex::new(Vec::new());
    cores::each(&vec![(); pieces as usize], |(), _| {
        let mut piece = MmapMut::map_anon(PIECE).map_err(|error| format!("touching memory: {error}"))?;
        // A system without large pages has one kind of stretches for all.
        let _ = piece.advise(advice);
        piece.fill(1);
        held.lock().map_err(|error| error.to_string())?.push(piece);
        Ok(())
    })?;
    Ok(())
}
