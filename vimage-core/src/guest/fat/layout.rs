//! The boot sector, and where it says that everything is.

#![allow(dead_code, reason = "not all that structures on disk hold is wanted")]

use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use std::ops::Range;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Bits of [`BootSector::state`]: not unmounted, and wanting a check of its surface.
pub(super) const UNCLEAN: u8 = 0b11;

/// Fewer clusters are FAT12.
const LEAST_16: u64 = 4085;

/// Windows calls volumes of fewer clusters FAT12, against the specification.
const LEAST_16_OF_WINDOWS: u64 = 4087;

/// As many clusters are too many for FAT16.
const MOST_16: u64 = 65525;

/// Entries have 28 bits, of which the highest values are no clusters.
const MOST_32: u64 = 0x0FFF_FFF5;

/// What stands where FAT volumes name their maker, on volumes that are of another kind.
const OTHERS: [&[u8; 8]; 4] = [b"NTFS    ", b"EXFAT   ", b"-FVE-FS-", b"ReFS\0\0\0\0"];

/// Where BitLocker marks a volume that it makes look like FAT32, and how: encrypted whole, and in its used part only.
const BITLOCKER_AT: Range<usize> = 424..440;
const BITLOCKER: [[u8; 16]; 2] = [
    [0x3B, 0xD6, 0x67, 0x49, 0x29, 0x2E, 0xD8, 0x4A, 0x83, 0x99, 0xF6, 0xA3, 0x39, 0xE3, 0xD0, 0x01],
    [0x3B, 0x4D, 0xA8, 0x92, 0x80, 0xDD, 0x0E, 0x4D, 0x9E, 0x4E, 0xB1, 0xE3, 0x28, 0x4E, 0xAE, 0xD8],
];

/// The first 36 bytes, of all kinds.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Common {
    /*  0 */ jump: [u8; 3],
    /*  3 */ maker: [u8; 8],
    /* 11 */ sector: U16,
    /* 13 */ cluster_sectors: u8,
    /* 14 */ reserved: U16,
    /* 16 */ fats: u8,
    /* 17 */ root_entries: U16,
    /* 19 */ sectors_16: U16,
    /* 21 */ media: u8,
    /* 22 */ fat_sectors_16: U16,
    /* 24 */ track: U16,
    /* 26 */ heads: U16,
    /* 28 */ hidden: U32,
    /* 32 */ sectors_32: U32,
}

/// What follows in FAT12 and FAT16.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Narrow {
    /* 36 */ drive: u8,
    /* 37 */ state: u8,
    /* 38 */ mark: u8,
    /* 39 */ serial: U32,
    /* 43 */ label: [u8; 11],
    /* 54 */ kind: [u8; 8],
}

/// What follows in FAT32.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wide {
    /* 36 */ fat_sectors: U32,
    /* 40 */ flags: U16,
    /* 42 */ version: U16,
    /* 44 */ root: U32,
    /* 48 */ info: U16,
    /* 50 */ backup: U16,
    /* 52 */ reserved: [u8; 12],
    /* 64 */ drive: u8,
    /* 65 */ state: u8,
}

/// The boot sector of a FAT volume.
pub(super) struct BootSector {
    common: Common,
    narrow: Narrow,
    wide: Wide,
}

