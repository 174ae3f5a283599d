//! The files that one run makes: whole under their own names, or not there at all.
//!
//! Each is written under a temporary name beside its own, flushed, and renamed when all of the run has succeeded. When
//! the run fails, is cancelled or unwinds, dropping [`Outputs`] removes what was written; what a run left that was killed, the
//! next run that makes the same file removes.

mod file;
mod temporary;

pub use file::OutputFile;
pub use temporary::TEMPORARY_SUFFIX;
pub(crate) use temporary::TemporaryFolder;

use super::digesting::Digesting;
use super::file::FileId;
use super::hash::Hash;
use super::in_use::lock_to_replace;
use super::part::{SharedPart, lock};
use super::pieces::piece_name;
use crate::error::{Error, ErrorKind, Result};
use file::Destination;
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tempfile::TempPath;
use temporary::Leftovers;

/// Zeros in one gap from which on a file's digests are made by reading it, which can be stopped.
const MOST_ZEROS: u64 = 1 << 30;

/// Bytes of a file from which on threads write it behind the caller: shorter ones are soon flushed at the end.
const BEHIND_FROM: u64 = 8 << 20;

/// The files of one run; clones share them.
#[derive(Clone, Default)]
pub struct Outputs {
    shared: Arc<Mutex<State>>,
    /// Whose files are made through this: they are told apart when they are published.
    owner: usize,
}

#[derive(Default)]
struct State {
    replace: bool,
    unflushed: bool,
    /// The files as they would be, where none is made.
    measured: Option<Vec<Published>>,
    /// What takes the bytes of files still to be made, where they are no files of their own.
    part: Option<Option<SharedPart>>,
    /// Whether that takes nothing but from front to back.
    flows: bool,
    sources: Vec<FileId>,
    /// The sources that the outputs come in the place of, if they do.
    in_place_of: Option<Vec<FileId>>,
    made: Vec<Made>,
    /// Folders that were made for them. They go after the files.
    folders: MadeFolders,
    obsolete: Vec<PathBuf>,
    /// Files that are replaced or go away, locked until then.
    locked: Vec<File>,
    /// Files that will be made at the end.
    reserved: Vec<PathBuf>,
    /// The digests that are made of each file.
    hashes: Vec<Hash>,
    /// Those that are made.
    digested: Vec<(PathBuf, Vec<String>)>,
    /// What was in each folder before the first file was made there, and may be left over.
    leftovers: HashMap<PathBuf, Leftovers>,
}

/// Folders, the outermost first, that are removed again.
#[derive(Default)]
struct MadeFolders(Vec<PathBuf>);

impl Drop for MadeFolders {
    fn drop(&mut self) {
        // One in which somebody else put something stays.
        self.0.iter().rev().for_each(|folder| drop(std::fs::remove_dir(folder)));
    }
}

struct Made {
    temporary: TempPath,
    /// Held open, as it bears the lock that shows that the run lives.
    held: Arc<File>,
    path: PathBuf,
    owner: usize,
}

/// A finished file that has not its own name yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpublished {
    /// The name that it will have.
    pub(crate) path: PathBuf,
    /// Where it is.
    pub(crate) temporary: PathBuf,
}

/// A file under its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes of storage that it takes.
    pub allocated: u64,
}

impl Outputs {
    fn of(state: State) -> Self {
        Outputs { shared: Arc::new(Mutex::new(state)), owner: 0 }
    }

    /// For a run that reads the files `sources`, which must stay as they are; with `replace`, other files that are in
    /// the way are replaced.
    pub fn new(replace: bool, sources: Vec<FileId>) -> Self {
        Outputs::of(State { replace, sources, ..State::default() })
    }

    /// Lets the outputs come in the place of the sources `own`, all of them, and of no other file. They get the permissions of what
    /// they replace.
    #[must_use]
    pub fn in_place_of(self, own: Vec<FileId>) -> Self {
        self.state().in_place_of = Some(own);
        self
    }

    /// Makes no files at all: what is written is counted, and [`measured`](Self::measured) tells how large they would be.
    pub fn measuring() -> Self {
        Outputs::of(State { measured: Some(Vec::new()), ..State::default() })
    }

