//! The files that one run makes: whole under their own names, or not there at all.
//!
//! Each is written under a temporary name beside its own, flushed, and renamed when all of the run has succeeded. When
//! the run fails, is cancelled or unwinds, dropping [`Outputs`] removes what was written; what a run left that was killed, the
//! next run that makes the same file removes.
//!
//! What holds of names, at every moment and wherever a run dies:
//!
//! - Where one file is all that a run makes, rename(2) gives it its name: the old file is there, or the new one.
//! - An output of several files in one folder is known by one of them: the descriptor, the first of numbered pieces. Where that is, all
//!   that belongs to it is, of one and the same run. While the others change it is away: `undo.rs` tells how. Where a run dies
//!   then, the next one that makes a file in that folder puts back what was there before, or removes what was half there.
//! - No old file goes before all new ones have their names. An error puts all of them back, of all outputs of the run.
//! - Outputs get their names one after the other, and so do the files of one output in several folders. Where a run dies
//!   between two, the first are there and the others are as they were.
//! - Of two runs that make the same output at once, each gives all names, one after the other, or none.

mod file;
mod publish;
mod temporary;
mod undo;

pub use file::OutputFile;
pub use temporary::TEMPORARY_SUFFIX;
pub(crate) use temporary::TemporaryFolder;
pub(crate) use undo::{settle_beside, undo_name};

