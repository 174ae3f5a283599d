//! The boot region, and where it says that everything is.

#![allow(dead_code, reason = "not all that structures on disk hold is wanted")]

use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// What the boot sector starts with: a jump, and the name.
const MARK: &[u8; 11] = b"\xEB\x76\x90EXFAT   ";

/// Sectors of the boot region before the one that holds its checksum.
const SUMMED: usize = 11;

/// Bytes of the boot sector that change in use, and are not part of the checksum.
const UNSUMMED: [usize; 3] = [106, 107, 112];

/// The most clusters.
const MOST: u32 = u32::MAX - 10;

/// Bits of [`Boot::flags`]. Two more exist: that the second table is in use, and one without meaning.
mod flag {
    pub(super) const DIRTY: u16 = 2;
    pub(super) const FAILURE: u16 = 4;
    pub(super) const MEANINGLESS: u16 = 8;
}

/// The first 120 bytes of the boot sector.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Boot {
    /*   0 */ mark: [u8; 11],
    /*  11 */ zero: [u8; 53],
    /*  64 */ partition: U64,
    /*  72 */ sectors: U64,
    /*  80 */ table: U32,
    /*  84 */ table_sectors: U32,
    /*  88 */ heap: U32,
    /*  92 */ clusters: U32,
    /*  96 */ root: U32,
    /* 100 */ serial: U32,
    /* 104 */ revision: U16,
    /* 106 */ flags: U16,
    /* 108 */ sector_shift: u8,
    /* 109 */ cluster_shift: u8,
    /* 110 */ tables: u8,
    /* 111 */ drive: u8,
    /* 112 */ percent: u8,
    /* 113 */ reserved: [u8; 7],
}

impl Boot {
    /// The boot sector of `volume`, if it is one of exFAT.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn of(volume: &Volume<'_>) -> Result<Option<Self>> {
        if volume.size() < 512 {
            return Ok(None);
        }
        let bytes = volume.read(0, 512)?;
        let boot = Boot::read_from_prefix(&bytes).ok().map(|(boot, _)| boot);
        Ok(boot.filter(|boot| boot.mark == *MARK && boot.zero == [0; 53] && bytes[510..] == [0x55, 0xAA]))
    }
}

/// Where everything is, in bytes of the volume.
pub(super) struct Geometry {
    /// Where the table of chains starts.
    pub(super) table: u64,
    /// Bytes of a cluster.
    pub(super) cluster: u64,
    /// The number of clusters. The first of them has the number 2.
    pub(super) clusters: u64,
    /// The first cluster of the root directory.
    pub(super) root: u64,
    heap: u64,
}

impl Geometry {
    /// What `boot` says.
    ///
    /// # Errors
    /// `Corrupt` where it contradicts itself, its checksum or the volume; `Unsupported` where it is in use or not known.
    pub(super) fn of(boot: &Boot, volume: &Volume<'_>) -> Result<Self> {
        let at = volume.disk_offset(0);
        let corrupt = |message: String| Error::corrupt(message).at_offset(at);
        let unsupported = |message: String| Error::unsupported(message).at_offset(at);
        let (sectors, shift) = (u32::from(boot.sector_shift), u32::from(boot.cluster_shift));
        if !(9..=12).contains(&sectors) || shift > 25 - sectors {
            return Err(corrupt(format!("has sectors of 2^{sectors} bytes and clusters of 2^{shift} sectors")));
        }
        verify(volume, 1 << sectors)?;
        if boot.revision.get() >> 8 != 1 {
            return Err(unsupported(format!("is exFAT of revision {:#06x}", boot.revision.get())));
        }
        if boot.tables != 1 {
            return Err(unsupported(format!("has {} tables, as TexFAT has", boot.tables)));
        }
        let flags = boot.flags.get();
        if flags & flag::FAILURE != 0 {
            return Err(unsupported("is marked as failing".into()).with_hint("have it checked by its own system"));
        }
        if flags & flag::DIRTY != 0 {
            return Err(unsupported("is marked as in use: it was not unmounted".into())
                .with_hint("have it checked by its own system (chkdsk /f, fsck.exfat), and unmount it in order"));
        }
        if flags & !flag::MEANINGLESS != 0 {
            return Err(unsupported(format!("has flags that are not known: {flags:#06x}")));
        }
        if boot.percent > 100 && boot.percent != 0xFF {
            return Err(corrupt(format!("is {} % in use", boot.percent)));
        }
        let clusters = u64::from(boot.clusters.get());
        let total = boot.sectors.get();
        if total.checked_mul(1 << sectors).is_none_or(|bytes| bytes > volume.size()) {
            return Err(corrupt(format!(
                "has {total} sectors of {} bytes in a volume of {} bytes",
                1 << sectors,
                volume.size()
            )));
        }
        let table = u64::from(boot.table.get());
        let table_end = table + u64::from(boot.table_sectors.get());
        let heap = u64::from(boot.heap.get());
        let heap_end = heap + (clusters << shift);
        let needed = ((clusters + 2) * 4).div_ceil(1 << sectors);
        let fits = table >= 24 && table_end - table >= needed && table_end <= heap && heap_end <= total;
        if !fits || clusters == 0 || boot.clusters.get() > MOST {
            return Err(corrupt(format!(
                "has its table in sectors {table} to {table_end} and {clusters} clusters in {heap} to {heap_end} of {total}"
            )));
        }
        let root = u64::from(boot.root.get());
        if !(2..clusters + 2).contains(&root) {
            return Err(corrupt(format!("has its root directory in cluster {root} of {clusters}")));
        }
        let geometry = Geometry {
            table: table << sectors,
            cluster: 1 << (sectors + shift),
            clusters,
            root,
            heap: heap << sectors,
        };
        let media = volume.read(geometry.table, 4)?;
        if media != [0xF8, 0xFF, 0xFF, 0xFF] {
            return Err(Error::corrupt(format!("has a table that starts with {media:02x?}"))
                .at_offset(volume.disk_offset(geometry.table)));
        }
        Ok(geometry)
    }

    /// Where cluster `number` starts.
    pub(super) fn cluster_at(&self, number: u64) -> u64 {
        self.heap + (number - 2) * self.cluster
    }
}

/// Checks the checksum of the boot region.
fn verify(volume: &Volume<'_>, sector: usize) -> Result<()> {
    let region = volume.read(0, sector * (SUMMED + 1))?;
    let (summed, sums) = region.split_at(sector * SUMMED);
    let sum = summed
        .iter()
        .enumerate()
        .filter(|(at, _)| !UNSUMMED.contains(at))
        .fold(0_u32, |sum, (_, byte)| sum.rotate_right(1).wrapping_add((*byte).into()));
    // Its sector is filled with it.
    if sums.chunks_exact(4).all(|found| *found == sum.to_le_bytes()) {
        return Ok(());
    }
    Err(Error::corrupt("has a boot region that does not fit its checksum")
        .at_offset(volume.disk_offset((sector * SUMMED) as u64)))
}