    /// Makes no file: the one that is made goes into `part`. A second one is an error.
    pub fn into_part(part: SharedPart) -> Self {
        Outputs::of(State { part: Some(Some(part)), ..State::default() })
    }

    /// Whether what is made takes bytes from front to back only.
    pub fn in_order(&self) -> bool {
        self.state().part.is_some()
    }

    /// The same for what goes away from front to back: kinds of images that are written in another order are refused at once.
    pub(crate) fn into_flow(part: SharedPart) -> Self {
        Outputs::of(State { part: Some(Some(part)), flows: true, ..State::default() })
    }

    /// The finished files of a run that only measures, in the order in which they were finished.
    pub fn measured(&self) -> Vec<Published> {
        self.state().measured.clone().unwrap_or_default()
    }

    /// The same run, of whose files those made through this belong to `owner`.
    #[must_use]
    pub(crate) fn owned_by(&self, owner: usize) -> Self {
        Outputs { owner, ..self.clone() }
    }

    /// Makes digests of every file: of those [written from front to back](Self::create_in_order) on the way.
    #[must_use]
    pub(crate) fn digesting(self, hashes: &[Hash]) -> Self {
        self.state().hashes = hashes.to_vec();
        self
    }

    /// The digests that were made on the way, each of the file that will have this name.
    pub(crate) fn digested(&self) -> Vec<(PathBuf, Vec<String>)> {
        self.state().digested.clone()
    }

    /// The files of `owner`, in the order in which they were made.
    pub(crate) fn unpublished(&self, owner: usize) -> Vec<Unpublished> {
        let state = self.state();
        let own = state.made.iter().filter(|made| made.owner == owner);
        own.map(|made| Unpublished { path: made.path.clone(), temporary: made.temporary.to_path_buf() }).collect()
    }

    /// Leaves it to the system when written bytes go to the disk: faster, and what a power failure soon after leaves under
    /// a final name may be incomplete.
    #[must_use]
    pub fn unflushed(self) -> Self {
        self.state().unflushed = true;
        self
    }

    /// Checks that a file may appear at `path`, before any work is done for it.
    ///
    /// # Errors
    /// `Exists` when something is there that may not be replaced, `Refused` when it is a source of this run or no
    /// regular file, `Usage` when this run makes a file there already.
    pub fn check(&self, path: &Path) -> Result<()> {
        let state = self.state();
        if let Some(own) = &state.in_place_of {
            check_places(&[path], own)?;
        }
        if state.measured.is_some() || state.part.is_some() {
            return Ok(());
        }
        if state.claimed(path) {
            return Err(Error::usage("two outputs of one run would have this name").at_path(path));
        }
        if state.obsolete.iter().any(|other| same_place(other, path)) {
            return Err(Error::usage("is left over from an older output that another of this run replaces")
                .at_path(path)
                .with_hint("give the output another name"));
        }
        match path.symlink_metadata() {
            Ok(there) => state.may_replace(&there, path).map_err(|error| error.at_path(path)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(Error::io("cannot write here", cause).at_path(path)),
        }
    }

    /// Keeps a name for a file that is made at the end: no other output of the run gets it.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) fn reserve(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        self.state().reserved.push(path.to_owned());
        Ok(())
    }

