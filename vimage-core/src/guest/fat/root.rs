//! The root directory: it must not lie in free clusters, and tells whether a Windows sleeps on the volume.

use super::layout::{Geometry, Root};
use super::table::{Clusters, entry};
use crate::error::{Error, Result};
use crate::guest::ASLEEP;
use crate::guest::volume::Volume;

/// The most bytes that a directory has: 65,536 entries.
const MOST: u64 = 65_536 * 32;

/// What `hiberfil.sys` is called in a directory.
const HIBERNATION: &[u8; 11] = b"HIBERFILSYS";

/// Bits of an entry's attributes: a label or a part of a long name, a directory.
const NO_FILE: u8 = 0x08 | 0x10;

/// Looks through the root directory.
///
/// # Errors
/// `Corrupt` where it cannot be followed; `Unsupported` where a Windows is hibernated.
pub(super) fn check(volume: &Volume<'_>, geometry: &Geometry, unused: &Clusters) -> Result<()> {
    match &geometry.root {
        Root::Fixed(range) => {
            look_through(volume, geometry, &volume.read(range.start, (range.end - range.start) as usize)?)?;
        }
        Root::Chain(first) => {
            let mut cluster = *first;
            let mut passed = 0;
            while (2..geometry.entries()).contains(&cluster) {
                passed += geometry.cluster;
                if unused.has(cluster) || passed > MOST.max(geometry.cluster) {
                    let fault = if unused.has(cluster) { "a free cluster" } else { "more clusters than can be" };
                    return Err(Error::corrupt(format!("has its root directory in {fault}"))
                        .at_offset(volume.disk_offset(geometry.cluster_at(cluster))));
                }
                let held = volume.read(geometry.cluster_at(cluster), geometry.cluster as usize)?;
                if look_through(volume, geometry, &held)? {
                    break;
                }
                let next = volume.read(geometry.tables[0] + cluster * 4, 4)?;
                cluster = u64::from(entry(&next, 0, 32) & geometry.mask());
            }
        }
    }
    Ok(())
}

/// Looks through one stretch of a directory, and says whether it ends there.
fn look_through(volume: &Volume<'_>, geometry: &Geometry, held: &[u8]) -> Result<bool> {
    for item in held.chunks_exact(32) {
        match item[0] {
            0 => return Ok(true),
            0xE5 => continue,
            _ if item[11] & NO_FILE != 0 || item[..11] != *HIBERNATION => continue,
            _ => {}
        }
        let low = u64::from(u16::from_le_bytes([item[26], item[27]]));
        let high = u64::from(u16::from_le_bytes([item[20], item[21]]));
        let cluster = if geometry.bits == 32 { high << 16 | low } else { low };
        if !(2..geometry.entries()).contains(&cluster) {
            continue;
        }
        let at = geometry.cluster_at(cluster);
        // A file that sleeps no longer is wiped, or says that it was woken.
        if !matches!(&volume.read(at, 4)?[..], [0, 0, 0, 0] | b"wake" | b"WAKE") {
            return Err(Error::unsupported(format!("{ASLEEP} Windows"))
                .at_offset(volume.disk_offset(at))
                .with_hint("start it, and shut it down in full"));
        }
    }
    Ok(false)
}