impl BootSector {
    /// That of `volume`, if it is one of FAT: it starts with a jump, its values can be, and no other kind's mark is on it.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn of(volume: &Volume<'_>) -> Result<Option<Self>> {
        if volume.size() < 512 {
            return Ok(None);
        }
        let bytes = volume.read(0, 512)?;
        let Ok((common, rest)) = Common::read_from_prefix(&bytes) else { return Ok(None) };
        let (Ok((narrow, _)), Ok((wide, _))) = (Narrow::read_from_prefix(rest), Wide::read_from_prefix(rest)) else {
            return Ok(None);
        };
        let boot = BootSector { common, narrow, wide };
        let is_other = OTHERS.contains(&&boot.common.maker)
            || boot.narrow.kind == *b"HPFS    "
            || BITLOCKER.iter().any(|mark| bytes[BITLOCKER_AT] == *mark);
        Ok((bytes[510..] == [0x55, 0xAA] && !is_other && boot.can_be()).then_some(boot))
    }

    /// Whether these are values of a FAT volume. Boot code of a partition table would have to be very lucky.
    fn can_be(&self) -> bool {
        let Common { jump, sector, cluster_sectors, reserved, fats, media, sectors_16, sectors_32, .. } = &self.common;
        matches!(jump, [0xEB, _, 0x90] | [0xE9, ..])
            && matches!(sector.get(), 512 | 1024 | 2048 | 4096)
            && cluster_sectors.is_power_of_two()
            && reserved.get() >= 1
            && (1..=4).contains(fats)
            && (*media == 0xF0 || *media >= 0xF8)
            && (sectors_16.get() != 0 || sectors_32.get() != 0)
            && (self.is_wide() == (self.common.root_entries.get() == 0))
            && self.clusters().is_some_and(|clusters| clusters > 0)
    }

    /// Whether it is laid out as FAT32.
    fn is_wide(&self) -> bool {
        self.common.fat_sectors_16.get() == 0
    }

    fn fat_sectors(&self) -> u64 {
        if self.is_wide() { self.wide.fat_sectors.get().into() } else { self.common.fat_sectors_16.get().into() }
    }

    fn sectors(&self) -> u64 {
        match self.common.sectors_16.get() {
            0 => self.common.sectors_32.get().into(),
            sectors => sectors.into(),
        }
    }

    fn root_bytes(&self) -> u64 {
        u64::from(self.common.root_entries.get()) * 32
    }

    /// The sector at which the clusters start. No number in it has more than 32 bits.
    fn data_sector(&self) -> u64 {
        let fats = u64::from(self.common.fats) * self.fat_sectors();
        u64::from(self.common.reserved.get()) + fats + self.root_bytes().div_ceil(self.common.sector.get().into())
    }

    /// The number of clusters; none where it leaves no room for any.
    fn clusters(&self) -> Option<u64> {
        let sectors = self.sectors().checked_sub(self.data_sector())?;
        sectors.checked_div(self.common.cluster_sectors.into())
    }

    /// What it is called.
    pub(super) fn kind(&self) -> &'static str {
        match self.clusters() {
            _ if self.is_wide() => "FAT32",
            Some(clusters) if clusters < LEAST_16 => "FAT12",
            _ => "FAT16",
        }
    }

    /// Whether it was left in order, as Windows NT and Linux note it here: see [`UNCLEAN`].
    pub(super) fn state(&self) -> u8 {
        if self.is_wide() { self.wide.state } else { self.narrow.state }
    }
}

/// Where the root directory is.
pub(super) enum Root {
    /// Before the clusters.
    Fixed(Range<u64>),
    /// In a chain of clusters that starts with this one.
    Chain(u64),
}

/// Where everything is, in bytes of the volume.
pub(super) struct Geometry {
    /// Bits of an entry of the table: 12, 16 or 32.
    pub(super) bits: u64,
    /// Bytes of a cluster.
    pub(super) cluster: u64,
    /// The number of clusters.
    pub(super) clusters: u64,
    /// Where the copies of the table that are in use start.
    pub(super) tables: Vec<u64>,
    pub(super) root: Root,
    /// The kind of medium, which stands in the table too.
    pub(super) media: u8,
    data: u64,
}

