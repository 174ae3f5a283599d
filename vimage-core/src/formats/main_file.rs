//! An image's main file: found by its name, joined from its pieces, unpacked where it is compressed as a whole, and its format probed.

use super::members::{self, Disk};
use super::open::{DiskFile, OpenOptions};
use super::packed::{Packed, packed};
use super::{Findings, Format, Source, by_name, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageInfo;
use crate::io::locks::Locks;
use crate::io::outputs::undo_name;
use crate::io::pieces::{piece_name, stem_of_first};
use crate::io::{Archive, Compression, FileId, FileReader, Neighbors, Pieces, ReadAt};
use crate::limits::check_size;
use crate::observer::Observer;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that a user named, with the pieces that follow it, or the disk in the archive that they named.
pub(super) struct MainFile {
    pub(super) file: Arc<dyn ReadAt>,
    /// As errors name it.
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) allocated: u64,
    /// The length of the first of several pieces.
    pub(super) piece: Option<u64>,
    pub(super) neighbors: Neighbors,
    pub(super) archive: Option<Arc<Archive>>,
    /// What it is compressed with as a whole, where `file` is what it unpacks to.
    pub(super) packed: Option<Compression>,
    /// The format that its name says, where its first bytes do not.
    pub(super) format: Option<&'static dyn Format>,
}

