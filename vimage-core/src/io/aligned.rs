//! Bytes in memory that begin where a page does.
//!
//! The system copies a page of its cache into a buffer that begins 16 bytes behind a line of the processor's cache, as long buffers from
//! the allocator do, at little more than half the speed (4 GiB of zeros were found in 0.31 s instead of 0.18 s); and direct reads and
//! writes take nothing else.

use std::ops::{Deref, DerefMut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What they begin at a multiple of: a page, and the largest block that disks ask for.
pub(crate) const ALIGNMENT: usize = 4096;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(4096))]
struct Page([u8; ALIGNMENT]);

/// Bytes that begin where a page does.
#[derive(Default)]
pub(crate) struct Aligned {
    pages: Vec<Page>,
    len: usize,
}

impl Aligned {
    /// So many zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut zeros = Aligned::default();
        zeros.resize(len);
        zeros
    }

    /// Makes it `len` bytes long; those that are new are whatever was there, or zero.
    pub(crate) fn resize(&mut self, len: usize) {
        let pages = len.div_ceil(ALIGNMENT);
        if self.pages.len() < pages {
            self.pages.resize(pages, Page([0; ALIGNMENT]));
        }
        self.len = len;
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.pages.as_bytes()[..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.pages.as_mut_bytes()[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_begins_at_a_page() {
        let mut bytes = Aligned::default();
        for len in [0, 1, 4095, 4096, 4097, 1 << 20, 5] {
            bytes.resize(len);
            assert_eq!(bytes.len(), len);
            assert!((bytes.as_ptr() as usize).is_multiple_of(ALIGNMENT), "{len}");
        }
        assert!(Aligned::zeros(10_000).iter().all(|&byte| byte == 0));
    }
}
