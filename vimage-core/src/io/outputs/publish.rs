//! Giving finished files their names: one by rename(2) alone, several so that all of an output are there, or none.

use super::undo::{Entry, Undo};
use super::{Published, State};
use crate::error::{Error, ErrorKind, Result};
use crate::io::file::FileId;
use crate::io::folder_of;
use crate::io::pieces::piece_name;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempPath;

/// A file that waits for its name.
pub(super) struct Made {
    pub(super) temporary: TempPath,
    /// Held open, as it bears the lock that shows that the run lives.
    pub(super) held: Arc<File>,
    pub(super) path: PathBuf,
    pub(super) owner: usize,
    pub(super) turn: Turn,
}

/// When a file gets its name, among those of its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// It tells of the others.
    First,
    /// As they were made.
    InOrder,
    /// The output is known by it.
    Last,
}

/// Numbered pieces of an output. Those behind the last are left over from a longer one.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) owner: usize,
    /// What lies beside them.
    pub(super) path: PathBuf,
    pub(super) stem: String,
    pub(super) count: u64,
}

impl Pieces {
    /// Those left over that are there.
    pub(super) fn surplus(&self) -> Vec<PathBuf> {
        let piece = |number: u64| self.path.with_file_name(piece_name(&self.stem, number));
        let there = |number: u64| is_there(&piece(number));
        // A gap of one is no end: reading would take it for a piece that is missing.
        let numbers = (self.count + 1..).take_while(|&number| there(number) || there(number + 1));
        numbers.filter(|&number| there(number)).map(piece).collect()
    }
}

/// The files of one output in one folder.
struct Set {
    owner: usize,
    folder: PathBuf,
    /// With their places among all that were made.
    made: Vec<(usize, Made)>,
    /// Files that go, if they are there.
    obsolete: Vec<PathBuf>,
    pieces: Vec<Pieces>,
}

/// Gives the files of a run their names; tells whose each is.
///
/// # Errors
/// As [`publish`](super::Outputs::publish).
pub(super) fn publish(state: &mut State) -> Result<Vec<(usize, Published)>> {
    if let Some(own) = &state.in_place_of {
        let made: Vec<&Path> = state.made.iter().map(|made| made.path.as_path()).collect();
        check_places(&made, own)?;
        check_complete(&made, own)?;
        state.made.iter().try_for_each(Made::keep_permissions)?;
    }
    let (made, pieces) = (std::mem::take(&mut state.made), std::mem::take(&mut state.pieces));
    let obsolete = std::mem::take(&mut state.obsolete);
    if made.len() == 1 && pieces.is_empty() && !obsolete.iter().any(|(_, path)| is_there(path)) {
        return made.into_iter().map(|made| Ok((made.owner, publish_one(made, state.replace)?))).collect();
    }
    let mut sets = Vec::new();
    for (index, made) in made.into_iter().enumerate() {
        set_of(&mut sets, made.owner, &made.path).made.push((index, made));
    }
    for (owner, path) in obsolete {
        set_of(&mut sets, owner, &path).obsolete.push(path);
    }
    for pieces in pieces {
        set_of(&mut sets, pieces.owner, &pieces.path).pieces.push(pieces);
    }
    publish_sets(sets, state)
}

fn set_of<'a>(sets: &'a mut Vec<Set>, owner: usize, path: &Path) -> &'a mut Set {
    let folder = folder_of(path);
    let index = sets.iter().position(|set| set.owner == owner && set.folder == folder).unwrap_or_else(|| {
        let folder = folder.to_owned();
        sets.push(Set { owner, folder, made: Vec::new(), obsolete: Vec::new(), pieces: Vec::new() });
        sets.len() - 1
    });
    // It was found there, or just put there.
    &mut sets[index]
}

