//! Values that lie in clusters: where, and their bytes.

use super::boot::Geometry;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use crate::limits::guests::MOST_NTFS_RUNS;
use std::ops::Range;

/// The most clusters of one value: however large they are, its size is a number of bytes.
const MOST_CLUSTERS: u64 = 1 << 42;

/// A stretch of a value, in clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it is in the value.
    pub(super) range: Range<u64>,
    /// Where on the volume it starts; none where it is not kept, and zero.
    pub(super) at: Option<u64>,
}

/// A value in clusters.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Ascending from 0 on, without gaps.
    pub(super) runs: Vec<Run>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// Bytes behind these are zero, whatever the clusters hold.
    pub(super) initialized: u64,
    /// Whether it is compressed or encrypted: its clusters then hold other bytes than the value's.
    pub(super) coded: bool,
}

impl Stream {
    /// Adds the runs that `pairs` tell, which must be the clusters `lowest` to `highest` of the value and follow on what is there.
    ///
    /// # Errors
    /// `Corrupt`, without a place, where they are not; `Unsupported` for too many.
    pub(super) fn extend(&mut self, pairs: &[u8], lowest: u64, highest: u64, clusters: u64) -> Result<()> {
        let mut next = self.clusters();
        // A value without clusters has -1 as the highest.
        let end = highest.wrapping_add(1);
        if lowest != next || end < lowest || end > MOST_CLUSTERS {
            return Err(Error::corrupt(format!("has runs of clusters {lowest} to {highest} of a value after {next}")));
        }
        let mut place = 0_i64;
        let mut rest = pairs;
        while let Some((&head, behind)) = rest.split_first() {
            if head == 0 {
                break;
            }
            let (len_bytes, at_bytes) = (usize::from(head & 0xF), usize::from(head >> 4));
            let cannot = || Error::corrupt("has a list of runs that cannot be");
            let len = behind.get(..len_bytes).and_then(number).filter(|len| *len > 0).ok_or_else(cannot)? as u64;
            let after = next.checked_add(len).filter(|after| *after <= end).ok_or_else(cannot)?;
            let at = match at_bytes {
                0 => None,
                _ => {
                    let step = behind.get(len_bytes..len_bytes + at_bytes).and_then(number).ok_or_else(cannot)?;
                    place = place.checked_add(step).ok_or_else(cannot)?;
                    let at = u64::try_from(place).map_err(|_| cannot())?;
                    if at.checked_add(len).is_none_or(|end| end > clusters) {
                        return Err(Error::corrupt(format!("has {len} clusters at {at} of {clusters}")));
                    }
                    Some(at)
                }
            };
            if self.runs.len() >= MOST_NTFS_RUNS {
                return Err(Error::unsupported("has a value in too many pieces"));
            }
            self.runs.push(Run { range: next..after, at });
            next = after;
            rest = &behind[len_bytes + at_bytes..];
        }
        if next != end {
            return Err(Error::corrupt(format!("has runs of {next} clusters where there should be {end}")));
        }
        Ok(())
    }

    /// The clusters that it covers.
    pub(super) fn clusters(&self) -> u64 {
        self.runs.last().map_or(0, |last| last.range.end)
    }

    /// Whether some of it is not kept.
    pub(super) fn is_sparse(&self) -> bool {
        self.runs.iter().any(|run| run.at.is_none())
    }

    /// Where its byte `offset` is on the volume, if it is there.
    pub(super) fn place(&self, geometry: &Geometry, offset: u64) -> Option<u64> {
        let cluster = offset / geometry.cluster;
        let run = self.runs.get(self.runs.partition_point(|run| run.range.end <= cluster))?;
        Some((run.at? + cluster - run.range.start) * geometry.cluster + offset % geometry.cluster)
    }

