//! A disk whose packed units are unpacked before anybody takes them over: what is damaged does not travel unseen.

use crate::error::Result;
use crate::extent::Extent;
use crate::image::{Image, Packing};
use crate::io::FileId;
use std::cell::RefCell;

thread_local! {
    /// A unit, unpacked to see whether it can be.
    static UNIT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An image, every packed unit of which was seen to unpack when it is given away.
pub struct Checked<'a>(pub &'a dyn Image);

impl Image for Checked<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        self.0.extent_at(offset)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_exact_at(buf, offset)
    }

    fn packing(&self) -> Option<Packing> {
        self.0.packing()
    }

    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        let Some(packing) = self.0.packing() else { return Ok(false) };
        if !self.0.read_packed(offset, out)? {
            return Ok(false);
        }
        let len = packing.unit.min(self.0.size() - offset) as usize;
        UNIT.with_borrow_mut(|unit| {
            unit.resize(len, 0);
            self.0.read_exact_at(unit, offset)
        })?;
        Ok(true)
    }

    fn files(&self) -> Vec<FileId> {
        self.0.files()
    }
}
