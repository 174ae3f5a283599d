//! COWD: the deltas of ESX, "ESX Server Sparse Extents".

use super::grains::{Grain, GrainedExtent, Tables};
use super::layout::{COWD_GTES, COWD_MAGIC, CowdHeader, SECTOR};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::limits::vmdk::{LARGEST_GRAIN, MOST_TABLES};
use std::path::PathBuf;
use std::sync::Arc;
use zerocopy::FromBytes;

/// Opens the first `size` bytes of a COWD extent.
///
/// # Errors
/// `Corrupt` when its header or its directory cannot be; `Unsupported` for another version than 1.
pub(super) fn open(file: Arc<dyn ReadAt>, path: PathBuf, size: u64) -> Result<GrainedExtent> {
    let (grain, directory) = read(file.as_ref(), size).map_err(|error| error.at_path(&path))?;
    Ok(GrainedExtent::plain(file, path, size, grain, CowdTables(directory)))
}

/// The grain's bytes, and the sectors of the tables.
fn read(file: &dyn ReadAt, size: u64) -> Result<(u64, Vec<u32>)> {
    let mut bytes = [0; size_of::<CowdHeader>()];
    let read = file.read_exact_at(&mut bytes, 0);
    read.map_err(|cause| Error::io("cannot read the COWD header", cause).at_offset(0))?;
    let header = CowdHeader::read_from_bytes(&bytes).map_err(|_| Error::corrupt("no header"))?;
    if header.magic != COWD_MAGIC {
        return Err(Error::corrupt("is not an ESX delta: it does not begin with COWD").at_offset(0));
    }
    if header.version.get() != 1 {
        return Err(Error::unsupported(format!("COWD version {}: only 1 is known", header.version.get())).at_offset(4));
    }
    let (sectors, grain) = (u64::from(header.num_sectors.get()), u64::from(header.grain_size.get()));
    if sectors * SECTOR < size {
        return Err(Error::corrupt(format!(
            "is too short: its header says {} bytes of disk, the descriptor wants {size}",
            sectors * SECTOR
        ))
        .at_offset(0xc));
    }
    if !grain.is_power_of_two() || grain > LARGEST_GRAIN {
        return Err(Error::corrupt(format!("a grain of {grain} sectors")).at_offset(0x10));
    }
    let grain = grain * SECTOR;
    let needed = size.div_ceil(grain * u64::from(COWD_GTES));
    let (count, at) = (u64::from(header.num_gd_entries.get()), u64::from(header.gd_offset.get()) * SECTOR);
    if count < needed || needed > MOST_TABLES || needed * 4 > file.size().saturating_sub(at) {
        return Err(
            Error::corrupt(format!("a grain directory of {count} entries where {needed} are needed")).at_offset(at)
        );
    }
    let mut bytes = vec![0; needed as usize * 4];
    let read = file.read_exact_at(&mut bytes, at);
    read.map_err(|cause| Error::io("cannot read the grain directory", cause).at_offset(at))?;
    Ok((grain, bytes.as_chunks::<4>().0.iter().map(|entry| u32::from_le_bytes(*entry)).collect()))
}

struct CowdTables(Vec<u32>);

impl Tables for CowdTables {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn table_at(&self, index: usize) -> Option<u64> {
        self.0.get(index).filter(|&&sector| sector != 0).map(|&sector| u64::from(sector) * SECTOR)
    }

    fn entry_len(&self) -> usize {
        4
    }

    fn entries(&self) -> usize {
        COWD_GTES as usize
    }

    fn grain(&self, entry: u64) -> Result<Grain> {
        Ok(if entry == 0 { Grain::Absent } else { Grain::At(entry * SECTOR) })
    }
}
