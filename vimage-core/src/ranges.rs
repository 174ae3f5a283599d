//! Ranges of bytes that belong together: disjoint, in order, and never more than fit into bounded memory.

use crate::limits::guests::MOST_RANGES;
use std::ops::Range;

/// A set of bytes, as disjoint ranges in ascending order of which no two touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// The ranges, ascending.
    pub fn iter(&self) -> std::slice::Iter<'_, Range<u64>> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of bytes in it.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Where `offset` lies: the range around it that is all in the set (`true`) or all outside (`false`). One outside may
    /// end at `u64::MAX`.
    pub fn around(&self, offset: u64) -> (Range<u64>, bool) {
        let next = self.0.partition_point(|range| range.end <= offset);
        match self.0.get(next) {
            Some(range) if range.start <= offset => (range.clone(), true),
            after => {
                let start = next.checked_sub(1).map_or(0, |before| self.0[before].end);
                (start..after.map_or(u64::MAX, |range| range.start), false)
            }
        }
    }

    /// The parts of it within `bounds`, ascending.
    pub fn within(&self, bounds: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self.0.partition_point(|range| range.end <= bounds.start);
        self.0[first..]
            .iter()
            .take_while(move |range| range.start < bounds.end)
            .map(move |range| range.start.max(bounds.start)..range.end.min(bounds.end))
    }
}

/// Takes ranges in any order and makes a set of them. When there are too many to hold, the shortest are left out: the set is
/// then smaller than what was put in, and never larger.
#[derive(Debug, Default)]
pub struct Collector {
    ranges: Vec<Range<u64>>,
    /// Shorter ranges are not kept.
    least: u64,
}

impl Collector {
    /// Adds a range; an empty one is nothing.
    pub fn push(&mut self, range: Range<u64>) {
        match self.ranges.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => {
                if self.ranges.len() >= MOST_RANGES {
                    self.thin();
                }
                self.ranges.push(range);
            }
        }
    }

    /// The set of all that was put in.
    pub fn finish(mut self) -> Ranges {
        self.merge();
        Ranges(self.ranges)
    }

    fn merge(&mut self) {
        self.ranges.sort_unstable_by_key(|range| range.start);
        self.ranges.dedup_by(|next, last| {
            let touches = next.start <= last.end;
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
    }

    fn thin(&mut self) {
        self.merge();
        while self.ranges.len() > MOST_RANGES / 2 {
            self.least = (self.least * 2).max(1024);
            self.ranges.retain(|range| range.end - range.start >= self.least);
        }
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut collector = Collector::default();
        ranges.into_iter().for_each(|range| collector.push(range));
        collector.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_in_any_order() {
        let set: Ranges = [30..40, 0..10, 20..25, 10..12, 22..31, 50..50].into_iter().collect();
        assert_eq!(set.iter().cloned().collect::<Vec<_>>(), [0..12, 20..40]);
        assert_eq!(set.bytes(), 32);
        assert_eq!(set.around(5), (0..12, true));
        assert_eq!(set.around(12), (12..20, false));
        assert_eq!(set.around(40), (40..u64::MAX, false));
        assert_eq!(set.within(11..21).collect::<Vec<_>>(), [11..12, 20..21]);
        assert_eq!(Ranges::default().around(7), (0..u64::MAX, false));
    }

    #[test]
    fn too_many_leave_out_the_shortest() {
        let mut collector = Collector::default();
        for index in 0..3 * MOST_RANGES as u64 {
            let start = index * 10_000;
            collector.push(start..start + if index % 100 == 0 { 9000 } else { 600 });
        }
        let set = collector.finish();
        assert!(set.iter().len() <= MOST_RANGES, "{}", set.iter().len());
        assert_eq!(set.iter().filter(|range| range.end - range.start == 9000).count(), (3 * MOST_RANGES).div_ceil(100));
    }
}
