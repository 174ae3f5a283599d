//! What a run takes out of the way while it gives several files their names, so that it can be put back.
//!
//! rename(2) replaces one file at once. Of several, some would be new and some old where a run dies between two renames. So there
//! is a folder `.NAME.vimage-undo` beside the files of an output, NAME being the file that it is known by, and in the folder:
//!
//! - `record`, a line for each file in the order in which they get their names, NAME last: which file it is going to be (inode,
//!   length, time of the last change), and its name;
//! - `was/`, which takes what was there before.
//!
//! The folder is made and the record written. What is in the way is taken out, NAME first; the new files come in, NAME last; the folder
//! goes. So where NAME is, all that belongs to it is. As long as a run lives, it holds a lock (`flock`) on the record, and one run at a
//! time gives names to an output. A folder whose record nobody holds is of a run that died, and the next one that makes a file beside
//! it settles it: with NAME in its place, all is done, and the folder goes; without it, the new files go and the old ones come
//! back. Where a file that is neither has come into one of their places, nothing is touched. Nor is what belongs to another user, or
//! lies where a file system knows no locks.

use super::temporary::hold;
use crate::error::{Error, Result};
use crate::io::folder_of;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the name of the folder ends.
const SUFFIX: &str = ".vimage-undo";

/// What lists the files.
const RECORD: &str = "record";

/// What takes those that were there before.
const WAS: &str = "was";

/// Behind each line of the record: no name has the first of the two.
const END: &[u8] = b"/\n";

/// Bytes of a name for which there is room in the folder's: names have 255.
const LONGEST: usize = 255 - SUFFIX.len() - 1;

/// How often, and how long each time, is waited for another run that gives the same names: that takes as long as a few renames.
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// The folder in which a run keeps what it replaces with the file `main` and those that belong to it.
pub(crate) fn undo_name(main: &OsStr) -> String {
    let name = main.to_string_lossy();
    let mut start = name.len().saturating_sub(LONGEST);
    while !name.is_char_boundary(start) {
        start += 1;
    }
    format!(".{}{SUFFIX}", &name[start..])
}

/// Which file it is, and that nobody changed it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    len: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp {
            inode: metadata.ino(),
            len: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

/// A place that a file of the output has, or had.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    name: OsString,
    /// The new file that comes there. No file has inode 0, and so none of all noughts comes where one only goes.
    new: Stamp,
}

/// What is in such a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    Nothing,
    New,
    Other,
}

impl Entry {
    /// One where a file goes, and none comes.
    pub(super) fn gone(path: &Path) -> Self {
        Entry { name: path.file_name().unwrap_or_default().to_owned(), new: Stamp::default() }
    }

    /// One where the file `new` comes.
    pub(super) fn new(path: &Path, new: &Metadata) -> Self {
        Entry { new: Stamp::of(new), ..Entry::gone(path) }
    }

    fn here(&self, beside: &Path) -> Here {
        match beside.join(&self.name).symlink_metadata() {
            Ok(there) if Stamp::of(&there) == self.new => Here::New,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Here::Nothing,
            _ => Here::Other,
        }
    }

    fn line(&self) -> Vec<u8> {
        let Stamp { inode, len, seconds, nanoseconds } = self.new;
        [format!("{inode} {len} {seconds} {nanoseconds} ").as_bytes(), self.name.as_bytes(), END].concat()
    }

    /// None of what is no line of ours: a name leads nowhere else.
    fn from_line(line: &[u8]) -> Option<Self> {
        let mut words = line.splitn(5, |&byte| byte == b' ');
        let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<i128>().ok();
        let (inode, len, seconds, nanoseconds) = (number()?, number()?, number()?, number()?);
        let name = words.next().filter(|name| !name.contains(&b'/') && ![&b""[..], b".", b".."].contains(name))?;
        let new = Stamp {
            inode: inode.try_into().ok()?,
            len: len.try_into().ok()?,
            seconds: seconds.try_into().ok()?,
            nanoseconds: nanoseconds.try_into().ok()?,
        };
        Some(Entry { name: OsString::from_vec(name.to_vec()), new })
    }
}

/// The folder of a run that lives. Dropped before it is [done](Self::done), it puts everything back.
pub(super) struct Undo {
    folder: PathBuf,
    beside: PathBuf,
    /// Bears the lock.
    record: File,
    entries: Vec<Entry>,
    done: bool,
}

