//! What a disk holds where: runs of data, zeros and nothing, clipped and merged in one place.

use crate::error::{Error, Result};
use crate::image::Image;
use crate::limits::STEPS_BETWEEN_QUESTIONS;
use crate::observer::Observer;
use std::ops::Range;

/// What an image knows of a run of its bytes without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Bytes that have to be read to be known; they may turn out to be zero.
    Data,
    /// The same, held compressed in units of the format.
    Packed,
    /// The image says that these bytes are zero, whatever lies beneath it.
    Zero,
    /// The image holds nothing here: zero, or what a parent holds.
    Hole,
}

impl Content {
    /// Whether reading is needed to know the bytes.
    pub fn is_data(self) -> bool {
        matches!(self, Content::Data | Content::Packed)
    }
}

/// A run of a disk's bytes of one [`Content`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The guest's bytes that it covers.
    pub range: Range<u64>,
    /// What they are.
    pub content: Content,
    /// How many images lie above the one that says so: 0 for the topmost of a chain.
    pub depth: usize,
    /// The byte of that image's file at which the run is stored, where it is stored byte for byte.
    pub at: Option<u64>,
}

impl Extent {
    /// A run of `content` over `range`.
    pub fn new(range: Range<u64>, content: Content) -> Self {
        Extent { range, content, depth: 0, at: None }
    }

    /// A run that is stored from byte `at` of the file on.
    #[must_use]
    pub fn stored_at(mut self, at: u64) -> Self {
        self.at = Some(at);
        self
    }

    /// The run as an image shows it that lies `by` bytes further on a disk.
    #[must_use]
    pub fn shifted(mut self, by: u64) -> Self {
        self.range = self.range.start + by..self.range.end + by;
        self
    }

    /// Whether `next`, which begins where this ends, is more of the same.
    fn goes_on_in(&self, next: &Extent) -> bool {
        let len = self.range.end - self.range.start;
        (self.content, self.depth) == (next.content, next.depth) && self.at.map(|at| at.wrapping_add(len)) == next.at
    }

    /// The part of it within `bounds`.
    #[must_use]
    pub fn clipped(mut self, bounds: &Range<u64>) -> Self {
        let range = clip(&self.range, bounds);
        self.at = self.at.map(|at| at.wrapping_add(range.start.wrapping_sub(self.range.start)));
        self.range = range;
        self
    }
}

/// The part of `range` within `bounds`; empty, at a bound, when they do not meet.
pub fn clip(range: &Range<u64>, bounds: &Range<u64>) -> Range<u64> {
    let start = range.start.clamp(bounds.start, bounds.end);
    start..range.end.clamp(start, bounds.end)
}

/// The extents of part of an image, in order: they tile it without gap or overlap, neighbours that are stored the same way
/// and one behind the other merged.
pub struct Extents<'a> {
    image: &'a dyn Image,
    bounds: Range<u64>,
    held: Option<Extent>,
    next: u64,
    steps: u64,
    observer: &'a dyn Observer,
}

impl<'a> Extents<'a> {
    /// The extents of all of `image`.
    pub fn of(image: &'a dyn Image) -> Self {
        Self::within(image, 0..image.size())
    }

    /// The extents of `image` within `bounds`, which must not pass its end.
    pub fn within(image: &'a dyn Image, bounds: Range<u64>) -> Self {
        Extents { image, next: bounds.start, bounds, held: None, steps: 0, observer: &() }
    }

    /// The same, with `observer` asked now and then whether to go on: an image may have any number of small extents, and neighbours
    /// that merge are not told of before their end.
    #[must_use]
    pub fn watched_by(self, observer: &'a dyn Observer) -> Self {
        Extents { observer, ..self }
    }

    /// The next extent as the image gives it, clipped and not merged with its neighbours: what an image of endless small
    /// extents costs is then spread over the calls. None at the end.
    pub(crate) fn step(&mut self) -> Option<Result<Extent>> {
        (self.next < self.bounds.end).then(|| self.follow())
    }

    fn follow(&mut self) -> Result<Extent> {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS_BETWEEN_QUESTIONS) && self.observer.cancelled() {
            return Err(Error::cancelled());
        }
        let extent = self.image.extent_at(self.next)?;
        // An image that does not move on would be walked for ever.
        if extent.range.start > self.next || extent.range.end <= self.next {
            let Range { start, end } = extent.range;
            return Err(Error::corrupt(format!("the image's map does not advance: {start}..{end} for {}", self.next)));
        }
        let extent = extent.clipped(&(self.next..self.bounds.end));
        self.next = extent.range.end;
        Ok(extent)
    }
}

impl Iterator for Extents<'_> {
    type Item = Result<Extent>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(extent) = self.step() {
            let extent = match extent {
                Ok(extent) => extent,
                Err(error) => {
                    self.next = self.bounds.end;
                    self.held = None;
                    return Some(Err(error));
                }
            };
            match &mut self.held {
                Some(held) if held.goes_on_in(&extent) => held.range.end = extent.range.end,
                held => {
                    if let Some(done) = held.replace(extent) {
                        return Some(Ok(done));
                    }
                }
            }
        }
        self.held.take().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image whose map is the given list; no bytes.
    struct Map(Vec<Extent>);

    impl Image for Map {
        fn size(&self) -> u64 {
            self.0.last().map_or(0, |last| last.range.end)
        }
        fn extent_at(&self, offset: u64) -> Result<Extent> {
            Ok(self.0.iter().find(|extent| extent.range.contains(&offset)).unwrap_or(&self.0[0]).clone())
        }
        fn read_exact_at(&self, _: &mut [u8], _: u64) -> Result<()> {
            unreachable!("only the map is asked")
        }
    }

    #[test]
    fn neighbours_merge_and_bounds_clip() {
        let map = Map(vec![
            Extent::new(0..10, Content::Data),
            Extent::new(10..20, Content::Data),
            Extent::new(20..30, Content::Hole),
        ]);
        let all: Result<Vec<_>> = Extents::within(&map, 5..25).collect();
        assert_eq!(all.unwrap(), [Extent::new(5..20, Content::Data), Extent::new(20..25, Content::Hole)]);
    }

    #[test]
    fn a_walk_can_be_stopped_though_nothing_comes_of_it() {
        struct Stop;
        impl Observer for Stop {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let holes = |count| Map((0..count).map(|number| Extent::new(number..number + 1, Content::Hole)).collect());
        let (short, long) = (holes(STEPS_BETWEEN_QUESTIONS - 1), holes(STEPS_BETWEEN_QUESTIONS));
        assert_eq!(
            Extents::of(&short).watched_by(&Stop).map(|extent| extent.unwrap().range.end).collect::<Vec<_>>(),
            [1023]
        );
        let error = Extents::of(&long).watched_by(&Stop).next().unwrap().unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Cancelled);
    }

    #[test]
    fn a_map_that_stands_still_is_an_error_and_ends() {
        let map = Map(vec![Extent::new(0..10, Content::Data), Extent::new(20..30, Content::Data)]);
        let all: Vec<_> = Extents::of(&map).collect();
        assert_eq!(all.len(), 1);
        assert!(all[0].is_err());
    }
}
