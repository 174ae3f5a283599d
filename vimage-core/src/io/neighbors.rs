//! Which other files an image may make vimage open: the one door through which every reference goes.
//!
//! An image from a stranger can name any file of the reader's machine as its extent or its parent, and a converter that
//! follows gives that file's content away (CVE-2015-5163, CVE-2022-47951, CVE-2024-32498). So a reference is a plain
//! file name in the image's own folder, a regular file and no symbolic link, or it is refused, unless the caller trusts the
//! image and opens the door.

use super::archive::Archive;
use super::file::{FileId, FileReader};
use super::outputs::Unpublished;
use crate::error::{Error, ErrorKind, Result};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The files beside an image that it may name.
#[derive(Debug)]
pub struct Neighbors {
    folder: Option<PathBuf>,
    /// The archive whose members are the only neighbours, and what stands in front of their plain names.
    archive: Option<(Arc<Archive>, String)>,
    /// Files that are finished but have not their names yet: they stand in for those of the folder.
    unpublished: Arc<[Unpublished]>,
    external: bool,
    opened: Arc<Mutex<Vec<(FileId, PathBuf)>>>,
}

impl Neighbors {
    /// Opens nothing: every reference is refused.
    pub fn none() -> Self {
        Neighbors { folder: None, archive: None, unpublished: Arc::default(), external: false, opened: Arc::default() }
    }

    /// Opens plain file names in the folder of the image at `path`.
    pub fn of(path: &Path) -> Self {
        let folder = folder_of(path).to_owned();
        Neighbors {
            folder: Some(folder),
            archive: None,
            unpublished: Arc::default(),
            external: false,
            opened: Arc::default(),
        }
    }

    /// Opens plain names among the members of `archive` beside that called `member`, and nothing else at all.
    pub fn within(archive: &Arc<Archive>, member: &str) -> Self {
        let folder = member.rfind('/').map_or("", |slash| &member[..=slash]);
        Neighbors { archive: Some((Arc::clone(archive), folder.to_owned())), ..Self::of(archive.path()) }
    }

    /// Opens whatever file or block device is named, wherever it lies. For images that the caller trusts.
    #[must_use]
    pub fn allow_external(mut self, allowed: bool) -> Self {
        self.external = allowed;
        self
    }

    /// With `files`, which are finished but have not their names yet, in place of those of the same names.
    #[must_use]
    pub(crate) fn standing_in(mut self, files: &[Unpublished]) -> Self {
        self.unpublished = files.into();
        self
    }

    /// The neighbours of another file of the same disk, under the same rules.
    #[must_use]
    pub fn beside(&self, path: &Path) -> Self {
        let folder = self.folder.as_ref().and_then(|_| Self::of(path).folder);
        // The names that an archive's members may say are plain: they all lie in one folder of it.
        let (archive, unpublished) = (self.archive.clone(), Arc::clone(&self.unpublished));
        Neighbors { folder, archive, unpublished, external: self.external, opened: Arc::clone(&self.opened) }
    }

    /// Opens the file `name` that an image refers to; returns it with its path.
    ///
    /// # Errors
    /// `Refused` when the name is no plain file name, or the file is a symbolic link, a device or anything but a
    /// regular file, or nothing may be opened; `Io` when it is missing or cannot be read.
    pub fn open(&self, name: &str) -> Result<(Arc<FileReader>, PathBuf)> {
        let folder = self.folder_for(name)?;
        if let Some((archive, prefix)) = &self.archive {
            let member = format!("{prefix}{name}");
            let path = archive.path_of(&member);
            let reader = archive.member(&member).map_err(|_| missing("archive").at_path(&path))?;
            self.note(reader.id(), &path);
            return Ok((Arc::new(reader), path));
        }
        let path = join(folder, name);
        let reader = if let Some(file) = self.stands_in(&folder.join(name)) {
            FileReader::open(&file.temporary)?
        } else if self.external {
            FileReader::open(&path)?
        } else {
            let opened = open_in(folder, name).map_err(|error| error.at_path(&path));
            FileReader::from_file(opened?).map_err(|error| error.at_path(&path))?
        };
        self.note(reader.id(), &path);
        Ok((Arc::new(reader), path))
    }