    /// Makes the file whose name was kept.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub(crate) fn create_reserved(&self, path: &Path) -> Result<OutputFile> {
        self.state().reserved.retain(|reserved| reserved != path);
        self.create(path)
    }

    /// Makes a file that will appear at `path` when the run succeeds. It stays open until then, so that no other run takes it for
    /// left over; what is left over of `path` is removed.
    ///
    /// # Errors
    /// As [`check`](Self::check), `InUse` when another program uses what is to be replaced, and `Io` when the folder is missing or
    /// cannot be written to.
    pub fn create(&self, path: &Path) -> Result<OutputFile> {
        self.create_at(path, false)
    }

    /// Makes such a file that is written from front to back, so that its digests can be made on the way.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in_order(&self, path: &Path) -> Result<OutputFile> {
        self.create_at(path, true)
    }

    fn create_at(&self, path: &Path, in_order: bool) -> Result<OutputFile> {
        self.check(path)?;
        if self.state().flows && !in_order {
            return Err(Error::unsupported(
                "this kind of image is not written from front to back, so it cannot be streamed",
            )
            .with_hint("name a file; raw, raw.zst, streamOptimized VMDKs (-O vmdk -c) and OVAs can be streamed"));
        }
        let digesting = {
            let state = self.state();
            let digests = in_order && state.measured.is_none() && !state.hashes.is_empty();
            // What is no file cannot be read again, and its zeros go away one by one.
            let most_zeros = if state.part.is_some() { u64::MAX } else { MOST_ZEROS };
            digests.then(|| (Digesting::start(&state.hashes, most_zeros), self.clone()))
        };
        if self.state().measured.is_some() {
            let to = Destination::Count { run: self.clone(), written: 0, end: Cell::new(0) };
            return Ok(OutputFile { to, path: path.to_owned(), digesting });
        }
        if let Some(part) = &mut self.state().part {
            let part = part.take().ok_or_else(|| {
                Error::unsupported("this kind of image is made of several files, and there is room for one")
                    .at_path(path)
            })?;
            return Ok(OutputFile { to: Destination::Part(part), path: path.to_owned(), digesting });
        }
        self.lock_to_replace(path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or_else(|| Error::usage("is not a file name").at_path(path))?;
        let name = name.to_string_lossy();
        let mut state = self.state();
        // What replaces a private file is private too, from its first byte on.
        let mode = if state.in_place_of.is_some() { 0o600 } else { 0o666 };
        let leftovers = state.leftovers.entry(folder.to_owned()).or_insert_with(|| Leftovers::in_folder(folder));
        leftovers.remove_those_of(&name);
        let (file, temporary) = temporary::file(folder, &name, mode).map_err(|cause| {
            Error::io(format!("cannot write in the folder {}", folder.display()), cause).at_path(path)
        })?;
        let file = Arc::new(file);
        state.made.push(Made { temporary, held: Arc::clone(&file), path: path.to_owned(), owner: self.owner });
        let flush = !state.unflushed;
        let to = Destination::File { file, flush, length: 0, written: 0, behind: None };
        Ok(OutputFile { to, path: path.to_owned(), digesting })
    }

    /// Makes the folder `path` for files of this run. It is removed again when the run fails.
    ///
    /// # Errors
    /// `Io`; `Exists` when something is there.
    pub fn create_folder(&self, path: &Path) -> Result<()> {
        std::fs::create_dir(path).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::new(ErrorKind::Exists, "exists already, and is no folder").at_path(path)
            }
            _ => Error::io("cannot make this folder", cause).at_path(path),
        })?;
        self.state().folders.0.push(path.to_owned());
        Ok(())
    }

    /// Marks a file that stops being valid when the run succeeds, such as a surplus piece of an older, longer output.
    ///
    /// # Errors
    /// As [`check`](Self::check): `Exists` unless files may be replaced.
    pub fn supersede(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        self.lock_to_replace(path)?;
        self.state().obsolete.push(path.to_owned());
        Ok(())
    }

    /// Marks the numbered pieces of `stem` beside `path` that follow piece `count`: left over from a longer output, they would be read
    /// as part of this one.
    ///
    /// # Errors
    /// As [`supersede`](Self::supersede).
    pub fn supersede_pieces(&self, path: &Path, stem: &str, count: u64) -> Result<()> {
        let piece = |number: u64| path.with_file_name(piece_name(stem, number));
        let there = |number| piece(number).symlink_metadata().is_ok();
        let mut surplus = count + 1;
        // A gap of one is no end: reading would take it for a piece that is missing.
        while there(surplus) || there(surplus + 1) {
            if there(surplus) {
                self.supersede(&piece(surplus))?;
            }
            surplus += 1;
        }
        Ok(())
    }

    /// Gives every file its name, in the order in which they were made. All must have been
    /// [finished](OutputFile::finish).
    ///
    /// # Errors
    /// `Exists` when a file appeared meanwhile; `Io` when a rename fails. Those that this call named are removed again, but for
    /// those that came in the place of another.
    pub fn publish(&self) -> Result<Vec<Published>> {
        Ok(self.publish_owned()?.into_iter().map(|(_, published)| published).collect())
    }

    /// The same, and tells whose each file is.
    pub(crate) fn publish_owned(&self) -> Result<Vec<(usize, Published)>> {
        let mut state = self.state();
        let replace = state.replace;
        if let Some(own) = &state.in_place_of {
            let made: Vec<&Path> = state.made.iter().map(|made| made.path.as_path()).collect();
            check_places(&made, own)?;
            check_complete(&made, own)?;
            state.made.iter().try_for_each(Made::keep_permissions)?;
        }
        let mut published = Vec::new();
        let mut new = Vec::new();
        for made in std::mem::take(&mut state.made) {
            let is_new = made.path.symlink_metadata().is_err();
            let owner = made.owner;
            match publish_one(made, replace) {
                Ok(one) => {
                    new.extend(is_new.then(|| one.path.clone()));
                    published.push((owner, one));
                }
                Err(error) => {
                    new.iter().for_each(|path| drop(std::fs::remove_file(path)));
                    return Err(error);
                }
            }
        }
        for path in std::mem::take(&mut state.obsolete) {
            std::fs::remove_file(&path)
                .map_err(|cause| Error::io("cannot remove this piece of an older output", cause).at_path(path))?;
        }
        state.locked.clear();
        state.folders.0.clear();
        Ok(published)
    }

    /// Keeps others from using the file at `path` until it is replaced. What an image itself is written anew for is locked by it.
    fn lock_to_replace(&self, path: &Path) -> Result<()> {
        let mut state = self.state();
        if state.in_place_of.is_none() && state.measured.is_none() && state.part.is_none() {
            state.locked.extend(lock_to_replace(path)?);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared)
    }
}

