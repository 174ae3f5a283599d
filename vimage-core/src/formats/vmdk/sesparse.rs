//! seSparse: the space-efficient deltas of ESXi, as QEMU's block/vmdk.c documents them.

use super::grains::{Grain, GrainedExtent, Tables};
use super::layout::{
    Area, SECTOR, SESPARSE_MAGIC, SESPARSE_VERSION, SESPARSE_VOLATILE_MAGIC, SeSparseHeader, SeSparseVolatile,
};
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::limits::vmdk::MOST_TABLES;
use std::path::PathBuf;
use std::sync::Arc;
use zerocopy::FromBytes;

/// Sectors of a grain and of a grain table: the only sizes known.
const GRAIN: u64 = 8;
const TABLE: u64 = 64;

/// Entries of a grain table.
const ENTRIES: u64 = TABLE * SECTOR / 8;

/// Opens the first `size` bytes of a seSparse extent.
///
/// # Errors
/// `Corrupt` when its headers or its directory cannot be; `Unsupported` for other versions and sizes than the known one,
/// and when its journal was not replayed.
pub(super) fn open(file: Arc<dyn ReadAt>, path: PathBuf, size: u64) -> Result<GrainedExtent> {
    let tables = read(file.as_ref(), size).map_err(|error| error.at_path(&path))?;
    Ok(GrainedExtent::plain(file, path, size, GRAIN * SECTOR, tables))
}

fn read(file: &dyn ReadAt, size: u64) -> Result<SeSparseTables> {
    let mut bytes = [0; size_of::<SeSparseHeader>()];
    let read = file.read_exact_at(&mut bytes, 0);
    read.map_err(|cause| Error::io("cannot read the seSparse header", cause).at_offset(0))?;
    let header = SeSparseHeader::read_from_bytes(&bytes).map_err(|_| Error::corrupt("no header"))?;
    if header.magic.get() != SESPARSE_MAGIC {
        return Err(Error::corrupt("is not a seSparse extent: it does not begin with 0xcafebabe").at_offset(0));
    }
    let known = [
        (0x08, "version", header.version.get(), SESPARSE_VERSION),
        (0x18, "grain size", header.grain_size.get(), GRAIN),
        (0x20, "grain table size", header.grain_table_size.get(), TABLE),
        (0x28, "flags", header.flags.get(), 0),
    ];
    for (offset, name, found, known) in known {
        if found != known {
            return Err(
                Error::unsupported(format!("seSparse {name} {found:#x}: only {known:#x} is known")).at_offset(offset)
            );
        }
    }
    let held = header.capacity.get().saturating_mul(SECTOR);
    if held < size {
        let message = format!("is too short: its header says {held} bytes of disk, the descriptor wants {size}");
        return Err(Error::corrupt(message).at_offset(0x10));
    }
    check_journal(file, &header.volatile_header)?;
    let needed = size.div_ceil(GRAIN * SECTOR * ENTRIES);
    let at = header.grain_directory.offset.get().saturating_mul(SECTOR);
    let there = header.grain_directory.size.get().saturating_mul(SECTOR).min(file.size().saturating_sub(at)) / 8;
    if needed > MOST_TABLES || needed > there {
        return Err(
            Error::corrupt(format!("a grain directory of {there} entries where {needed} are needed")).at_offset(at)
        );
    }
    let mut bytes = vec![0; needed as usize * 8];
    let read = file.read_exact_at(&mut bytes, at);
    read.map_err(|cause| Error::io("cannot read the grain directory", cause).at_offset(at))?;
    let entries = bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_le_bytes(*entry));
    let directory = entries.zip(0_u64..).map(|(entry, index)| match (entry, entry >> 32) {
        (0, _) => Ok(None),
        (_, 0x1000_0000) => Ok(Some(entry as u32)),
        _ => {
            Err(Error::corrupt(format!("the grain directory's entry {index} is {entry:#x}")).at_offset(at + index * 8))
        }
    });
    Ok(SeSparseTables {
        directory: directory.collect::<Result<_>>()?,
        tables: header.grain_tables.offset.get(),
        grains: header.grains.offset.get(),
    })
}

/// Writes that were promised and not carried out would be missing.
fn check_journal(file: &dyn ReadAt, area: &Area) -> Result<()> {
    let at = area.offset.get().saturating_mul(SECTOR);
    let mut bytes = [0; size_of::<SeSparseVolatile>()];
    let read = file.read_exact_at(&mut bytes, at);
    read.map_err(|cause| Error::io("cannot read the volatile header", cause).at_offset(at))?;
    let header = SeSparseVolatile::read_from_bytes(&bytes).map_err(|_| Error::corrupt("no header"))?;
    if header.magic.get() != SESPARSE_VOLATILE_MAGIC {
        return Err(Error::corrupt("the volatile header does not begin with 0xcafecafe").at_offset(at));
    }
    if header.replay_journal.get() != 0 {
        return Err(Error::unsupported("its journal must be replayed first")
            .at_offset(at)
            .with_hint("open and close the disk once on the ESXi host that wrote it"));
    }
    Ok(())
}

struct SeSparseTables {
    /// The number of each table.
    directory: Vec<Option<u32>>,
    /// The sectors at which tables and grains start.
    tables: u64,
    grains: u64,
}

impl Tables for SeSparseTables {
    fn count(&self) -> usize {
        self.directory.len()
    }

    fn table_at(&self, index: usize) -> Option<u64> {
        let number = u64::from((*self.directory.get(index)?)?);
        Some(self.tables.saturating_add(number * TABLE).saturating_mul(SECTOR))
    }

    fn entry_len(&self) -> usize {
        8
    }

    fn entries(&self) -> usize {
        ENTRIES as usize
    }

    /// The top nibble is the kind; a grain's number is kept with its low 12 bits above its high 48.
    fn grain(&self, entry: u64) -> Result<Grain> {
        match entry >> 60 {
            0 if entry == 0 => Ok(Grain::Absent),
            1 | 2 => Ok(Grain::Zero),
            3 => {
                let number = (entry & 0x0fff_0000_0000_0000) >> 48 | (entry & 0x0000_ffff_ffff_ffff) << 12;
                let sector = number.saturating_mul(GRAIN).saturating_add(self.grains);
                Ok(Grain::At(sector.saturating_mul(SECTOR)))
            }
            _ => Err(Error::corrupt(format!("a grain table entry is {entry:#018x}, which is of no known kind"))),
        }
    }
}
