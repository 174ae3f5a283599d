//! Extents made of grains: a directory of tables of grains, whatever the kind, read as an image.

use super::layout::{MARKER, Marker, SECTOR};
use crate::codec::Codec;
use crate::codec::deflate::{Wrapping, inflate};
use crate::error::{Error, Result};
use crate::extent::{Content, Extent};
use crate::formats::cache::TableCache;
use crate::image::{Image, Packing};
use crate::io::ReadAt;
use crate::limits::vmdk::MOST_PACKED;
use crate::zero::is_zero;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use zerocopy::FromBytes;

thread_local! {
    /// A packed grain as read, and one inflated whole where only a part is wanted.
    static SCRATCH: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Where a grain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// Nowhere: the parent's, or zero.
    Absent,
    /// Known to be zero.
    Zero,
    /// At this byte of the file.
    At(u64),
}

/// How grains are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Plain,
    /// Deflated, each behind a marker with its length.
    Marked,
    /// Deflated, with nothing to tell the length.
    Bare,
}

/// What the kinds of extents differ in: where their tables are and what is in them.
pub(super) trait Tables: Send + Sync {
    /// The number of tables that the directory has.
    fn count(&self) -> usize;
    /// The byte of the file at which table `index` starts; none where there is no table.
    fn table_at(&self, index: usize) -> Option<u64>;
    /// Bytes of an entry: 4 or 8.
    fn entry_len(&self) -> usize;
    /// Entries of a table.
    fn entries(&self) -> usize;
    /// What an entry says.
    fn grain(&self, entry: u64) -> Result<Grain>;
}

/// An extent of grains.
pub(super) struct GrainedExtent {
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) path: PathBuf,
    /// Bytes of the disk in it.
    pub(super) size: u64,
    /// Bytes of a grain: a power of two.
    pub(super) grain: u64,
    pub(super) form: Form,
    pub(super) tables: Box<dyn Tables>,
    pub(super) kept: TableCache,
}

impl GrainedExtent {
    /// An extent of `size` bytes whose grains are kept as they are.
    pub(super) fn plain(
        file: Arc<dyn ReadAt>,
        path: PathBuf,
        size: u64,
        grain: u64,
        tables: impl Tables + 'static,
    ) -> Self {
        let (form, kept, tables) = (Form::Plain, TableCache::default(), Box::new(tables));
        GrainedExtent { file, path, size, grain, form, tables, kept }
    }

    /// Bytes of the disk that one table covers.
    fn table_span(&self) -> u64 {
        self.grain * self.tables.entries() as u64
    }

    /// Table `index`, as it is in the file; none where the directory has none.
    pub(super) fn table(&self, index: usize) -> Result<Option<Arc<[u8]>>> {
        let Some(at) = self.tables.table_at(index) else { return Ok(None) };
        let table = self.kept.get(index as u64, || {
            let mut bytes = vec![0; self.tables.entries() * self.tables.entry_len()];
            self.read(&mut bytes, at, "a grain table")?;
            Ok(bytes)
        });
        table.map(Some)
    }

    /// Entry `index` of `table`.
    pub(super) fn entry(&self, table: &[u8], index: usize) -> Result<Grain> {
        let len = self.tables.entry_len();
        let mut entry = [0; 8];
        entry[..len].copy_from_slice(&table[index * len..][..len]);
        self.tables.grain(u64::from_le_bytes(entry)).map_err(|error| error.at_path(&self.path))
    }

    /// Where the grain that holds `offset` is, and where the one after it, as far as the same table says.
    pub(super) fn locate(&self, offset: u64) -> Result<(Grain, Option<u64>)> {
        let index = (offset / self.table_span()) as usize;
        let Some(table) = self.table(index)? else { return Ok((Grain::Absent, None)) };
        let entry = (offset % self.table_span() / self.grain) as usize;
        let next = match entry + 1 < self.tables.entries() {
            true => Some(self.entry(&table, entry + 1)),
            false => None,
        };
        let next = match next {
            Some(Ok(Grain::At(next))) => Some(next),
            _ => None,
        };
        Ok((self.entry(&table, entry)?, next))
    }

