//! The read side of a disk that comes once, from front to back: out of a pipe, or out of a compressed file.

use crate::error::Result;
use crate::image::{Image, Packing};
use crate::io::FileId;
use crate::observer::Observer;
use std::ops::Range;

/// A disk whose bytes come once, in order.
///
/// What it gives is final only when [`next`](Self::next) has given nothing more: a stream that was cut short is found out at its end.
pub trait DiskStream: Send {
    /// The virtual size in bytes, where it is known: at the latest when `next` has given nothing more.
    fn size(&self) -> Option<u64>;

    /// Finds out the virtual size where an output has to say it before the disk comes, if there is a way: by the first frame of what is
    /// compressed, or by unpacking a compressed file once more than it is read. From then on it is the disk's size, and
    /// [`next`](Self::next) fails where there is less or more. Before the first stretch.
    ///
    /// # Errors
    /// `Corrupt` and `Io` when it cannot be read; `Cancelled`.
    fn find_size(&mut self, observer: &dyn Observer) -> Result<Option<u64>> {
        let _ = observer;
        Ok(self.size())
    }

    /// How its packed units are made, where it has units that an image could take over as they are.
    fn packing(&self) -> Option<Packing> {
        None
    }

    /// The next stretch of the disk that may hold data: of `slab` bytes (a power of two), at a multiple of that, shorter only at the
    /// end of the disk. What lies between two stretches is zero. None when the disk has ended and all that has to come behind it was
    /// there.
    ///
    /// Where it waits for more bytes, `observer` is asked now and then whether to go on.
    ///
    /// # Errors
    /// `Corrupt` when it contradicts itself or was cut short; `Unsupported` when it has to be read by position; `Io`; `Cancelled`.
    fn next(&mut self, slab: usize, observer: &dyn Observer) -> Result<Option<Stretch>>;

    /// The files that it comes from, as far as it comes from files.
    fn files(&self) -> Vec<FileId> {
        Vec::new()
    }
}

/// A stretch of a disk that came out of a stream.
pub struct Stretch {
    /// The byte of the disk at which it starts.
    pub offset: u64,
    /// Its bytes.
    pub len: usize,
    /// The ranges within it, as offsets from its start, that may hold anything but zeros. Ascending, not empty.
    pub data: Vec<Range<usize>>,
    /// The bytes, at their places on the disk: only those of `data` are ever asked for.
    pub image: Box<dyn Image>,
}
