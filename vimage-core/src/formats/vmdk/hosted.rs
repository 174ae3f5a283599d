//! Hosted sparse extents: monolithicSparse, split, streamOptimized.

use super::grains::{Form, Grain, GrainedExtent, Tables};
use super::layout::{
    COMPRESSION_DEFLATE, GD_AT_END, HOSTED_MAGIC, Marker, NEWLINES, SECTOR, SparseHeader, flags, marker,
};
use crate::error::{Error, Result};
use crate::formats::cache::TableCache;
use crate::io::ReadAt;
use crate::limits::vmdk::{LARGEST_GRAIN, MOST_TABLES};
use crate::zero::is_zero;
use std::path::PathBuf;
use std::sync::Arc;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U32;

/// Zeros behind the end of a stream that are looked over in search of its footer: more than any tool is known to leave.
pub(super) const TAIL: u64 = 1 << 20;

/// A header whose every field was checked, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosted {
    pub(super) version: u32,
    pub(super) capacity: u64,
    pub(super) grain: u64,
    pub(super) form: Form,
    /// Whether the directory is after the grains, found by a footer.
    pub(super) footer: bool,
    pub(super) unclean: bool,
    /// Where the embedded descriptor is, and the bytes that it has.
    pub(super) descriptor: Option<(u64, u64)>,
    /// Whether an entry of 1 is a grain of zeros.
    pub(super) zeroed_grains: bool,
    /// Entries of a grain table.
    pub(super) entries: u32,
    /// The sector of the grain directory.
    pub(super) directory: u64,
    /// That of the redundant one.
    pub(super) redundant: Option<u64>,
}

