//! Disks that are read where they lie in an archive: which members are disks, and their bytes as one file.

use super::packed::unpacked;
use super::{FORMATS, HEAD, Source, probe};
use crate::error::{Error, Result};
use crate::image::ImageInfo;
use crate::io::archive::{self, split_member};
use crate::io::locks::Locks;
use crate::io::pieces::{chunk_name, chunk_of, stem_of_first};
use crate::io::tar::{self, Listing};
use crate::io::unpacked::is_gzip;
use crate::io::{Archive, Compression, FileId, FileReader, Neighbors, Pieces, ReadAt};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Disks that an error names.
const MOST_NAMED: usize = 20;

/// How disks of other formats are named, which may be in an archive too.
const OTHER_EXTENSIONS: [&str; 4] = ["img", "vhd", "vhdx", "hdd"];

/// A disk of an archive: a member, or several that are its pieces.
pub(super) struct Disk {
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) id: FileId,
    /// Bytes that it takes in the archive.
    pub(super) stored: u64,
    /// The length of the first of several pieces.
    pub(super) piece: Option<u64>,
    pub(super) neighbors: Neighbors,
}

/// The archive and the member that `path` means where it is the path of no file: `appliance.ova:disk.vmdk`.
///
/// # Errors
/// `Usage` where it would mean a member of what is no archive; and those of [`Archive::open`].
pub(super) fn named(path: &Path, locks: &Locks) -> Result<Option<(Arc<Archive>, String)>> {
    let Some((archive, member)) = split_member(path) else { return Ok(None) };
    let file = Arc::new(FileReader::open(&archive)?);
    locks.read(&file, &archive)?;
    let opened = Archive::open(&file, &archive)?.ok_or_else(|| {
        Error::usage(format!(
            "there is no such file, and {} is no tar archive that could have a member",
            archive.display()
        ))
        .at_path(path)
    })?;
    Ok(Some((opened, member)))
}

/// The archive in `file`, called `path`, and its only disk; none where it is not named like an archive: the first bytes of a raw disk
/// are its guest's, who may write there what begins as a tar does.
///
/// # Errors
/// `Usage` where the archive holds no disk or several; `Corrupt` where it is named like an archive and is none; and those of
/// [`Archive::open`].
pub(super) fn only(file: &Arc<FileReader>, path: &Path) -> Result<Option<(Arc<Archive>, String)>> {
    if !archive::is_named(path) || probe(&head(file.as_ref(), path)?).name() != "raw" {
        return Ok(None);
    }
    let Some(archive) = Archive::open(file, path)? else {
        if tar::is_named(path) {
            return Err(Error::corrupt("is named like a package, but is no tar archive")
                .at_path(path)
                .with_hint("it is damaged or something else; -f raw takes it for a raw disk"));
        }
        return Ok(None);
    };
    let disk = only_of(&archive)?;
    Ok(Some((archive, disk)))
}

/// The archive in `file`, called `label`, whatever that is named like; none where it is no tar, or meant to be `raw`.
///
/// # Errors
/// Those of [`Archive::open`].
pub(super) fn within(file: &Arc<FileReader>, label: &Path, raw: bool) -> Result<Option<Arc<Archive>>> {
    match raw || probe(&head(file.as_ref(), label)?).name() != "raw" {
        true => Ok(None),
        false => {
            check_tar(&head(file.as_ref(), label)?, label)?;
            Archive::open(file, label)
        }
    }
}

/// Checks that what begins with `head`, and has no name that says what it is, is no damaged tar.
pub(super) fn check_tar(head: &[u8], label: &Path) -> Result<()> {
    if !tar::is_damaged(head) {
        return Ok(());
    }
    Err(Error::corrupt("begins as a tar does, but its first header is damaged")
        .at_path(label)
        .at_offset(0)
        .with_hint("copy or download it again; -f raw takes it for a raw disk"))
}

