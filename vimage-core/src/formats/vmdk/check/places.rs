//! Which bytes of a file are taken, in memory that what is taken bounds, and not the file's length.

use crate::limits::vmdk::MOST_ODD;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Things of one length: a bit each where they lie in step, as grains and tables do.
pub(super) struct Slots {
    /// Bytes of one.
    unit: u64,
    /// The byte, less than a unit, from which steps count.
    phase: u64,
    /// 64 slots a word.
    words: BTreeMap<u64, u64>,
    /// Where those begin that are not in step.
    odd: BTreeSet<u64>,
    count: u64,
    unkept: u64,
}

impl Slots {
    /// None yet, of `unit` bytes, in step with `origin`.
    pub(super) fn new(unit: u64, origin: u64) -> Self {
        Slots { unit, phase: origin % unit, words: BTreeMap::new(), odd: BTreeSet::new(), count: 0, unkept: 0 }
    }

    /// Adds the one at `at`; gives the beginning of one that shares bytes with it instead, if there is any.
    pub(super) fn add(&mut self, at: u64) -> Option<u64> {
        let met = self.meets(&(at..at.saturating_add(self.unit)));
        if met.is_none() {
            self.count += 1;
            match self.slot(at) {
                Some(slot) => *self.words.entry(slot / 64).or_default() |= 1 << (slot % 64),
                None if self.odd.len() < MOST_ODD => drop(self.odd.insert(at)),
                None => self.unkept += 1,
            }
        }
        met
    }

    /// The beginning of one that shares bytes with `range`.
    pub(super) fn meets(&self, range: &Range<u64>) -> Option<u64> {
        let first = range.start.saturating_sub(self.unit - 1);
        let odd = self.odd.range(first..range.end.max(first)).next().copied();
        odd.or_else(|| {
            let from = first.saturating_sub(self.phase).div_ceil(self.unit);
            let to = range.end.saturating_sub(self.phase).div_ceil(self.unit);
            let words = self.words.range(from / 64..to.div_ceil(64).max(from / 64));
            words
                .filter_map(|(&word, &bits)| {
                    let below = from.saturating_sub(word * 64);
                    let bits = if below < 64 { bits >> below << below } else { 0 };
                    (bits != 0).then(|| word * 64 + u64::from(bits.trailing_zeros()))
                })
                .next()
                .filter(|&slot| slot < to)
                .map(|slot| slot * self.unit + self.phase)
        })
    }

    /// Whether one begins at `at`.
    pub(super) fn has(&self, at: u64) -> bool {
        match self.slot(at) {
            Some(slot) => self.words.get(&(slot / 64)).is_some_and(|bits| bits >> (slot % 64) & 1 != 0),
            None => self.odd.contains(&at),
        }
    }

    /// Whether one at `at` is in step.
    pub(super) fn in_step(&self, at: u64) -> bool {
        self.slot(at).is_some()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many were too many to be kept.
    pub(super) fn unkept(&self) -> u64 {
        self.unkept
    }

    fn slot(&self, at: u64) -> Option<u64> {
        at.checked_sub(self.phase).filter(|from| from.is_multiple_of(self.unit)).map(|from| from / self.unit)
    }
}

/// Stretches of any length; those that touch are one.
#[derive(Default)]
pub(super) struct Spans(BTreeMap<u64, u64>);

impl Spans {
    /// Adds a stretch; gives the beginning of one that shares bytes with it instead, if there is any.
    pub(super) fn add(&mut self, range: Range<u64>) -> Option<u64> {
        let before = self.0.range(..range.end).next_back().map(|(&start, &end)| (start, end));
        if let Some((start, end)) = before
            && end > range.start
        {
            return Some(start);
        }
        let end = self.0.remove(&range.end).unwrap_or(range.end);
        match before {
            Some((start, joined)) if joined == range.start => self.0.insert(start, end),
            _ => self.0.insert(range.start, end),
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least of `taken` that shares bytes with `range`, looked for one by one.
    fn slowly(taken: &[Range<u64>], range: &Range<u64>) -> bool {
        taken.iter().any(|one| one.start < range.end && range.start < one.end)
    }

    proptest! {
        #[test]
        fn slots_and_spans_agree_with_a_list(
            unit in 1_u64..40,
            origin in 0_u64..100,
            places in prop::collection::vec((0_u64..20_000, any::<bool>()), 1..200),
        ) {
            let (mut slots, mut spans, mut list) = (Slots::new(unit, origin), Spans::default(), Vec::new());
            for (at, aligned) in places {
                let at = if aligned { at / unit * unit + origin % unit } else { at };
                let range = at..at + unit;
                let taken = slowly(&list, &range);
                prop_assert_eq!(slots.has(at), list.iter().any(|one: &Range<u64>| one.start == at));
                let met = slots.meets(&range);
                prop_assert_eq!(met.is_some(), taken);
                prop_assert!(met.is_none_or(|met| slots.has(met) && met < range.end && range.start < met + unit));
                let wide = at..at + 700;
                prop_assert_eq!(slots.meets(&wide).is_some(), slowly(&list, &wide));
                prop_assert_eq!(slots.add(at), met);
                prop_assert_eq!(spans.add(range.clone()).is_some(), taken);
                if !taken {
                    list.push(range);
                }
            }
            prop_assert_eq!(slots.count(), list.len() as u64);
        }
    }

    #[test]
    fn stretches_in_a_row_take_no_more_memory_than_one() {
        let mut spans = Spans::default();
        for at in (0..1000).step_by(2).chain((1..1000).step_by(2)) {
            assert_eq!(spans.add(at..at + 1), None);
        }
        assert_eq!(spans.0.len(), 1);
        assert_eq!(spans.add(999..1001), Some(0));
    }
}
