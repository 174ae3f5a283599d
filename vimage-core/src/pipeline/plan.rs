//! What is to be read: the parts of a disk not known to be zero, cut into slabs.

use crate::error::Result;
use crate::extent::Extents;
use crate::image::Image;
use std::ops::Range;

/// A stretch of the disk, aligned to its own size, that one worker reads and encodes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slab {
    /// Where it starts: a multiple of the slab size.
    pub offset: u64,
    /// Its bytes: the slab size, or less at the disk's end.
    pub len: usize,
}

impl Slab {
    /// The disk's bytes that it covers.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.len as u64
    }
}

/// The slabs of a disk that hold data, in order. Takes time in proportion to the extents, not to the disk.
pub struct Plan<'a> {
    /// The data ranges of each image, and the one of them that the walk has come to.
    images: Vec<(Extents<'a>, Option<Range<u64>>)>,
    slab: u64,
    size: u64,
    at: u64,
}

impl<'a> Plan<'a> {
    /// Slabs of `slab` bytes (a power of two) of the first `size` bytes, wherever one of `images` holds data.
    pub fn new(images: &[&'a dyn Image], size: u64, slab: usize) -> Self {
        let extents = |image: &&'a dyn Image| Extents::within(*image, 0..size.min(image.size()));
        Plan { images: images.iter().map(|image| (extents(image), None)).collect(), slab: slab as u64, size, at: 0 }
    }

    /// The first byte at or after `self.at` that any image holds data for.
    fn next_data(&mut self) -> Result<Option<u64>> {
        let mut first = None;
        for (extents, range) in &mut self.images {
            while range.as_ref().is_none_or(|range| range.end <= self.at) {
                match extents.next().transpose()? {
                    Some(extent) => *range = Some(extent.range).filter(|_| extent.content.is_data()),
                    None => break,
                }
            }
            let start = range.as_ref().filter(|range| range.end > self.at).map(|range| range.start.max(self.at));
            first = first.into_iter().chain(start).min();
        }
        Ok(first)
    }
}

impl Iterator for Plan<'_> {
    type Item = Result<Slab>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.next_data() {
            Ok(first) => first?,
            Err(error) => return Some(Err(error)),
        };
        let offset = first / self.slab * self.slab;
        let end = (offset + self.slab).min(self.size);
        self.at = end;
        Some(Ok(Slab { offset, len: (end - offset) as usize }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Memory;
    use crate::layers::{Concat, Flat, Zeros};
    use std::sync::Arc;

    /// A disk of alternating zeros and data, each part so many bytes long.
    fn disk(parts: &[u64]) -> Concat {
        let data = |len: u64| Flat::whole(Arc::new(Memory(vec![1; len as usize])), "m".into());
        let part = |(index, &len): (usize, &u64)| match index % 2 {
            0 => Box::new(Zeros(len)) as Box<dyn Image>,
            _ => Box::new(data(len)),
        };
        Concat::new(parts.iter().enumerate().map(part).collect()).unwrap()
    }

    fn offsets(images: &[&dyn Image], size: u64) -> Vec<(u64, usize)> {
        Plan::new(images, size, 16).map(|slab| slab.map(|slab| (slab.offset, slab.len)).unwrap()).collect()
    }

    #[test]
    fn only_slabs_with_data_aligned_and_clipped() {
        assert_eq!(offsets(&[&disk(&[40, 2, 5, 1, 1000, 17])], 1065), [(32, 16), (1040, 16), (1056, 9)]);
        assert_eq!(offsets(&[&disk(&[1000])], 1000), []);
        assert_eq!(offsets(&[&disk(&[0, 33])], 33), [(0, 16), (16, 16), (32, 1)]);
    }

    #[test]
    fn the_union_of_two_disks() {
        let (one, two) = (disk(&[16, 1, 100]), disk(&[80, 20]));
        assert_eq!(offsets(&[&one, &two], 100), [(16, 16), (80, 16), (96, 4)]);
        assert_eq!(offsets(&[&one, &Zeros(0)], 100), [(16, 16)]);
    }
}