    fn read(&self, buf: &mut [u8], at: u64, what: &str) -> Result<()> {
        self.check_inside(at, buf.len() as u64, what)?;
        let read = self.file.read_exact_at(buf, at);
        read.map_err(|cause| Error::io(format!("cannot read {what}"), cause).at_path(&self.path).at_offset(at))
    }

    /// Checks that `what`, of `len` bytes, is in the file: before memory is had for it.
    fn check_inside(&self, at: u64, len: u64, what: &str) -> Result<()> {
        let size = self.file.size();
        if at.checked_add(len).is_some_and(|end| end <= size) {
            return Ok(());
        }
        Err(Error::corrupt(format!("{what} lies past the end of the file, which has {size} bytes"))
            .at_path(&self.path)
            .at_offset(at)
            .with_hint("the file was cut off, or its tables are damaged"))
    }

    /// Reads the bytes from `within` on of the packed grain that starts on the disk at `grain` and in the file at `at`.
    fn read_packed(&self, buf: &mut [u8], grain: u64, within: u64, at: u64, next: Option<u64>) -> Result<()> {
        SCRATCH.with_borrow_mut(|(packed, whole)| {
            let packed = self.fetch_packed(packed, grain, at, next)?;
            let unpacked = unpack(packed, self.grain, self.grain.min(self.size - grain), within, whole, buf);
            unpacked.map_err(|error| error.at_path(&self.path).at_offset(at))
        })
    }

    /// The packed bytes of a grain.
    pub(super) fn fetch_packed<'a>(
        &self,
        packed: &'a mut Vec<u8>,
        grain: u64,
        at: u64,
        next: Option<u64>,
    ) -> Result<&'a [u8]> {
        let most = self.grain * MOST_PACKED + SECTOR;
        let there = self.file.size().saturating_sub(at).min(most);
        // Where the next grain starts tells how much to read, so that one read is enough; else half is a fair guess.
        let guess = match (self.form, next) {
            (Form::Bare, _) => there,
            (_, Some(next)) if next > at => there.min(next - at),
            _ => there.min(self.grain / 2 + SECTOR),
        };
        packed.resize((guess as usize).max(MARKER), 0);
        self.read(packed, at, "a grain")?;
        if self.form == Form::Bare {
            return Ok(packed);
        }
        let (marker, _) = Marker::read_from_prefix(packed).map_err(|_| Error::corrupt("a grain without a marker"))?;
        let (lba, size) = (marker.value.get(), u64::from(marker.size.get()));
        let checked = check_marker(lba, size, grain, self.grain);
        checked.map_err(|error| error.at_path(&self.path).at_offset(at))?;
        let end = MARKER + size as usize;
        let read = packed.len();
        if end > read {
            self.check_inside(at, end as u64, "a grain")?;
            packed.resize(end, 0);
            self.read(&mut packed[read..], at + read as u64, "a grain")?;
        }
        Ok(&packed[MARKER..end])
    }
}

/// Checks the marker of the packed grain of `unit` bytes that starts on the disk at `grain`: the sector that it names and the length
/// that it says.
///
/// # Errors
/// `Corrupt`.
pub(super) fn check_marker(lba: u64, size: u64, grain: u64, unit: u64) -> Result<()> {
    if lba != grain / SECTOR {
        let expected = grain / SECTOR;
        return Err(Error::corrupt(format!("a grain says that it is sector {lba}, the table says {expected}")));
    }
    if size == 0 || size > unit * MOST_PACKED {
        return Err(Error::corrupt(format!("a grain of {unit} bytes says that it is packed in {size}")));
    }
    Ok(())
}

