//! Who reads and who writes an image file, said and found out as QEMU does it.
//!
//! QEMU's locks (`block/file-posix.c`) are shared ones on single bytes of the file, held by its open file description. A lock on
//! byte 100 + p says that its holder makes use of permission p, one on byte 200 + p that it lets nobody else make use of p.
//! Each then looks whether a byte that contradicts its own is locked by another. The permissions: 0 reading what is consistent, 1
//! writing, 2 writing what is there already, 3 resizing. As every lock is a shared one, a file that is open for reading alone can
//! be locked too. QEMU 10 with a qcow2 image that it writes to holds 100, 101, 103, 201 and 203.

use super::file::{FileId, FileReader};
use crate::error::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What somebody does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Reads it, while nobody may change it.
    Reading,
    /// Changes or replaces it, while nobody else may.
    Writing,
}

/// Bytes that say what their holder does.
const DONE: i64 = 100;

/// Bytes that say what their holder lets nobody else do.
const DENIED: i64 = 200;

/// The permissions.
const READ: i64 = 0;
const WRITE: i64 = 1;
const RESIZE: i64 = 3;

impl Use {
    fn permissions(self) -> &'static [i64] {
        match self {
            Use::Reading => &[READ],
            Use::Writing => &[READ, WRITE, RESIZE],
        }
    }

    /// The bytes that are locked for it.
    fn own(self) -> impl Iterator<Item = i64> {
        let done = self.permissions().iter().map(|permission| DONE + permission);
        done.chain([WRITE, RESIZE].map(|permission| DENIED + permission))
    }

    /// The bytes that nobody else may have locked.
    fn others(self) -> impl Iterator<Item = i64> {
        let denied = self.permissions().iter().map(|permission| DENIED + permission);
        denied.chain([WRITE, RESIZE].map(|permission| DONE + permission))
    }
}

/// A file that is locked until it is closed.
type Held = (FileId, Weak<File>);

/// The locks on the files of an image, each held as long as its file is open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locks {
    /// Whether files are read whatever others do with them, and without telling them.
    forced: bool,
    held: Arc<Mutex<Vec<Held>>>,
}

impl Locks {
    /// None are taken and nobody is asked where reading is `forced`.
    pub(crate) fn new(forced: bool) -> Self {
        Locks { forced, ..Locks::default() }
    }

    /// Locks `file`, which lies at `path`, for reading.
    ///
    /// # Errors
    /// `InUse` when another program writes to it.
    pub(crate) fn read(&self, file: &FileReader, path: &Path) -> Result<()> {
        if self.forced {
            return Ok(());
        }
        if !free_for(file.handle(), Use::Reading) {
            return Err(Error::in_use("is written to by another program, as by a machine that runs from it")
                .at_path(path)
                .with_hint(
                    "shut the machine down, or let the program end; --force-share (-U) reads it all the same, and what is \
                     half written is read half written",
                ));
        }
        let held = (file.id().whole(), Arc::downgrade(file.handle()));
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(held);
        Ok(())
    }

    /// Locks those of `files` that are locked for reading for writing as well.
    ///
    /// # Errors
    /// `InUse` when another program uses one.
    pub(crate) fn write(&self, files: &[(FileId, PathBuf)]) -> Result<()> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, path) in files {
            for file in held.iter().filter(|(held, _)| held == id).filter_map(|(_, file)| file.upgrade()) {
                lock_to_write(&file, path)?;
            }
        }
        Ok(())
    }
}

/// Locks `file`, which lies at `path` and is to be changed or replaced, as long as it is open.
///
/// # Errors
/// `InUse` when another program uses it.
pub(crate) fn lock_to_write(file: &File, path: &Path) -> Result<()> {
    if free_for(file, Use::Writing) {
        return Ok(());
    }
    Err(Error::in_use("is in use by another program, which holds a lock on it")
        .at_path(path)
        .with_hint("shut the machine down that runs from it, or let the program end that reads it"))
}

/// Whether nobody's use of `file` contradicts this one, of which everybody else is told by then. Where there are no locks, nobody
/// holds one.
#[cfg(target_os = "linux")]
fn free_for(file: &File, to: Use) -> bool {
    to.own().all(|byte| linux::lock(file, byte)) && !to.others().any(|byte| linux::is_locked(file, byte))
}

/// QEMU takes locks where an open file description can hold them, which is on Linux.
#[cfg(not(target_os = "linux"))]
fn free_for(_: &File, to: Use) -> bool {
    let _ = to.own().chain(to.others());
    true
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc::{F_RDLCK, F_UNLCK, F_WRLCK, SEEK_SET, flock};
    use std::fs::File;

    fn byte(kind: i32, at: i64) -> flock {
        flock { l_type: kind as i16, l_whence: SEEK_SET as i16, l_start: at, l_len: 1, l_pid: 0 }
    }

    /// Takes a shared lock; whether nobody has an exclusive one.
    pub(super) fn lock(file: &File, at: i64) -> bool {
        !matches!(fcntl(file, FcntlArg::F_OFD_SETLK(&byte(F_RDLCK, at))), Err(Errno::EAGAIN | Errno::EACCES))
    }

    /// Whether anybody else has a lock.
    pub(super) fn is_locked(file: &File, at: i64) -> bool {
        let mut found = byte(F_WRLCK, at);
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok() && i32::from(found.l_type) != F_UNLCK
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn readers_share_and_writers_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::write(&path, "x").unwrap();
        let open = || FileReader::open(&path).unwrap();
        let (one, two, forced) = (Locks::default(), Locks::default(), Locks::new(true));
        let (first, second, third) = (open(), open(), open());
        one.read(&first, &path).unwrap();
        two.read(&second, &path).unwrap();
        let files = [(first.id(), path.clone())];
        assert_eq!(one.write(&files).unwrap_err().kind(), ErrorKind::InUse, "another reads it");
        drop(second);
        one.write(&files).unwrap();
        let (fourth, fifth) = (open(), open());
        assert_eq!(two.read(&fourth, &path).unwrap_err().kind(), ErrorKind::InUse, "another writes to it");
        assert_eq!(lock_to_write(fifth.handle(), &path).unwrap_err().kind(), ErrorKind::InUse);
        forced.read(&third, &path).unwrap();
        drop((first, fourth, fifth));
        lock_to_write(open().handle(), &path).unwrap();
    }
}
