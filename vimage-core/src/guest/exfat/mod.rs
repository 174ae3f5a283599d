//! exFAT: what is free in it.
//!
//! After Microsoft's "exFAT file system specification".
//!
//! A cluster is free where its bit in the allocation bitmap is clear. The boot sector's percentage of clusters in use only has
//! to be one: Linux leaves it as formatting wrote it, so that it says nothing of the bitmap.

mod boot;
mod root;

use super::FileSystem;
use super::free::Free;
use super::volume::Volume;
use crate::error::{Error, Result};
use crate::ranges::Ranges;
use boot::{Boot, Geometry};
use std::ops::Range;

/// Bytes of the bitmap that are read at a time.
const PIECE: u64 = 1 << 20;

/// exFAT.
pub(super) struct ExFat;

impl FileSystem for ExFat {
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>> {
        Ok(Boot::of(volume)?.map(|_| "exFAT"))
    }

    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()> {
        let boot = Boot::of(volume)?.ok_or_else(|| Error::corrupt("has no boot sector of exFAT"))?;
        let geometry = Geometry::of(&boot, volume)?;
        let root = root::read(volume, &geometry)?;
        // Numbers of clusters count from 2, bits from 0.
        let own: Ranges = root.taken.iter().map(|run| run.start - 2..run.end - 2).collect();
        let needed = geometry.clusters.div_ceil(8);
        let mut passed = 0;
        for run in &root.bitmap {
            let (mut at, end) = (geometry.cluster_at(run.start), geometry.cluster_at(run.end));
            // What lies in the bitmap's last cluster behind its end stands for nothing.
            while at < end && passed < needed {
                let len = (end - at).min(PIECE).min(needed - passed);
                let bits = volume.read(at, len as usize)?;
                let place =
                    |unused: Range<u64>| geometry.cluster_at(unused.start + 2)..geometry.cluster_at(unused.end + 2);
                free.push_clear(&bits, passed * 8..geometry.clusters, &own, place, |taken| {
                    Error::corrupt(format!(
                        "calls cluster {} free, which its root directory, bitmap or up-case table takes",
                        taken + 2
                    ))
                    .at_offset(volume.disk_offset(at))
                })?;
                passed += len;
                at += len;
            }
        }
        Ok(())
    }
}