use super::digesting::Digesting;
use super::file::FileId;
use super::folder::folder_of;
use super::hash::Hash;
use super::in_use::lock_to_replace;
use super::part::{SharedPart, lock};
use crate::error::{Error, ErrorKind, Result};
use file::Destination;
use publish::{Made, Pieces, Turn, check_places, is_there};
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
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
    /// Those by which outputs are known.
    known_by: Vec<PathBuf>,
    /// Files that go where they are there at the end, and whose outputs they belonged to.
    obsolete: Vec<(usize, PathBuf)>,
    /// Numbered pieces, of which none may be left over.
    pieces: Vec<Pieces>,
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
        let mut state = self.state();
        if let Some(own) = &state.in_place_of {
            check_places(&[path], own)?;
        }
        if state.measured.is_some() || state.part.is_some() {
            return Ok(());
        }
        state.left_beside(path);
        if state.claimed(path) {
            return Err(Error::usage("two outputs of one run would have this name").at_path(path));
        }
        if is_there(path) && state.obsolete.iter().any(|(_, other)| same_place(other, path)) {
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
        self.create_at(path, false, Turn::First)
    }

    /// The output that the file at `path` belongs to is known by it, so that of all its files that one gets its name last; otherwise
    /// that is the one which was made last. What a run that died left half named in the folder is settled now.
    pub fn known_by(&self, path: &Path) {
        let mut state = self.state();
        if state.measured.is_none() && state.part.is_none() {
            state.left_beside(path);
            state.known_by.push(path.to_owned());
        }
    }

    /// Makes a file that will appear at `path` when the run succeeds. It stays open until then, so that no other run takes it for
    /// left over; what is left over of `path` is removed.
    ///
    /// # Errors
    /// As [`check`](Self::check), `InUse` when another program uses what is to be replaced, and `Io` when the folder is missing or
    /// cannot be written to.
    pub fn create(&self, path: &Path) -> Result<OutputFile> {
        self.create_at(path, false, Turn::InOrder)
    }

    /// Makes such a file that is written from front to back, so that its digests can be made on the way.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in_order(&self, path: &Path) -> Result<OutputFile> {
        self.create_at(path, true, Turn::InOrder)
    }

    fn create_at(&self, path: &Path, in_order: bool, turn: Turn) -> Result<OutputFile> {
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
        let folder = folder_of(path);
        let name = path.file_name().ok_or_else(|| Error::usage("is not a file name").at_path(path))?;
        let name = name.to_string_lossy();
        let mut state = self.state();
        // What replaces a private file is private too, from its first byte on.
        let mode = if state.in_place_of.is_some() { 0o600 } else { 0o666 };
        state.left_beside(path).remove_those_of(&name);
        let (file, temporary) = temporary::file(folder, &name, mode).map_err(|cause| {
            Error::io(format!("cannot write in the folder {}", folder.display()), cause).at_path(path)
        })?;
        let file = Arc::new(file);
        let turn = if state.known_by.iter().any(|main| main == path) { Turn::Last } else { turn };
        state.made.push(Made { temporary, held: Arc::clone(&file), path: path.to_owned(), owner: self.owner, turn });
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

    /// Marks a file that stops being valid when the run succeeds, such as a surplus piece of an older, longer output. It goes where it is
    /// there by then.
    ///
    /// # Errors
    /// As [`check`](Self::check): `Exists` unless files may be replaced.
    pub fn supersede(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        self.lock_to_replace(path)?;
        self.state().obsolete.push((self.owner, path.to_owned()));
        Ok(())
    }

    /// Marks the numbered pieces of `stem` beside `path` that follow piece `count`: left over from a longer output, they would be read
    /// as part of this one.
    ///
    /// # Errors
    /// As [`supersede`](Self::supersede).
    pub fn supersede_pieces(&self, path: &Path, stem: &str, count: u64) -> Result<()> {
        let pieces = Pieces { owner: self.owner, path: path.to_owned(), stem: stem.to_owned(), count };
        pieces.surplus().iter().try_for_each(|piece| self.supersede(piece))?;
        // Another run may make some more.
        self.state().pieces.push(pieces);
        Ok(())
    }

    /// Gives every file its name. All must have been [finished](OutputFile::finish). They are told of in the order in which they were
    /// made.
    ///
    /// # Errors
    /// `Exists` when a file appeared meanwhile; `InUse` when another run gives the same names; `Refused` when one died while it
    /// did, and what it left cannot be settled; `Io` when a rename fails. Then all is as it was before.
    pub fn publish(&self) -> Result<Vec<Published>> {
        Ok(self.publish_owned()?.into_iter().map(|(_, published)| published).collect())
    }

    /// The same, and tells whose each file is.
    pub(crate) fn publish_owned(&self) -> Result<Vec<(usize, Published)>> {
        let mut state = self.state();
        let published = publish::publish(&mut state)?;
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
    let folder = |path: &Path| folder_of(path).metadata().ok().map(|folder| FileId::of(&folder));
    one.file_name() == two.file_name() && folder(one).is_some_and(|one| Some(one) == folder(two))
}

impl State {
    /// What dead runs left in the folder of `path`. The first time, what they were giving names to is settled.
    fn left_beside(&mut self, path: &Path) -> &mut Leftovers {
        let folder = folder_of(path);
        self.leftovers.entry(folder.to_owned()).or_insert_with(|| {
            undo::settle(folder);
            Leftovers::in_folder(folder)
        })
    }

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
    fn what_fails_in_the_middle_puts_the_old_files_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let old = ["a", "b", "c"];
        old.iter().for_each(|name| std::fs::write(path(name), "old").unwrap());
        let outputs = Outputs::new(true, Vec::new());
        old.iter().for_each(|name| outputs.create(&path(name)).unwrap().finish().unwrap());
        // Found when `c`, which comes last, is out of the way already.
        std::fs::remove_file(path("b")).unwrap();
        std::fs::create_dir(path("b")).unwrap();
        assert_eq!(outputs.publish().unwrap_err().kind(), ErrorKind::Refused);
        drop(outputs);
        assert_eq!(names(folder.path()), old);
        assert!(["a", "c"].iter().all(|name| std::fs::read(path(name)).unwrap() == b"old"));
    }

    #[test]
    fn pieces_that_came_meanwhile_go_or_are_an_error() {
        for replace in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let outputs = Outputs::new(replace, Vec::new());
            outputs.known_by(&path("x.001"));
            outputs.supersede_pieces(&path("x"), "x", 2).unwrap();
            ["x.001", "x.002"].iter().for_each(|name| outputs.create(&path(name)).unwrap().finish().unwrap());
            std::fs::write(path("x.003"), "theirs").unwrap();
            let published = outputs.publish();
            drop(outputs);
            match published {
                Ok(_) => assert_eq!((replace, names(folder.path())), (true, vec!["x.001".into(), "x.002".into()])),
                Err(error) => {
                    assert_eq!((replace, error.kind()), (false, ErrorKind::Exists));
                    assert_eq!(names(folder.path()), ["x.003"]);
                }
            }
        }
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
