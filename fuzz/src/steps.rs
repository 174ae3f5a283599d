//! How much is done for an input, counted: unlike a time, the same on every machine.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use vimage_core::Observer;
use vimage_core::io::{Memory, ReadAt};

/// Bytes in memory of which the reading is counted.
pub struct Counted {
    bytes: Memory,
    reads: AtomicU64,
    read: AtomicU64,
}

impl Counted {
    /// Those of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Counted { bytes: Memory(bytes.to_vec()), reads: AtomicU64::new(0), read: AtomicU64::new(0) }
    }

    /// Checks that they were read a bounded number of times over since the last time.
    ///
    /// # Panics
    /// Where they were read more often.
    pub fn assert_bounded(&self, what: &str) {
        let (reads, read) = (self.reads.swap(0, Ordering::Relaxed), self.read.swap(0, Ordering::Relaxed));
        let size = self.bytes.size();
        assert!(reads <= size + 10_000, "{what} reads {reads} times of {size} bytes");
        assert!(read <= 64 * size + (64 << 20), "{what} reads {read} bytes of {size}");
    }
}

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.bytes.read_exact_at(buf, offset)
    }
}

/// Stops what it watches at the question of that number.
pub struct Patience(AtomicU64);

impl Patience {
    /// With so many questions.
    pub fn of(questions: u64) -> Self {
        Patience(AtomicU64::new(questions))
    }
}

impl Observer for Patience {
    fn cancelled(&self) -> bool {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.is_err()
    }
}
