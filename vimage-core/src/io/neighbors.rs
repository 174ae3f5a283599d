//! Which other files an image may make vimage open: the one door through which every reference goes.
//!
//! An image from a stranger can name any file of the reader's machine as its extent or its parent, and a converter that
//! follows gives that file's content away (CVE-2015-5163, CVE-2022-47951, CVE-2024-32498, CVE-2024-4467). So a reference is a
//! plain file name in the image's own folder, a regular file and no symbolic link, or it is refused, unless the caller trusts the
//! image and opens the door.

use super::archive::Archive;
use super::file::{FileId, FileReader};
use super::folder::{Folder, folder_of, missing};
use super::locks::Locks;
use super::outputs::Unpublished;
use crate::error::{Error, Result};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The files beside an image that it may name.
#[derive(Debug, Clone)]
pub struct Neighbors {
    /// None where nothing may be opened.
    place: Option<Place>,
    /// Files that are finished but have not their names yet: they stand in for those of the folder.
    unpublished: Arc<[Unpublished]>,
    external: bool,
    /// Those of the files that are opened.
    locks: Locks,
    opened: Arc<Mutex<Vec<(FileId, PathBuf)>>>,
}

/// Where they lie.
#[derive(Debug, Clone)]
enum Place {
    Folder(Folder),
    /// Among the members of an archive; with what stands in front of their plain names.
    Archive(Arc<Archive>, String),
}

impl Neighbors {
    /// Opens nothing: every reference is refused.
    pub fn none() -> Self {
        Self::at(None)
    }

    /// Opens plain file names in the folder of the image at `path`. That folder is opened now, and all files are looked up from it,
    /// so they are those of one folder whatever is put under its path meanwhile.
    pub fn of(path: &Path) -> Self {
        Self::at(Some(Place::Folder(Folder::of(path))))
    }

    /// Opens plain names among the members of `archive` beside that called `member`, and nothing else at all.
    pub fn within(archive: &Arc<Archive>, member: &str) -> Self {
        let folder = member.rfind('/').map_or("", |slash| &member[..=slash]);
        Self::at(Some(Place::Archive(Arc::clone(archive), folder.to_owned())))
    }

    fn at(place: Option<Place>) -> Self {
        Neighbors {
            place,
            unpublished: Arc::default(),
            external: false,
            locks: Locks::default(),
            opened: Arc::default(),
        }
    }

    /// Opens whatever file or block device is named, wherever it lies. For images that the caller trusts.
    #[must_use]
    pub fn allow_external(mut self, allowed: bool) -> Self {
        self.external = allowed;
        self
    }

    /// Locks what is opened with `locks`.
    #[must_use]
    pub(crate) fn locking(mut self, locks: Locks) -> Self {
        self.locks = locks;
        self
    }

    /// The locks on what was opened.
    pub(crate) fn locks(&self) -> &Locks {
        &self.locks
    }

    /// With `files`, which are finished but have not their names yet, in place of those of the same names.
    #[must_use]
    pub(crate) fn standing_in(mut self, files: &[Unpublished]) -> Self {
        self.unpublished = files.into();
        self
    }

    /// The same files beside another image: which of them are opened for that is noted apart.
    #[must_use]
    pub(crate) fn of_another(&self) -> Self {
        Neighbors { opened: Arc::default(), ..self.clone() }
    }

    /// Opens the file at `path` whose neighbours these are, which a user named: symbolic links are followed.
    ///
    /// # Errors
    /// As [`FileReader::open`].
    pub(crate) fn open_own(&self, path: &Path) -> Result<FileReader> {
        match (&self.place, path.file_name()) {
            // A path may also end in what is no name: `disk/` or `disk/.`.
            (Some(Place::Folder(folder)), Some(name)) if path.as_os_str().as_bytes().ends_with(name.as_bytes()) => {
                folder.open_trusted(name).map_err(|error| error.at_path(path))
            }
            _ => FileReader::open(path),
        }
    }

    /// Opens the file `name` that an image refers to; returns it with its path.
    ///
    /// # Errors
    /// `Refused` when the name is no plain file name, or the file is a symbolic link, a device or anything but a
    /// regular file, or nothing may be opened; `InUse` when another program writes to it; `Io` when it is missing or
    /// cannot be read.
    pub fn open(&self, name: &str) -> Result<(Arc<FileReader>, PathBuf)> {
        self.open_image(name).map(|(file, path, _)| (file, path))
    }