/// Whether both are names of one file in one folder, however that is written.
fn same_place(one: &Path, two: &Path) -> bool {
    if one == two {
        return true;
    }
    let folder = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folder.metadata().ok().map(|folder| FileId::of(&folder))
    };
    one.file_name() == two.file_name() && folder(one).is_some_and(|one| Some(one) == folder(two))
}

impl State {
    /// Whether a file of this run has the name, or will have it.
    fn claimed(&self, path: &Path) -> bool {
        let made = self.made.iter().map(|made| &made.path);
        made.chain(&self.reserved).any(|other| same_place(other, path))
    }

    fn may_replace(&self, there: &Metadata, path: &Path) -> Result<()> {
        let replaced = self.in_place_of.as_ref().is_some_and(|own| own.contains(&FileId::of(there)));
        if replaced && there.is_file() {
            return Ok(());
        }
        // A link to a source is as harmful to replace for whoever reads through it, but leaves the source whole.
        if self.sources.contains(&FileId::of(there)) {
            return Err(Error::refused("is a file of the source, which is never overwritten")
                .with_hint("give another name for the output"));
        }
        // What a link leads to is not written to; where that is no file, the link stands for it.
        let stands_for = there.is_symlink().then(|| path.metadata().ok()).flatten();
        if stands_for.is_some_and(|to| !to.is_file() && !to.is_dir()) {
            return Err(
                Error::refused("is no regular file, so it cannot be replaced by one").with_hint("- is standard output")
            );
        }
        if !there.is_file() && !there.is_symlink() {
            return Err(Error::refused("is not a regular file, so it cannot be replaced by one")
                .with_hint("write to a file, then copy it onto the device"));
        }
        if !self.replace {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Err(Error::new(ErrorKind::Exists, "exists already")
                .with_hint(format!("--force replaces it, or move {name} away")));
        }
        Ok(())
    }
}

/// Checks that files made at `paths` come in the place of some of `own`.
fn check_places(paths: &[&Path], own: &[FileId]) -> Result<()> {
    let replaces = |path: &&&Path| path.symlink_metadata().is_ok_and(|there| own.contains(&FileId::of(&there)));
    paths.iter().find(|path| !replaces(path)).map_or(Ok(()), |path| Err(misplaced().at_path(path)))
}

