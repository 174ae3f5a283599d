//! A stretch of a file, byte for byte, as a disk: a raw image, a flat extent.

use crate::error::{Error, Result};
use crate::extent::{Content, Extent};
use crate::image::Image;
use crate::io::{ReadAt, Stored};
use std::path::PathBuf;
use std::sync::Arc;

/// `size` bytes of `file` from byte `start` on.
pub struct Flat {
    file: Arc<dyn ReadAt>,
    path: PathBuf,
    start: u64,
    size: u64,
}

impl Flat {
    /// The stretch of `size` bytes from `start` on.
    ///
    /// # Errors
    /// `Corrupt` when the file ends before it does.
    pub fn new(file: Arc<dyn ReadAt>, path: PathBuf, start: u64, size: u64) -> Result<Self> {
        let there = file.size();
        match start.checked_add(size) {
            Some(end) if end <= there => Ok(Flat { file, path, start, size }),
            _ => Err(Error::corrupt(format!(
                "is too short: {size} bytes from byte {start} on are wanted, it has {there}"
            ))
            .at_path(path)
            .with_hint("it was cut off in copying, or belongs to another disk")),
        }
    }

    /// All of `file`.
    pub fn whole(file: Arc<dyn ReadAt>, path: PathBuf) -> Self {
        Flat { size: file.size(), file, path, start: 0 }
    }
}

impl Image for Flat {
    fn size(&self) -> u64 {
        self.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let at = self.start + offset;
        let stored = self.file.stored_at(at);
        let (stored, end) = stored.map_err(|cause| Error::io("cannot map", cause).at_path(&self.path).at_offset(at))?;
        let content = match stored {
            Stored::Data => Content::Data,
            // Every byte of a flat file is the disk's: a hole in it is a zero, not an absence.
            Stored::Hole => Content::Zero,
        };
        Ok(Extent::new(offset..(end - self.start).min(self.size), content).stored_at(at))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let at = self.start + offset;
        let read = self.file.read_exact_at(buf, at);
        read.map_err(|cause| Error::io("cannot read", cause).at_path(&self.path).at_offset(at))
    }
}