/// The only disk of `archive`.
///
/// # Errors
/// `Usage` where it holds no disk or several; `Io`.
pub(super) fn only_of(archive: &Arc<Archive>) -> Result<String> {
    let (mut disks, path) = (disks(archive)?, archive.path());
    match (disks.pop(), disks.is_empty()) {
        (Some(disk), true) => Ok(disk),
        (None, _) => Err(Error::usage("holds no disk").at_path(path).with_hint(format!(
            "its members: {}; -f raw takes the archive itself for a raw disk",
            names(archive.listing())
        ))),
        (Some(last), false) => {
            disks.push(last);
            let words: Vec<_> =
                disks.iter().take(MOST_NAMED).map(|disk| archive.path_of(disk).display().to_string()).collect();
            let more = if disks.len() > MOST_NAMED { ", …" } else { "" };
            Err(Error::usage(format!("holds {} disks", disks.len()))
                .at_path(path)
                .with_hint(format!("say which: {}{more}", words.join(", "))))
        }
    }
}

/// The names in `listing`, to be printed: the first of many.
pub(super) fn names(listing: &Listing) -> String {
    let names: Vec<_> = listing.members.iter().take(MOST_NAMED).map(|member| member.name.as_str()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The members of `archive` that are disks: that begin as one of the formats does, or are named like one, and belong to no other.
/// Of a disk in pieces the first is named, and of one in an OVF package's chunks the name without their numbers.
///
/// # Errors
/// `Io`.
pub fn disks(archive: &Arc<Archive>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for member in &archive.listing().members {
        let name = match chunk_of(&member.name) {
            Some((stem, 0)) => stem,
            Some(_) => continue,
            None => &member.name,
        };
        if is_named(name) || is_disk(archive, &member.name)? {
            found.push(name.to_owned());
        }
    }
    if found.len() > 1 {
        let parts = parts(archive, &found);
        found.retain(|name| !parts.contains(name));
    }
    Ok(found)
}

/// What a member of an archive is by its name.
pub(super) enum Named {
    /// A disk, in one file and as it is.
    Disk,
    /// A piece or a chunk of one.
    Pieces,
    /// A disk that is compressed by itself.
    Packed,
    /// Nothing that its name tells.
    Other,
}

/// What a member called `name` is, as far as that can tell.
pub(super) fn named_as(name: &str) -> Named {
    let whole = chunk_of(name).map_or(name, |(stem, _)| stem);
    match is_named(whole) {
        false => Named::Other,
        true if whole != name || stem_of_first(Path::new(name)).is_some() => Named::Pieces,
        true if name.ends_with(".gz") => Named::Packed,
        true => Named::Disk,
    }
}

/// Whether a file of this name is a raw disk.
pub(super) fn is_raw(name: &str) -> bool {
    let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| matches!(extension.as_str(), "raw" | "img"))
}

/// Whether a file of this name is a disk, as far as its name can tell.
fn is_named(name: &str) -> bool {
    let packed = Compression::named(Path::new(name)).is_some();
    let name = name.rsplit_once('.').filter(|_| packed).map_or(name, |(stem, _)| stem);
    let name = stem_of_first(Path::new(name)).unwrap_or(name);
    let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let known = || FORMATS.into_iter().map(|format| format.extension()).chain(OTHER_EXTENSIONS);
    extension.is_some_and(|extension| known().any(|known| known == extension))
}

fn is_disk(archive: &Archive, name: &str) -> Result<bool> {
    let (file, path) = (archive.member(name)?, archive.path_of(name));
    Ok(probe(&head(&file, &path)?).name() != "raw")
}

/// The members that others of `names` are made of, or lie over.
fn parts(archive: &Arc<Archive>, names: &[String]) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for name in names {
        let folder = name.rfind('/').map_or("", |slash| &name[..=slash]);
        // One that cannot be understood is told of when it is opened.
        let Ok(info) = described(archive, name) else { continue };
        let files = info.parts.into_iter().filter_map(|part| part.file);
        let parent = info.parent.and_then(|parent| parent.name);
        parts.extend(files.chain(parent).map(|file| format!("{folder}{file}")).filter(|part| part != name));
    }
    parts
}

