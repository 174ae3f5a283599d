//! The file allocation table: which clusters are free, and whether it is in order.

use super::layout::Geometry;
use super::unclean;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use std::ops::Range;

/// Entries that are read at a time: a multiple of two, as two of 12 bits have three bytes. 1 MiB of FAT32.
const AT_A_TIME: u64 = 1 << 18;

/// A set of clusters, by number. At most 32 MiB.
pub(super) struct Clusters {
    pub(super) bits: Vec<u8>,
}

impl Clusters {
    fn none(geometry: &Geometry) -> Self {
        Clusters { bits: vec![0; geometry.entries().div_ceil(8) as usize] }
    }

    /// Whether `number` is in it.
    pub(super) fn has(&self, number: u64) -> bool {
        self.bits.get((number / 8) as usize).is_some_and(|byte| byte >> (number % 8) & 1 == 1)
    }

    fn add(&mut self, number: u64) {
        if let Some(byte) = self.bits.get_mut((number / 8) as usize) {
            *byte |= 1 << (number % 8);
        }
    }

    fn add_all(&mut self, numbers: Range<u64>) {
        let whole = numbers.start.next_multiple_of(8)..numbers.end / 8 * 8;
        if whole.start >= whole.end {
            return numbers.for_each(|number| self.add(number));
        }
        (numbers.start..whole.start).chain(whole.end..numbers.end).for_each(|number| self.add(number));
        self.bits[(whole.start / 8) as usize..(whole.end / 8) as usize].fill(0xFF);
    }
}

/// The free clusters.
///
/// # Errors
/// `Corrupt` where the copies of the table differ, or an entry leads where it cannot; `Unsupported` where the table says that
/// the volume is in use.
pub(super) fn read(volume: &Volume<'_>, geometry: &Geometry) -> Result<Clusters> {
    let mut unused = Clusters::none(geometry);
    let mut followed = Clusters::none(geometry);
    for first in (0..geometry.entries()).step_by(AT_A_TIME as usize) {
        let entries = first..geometry.entries().min(first + AT_A_TIME);
        match piece(volume, geometry, entries.clone())? {
            None => unused.add_all(entries),
            Some(bytes) => {
                if first == 0 {
                    head(volume, geometry, &bytes)?;
                }
                let corrupt = |at: u64, message: String| {
                    Error::corrupt(message)
                        .at_offset(volume.disk_offset(geometry.tables[0] + at * geometry.bits / 8))
                        .with_hint("have it checked by its own system (chkdsk /f, fsck.fat -a)")
                };
                for number in entries.start.max(2)..entries.end {
                    let value = entry(&bytes, (number - first) as usize, geometry.bits) & geometry.mask();
                    let next = u64::from(value);
                    match value {
                        0 => unused.add(number),
                        _ if (2..geometry.entries()).contains(&next) => {
                            if followed.has(next) {
                                return Err(corrupt(number, format!("has two chains that go on in cluster {next}")));
                            }
                            followed.add(next);
                        }
                        // Bad, the last of a chain, or reserved for some such use: not free.
                        _ if value >= geometry.mask() - 15 => {}
                        _ => {
                            return Err(corrupt(
                                number,
                                format!("goes on from cluster {number} to {next}, which is none"),
                            ));
                        }
                    }
                }
            }
        }
    }
    let both = unused.bits.iter().zip(&followed.bits).position(|(unused, followed)| unused & followed != 0);
    match both {
        None => Ok(unused),
        Some(byte) => Err(Error::corrupt(format!("has a chain that goes on in a free cluster near {}", byte * 8))
            .at_offset(volume.disk_offset(geometry.tables[0] + byte as u64 * geometry.bits))
            .with_hint("have it checked by its own system (chkdsk /f, fsck.fat -a)")),
    }
}

/// The bytes of `entries`, which all copies must agree on; none where the image holds nothing there in any.
fn piece(volume: &Volume<'_>, geometry: &Geometry, entries: Range<u64>) -> Result<Option<Vec<u8>>> {
    let from = entries.start * geometry.bits / 8;
    let len = ((entries.end - entries.start) * geometry.bits).div_ceil(8);
    let mut holes = entries.start > 0;
    for &table in &geometry.tables {
        holes = holes && volume.is_hole(table + from..table + from + len)?;
    }
    if holes {
        volume.go_on()?;
        return Ok(None);
    }
    let bytes = volume.read(geometry.tables[0] + from, len as usize)?;
    for &table in &geometry.tables[1..] {
        let other = volume.read(table + from, len as usize)?;
        if let Some(differs) = bytes.iter().zip(&other).position(|(one, other)| one != other) {
            return Err(Error::corrupt("has copies of its table that differ")
                .at_offset(volume.disk_offset(table + from + differs as u64))
                .with_hint("have it checked by its own system (chkdsk /f, fsck.fat -a)"));
        }
    }
    Ok(Some(bytes))
}

/// The first two entries: the kind of medium, and whether all was left in order.
fn head(volume: &Volume<'_>, geometry: &Geometry, bytes: &[u8]) -> Result<()> {
    let at = volume.disk_offset(geometry.tables[0]);
    let (media, state) = (entry(bytes, 0, geometry.bits), entry(bytes, 1, geometry.bits));
    if media & geometry.mask() != geometry.mask() & !0xFF | u32::from(geometry.media) {
        return Err(Error::corrupt(format!("has a table that starts with {media:#x}")).at_offset(at));
    }
    // The two highest bits that count, of entries that have room for them: unmounted, and without errors in reading.
    let in_order = match geometry.bits {
        12 => 0,
        16 => 0xC000,
        _ => 0x0C00_0000,
    };
    if state & in_order != in_order { Err(unclean(at)) } else { Ok(()) }
}

/// Entry `index` of a piece of a table; zero past its end.
pub(super) fn entry(bytes: &[u8], index: usize, bits: u64) -> u32 {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    match bits {
        12 => {
            let at = index * 3 / 2;
            let pair = u32::from(u16::from_le_bytes([byte(at), byte(at + 1)]));
            if index.is_multiple_of(2) { pair & 0xFFF } else { pair >> 4 }
        }
        16 => u16::from_le_bytes([byte(index * 2), byte(index * 2 + 1)]).into(),
        _ => match bytes.get(index * 4..index * 4 + 4) {
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_twelve_bits_share_a_byte() {
        let bytes = [0xF8, 0xFF, 0xFF, 0x03, 0x40, 0x00, 0xFF, 0x0F];
        let entries: Vec<_> = (0..5).map(|index| entry(&bytes, index, 12)).collect();
        assert_eq!(entries, [0xFF8, 0xFFF, 0x003, 0x004, 0xFFF]);
    }

    #[test]
    fn many_clusters_are_added_as_one_by_one() {
        for range in [0..0, 3..5, 2..17, 8..16, 7..9, 0..100, 13..99] {
            let mut all = Clusters { bits: vec![0; 13] };
            all.add_all(range.clone());
            assert!((0..104).all(|number| all.has(number) == range.contains(&number)), "{range:?}");
        }
    }
}
