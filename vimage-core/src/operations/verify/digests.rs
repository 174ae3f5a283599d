//! The files of a package against its manifest.

use super::report::{Member, Outcome, broken, strict};
use super::stage::Stages;
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::operations::package::{OpenPackage, PackageKind};
use crate::package::Finding;
use crate::package::manifest::{Algorithm, Hasher, Line};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// A file that may be in the manifest.
pub(super) struct Candidate<'a> {
    name: &'a str,
    path: &'a Path,
    file: Arc<dyn ReadAt>,
    line: Option<&'a Line>,
}

/// Files of the package, and of its folder where the manifest names more of that.
pub(super) fn candidates<'a>(package: &'a OpenPackage, lines: &'a [Line]) -> Vec<Candidate<'a>> {
    let by_name: BTreeMap<_, _> = lines.iter().map(|line| (line.file.as_str(), line)).collect();
    let members = package.members.iter().map(|member| Candidate {
        name: &member.name,
        path: &member.path,
        file: member.file.clone(),
        line: by_name.get(member.name.as_str()).copied(),
    });
    let mut found: Vec<_> = members.collect();
    if package.kind == PackageKind::Folder {
        for line in lines.iter().filter(|line| package.member(&line.file).is_none()) {
            if let Ok((file, _)) = package.neighbors.open(&line.file) {
                found.push(Candidate { name: &line.file, path: &package.path, file, line: Some(line) });
            }
        }
    }
    found
}

/// Bytes that [`compare`] reads.
pub(super) fn work(candidates: &[Candidate<'_>]) -> u64 {
    let covered = candidates.iter().filter(|candidate| candidate.line.is_some());
    covered.fold(0, |sum, candidate| sum.saturating_add(candidate.file.size()))
}

/// Compares every file with the manifest's `lines`, several files at a time.
///
/// # Errors
/// `Io`, `Cancelled`.
pub(super) fn compare(
    package: &OpenPackage,
    candidates: &[Candidate<'_>],
    lines: &[Line],
    stages: &Stages<'_>,
) -> Result<(Vec<Member>, Vec<Finding>)> {
    let digests = candidates.par_iter().with_max_len(1).map(|candidate| {
        let digest = candidate.line.map(|line| digest(candidate.file.as_ref(), line.algorithm, stages)).transpose();
        digest.map_err(|error| error.at_path(candidate.path))
    });
    let digests = digests.collect::<Result<Vec<_>>>()?;
    let mut findings = Vec::new();
    let mut members: Vec<_> = candidates
        .iter()
        .zip(digests)
        .map(|(candidate, digest)| {
            let outcome = outcome(package, candidate, digest.as_deref());
            findings.extend(finding(package, candidate, outcome, digest.as_deref()));
            Member {
                name: candidate.name.into(),
                size: Some(candidate.file.size()),
                algorithm: candidate.line.map(|line| line.algorithm),
                outcome,
            }
        })
        .collect();
    for line in lines.iter().filter(|line| candidates.iter().all(|candidate| candidate.name != line.file)) {
        members.push(Member {
            name: line.file.clone(),
            size: None,
            algorithm: Some(line.algorithm),
            outcome: Outcome::Absent,
        });
        findings.push(broken(
            &line.file,
            "the manifest has its digest, and it is not there",
            "VirtualBox refuses the package (VERR_NOT_EQUAL)",
        ));
    }
    Ok((members, findings))
}

fn outcome(package: &OpenPackage, candidate: &Candidate<'_>, digest: Option<&str>) -> Outcome {
    let is = |text: &Option<(String, Vec<u8>)>| text.as_ref().is_some_and(|(name, _)| name == candidate.name);
    match (candidate.line, digest) {
        (Some(line), Some(digest)) if line.digest == digest => Outcome::Same,
        (Some(_), _) => Outcome::Differs,
        (None, _) if is(&package.manifest) || is(&package.certificate) => Outcome::Exempt,
        (None, _) => Outcome::NotCovered,
    }
}

fn finding(
    package: &OpenPackage,
    candidate: &Candidate<'_>,
    outcome: Outcome,
    digest: Option<&str>,
) -> Option<Finding> {
    match (outcome, candidate.line) {
        (Outcome::Differs, Some(line)) => Some(broken(
            candidate.name,
            format!(
                "its {} is {}, and the manifest has {}",
                line.algorithm.word(),
                digest.unwrap_or_default(),
                line.digest
            ),
            "importers that compare digests refuse it: VMware's, VirtualBox, virt-v2v",
        )),
        (Outcome::NotCovered, _) if package.manifest.is_some() => Some(strict(
            candidate.name,
            "the manifest has no digest of it",
            "VMware and VirtualBox have refused such packages, and nobody notices when it changes",
        )),
        _ => None,
    }
}

fn digest(file: &dyn ReadAt, algorithm: Algorithm, stages: &Stages<'_>) -> Result<String> {
    let mut hasher = Hasher::new(algorithm);
    let (size, mut at) = (file.size(), 0);
    let mut piece = vec![0; size.min(PIECE as u64) as usize];
    while at < size {
        stages.go_on()?;
        let take = (size - at).min(PIECE as u64) as usize;
        let piece = piece.get_mut(..take).unwrap_or_default();
        file.read_exact_at(piece, at).map_err(|cause| Error::io("cannot read", cause).at_offset(at))?;
        hasher.update(piece);
        at += take as u64;
        stages.passed(take as u64);
    }
    Ok(hasher.finish())
}
