//! Bytes by position, read one after the other.

use super::ReadAt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Deref;

/// A place in bytes that are read by position: borrowed ones, or shared.
pub(crate) struct Row<F> {
    file: F,
    at: u64,
}

impl<F> Row<F> {
    /// At the beginning of `file`.
    pub(crate) fn new(file: F) -> Self {
        Row { file, at: 0 }
    }
}

impl<F: Deref<Target: ReadAt>> Read for Row<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.file.size().saturating_sub(self.at);
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        self.file.read_exact_at(&mut buf[..take], self.at)?;
        self.at += take as u64;
        Ok(take)
    }
}

impl<F: Deref<Target: ReadAt>> Seek for Row<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.size().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Reads until `buffer` is full or the bytes end; says how many there were.
///
/// # Errors
/// Those of reading.
pub(crate) fn fill(bytes: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut full = 0;
    while full < buffer.len() {
        match bytes.read(&mut buffer[full..]) {
            Ok(0) => break,
            Ok(read) => full += read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(full)
}
