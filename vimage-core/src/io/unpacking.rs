//! What is compressed and comes once, unpacked on the way.
//!
//! A decoder asks for bytes in its own way and cannot be told when to give up. So where bytes are waited for, it has a thread of its
//! own: who reads waits for that thread, and can leave it.

use super::compression::Compression;
use super::incoming::{Incoming, Stop, stopped};
use super::row::fill;
use crate::error::{Error, Result};
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How long the thread is waited for between two questions whether to go on.
const WAIT: Duration = Duration::from_millis(100);

/// Bytes that the thread gives at a time.
const PIECE: usize = 256 << 10;

/// Pieces that it is ahead.
const AHEAD: usize = 2;

/// Bytes read at a time of what is compressed.
const STEP: usize = 64 << 10;

/// What `packed` unpacks to.
pub(super) fn reader(packed: Incoming, compression: Compression) -> Result<Box<dyn Read + Send>> {
    compression.reader(BufReader::with_capacity(STEP, Packed { packed, stop: Arc::default() }))
}

/// A thread that unpacks.
pub(super) struct Unpacking {
    /// Pieces; an empty one ends them.
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    from: usize,
    ended: bool,
    stop: Arc<AtomicBool>,
}

impl Unpacking {
    pub(super) fn start(packed: Incoming, compression: Compression) -> Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let source = BufReader::with_capacity(STEP, Packed { packed, stop: Arc::clone(&stop) });
        let (sender, pieces) = sync_channel(AHEAD);
        let mut reader = compression.reader(source)?;
        let thread = std::thread::Builder::new().name("vimage-unpack".into());
        let started = thread.spawn(move || unpack(&mut reader, &sender));
        started.map_err(|cause| Error::io("cannot start a thread to unpack with", cause))?;
        Ok(Unpacking { pieces, piece: Vec::new(), from: 0, ended: false, stop })
    }

    /// Some bytes, none at their end; nothing where it was stopped.
    pub(super) fn read(&mut self, buf: &mut [u8], stop: Stop<'_>) -> io::Result<Option<usize>> {
        while self.from == self.piece.len() && !self.ended {
            match self.pieces.recv_timeout(WAIT) {
                Ok(Ok(piece)) => {
                    self.ended = piece.is_empty();
                    (self.piece, self.from) = (piece, 0);
                }
                Ok(Err(cause)) => return Err(cause),
                Err(RecvTimeoutError::Timeout) if stop() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                // Whatever ended it before its bytes did: they are not whole.
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let take = buf.len().min(self.piece.len() - self.from);
        buf[..take].copy_from_slice(&self.piece[self.from..][..take]);
        self.from += take;
        Ok(Some(take))
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn unpack(reader: &mut dyn Read, pieces: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let filled = fill(reader, &mut piece);
        let ended = !matches!(filled, Ok(1..));
        let piece = filled.map(|len| {
            piece.truncate(len);
            piece
        });
        if pieces.send(piece).is_err() || ended {
            return;
        }
    }
}

/// What is compressed, as decoders read it.
struct Packed {
    packed: Incoming,
    stop: Arc<AtomicBool>,
}

impl Read for Packed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let stop = || self.stop.load(Ordering::Relaxed);
        self.packed.read_some(buf, &stop)?.ok_or_else(stopped)
    }
}
