//! The boot sector, and the volume's measures.

use super::layout::BootSector;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use std::ops::Range;
use zerocopy::FromBytes;

/// The largest cluster: 2 MiB.
const LARGEST_CLUSTER: u64 = 2 << 20;

/// The most clusters: Windows makes no volumes of more.
const MOST_CLUSTERS: u64 = u32::MAX as u64;

/// The boot sector of `volume`, if it is one of NTFS.
///
/// # Errors
/// Those of reading.
pub(super) fn sector(volume: &Volume<'_>) -> Result<Option<BootSector>> {
    if volume.size() < 512 {
        return Ok(None);
    }
    let sector = BootSector::read_from_bytes(&volume.read(0, 512)?).ok();
    Ok(sector.filter(|sector| sector.maker == *b"NTFS    " && sector.signature == [0x55, 0xAA]))
}

/// The volume's measures, in bytes.
pub(super) struct Geometry {
    pub(super) cluster: u64,
    /// The number of clusters. The copy of the boot sector lies behind the last.
    pub(super) clusters: u64,
    /// Bytes of a record of the master file table.
    pub(super) record: u64,
    /// The cluster in which the master file table starts, and that in which its copy does.
    pub(super) mft: u64,
    pub(super) mirror: u64,
}

impl Geometry {
    /// What the boot sector says.
    ///
    /// # Errors
    /// `Corrupt` where it contradicts itself or the volume, `Unsupported` for measures that are not in use.
    pub(super) fn of(boot: &BootSector, volume: &Volume<'_>) -> Result<Self> {
        let at = volume.disk_offset(0);
        let sector = u64::from(boot.sector.get());
        // Large ones are kept as the power of two, negated.
        let sectors = match boot.cluster_sectors {
            count @ 1..=0x80 if count.is_power_of_two() => count.into(),
            power @ 0xF4..=0xFF => 1 << (256 - u64::from(power)),
            _ => 0,
        };
        let cluster = sector * sectors;
        if !matches!(sector, 512 | 1024 | 2048 | 4096) || cluster == 0 || cluster > LARGEST_CLUSTER {
            let what = format!("has sectors of {sector} bytes, {sectors} to a cluster");
            return Err(Error::unsupported(what).at_offset(at));
        }
        let record = match boot.record_clusters {
            power @ -16..=-1 => 1 << -power,
            clusters @ 1..=64 => clusters as u64 * cluster,
            _ => 0,
        };
        if !matches!(record, 1024 | 2048 | 4096) {
            return Err(Error::unsupported(format!("has file records of {record} bytes")).at_offset(at));
        }
        let total = boot.sectors.get();
        if total.checked_mul(sector).is_none_or(|bytes| bytes > volume.size()) {
            let what = format!("has {total} sectors of {sector} bytes in a volume of {} bytes", volume.size());
            return Err(Error::corrupt(what).at_offset(at));
        }
        let geometry =
            Geometry { cluster, clusters: total / sectors, record, mft: boot.mft.get(), mirror: boot.mirror.get() };
        if geometry.clusters > MOST_CLUSTERS {
            return Err(Error::unsupported(format!("has {} clusters", geometry.clusters)).at_offset(at));
        }
        if geometry.mft >= geometry.clusters || geometry.mirror >= geometry.clusters {
            let Geometry { mft, mirror, clusters, .. } = geometry;
            let what = format!("has its file table in clusters {mft} and {mirror} of {clusters}");
            return Err(Error::corrupt(what).at_offset(at));
        }
        Ok(geometry)
    }

    /// The bytes of clusters, which must be the volume's.
    pub(super) fn bytes(&self, clusters: Range<u64>) -> Range<u64> {
        clusters.start * self.cluster..clusters.end * self.cluster
    }
}
