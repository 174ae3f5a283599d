//! Bytes that come once, from front to back: out of a pipe, or unpacked on the way.

use super::compression::Compression;
use super::file::FileId;
use super::unpacking::Unpacking;
use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How long a pipe is waited for between two questions whether to go on.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Bytes read at a time where fewer are wanted.
const STEP: usize = 64 << 10;

/// Asked now and then while bytes are waited for: whether to give up.
pub type Stop<'a> = &'a dyn Fn() -> bool;

/// Bytes that come once.
pub struct Incoming {
    source: Source,
    label: PathBuf,
    /// What they were compressed with.
    packed: Option<Compression>,
    files: Vec<FileId>,
    /// What was read and not taken yet: from `from` on.
    ahead: Vec<u8>,
    from: usize,
    taken: u64,
    /// The stretch that is all there is, for now.
    window: Option<Window>,
}

/// A file within the bytes: the member of an archive.
struct Window {
    start: u64,
    end: u64,
    /// What the whole is called.
    outer: PathBuf,
}

pub(super) enum Source {
    Reader(Box<dyn Read + Send>),
    /// What can be waited for.
    File(File),
    Unpacking(Unpacking),
}

impl Source {
    /// Reads some bytes, none at their end; nothing where it was stopped.
    fn read(&mut self, buf: &mut [u8], stop: Stop<'_>) -> io::Result<Option<usize>> {
        loop {
            let read = match self {
                Source::Reader(reader) => reader.read(buf),
                Source::File(file) => {
                    if !wait(file, stop)? {
                        return Ok(None);
                    }
                    file.read(buf)
                }
                Source::Unpacking(unpacking) => return unpacking.read(buf, stop),
            };
            match read {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                // Another process made the pipe one that does not block, and took what there was.
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock && matches!(self, Source::File(_)) => {}
                read => return read.map(Some),
            }
            if stop() {
                return Ok(None);
            }
        }
    }
}

/// Waits until `file` can be read; says whether it can, and not where it was stopped.
fn wait(file: &File, stop: Stop<'_>) -> io::Result<bool> {
    loop {
        let mut polled = [PollFd::new(file, PollFlags::IN)];
        match poll(&mut polled, Some(&WAIT)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(cause) => return Err(cause.into()),
        }
        if stop() {
            return Ok(false);
        }
    }
}

impl Incoming {
    /// What `reader` gives, called `label` in errors. A reader that waits cannot be stopped.
    pub fn new(reader: Box<dyn Read + Send>, label: impl Into<PathBuf>) -> Self {
        Self::of(Source::Reader(reader), label.into())
    }

    /// What comes out of `file` from where it stands: a pipe, a socket, a file. It may be one that does not block.
    pub fn of_file(file: File, label: impl Into<PathBuf>) -> Self {
        let metadata = file.metadata().ok().filter(|metadata| metadata.is_file());
        let files = metadata.iter().map(FileId::of).collect();
        Self::of(Source::File(file), label.into()).from_files(files)
    }

    fn of(source: Source, label: PathBuf) -> Self {
        let (files, ahead) = (Vec::new(), Vec::new());
        Incoming { source, label, packed: None, files, ahead, from: 0, taken: 0, window: None }
    }

    /// The same, said to come from `files`.
    #[must_use]
    pub fn from_files(self, files: Vec<FileId>) -> Self {
        Incoming { files, ..self }
    }

    /// The files that the bytes come from, as far as that is known.
    pub fn files(&self) -> &[FileId] {
        &self.files
    }

    /// What the bytes are called.
    pub fn label(&self) -> &Path {
        &self.label
    }

    /// What they were compressed with.
    pub fn packed(&self) -> Option<Compression> {
        self.packed
    }

    /// Bytes taken so far; of the present window, where there is one.
    pub fn taken(&self) -> u64 {
        self.taken - self.window.as_ref().map_or(0, |window| window.start)
    }

