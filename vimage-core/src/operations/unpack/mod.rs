//! Taking a package apart: its files into a folder, as they are or with every disk in a format of the caller's.
//!
//! A file is compared with its digest in the manifest while it is copied, and no file gets its name before all of them were.

mod convert;
mod digests;
mod extract;
mod folder;
mod job;

use super::archive::SevenZip;
use super::package::{OpenPackage, open_package};
use crate::error::{Error, Result};
use crate::formats::CreateOptions;
use crate::io::ReadAt;
use crate::io::neighbors::quote;
use crate::io::outputs::Published;
use crate::io::pieces::stem_of_first;
use crate::io::row::Row;
use crate::observer::{Observer, Phase};
use digests::Digests;
use extract::extract;
use job::Job;
use std::path::{Path, PathBuf};

/// How a package is taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackOptions {
    /// The format that every disk is written in; as it is in the package unless given.
    pub format: Option<String>,
    /// How that format is written.
    pub create: CreateOptions,
    /// Replace files that are in the way.
    pub replace: bool,
    /// Flush the files to the disk before they get their names.
    pub flush: bool,
    /// The largest virtual size in bytes that a disk may have, by the descriptor or by itself; no bound by default. Disks of a 7z archive
    /// are looked into only where they are converted.
    pub max_size: Option<u64>,
}

impl Default for UnpackOptions {
    /// Every file as it is.
    fn default() -> Self {
        UnpackOptions { format: None, create: CreateOptions::default(), replace: false, flush: true, max_size: None }
    }
}

/// A package that was taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The folder with its files.
    pub folder: PathBuf,
    /// Its files.
    pub files: Vec<Published>,
    /// The manifest's name, where there is one.
    pub manifest: Option<String>,
    /// Files that the manifest gives a digest of: all of them have it.
    pub verified: Vec<String>,
    /// Files that it gives none of, where there is one.
    pub uncovered: Vec<String>,
    /// Files that were left out, as they describe disks that were converted.
    pub left_out: Vec<String>,
}

/// The folder that the package at `path` goes into unless another is named: beside it, and called like it without its ending.
pub fn folder_for(path: &Path) -> PathBuf {
    let whole = stem_of_first(path).map_or(path.to_owned(), |stem| path.with_file_name(stem));
    let inner = whole.with_extension("");
    let tar = inner.extension().is_some_and(|ending| ending == "tar");
    match inner == whole {
        // Without an ending it would have the package's own name.
        true => path.with_file_name(format!("{}-unpacked", whole.file_name().unwrap_or_default().to_string_lossy())),
        false if tar => inner.with_extension(""),
        false => inner,
    }
}

/// Takes the package at `path` apart into `folder`, which is made if it is not there: an OVA, an OVF descriptor with its files, a Vagrant
/// box, a tar or a 7z archive (of volumes, the first).
///
/// Files that the package's manifest gives a digest of have to be there and to have it. Files that it does not know are taken
/// as they are and told of: many tools leave the descriptor out. With a [format](UnpackOptions::format), disks are converted on the
/// way, and what describes them (`.ovf`, `.mf`, `.cert`, `metadata.json`) is left out. Files of the folder's own are kept.
///
/// # Errors
/// `Corrupt` where a file is damaged, missing, or has another digest; `Refused` for names and kinds of files that no package
/// must have, and for disks that are larger than they may be; `Exists` where a file is in the way; those of opening and
/// converting disks; `Io`; `Cancelled`. In every case no file of the package is there, nor a folder that was made for it.
pub fn unpack(
    path: impl AsRef<Path>,
    folder: impl AsRef<Path>,
    options: &UnpackOptions,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let (path, folder) = (path.as_ref(), folder.as_ref());
    match (SevenZip::is_at(path)?, &options.format) {
        (false, None) => copy(&open_package(path)?, folder, options, observer),
        (false, Some(format)) => convert::package(&open_package(path)?, folder, format, options, observer),
        (true, None) => extract(&SevenZip::open(path)?, folder, options, observer),
        (true, Some(format)) => convert::archive(&SevenZip::open(path)?, folder, format, options, observer),
    }
}

/// Copies the files of a package.
fn copy(package: &OpenPackage, folder: &Path, options: &UnpackOptions, observer: &dyn Observer) -> Result<Unpacked> {
    let digests = digests_of(package)?;
    package.check_sizes(options.max_size)?;
    let total = package.members.iter().fold(0, |sum: u64, member| sum.saturating_add(member.file.size()));
    observer.begin(Phase::Work, Some(total));
    let mut job = Job::new(folder, package.files(), digests, options, observer)?;
    for member in &package.members {
        let copied = job.store(&member.name, &mut Row::new(&*member.file));
        copied.map_err(|error| error.at_path(&member.path))?;
    }
    job.publish().map_err(|error| error.at_path(&package.path))
}

/// What the manifest of a package says, whose descriptor has to be understood and all of whose files have to be there.
fn digests_of(package: &OpenPackage) -> Result<Digests> {
    if let Some(descriptor) = &package.descriptor
        && let Err(error) = &descriptor.parsed
    {
        return Err(not_understood(&descriptor.name, error).at_path(error.path().unwrap_or(&package.path)));
    }
    if let Some((name, error)) = package.missing.first() {
        let at = error.path().unwrap_or(&package.path);
        let fault =
            Error::new(error.kind(), format!("the file {name} of the package cannot be had: {}", error.message()));
        return Err(fault.at_path(at).with_hint("copy all files of the package into one folder"));
    }
    let manifest = package.manifest.as_ref();
    let names = package.members.iter().map(|member| member.name.as_str());
    Digests::new(manifest.map(|(name, text)| (name.as_str(), text.as_slice())), names)
        .map_err(|error| error.at_path(&package.path))
}

/// The descriptor `name` says nothing that could be relied on.
fn not_understood(name: &str, error: &Error) -> Error {
    let said = format!("the descriptor {} cannot be understood: {}", quote(name), error.message());
    let fault = Error::new(error.kind(), said);
    match error.offset() {
        Some(offset) => fault.at_offset(offset),
        None => fault,
    }
}
