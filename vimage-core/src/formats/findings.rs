//! What a check of an image finds.

use crate::error::Error;
use crate::limits::MOST_FINDINGS;
use std::fmt;
use std::path::{Path, PathBuf};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Space in the file that nothing uses. The disk is whole.
    Leak,
    /// Readers that are stricter than others refuse it or may read it wrongly.
    Risk,
    /// The image contradicts itself or its format.
    Corruption,
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Leak => "leak",
            Severity::Risk => "risk",
            Severity::Corruption => "corruption",
        }
    }
}

/// A fault of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, where it is not the main one.
    pub path: Option<PathBuf>,
    /// The byte of the file at which it is.
    pub offset: Option<u64>,
    /// What it is.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity.name())?;
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        write!(f, "{}", self.message)?;
        self.offset.map_or(Ok(()), |offset| write!(f, " (at byte {offset})"))
    }
}

/// All that a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first of them.
    pub list: Vec<Finding>,
    /// Corruptions, risks and leaks, those too that are not in the list.
    counts: [u64; 3],
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, severity: Severity, offset: impl Into<Option<u64>>, message: impl Into<String>) {
        self.push(Finding { severity, path: None, offset: offset.into(), message: message.into() });
    }

    /// Adds a fault that was met in reading.
    pub fn add_error(&mut self, error: &Error) {
        let path = error.path().map(Path::to_owned);
        let message = error.message().to_owned();
        self.push(Finding { severity: Severity::Corruption, path, offset: error.offset(), message });
    }

    /// Adds all of `other`, found in the file at `path`.
    pub fn extend(&mut self, other: Findings, path: &Path) {
        let kept = other.list.len() as u64;
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        let kept = (kept as usize).min(MOST_FINDINGS.saturating_sub(self.list.len()));
        self.list.extend(other.list.into_iter().take(kept).map(|mut finding| {
            finding.path.get_or_insert_with(|| path.to_owned());
            finding
        }));
    }

    fn push(&mut self, finding: Finding) {
        self.counts[finding.severity as usize] += 1;
        if self.list.len() < MOST_FINDINGS {
            self.list.push(finding);
        }
    }

    /// How many there are of `severity`.
    pub fn count(&self, severity: Severity) -> u64 {
        self.counts[severity as usize]
    }

    /// Whether there are none.
    pub fn is_clean(&self) -> bool {
        self.counts == [0; 3]
    }
}
