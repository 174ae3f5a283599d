//! A row of bytes laid out over files that are made one after the other: raw pieces, flat extents.

use super::{OutputFile, Outputs};
use crate::error::{Error, Result};
use std::path::PathBuf;

/// Files, each with its length, that together take a row of bytes; they are made one after the other.
pub struct FileSequence {
    outputs: Outputs,
    files: Vec<(PathBuf, u64)>,
    /// The file being written, and the byte of the row at which it starts.
    current: Option<(OutputFile, u64)>,
    /// The number of files begun.
    begun: usize,
}

impl FileSequence {
    /// The row over `files`, in order.
    ///
    /// # Errors
    /// As [`Outputs::check`] for any of them, and [`Outputs::create`] for the first.
    pub fn new(outputs: &Outputs, files: Vec<(PathBuf, u64)>) -> Result<Self> {
        files.iter().try_for_each(|(path, _)| outputs.check(path))?;
        let mut sequence = FileSequence { outputs: outputs.clone(), files, current: None, begun: 0 };
        // The first is made at once, so that a folder that cannot be written to is found before any work is done.
        sequence.next_file(0)?;
        Ok(sequence)
    }

    /// Writes `bytes` at byte `offset` of the row. Offsets ascend; what is never written reads as zero, and what lies past
    /// the last file is dropped.
    ///
    /// # Errors
    /// `Io`; and those of making the next file.
    pub fn write_all_at(&mut self, mut bytes: &[u8], mut offset: u64) -> Result<()> {
        while !bytes.is_empty() {
            let Some((file, start)) = &mut self.current else { return Ok(()) };
            let start = *start;
            let end = start.saturating_add(self.files[self.begun - 1].1);
            if offset >= end {
                self.next_file(end)?;
                continue;
            }
            let take = usize::try_from(end - offset).unwrap_or(usize::MAX).min(bytes.len());
            file.write_all_at(&bytes[..take], offset - start)?;
            bytes = &bytes[take..];
            offset += take as u64;
        }
        Ok(())
    }

    /// Makes the files not yet begun, and finishes all: the row ends after `size` bytes, within the last file.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at).
    pub fn finish(mut self, size: u64) -> Result<()> {
        while let Some((_, start)) = &self.current {
            let start = *start;
            let is_last = self.begun == self.files.len();
            if let Some((_, len)) = self.files.last_mut().filter(|_| is_last) {
                *len = size.saturating_sub(start).min(*len);
            }
            self.next_file(start + self.files[self.begun - 1].1)?;
        }
        Ok(())
    }

    /// Finishes the current file and makes the next, which starts at byte `start`.
    fn next_file(&mut self, start: u64) -> Result<()> {
        if let Some((mut file, _)) = self.current.take() {
            file.set_len(self.files[self.begun - 1].1)?;
            file.finish()?;
        }
        let next = self.files.get(self.begun).map(|(path, _)| self.outputs.create_in_order(path)).transpose()?;
        self.begun += usize::from(next.is_some());
        self.current = next.map(|file| (file, start));
        Ok(())
    }
}

/// How many files of at most `each` bytes `total` bytes take, and the length of each; one empty file for nothing.
///
/// # Errors
/// `Usage` when they would be more than `most`.
pub fn split_evenly(total: u64, each: u64, most: u64) -> Result<Vec<u64>> {
    let count = total.div_ceil(each).max(1);
    if count > most {
        return Err(Error::usage(format!(
            "{total} bytes in files of {each} make {count} files, and {most} is the most"
        ))
        .with_hint(format!("split into files of at least {} bytes", total.div_ceil(most))));
    }
    Ok((0..count).map(|index| each.min(total - index * each)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_cross_files_and_files_never_reached_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let outputs = Outputs::new(false, Vec::new());
        let files = vec![(path("a"), 4), (path("b"), 4), (path("c"), 4), (path("d"), 2)];
        let mut row = FileSequence::new(&outputs, files).unwrap();
        row.write_all_at(b"xyz", 3).unwrap();
        row.write_all_at(b"w", 8).unwrap();
        row.finish(14).unwrap();
        outputs.publish().unwrap();
        let read = |name| std::fs::read(path(name)).unwrap();
        assert_eq!([read("a"), read("b"), read("c"), read("d")], [&b"\0\0\0x"[..], b"yz\0\0", b"w\0\0\0", b"\0\0"]);
    }

    #[test]
    fn what_lies_past_the_end_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(false, Vec::new());
        let mut row = FileSequence::new(&outputs, vec![(folder.path().join("a"), 3)]).unwrap();
        row.write_all_at(b"abcdef", 0).unwrap();
        row.finish(3).unwrap();
        assert_eq!(outputs.publish().unwrap()[0].size, 3);
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"abc");
    }

    #[test]
    fn a_row_may_end_where_it_is_found_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(false, Vec::new());
        let mut row = FileSequence::new(&outputs, vec![(folder.path().join("a"), u64::MAX)]).unwrap();
        row.write_all_at(b"abc", 5).unwrap();
        row.finish(10).unwrap();
        outputs.publish().unwrap();
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"\0\0\0\0\0abc\0\0");
    }

    #[test]
    fn even_splits() {
        assert_eq!(split_evenly(10, 4, 3).unwrap(), [4, 4, 2]);
        assert_eq!(split_evenly(8, 4, 3).unwrap(), [4, 4]);
        assert_eq!(split_evenly(0, 4, 3).unwrap(), [0]);
        assert!(split_evenly(13, 4, 3).is_err());
    }
}
