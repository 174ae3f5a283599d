//! Temporary files and folders: how they are called, how a run shows that it lives, and what becomes of those of one that died.
//!
//! Each is `.NAME.XXXXXX.vimage-part`, beside the output NAME that it will be or is made for, and locked (`flock`) as long as its
//! run lives: the system gives the lock up when the process ends, however that is. So one that nobody holds is left over, and the
//! next run that makes NAME removes it. Where a file system knows no locks, nothing is taken for left over.

use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tempfile::{Builder, TempDir, TempPath};

/// How the name of a temporary file or folder ends, so that a person who finds one knows what it is.
pub const TEMPORARY_SUFFIX: &str = ".vimage-part";

/// What stands in a temporary name for the file `name`: long names leave no room for more in theirs.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Makes an empty file with the permissions `mode`, less what the user's mask takes, in `folder` for the output `name`.
///
/// # Errors
/// The system's own, without the temporary name that is put around them.
pub(super) fn file(folder: &Path, name: &str, mode: u32) -> io::Result<(File, TempPath)> {
    let refused = Cell::new(None);
    let open = |path: &Path| {
        let opened = File::options().write(true).create_new(true).mode(mode).open(path);
        let file = opened.inspect_err(|cause| refused.set(cause.raw_os_error()))?;
        // Under another name, where one who looks for leftovers was faster than the lock.
        if hold(&file)? { Ok(file) } else { Err(io::ErrorKind::AlreadyExists.into()) }
    };
    let made = Builder::new().prefix(&format!(".{}.", shown(name))).suffix(TEMPORARY_SUFFIX).make_in(folder, open);
    Ok(made.map_err(|cause| refused.get().map_or(cause, io::Error::from_raw_os_error))?.into_parts())
}

/// A folder that is removed with all that is in it.
pub(crate) struct TemporaryFolder {
    folder: TempDir,
    _lock: File,
}

impl TemporaryFolder {
    /// Makes one in `beside` for the output `name`, and removes those that dead runs made for it.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn new(beside: &Path, name: &str) -> io::Result<Self> {
        Leftovers::in_folder(beside).remove_those_of(name);
        loop {
            let prefix = format!(".{}.", shown(name));
            let folder = Builder::new().prefix(&prefix).suffix(TEMPORARY_SUFFIX).tempdir_in(beside)?;
            match File::open(folder.path()) {
                Ok(lock) if hold(&lock)? => return Ok(TemporaryFolder { folder, _lock: lock }),
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Locks what was just made; false when it was taken for left over before that.
pub(super) fn hold(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(false),
        _ => Ok(file.metadata()?.nlink() > 0),
    }
}

/// The temporary files and folders that were in a folder before a run made its own: those of dead runs and of others.
pub(super) struct Leftovers(Vec<(String, PathBuf)>);

impl Leftovers {
    /// Those in `folder`; none where that cannot be listed.
    pub(super) fn in_folder(folder: &Path) -> Self {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        let found = entries.filter_map(|entry| {
            let name = entry.file_name();
            let (shown, random) = name.to_str()?.strip_prefix('.')?.strip_suffix(TEMPORARY_SUFFIX)?.rsplit_once('.')?;
            let ours = random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
            ours.then(|| (without_numbers(shown), entry.path()))
        });
        Leftovers(found.collect())
    }

    /// Removes those of dead runs that were made for the output `name`, or for another piece of it. What cannot be removed stays.
    pub(super) fn remove_those_of(&mut self, name: &str) {
        let wanted = without_numbers(&shown(name));
        for (_, path) in self.0.extract_if(.., |(shown, _)| *shown == wanted) {
            remove_abandoned(&path);
        }
    }
}

/// A name less its digits: the same for all pieces of an output, of which the next run may make fewer.
fn without_numbers(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

fn remove_abandoned(path: &Path) {
    let Ok(there) = path.symlink_metadata() else { return };
    // Some file systems lock only what may be written to.
    let opened = match there.is_file() {
        true => File::options().write(true).open(path).or_else(|_| File::open(path)),
        false if there.is_dir() => File::open(path),
        false => return,
    };
    // Held until it is gone: who just made it and has no lock yet makes another one.
    if let Ok(file) = opened
        && file.try_lock().is_ok()
    {
        let _ = if there.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_run_left_goes_and_what_is_held_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (held, dead) = (".out-s001.vmdk.abcDEF.vimage-part", ".out-s017.vmdk.123456.vimage-part");
        let others = [
            "out.vmdk",
            ".out.vmdk.abcDEF.vimage-part",
            ".out-s001.vmdk.abcDE.vimage-part",
            ".out-s001.vmdk.vimage-part",
            "out-s001.vmdk.abcDEF.vimage-part",
        ];
        for name in others.iter().chain([&held, &dead]) {
            std::fs::write(path(name), name).unwrap();
        }
        let dead_folder = path(".out-s.vmdk.000000.vimage-part");
        std::fs::create_dir(&dead_folder).unwrap();
        std::fs::write(dead_folder.join("x"), "x").unwrap();
        let lock = File::open(path(held)).unwrap();
        lock.lock().unwrap();
        Leftovers::in_folder(folder.path()).remove_those_of("out-s003.vmdk");
        assert!(path(held).exists() && !path(dead).exists() && !dead_folder.exists());
        assert!(others.iter().all(|name| path(name).exists()));
        drop(lock);
        Leftovers::in_folder(folder.path()).remove_those_of("out-s003.vmdk");
        assert!(!path(held).exists());
    }

    #[test]
    fn what_was_just_made_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let (file, temporary) = file(folder.path(), "out.raw", 0o600).unwrap();
        let inner = TemporaryFolder::new(folder.path(), "out.raw").unwrap();
        Leftovers::in_folder(folder.path()).remove_those_of("out.raw");
        assert!(temporary.exists() && inner.path().exists());
        // As when the process dies: nobody removes them, and nobody holds them.
        temporary.keep().unwrap();
        let TemporaryFolder { folder: dead, _lock } = inner;
        let dead = dead.keep();
        drop((file, _lock));
        Leftovers::in_folder(folder.path()).remove_those_of("out.raw");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{dead:?}");
    }
}
