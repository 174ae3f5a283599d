//! One row of bytes kept in numbered files: `disk.raw.001`, `disk.raw.002`, …
//!
//! Numbers have three digits, and four from 1000 on, as `split` and 7-Zip write them.

use super::{FileReader, Neighbors, ReadAt, Stored};
use crate::error::{Error, Result};
use crate::limits::MOST_PIECES;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The name of piece `number` (from 1) of what is called `stem`.
pub fn piece_name(stem: &str, number: u64) -> String {
    format!("{stem}.{number:03}")
}

/// The name of chunk `number` (from 0) of the file `stem` in an OVF package (DSP0243 1.1, 7.1: nine digits).
pub fn chunk_name(stem: &str, number: u64) -> String {
    format!("{stem}.{number:09}")
}

/// The stem and number of a chunk's name.
pub fn chunk_of(name: &str) -> Option<(&str, u64)> {
    let (stem, digits) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())?;
    let clean = digits.len() == 9 && digits.bytes().all(|digit| digit.is_ascii_digit());
    Some((stem, digits.parse().ok().filter(|_| clean)?))
}

/// The stem of a first piece's name: `disk.raw` for `disk.raw.001`.
pub fn stem_of_first(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_suffix(".001").filter(|stem| !stem.is_empty())
}

/// Numbered pieces, read as one.
pub struct Pieces {
    files: Vec<Arc<FileReader>>,
    /// Length of every piece but the last, which may be shorter.
    piece: u64,
    size: u64,
}

impl Pieces {
    /// Joins to `first`, which is piece 1 of `stem`, the pieces that follow it in its folder.
    ///
    /// # Errors
    /// `Corrupt` when a piece is missing between others or is not as long as the first; `Refused` and `Io` as
    /// [`Neighbors::open`] has them.
    pub fn join(first: Arc<FileReader>, stem: &str, neighbors: &Neighbors) -> Result<Self> {
        Self::join_named(first, stem, neighbors, &|number| piece_name(stem, number))
    }

    /// Joins to `first`, which is the first of the chunks of `stem` that an OVF package keeps it in, those that follow.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_chunks(first: Arc<FileReader>, stem: &str, neighbors: &Neighbors) -> Result<Self> {
        Self::join_named(first, stem, neighbors, &|number| chunk_name(stem, number.saturating_sub(1)))
    }

    /// Joins to `first`, which is piece 1 of `stem`, all that are called `name(2)` and on.
    fn join_named(
        first: Arc<FileReader>,
        stem: &str,
        neighbors: &Neighbors,
        name: &dyn Fn(u64) -> String,
    ) -> Result<Self> {
        let piece = first.size();
        let mut files = vec![first];
        let mut size = piece;
        while neighbors.exists(&name(files.len() as u64 + 1)) {
            let number = files.len() as u64 + 1;
            let (file, path) = neighbors.open(&name(number))?;
            if number > MOST_PIECES {
                return Err(Error::unsupported(format!("more than {MOST_PIECES} pieces")).at_path(path));
            }
            // Only the last may be short, so the one before this must have been whole.
            if Some(size) != piece.checked_mul(number - 1) || file.size() > piece || file.size() == 0 {
                return Err(Error::corrupt(format!(
                    "piece {number} of {stem} does not fit: all pieces but the last must be {piece} bytes long"
                ))
                .at_path(path)
                .with_hint("a piece was cut short, or belongs to another disk"));
            }
            let end = size.checked_add(file.size()).filter(|end| i64::try_from(*end).is_ok());
            size = end.ok_or_else(|| {
                Error::unsupported("its pieces together are longer than any file may be").at_path(path)
            })?;
            files.push(file);
        }
        let after = files.len() as u64 + 2;
        if neighbors.exists(&name(after)) {
            return Err(Error::corrupt(format!("piece {} is missing, but {} is there", name(after - 1), name(after)))
                .with_hint("copy all pieces into one folder"));
        }
        Ok(Pieces { files, piece, size })
    }

    /// The number of pieces.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Bytes of storage that all pieces take.
    pub fn allocated(&self) -> u64 {
        self.files.iter().map(|file| file.allocated()).sum()
    }

    /// The piece that holds `offset`, and the offset within it.
    fn locate(&self, offset: u64) -> Option<(usize, u64)> {
        let index = usize::try_from(offset.checked_div(self.piece)?).ok()?;
        (index < self.files.len()).then(|| (index, offset % self.piece))
    }
}

impl ReadAt for Pieces {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let (index, within) = self.locate(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
            let take = usize::try_from(self.piece - within).unwrap_or(usize::MAX).min(buf.len());
            let (now, rest) = buf.split_at_mut(take);
            self.files[index].read_exact_at(now, within)?;
            buf = rest;
            offset += take as u64;
        }
        Ok(())
    }

    fn stored_at(&self, offset: u64) -> io::Result<(Stored, u64)> {
        let (index, within) = self.locate(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        let (stored, end) = self.files[index].stored_at(within)?;
        Ok((stored, offset - within + end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn join(files: &[(&str, &str)]) -> Result<Pieces> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let first = folder.path().join("d.001");
        Pieces::join(Arc::new(FileReader::open(&first)?), "d", &Neighbors::of(&first))
    }

    #[test]
    fn pieces_read_as_one() {
        let pieces = join(&[("d.001", "abcd"), ("d.002", "efgh"), ("d.003", "ij")]).unwrap();
        assert_eq!((pieces.size(), pieces.count()), (10, 3));
        let mut all = [0; 9];
        pieces.read_exact_at(&mut all, 1).unwrap();
        assert_eq!(&all, b"bcdefghij");
        assert!(pieces.read_exact_at(&mut all, 2).is_err());
    }

    #[test]
    fn gaps_and_odd_lengths_are_corrupt() {
        for files in [
            &[("d.001", "abcd"), ("d.003", "ij")][..],
            &[("d.001", "abcd"), ("d.002", "efg"), ("d.003", "ij")],
            &[("d.001", "abcd"), ("d.002", "efghi")],
            &[("d.001", ""), ("d.002", "")],
        ] {
            assert_eq!(join(files).err().map(|error| error.kind()), Some(ErrorKind::Corrupt), "{files:?}");
        }
    }
}
