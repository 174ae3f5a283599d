//! A folder that is held open: what is opened in it is looked up from there, wherever its path leads by then.

use super::FileReader;
use crate::error::{Error, ErrorKind, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder and nothing else.
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Enough to look names up from, and so no right to read the folder is asked for.
#[cfg(target_os = "linux")]
const HOLD: OFlags = FOLDER.union(OFlags::PATH);
#[cfg(not(target_os = "linux"))]
const HOLD: OFlags = FOLDER.union(OFlags::RDONLY);

/// A folder, opened once.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    /// Where it could not be opened, the reason: each use of it tells that.
    handle: Arc<rustix::io::Result<OwnedFd>>,
}

impl Folder {
    /// The folder that the file at `path` lies in.
    pub(super) fn of(path: &Path) -> Self {
        let path = folder_of(path).to_owned();
        let handle = Arc::new(rustix::fs::open(&path, HOLD, Mode::empty()));
        Folder { path, handle }
    }

    /// The folder that the file `name` lies in, where that is a path from this folder or from the root; and the plain name.
    pub(super) fn leading_to<'a>(&self, name: &'a str) -> (Self, &'a str) {
        let Some((folder, plain)) = name.rsplit_once('/') else { return (self.clone(), name) };
        let folder = if folder.is_empty() { "/" } else { folder };
        let handle = self.handle().and_then(|own| rustix::fs::openat(own, folder, HOLD, Mode::empty()));
        let plain = if plain.is_empty() { "." } else { plain };
        (Folder { path: self.path.join(folder), handle: Arc::new(handle) }, plain)
    }

    /// Its path, as it was when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in it; the folder is left out where it is the current one, as the user would write it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        if self.path == Path::new(".") { PathBuf::from(name) } else { self.path.join(name) }
    }

    /// Opens what a user named or trusts: a regular file or a block device; symbolic links are followed.
    ///
    /// # Errors
    /// As [`FileReader::open`].
    pub(super) fn open_trusted(&self, name: impl rustix::path::Arg) -> Result<FileReader> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = self.handle().and_then(|folder| rustix::fs::openat(folder, name, flags, Mode::empty()));
        FileReader::from_file(File::from(opened.map_err(cannot_open)?))
    }

    /// Opens the regular file `name`, a plain one, without following a link, neither racing with who swaps one in nor waiting on
    /// a pipe. What is something else is not opened to see that: opening a device can do things.
    ///
    /// # Errors
    /// `Refused` where it is something else; `Io`.
    pub(super) fn open_regular(&self, name: &str) -> Result<FileReader> {
        self.size_of(name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match self.handle().and_then(|folder| rustix::fs::openat(folder, name, flags, Mode::empty())) {
            Ok(handle) => {
                // It may have been swapped since.
                let file = File::from(handle);
                let metadata = file.metadata().map_err(|cause| Error::io("cannot open", cause))?;
                if metadata.is_file() { FileReader::from_file(file) } else { Err(not_regular()) }
            }
            Err(Errno::LOOP | Errno::MLINK) => Err(link()),
            Err(Errno::NOENT) => Err(missing("folder")),
            Err(cause) => Err(cannot_open(cause)),
        }
    }

    /// The length in bytes of the regular file `name`, which is not opened for it.
    ///
    /// # Errors
    /// As [`open_regular`](Self::open_regular).
    pub(super) fn size_of(&self, name: &str) -> Result<u64> {
        let folder = self.handle().map_err(cannot_open)?;
        let found = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Err(missing("folder")),
            found => found.map_err(cannot_open)?,
        };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Ok(u64::try_from(found.st_size).unwrap_or(0)),
            FileType::Symlink => Err(link()),
            _ => Err(not_regular()),
        }
    }

    /// Whether anything of this name is there, a link that leads nowhere too.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.handle().is_ok_and(|folder| rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }

    /// The names in it that are UTF-8, in no order.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn names(&self) -> Result<impl Iterator<Item = Result<String>>> {
        let cannot = |cause: Errno| Error::io("cannot list the folder", io::Error::from(cause)).at_path(&self.path);
        let flags = FOLDER | OFlags::RDONLY;
        let folder = self.handle().and_then(|folder| rustix::fs::openat(folder, ".", flags, Mode::empty()));
        let entries = folder.and_then(Dir::new).map_err(cannot)?;
        Ok(entries.filter_map(move |entry| match entry {
            Ok(entry) => entry.file_name().to_str().ok().map(|name| Ok(name.to_owned())),
            Err(cause) => Some(Err(cannot(cause))),
        }))
    }

    fn handle(&self) -> rustix::io::Result<&OwnedFd> {
        (*self.handle).as_ref().map_err(|cause| *cause)
    }
}

/// The folder that a file at `path` lies in: `.` for a plain name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// That a file which the image refers to is not in the `place` of the others.
pub(super) fn missing(place: &str) -> Error {
    Error::new(ErrorKind::Io, "the image refers to a file that is missing")
        .with_hint(format!("copy all files of the image into one {place}"))
}

fn cannot_open(cause: Errno) -> Error {
    Error::io("cannot open", io::Error::from(cause))
}

fn not_regular() -> Error {
    Error::refused("the image refers to something that is not a regular file")
}

fn link() -> Error {
    Error::refused("the image refers to a symbolic link")
        .with_hint("links are not followed for a file that an image names; put the file itself there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ReadAt;
    use std::fs;

    fn first(file: &FileReader) -> u8 {
        let mut byte = [0];
        file.read_exact_at(&mut byte, 0).unwrap();
        byte[0]
    }

    #[test]
    fn a_folder_that_is_swapped_for_another_stays_the_one_that_was_opened() {
        let root = tempfile::tempdir().unwrap();
        let (own, other) = (root.path().join("own"), root.path().join("other"));
        for (folder, text) in [(&own, "a"), (&other, "bb")] {
            fs::create_dir_all(folder.join("sub")).unwrap();
            fs::write(folder.join("disk"), text).unwrap();
            fs::write(folder.join("sub/disk"), text).unwrap();
        }
        fs::write(other.join("secret"), "s").unwrap();
        let folder = Folder::of(&own.join("image"));
        let (sub, plain) = folder.leading_to("sub/disk");
        fs::rename(&own, root.path().join("gone")).unwrap();
        std::os::unix::fs::symlink("other", &own).unwrap();
        assert_eq!(first(&folder.open_regular("disk").unwrap()), b'a');
        assert_eq!(first(&folder.open_trusted("disk").unwrap()), b'a');
        assert_eq!(first(&sub.open_trusted(plain).unwrap()), b'a');
        assert_eq!(folder.size_of("disk").unwrap(), 1);
        assert!(!folder.holds("secret") && folder.open_regular("secret").is_err());
        let mut names: Vec<_> = folder.names().unwrap().map(Result::unwrap).collect();
        names.sort();
        assert_eq!(names, [".", "..", "disk", "sub"]);
    }

    #[test]
    fn a_folder_that_is_not_there_says_so_at_each_use() {
        let folder = Folder::of(Path::new("/nowhere/at/all"));
        assert_eq!(folder.open_regular("a").unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(folder.open_trusted("a").unwrap_err().kind(), ErrorKind::Io);
        assert!(!folder.holds("a") && folder.names().is_err());
        assert!(folder.leading_to("b/a").0.open_trusted("a").is_err());
    }
}
