//! Bytes in memory, read like a file: for tests, fuzzing and embedded metadata.

use super::ReadAt;
use std::io;

/// Bytes in memory.
#[derive(Debug, Clone)]
pub struct Memory(pub Vec<u8>);

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|from| self.0.get(from..from.checked_add(buf.len())?));
        buf.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