fn described(archive: &Arc<Archive>, name: &str) -> Result<ImageInfo> {
    let (file, path) = (archive.member(name)?, archive.path_of(name));
    let format = probe(&head(&file, &path)?);
    format.describe(&Source { file: Arc::new(file), path, neighbors: &Neighbors::none(), snapshot: None })
}

/// The first bytes of `file`, by which it is known.
pub(super) fn head(file: &dyn ReadAt, path: &Path) -> Result<Vec<u8>> {
    let mut head = vec![0; HEAD.min(usize::try_from(file.size()).unwrap_or(HEAD))];
    let read = file.read_exact_at(&mut head, 0);
    read.map_err(|cause| Error::io("cannot read", cause).at_path(path).at_offset(0))?;
    Ok(head)
}

impl Disk {
    /// The disk called `name` in `archive`: its pieces or chunks joined, inflated where it is compressed with gzip.
    ///
    /// # Errors
    /// `Io` where there is no such member; as [`Pieces::join`] and [`inflated`].
    pub(super) fn open(archive: &Arc<Archive>, name: &str, max_size: Option<u64>) -> Result<Self> {
        let path = archive.path_of(name);
        let neighbors = Neighbors::within(archive, name);
        let whole = archive.listing().member(name).is_some();
        let first = archive.member(&if whole { name.to_owned() } else { chunk_name(name, 0) });
        let first = Arc::new(first.or_else(|_| archive.member(name))?);
        let id = first.id();
        neighbors.note(id, &path);
        let plain = &name[name.rfind('/').map_or(0, |slash| slash + 1)..];
        let joined = match stem_of_first(Path::new(plain)) {
            _ if !whole => Some(Pieces::join_chunks(Arc::clone(&first), plain, &neighbors)),
            Some(stem) => Some(Pieces::join(Arc::clone(&first), stem, &neighbors)),
            None => None,
        };
        let joined = joined.transpose().map_err(|error| error.at_path(&path))?;
        let count = joined.as_ref().map_or(1, Pieces::count) as u64;
        if !whole && let Some(behind) = chunk_behind(archive, name, count) {
            return Err(Error::corrupt(format!("{} is missing, but {behind} is there", chunk_name(name, count)))
                .at_path(&path)
                .with_hint("the package is not complete: download it again"));
        }
        let joined = joined.filter(|pieces| pieces.count() > 1);
        let piece = joined.as_ref().map(|_| first.size());
        let file: Arc<dyn ReadAt> = match joined {
            Some(pieces) => Arc::new(pieces),
            None => first,
        };
        let stored = file.size();
        Ok(Disk { file: inflated(file, &path, max_size)?, id, stored, piece, neighbors })
    }
}

/// A chunk of `name` that lies behind a gap: of which `count` are joined.
fn chunk_behind<'a>(archive: &'a Archive, name: &str, count: u64) -> Option<&'a str> {
    let names = archive.listing().members.iter().map(|member| member.name.as_str());
    names.into_iter().find(|member| chunk_of(member).is_some_and(|(stem, number)| stem == name && number >= count))
}

/// The disk in `file`, called `path`: inflated where it is compressed with gzip.
///
/// # Errors
/// As [`unpacked`].
pub(super) fn inflated(file: Arc<dyn ReadAt>, path: &Path, max_size: Option<u64>) -> Result<Arc<dyn ReadAt>> {
    let cannot = |cause| Error::io("cannot read", cause).at_path(path).at_offset(0);
    if !may_be_packed(path) || !is_gzip(file.as_ref()).map_err(cannot)? {
        return Ok(file);
    }
    unpacked(file.as_ref(), path, Compression::Gzip, max_size)
}

/// Whether a disk of this name is inflated where it begins as gzip does: any that is not named like a raw disk.
fn may_be_packed(path: &Path) -> bool {
    !path.to_str().is_some_and(is_raw)
}
