//! Writing a 7z archive: each file its own LZMA2 stream, packed on several threads.
//!
//! Files are packed in chunks of a fixed length that know nothing of each other, so the bytes do not depend on the number of
//! threads. Dictionary, chunk and threads are chosen for memory: packing takes less than 250 MiB on any machine.

use super::fault;
use crate::error::{Error, Result};
use crate::io::volumes::Volumes;
use crate::io::{FileReader, Outputs, ReadAt};
use crate::observer::{Observer, Phase};
use sevenz_rust2::encoder_options::{EncoderOptions, Lzma2Options};
use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderConfiguration, EncoderMethod};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// LZMA's level: what 7-Zip takes by default.
const LEVEL: u32 = 5;

/// Bytes of the dictionary.
const DICTIONARY: u32 = 4 << 20;

/// Bytes that are packed by themselves.
const CHUNK: u64 = 8 << 20;

/// More threads would take more memory than is worth it.
const MOST_THREADS: usize = 3;

/// Bytes that are read at once.
const READ: usize = 1 << 18;

/// The attributes of a regular file that its owner may write and everybody read, in Unix's words (`S_IFREG | 0644`) in the upper
/// half, and the bit that says so.
const ATTRIBUTES: u32 = (0o100_644 << 16) | 0x8000;

/// A file to be put into an archive.
pub struct Entry {
    /// Its name there.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its bytes.
    pub bytes: Box<dyn Read + Send>,
}

impl Entry {
    /// The file at `path`, under the name `name`.
    ///
    /// # Errors
    /// `Io` when it cannot be opened; `Unsupported` when it is no file.
    pub fn file(name: impl Into<String>, path: &Path) -> Result<Self> {
        let size = FileReader::open(path)?.size();
        let file = File::open(path).map_err(|cause| Error::io("cannot open", cause).at_path(path))?;
        Ok(Entry { name: name.into(), size, bytes: Box::new(file) })
    }

    /// The bytes `bytes`, under the name `name`.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Entry { name: name.into(), size: bytes.len() as u64, bytes: Box::new(io::Cursor::new(bytes)) }
    }
}

/// Writes a 7z archive of `entries`, in their order, to `path`, or with `split` to volumes of that many bytes, `path.001` and on. No
/// times are written. Up to `threads` threads pack, and at least two; the bytes are the same with any number. Returns the
/// archive's length.
///
/// # Errors
/// `Io`, `Exists` and `Refused` as [`Outputs::create`] has them; `Usage` where an entry is not as long as it says, or there are too
/// many volumes; `Cancelled`.
pub fn write_7z(
    entries: Vec<Entry>,
    path: &Path,
    split: Option<u64>,
    threads: usize,
    outputs: &Outputs,
    observer: &dyn Observer,
) -> Result<u64> {
    observer.begin(Phase::Work, Some(entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.size))));
    let mut sink = Sink { volumes: Volumes::new(outputs, path, split)?, at: 0, fault: None };
    let mut fault_of_entry = None;
    let written = (|| {
        let mut archive = ArchiveWriter::new(&mut sink)?;
        archive.set_content_methods(vec![method(threads)]);
        let mut done = 0;
        for entry in entries {
            let (header, size) = (header(&entry), entry.size);
            let mut bytes = Bytes::new(entry, done, observer);
            // What is empty has no stream: that is how it is told from a folder.
            let pushed = archive.push_archive_entry(header, (size > 0).then_some(&mut bytes)).map(drop);
            fault_of_entry = bytes.fault(pushed.is_ok());
            pushed?;
            if fault_of_entry.is_some() {
                return Ok(());
            }
            done += size;
        }
        archive.finish().map(drop).map_err(Into::into)
    })();
    let Sink { volumes, fault: fault_of_output, .. } = sink;
    if let Some(error) = fault_of_entry.or(fault_of_output) {
        return Err(error);
    }
    written.map_err(|error| fault(error).at_path(path))?;
    let length = volumes.length();
    volumes.finish()?;
    Ok(length)
}

fn header(entry: &Entry) -> ArchiveEntry {
    ArchiveEntry { has_windows_attributes: true, windows_attributes: ATTRIBUTES, ..ArchiveEntry::new_file(&entry.name) }
}

fn method(threads: usize) -> EncoderConfiguration {
    // With one thread the crate cuts nothing into chunks, and the bytes would be others.
    let threads = threads.clamp(2, MOST_THREADS) as u32;
    let mut options = Lzma2Options::from_level_mt(LEVEL, threads, CHUNK);
    options.set_dictionary_size(DICTIONARY);
    EncoderConfiguration::new(EncoderMethod::LZMA2).with_options(EncoderOptions::Lzma2(options))
}

/// An entry being read. Keeps the fault that an `io::Error` cannot carry.
struct Bytes<'a> {
    name: String,
    left: u64,
    source: BufReader<Box<dyn Read + Send>>,
    /// Bytes of all entries that were read.
    done: u64,
    observer: &'a dyn Observer,
    fault: Option<Error>,
}

impl<'a> Bytes<'a> {
    fn new(entry: Entry, done: u64, observer: &'a dyn Observer) -> Self {
        let source = BufReader::with_capacity(READ, entry.bytes);
        Bytes { name: entry.name, left: entry.size, source, done, observer, fault: None }
    }

    /// What went wrong with it, if something did; with `ended`, all of its bytes were asked for.
    fn fault(self, ended: bool) -> Option<Error> {
        let short = || {
            Error::usage(format!("{} ends {} bytes before the length that was given for it", self.name, self.left))
                .with_hint("it was changed meanwhile")
        };
        self.fault.or_else(|| (ended && self.left > 0).then(short))
    }

    fn fail(&mut self, error: Error) -> io::Error {
        self.fault = Some(error);
        io::Error::other("an entry cannot be read")
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.observer.cancelled() {
            return Err(self.fail(Error::cancelled()));
        }
        let read = self.source.read(buf);
        let read = read.map_err(|cause| {
            let error = Error::io(format!("cannot read {}", self.name), cause);
            self.fail(error)
        })?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            let error = Error::usage(format!("{} is longer than was given for it", self.name));
            return Err(self.fail(error.with_hint("it was changed meanwhile")));
        };
        self.left = left;
        self.done += read as u64;
        self.observer.reached(self.done);
        Ok(read)
    }
}

/// Where the archive goes, as the crate wants it: it leaves room for the first 32 bytes, and comes back for them at the end.
struct Sink {
    volumes: Volumes,
    at: u64,
    fault: Option<Error>,
}

impl Sink {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        static ZEROS: [u8; 512] = [0; 512];
        while self.at > self.volumes.length() {
            let gap = (self.at - self.volumes.length()).min(ZEROS.len() as u64);
            self.volumes.append(&ZEROS[..gap as usize])?;
        }
        match self.at == self.volumes.length() {
            true => self.volumes.append(bytes),
            false => self.volumes.patch(bytes, self.at),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.put(buf).map_err(|error| {
            self.fault = Some(error);
            io::Error::other("the archive cannot be written")
        })?;
        self.at += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?,
            SeekFrom::End(by) => self.volumes.length().checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?,
        };
        Ok(self.at)
    }
}
