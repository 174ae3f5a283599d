//! A disk of zeros.

use crate::error::Result;
use crate::extent::{Content, Extent};
use crate::image::Image;

/// A disk of so many bytes, all zero.
#[derive(Debug, Clone, Copy)]
pub struct Zeros(pub u64);

impl Image for Zeros {
    fn size(&self) -> u64 {
        self.0
    }

    fn extent_at(&self, _: u64) -> Result<Extent> {
        Ok(Extent::new(0..self.0, Content::Zero))
    }

    fn read_exact_at(&self, buf: &mut [u8], _: u64) -> Result<()> {
        buf.fill(0);
        Ok(())
    }
}