impl Hosted {
    /// Reads and checks the header of `file`.
    ///
    /// # Errors
    /// `Corrupt` when a field cannot be, `Unsupported` for versions, flags and compressions that are not known.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self> {
        let header = header_at(file, 0)?;
        let mut hosted = Self::check(&header)?;
        if header.gd_offset.get() == GD_AT_END {
            let footer = find_footer(file)?;
            let found = header_at(file, footer)?;
            let end = hosted.checked_footer(&found).map_err(|error| error.at_offset(footer))?;
            hosted = Hosted { footer: true, descriptor: hosted.descriptor, ..end };
        }
        Ok(hosted)
    }

    /// Checks the footer `found` of this extent.
    ///
    /// # Errors
    /// As [`check`](Self::check), and `Corrupt` when it contradicts the header.
    pub(super) fn checked_footer(&self, found: &SparseHeader) -> Result<Self> {
        let end = Self::check(found)?;
        if end.directory == GD_AT_END {
            return Err(Error::corrupt("the footer too says that the grain directory is elsewhere"));
        }
        if (end.capacity, end.grain, end.entries, end.form) != (self.capacity, self.grain, self.entries, self.form) {
            return Err(Error::corrupt("the footer contradicts the header"));
        }
        Ok(end)
    }

    /// Checks a header by itself.
    ///
    /// # Errors
    /// `Corrupt` when a field cannot be, `Unsupported` for versions, flags and compressions that are not known.
    pub(super) fn check(header: &SparseHeader) -> Result<Self> {
        let version = header.version.get();
        let known = flags::COMPRESSED | flags::MARKERS;
        let flags = header.flags.get();
        let (capacity, grain) = (header.capacity.get(), header.grain_size.get());
        let entries = header.num_gtes_per_gt.get();
        let algorithm = header.compress_algorithm.get();
        if !(1..=3).contains(&version) {
            return Err(Error::unsupported(format!("VMDK header version {version}: 1 to 3 are known")).at_offset(4));
        }
        if flags >> 16 & !(known >> 16) != 0 {
            let unknown = flags & 0xffff_0000 & !known;
            return Err(Error::unsupported(format!("VMDK header flags {unknown:#010x} are not known")).at_offset(8));
        }
        if flags & flags::NEWLINE_TEST != 0 && header.newlines != NEWLINES {
            return Err(Error::corrupt(
                "the file was changed by a transfer as text: its line ends are not what they were",
            )
            .at_offset(0x49)
            .with_hint("transfer it again, as binary"));
        }
        if !grain.is_power_of_two() || grain > LARGEST_GRAIN {
            return Err(Error::corrupt(format!(
                "a grain of {grain} sectors: it must be a power of two of at most {LARGEST_GRAIN}"
            ))
            .at_offset(0x14));
        }
        if capacity > i64::MAX as u64 / SECTOR {
            return Err(
                Error::corrupt(format!("a capacity of {capacity} sectors: no disk has 2^63 bytes")).at_offset(0xc)
            );
        }
        if !(1..=512).contains(&entries) {
            return Err(Error::corrupt(format!("grain tables of {entries} entries: 512 is the rule")).at_offset(0x2c));
        }
        let form = match (flags & flags::COMPRESSED != 0, flags & flags::MARKERS != 0) {
            (false, _) => Form::Plain,
            (true, true) => Form::Marked,
            (true, false) => Form::Bare,
        };
        if form != Form::Plain && algorithm != COMPRESSION_DEFLATE {
            return Err(
                Error::unsupported(format!("VMDK compression {algorithm}: only deflate, 1, is known")).at_offset(0x4d)
            );
        }
        let bytes = |sectors: u64| sectors.saturating_mul(SECTOR);
        let descriptor = (bytes(header.descriptor_offset.get()), bytes(header.descriptor_size.get()));
        Ok(Hosted {
            version,
            capacity: capacity * SECTOR,
            grain: grain * SECTOR,
            form,
            footer: false,
            unclean: header.unclean_shutdown != 0,
            descriptor: Some(descriptor).filter(|&(offset, size)| offset != 0 && size != 0),
            zeroed_grains: flags & flags::ZEROED_GRAIN != 0,
            entries,
            directory: header.gd_offset.get(),
            redundant: Some(header.rgd_offset.get()).filter(|&at| at != 0 && flags & flags::REDUNDANT_GD != 0),
        })
    }

    /// Opens the extent's first `size` bytes.
    ///
    /// # Errors
    /// `Corrupt` when it has fewer, or its directory is not in the file.
    pub(super) fn open(self, file: Arc<dyn ReadAt>, path: PathBuf, size: u64) -> Result<GrainedExtent> {
        if self.capacity < size {
            return Err(Error::corrupt(format!(
                "is too short: its header says {} bytes of disk, the descriptor wants {size}",
                self.capacity
            ))
            .at_path(path));
        }
        let directory = self.read_directory(file.as_ref(), self.tables(size));
        let directory = directory.map_err(|error| error.at_path(&path))?;
        let tables = HostedTables { directory, entries: self.entries as usize, zeroed_grains: self.zeroed_grains };
        Ok(GrainedExtent {
            file,
            path,
            size,
            grain: self.grain,
            form: self.form,
            tables: Box::new(tables),
            kept: TableCache::default(),
        })
    }

    /// The grain tables that the first `size` bytes of the disk have.
    pub(super) fn tables(&self, size: u64) -> u64 {
        size.div_ceil(self.grain * u64::from(self.entries))
    }

    /// The sectors of the grain tables. Where the primary directory is damaged, the redundant one stands in.
    fn read_directory(&self, file: &dyn ReadAt, tables: u64) -> Result<Vec<u32>> {
        let primary = read_entries(file, self.directory, tables);
        let redundant = self.redundant.map(|at| read_entries(file, at, tables));
        let table = u64::from(self.entries) * 4;
        let inside = |entry: u32| entry != 0 && u64::from(entry) * SECTOR + table <= file.size();
        match (primary, redundant) {
            (Ok(mut primary), Some(Ok(redundant))) => {
                for (entry, spare) in primary.iter_mut().zip(redundant) {
                    if !inside(*entry) && inside(spare) {
                        *entry = spare;
                    }
                }
                Ok(primary)
            }
            (Err(_), Some(Ok(redundant))) => Ok(redundant),
            (primary, _) => primary,
        }
    }
}