    /// Its bytes from `offset` on, fewer than `len` where it ends before.
    ///
    /// # Errors
    /// Those of reading; `Corrupt` where it has fewer clusters than bytes.
    pub(super) fn read(&self, volume: &Volume<'_>, geometry: &Geometry, offset: u64, len: usize) -> Result<Vec<u8>> {
        let end = offset.saturating_add(len as u64).min(self.size);
        let mut bytes = Vec::new();
        let mut at = offset;
        while at < end {
            let cluster = at / geometry.cluster;
            let Some(run) = self.runs.get(self.runs.partition_point(|run| run.range.end <= cluster)) else {
                return Err(Error::corrupt(format!("has a value of {} bytes in fewer clusters", self.size)));
            };
            let piece = geometry.bytes(run.range.clone()).end.min(end) - at;
            match run.at {
                None => bytes.resize(bytes.len() + piece as usize, 0),
                Some(start) => {
                    let place = start * geometry.cluster + (at - run.range.start * geometry.cluster);
                    bytes.extend(volume.read(place, piece as usize)?);
                }
            }
            at += piece;
        }
        if end > self.initialized {
            let kept = self.initialized.saturating_sub(offset) as usize;
            if let Some(behind) = bytes.get_mut(kept..) {
                behind.fill(0);
            }
        }
        Ok(bytes)
    }
}

/// A signed number of one to eight bytes.
fn number(bytes: &[u8]) -> Option<i64> {
    let last = *bytes.last()?;
    let mut whole = [if last & 0x80 == 0 { 0 } else { 0xFF }; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(pairs: &[u8], highest: u64) -> Result<Vec<(Range<u64>, Option<u64>)>> {
        let mut stream = Stream::default();
        stream.extend(pairs, 0, highest, 0x40_0000)?;
        Ok(stream.runs.into_iter().map(|run| (run.range, run.at)).collect())
    }

    /// The examples of the documentation of NTFS.
    #[test]
    fn lists_of_runs() {
        let normal = runs(&[0x21, 0x18, 0x34, 0x56, 0x00], 0x17).unwrap();
        assert_eq!(normal, [(0..0x18, Some(0x5634))]);
        let scattered = [0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(runs(&scattered, 9).is_err());
        let fragmented =
            [0x31, 0x38, 0x73, 0x25, 0x34, 0x32, 0x14, 0x01, 0xE5, 0x11, 0x02, 0x31, 0x42, 0xAA, 0x00, 0x03, 0x00];
        let expected = [(0..0x38, 0x342573), (0x38..0x14C, 0x363758), (0x14C..0x18E, 0x393802)];
        assert_eq!(runs(&fragmented, 0x18D).unwrap(), expected.map(|(range, at)| (range, Some(at))));
        let sparse = [0x11, 0x30, 0x60, 0x01, 0x10, 0x11, 0x20, 0xF0, 0x00];
        let expected = [(0..0x30, Some(0x60)), (0x30..0x40, None), (0x40..0x60, Some(0x50))];
        assert_eq!(runs(&sparse, 0x5F).unwrap(), expected);
        assert_eq!(runs(&[0], u64::MAX).unwrap(), []);
    }

    #[test]
    fn lists_that_cannot_be() {
        for (pairs, highest) in [
            (&[0x21, 0x18, 0x34][..], 0x17),
            (&[0x11, 0x00, 0x10, 0x00], 0),
            (&[0x11, 0x80, 0x10, 0x00], 0),
            (&[0x11, 0x08, 0xF0, 0x00], 7),
            (&[0x11, 0x08, 0x10, 0x00], 8),
            (&[0x11, 0x08, 0x10, 0x00], 6),
            (&[0x19, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], 7),
            (
                &[0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
                7,
            ),
            (&[0x31, 0x08, 0x00, 0x00, 0x40, 0x00], 7),
        ] {
            assert!(runs(pairs, highest).is_err(), "{pairs:x?}");
        }
        assert!(Stream::default().extend(&[0x11, 8, 0x10, 0], 8, 15, 100).is_err());
    }
}
