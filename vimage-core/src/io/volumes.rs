//! One file, or one cut into numbered volumes, whose length is known only when it is written.
//!
//! It is written from front to back; what lies at its very beginning may be written once more at the end, as formats want it
//! that put a pointer to their last part there. So the first volume stays open.

use super::pieces::{piece_name, stem_of_first};
use super::{OutputFile, Outputs};
use crate::error::{Error, Result};
use crate::limits::MOST_PIECES;
use std::path::{Path, PathBuf};

/// A file being written, or the volumes that it is cut into.
pub struct Volumes {
    outputs: Outputs,
    path: PathBuf,
    /// The volumes' stem and length, where it is cut.
    cut: Option<(String, u64)>,
    first: OutputFile,
    /// The last volume, where it is not the first.
    last: Option<OutputFile>,
    /// Volumes begun.
    begun: u64,
    /// Bytes written.
    length: u64,
}

impl Volumes {
    /// A file at `path`, or with `split` volumes of that many bytes each: `path.001` and on, under what `path` names without
    /// a `.001` of its own.
    ///
    /// # Errors
    /// As [`Outputs::create`]; `Usage` where no volumes can be named after `path`, or they would have no bytes.
    pub fn new(outputs: &Outputs, path: &Path, split: Option<u64>) -> Result<Self> {
        let cut = split.map(|each| volume_stem(path).map(|stem| (stem, each))).transpose()?;
        if split == Some(0) {
            return Err(Error::usage("volumes have a length of at least one byte").at_path(path));
        }
        let name = cut.as_ref().map_or(path.to_owned(), |(stem, _)| path.with_file_name(piece_name(stem, 1)));
        if cut.is_some() {
            outputs.known_by(&name);
        }
        let first = outputs.create(&name)?;
        Ok(Volumes { outputs: outputs.clone(), path: path.to_owned(), cut, first, last: None, begun: 1, length: 0 })
    }

    /// Bytes written so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes from the beginning on that [`patch`](Self::patch) reaches.
    fn reach(&self) -> u64 {
        self.cut.as_ref().map_or(self.length, |(_, each)| self.length.min(*each))
    }

    /// Writes `bytes` behind those that are written.
    ///
    /// # Errors
    /// `Io`; those of making a volume; `Usage` where there are more than [`MOST_PIECES`].
    pub fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (start, end) = match &self.cut {
                None => (0, u64::MAX),
                Some((_, each)) => {
                    ((self.begun - 1) * each, (self.begun - 1).saturating_mul(*each).saturating_add(*each))
                }
            };
            if self.length == end {
                self.next()?;
                continue;
            }
            let take = usize::try_from(end - self.length).unwrap_or(usize::MAX).min(bytes.len());
            let (now, rest) = bytes.split_at(take);
            self.last.as_mut().unwrap_or(&mut self.first).write_all_at(now, self.length - start)?;
            self.length += take as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Writes `bytes` once more at byte `offset`, all of them where something was written already, and in the first volume.
    ///
    /// # Errors
    /// `Io`; `Usage` elsewhere.
    pub fn patch(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        match offset.checked_add(bytes.len() as u64) {
            Some(end) if end <= self.reach() => self.first.write_all_at(bytes, offset),
            _ => Err(Error::usage("only the beginning of the first volume can be written twice").at_path(&self.path)),
        }
    }

    /// Finishes all volumes. Those left over from a longer one of this name go when this one is published: they would be read
    /// as a part of it.
    ///
    /// # Errors
    /// `Io`; `Exists` where a left-over volume is in the way.
    pub fn finish(self) -> Result<()> {
        if let Some((stem, _)) = &self.cut {
            self.outputs.supersede_pieces(&self.path, stem, self.begun)?;
        }
        self.last.map_or(Ok(()), OutputFile::finish)?;
        self.first.finish()
    }

    fn next(&mut self) -> Result<()> {
        let Some((stem, each)) = &self.cut else { return Ok(()) };
        if self.begun == MOST_PIECES {
            return Err(Error::usage(format!("it takes more than {MOST_PIECES} volumes of {each} bytes"))
                .at_path(&self.path)
                .with_hint("split into larger ones"));
        }
        let next = self.outputs.create(&self.path.with_file_name(piece_name(stem, self.begun + 1)))?;
        self.begun += 1;
        self.last.replace(next).map_or(Ok(()), OutputFile::finish)
    }
}

fn volume_stem(path: &Path) -> Result<String> {
    let stem = stem_of_first(path).or(path.file_name().and_then(|name| name.to_str()));
    stem.map(str::to_owned)
        .ok_or_else(|| Error::usage("is not a file name that volumes can be named after").at_path(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn write(folder: &Path, split: Option<u64>, replace: bool) -> Result<Vec<(String, Vec<u8>)>> {
        let outputs = Outputs::new(replace, Vec::new());
        let mut volumes = Volumes::new(&outputs, &folder.join("x.7z"), split)?;
        volumes.append(b"....")?;
        volumes.append(b"efghij")?;
        volumes.patch(b"abcd", 0)?;
        assert_eq!(volumes.length(), 10);
        volumes.finish()?;
        let published = outputs.publish()?.into_iter();
        Ok(published
            .map(|file| {
                let name = file.path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read(file.path).unwrap())
            })
            .collect())
    }

    #[test]
    fn a_whole_is_one_file_and_volumes_are_its_bytes_in_a_row() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path(), None, false).unwrap(), [("x.7z".into(), b"abcdefghij".to_vec())]);
        for each in [4, 5, 10, 11] {
            let folder = tempfile::tempdir().unwrap();
            let volumes = write(folder.path(), Some(each), false).unwrap();
            let wanted: Vec<_> = b"abcdefghij".chunks(each as usize).zip(1..).collect();
            let wanted = wanted.into_iter().map(|(bytes, number)| (format!("x.7z.{number:03}"), bytes.to_vec()));
            assert_eq!(volumes, wanted.collect::<Vec<_>>(), "{each}");
        }
    }

    #[test]
    fn volumes_of_a_longer_one_go_and_only_where_files_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), Some(4), false).unwrap();
        std::fs::write(folder.path().join("x.7z.005"), "of old").unwrap();
        for (split, kind) in [(4, ErrorKind::Exists), (0, ErrorKind::Usage)] {
            assert_eq!(write(folder.path(), Some(split), false).unwrap_err().kind(), kind);
        }
        write(folder.path(), Some(5), true).unwrap();
        let mut left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["x.7z.001", "x.7z.002"]);
    }

    #[test]
    fn only_the_beginning_is_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(false, Vec::new());
        let mut volumes = Volumes::new(&outputs, &folder.path().join("x"), Some(4)).unwrap();
        volumes.append(b"abcdef").unwrap();
        for (bytes, offset) in [(&b"xx"[..], 3), (b"x", 5), (b"x", u64::MAX)] {
            assert_eq!(volumes.patch(bytes, offset).unwrap_err().kind(), ErrorKind::Usage);
        }
        volumes.patch(b"xxxx", 0).unwrap();
    }
}