pub(super) fn header_at(file: &dyn ReadAt, offset: u64) -> Result<SparseHeader> {
    let mut bytes = [0; SECTOR as usize];
    file.read_exact_at(&mut bytes, offset).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            Error::corrupt(format!("is cut off within its header: it has {} bytes", file.size())).at_offset(offset)
        }
        _ => Error::io("cannot read the header", cause).at_offset(offset),
    })?;
    header_in(&bytes).map_err(|error| error.at_offset(offset))
}

/// The header in a sector.
pub(super) fn header_in(sector: &[u8; SECTOR as usize]) -> Result<SparseHeader> {
    let header = SparseHeader::read_from_bytes(sector).map_err(|_| Error::corrupt("no header"))?;
    if header.magic == HOSTED_MAGIC {
        return Ok(header);
    }
    Err(Error::corrupt("is not a sparse VMDK extent: it does not begin with KDMV"))
}

/// Where the footer's header is: before the end-of-stream marker, which should be the last sector of the file.
pub(super) fn find_footer(file: &dyn ReadAt) -> Result<u64> {
    let end = file.size() / SECTOR * SECTOR;
    let mut sector = [0; SECTOR as usize];
    let mut at = end;
    // Tools that leave zeros behind the end are known, though importers refuse what they make.
    while at >= 3 * SECTOR && end - at < TAIL {
        at -= SECTOR;
        let read = file.read_exact_at(&mut sector, at);
        read.map_err(|cause| Error::io("cannot read", cause).at_offset(at))?;
        if is_zero(&sector) {
            continue;
        }
        let mut before = [0; SECTOR as usize];
        let read = file.read_exact_at(&mut before, at - SECTOR);
        read.map_err(|cause| Error::io("cannot read", cause).at_offset(at - SECTOR))?;
        if at + SECTOR < end && sector.starts_with(&HOSTED_MAGIC) && marker_kind(&before) == Some(marker::FOOTER) {
            return Ok(at);
        }
        break;
    }
    Err(Error::corrupt("the header says that the grain directory comes at the end, but there is no footer")
        .at_offset(end)
        .with_hint("the file was cut off; get it again"))
}

/// The kind of the marker in `sector`, when it is one and no grain's.
pub(super) fn marker_kind(sector: &[u8]) -> Option<u32> {
    let (marker, rest) = Marker::read_from_prefix(sector).ok()?;
    let (kind, _) = U32::read_from_prefix(rest).ok()?;
    (marker.size.get() == 0).then(|| kind.get())
}

/// Reads `count` entries of four bytes at `sector`.
pub(super) fn read_entries(file: &dyn ReadAt, sector: u64, count: u64) -> Result<Vec<u32>> {
    let at = sector.saturating_mul(SECTOR);
    let there = file.size().saturating_sub(at);
    if count > MOST_TABLES || count * 4 > there {
        return Err(Error::corrupt(format!(
            "a grain directory of {count} entries, with {there} bytes left in the file and {MOST_TABLES} the most"
        ))
        .at_offset(at)
        .with_hint("the file was cut off, or its header is damaged"));
    }
    let mut bytes = vec![0; count as usize * 4];
    let read = file.read_exact_at(&mut bytes, at);
    read.map_err(|cause| Error::io("cannot read the grain directory", cause).at_offset(at))?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|entry| u32::from_le_bytes(*entry)).collect())
}

struct HostedTables {
    directory: Vec<u32>,
    entries: usize,
    zeroed_grains: bool,
}

impl Tables for HostedTables {
    fn count(&self) -> usize {
        self.directory.len()
    }

    fn table_at(&self, index: usize) -> Option<u64> {
        self.directory.get(index).filter(|&&sector| sector != 0).map(|&sector| u64::from(sector) * SECTOR)
    }

    fn entry_len(&self) -> usize {
        4
    }

    fn entries(&self) -> usize {
        self.entries
    }

    fn grain(&self, entry: u64) -> Result<Grain> {
        Ok(match entry {
            0 => Grain::Absent,
            1 if self.zeroed_grains => Grain::Zero,
            sector => Grain::At(sector * SECTOR),
        })
    }
}
