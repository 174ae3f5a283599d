//! A disk that holds only what differs, over the one beneath it.

use crate::error::Result;
use crate::extent::{Content, Extent, clip};
use crate::image::Image;

/// `top` where it holds something, `base` where it holds nothing, zero past the end of a shorter base.
///
/// The size is that of `top`.
pub struct Overlay {
    top: Box<dyn Image>,
    base: Box<dyn Image>,
}

impl Overlay {
    /// Lays `top` over `base`.
    pub fn new(top: Box<dyn Image>, base: Box<dyn Image>) -> Self {
        Overlay { top, base }
    }
}

impl Image for Overlay {
    fn size(&self) -> u64 {
        self.top.size()
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let top = self.top.extent_at(offset)?;
        if top.content != Content::Hole {
            return Ok(top);
        }
        let base = self.base.size();
        if offset >= base {
            return Ok(Extent::new(offset..top.range.end, Content::Hole));
        }
        Ok(self.base.extent_at(offset)?.clipped(&(offset..top.range.end.min(base))))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let end = offset + buf.len() as u64;
        let base = self.base.size();
        let mut at = offset;
        while at < end {
            let extent = self.top.extent_at(at)?.clipped(&(at..end));
            let stop = extent.range.end;
            let part = |from: u64, to: u64| (from - offset) as usize..(to - offset) as usize;
            if extent.content == Content::Hole {
                let held = clip(&(at..stop), &(0..base)).end.max(at);
                if at < base {
                    self.base.read_exact_at(&mut buf[part(at, held)], at)?;
                }
                buf[part(held, stop)].fill(0);
            } else {
                self.top.read_exact_at(&mut buf[part(at, stop)], at)?;
            }
            at = stop;
        }
        Ok(())
    }
}