    /// What the bytes that are left unpack to, where they are compressed with `compression`.
    ///
    /// # Errors
    /// `Io` where there is no memory for it, or no thread.
    pub fn unpacked(self, compression: Compression) -> Result<Self> {
        let (label, files) = (self.label.clone(), self.files.clone());
        let source = match self.source {
            // It never waits, or cannot be stopped anyway.
            Source::Reader(_) => Source::Reader(super::unpacking::reader(self, compression)?),
            _ => Source::Unpacking(Unpacking::start(self, compression)?),
        };
        Ok(Incoming { packed: Some(compression), ..Self::of(source, label).from_files(files) })
    }

    /// Takes the next `size` bytes for all there is, called `label`, until [`leave`](Self::leave).
    pub(crate) fn enter(&mut self, size: u64, label: PathBuf) {
        let outer = std::mem::replace(&mut self.label, label);
        self.window = Some(Window { start: self.taken, end: self.taken.saturating_add(size), outer });
    }

    /// Ends that: what follows is seen again.
    pub(crate) fn leave(&mut self) {
        if let Some(window) = self.window.take() {
            self.label = window.outer;
        }
    }

    /// Bytes that may be taken still.
    fn left(&self) -> usize {
        let left = self.window.as_ref().map_or(u64::MAX, |window| window.end - self.taken);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// The next bytes, which stay there: `len` of them, fewer where the bytes end.
    ///
    /// # Errors
    /// `Io`; `Corrupt` where they are compressed and damaged; `Cancelled`.
    pub fn peek(&mut self, len: usize, stop: Stop<'_>) -> Result<&[u8]> {
        let len = len.min(self.left());
        self.ahead.drain(..std::mem::take(&mut self.from));
        let mut full = self.ahead.len();
        while full < len {
            self.ahead.resize(len.max(STEP), 0);
            let read = match self.source.read(&mut self.ahead[full..], stop) {
                Ok(Some(read)) => read,
                failed => {
                    self.ahead.truncate(full);
                    return Err(self.failed(failed.err()));
                }
            };
            full += read;
            self.ahead.truncate(full);
            if read == 0 {
                break;
            }
        }
        Ok(&self.ahead[..len.min(full)])
    }

    /// Fills `buf`; says how many bytes there were, fewer only where they end.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn fill(&mut self, buf: &mut [u8], stop: Stop<'_>) -> Result<usize> {
        let mut full = 0;
        while full < buf.len() {
            match self.read(&mut buf[full..], stop)? {
                0 => break,
                read => full += read,
            }
        }
        Ok(full)
    }

    /// Some bytes, at least one where they have not ended.
    fn read(&mut self, buf: &mut [u8], stop: Stop<'_>) -> Result<usize> {
        let read = self.read_some(buf, stop);
        read.and_then(|read| read.ok_or_else(stopped)).map_err(|cause| self.failed(Some(cause)))
    }

    /// The same, with faults as they come; nothing where it was stopped.
    pub(super) fn read_some(&mut self, buf: &mut [u8], stop: Stop<'_>) -> io::Result<Option<usize>> {
        let len = buf.len().min(self.left());
        let buf = &mut buf[..len];
        if self.from == self.ahead.len() {
            self.from = 0;
            self.ahead.clear();
            if len >= STEP {
                let read = self.source.read(buf, stop)?;
                self.taken += read.unwrap_or(0) as u64;
                return Ok(read);
            }
            if len > 0 {
                self.ahead.resize(STEP, 0);
                let read = self.source.read(&mut self.ahead, stop);
                self.ahead.truncate(read.as_ref().ok().copied().flatten().unwrap_or(0));
                if read?.is_none() {
                    return Ok(None);
                }
            }
        }
        let there = &self.ahead[self.from..];
        let take = there.len().min(len);
        buf[..take].copy_from_slice(&there[..take]);
        self.from += take;
        self.taken += take as u64;
        Ok(Some(take))
    }

