//! Standard output as what takes an image: written by a thread, so that a reader that does not read keeps nobody from being stopped.

use crate::interrupt;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, IsTerminal, Write, stdout};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vimage_core::io::{FileId, Flow, SharedFlow};
use vimage_core::{Error, Result};

/// Pieces that wait for the thread.
const WAITING: usize = 4;

/// Bytes of a piece: what is pushed is as long as a slab, or more.
const PIECE: usize = 1 << 20;

/// How long is waited between two questions whether to go on.
const MOMENT: Duration = Duration::from_millis(20);

/// Standard output, for an image.
///
/// # Errors
/// `Usage` where it is a terminal; `Io` where there is no thread for it.
pub(crate) fn pipe() -> Result<SharedFlow> {
    if stdout().is_terminal() {
        return Err(Error::usage("standard output is a terminal, and an image is nothing to read")
            .with_hint("send it somewhere: > FILE, or | PROGRAM"));
    }
    let (pieces, waiting) = sync_channel(WAITING);
    let fault = Arc::new(Mutex::new(None));
    let told = Arc::clone(&fault);
    // It is not waited for when the work fails: then the process ends.
    let thread = std::thread::Builder::new().name("vimage-pipe".into()).spawn(move || {
        if let Err(cause) = write_all(&waiting) {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
        }
    });
    let thread = thread.map_err(|cause| Error::io("cannot start a thread", cause))?;
    Ok(Arc::new(Mutex::new(Pipe { pieces: Some(pieces), fault, thread: Some(thread) })))
}

/// Checks that standard output is none of `sources`, which would be destroyed.
///
/// # Errors
/// `Refused`.
pub(crate) fn check(sources: &[FileId]) -> Result<()> {
    let file = stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let metadata = file.and_then(|file| file.metadata());
    let source = metadata.is_ok_and(|metadata| metadata.is_file() && sources.contains(&FileId::of(&metadata)));
    if source {
        return Err(Error::refused("standard output is a file of the source, which is never written to")
            .with_hint("send it somewhere else"));
    }
    Ok(())
}

/// Writes what comes to standard output, also to a pipe that does not block.
fn write_all(pieces: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut out = stdout().lock();
    for piece in pieces {
        let mut left = piece.as_slice();
        while !left.is_empty() {
            match out.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => left = &left[written..],
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(&stdout().as_fd(), PollFlags::OUT)], None);
                }
                Err(cause) => return Err(cause),
            }
        }
        out.flush()?;
    }
    Ok(())
}

struct Pipe {
    /// None when it has ended.
    pieces: Option<SyncSender<Vec<u8>>>,
    fault: Arc<Mutex<Option<io::Error>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Pipe {
    /// The fault of the thread, or that it was to be stopped.
    fn fault(&self) -> Error {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        let cause = fault.unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
        Error::io("cannot write to standard output", cause)
    }

    fn send(&self, mut piece: Vec<u8>) -> Result<()> {
        let Some(pieces) = &self.pieces else { return Err(self.fault()) };
        loop {
            if interrupt::interrupted() {
                return Err(Error::cancelled());
            }
            match pieces.try_send(piece) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(self.fault()),
                Err(TrySendError::Full(back)) => piece = back,
            }
            std::thread::sleep(MOMENT / 20);
        }
    }
}

impl Flow for Pipe {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        bytes.chunks(PIECE).try_for_each(|piece| self.send(piece.to_vec()))
    }

    fn finish(&mut self) -> Result<()> {
        self.pieces = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        while !thread.is_finished() {
            if interrupt::interrupted() {
                return Err(Error::cancelled());
            }
            std::thread::sleep(MOMENT / 20);
        }
        let failed = thread.join().is_err() || self.fault.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if failed { Err(self.fault()) } else { Ok(()) }
    }
}