impl MainFile {
    pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let main = Self::named(path, options)?;
        let path = main.path.clone();
        main.unpacked(options).map_err(|error| error.at_path(path))
    }

    /// With what is in it, where it is compressed as a whole. Who says that it is raw means the compressed bytes.
    pub(super) fn unpacked(mut self, options: &OpenOptions) -> Result<Self> {
        if matches!(options.format.as_deref(), Some("raw" | "raw.zst")) {
            return Ok(self);
        }
        match packed(self.file.as_ref(), &self.path, options.max_size)? {
            None => {}
            Some(Packed::As(format)) => self.format = Some(format),
            Some(Packed::Unpacked(file, compression)) => {
                self.file = file;
                self.packed = Some(compression);
            }
        }
        Ok(self)
    }

    pub(super) fn named(path: &Path, options: &OpenOptions) -> Result<Self> {
        let locks = Locks::new(options.force_share);
        if let Some((archive, member)) = members::named(path, &locks)? {
            return Self::of_member(&archive, &member, options);
        }
        let neighbors = Neighbors::of(path).allow_external(options.allow_external).locking(locks);
        let first =
            Arc::new(neighbors.open_own(path).map_err(
                |error| match path.file_name().and_then(|name| name.to_str()) {
                    Some(name) if neighbors.exists(&piece_name(name, 1)) => {
                        error.with_hint(format!("it is there in pieces: name the first, {}", piece_name(name, 1)))
                    }
                    Some(name) if neighbors.exists(&undo_name(name.as_ref())) => error.with_hint(format!(
                        "a run that was replacing it was killed and left it in {}: vimage compact, or the next run that makes a \
                         file in this folder, puts it back",
                        undo_name(name.as_ref())
                    )),
                    _ => error,
                },
            )?);
        neighbors.locks().read(&first, path)?;
        // Who says that it is raw means the archive's own bytes.
        if options.format.as_deref() != Some("raw")
            && let Some((archive, member)) = members::only(&first, path)?
        {
            return Self::of_member(&archive, &member, options);
        }
        Self::of_file(first, path, neighbors)
    }

    pub(super) fn of_member(archive: &Arc<Archive>, name: &str, options: &OpenOptions) -> Result<Self> {
        let Disk { file, id, stored: allocated, piece, neighbors } = Disk::open(archive, name, options.max_size)?;
        let (path, archive) = (archive.path_of(name), Some(Arc::clone(archive)));
        Ok(MainFile { file, path, id, allocated, piece, neighbors, archive, packed: None, format: None })
    }

    pub(super) fn of_file(first: Arc<FileReader>, path: &Path, neighbors: Neighbors) -> Result<Self> {
        let (id, allocated) = (first.id(), first.allocated());
        neighbors.note(id, path);
        let (path, archive) = (path.to_owned(), None);
        let Some(stem) = stem_of_first(&path)
            .filter(|stem| [2, 3].iter().any(|&number| neighbors.exists(&piece_name(stem, number))))
        else {
            if let Some(stem) = stem_of_later(&path).filter(|stem| neighbors.exists(&piece_name(stem, 1))) {
                let first = piece_name(stem, 1);
                return Err(Error::unsupported("is one piece of several")
                    .at_path(&path)
                    .with_hint(format!("name the first, {first}: the others are joined to it")));
            }
            return Ok(MainFile {
                file: first,
                path,
                id,
                allocated,
                piece: None,
                neighbors,
                archive,
                packed: None,
                format: None,
            });
        };
        let piece = Some(first.size());
        let pieces = Pieces::join(first, stem, &neighbors).map_err(|error| error.at_path(&path))?;
        Ok(Self::of_pieces(pieces, path, id, piece, neighbors))
    }

    pub(super) fn of_disk(disk: &DiskFile, options: &OpenOptions) -> Result<Self> {
        let (first, neighbors, first_path, path) = match disk {
            DiskFile::Member(archive, name) => {
                return Self::of_member(archive, name, options)?.unpacked(options);
            }
            DiskFile::File { first, neighbors, first_path, path } => {
                (Arc::clone(first), neighbors.of_another(), first_path, path)
            }
        };
        let mut main = match path == first_path {
            true => Self::of_file(first, path, neighbors)?,
            false => Self::of_chunks(first, first_path, path, neighbors)?,
        };
        main.file = members::inflated(main.file, path, options.max_size)?;
        main.unpacked(options)
    }

    pub(super) fn of_chunks(
        first: Arc<FileReader>,
        first_path: &Path,
        path: &Path,
        neighbors: Neighbors,
    ) -> Result<Self> {
        let (id, piece, path) = (first.id(), Some(first.size()), path.to_owned());
        neighbors.note(id, first_path);
        let stem = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let pieces = Pieces::join_chunks(first, stem, &neighbors).map_err(|error| error.at_path(&path))?;
        Ok(Self::of_pieces(pieces, path, id, piece, neighbors))
    }

    /// What `pieces`, the first of which is `piece` bytes long, make together.
    fn of_pieces(pieces: Pieces, path: PathBuf, id: FileId, piece: Option<u64>, neighbors: Neighbors) -> Self {
        let allocated = pieces.allocated();
        let file = Arc::new(pieces);
        MainFile { file, path, id, allocated, piece, neighbors, archive: None, packed: None, format: None }
    }

    pub(super) fn describe(&self, options: &OpenOptions) -> Result<(ImageInfo, u64)> {
        let source = self.source(options);
        let info = self.described(self.format(options)?, &source);
        Ok((info.map_err(|error| error.at_path(&self.path))?, self.allocated))
    }

    pub(super) fn check(&self, options: &OpenOptions, observer: &dyn Observer) -> Result<Findings> {
        let (source, format) = (self.source(options), self.format(options)?);
        let sized = match options.max_size {
            None => Ok(()),
            most => format.describe(&source).and_then(|info| check_size(info.virtual_size, most)),
        };
        match sized.and_then(|()| format.check(&source, observer)) {
            Err(error) => as_finding(error).map_err(|error| error.at_path(&self.path)),
            checked => checked,
        }
    }

    pub(super) fn format(&self, options: &OpenOptions) -> Result<&'static dyn Format> {
        match (options.format.as_deref(), self.format) {
            (None, Some(format)) => Ok(format),
            (named, _) => format_of(&self.source(options), named),
        }
    }

    /// The fault that kept the image from being opened, with where it is. What is named like a raw disk and begins as an image of
    /// another format may be a raw disk in which a guest wrote that.
    pub(super) fn fault(&self, error: Error, options: &OpenOptions) -> Error {
        let error = error.at_path(&self.path);
        let taken = self.format(options).ok().map(Format::name).filter(|name| *name != "raw");
        match taken.filter(|_| options.format.is_none() && self.path.to_str().is_some_and(members::is_raw)) {
            Some(taken) => error.with_another_hint(&format!(
                "it begins as {taken} does: if it is a raw disk, and a guest wrote that there, say so with -f raw"
            )),
            None => error,
        }
    }

    pub(super) fn described(&self, format: &dyn Format, source: &Source<'_>) -> Result<ImageInfo> {
        let mut info = format.describe(source)?;
        info.details.extend(self.packed.map(|compression| ("packed-with", compression.name().to_owned())));
        Ok(info)
    }

    pub(super) fn source<'a>(&'a self, options: &'a OpenOptions) -> Source<'a> {
        Source {
            file: Arc::clone(&self.file),
            path: self.path.clone(),
            neighbors: &self.neighbors,
            snapshot: options.snapshot.as_deref(),
        }
    }
}

/// The stem of a later piece's name: `disk.raw` for `disk.raw.002`.
fn stem_of_later(path: &Path) -> Option<&str> {
    let (stem, number) = path.file_name()?.to_str()?.rsplit_once('.')?;
    (number.len() >= 3 && number.bytes().all(|digit| digit.is_ascii_digit()) && number != "001").then_some(stem)
}

pub(super) fn format_of(source: &Source<'_>, named: Option<&str>) -> Result<&'static dyn Format> {
    if let Some(name) = named {
        return by_name(name);
    }
    let format = probe(&members::head(source.file.as_ref(), &source.path)?);
    let is_text = source.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ovf"));
    if is_text && format.name() == "raw" {
        return Err(Error::unsupported("is an OVF descriptor, and no disk")
            .at_path(&source.path)
            .with_hint("name one of its disks: vimage info tells which there are"));
    }
    Ok(format)
}

/// A fault that keeps an image from being opened, as what a check found.
pub(super) fn as_finding(error: Error) -> Result<Findings> {
    match error.kind() {
        ErrorKind::Corrupt => {
            let mut findings = Findings::default();
            findings.add_error(&error);
            Ok(findings)
        }
        _ => Err(error),
    }
}
