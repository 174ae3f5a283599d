//! Where slabs come from: an image, read by position, or a stream, read by a thread of its own.

use super::plan::{Cut, Plan, Slab};
use crate::error::{Error, Result};
use crate::image::{Image, Packing};
use crate::io::FileId;
use crate::observer::Observer;
use crate::stream::{DiskStream, Stretch};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Stretches that are read ahead of the workers: what a pipe's writer is late by now and then.
const AHEAD: usize = 2;

/// How long the next stretch is waited for before what is done already is looked after.
const MOMENT: Duration = Duration::from_millis(10);

/// A disk that is to be read once.
pub enum Disk<'a> {
    /// By position.
    Image(&'a dyn Image),
    /// From front to back.
    Stream(&'a mut (dyn DiskStream + 'static)),
}

/// A slab to be worked on.
pub(super) struct Job<'a> {
    pub(super) slab: Slab<2>,
    image: Shown<'a>,
}

enum Shown<'a> {
    /// All of the disk.
    Whole(&'a dyn Image),
    /// What came out of a stream for this slab.
    Stretch(Box<dyn Image>),
}

impl Job<'_> {
    /// The disk, or the slab of it.
    pub(super) fn image(&self) -> &dyn Image {
        match &self.image {
            Shown::Whole(image) => *image,
            Shown::Stretch(image) => image.as_ref(),
        }
    }
}

impl<'a> From<Stretch> for Job<'a> {
    fn from(Stretch { offset, len, data, image }: Stretch) -> Self {
        Job { slab: Slab { offset, len, data: [data, Vec::new()] }, image: Shown::Stretch(image) }
    }
}

/// The slabs of a disk, in order; none where there is none yet.
pub(super) type Jobs<'j, 'a> = dyn Iterator<Item = Result<Option<Job<'a>>>> + 'j;

impl<'a> Disk<'a> {
    /// Its size in bytes, where it is known yet.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Disk::Image(image) => Some(image.size()),
            Disk::Stream(stream) => stream.size(),
        }
    }

    /// Bytes that it holds besides its slabs: what is compressed may refer to 128 MiB before.
    pub(super) fn holds(&self) -> u64 {
        match self {
            Disk::Image(_) => 0,
            Disk::Stream(_) => 64 << 20,
        }
    }

    /// The files that hold its bytes.
    pub(crate) fn files(&self) -> Vec<FileId> {
        match self {
            Disk::Image(image) => image.files(),
            Disk::Stream(stream) => stream.files(),
        }
    }

    /// How its packed units are made.
    pub(super) fn packing(&self) -> Option<Packing> {
        match self {
            Disk::Image(image) => image.packing(),
            Disk::Stream(stream) => stream.packing(),
        }
    }

    /// Gives `work` the slabs, `cut` so, in which it or `base` holds data; returns the disk's size.
    ///
    /// # Errors
    /// Those of `work`, which passes on those of its jobs; `Usage` for a stream over a base.
    pub(super) fn feed(
        self,
        base: Option<&'a dyn Image>,
        cut: Cut,
        observer: &dyn Observer,
        work: impl FnOnce(&mut Jobs<'_, '_>) -> Result<()>,
    ) -> Result<u64> {
        match self {
            Disk::Image(image) => {
                let plan = Plan::new([image, base.unwrap_or(&crate::layers::Zeros(0))], image.size(), cut, observer);
                work(&mut plan.map(|slab| Ok(Some(Job { slab: slab?, image: Shown::Whole(image) }))))?;
                Ok(image.size())
            }
            Disk::Stream(_) if base.is_some() => {
                Err(Error::usage("what comes out of a stream cannot be compared with an image beneath it")
                    .with_hint("--spool DIR copies the stream into a file there first"))
            }
            Disk::Stream(stream) => {
                let stream = Mutex::new(stream);
                read_ahead(&stream, cut.slab, observer, work)?;
                let size = lock(&stream).size();
                size.ok_or_else(|| Error::corrupt("the stream ended without telling how large the disk is"))
            }
        }
    }
}

/// A stream between the thread that reads it and the one that wants its size.
type Shared<'a> = Mutex<&'a mut (dyn DiskStream + 'static)>;

fn lock<'m, 'a>(stream: &'m Shared<'a>) -> MutexGuard<'m, &'a mut (dyn DiskStream + 'static)> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives `work` what a thread reads from `stream` meanwhile, so that inflating and waiting for a pipe keep nobody else from work.
fn read_ahead(
    stream: &Shared<'_>,
    slab: usize,
    observer: &dyn Observer,
    work: impl FnOnce(&mut Jobs<'_, '_>) -> Result<()>,
) -> Result<()> {
    let stop = AtomicBool::new(false);
    let watched = Stoppable { observer, stop: &stop };
    let (watched, stop) = (&watched, &stop);
    std::thread::scope(|scope| {
        let (stretches, received) = sync_channel(AHEAD);
        let reader = std::thread::Builder::new().name("vimage-read".into());
        match reader.spawn_scoped(scope, move || read_all(stream, slab, watched, &stretches)) {
            Ok(_) => {
                // Dropped when the work ends, whatever way: then the reader ends too.
                let received = Received { received: Some(received), stop };
                work(&mut std::iter::from_fn(|| received.next()).fuse())
            }
            // Where there are no threads to be had, this one reads.
            Err(_) => work(&mut std::iter::from_fn(|| next(stream, slab, observer)).fuse()),
        }
    })
}

fn next<'a>(stream: &Shared<'_>, slab: usize, observer: &dyn Observer) -> Option<Result<Option<Job<'a>>>> {
    let stretch = lock(stream).next(slab, observer).transpose()?;
    Some(stretch.map(|stretch| Some(Job::from(stretch))))
}

fn read_all(stream: &Shared<'_>, slab: usize, observer: &dyn Observer, stretches: &SyncSender<Result<Stretch>>) {
    loop {
        let Some(stretch) = lock(stream).next(slab, observer).transpose() else { return };
        let failed = stretch.is_err();
        if stretches.send(stretch).is_err() || failed {
            return;
        }
    }
}

/// What a reading thread gives.
struct Received<'a> {
    received: Option<Receiver<Result<Stretch>>>,
    stop: &'a AtomicBool,
}

impl Received<'_> {
    fn next<'a>(&self) -> Option<Result<Option<Job<'a>>>> {
        match self.received.as_ref()?.recv_timeout(MOMENT) {
            Ok(stretch) => Some(stretch.map(|stretch| Some(Job::from(stretch)))),
            Err(RecvTimeoutError::Timeout) => Some(Ok(None)),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.received = None;
    }
}

/// Watches the reading thread: it stops when nobody wants more.
struct Stoppable<'a> {
    observer: &'a dyn Observer,
    stop: &'a AtomicBool,
}

impl Observer for Stoppable<'_> {
    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.observer.cancelled()
    }
}
