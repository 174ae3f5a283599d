//! A file of a run: under its temporary name, or no file at all.

use super::{BEHIND_FROM, Outputs, Published};
use crate::error::{Error, Result};
use crate::io::behind::Behind;
use crate::io::digesting::Digesting;
use crate::io::part::{SharedPart, lock};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file being made, under its temporary name. Errors name the final one.
pub struct OutputFile {
    pub(super) to: Destination,
    pub(super) path: PathBuf,
    /// The digests that are made of it on the way, and who takes them; not any more once it was not written from front to back.
    pub(super) digesting: Option<(Digesting, Outputs)>,
}

/// Where the bytes go.
pub(super) enum Destination {
    /// Into a file.
    File {
        file: Arc<File>,
        flush: bool,
        /// How long it is, or was set to be.
        length: u64,
        /// Bytes written so far.
        written: u64,
        behind: Option<Behind>,
    },
    /// Nowhere: they are counted.
    Count { run: Outputs, written: u64, end: Cell<u64> },
    /// Into something else.
    Part(SharedPart),
}

impl OutputFile {
    /// The name that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `bytes` at byte `offset`.
    ///
    /// # Errors
    /// `Io`, for instance when the disk is full.
    pub fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.digesting.take_if(|(digesting, _)| !digesting.write(bytes, offset));
        match &mut self.to {
            Destination::Count { written, end, .. } => {
                *written += bytes.len() as u64;
                end.set(end.get().max(offset.saturating_add(bytes.len() as u64)));
            }
            Destination::Part(part) => {
                lock(part).write_all_at(bytes, offset).map_err(|error| error.at_path(&self.path))?;
            }
            Destination::File { file, flush, length, written, behind } => {
                if *flush && *written < BEHIND_FROM && *written + bytes.len() as u64 >= BEHIND_FROM {
                    // Without threads or memory to be had, all is flushed at the end.
                    *behind = Behind::start(Arc::clone(file)).ok();
                }
                *written += bytes.len() as u64;
                *length = (*length).max(offset.saturating_add(bytes.len() as u64));
                let outcome = match behind {
                    Some(behind) => behind.write(bytes, offset),
                    None => file.write_all_at(bytes, offset).map_err(|cause| (offset, cause)),
                };
                outcome.map_err(|(offset, cause)| self.cannot_write(cause, offset))?;
            }
        }
        Ok(())
    }

    /// Makes it `size` bytes long; what was not written reads as zero and takes no storage.
    ///
    /// # Errors
    /// `Io`, for instance when the file system holds no file of that length.
    pub fn set_len(&mut self, size: u64) -> Result<()> {
        self.digesting.take_if(|(digesting, _)| !digesting.zeros_to(size));
        match &mut self.to {
            Destination::Count { end, .. } => end.set(size),
            Destination::Part(part) => lock(part).set_len(size).map_err(|error| error.at_path(&self.path))?,
            Destination::File { file, length, behind, .. } => {
                *length = size;
                let drained = behind.as_mut().map_or(Ok(()), Behind::drain);
                let outcome = drained.and_then(|()| file.set_len(size).map_err(|cause| (size, cause)));
                outcome.map_err(|(offset, cause)| self.cannot_write(cause, offset))?;
            }
        }
        Ok(())
    }

    /// Puts on the disk what is written, unless that is [left to the system](Outputs::unflushed). Only then is the file
    /// fit to be [published](Outputs::publish).
    ///
    /// # Errors
    /// `Io` when a write failed on its way to the disk.
    pub fn finish(mut self) -> Result<()> {
        if let Destination::File { length, behind: Some(_), .. } = self.to {
            // It was made longer ahead of what was written.
            self.set_len(length)?;
        }
        if let Some((digesting, run)) = self.digesting.take()
            && let Some(digests) = digesting.finish()
        {
            run.state().digested.push((self.path.clone(), digests));
        }
        match self.to {
            Destination::Count { run, written, end } => {
                let file = Published { path: self.path, size: end.get(), allocated: written };
                run.state().measured.get_or_insert_default().push(file);
                Ok(())
            }
            Destination::Part(part) => lock(&part).finish().map_err(|error| error.at_path(&self.path)),
            Destination::File { flush: false, .. } => Ok(()),
            Destination::File { file, .. } => {
                file.sync_all().map_err(|cause| Error::io("cannot flush to the disk", cause).at_path(&self.path))
            }
        }
    }

    fn cannot_write(&self, cause: io::Error, offset: u64) -> Error {
        let error = Error::io("cannot write", cause).at_path(&self.path).at_offset(offset);
        match std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
        {
            Some(io::ErrorKind::StorageFull) => error.with_hint("free space, or write to another disk"),
            Some(io::ErrorKind::FileTooLarge) => {
                error.with_hint("this file system holds no files of that length; --split keeps each one short enough")
            }
            _ => error,
        }
    }
}
