//! What is to be read: the parts of a disk not known to be zero, cut into slabs.

use crate::error::Result;
use crate::extent::{Extents, clip};
use crate::image::Image;
use crate::observer::Observer;
use std::ops::Range;

/// A stretch of the disk that one worker reads and encodes at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slab<const N: usize = 1> {
    /// Where it starts: a multiple of the plan's unit.
    pub offset: u64,
    /// Its bytes: a number of units, or less at the disk's end.
    pub len: usize,
    /// For each image, the ranges within the slab that have to be read, as offsets from its start; the rest is zero.
    /// Ascending. They are found out once, by the plan: asking a file system where its next hole is can cost as much as
    /// reading up to there.
    pub data: [Vec<Range<usize>>; N],
}

impl<const N: usize> Slab<N> {
    /// The disk's bytes that it covers.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.len as u64
    }
}

/// The slabs of `N` images of a disk that hold data, in order. Takes time in proportion to the extents, not to the disk.
pub struct Plan<'a, const N: usize = 1> {
    images: [DataRanges<'a>; N],
    cut: Cut,
    size: u64,
    at: u64,
}

/// How a disk is cut into slabs; both are powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// No slab goes across a multiple of so many bytes.
    pub slab: usize,
    /// Slabs start and end at multiples of so many bytes, the last one at the disk's end.
    pub unit: usize,
}

impl<'a, const N: usize> Plan<'a, N> {
    /// Slabs of the first `size` bytes, wherever one of `images` holds data, and no longer than needed: where data are few, filling up
    /// slabs with zeros would take more time than reading. A walk over many extents without data asks `observer` whether to go on.
    pub fn new(images: [&'a dyn Image; N], size: u64, cut: Cut, observer: &'a dyn Observer) -> Self {
        let ranges = |image: &'a dyn Image| DataRanges {
            extents: Extents::within(image, 0..size.min(image.size())).watched_by(observer),
            held: 0..0,
        };
        Plan { images: images.map(ranges), cut, size, at: 0 }
    }

    fn slab(&mut self) -> Result<Option<Slab<N>>> {
        let mut first = None;
        for ranges in &mut self.images {
            let start = ranges.from(self.at)?.map(|range| range.start.max(self.at));
            first = first.into_iter().chain(start).min();
        }
        let Some(first) = first else { return Ok(None) };
        let Cut { slab, unit } = self.cut;
        let offset = first / unit as u64 * unit as u64;
        let end = (first / slab as u64 * slab as u64).saturating_add(slab as u64).min(self.size);
        let mut slab = Slab { offset, len: 0, data: std::array::from_fn(|_| Vec::new()) };
        for (ranges, data) in self.images.iter_mut().zip(&mut slab.data) {
            let mut at = offset;
            while let Some(range) = ranges.from(at)?.filter(|range| range.start < end) {
                let part = clip(&range, &(at..end));
                data.push((part.start - offset) as usize..(part.end - offset) as usize);
                if part.end == end {
                    break;
                }
                at = part.end;
            }
        }
        let held = slab.data.iter().filter_map(|data| data.last()).map(|range| range.end).max().unwrap_or(0);
        slab.len = held.next_multiple_of(unit).min((end - offset) as usize);
        self.at = end;
        Ok(Some(slab))
    }
}

impl<const N: usize> Iterator for Plan<'_, N> {
    type Item = Result<Slab<N>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.slab().transpose()
    }
}

/// The data ranges of one image, in order.
struct DataRanges<'a> {
    extents: Extents<'a>,
    held: Range<u64>,
}

impl DataRanges<'_> {
    /// The first range that ends after `at`, which never goes back.
    fn from(&mut self, at: u64) -> Result<Option<Range<u64>>> {
        while self.held.end <= at {
            match self.extents.step().transpose()? {
                Some(extent) if extent.content.is_data() => self.held = extent.range,
                Some(_) => {}
                None => return Ok(None),
            }
        }
        Ok(Some(self.held.clone()))
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

    fn offsets<const N: usize>(images: [&dyn Image; N], size: u64) -> Vec<(u64, usize)> {
        offsets_in(Cut { slab: 16, unit: 16 }, images, size)
    }

    fn offsets_in<const N: usize>(cut: Cut, images: [&dyn Image; N], size: u64) -> Vec<(u64, usize)> {
        Plan::new(images, size, cut, &()).map(|slab| slab.map(|slab| (slab.offset, slab.len)).unwrap()).collect()
    }

    #[test]
    fn slabs_are_no_longer_than_their_data_in_units() {
        let disk = disk(&[37, 6, 1, 1, 100, 20]);
        let cut = Cut { slab: 16, unit: 4 };
        assert_eq!(offsets_in(cut, [&disk], 165), [(36, 12), (144, 16), (160, 5)]);
        let data: Vec<_> = Plan::new([&disk], 165, cut, &()).map(|slab| slab.unwrap().data).collect();
        assert_eq!(data, [[vec![1..7, 8..9]], [vec![1..16]], [vec![0..5]]]);
    }

    #[test]
    fn only_slabs_with_data_aligned_and_clipped() {
        assert_eq!(offsets([&disk(&[40, 2, 5, 1, 1000, 17])], 1065), [(32, 16), (1040, 16), (1056, 9)]);
        assert_eq!(offsets([&disk(&[1000])], 1000), []);
        assert_eq!(offsets([&disk(&[0, 33])], 33), [(0, 16), (16, 16), (32, 1)]);
    }

    #[test]
    fn what_to_read_is_told_once() {
        let disk = disk(&[3, 2, 4, 30, 1, 1]);
        let data: Vec<_> =
            Plan::new([&disk], 41, Cut { slab: 16, unit: 16 }, &()).map(|slab| slab.unwrap().data).collect();
        assert_eq!(data, [[vec![3..5, 9..16]], [vec![0..16]], [vec![0..7, 8..9]]]);
    }

    #[test]
    fn the_union_of_two_disks() {
        let (one, two) = (disk(&[16, 1, 100]), disk(&[80, 20]));
        assert_eq!(offsets([&one, &two], 100), [(16, 16), (80, 16), (96, 4)]);
        assert_eq!(offsets([&one, &Zeros(0)], 100), [(16, 16)]);
    }
}