    /// Fills `buf`, which is of `what` ("a grain").
    ///
    /// # Errors
    /// As [`peek`](Self::peek); `Corrupt` where the bytes end before.
    pub fn take(&mut self, buf: &mut [u8], what: &str, stop: Stop<'_>) -> Result<()> {
        match self.fill(buf, stop)? == buf.len() {
            true => Ok(()),
            false => Err(self.cut(what)),
        }
    }

    /// The next `len` bytes, which are of `what`. There is memory only for those that came.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_vec(&mut self, len: usize, what: &str, stop: Stop<'_>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let full = bytes.len();
            bytes.resize(len.min((2 * full).max(STEP)), 0);
            self.take(&mut bytes[full..], what, stop)?;
        }
        Ok(bytes)
    }

    /// Passes `len` bytes, which are of `what`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn skip(&mut self, mut len: u64, what: &str, stop: Stop<'_>) -> Result<()> {
        let mut passed = vec![0; STEP.min(usize::try_from(len).unwrap_or(STEP))];
        while len > 0 {
            self.go_on(stop)?;
            let piece = passed.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            self.take(&mut passed[..piece], what, stop)?;
            len -= piece as u64;
        }
        Ok(())
    }

    /// Passes all that is left; says how many bytes that were.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn drain(&mut self, stop: Stop<'_>) -> Result<u64> {
        let (mut passed, mut all) = (vec![0; STEP], 0);
        loop {
            self.go_on(stop)?;
            match self.fill(&mut passed, stop)? {
                0 => return Ok(all),
                len => all += len as u64,
            }
        }
    }

    /// Asks whether to go on: what comes fast is not waited for, and may have no end.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn go_on(&self, stop: Stop<'_>) -> Result<()> {
        if stop() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// That the bytes end here, within `what`.
    pub fn cut(&self, what: &str) -> Error {
        Error::corrupt(format!("ends within {what}: it was cut short"))
            .at_path(&self.label)
            .at_offset(self.taken())
            .with_hint("copy or download it again")
    }

    /// What a fault means; none is that it was stopped.
    fn failed(&self, cause: Option<io::Error>) -> Error {
        let Some(cause) = cause.filter(|cause| !is_stopped(cause)) else { return Error::cancelled() };
        match self.packed {
            // Where it is in what is packed, nobody can tell.
            Some(packed) => packed.fault(cause).at_path(&self.label),
            None => Error::io("cannot read", cause).at_path(&self.label).at_offset(self.taken()),
        }
    }
}

/// Made of a stop where a fault of reading is wanted.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped on request")
    }
}

impl std::error::Error for Stopped {}

pub(super) fn stopped() -> io::Error {
    io::Error::other(Stopped)
}

