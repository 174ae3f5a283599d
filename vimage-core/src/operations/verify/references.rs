//! The files that a descriptor names against those that are there.

use super::report::{Member, Outcome, broken};
use crate::error::ErrorKind;
use crate::io::ReadAt;
use crate::operations::package::OpenPackage;
use crate::package::Finding;
use crate::package::descriptor::File;
use std::error::Error as _;

/// The files that the descriptor names, in its order, each with the members that it is kept in: one, several chunks, or none.
pub(super) fn named_files(package: &OpenPackage) -> impl Iterator<Item = (&str, &[usize])> {
    files(package).iter().map(|file| (file.href.as_str(), package.kept_in(&file.href)))
}

fn files(package: &OpenPackage) -> &[File] {
    let parsed = package.descriptor.as_ref().and_then(|descriptor| descriptor.parsed.as_ref().ok());
    parsed.map_or(&[], |parsed| &parsed.files)
}

/// Files that are absent, or of another length than the descriptor says. Adds the absent ones to `members`.
pub(super) fn look(package: &OpenPackage, members: &mut Vec<Member>) -> Vec<Finding> {
    // What lies elsewhere by its name is told of with the descriptor.
    let missing = || package.missing.iter().filter(|(name, _)| !name.contains("://"));
    let mut findings: Vec<_> = missing()
        .map(|(name, error)| match (error.kind(), error.source()) {
            (ErrorKind::Refused, _) => broken(name, error.message(), "no importer follows it out of the package"),
            (_, Some(cause)) => broken(name, format!("it cannot be read: {cause}"), "nobody can import the package"),
            _ => broken(name, "the descriptor names it, and it is not there", "nobody can import the package"),
        })
        .collect();
    for (name, _) in missing() {
        if members.iter().all(|member| member.name != *name) {
            members.push(Member { name: name.clone(), size: None, algorithm: None, outcome: Outcome::Absent });
        }
    }
    findings.extend(files(package).iter().filter_map(|file| length(package, file)));
    findings
}

fn length(package: &OpenPackage, file: &File) -> Option<Finding> {
    let sizes = package.kept_in(&file.href);
    let sizes = sizes.iter().filter_map(|index| Some(package.members.get(*index)?.file.size()));
    let (is, said) = (sizes.reduce(|sum, size| sum.saturating_add(size))?, file.size?);
    (is != said).then(|| {
        broken(
            &file.href,
            format!("it is {is} bytes long, and the descriptor says {said}"),
            "VMware refuses it: Wrong file size specified",
        )
    })
}