impl Undo {
    /// Makes the one for the output that is known by the file at `main`.
    ///
    /// # Errors
    /// `InUse` when another run gives the same name and does not end; `Refused` where one died, and what it left cannot be settled; `Io`.
    pub(super) fn claim(main: &Path) -> Result<Self> {
        let beside = folder_of(main).to_owned();
        let name = undo_name(main.file_name().unwrap_or_default());
        let folder = beside.join(&name);
        for _ in 0..TRIES {
            match begin(&folder) {
                Ok(Some(record)) => return Ok(Undo { folder, beside, record, entries: Vec::new(), done: false }),
                Ok(None) => {}
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => match settle_one(&folder) {
                    Found::Gone => {}
                    Found::Held => std::thread::sleep(PAUSE),
                    Found::Kept => {
                        let what = format!("a run that was replacing it was killed, and {name} holds what was there");
                        return Err(Error::refused(what)
                            .at_path(main)
                            .with_hint(format!("move what you want to keep out of {name}, and remove it")));
                    }
                },
                Err(cause) => return Err(Error::io("cannot prepare giving it its name", cause).at_path(main)),
            }
        }
        Err(Error::in_use("is being given its name by another run")
            .at_path(main)
            .with_hint(format!("start again when that has ended; where there is none, move {name} away")))
    }

    /// Writes down which files are going to come and to go, in their order; with `flush`, to the disk.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn note(&mut self, entries: Vec<Entry>, flush: bool) -> io::Result<()> {
        let lines: Vec<u8> = entries.iter().flat_map(Entry::line).collect();
        self.entries = entries;
        self.record.write_all(&lines)?;
        if flush { self.record.sync_all() } else { Ok(()) }
    }

    /// Takes the file at `path` out of the way.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn take(&self, path: &Path) -> io::Result<()> {
        let was = self.folder.join(WAS);
        match std::fs::create_dir(&was) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
            _ => std::fs::rename(path, was.join(path.file_name().unwrap_or_default())),
        }
    }

    /// Lets go what was there before: all new files are in their places.
    pub(super) fn done(mut self) {
        self.done = true;
        sweep(&self.folder, &self.entries);
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if !self.done {
            put_back(&self.folder, &self.beside, &self.entries);
        }
    }
}

