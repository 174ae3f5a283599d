//! The root directory, and the bitmap that it names.

#![allow(dead_code, reason = "not all that structures on disk hold is wanted")]

use super::boot::Geometry;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use crate::limits::guests::{MOST_EXFAT_DIRECTORY, MOST_EXFAT_RUNS};
use crate::ranges::{Collector, Ranges};
use std::ops::Range;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The most bytes of an up-case table: two for each character.
const MOST_UP_CASE: u64 = 65_536 * 2;

/// Bytes of the table that are held at a time.
const HELD: u64 = 4096;

/// Kinds of entries.
mod kind {
    /// Behind the last entry.
    pub(super) const END: u8 = 0;
    /// Of entries in use.
    pub(super) const IN_USE: u8 = 0x80;
    /// Of entries that belong to the one before, or need not be understood.
    pub(super) const SECONDARY_OR_BENIGN: u8 = 0x60;
    pub(super) const BITMAP: u8 = 0x81;
    pub(super) const UP_CASE: u8 = 0x82;
    pub(super) const LABEL: u8 = 0x83;
    pub(super) const FILE: u8 = 0x85;
}

/// An entry that names clusters.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Entry {
    /*  0 */ kind: u8,
    /*  1 */ flags: u8,
    /*  2 */ other: [u8; 18],
    /* 20 */ first: U32,
    /* 24 */ len: U64,
}

/// What the root directory tells.
pub(super) struct Root {
    /// The clusters of the bitmap, in its order: runs, by number.
    pub(super) bitmap: Vec<Range<u64>>,
    /// Clusters that cannot be free, by number.
    pub(super) taken: Ranges,
}

/// Reads the root directory, and finds the bitmap.
///
/// # Errors
/// `Corrupt` where something cannot be followed, or there is not one bitmap; `Unsupported` where it holds what is not known.
pub(super) fn read(volume: &Volume<'_>, geometry: &Geometry) -> Result<Root> {
    let mut taken = Collector::default();
    let (mut bitmap, mut up_case) = (None, None);
    let mut chains = Chains { volume, geometry, held: None };
    let mut cluster = Some(geometry.root);
    let (mut passed, mut ended) = (0, false);
    while let Some(number) = cluster {
        passed += geometry.cluster;
        if passed > MOST_EXFAT_DIRECTORY.max(geometry.cluster) {
            return Err(Error::corrupt("has a root directory without end")
                .at_offset(volume.disk_offset(geometry.cluster_at(number))));
        }
        taken.push(number..number + 1);
        // What lies behind the end mark is no entry, but its clusters are the directory's.
        for at in (0..geometry.cluster).step_by(1 << 20) {
            if ended {
                break;
            }
            let at = geometry.cluster_at(number) + at;
            let held = volume.read(at, geometry.cluster.min(1 << 20) as usize)?;
            for (index, bytes) in held.chunks_exact(32).enumerate() {
                let Ok(entry) = Entry::read_from_bytes(bytes) else { continue };
                let place = volume.disk_offset(at + index as u64 * 32);
                let slot = match entry.kind {
                    kind::END => {
                        ended = true;
                        break;
                    }
                    kind::BITMAP => &mut bitmap,
                    kind::UP_CASE => &mut up_case,
                    kind::LABEL | kind::FILE => continue,
                    other if other & kind::IN_USE == 0 || other & kind::SECONDARY_OR_BENIGN != 0 => continue,
                    other => {
                        let what = format!("has an entry of the unknown kind {other:#04x} in its root directory");
                        return Err(Error::unsupported(what).at_offset(place));
                    }
                };
                if slot.is_some() || entry.kind == kind::BITMAP && entry.flags != 0 {
                    return Err(Error::corrupt("has two allocation bitmaps or up-case tables").at_offset(place));
                }
                *slot = Some((entry, place));
            }
        }
        cluster = chains.next(number)?;
    }
    let missing = |what: &str| {
        Error::corrupt(format!("has no {what} in its root directory"))
            .at_offset(volume.disk_offset(geometry.cluster_at(geometry.root)))
    };
    let (entry, place) = bitmap.ok_or_else(|| missing("allocation bitmap"))?;
    if entry.len.get() != geometry.clusters.div_ceil(8) {
        let what = format!("has a bitmap of {} bytes for {} clusters", entry.len.get(), geometry.clusters);
        return Err(Error::corrupt(what).at_offset(place));
    }
    let bitmap = chains.runs(&entry, place)?;
    let (entry, place) = up_case.ok_or_else(|| missing("up-case table"))?;
    if entry.len.get() > MOST_UP_CASE {
        return Err(Error::corrupt(format!("has an up-case table of {} bytes", entry.len.get())).at_offset(place));
    }
    let up_case = chains.runs(&entry, place)?;
    bitmap.iter().chain(&up_case).for_each(|run| taken.push(run.clone()));
    Ok(Root { bitmap, taken: taken.finish() })
}

/// The table of chains, of which a piece is held.
struct Chains<'a> {
    volume: &'a Volume<'a>,
    geometry: &'a Geometry,
    held: Option<(u64, Vec<u8>)>,
}

impl Chains<'_> {
    /// The cluster that follows `number` in its chain; none after the last.
    fn next(&mut self, number: u64) -> Result<Option<u64>> {
        let at = number * 4;
        let base = at / HELD * HELD;
        let held = match self.held.take() {
            Some((from, held)) if from == base => held,
            _ => {
                let len = ((self.geometry.clusters + 2) * 4 - base).min(HELD);
                self.volume.read(self.geometry.table + base, len as usize)?
            }
        };
        let within = (at - base) as usize;
        let next = match held.get(within..within + 4) {
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        };
        self.held = Some((base, held));
        match u64::from(next) {
            0xFFFF_FFFF => Ok(None),
            next if (2..self.geometry.clusters + 2).contains(&next) => Ok(Some(next)),
            next => Err(Error::corrupt(format!("goes on from cluster {number} to {next:#x}, which is none"))
                .at_offset(self.volume.disk_offset(self.geometry.table + at))),
        }
    }

    /// The clusters of what `entry` names, as many as its length needs.
    fn runs(&mut self, entry: &Entry, place: u64) -> Result<Vec<Range<u64>>> {
        let mut left = entry.len.get().div_ceil(self.geometry.cluster);
        let corrupt = |message: &str| Err(Error::corrupt(message).at_offset(place));
        let mut number = u64::from(entry.first.get());
        if left == 0 || left > self.geometry.clusters || !(2..self.geometry.clusters + 2).contains(&number) {
            return corrupt("has an allocation bitmap or up-case table that cannot be");
        }
        let mut runs: Vec<Range<u64>> = Vec::new();
        loop {
            match runs.last_mut() {
                Some(last) if last.end == number => last.end += 1,
                _ => runs.push(number..number + 1),
            }
            if runs.len() > MOST_EXFAT_RUNS {
                return corrupt("has an allocation bitmap or up-case table in too many pieces");
            }
            left -= 1;
            match (self.next(number)?, left) {
                (None, 0) => return Ok(runs),
                (Some(next), 1..) => number = next,
                _ => {
                    return corrupt(
                        "has an allocation bitmap or up-case table that is longer or shorter than its chain",
                    );
                }
            }
        }
    }
}