    /// Whether a file of this plain name is there.
    pub fn exists(&self, name: &str) -> bool {
        self.folder_for(name).is_ok_and(|folder| match &self.archive {
            Some((archive, prefix)) => archive.listing().member(&format!("{prefix}{name}")).is_some(),
            None => {
                let path = folder.join(name);
                self.stands_in(&path).is_some() || path.symlink_metadata().is_ok()
            }
        })
    }

    /// The plain names in the folder that end in `.extension`, in alphabetical order.
    ///
    /// # Errors
    /// `Refused` when no other file may be opened; `Unsupported` when they are more than `most`; `Io`.
    pub(crate) fn ending(&self, extension: &str, most: usize) -> Result<Vec<String>> {
        let Some(folder) = &self.folder else {
            return Err(Error::refused("no other file may be opened for the image"));
        };
        let ends = |name: &str| name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case(extension));
        let mut names = Vec::new();
        let mut add = |name: &str| {
            if names.len() == most {
                return Err(Error::unsupported(format!("more than {most} .{extension} files lie in this folder"))
                    .at_path(folder));
            }
            names.push(name.to_owned());
            Ok(())
        };
        if let Some((archive, prefix)) = &self.archive {
            let members =
                archive.listing().members.iter().filter_map(|member| member.name.strip_prefix(prefix.as_str()));
            members.filter(|name| !name.contains('/') && ends(name)).try_for_each(&mut add)?;
        } else {
            let cannot = |cause| Error::io("cannot list the folder", cause).at_path(folder);
            for entry in folder.read_dir().map_err(cannot)? {
                let name = entry.map_err(cannot)?.file_name();
                name.to_str().filter(|name| ends(name)).map_or(Ok(()), &mut add)?;
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

    fn folder_for(&self, name: &str) -> Result<&Path> {
        let quoted = quote(name);
        let external = self.external && self.archive.is_none();
        let Some(folder) = &self.folder else {
            return Err(Error::refused(format!(
                "the image refers to {quoted}, and no other file may be opened for it"
            )));
        };
        if external && is_protocol(name) {
            return Err(Error::unsupported(format!("the image refers to {quoted}, which is not a file")));
        }
        if external && !name.is_empty() && !name.contains('\0') {
            return Ok(folder);
        }
        if !is_plain(name) || is_protocol(name) {
            let error = Error::refused(format!("the image refers to {quoted}, which is not a plain file name"));
            if self.archive.is_some() {
                return Err(error.with_hint("an image in an archive may only name members beside it; unpack it first"));
            }
            return Err(error.with_hint(
                "an image may only name files in its own folder: put the file there and correct the reference, or \
                     open it with --allow-external if you trust where it comes from",
            ));
        }
        Ok(folder)
    }
}

/// The folder that a file at `path` lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn missing(place: &str) -> Error {
    Error::new(ErrorKind::Io, "the image refers to a file that is missing")
        .with_hint(format!("copy all files of the image into one {place}"))
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

/// The folder left out where it is the current one, as the user would write it.
fn join(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

/// Opens `name` in `folder` without following a link, neither racing with who swaps one in nor waiting on a pipe.
fn open_in(folder: &Path, name: &str) -> Result<File> {
    let cannot = |cause: rustix::io::Errno| Error::io("cannot open", io::Error::from(cause));
    let directory = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(folder, directory, Mode::empty()).map_err(cannot)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(&directory, name, flags, Mode::empty()) {
        Ok(handle) => {
            let file = File::from(handle);
            let metadata = file.metadata().map_err(|cause| Error::io("cannot open", cause))?;
            if metadata.is_file() {
                Ok(file)
            } else {
                Err(Error::refused("the image refers to something that is not a regular file"))
            }
        }
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::MLINK) => {
            Err(Error::refused("the image refers to a symbolic link")
                .with_hint("links are not followed for a file that an image names; put the file itself there"))
        }
        Err(rustix::io::Errno::NOENT) => Err(missing("folder")),
        Err(cause) => Err(cannot(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