/// Makes the folder and its record, and holds that; none where one who looked for dead runs was faster.
fn begin(folder: &Path) -> io::Result<Option<File>> {
    std::fs::create_dir(folder)?;
    match File::options().read(true).write(true).create_new(true).open(folder.join(RECORD)) {
        Ok(record) => Ok(hold(&record)?.then_some(record)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => {
            let _ = std::fs::remove_dir(folder);
            Err(cause)
        }
    }
}

/// Settles what dead runs left in `folder` while they gave files their names. What cannot be settled stays.
pub(super) fn settle(folder: &Path) {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let left = entries.filter(|entry| {
        let name = entry.file_name();
        name.as_bytes().starts_with(b".") && name.as_bytes().ends_with(SUFFIX.as_bytes())
    });
    let left: Vec<PathBuf> = left.map(|entry| entry.path()).collect();
    for path in left {
        settle_one(&path);
    }
}

/// The same for the folder that the file at `path` lies in.
pub(crate) fn settle_beside(path: &Path) {
    settle(folder_of(path));
}

/// What came of a folder that was there already.
enum Found {
    /// It is no more.
    Gone,
    /// A run that lives holds it.
    Held,
    /// It cannot be settled.
    Kept,
}

fn settle_one(folder: &Path) -> Found {
    match folder.symlink_metadata() {
        // What somebody else put there says which files go.
        Ok(there) if !there.is_dir() || there.uid() != rustix::process::geteuid().as_raw() => return Found::Kept,
        Ok(_) => {}
        Err(_) => return Found::Gone,
    }
    let Ok(mut record) = File::options().read(true).write(true).open(folder.join(RECORD)) else {
        // Just made, or just going.
        return if std::fs::remove_dir(folder).is_ok() { Found::Gone } else { Found::Held };
    };
    if record.try_lock().is_err() {
        return Found::Held;
    }
    if !record.metadata().is_ok_and(|held| held.nlink() > 0) {
        return Found::Gone;
    }
    let (entries, beside) = (lines_of(&mut record), folder_of(folder));
    let settled = match entries.last().map(|main| main.here(beside)) {
        Some(Here::New) => sweep(folder, &entries),
        Some(Here::Nothing) => put_back(folder, beside, &entries),
        // Nothing was moved yet, or all is back already: unless something is kept there.
        Some(Here::Other) | None => clear(folder),
    };
    if settled { Found::Gone } else { Found::Kept }
}

/// The lines of a record; none where they are not all whole, so that nothing was moved yet.
fn lines_of(record: &mut File) -> Vec<Entry> {
    let mut bytes = Vec::new();
    if record.read_to_end(&mut bytes).is_err() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(at) = rest.windows(END.len()).position(|end| end == END) {
        lines.push(Entry::from_line(&rest[..at]));
        rest = &rest[at + END.len()..];
    }
    let whole = rest.is_empty().then(|| lines.into_iter().collect::<Option<Vec<_>>>());
    whole.flatten().unwrap_or_default()
}

/// Puts back what was there before: the new files go, the one that the output is known by first, and the old ones come, that one last.
/// Tells whether all is done. Where something else is in the place of an old one, nothing is.
fn put_back(folder: &Path, beside: &Path, entries: &[Entry]) -> bool {
    let (place, was) = (|entry: &Entry| beside.join(&entry.name), |entry: &Entry| folder.join(WAS).join(&entry.name));
    let is_kept = |entry: &Entry| was(entry).symlink_metadata().is_ok();
    if entries.iter().any(|entry| is_kept(entry) && entry.here(beside) == Here::Other) {
        return false;
    }
    let go = |entry: &Entry| match entry.here(beside) {
        Here::New => std::fs::remove_file(place(entry)),
        Here::Nothing | Here::Other => Ok(()),
    };
    let back = |entry: &Entry| if is_kept(entry) { std::fs::rename(was(entry), place(entry)) } else { go(entry) };
    entries.last().map_or(Ok(()), go).and_then(|()| entries.iter().try_for_each(back)).is_ok() && clear(folder)
}

/// Removes the folder with the old files that are in it; tells whether it is gone.
fn sweep(folder: &Path, entries: &[Entry]) -> bool {
    entries.iter().for_each(|entry| drop(std::fs::remove_file(folder.join(WAS).join(&entry.name))));
    clear(folder)
}

/// Removes the folder, unless a file is kept in it; tells whether it is gone.
fn clear(folder: &Path) -> bool {
    let was = std::fs::remove_dir(folder.join(WAS));
    let empty = was.is_ok() || was.is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound);
    empty && std::fs::remove_file(folder.join(RECORD)).is_ok() && std::fs::remove_dir(folder).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::collections::BTreeMap;

    /// What is in a folder, with its bytes.
    fn held(folder: &Path) -> BTreeMap<String, String> {
        let entries = folder.read_dir().unwrap().map(Result::unwrap);
        let text = |path: PathBuf| if path.is_dir() { "folder".into() } else { std::fs::read_to_string(path).unwrap() };
        entries.map(|entry| (entry.file_name().into_string().unwrap(), text(entry.path()))).collect()
    }

    /// `main`, `part` and `more` that are new, in the places of the first two and of `surplus`, which are old.
    const PLACES: [&str; 4] = ["surplus", "more", "part", "main"];

    /// A folder with the old files, the new ones beside it, and what a run does in its order, as steps that can be cut short.
    struct Ground(tempfile::TempDir);

    impl Ground {
        fn new() -> Self {
            let ground = Ground(tempfile::tempdir().unwrap());
            std::fs::create_dir(ground.path("new")).unwrap();
            std::fs::create_dir(ground.path("out")).unwrap();
            for name in ["main", "part", "surplus"] {
                std::fs::write(ground.out(name), "old").unwrap();
            }
            for name in ["main", "part", "more"] {
                std::fs::write(ground.path("new").join(name), format!("new {name}")).unwrap();
            }
            ground
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn out(&self, name: &str) -> PathBuf {
            self.path("out").join(name)
        }

        /// Begins, and takes so many steps.
        fn begun(&self, steps: usize) -> Undo {
            let mut undo = Undo::claim(&self.out("main")).unwrap();
            let entry = |name: &str| match self.path("new").join(name).metadata() {
                Ok(new) => Entry::new(&self.out(name), &new),
                Err(_) => Entry::gone(&self.out(name)),
            };
            undo.note(PLACES.map(entry).into(), false).unwrap();
            let out = ["main", "part", "surplus"].map(|name| (name, true));
            let steps = out.into_iter().chain(["more", "part", "main"].map(|name| (name, false))).take(steps);
            steps.for_each(|(name, goes)| match goes {
                true => undo.take(&self.out(name)).unwrap(),
                false => std::fs::rename(self.path("new").join(name), self.out(name)).unwrap(),
            });
            undo
        }

        /// As when the process dies there.
        fn dead(&self, steps: usize) {
            let undo = self.begun(steps);
            undo.record.unlock().unwrap();
            std::mem::forget(undo);
        }
    }

    fn old() -> BTreeMap<String, String> {
        ["main", "part", "surplus"].map(|name| (name.into(), "old".into())).into()
    }

    fn new() -> BTreeMap<String, String> {
        ["main", "part", "more"].map(|name| (name.into(), format!("new {name}"))).into()
    }

    #[test]
    fn what_is_dropped_or_dies_at_any_step_is_put_back_until_the_last() {
        for steps in 0..=6 {
            let ground = Ground::new();
            drop(ground.begun(steps));
            assert_eq!(held(&ground.path("out")), old(), "dropped after {steps}");
            let ground = Ground::new();
            ground.dead(steps);
            settle(&ground.path("out"));
            assert_eq!(held(&ground.path("out")), if steps < 6 { old() } else { new() }, "dead after {steps}");
        }
        let ground = Ground::new();
        ground.begun(6).done();
        assert_eq!(held(&ground.path("out")), new());
    }

    /// What came into a place since is nobody's to remove, and what it would be mixed with stays away.
    #[test]
    fn where_others_have_been_nothing_is_touched() {
        for (steps, name) in [(3, "part"), (5, "part"), (3, "main"), (6, "main")] {
            let ground = Ground::new();
            ground.dead(steps);
            std::fs::write(ground.out(name), "of others").unwrap();
            let before = held(&ground.path("out"));
            settle(&ground.path("out"));
            assert_eq!(held(&ground.path("out")), before, "{name} after {steps}");
            let undo = ground.out(&undo_name("main".as_ref()));
            assert_eq!(held(&undo.join(WAS)), old(), "{name} after {steps}");
            assert_eq!(Undo::claim(&ground.out("main")).err().map(|error| error.kind()), Some(ErrorKind::Refused));
        }
    }

    #[test]
    fn one_at_a_time() {
        let ground = Ground::new();
        let one = ground.begun(6);
        settle(&ground.path("out"));
        assert_eq!(Undo::claim(&ground.out("main")).err().map(|error| error.kind()), Some(ErrorKind::InUse));
        Undo::claim(&ground.out("other")).unwrap().done();
        one.done();
        assert_eq!(held(&ground.path("out")), new());
    }

    #[test]
    fn a_record_leads_nowhere_else() {
        let metadata = tempfile::tempfile().unwrap().metadata().unwrap();
        for name in [&b"a b\n c"[..], b"\xff", b"1 2 3 4 5"] {
            let entry = Entry::new(Path::new(OsStr::from_bytes(name)), &metadata);
            assert_eq!(Entry::from_line(entry.line().strip_suffix(END).unwrap()), Some(entry));
        }
        for line in ["", "1 2 3 4", "1 2 3 4 ", "1 2 3 4 ..", "1 2 3 4 .", "1 2 3 4 a/b", "-1 2 3 4 a", "1 2 3 x a"] {
            assert_eq!(Entry::from_line(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn names_are_not_too_long() {
        assert_eq!(undo_name("out.vmdk".as_ref()), ".out.vmdk.vimage-undo");
        let long = format!("{}ä{}", "a".repeat(12), "b".repeat(241));
        let name = undo_name(long.as_ref());
        assert!(name.len() <= 255 && name.ends_with(&format!("{}{SUFFIX}", "b".repeat(241))), "{name}");
    }
}
