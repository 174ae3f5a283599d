//! A disk of which some bytes do not matter: they read as zero, or as what lies beneath.

use crate::error::Result;
use crate::extent::{Content, Extent, clip};
use crate::image::{Image, Packing};
use crate::io::FileId;
use crate::ranges::Ranges;

/// An image in which the ranges of a mask read as zero.
pub struct Masked<'a> {
    image: &'a dyn Image,
    mask: &'a Ranges,
    beneath: Option<&'a dyn Image>,
}

impl<'a> Masked<'a> {
    /// `image` without what is in `mask`.
    pub fn new(image: &'a dyn Image, mask: &'a Ranges) -> Self {
        Masked { image, mask, beneath: None }
    }

    /// The masked ranges read as `base`, over which the image is to be written: what is the same there need not be.
    #[must_use]
    pub fn over(mut self, base: Option<&'a dyn Image>) -> Self {
        self.beneath = base;
        self
    }

    /// The image beneath, if it reaches behind `offset`.
    fn beneath(&self, offset: u64) -> Option<&'a dyn Image> {
        self.beneath.filter(|base| offset < base.size())
    }
}

impl Image for Masked<'_> {
    fn size(&self) -> u64 {
        self.image.size()
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let (range, masked) = self.mask.around(offset);
        match (masked, self.beneath(offset)) {
            (true, Some(base)) => {
                Ok(base.extent_at(offset)?.clipped(&clip(&range, &(0..base.size().min(self.size())))))
            }
            (true, None) => Ok(Extent::new(clip(&range, &(offset..self.size())), Content::Zero)),
            (false, _) => Ok(self.image.extent_at(offset)?.clipped(&range)),
        }
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let bounds = offset..offset + buf.len() as u64;
        let place = |at: u64| (at - offset) as usize;
        let mut at = offset;
        for hole in self.mask.within(bounds.clone()) {
            if at < hole.start {
                self.image.read_exact_at(&mut buf[place(at)..place(hole.start)], at)?;
            }
            let held = self.beneath(hole.start).map_or(hole.start, |base| base.size().min(hole.end));
            if let Some(base) = self.beneath(hole.start) {
                base.read_exact_at(&mut buf[place(hole.start)..place(held)], hole.start)?;
            }
            buf[place(held)..place(hole.end)].fill(0);
            at = hole.end;
        }
        if at < bounds.end {
            self.image.read_exact_at(&mut buf[place(at)..], at)?;
        }
        Ok(())
    }

    fn packing(&self) -> Option<Packing> {
        self.image.packing()
    }

    /// A unit of which some is masked is not what it was.
    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        let unit = self.packing().map_or(0, |packing| packing.unit);
        let whole = self.mask.within(offset..offset.saturating_add(unit)).next().is_none();
        Ok(whole && self.image.read_packed(offset, out)?)
    }

    /// Content that was masked is another.
    fn files(&self) -> Vec<FileId> {
        self.image.files()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::Extents;
    use crate::io::Memory;
    use crate::layers::Flat;
    use std::sync::Arc;

    #[test]
    fn masked_bytes_are_zero_and_the_rest_is_as_it_was() {
        let bytes: Vec<u8> = (1..=100).collect();
        let image = Flat::whole(Arc::new(Memory(bytes.clone())), "m".into());
        let mask = [0..3, 10..20, 90..200].into_iter().collect();
        let masked = Masked::new(&image, &mask);
        let expected: Vec<u8> =
            (0..100).map(|at| if at < 3 || (10..20).contains(&at) || at >= 90 { 0 } else { bytes[at] }).collect();
        for start in 0..100 {
            for end in start..=100 {
                let mut read = vec![0xEE; end - start];
                masked.read_exact_at(&mut read, start as u64).unwrap();
                assert_eq!(read, expected[start..end]);
            }
        }
        let base = Flat::whole(Arc::new(Memory(vec![0xBB; 95])), "b".into());
        let over = Masked::new(&image, &mask).over(Some(&base));
        let mut read = vec![0; 100];
        over.read_exact_at(&mut read, 0).unwrap();
        let from_base = |at: usize| if at < 95 { 0xBB } else { 0 };
        let beneath = (0..100).map(|at| if expected[at] == 0 { from_base(at) } else { bytes[at] });
        assert_eq!(read, beneath.collect::<Vec<_>>());
        let end = Extents::of(&over).last().unwrap().unwrap();
        assert_eq!((end.range, end.content), (95..100, Content::Zero));
        let zeros: Vec<_> = Extents::of(&masked).map(|extent| extent.unwrap()).collect();
        let zeros: Vec<_> = zeros.iter().map(|extent| (extent.range.clone(), extent.content.is_data())).collect();
        assert_eq!(zeros, [(0..3, false), (3..10, true), (10..20, false), (20..90, true), (90..100, false)]);
    }
}
