//! What came of a run.

use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::ExitStatus;

/// The end of a run and what it printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    line: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Reads what was printed from the files that it went to.
    pub(crate) fn new(line: String, status: ExitStatus, stdout: File, stderr: File) -> Self {
        let text = |mut file: File| {
            let mut bytes = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Outcome { line, status, stdout: text(stdout), stderr: text(stderr) }
    }

    /// It ended with this status.
    #[track_caller]
    pub(crate) fn ends(self, status: i32) -> Self {
        assert_eq!(self.status.code(), Some(status), "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
        self
    }

    /// It succeeded without a word of complaint.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        let outcome = self.ends(0);
        assert_eq!(outcome.stderr, "", "{outcome}");
        outcome
    }

    /// It could not do it, and said so in one sentence with all of `words`, on standard error.
    #[track_caller]
    pub(crate) fn fails(self, words: &[&str]) -> Self {
        let outcome = self.ends(2);
        assert!(outcome.stderr.starts_with("vimage: ") || outcome.stderr.starts_with("error: "), "{outcome}");
        for word in words {
            assert!(outcome.stderr.contains(word), "no {word:?} in: {outcome}");
        }
        outcome
    }

    /// It printed all of `words` on standard output.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stdout.contains(word), "no {word:?} in: {self}");
        }
        self
    }

    /// The one JSON document that it printed, of the current version and by this command.
    #[track_caller]
    pub(crate) fn json(&self, command: &str) -> Value {
        let document: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"));
        assert_eq!((&document["version"], &document["command"]), (&1.into(), &command.into()), "{self}");
        document
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { line, status, stdout, stderr } = self;
        write!(f, "{line}\n{status}\nstandard output: {stdout}\nstandard error: {stderr}")
    }
}
