//! Landlock: the kernel keeps a thread, and those that it starts, to the files that it named before.
//!
//! Rights go by what lies there, not by names, so all of it is held while the rules are made. A folder is allowed with all that lies
//! beneath it: there is no right to its own files alone. What is open already stays so, standard input and output among it.
//! The rights: <https://docs.kernel.org/userspace-api/landlock.html#access-rights>.

use super::{Confined, Need};
use landlock::{
    ABI, Access, AccessFs, AccessNet, AddRuleError, AddRulesError, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use vimage_core::io::folder_of;
use vimage_core::{Error, Result};

/// The version without which files are not confined: it knows truncating, beside reading and writing (Linux 6.2).
const LEAST: ABI = ABI::V3;

/// The newest version that this was tested with. Whatever it knows is given up where the kernel knows it too: networks, control of
/// devices, signals.
const MOST: ABI = ABI::V7;

/// By which threads are counted: the quota of a container.
const MACHINE: [&str; 3] = ["/proc/self/cgroup", "/proc/self/mountinfo", "/sys/fs/cgroup"];

/// Keeps this thread to `needs`; with `anywhere`, in all but reading. Where `required`, that it is kept less than [`LEAST`] is an error.
///
/// # Errors
/// `Unsupported` where the kernel cannot; `Io` where what is needed cannot be held.
pub(super) fn confine(needs: &[Need], anywhere: bool, required: bool) -> Result<Confined> {
    let mut rules = Rules::new(anywhere, required).map_err(cannot)?;
    needs.iter().try_for_each(|need| rules.add(need))?;
    rules.machine();
    let Rules { rules, read, written, .. } = rules;
    let status = rules.restrict_self().map_err(cannot)?;
    let by = match (status.landlock, status.ruleset) {
        (LandlockStatus::Available { effective_abi, .. }, RulesetStatus::FullyEnforced) => {
            format!("Landlock {effective_abi}")
        }
        (LandlockStatus::Available { effective_abi, .. }, RulesetStatus::PartiallyEnforced) => {
            format!("Landlock {effective_abi}, which does not know all that newer ones do")
        }
        _ => return Err(Error::unsupported("the kernel has no Landlock")),
    };
    Ok(Confined { by, read: (!anywhere).then(|| read.into_iter().collect()), written: written.into_iter().collect() })
}

fn cannot(error: RulesetError) -> Error {
    match error {
        RulesetError::HandleAccesses(_) => {
            Error::unsupported("the kernel cannot confine it to files: that takes Landlock, and Linux 6.2")
        }
        error => Error::unsupported(format!("the kernel does not confine it: {error}")),
    }
}

/// To open a file, or to find what is in a folder and open that.
fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// To make outputs and read them back, to put them in the place of others, which are moved into a folder there for so long, and to
/// remove what is left over.
fn making() -> BitFlags<AccessFs> {
    let files = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Refer;
    reading() | files | AccessFs::MakeDir | AccessFs::RemoveDir
}

/// What is allowed of all that is given up.
struct Rules {
    rules: RulesetCreated,
    /// The rights that are given up.
    handled: BitFlags<AccessFs>,
    read: BTreeSet<PathBuf>,
    written: BTreeSet<PathBuf>,
}

impl Rules {
    fn new(anywhere: bool, required: bool) -> std::result::Result<Self, RulesetError> {
        let free = if anywhere { reading() } else { BitFlags::EMPTY };
        let handled = AccessFs::from_all(MOST) & !free;
        let level = if required { CompatLevel::HardRequirement } else { CompatLevel::BestEffort };
        let rules = Ruleset::default()
            .set_compatibility(level)
            .handle_access(handled & AccessFs::from_all(LEAST))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(handled)?
            .handle_access(AccessNet::from_all(MOST))?
            .scope(Scope::from_all(MOST))?
            .create()?;
        Ok(Rules { rules, handled, read: BTreeSet::new(), written: BTreeSet::new() })
    }

    fn add(&mut self, need: &Need) -> Result<()> {
        match need {
            Need::File(path) => self.file(path, AccessFs::ReadFile.into()).map(drop),
            Need::Names(path) => self.folder_of(path, AccessFs::ReadDir.into()),
            Need::Change(path) => self.file(path, AccessFs::ReadFile | AccessFs::WriteFile).map(drop),
            // What is no file has none beside it that it could name.
            Need::Image(path) => match self.file(path, AccessFs::ReadFile.into())? {
                None | Some(FileType::RegularFile) => self.folder_of(path, reading()),
                Some(_) => Ok(()),
            },
            // What is no file is not replaced by one: the run says so.
            Need::Output(path) => match path.metadata() {
                Ok(there) if !there.is_file() && !there.is_dir() => Ok(()),
                _ => self.folder_of(path, making()),
            },
            Need::Folder(path) if path.is_dir() => self.folder(path, path, making()),
            Need::Folder(path) => self.folder_of(path, making()),
            Need::Temporary(path) => self.folder(path, path, making()),
        }
    }

    /// Allows `access` to the file at `path`, and tells what it is, if anything is there: that there is none, the run says.
    fn file(&mut self, path: &Path, access: BitFlags<AccessFs>) -> Result<Option<FileType>> {
        let cannot = |cause: Errno| Error::io("cannot open", cause.into()).at_path(path);
        let handle = match open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            handle => handle.map_err(cannot)?,
        };
        let kind = FileType::from_raw_mode(fstat(&handle).map_err(cannot)?.st_mode);
        // A folder is opened to see that it is no file, and nothing in it is.
        let access = if kind == FileType::Directory { AccessFs::ReadDir.into() } else { access };
        self.allow(&handle, path.to_owned(), access)?;
        Ok(Some(kind))
    }

    fn folder_of(&mut self, path: &Path, access: BitFlags<AccessFs>) -> Result<()> {
        self.folder(folder_of(path), path, access)
    }

    /// Allows `access` to what is in `folder`, because of `path`. That it cannot be had, the run says.
    fn folder(&mut self, folder: &Path, path: &Path, access: BitFlags<AccessFs>) -> Result<()> {
        let told = folder.join("");
        // As for the first of many files.
        if self.written.contains(&told) || access == reading() && self.read.contains(&told) {
            return Ok(());
        }
        // Beneath these are devices and processes, and no files of anybody's.
        let system = |folder: PathBuf| folder == Path::new("/dev") || folder.starts_with("/proc");
        if folder.canonicalize().is_ok_and(system) {
            return Ok(());
        }
        match open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(handle) => self.allow(&handle, told, access),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(()),
            Err(cause) => Err(Error::io("cannot open its folder", cause.into()).at_path(path)),
        }
    }

    /// Allows `access` to what is beneath `handle`, which was at `path`.
    fn allow(&mut self, handle: &OwnedFd, path: PathBuf, access: BitFlags<AccessFs>) -> Result<()> {
        self.rule(handle, access).map_err(cannot)?;
        self.written.extend(access.contains(AccessFs::WriteFile).then(|| path.clone()));
        self.read.extend(access.contains(AccessFs::ReadFile).then_some(path));
        Ok(())
    }

    /// Lets threads be counted. Where that cannot be, there are as many as the machine has processors.
    fn machine(&mut self) {
        for path in MACHINE {
            if let Ok(handle) = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
                let _ = self.rule(&handle, AccessFs::ReadFile.into());
            }
        }
    }

    fn rule(&mut self, handle: &OwnedFd, access: BitFlags<AccessFs>) -> std::result::Result<(), RulesetError> {
        let access = access & self.handled;
        // What is not given up needs no rule, and one of nothing would be an error.
        if access.is_empty() {
            return Ok(());
        }
        match (&mut self.rules).add_rule(PathBeneath::new(handle, access)) {
            // A pipe, or a file in memory: it lies nowhere, and is not confined.
            Err(RulesetError::AddRules(AddRulesError::Fs(AddRuleError::AddRuleCall { source, .. })))
                if source.raw_os_error() == Some(Errno::BADFD.raw_os_error()) =>
            {
                Ok(())
            }
            added => added.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::{self, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;
    use vimage_core::ErrorKind;

    /// What `inside` comes to in a thread that is kept to `needs`; none where the kernel cannot do that.
    fn within<T: Send>(needs: &[Need], anywhere: bool, inside: impl FnOnce() -> T + Send) -> Option<T> {
        let confined = || confine(needs, anywhere, true).map(|_| inside());
        match std::thread::scope(|scope| scope.spawn(confined).join().unwrap()) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                assert!(std::env::var_os("VIMAGE_REQUIRE_PEERS").is_none(), "{error}");
                let name = std::thread::current().name().unwrap_or_default().to_owned();
                // Not by eprintln!, which the test harness keeps to itself.
                let _ = writeln!(io::stderr(), "LEFT OUT {name}: {error}");
                None
            }
            done => Some(done.unwrap()),
        }
    }

    #[track_caller]
    fn denied<T>(done: io::Result<T>) {
        assert_eq!(done.err().map(|error| error.kind()), Some(io::ErrorKind::PermissionDenied));
    }

    /// Folders `own` and `other`, each with the files `disk` and `beside`.
    fn ground() -> tempfile::TempDir {
        let ground = tempfile::tempdir().unwrap();
        for folder in ["own", "other"].map(|name| ground.path().join(name)) {
            fs::create_dir(&folder).unwrap();
            ["disk", "beside"].iter().for_each(|name| fs::write(folder.join(name), "bytes").unwrap());
        }
        ground
    }

    #[test]
    fn an_image_is_read_with_its_folder_and_nothing_else() {
        let ground = ground();
        let path = |name: &str| ground.path().join(name);
        std::os::unix::fs::symlink(path("other/disk"), path("own/link")).unwrap();
        within(&[Need::Image(path("own/disk"))], false, || {
            assert_eq!(fs::read(path("own/disk")).unwrap(), b"bytes");
            assert_eq!(fs::read(path("own/beside")).unwrap(), b"bytes");
            assert_eq!(fs::read_dir(path("own")).unwrap().count(), 3);
            denied(fs::read(path("other/disk")));
            denied(fs::read(path("own/link")));
            denied(fs::read_dir(path("other")));
            denied(fs::read("/etc/passwd"));
            denied(File::options().write(true).open(path("own/disk")));
            denied(File::options().append(true).open(path("own/disk")));
            denied(File::create(path("own/new")));
            denied(fs::remove_file(path("own/beside")));
            denied(fs::rename(path("own/beside"), path("own/moved")));
            denied(fs::create_dir(path("own/folder")));
        });
        within(&[Need::Names(path("own/disk"))], false, || {
            assert_eq!(fs::read_dir(path("own")).unwrap().count(), 3);
            denied(fs::read(path("own/disk")));
        });
        // A link that is named leads to its file, beside which nothing is read.
        within(&[Need::File(path("own/link"))], false, || {
            assert_eq!(fs::read(path("own/link")).unwrap(), b"bytes");
            assert_eq!(fs::read(path("other/disk")).unwrap(), b"bytes");
            denied(fs::read(path("other/beside")));
            denied(fs::read(path("own/beside")));
        });
    }

    #[test]
    fn outputs_are_made_in_their_folder_and_nowhere_else() {
        let ground = ground();
        let path = |name: &str| ground.path().join(name);
        let mut open = File::create(path("other/open")).unwrap();
        within(&[Need::Output(path("own/out"))], false, || {
            fs::write(path("own/.part"), "new").unwrap();
            fs::rename(path("own/.part"), path("own/out")).unwrap();
            fs::rename(path("own/out"), path("own/disk")).unwrap();
            fs::create_dir(path("own/folder")).unwrap();
            fs::write(path("own/folder/file"), "new").unwrap();
            fs::rename(path("own/disk"), path("own/folder/disk")).unwrap();
            fs::rename(path("own/folder/disk"), path("own/disk")).unwrap();
            fs::remove_dir_all(path("own/folder")).unwrap();
            denied(File::create(path("other/new")));
            denied(File::options().write(true).open(path("other/disk")));
            denied(fs::remove_file(path("other/disk")));
            denied(std::os::unix::fs::symlink("disk", path("own/link")));
            assert!(fs::rename(path("own/disk"), path("other/disk")).is_err());
            assert!(fs::hard_link(path("own/disk"), path("other/new")).is_err());
            // What was open before is as it was: standard output, for one.
            open.write_all(b"more").unwrap();
        });
        within(&[Need::Folder(path("own/made")), Need::Change(path("other/disk"))], false, || {
            fs::create_dir(path("own/made")).unwrap();
            fs::write(path("own/made/file"), "new").unwrap();
            File::options().write(true).open(path("other/disk")).unwrap().write_all(b"B").unwrap();
            denied(File::create(path("other/new")));
            denied(File::options().write(true).open(path("other/beside")));
        });
    }

    #[test]
    fn reading_is_free_where_images_may_name_any_file_and_writing_is_not() {
        let ground = ground();
        let path = |name: &str| ground.path().join(name);
        within(&[Need::Image(path("own/disk")), Need::Output(path("own/out"))], true, || {
            assert_eq!(fs::read(path("other/disk")).unwrap(), b"bytes");
            fs::write(path("own/out"), "new").unwrap();
            denied(File::create(path("other/new")));
            denied(File::options().write(true).open(path("other/disk")));
        });
    }

    #[test]
    fn devices_and_processes_are_not_beside_anything() {
        for need in
            [Need::Output("/dev/out.raw".into()), Need::Image("/dev/null".into()), Need::Output("/dev/null".into())]
        {
            within(&[need], false, || {
                denied(File::open("/dev/zero"));
                denied(File::options().write(true).open("/dev/null"));
                denied(fs::read_dir("/dev"));
            });
        }
    }

    #[test]
    fn no_program_no_network_no_signal() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let all = within(&[], false, || {
            denied(Command::new("true").status());
            // Older kernels than the newest that is asked for.
            [TcpListener::bind("127.0.0.1:0").map(drop), TcpStream::connect(at).map(drop), other.kill()]
        });
        let _ = (other.kill(), other.wait());
        if all.as_ref().is_some_and(|all| all.iter().any(Result::is_ok)) {
            assert!(std::env::var_os("VIMAGE_REQUIRE_PEERS").is_none(), "the kernel is older than this takes: {all:?}");
            return;
        }
        all.into_iter().flatten().for_each(denied);
    }
}
