//! Outputs that are not files of their own: a stretch of another one, a pipe.

use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something that takes bytes by position, and may take them only from front to back.
pub trait Part: Send {
    /// Takes `bytes`, which go to byte `offset`. What is never written reads as zero.
    ///
    /// # Errors
    /// `Io`; `Unsupported` where `offset` lies before bytes that went away already.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()>;

    /// Makes it `size` bytes long.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at).
    fn set_len(&mut self, size: u64) -> Result<()>;

    /// Is told that nothing more comes.
    ///
    /// # Errors
    /// As [`write_all_at`](Self::write_all_at).
    fn finish(&mut self) -> Result<()>;
}

/// A part that its maker looks at again when it is written.
pub type SharedPart = Arc<Mutex<dyn Part>>;

/// What takes bytes one after the other, with no way back.
pub trait Flow: Send {
    /// Takes the bytes that follow those taken before.
    ///
    /// # Errors
    /// `Io`.
    fn push(&mut self, bytes: &[u8]) -> Result<()>;

    /// Is told that nothing more comes; what was taken has gone away when it returns.
    ///
    /// # Errors
    /// `Io`.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A flow that others push into, too.
pub type SharedFlow = Arc<Mutex<dyn Flow>>;

impl Flow for SharedFlow {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        lock(self).push(bytes)
    }

    fn finish(&mut self) -> Result<()> {
        lock(self).finish()
    }
}

/// Turns writes by position into a flow: gaps become zeros, and there is no way back.
pub struct InOrder<F> {
    flow: F,
    at: u64,
}

impl<F: Flow> InOrder<F> {
    /// Into `flow`.
    pub fn new(flow: F) -> Self {
        InOrder { flow, at: 0 }
    }

    /// Bytes that went into it.
    pub fn written(&self) -> u64 {
        self.at
    }

    /// What they went into.
    pub fn flow(&self) -> &F {
        &self.flow
    }

    fn zeros_to(&mut self, offset: u64) -> Result<()> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        while self.at < offset {
            let take = (offset - self.at).min(ZEROS.len() as u64);
            self.flow.push(&ZEROS[..take as usize])?;
            self.at += take;
        }
        Ok(())
    }
}

impl<F: Flow> Part for InOrder<F> {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        if offset < self.at {
            return Err(Error::unsupported(
                "this kind of image is not written from front to back, so it cannot be streamed",
            )
            .with_hint("write it to a file; raw disks and streamOptimized VMDKs can be streamed"));
        }
        self.zeros_to(offset)?;
        self.flow.push(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn set_len(&mut self, size: u64) -> Result<()> {
        if size < self.at {
            return Err(Error::unsupported("this kind of image is cut off at its end, so it cannot be streamed"));
        }
        self.zeros_to(size)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Locks a part, or whatever else is shared, also after a panic elsewhere.
pub fn lock<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(Vec<u8>);

    impl Flow for Row {
        fn push(&mut self, bytes: &[u8]) -> Result<()> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }

    #[test]
    fn gaps_are_zeros_and_there_is_no_way_back() {
        let mut part = InOrder::new(Row(Vec::new()));
        part.write_all_at(b"ab", 1).unwrap();
        part.write_all_at(b"c", 5).unwrap();
        assert!(part.write_all_at(b"x", 5).is_err());
        part.set_len(8).unwrap();
        assert!(part.set_len(7).is_err());
        assert_eq!((part.written(), part.flow().0.as_slice()), (8, &b"\0ab\0\0c\0\0"[..]));
    }
}
