//! What verifying a package tells.

use crate::error::Error;
use crate::operations::package::PackageKind;
use crate::package::Finding;
use crate::package::manifest::Algorithm;
use crate::package::signature::Signed;

/// What is to be told of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What sort of package it is; none where it cannot be read.
    pub kind: Option<PackageKind>,
    /// Its files in their order, then those that are absent.
    pub members: Vec<Member>,
    /// The manifest's signature, where there is one that can be understood.
    pub signature: Option<Signed>,
    /// All that is wrong, or that an importer stumbles over.
    pub findings: Vec<Finding>,
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its length in bytes; none where it is absent.
    pub size: Option<u64>,
    /// The digest that the manifest has of it.
    pub algorithm: Option<Algorithm>,
    /// How it compares.
    pub outcome: Outcome,
}

/// How a file compares with its package's manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has the digest.
    Same,
    /// It has another.
    Differs,
    /// The manifest or the descriptor names it, and it is not there.
    Absent,
    /// The manifest has no digest of it, or there is no manifest.
    NotCovered,
    /// It is the manifest or its signature, of which there is no digest.
    Exempt,
}

impl Outcome {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Same => "ok",
            Outcome::Differs => "differs",
            Outcome::Absent => "absent",
            Outcome::NotCovered => "not covered",
            Outcome::Exempt => "exempt",
        }
    }
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many files have `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.members.iter().filter(|member| member.outcome == outcome).count()
    }
}

/// Something that is wrong.
pub(super) fn broken(place: &str, message: impl Into<String>, effect: &str) -> Finding {
    Finding { place: place.into(), message: message.into(), effect: effect.into(), broken: true }
}

/// Something that some stumble over.
pub(super) fn strict(place: &str, message: impl Into<String>, effect: &str) -> Finding {
    Finding { broken: false, ..broken(place, message, effect) }
}

/// What was met in reading `place`.
pub(super) fn from_error(place: &str, error: &Error) -> Finding {
    let offset = error.offset().map_or(String::new(), |offset| format!(" (at byte {offset})"));
    broken(place, format!("{}{offset}", error.message()), "importers refuse it, or read something else than others do")
}