impl Geometry {
    /// What `boot` says.
    ///
    /// # Errors
    /// `Corrupt` where it contradicts itself or the volume, `Unsupported` where it is of an unknown version, or where systems
    /// disagree about what it is.
    pub(super) fn of(boot: &BootSector, volume: &Volume<'_>) -> Result<Self> {
        let at = volume.disk_offset(0);
        let corrupt = |message: String| Error::corrupt(message).at_offset(at);
        let unsupported = |message: String| Error::unsupported(message).at_offset(at);
        let sector = u64::from(boot.common.sector.get());
        let (sectors, clusters) = (boot.sectors(), boot.clusters().unwrap_or(0));
        if sectors * sector > volume.size() {
            return Err(corrupt(format!(
                "has {sectors} sectors of {sector} bytes in a volume of {} bytes",
                volume.size()
            )));
        }
        if boot.common.sectors_16.get() != 0 && ![0, sectors].contains(&boot.common.sectors_32.get().into()) {
            return Err(corrupt(format!("has {sectors} sectors, and {}", boot.common.sectors_32.get())));
        }
        let bits = match (boot.is_wide(), clusters) {
            // By the specification few clusters make it FAT16, which nobody believes: Linux, Windows and EDK II go by the layout.
            (true, 1..=MOST_32) => 32,
            (false, ..LEAST_16) => 12,
            (false, LEAST_16_OF_WINDOWS..MOST_16) => 16,
            (false, LEAST_16..LEAST_16_OF_WINDOWS) => {
                return Err(unsupported(format!(
                    "has {clusters} clusters, which is FAT12 to some systems and FAT16 to others"
                )));
            }
            (wide, _) => {
                let layout = if wide { "FAT32" } else { "FAT16" };
                return Err(unsupported(format!("is laid out as {layout}, which cannot have {clusters} clusters")));
            }
        };
        let named = &boot.narrow.kind;
        if boot.narrow.mark == 0x29
            && !boot.is_wide()
            && named.starts_with(b"FAT1")
            && &named[3..5] != bits.to_string().as_bytes()
        {
            return Err(unsupported(format!("is FAT{bits} by its {clusters} clusters, and says that it is not")));
        }
        let table = boot.fat_sectors() * sector;
        if (clusters + 2) * bits > table * 8 {
            return Err(corrupt(format!("has a table of {table} bytes for {clusters} clusters")));
        }
        let first = u64::from(boot.common.reserved.get()) * sector;
        let mut tables: Vec<_> = (0..u64::from(boot.common.fats)).map(|index| first + index * table).collect();
        let data = boot.data_sector() * sector;
        let mut root = Root::Fixed(data - boot.root_bytes().next_multiple_of(sector)..data);
        if let Root::Fixed(range) = &mut root {
            range.end = range.start + boot.root_bytes();
        }
        if boot.is_wide() {
            let start = u64::from(boot.wide.root.get());
            if boot.wide.version.get() != 0 {
                return Err(unsupported(format!("is FAT32 of version {:#06x}", boot.wide.version.get())));
            }
            if !(2..clusters + 2).contains(&start) {
                return Err(corrupt(format!("has its root directory in cluster {start} of {clusters}")));
            }
            root = Root::Chain(start);
            let flags = boot.wide.flags.get();
            if flags & 0x80 != 0 {
                // Only one copy is kept.
                let active = usize::from(flags & 0xF);
                let Some(&only) = tables.get(active) else {
                    return Err(corrupt(format!("has {} tables and uses number {active}", tables.len())));
                };
                tables = vec![only];
            }
        }
        let cluster = u64::from(boot.common.cluster_sectors) * sector;
        Ok(Geometry { bits, cluster, clusters, tables, root, media: boot.common.media, data })
    }

    /// The number of entries of the table: two that stand for no cluster come first.
    pub(super) fn entries(&self) -> u64 {
        self.clusters + 2
    }

    /// Where cluster `number` starts, which must be one.
    pub(super) fn cluster_at(&self, number: u64) -> u64 {
        self.data + (number - 2) * self.cluster
    }

    /// The bits of an entry that count.
    pub(super) fn mask(&self) -> u32 {
        // Four bits of 32 are reserved.
        if self.bits == 32 { 0x0FFF_FFFF } else { (1 << self.bits) - 1 }
    }
}