/// Each set in turn. What fails takes all of them back, by dropping what keeps the old files.
fn publish_sets(sets: Vec<Set>, state: &State) -> Result<Vec<(usize, Published)>> {
    let mut claimed = Vec::new();
    for mut set in sets {
        set.made.sort_by_key(|(_, made)| made.turn);
        let last = set.made.last().map(|(_, made)| &made.path).or(set.obsolete.last());
        let undo = last.map(|main| Undo::claim(main)).transpose()?;
        claimed.extend(undo.map(|undo| (set, undo)));
    }
    let mut published = Vec::new();
    let mut kept = Vec::new();
    for (set, mut undo) in claimed {
        let outcome = publish_set(set, &mut undo, state, &mut published);
        kept.push(undo);
        outcome?;
    }
    kept.into_iter().for_each(Undo::done);
    published.sort_by_key(|(index, ..)| *index);
    Ok(published.into_iter().map(|(_, owner, published)| (owner, published)).collect())
}

fn publish_set(set: Set, undo: &mut Undo, state: &State, published: &mut Vec<(usize, usize, Published)>) -> Result<()> {
    let Set { made, obsolete, pieces, .. } = set;
    // Others may have come while the run was at work.
    let gone = obsolete.into_iter().chain(pieces.iter().flat_map(Pieces::surplus)).filter(|path| is_there(path));
    let mut gone: Vec<PathBuf> = gone.filter(|path| made.iter().all(|(_, made)| made.path != *path)).collect();
    gone.sort();
    gone.dedup();

    let mut entries: Vec<Entry> = gone.iter().map(|path| Entry::gone(path)).collect();
    for (_, made) in &made {
        entries.push(Entry::new(&made.path, &made.metadata()?));
    }
    if let Some(main) = made.last().map(|(_, made)| &made.path).or(gone.last()) {
        let cannot = |cause| Error::io("cannot write down what it replaces", cause).at_path(main);
        undo.note(entries, !state.unflushed).map_err(cannot)?;
    }

    // Where nothing may be replaced, giving the name is what fails.
    let replaced = made.iter().rev().map(|(_, made)| &made.path).filter(|_| state.replace);
    for path in replaced.chain(&gone) {
        let cannot = |cause| Error::io("cannot take what is there out of the way", cause).at_path(path);
        let there = match path.symlink_metadata() {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            there => there.map_err(cannot)?,
        };
        state.may_replace(&there, path).map_err(|error| error.at_path(path))?;
        undo.take(path).map_err(cannot)?;
    }
    for (index, made) in made {
        published.push((index, made.owner, publish_one(made, state.replace)?));
    }
    Ok(())
}

fn publish_one(made: Made, replace: bool) -> Result<Published> {
    let metadata = made.metadata()?;
    let Made { temporary, path, held: _held, .. } = made;
    let renamed = if replace { temporary.persist(&path) } else { temporary.persist_noclobber(&path) };
    renamed.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::Exists, "appeared while it was being made, and was not replaced").at_path(&path)
        }
        _ => cannot_name(&path, error.error),
    })?;
    Ok(Published { size: metadata.len(), allocated: metadata.blocks() * 512, path })
}

fn cannot_name(path: &Path, cause: io::Error) -> Error {
    Error::io("cannot give the finished output its name", cause).at_path(path)
}

/// Whether anything is at `path`, a link that leads nowhere too.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

impl Made {
    fn metadata(&self) -> Result<Metadata> {
        self.temporary.metadata().map_err(|cause| cannot_name(&self.path, cause))
    }

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

/// Checks that files made at `paths` come in the place of some of `own`.
pub(super) fn check_places(paths: &[&Path], own: &[FileId]) -> Result<()> {
    for path in paths {
        if !file_at(path)?.is_some_and(|id| own.contains(&id)) {
            return Err(misplaced().at_path(path));
        }
    }
    Ok(())
}

/// Checks that files made at `paths` come in the place of all of `own`.
fn check_complete(paths: &[&Path], own: &[FileId]) -> Result<()> {
    let replaced = paths.iter().map(|path| file_at(path)).collect::<Result<Vec<_>>>()?;
    if own.iter().all(|id| replaced.contains(&Some(*id))) { Ok(()) } else { Err(misplaced()) }
}

/// Which file is at `path`, if there is one.
fn file_at(path: &Path) -> Result<Option<FileId>> {
    match path.symlink_metadata() {
        Ok(there) => Ok(Some(FileId::of(&there))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::io("cannot look at what is replaced", cause).at_path(path)),
    }
}

fn misplaced() -> Error {
    Error::unsupported("its files have other names than it would be written with, so it cannot be replaced")
        .with_hint("write the result elsewhere: -o")
}