    /// The same, for an image: with the files that it may name in turn, under the same rules.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_image(&self, name: &str) -> Result<(Arc<FileReader>, PathBuf, Neighbors)> {
        let (reader, path, neighbors) = match self.place_of(name)? {
            Place::Archive(archive, prefix) => {
                let member = format!("{prefix}{name}");
                let path = archive.path_of(&member);
                let reader = archive.member(&member).map_err(|_| missing("archive").at_path(&path))?;
                (reader, path, self.clone())
            }
            Place::Folder(folder) => {
                let path = folder.join(name);
                let (beside, plain) = folder.leading_to(name);
                let reader = match self.stands_in(&folder.path().join(name)) {
                    Some(file) => FileReader::open(&file.temporary)?,
                    None if self.external => beside.open_trusted(plain).map_err(|error| error.at_path(&path))?,
                    None => folder.open_regular(name).map_err(|error| error.at_path(&path))?,
                };
                (reader, path, Neighbors { place: Some(Place::Folder(beside)), ..self.clone() })
            }
        };
        self.locks.read(&reader, &path)?;
        self.note(reader.id(), &path);
        Ok((Arc::new(reader), path, neighbors))
    }

    /// The length in bytes of the file `name`, which is not opened for it.
    ///
    /// # Errors
    /// As [`open`](Self::open) has them where no image is trusted.
    pub(crate) fn size_of(&self, name: &str) -> Result<u64> {
        match self.place_of(name)? {
            Place::Archive(archive, prefix) => {
                let member = format!("{prefix}{name}");
                let found = archive.listing().member(&member).map(|member| member.size);
                found.ok_or_else(|| missing("archive").at_path(archive.path_of(&member)))
            }
            Place::Folder(folder) => folder.size_of(name).map_err(|error| error.at_path(folder.join(name))),
        }
    }

    /// Whether a file of this plain name is there.
    pub fn exists(&self, name: &str) -> bool {
        self.place_of(name).is_ok_and(|place| match place {
            Place::Archive(archive, prefix) => archive.listing().member(&format!("{prefix}{name}")).is_some(),
            Place::Folder(folder) => self.stands_in(&folder.path().join(name)).is_some() || folder.holds(name),
        })
    }

    /// The plain names in the folder that end in `.extension`, in alphabetical order.
    ///
    /// # Errors
    /// `Refused` when no other file may be opened; `Unsupported` when they are more than `most`; `Io`.
    pub(crate) fn ending(&self, extension: &str, most: usize) -> Result<Vec<String>> {
        let ends = |name: &str| name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case(extension));
        let mut names = Vec::new();
        let mut add = |name: &str, folder: &Path| {
            if names.len() == most {
                return Err(Error::unsupported(format!("more than {most} .{extension} files lie in this folder"))
                    .at_path(folder));
            }
            names.push(name.to_owned());
            Ok(())
        };
        match &self.place {
            None => return Err(Error::refused("no other file may be opened for the image")),
            Some(Place::Archive(archive, prefix)) => {
                let members = archive.listing().members.iter();
                let plain = members.filter_map(|member| member.name.strip_prefix(prefix.as_str()));
                let mut found = plain.filter(|name| !name.contains('/') && ends(name));
                found.try_for_each(|name| add(name, archive.path()))?;
            }
            Some(Place::Folder(folder)) => {
                for name in folder.names()? {
                    let name = name?;
                    if ends(&name) {
                        add(&name, folder.path())?;
                    }
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// Notes a file that the image is made of.
    pub(crate) fn note(&self, id: FileId, path: &Path) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push((id, path.to_owned()));
    }

    /// Every file that was opened for the image, in that order.
    pub(crate) fn opened(&self) -> Vec<(FileId, PathBuf)> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stands_in(&self, path: &Path) -> Option<&Unpublished> {
        let same =
            |file: &&Unpublished| file.path.file_name() == path.file_name() && folder_of(&file.path) == folder_of(path);
        self.unpublished.iter().find(same)
    }

    /// Where the file `name` lies, if that is a reference that may be followed.
    fn place_of(&self, name: &str) -> Result<&Place> {
        let quoted = quote(name);
        let Some(place) = &self.place else {
            return Err(Error::refused(format!(
                "the image refers to {quoted}, and no other file may be opened for it"
            )));
        };
        let in_archive = matches!(place, Place::Archive(..));
        let external = self.external && !in_archive;
        if external && is_protocol(name) {
            return Err(Error::unsupported(format!("the image refers to {quoted}, which is not a file")));
        }
        if external && !name.is_empty() && !name.contains('\0') {
            return Ok(place);
        }
        if !is_plain(name) || is_protocol(name) {
            let error = Error::refused(format!("the image refers to {quoted}, which is not a plain file name"));
            if in_archive {
                return Err(error.with_hint("an image in an archive may only name members beside it; unpack it first"));
            }
            return Err(error.with_hint(
                "an image may only name files in its own folder: put the file there and correct the reference, or \
                     open it with --allow-external if you trust where it comes from",
            ));
        }
        Ok(place)
    }
}

/// A name that cannot lead out of its folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

/// What QEMU takes for something else than a file: a word and a colon before any slash.
fn is_protocol(name: &str) -> bool {
    const PROTOCOLS: [&str; 14] = [
        "json",
        "nbd",
        "file",
        "host_device",
        "http",
        "https",
        "ftp",
        "ftps",
        "ssh",
        "iscsi",
        "rbd",
        "nfs",
        "fat",
        "blkdebug",
    ];
    let word = name.split_once(':').map(|(word, _)| word).filter(|word| !word.contains('/'));
    name.contains("://") || word.is_some_and(|word| PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// A name from an image, made safe to print and short.
pub(crate) fn quote(name: &str) -> String {
    let mut shown: String = name.chars().take(120).flat_map(char::escape_debug).collect();
    if name.chars().nth(120).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn only_plain_names_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "x").unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let neighbors = Neighbors::of(&folder.path().join("image"));
        neighbors.open("a").unwrap();
        for name in ["", ".", "..", "/etc/shadow", "../a", "sub/../a", "sub", "link", "C:\\x", "a\0b", "/dev/null"] {
            assert_eq!(neighbors.open(name).unwrap_err().kind(), ErrorKind::Refused, "{name:?}");
        }
        for name in ["json:{}", "nbd:unix:/s", "nbd+tcp://host", "https://host/disk"] {
            assert_eq!(neighbors.open(name).unwrap_err().kind(), ErrorKind::Refused, "{name:?}");
        }
        assert_eq!(neighbors.open("at 10:30").unwrap_err().kind(), ErrorKind::Io);
        let trusting = Neighbors::of(&folder.path().join("image")).allow_external(true);
        for name in ["a", "link", "sub/../a", folder.path().join("a").to_str().unwrap()] {
            trusting.open(name).unwrap();
        }
        assert_eq!(trusting.open("json:{}").unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(Neighbors::none().open("a").unwrap_err().kind(), ErrorKind::Refused);
    }
}
