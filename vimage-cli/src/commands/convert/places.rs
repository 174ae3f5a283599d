//! Where outputs go.

use super::ova;
use super::wanted::{Kind, Wanted};
use std::path::{Path, PathBuf};
use vimage_core::formats::by_extension;
use vimage_core::io::archive::split_member;
use vimage_core::io::pieces::stem_of_first;
use vimage_core::{Error, Result};

/// Standard input and output as a person writes them.
pub(super) const PIPE: &str = "-";

/// Whether `path` stands for standard input or output.
pub(crate) fn is_pipe(path: &Path) -> bool {
    path == Path::new(PIPE)
}

/// The path of each of `wanted`, or `-`.
pub(super) fn places(wanted: &[Wanted], source: &Path, target: Option<&Path>) -> Result<Vec<PathBuf>> {
    if let Some(target) = target
        && target.as_os_str().as_encoded_bytes().ends_with(b"/")
        && !target.is_dir()
    {
        return Err(Error::usage(format!("there is no folder {}", target.display())).with_hint("make it first"));
    }
    match wanted {
        [one] => Ok(vec![place(one, source, target)?]),
        several => several.iter().map(|one| place_among(one, source, target)).collect(),
    }
}

/// The path of the only output.
fn place(wanted: &Wanted, source: &Path, target: Option<&Path>) -> Result<PathBuf> {
    let path = match (&wanted.file, target) {
        (Some(file), None) => file.clone(),
        (Some(file), Some(folder)) if folder.is_dir() => folder.join(file),
        (Some(_), Some(target)) => {
            return Err(Error::usage("file= names the output, and so does the target").at_path(target));
        }
        (None, Some(target)) if target.is_dir() => target.join(file_name(wanted.kind, source)?),
        (None, Some(target)) => return Ok(target.to_owned()),
        (None, None) => beside(source, &file_name(wanted.kind, source)?),
    };
    if target.is_none() && path == source && wanted.create.split.is_none() {
        return Err(Error::usage("the source has this name already").at_path(path).with_hint("name the target"));
    }
    Ok(path)
}

/// The path of one of several outputs: in the folder `target`, or named after it.
fn place_among(wanted: &Wanted, source: &Path, target: Option<&Path>) -> Result<PathBuf> {
    match (&wanted.file, target) {
        (Some(file), _) if is_pipe(file) => Ok(file.clone()),
        (Some(file), Some(folder)) if folder.is_dir() => Ok(folder.join(file)),
        (Some(file), Some(stem)) => Ok(stem.with_file_name(file)),
        (None, Some(stem)) if !stem.is_dir() => {
            if is_pipe(stem) {
                return Err(Error::usage("standard output takes one output, and there are several")
                    .with_hint("say which: -O raw:file=-,qcow2"));
            }
            let named = stem.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ova"));
            if named || by_extension(stem).is_some() {
                return Err(Error::usage("is the name of one output, and there are several")
                    .at_path(stem)
                    .with_hint("name a folder, or all of them by a name without an ending"));
            }
            let mut path = stem.as_os_str().to_owned();
            path.push(".");
            path.push(wanted.kind.extension());
            Ok(path.into())
        }
        _ => place(wanted, source, target),
    }
}

/// What an output is called that is named after `source`.
fn file_name(kind: Kind, source: &Path) -> Result<PathBuf> {
    let stem = stem(source)?;
    match kind {
        Kind::Ova => Ok(ova::file_name(&ova::name(None, &stem))?.into()),
        Kind::Image(format) => {
            let mut name = stem.into_os_string();
            name.push(".");
            name.push(format.extension());
            Ok(name.into())
        }
    }
}

/// `name` in the folder that `source` lies in; beside the archive where it is a member of one.
fn beside(source: &Path, name: &Path) -> PathBuf {
    split_member(source).map_or(source.to_owned(), |(archive, _)| archive).with_file_name(name)
}

/// What outputs of `source` are named after: its name without what says its format, its piece and its compression.
pub(super) fn stem(source: &Path) -> Result<PathBuf> {
    if is_pipe(source) {
        return Err(Error::usage("standard input has no name that the output could have").with_hint("name the target"));
    }
    let member = split_member(source).map(|(_, member)| PathBuf::from(member));
    let name = PathBuf::from(member.as_deref().unwrap_or(source).file_name().unwrap_or_default());
    // The pieces of a disk are named after the disk.
    let name = stem_of_first(&name).map_or(name.clone(), PathBuf::from);
    let packed = vimage_core::io::Compression::named(&name).is_some();
    let name = if packed { name.with_extension("") } else { name };
    Ok(name.with_extension(""))
}
