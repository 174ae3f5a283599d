//! A disk that holds only what differs, over the one beneath it.

use crate::error::Result;
use crate::extent::{Content, Extent, clip};
use crate::image::{Image, Packing};

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
        let mut extent = self.base.extent_at(offset)?.clipped(&(offset..top.range.end.min(base)));
        extent.depth += 1;
        Ok(extent)
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

    /// That of the topmost that has one; units of another in the layer below are not taken.
    fn packing(&self) -> Option<Packing> {
        self.top.packing().or_else(|| self.base.packing())
    }

    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        let packing = self.packing();
        match self.top.extent_at(offset)?.content {
            Content::Hole if offset < self.base.size() && self.base.packing() == packing => {
                // A unit of the base may be hidden in part by the top, or be cut by the base's end.
                let end = offset.saturating_add(packing.map_or(0, |packing| packing.unit)).min(self.size());
                let whole = end <= self.base.size() && self.clear_until(offset, end)?;
                Ok(whole && self.base.read_packed(offset, out)?)
            }
            Content::Packed if self.top.packing() == packing => self.top.read_packed(offset, out),
            _ => Ok(false),
        }
    }
}

impl Overlay {
    /// Whether the top holds nothing from `from` to `to`.
    fn clear_until(&self, from: u64, to: u64) -> Result<bool> {
        let mut at = from;
        while at < to {
            let extent = self.top.extent_at(at)?;
            if extent.content != Content::Hole {
                return Ok(false);
            }
            at = extent.range.end;
        }
        Ok(true)
    }
}