/// Checks that files made at `paths` come in the place of all of `own`.
fn check_complete(paths: &[&Path], own: &[FileId]) -> Result<()> {
    let replaced: Vec<_> =
        paths.iter().filter_map(|path| path.symlink_metadata().ok()).map(|there| FileId::of(&there)).collect();
    if own.iter().all(|id| replaced.contains(id)) { Ok(()) } else { Err(misplaced()) }
}

fn misplaced() -> Error {
    Error::unsupported("its files have other names than it would be written with, so it cannot be replaced")
        .with_hint("write the result elsewhere: -o")
}

impl Made {
    /// Gives it the permissions of the file that is there, and its owner where that may be done.
    fn keep_permissions(&self) -> Result<()> {
        let cannot = |cause| Error::io("cannot keep its permissions", cause).at_path(&self.path);
        let there = self.path.metadata().map_err(cannot)?;
        // Only the superuser may give files away, and everybody to his own groups alone.
        let owned = std::os::unix::fs::chown(&self.temporary, Some(there.uid()), Some(there.gid())).is_ok();
        let grouped = owned || std::os::unix::fs::chown(&self.temporary, None, Some(there.gid())).is_ok();
        // What a group may do is not for another one.
        let mode = there.mode() & if grouped { 0o7777 } else { 0o7707 };
        std::fs::set_permissions(&self.temporary, Permissions::from_mode(mode)).map_err(cannot)
    }
}

fn publish_one(made: Made, replace: bool) -> Result<Published> {
    let Made { temporary, path, held: _held, .. } = made;
    let cannot = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::Exists, "appeared while it was being made, and was not replaced").at_path(&path)
        }
        _ => Error::io("cannot give the finished output its name", cause).at_path(&path),
    };
    let metadata = temporary.metadata().map_err(cannot)?;
    let renamed = if replace { temporary.persist(&path) } else { temporary.persist_noclobber(&path) };
    renamed.map_err(|error| cannot(error.error))?;
    Ok(Published { size: metadata.len(), allocated: metadata.blocks() * 512, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_appear_only_on_publishing() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(false, Vec::new());
        for name in ["b", "a"] {
            let mut file = outputs.create(&folder.path().join(name)).unwrap();
            file.write_all_at(b"xy", 1).unwrap();
            file.finish().unwrap();
        }
        assert!(names(folder.path()).iter().all(|name| name.ends_with(TEMPORARY_SUFFIX)));
        let published = outputs.publish().unwrap();
        assert_eq!(published.iter().map(|one| one.size).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn dropping_removes_everything() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(false, Vec::new());
        outputs.create(&folder.path().join("a")).unwrap().write_all_at(b"x", 0).unwrap();
        drop(outputs);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_goes_with_what_was_to_be_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        for publish in [false, true] {
            let outputs = Outputs::new(false, Vec::new());
            outputs.create_folder(&inner).unwrap();
            outputs.create(&inner.join("a")).unwrap().finish().unwrap();
            if publish {
                outputs.publish().unwrap();
            }
            drop(outputs);
            assert_eq!(inner.join("a").exists(), publish);
            assert_eq!(inner.exists(), publish);
        }
    }

    #[test]
    fn what_exists_stays_unless_it_may_be_replaced_and_a_source_always() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "old").unwrap();
        let id = FileId::of(&path.metadata().unwrap());
        let kind = |outputs: Outputs| outputs.create(&path).err().map(|error| error.kind());
        assert_eq!(kind(Outputs::new(false, Vec::new())), Some(ErrorKind::Exists));
        assert_eq!(kind(Outputs::new(true, vec![id])), Some(ErrorKind::Refused));
        assert_eq!(kind(Outputs::new(true, Vec::new())), None);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_kept_and_the_others_go() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(false, Vec::new());
        for name in ["a", "b"] {
            outputs.create(&folder.path().join(name)).unwrap().finish().unwrap();
        }
        std::fs::write(folder.path().join("b"), "theirs").unwrap();
        assert_eq!(outputs.publish().unwrap_err().kind(), ErrorKind::Exists);
        drop(outputs);
        assert_eq!(names(folder.path()), ["b"]);
        assert_eq!(std::fs::read(folder.path().join("b")).unwrap(), b"theirs");
    }
}
