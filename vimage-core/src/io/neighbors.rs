//! Which other files an image may make vimage open: the one door through which every reference goes.
//!
//! An image from a stranger can name any file of the reader's machine as its extent or its parent, and a converter that
//! follows gives that file's content away (CVE-2015-5163, CVE-2022-47951, CVE-2024-32498). So a reference is a plain
//! file name in the image's own folder, a regular file and no symbolic link, or it is refused.

use super::file::{FileId, FileReader};
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
    opened: Mutex<Vec<FileId>>,
}

impl Neighbors {
    /// Opens nothing: every reference is refused.
    pub fn none() -> Self {
        Neighbors { folder: None, opened: Mutex::default() }
    }

    /// Opens plain file names in the folder of the image at `path`.
    pub fn of(path: &Path) -> Self {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        Neighbors { folder: Some(folder), opened: Mutex::default() }
    }

    /// Opens the file `name` that an image refers to; returns it with its path.
    ///
    /// # Errors
    /// `Refused` when the name is no plain file name, or the file is a symbolic link, a device or anything but a
    /// regular file, or nothing may be opened; `Io` when it is missing or cannot be read.
    pub fn open(&self, name: &str) -> Result<(Arc<FileReader>, PathBuf)> {
        let folder = self.folder_for(name)?;
        let path = join(folder, name);
        let opened = open_in(folder, name).map_err(|error| error.at_path(&path));
        let reader = FileReader::from_file(opened?).map_err(|error| error.at_path(&path))?;
        self.note(reader.id());
        Ok((Arc::new(reader), path))
    }

    /// Whether a file of this plain name is there.
    pub fn exists(&self, name: &str) -> bool {
        self.folder_for(name).is_ok_and(|folder| folder.join(name).symlink_metadata().is_ok())
    }

    /// Notes a file that the image is made of.
    pub(crate) fn note(&self, id: FileId) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// Every file that was opened for the image.
    pub(crate) fn opened(&self) -> Vec<FileId> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn folder_for(&self, name: &str) -> Result<&Path> {
        let quoted = quote(name);
        let Some(folder) = &self.folder else {
            return Err(Error::refused(format!(
                "the image refers to {quoted}, and no other file may be opened for it"
            )));
        };
        if !is_plain(name) {
            return Err(Error::refused(format!("the image refers to {quoted}, which is not a plain file name"))
                .with_hint(
                    "an image may only name files in its own folder; put the file there and correct the reference",
                ));
        }
        Ok(folder)
    }
}

/// A name that cannot lead out of its folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
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
        Err(rustix::io::Errno::NOENT) => Err(Error::new(ErrorKind::Io, "the image refers to a file that is missing")
            .with_hint("copy all files of the image into one folder")),
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
        assert_eq!(neighbors.open("json:{}").unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(Neighbors::none().open("a").unwrap_err().kind(), ErrorKind::Refused);
    }
}
