//! Tools that this project did not write.

use crate::left_out::left_out;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether `tool` can be run; if not, it is said by name, or fails where all are required.
pub(crate) fn present(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        left_out("streams", &format!("{tool} is not installed"));
    }
    there
}

/// What `tool` with `words` makes of `plain`, out of a pipe.
pub(crate) fn piped(tool: &str, words: &[&str], plain: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let plain = plain.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&plain));
    let made = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(made.status.success(), "{tool}");
    made.stdout
}

/// Runs `tool` with `words` in `folder`.
pub(crate) fn run(tool: &str, folder: &Path, words: &[&str]) {
    let status = Command::new(tool).args(words).current_dir(folder).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{tool} {words:?}");
}

/// Bytes that do not repeat, always the same.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| random(&mut state).to_le_bytes()).flatten().take(len).collect()
}

/// The next of a row of numbers (xorshift).
pub(crate) fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
