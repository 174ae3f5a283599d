//! A tar archive whose members are read where they lie, as files of their own.

use super::compression::Compression;
use super::file::{FileId, FileReader};
use super::tar::{self, Listing, Member};
use super::unpacked::{is_gzip, unpack};
use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open archive.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: Arc<FileReader>,
    listing: Listing,
    packed: bool,
}

impl Archive {
    /// Opens `file`, called `path`, if it is a tar, or a gzip-compressed tar by its name (`.box`, `.tgz`, `.tar.gz`): such a one is
    /// inflated into an unnamed temporary file first. None where it is neither.
    ///
    /// # Errors
    /// As [`tar::list`] and [`unpack`].
    pub fn open(file: &Arc<FileReader>, path: &Path) -> Result<Option<Arc<Self>>> {
        let cannot = |cause| Error::io("cannot read", cause).at_path(path).at_offset(0);
        let packed = may_be_packed(path) && is_gzip(file.as_ref()).map_err(cannot)?;
        let file = if packed { Arc::new(inflated(file, path)?) } else { Arc::clone(file) };
        if !tar::is_tar(file.as_ref(), path)? {
            return Ok(None);
        }
        let listing = tar::list(file.as_ref(), path)?;
        Ok(Some(Arc::new(Archive { path: path.to_owned(), file, listing, packed })))
    }

    /// The archive's own path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Whether it had to be inflated, so that no member lies in its file byte for byte.
    pub fn is_packed(&self) -> bool {
        self.packed
    }

    /// The archive's file.
    pub fn id(&self) -> FileId {
        self.file.id()
    }

    /// The member called `name`.
    ///
    /// # Errors
    /// `Io` where there is none.
    pub fn member(&self, name: &str) -> Result<FileReader> {
        let found = self.listing.member(name).and_then(|member| self.reader(member));
        found.ok_or_else(|| {
            Error::io("has no member of this name", std::io::ErrorKind::NotFound.into())
                .at_path(self.path_of(name))
                .with_hint(format!("vimage info {} lists them", self.path.display()))
        })
    }

    /// The bytes of `member`.
    fn reader(&self, member: &Member) -> Option<FileReader> {
        self.file.member(member.offset, member.size)
    }

    /// How a member is written as a path: `appliance.ova:disk.vmdk`.
    pub fn path_of(&self, name: &str) -> PathBuf {
        let mut path = self.path.as_os_str().to_owned();
        path.push(":");
        path.push(name);
        path.into()
    }
}

/// The archive and the member that `path` means where it is the path of no file: `appliance.ova:disk.vmdk`.
pub fn split_member(path: &Path) -> Option<(PathBuf, String)> {
    if path.symlink_metadata().is_ok() {
        return None;
    }
    let bytes = path.as_os_str().as_bytes();
    let colons = bytes.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(index, _)| index);
    for colon in colons {
        let archive = Path::new(OsStr::from_bytes(&bytes[..colon]));
        if archive.is_file() {
            let member = std::str::from_utf8(&bytes[colon + 1..]).ok().filter(|member| !member.is_empty())?;
            return Some((archive.to_owned(), member.to_owned()));
        }
    }
    None
}

/// Whether a file at `path` is named like an archive, compressed or not.
pub fn is_named(path: &Path) -> bool {
    tar::is_named(path) || may_be_packed(path)
}

/// Whether a file of this name may be a gzip-compressed tar.
fn may_be_packed(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    [".box", ".ova", ".tgz", ".tar.gz"].iter().any(|ending| name.ends_with(ending))
}

fn inflated(file: &FileReader, path: &Path) -> Result<FileReader> {
    let inflated = FileReader::from_file(unpack(file, path, Compression::Gzip, None)?)?;
    Ok(inflated.standing_for(file.id(), file.allocated()))
}
