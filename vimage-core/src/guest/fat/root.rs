//! The root directory: it must not lie in free clusters, and tells whether a Windows sleeps on the volume.

use super::layout::{Geometry, Root};
use super::table::{Clusters, entry};
use crate::error::{Error, Result};
use crate::guest::sleep;
use crate::guest::volume::Volume;

/// The most bytes that a directory has: 65,536 entries.
const MOST: u64 = 65_536 * 32;

/// What `hiberfil.sys` is called in a directory.
const HIBERNATION: &[u8; 11] = b"HIBERFILSYS";

/// Bits of an entry's attributes: a label or a part of a long name, a directory.
const NO_FILE: u8 = 0x08 | 0x10;

/// Checks that none of the root directory's clusters is free.
///
/// # Errors
/// `Corrupt` where one is, or where it cannot be followed.
pub(super) fn check(volume: &Volume<'_>, geometry: &Geometry, unused: &Clusters) -> Result<()> {
    let Root::Chain(first) = geometry.root else { return Ok(()) };
    chain(volume, geometry, first, |cluster| match unused.has(cluster) {
        false => Ok(false),
        true => Err(Error::corrupt("has its root directory in a free cluster")
            .at_offset(volume.disk_offset(geometry.cluster_at(cluster)))),
    })
}

/// Why a Windows is taken to sleep on the volume, if it is.
///
/// # Errors
/// `Corrupt` where the root directory cannot be followed.
pub(super) fn asleep(volume: &Volume<'_>, geometry: &Geometry) -> Result<Option<Error>> {
    let mut found = None;
    match &geometry.root {
        Root::Fixed(range) => {
            let held = volume.read(range.start, (range.end - range.start) as usize)?;
            look_through(volume, geometry, &held, &mut found)?;
        }
        Root::Chain(first) => chain(volume, geometry, *first, |cluster| {
            let held = volume.read(geometry.cluster_at(cluster), geometry.cluster as usize)?;
            look_through(volume, geometry, &held, &mut found)
        })?,
    }
    Ok(found.map(|at| sleep::windows(volume.disk_offset(at))))
}

/// Calls `each` with the clusters of a directory, until it says that this was the last.
fn chain(
    volume: &Volume<'_>,
    geometry: &Geometry,
    first: u64,
    mut each: impl FnMut(u64) -> Result<bool>,
) -> Result<()> {
    let mut cluster = first;
    let mut passed = 0;
    while (2..geometry.entries()).contains(&cluster) {
        passed += geometry.cluster;
        if passed > MOST.max(geometry.cluster) {
            return Err(Error::corrupt("has its root directory in more clusters than can be")
                .at_offset(volume.disk_offset(geometry.cluster_at(cluster))));
        }
        if each(cluster)? {
            break;
        }
        let next = volume.read(geometry.tables[0] + cluster * 4, 4)?;
        cluster = u64::from(entry(&next, 0, 32) & geometry.mask());
    }
    Ok(())
}

/// Looks through one stretch of a directory, and says whether it ends there. `found` becomes the volume's byte at which the
/// memory of a Windows is.
fn look_through(volume: &Volume<'_>, geometry: &Geometry, held: &[u8], found: &mut Option<u64>) -> Result<bool> {
    for item in held.chunks_exact(32) {
        match item[0] {
            0 => return Ok(true),
            0xE5 => continue,
            _ if item[11] & NO_FILE != 0 || item[..11] != *HIBERNATION => continue,
            _ => {}
        }
        let low = u64::from(u16::from_le_bytes([item[26], item[27]]));
        let high = u64::from(u16::from_le_bytes([item[20], item[21]]));
        let size = u64::from(u32::from_le_bytes([item[28], item[29], item[30], item[31]]));
        let cluster = if geometry.bits == 32 { high << 16 | low } else { low };
        let (mut at, mut head) = (0, Vec::new());
        if (2..geometry.entries()).contains(&cluster) {
            at = geometry.cluster_at(cluster);
            if size >= sleep::HEAD {
                head = volume.read(at, geometry.cluster.min(sleep::HEAD) as usize)?;
            }
        }
        if !sleep::is_awake(&head) {
            *found = Some(at);
        }
    }
    Ok(false)
}