/// Fills `buf` with the bytes from `within` on of a grain of `unit` bytes that is `packed`, and of which the disk holds the first
/// `held`. `whole` is room for all of it, where only a part is wanted.
///
/// # Errors
/// `Corrupt` when it does not inflate to that.
pub(super) fn unpack(
    packed: &[u8],
    unit: u64,
    held: u64,
    within: u64,
    whole: &mut Vec<u8>,
    buf: &mut [u8],
) -> Result<()> {
    // Straight into place where all of the grain is wanted.
    let got = if within == 0 && buf.len() as u64 == unit {
        inflate(packed, Wrapping::Zlib, buf)?
    } else {
        whole.resize(unit as usize, 0);
        let got = inflate(packed, Wrapping::Zlib, whole)?;
        buf.copy_from_slice(&whole[within as usize..][..buf.len()]);
        got
    };
    // Some writers leave the last grain as short as the disk; any other must be whole.
    if (got as u64) < held {
        return Err(Error::corrupt(format!("a grain inflates to {got} bytes instead of {held}")));
    }
    Ok(())
}

impl Image for GrainedExtent {
    fn size(&self) -> u64 {
        self.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let span = self.table_span();
        let first = (offset / span) as usize;
        let Some(table) = self.table(first)? else {
            let missing = (first..self.tables.count()).take_while(|&index| self.tables.table_at(index).is_none());
            let end = span.saturating_mul(first as u64 + missing.count() as u64).min(self.size);
            return Ok(Extent::new(offset..end, Content::Hole));
        };
        let content = |grain| match grain {
            Grain::Absent => Content::Hole,
            Grain::Zero => Content::Zero,
            Grain::At(_) if self.form == Form::Plain => Content::Data,
            Grain::At(_) => Content::Packed,
        };
        let start = first as u64 * span;
        // An entry of zero is a grain that is nowhere, in every kind.
        if is_zero(&table) {
            return Ok(Extent::new(offset..(start + span).min(self.size), Content::Hole));
        }
        let entry = ((offset - start) / self.grain) as usize;
        let grain = self.entry(&table, entry)?;
        let found = content(grain);
        let mut end = entry + 1;
        let last = (self.size - start).div_ceil(self.grain).min(self.tables.entries() as u64) as usize;
        while end < last {
            let next = self.entry(&table, end)?;
            // A run of data is one as long as it goes on in the file too.
            let goes_on = match (grain, next) {
                (Grain::At(at), Grain::At(next)) if found == Content::Data => {
                    at.checked_add((end - entry) as u64 * self.grain) == Some(next)
                }
                _ => content(next) == found,
            };
            if !goes_on {
                break;
            }
            end += 1;
        }
        let extent = Extent::new(offset..(start + end as u64 * self.grain).min(self.size), found);
        Ok(match grain {
            Grain::At(at) if found == Content::Data => extent.stored_at(at.saturating_add(offset % self.grain)),
            _ => extent,
        })
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> Result<()> {
        while !buf.is_empty() {
            let within = offset % self.grain;
            let (grain, next) = self.locate(offset)?;
            let mut take = (self.grain - within).min(buf.len() as u64);
            if let (Grain::At(at), Form::Plain) = (grain, self.form) {
                // Grains that follow each other on the disk and in the file are one read.
                let mut follows = at.saturating_add(self.grain);
                while take < buf.len() as u64 && self.locate(offset + take)?.0 == Grain::At(follows) {
                    follows = follows.saturating_add(self.grain);
                    take = (take + self.grain).min(buf.len() as u64);
                }
            }
            let (now, rest) = buf.split_at_mut(take as usize);
            match grain {
                Grain::Absent | Grain::Zero => now.fill(0),
                Grain::At(at) if self.form == Form::Plain => {
                    self.read(now, at.saturating_add(within), "a grain")?;
                }
                Grain::At(at) => self.read_packed(now, offset - within, within, at, next)?,
            }
            buf = rest;
            offset += take;
        }
        Ok(())
    }

    fn packing(&self) -> Option<Packing> {
        (self.form == Form::Marked).then_some(Packing { codec: Codec::Zlib, unit: self.grain })
    }

    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        let (Grain::At(at), next) = self.locate(offset)? else { return Ok(false) };
        // A last grain may be as short as the disk, and other readers want it whole.
        if self.form != Form::Marked || offset + self.grain > self.size {
            return Ok(false);
        }
        SCRATCH.with_borrow_mut(|(packed, _)| {
            out.extend_from_slice(self.fetch_packed(packed, offset, at, next)?);
            Ok(true)
        })
    }
}
