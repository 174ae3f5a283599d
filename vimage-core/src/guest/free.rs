//! What one volume's owner says is free in it.

use crate::error::{Error, Result};
use crate::ranges::{Collector, Ranges};
use std::ops::Range;

/// Takes the free ranges of one volume, in bytes from its start, in any order.
#[derive(Debug)]
pub(super) struct Free {
    size: u64,
    bytes: u64,
    ranges: Collector,
}

impl Free {
    /// Of a volume of `size` bytes.
    pub(super) fn of(size: u64) -> Self {
        Free { size, bytes: 0, ranges: Collector::default() }
    }

    /// Adds a range.
    ///
    /// # Errors
    /// `Corrupt` when it is not all in the volume.
    pub(super) fn push(&mut self, range: Range<u64>) -> Result<()> {
        if range.start > range.end || range.end > self.size {
            let Range { start, end } = range;
            return Err(Error::corrupt(format!("calls bytes {start} to {end} of a volume of {} free", self.size)));
        }
        self.bytes += range.end - range.start;
        self.ranges.push(range);
        Ok(())
    }

    /// Adds those of the units `units` whose bit in `bits` is clear, at the bytes that `place` tells.
    ///
    /// # Errors
    /// What `fault` makes of the first of them that is among `taken`; `Corrupt` when one is not all in the volume.
    pub(super) fn push_clear(
        &mut self,
        bits: &[u8],
        units: Range<u64>,
        taken: &Ranges,
        place: impl Fn(Range<u64>) -> Range<u64>,
        fault: impl Fn(u64) -> Error,
    ) -> Result<()> {
        let first = units.start;
        bit_runs(bits, units.end.saturating_sub(first), false, |run| {
            let run = run.start + first..run.end + first;
            match taken.within(run.clone()).next() {
                Some(taken) => Err(fault(taken.start)),
                None => self.push(place(run)),
            }
        })
    }

    /// Bytes put in so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The ranges.
    pub(super) fn finish(self) -> Ranges {
        self.ranges.finish()
    }
}

/// Reads a bitmap of which each bit, the lowest of a byte first, stands for one unit: calls `run` for each run of units
/// whose bit is `wanted`, among the first `units`.
///
/// # Errors
/// Those of `run`.
pub(super) fn bit_runs(
    bitmap: &[u8],
    units: u64,
    wanted: bool,
    mut run: impl FnMut(Range<u64>) -> Result<()>,
) -> Result<()> {
    let units = units.min(bitmap.len() as u64 * 8);
    // Complemented, so that what is looked for is always a one.
    let word = |index: u64| {
        let from = (index * 8) as usize;
        let mut bytes = [0; 8];
        let held = &bitmap[from..bitmap.len().min(from + 8)];
        bytes[..held.len()].copy_from_slice(held);
        let word = u64::from_le_bytes(bytes);
        if wanted { word } else { !word }
    };
    let mut start = None;
    let mut at = 0;
    while at < units {
        let rest = word(at / 64) >> (at % 64);
        let left = 64 - at % 64;
        let same = match start {
            None => rest.trailing_zeros(),
            Some(_) => rest.trailing_ones(),
        };
        let same = u64::from(same).min(left);
        at += same;
        if same == left {
            continue;
        }
        if at >= units {
            break;
        }
        match start.take() {
            None => start = Some(at),
            Some(first) => run(first..at)?,
        }
    }
    match start {
        Some(first) if first < units => run(first..units),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_those_that_a_plain_reading_finds() {
        let mut state = 1_u64;
        let mut bitmap = vec![0_u8; 200];
        for (index, byte) in bitmap.iter_mut().enumerate() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = match index / 20 % 3 {
                0 => 0,
                1 => 0xFF,
                _ => (state >> 33) as u8,
            };
        }
        for units in [0, 1, 7, 63, 64, 65, 700, 1599, 1600, 5000] {
            for wanted in [false, true] {
                let mut found = vec![!wanted; units.min(1600) as usize];
                let mut last = None;
                bit_runs(&bitmap, units, wanted, |run| {
                    assert!(run.start < run.end && last.is_none_or(|last| last < run.start), "{run:?}");
                    last = Some(run.end);
                    found[run.start as usize..run.end as usize].fill(wanted);
                    Ok(())
                })
                .unwrap();
                let plain = |at: usize| bitmap[at / 8] >> (at % 8) & 1 == 1;
                assert_eq!(found, (0..found.len()).map(plain).collect::<Vec<_>>(), "{units} {wanted}");
            }
        }
    }

    #[test]
    fn what_lies_outside_is_refused() {
        let mut free = Free::of(100);
        free.push(0..100).unwrap();
        assert!(free.push(99..101).is_err());
        assert_eq!(free.bytes(), 100);
    }
}
