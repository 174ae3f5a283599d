//! The files that a disk of a package is made of: all of them are the package's.

use super::report::broken;
use crate::image::ImageInfo;
use crate::io::neighbors::quote;
use crate::io::pieces::{piece_name, stem_of_first};
use crate::limits::MOST_PIECES;
use crate::operations::package::OpenPackage;
use crate::package::Finding;
use crate::package::manifest::Line;
use std::path::Path;

/// Files that the disk `name` is made of, or lies over, and that are not in the package, or that nobody could notice a change of.
pub(super) fn look(package: &OpenPackage, name: &str, info: &ImageInfo, lines: &[Line]) -> Vec<Finding> {
    let folder = name.rfind('/').map_or("", |slash| &name[..=slash]);
    let is_member = |file: &str| package.member(&format!("{folder}{file}")).is_some();
    let covered = |file: &str| lines.iter().any(|line| line.file.strip_prefix(folder) == Some(file));
    let parts = info.parts.iter().filter_map(|part| part.file.clone());
    let mut files: Vec<_> = parts.chain(pieces(package, name)).collect();
    files.sort();
    files.dedup();
    let foreign = files.iter().filter(|file| !is_member(file) && !covered(file));
    let mut findings: Vec<_> = foreign
        .map(|file| {
            broken(
                name,
                format!("it is made of {} too, which is not covered: no descriptor or manifest names it", quote(file)),
                "importers do not find the file, and nobody notices when it changes",
            )
        })
        .collect();
    let parent = info.parent.as_ref().map(|parent| parent.name.as_deref());
    let gone = parent.filter(|parent| !parent.is_some_and(is_member));
    findings.extend(gone.map(|parent| {
        let parent = parent.map_or("a disk that it does not name".to_owned(), quote);
        broken(
            name,
            format!("it lies over {parent}, which is not in the package"),
            "the disk is not complete: importers refuse it or read zeros",
        )
    }));
    findings
}

/// The numbered pieces that are joined to `name` where they lie beside it.
fn pieces(package: &OpenPackage, name: &str) -> Vec<String> {
    let Some(stem) = stem_of_first(Path::new(name)).filter(|_| package.listing.is_none()) else { return Vec::new() };
    let names = (2..=MOST_PIECES).map(|number| piece_name(stem, number));
    names.take_while(|name| package.neighbors.exists(name)).collect()
}