fn is_stopped(cause: &io::Error) -> bool {
    cause.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::io::{PipeReader, Write};
    use std::os::fd::OwnedFd;
    use std::sync::atomic::{AtomicU32, Ordering};

    const GO_ON: Stop<'static> = &|| false;

    /// Gives a byte or so at a time, with interruptions between.
    struct Drops(Vec<u8>, usize, bool);

    impl Read for Drops {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let take = self.1.min(buf.len()).min(self.0.len());
            buf[..take].copy_from_slice(&self.0[..take]);
            self.0.drain(..take);
            Ok(take)
        }
    }

    fn piped() -> (Incoming, std::io::PipeWriter) {
        let (reader, writer): (PipeReader, _) = std::io::pipe().unwrap();
        (Incoming::of_file(File::from(OwnedFd::from(reader)), "standard input"), writer)
    }

    #[test]
    fn bytes_come_in_order_however_they_are_cut() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(i) >> 5) as u8).collect();
        for chunk in [1, 7, 511, 65_536, 200_000] {
            let mut incoming = Incoming::new(Box::new(Drops(bytes.clone(), chunk, false)), "x");
            assert_eq!(incoming.peek(4096, GO_ON).unwrap(), &bytes[..4096]);
            assert_eq!(incoming.taken(), 0);
            let mut buf = [0; 100];
            incoming.take(&mut buf, "a", GO_ON).unwrap();
            assert_eq!(buf, bytes[..100]);
            assert_eq!(incoming.peek(70_000, GO_ON).unwrap(), &bytes[100..70_100]);
            incoming.skip(900, "a", GO_ON).unwrap();
            assert_eq!(incoming.take_vec(150_000, "a", GO_ON).unwrap(), &bytes[1000..151_000]);
            let mut rest = vec![0; 100_000];
            assert_eq!(incoming.fill(&mut rest, GO_ON).unwrap(), 49_000);
            assert_eq!(&rest[..49_000], &bytes[151_000..]);
            assert!(incoming.peek(1, GO_ON).unwrap().is_empty());
            let error = incoming.take(&mut buf, "a grain", GO_ON).unwrap_err();
            assert_eq!(error.to_string(), "x: ends within a grain: it was cut short (at byte 200000)");
        }
    }

    #[test]
    fn a_window_is_all_there_is() {
        let mut incoming = Incoming::new(Box::new(&b"headmembertail"[..]), "x.tar");
        incoming.skip(4, "the head", GO_ON).unwrap();
        incoming.enter(6, "x.tar:member".into());
        assert_eq!(incoming.peek(99, GO_ON).unwrap(), b"member");
        assert_eq!(incoming.taken(), 0);
        assert_eq!(incoming.take_vec(6, "it", GO_ON).unwrap(), b"member");
        let error = incoming.skip(1, "it", GO_ON).unwrap_err();
        assert_eq!(error.to_string(), "x.tar:member: ends within it: it was cut short (at byte 6)");
        incoming.leave();
        assert_eq!((incoming.taken(), incoming.drain(GO_ON).unwrap()), (10, 4));
    }

    #[test]
    fn what_waits_for_a_pipe_can_be_stopped() {
        let (mut incoming, mut writer) = piped();
        writer.write_all(b"abc").unwrap();
        let asked = AtomicU32::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) == 2;
        assert_eq!(incoming.peek(4, &stop).unwrap_err().kind(), ErrorKind::Cancelled);
        // Nothing is lost by it.
        writer.write_all(b"d").unwrap();
        drop(writer);
        assert_eq!(incoming.take_vec(4, "it", GO_ON).unwrap(), b"abcd");
    }

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut incoming = Incoming::of_file(File::from(OwnedFd::from(reader)), "x");
        let late = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(250));
            writer.write_all(&[7; 100_000]).unwrap();
        });
        assert!(incoming.take_vec(100_000, "it", GO_ON).unwrap() == [7; 100_000]);
        late.join().unwrap();
    }

    #[test]
    fn what_waits_for_a_compressed_pipe_can_be_stopped() {
        let (incoming, mut writer) = piped();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&[5; 1_000_000]).unwrap();
        let packed = encoder.finish().unwrap();
        writer.write_all(&packed[..packed.len() / 2]).unwrap();
        let mut incoming = incoming.unpacked(Compression::Gzip).unwrap();
        let asked = AtomicU32::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) == 3;
        let mut buf = vec![0; 1_000_001];
        assert_eq!(incoming.fill(&mut buf, &stop).unwrap_err().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn a_compressed_pipe_is_unpacked_and_its_faults_are_told() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&[5; 1_000_000]).unwrap();
        let packed = encoder.finish().unwrap();
        for len in [packed.len(), packed.len() - 1, packed.len() / 2] {
            let (incoming, mut writer) = piped();
            writer.write_all(&packed[..len]).unwrap();
            drop(writer);
            let mut incoming = incoming.unpacked(Compression::Gzip).unwrap();
            let unpacked = incoming.drain(GO_ON);
            match len == packed.len() {
                true => assert_eq!(unpacked.unwrap(), 1_000_000),
                false => assert_eq!(unpacked.unwrap_err().kind(), ErrorKind::Corrupt),
            }
        }
    }
}
