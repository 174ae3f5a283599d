//! Files of digests beside outputs, in the form that `sha256sum -c` reads.

use super::many::{Output, Place};
use crate::error::{Error, Result};
use crate::io::hash::{Hash, Hasher, checksum_line};
use crate::io::outputs::Unpublished;
use crate::io::{Aligned, FileReader, Outputs, ReadAt, Stored};
use crate::observer::{Observer, Phase};
use rayon::prelude::*;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Bytes read at a time.
const STEP: usize = 1 << 20;

/// Zeros hashed between two questions to the observer.
const MOST_ZEROS: u64 = 64 << 20;

/// The files of digests beside an output.
pub(super) struct DigestFiles(Vec<PathBuf>);

impl DigestFiles {
    /// Beside the output at `path`: its name, and the digest's behind it.
    pub(super) fn of(path: &Path, hashes: &[Hash]) -> Self {
        let name = |hash: &Hash| {
            let mut name = path.as_os_str().to_owned();
            name.push(".");
            name.push(hash.name());
            name.into()
        };
        DigestFiles(hashes.iter().map(name).collect())
    }

    /// Whether `path` is one of them.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.0.iter().any(|known| known == path)
    }

    /// Marks those that are there when the run succeeds as going then.
    ///
    /// # Errors
    /// As [`Outputs::supersede`].
    pub(super) fn supersede(&self, run: &Outputs) -> Result<()> {
        self.0.iter().filter(|path| !path.is_dir()).try_for_each(|path| run.supersede(path))
    }

    /// Checks that they may be written, and keeps their names.
    ///
    /// # Errors
    /// As [`Outputs::check`].
    pub(super) fn reserve(&self, run: &Outputs) -> Result<()> {
        self.0.iter().try_for_each(|path| run.reserve(path))
    }
}

/// Writes the digests of each output's files beside it. What was not written from front to back is read for it.
///
/// # Errors
/// `Io`, `Cancelled`; `Exists` when a file is in the way.
pub(super) fn write(outputs: &[Output], run: &Outputs, hashes: &[Hash], observer: &dyn Observer) -> Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    let files: Vec<_> = (0..outputs.len()).map(|owner| run.unpublished(owner)).collect();
    let known = run.digested();
    let unread: Vec<_> =
        files.iter().flatten().filter(|file| !known.iter().any(|(path, _)| *path == file.path)).collect();
    let read = read_all(&unread, hashes, observer)?;
    let digest = |path: &Path, index: usize| {
        let all = known
            .iter()
            .map(|(path, digests)| (path, digests))
            .chain(read.iter().map(|(path, digests)| (path, digests)));
        all.into_iter().find(|(known, _)| *known == path).and_then(|(_, digests)| digests.get(index).cloned())
    };
    for (owner, output) in outputs.iter().enumerate() {
        let Place::Path(path) = &output.place else { continue };
        for (index, beside) in DigestFiles::of(path, hashes).0.iter().enumerate() {
            let line = |file: &Unpublished| {
                let name = file.path.file_name().unwrap_or_default().as_bytes();
                digest(&file.path, index).map(|digest| checksum_line(&digest, name))
            };
            let text: Option<Vec<Vec<u8>>> = files[owner].iter().map(line).collect();
            let text = text.ok_or_else(|| Error::usage("a digest was not made").at_path(path))?;
            let mut file = run.owned_by(owner).create_reserved(beside)?;
            file.write_all_at(&text.concat(), 0)?;
            file.finish()?;
        }
    }
    Ok(())
}

/// The digests of files that are read for them.
fn read_all(files: &[&Unpublished], hashes: &[Hash], observer: &dyn Observer) -> Result<Vec<(PathBuf, Vec<String>)>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let opened = files.iter().map(|file| Ok((file, FileReader::open(&file.temporary)?))).collect::<Result<Vec<_>>>()?;
    observer.begin(Phase::Digest, Some(opened.iter().fold(0, |sum, (_, reader)| sum.saturating_add(reader.size()))));
    let passed = Mutex::new(0);
    let read = opened.par_iter().with_max_len(1).map(|(file, reader)| {
        let digests = read_one(reader, hashes, observer, &passed);
        digests.map(|digests| (file.path.clone(), digests)).map_err(|error| error.at_path(&file.path))
    });
    read.collect()
}

fn read_one(reader: &FileReader, hashes: &[Hash], observer: &dyn Observer, passed: &Mutex<u64>) -> Result<Vec<String>> {
    let mut hashers: Vec<_> = hashes.iter().map(|&hash| Hasher::new(hash)).collect();
    let mut buffer = Aligned::zeros(STEP);
    let mut at = 0;
    while at < reader.size() {
        if observer.cancelled() {
            return Err(Error::cancelled());
        }
        let cannot = |cause| Error::io("cannot read", cause).at_offset(at);
        // A file system takes its time to fill pages with the zeros of a hole.
        let (stored, end) = reader.stored_at(at).map_err(cannot)?;
        let take = match stored {
            Stored::Hole => (end - at).min(MOST_ZEROS),
            Stored::Data => (end - at).min(STEP as u64),
        };
        if stored == Stored::Hole {
            hashers.iter_mut().for_each(|hasher| hasher.zeros(take));
        } else {
            let bytes = &mut buffer[..take as usize];
            reader.read_exact_at(bytes, at).map_err(cannot)?;
            hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
        }
        at += take;
        let mut passed = crate::io::part::lock(passed);
        *passed += take;
        // Under the lock, so that it never goes back.
        observer.reached(*passed);
    }
    Ok(hashers.into_iter().map(Hasher::finish).collect())
}
