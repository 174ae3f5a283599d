//! Writing qcow2 images.
//!
//! Clusters go into the file in the order of the disk, compressed ones byte behind byte, and the tables behind them in one
//! piece: L2 tables, refcount blocks, refcount table, L1 table. Whatever the size of the disk, no more than [`HELD`] bytes
//! of tables are kept in memory: then they are written where the file ends, and the clusters go on behind them.

mod header;
mod refcounts;

use super::layout::{SECTOR, SUBCLUSTERS, entry};
use super::options::{Compression, Version, WriteOptions};
use crate::codec::deflate::{Wrapping, deflate, deflate_near, is_even};
use crate::codec::{Codec, zstd};
use crate::error::{Error, Result};
use crate::image::Packing;
use crate::io::{OutputFile, Outputs};
use crate::limits::qcow2::{LARGEST_L1, LARGEST_REFCOUNT_TABLE};
use crate::target::{Encoder, Encoding, ImageWriter, Plain, Target, Units, Whole};
use refcounts::Refcounts;
use std::path::Path;

/// Bytes of finished L2 tables that are kept until they are written together: those of 128 GiB of 64 KiB clusters.
const HELD: u64 = 16 << 20;

/// Bytes of compressed clusters gathered before they are written.
const GATHER: usize = 1 << 20;

/// Parts of a cluster that are zero need not be written; this is what a file system allocates.
const PART: u64 = 4096;

/// Begins an image; see [`super::create`].
pub(super) fn create(path: &Path, capacity: Option<u64>, options: &WriteOptions, outputs: &Outputs) -> Result<Target> {
    options.check()?;
    let cluster = options.cluster_size;
    let entry_len = if options.extended_l2 { 16 } else { 8 };
    let span = cluster / entry_len * cluster;
    let largest = (LARGEST_L1 / 8).saturating_mul(span).min(i64::MAX.cast_unsigned() / SECTOR * SECTOR);
    let bounds = Bounds { span, largest };
    let l1 = bounds.tables(capacity.unwrap_or(0)).map_err(|error| error.at_path(path))?;
    let header = header::Template::new(options).map_err(|error| error.at_path(path))?;
    // What cannot be told from what lies beneath in smaller parts is encoded whole.
    let granule = if options.extended_l2 { cluster / SUBCLUSTERS } else { cluster };
    let (encoder, size): (Box<dyn Encoder>, u64) = match options.compress {
        true => (Box::new(Compress(options.compression)), cluster),
        false if options.backing.is_some() => (Box::new(Plain), granule),
        false => (Box::new(Plain), granule.min(PART)),
    };
    let takes = match (options.compress, options.compression) {
        (true, Compression::Zstd { .. }) => Some(Packing { codec: Codec::Zstd, unit: cluster }),
        (true, Compression::Zlib { near: false, .. }) => Some(Packing { codec: Codec::Deflate, unit: cluster }),
        _ => None,
    };
    let mut refcounts = Refcounts::new(cluster, options.refcount_bits);
    // The header's own cluster.
    refcounts.add(0);
    let writer = Writer {
        file: outputs.create(path)?,
        version: options.version,
        cluster,
        granule,
        entry_len,
        bounds,
        l1: vec![0; l1],
        table: None,
        pending: Vec::new(),
        refcounts,
        placed: None,
        end: cluster,
        tail: None,
        gathered: Vec::new(),
        gathered_at: 0,
        header,
    };
    Ok(Target {
        units: Units { size: size as usize, encoder, takes },
        writer: Box::new(writer),
        identified: false,
        checked: false,
    })
}

/// Compresses clusters; one that does not become smaller stays as it is.
struct Compress(Compression);

impl Encoder for Compress {
    fn encode(&self, unit: &[u8], out: &mut Vec<u8>) -> Result<Encoding> {
        let start = out.len();
        match self.0 {
            Compression::Zlib { level, near: false } => deflate(unit, level, Wrapping::None, out)?,
            Compression::Zlib { level, near: true } => deflate_near(unit, level, out)?,
            Compression::Zstd { level } => zstd::compress(unit, level, out)?,
        }
        if out.len() - start < unit.len() {
            return Ok(Encoding::Packed);
        }
        out.truncate(start);
        Ok(Encoding::Plain)
    }

    /// Does not try again what looks random, too: one unit in fifty of Debian's root disk, and a tenth of the time from streamOptimized.
    fn encode_stubborn(&self, unit: &[u8], out: &mut Vec<u8>) -> Result<Encoding> {
        if is_even(unit) { Ok(Encoding::Plain) } else { self.encode(unit, out) }
    }

    fn name(&self) -> Option<String> {
        Some(format!("smaller {:?}", self.0))
    }
}

/// How much an image can hold.
#[derive(Clone, Copy)]
struct Bounds {
    /// Bytes of the disk that an L2 table covers.
    span: u64,
    largest: u64,
}

impl Bounds {
    /// The L2 tables of a disk of `size` bytes.
    fn tables(self, size: u64) -> Result<usize> {
        let capacity = size.checked_next_multiple_of(SECTOR).filter(|&capacity| capacity <= self.largest);
        capacity.map(|capacity| capacity.div_ceil(self.span).max(1) as usize).ok_or_else(|| {
            Error::usage(format!("a qcow2 image with clusters of this size holds at most {} bytes", self.largest))
                .with_hint("larger clusters hold more: -o cluster_size=2M")
        })
    }
}

struct Writer {
    file: OutputFile,
    version: Version,
    bounds: Bounds,
    /// Bytes of a cluster, of a part of one that has a state of its own, and of an L2 entry.
    cluster: u64,
    granule: u64,
    entry_len: u64,
    l1: Vec<u64>,
    /// The L2 table being filled, and its number.
    table: Option<(u64, Vec<u8>)>,
    /// Tables that are whole and not yet written.
    pending: Vec<(u64, Vec<u8>)>,
    refcounts: Refcounts,
    /// The cluster of the disk that was last given a place, and the place.
    placed: Option<(u64, u64)>,
    /// Where the next cluster goes: the end of the file, a multiple of the cluster.
    end: u64,
    /// Where the next compressed cluster goes, if it fits before the end of this one of the file.
    tail: Option<u64>,
    /// Compressed clusters not yet written, and the byte of the file at which they go.
    gathered: Vec<u8>,
    gathered_at: u64,
    header: header::Template,
}

impl Writer {
    /// The L2 entry of cluster `number` of the disk, in the table being filled: the one before is finished when the disk
    /// has passed it.
    fn entry(&mut self, number: u64) -> Result<&mut [u8]> {
        let per_table = self.cluster / self.entry_len;
        let table = number / per_table;
        if self.table.as_ref().is_none_or(|(filling, _)| *filling != table) {
            self.finish_table()?;
            if table >= self.l1.len() as u64 {
                // Only where the disk's end was not known.
                let tables = self.bounds.tables((table + 1).saturating_mul(self.bounds.span));
                self.l1.resize(tables.map_err(|error| error.at_path(self.file.path()))?, 0);
            }
        }
        let (_, bytes) = self.table.get_or_insert_with(|| (table, vec![0; self.cluster as usize]));
        let at = (number % per_table * self.entry_len) as usize;
        Ok(&mut bytes[at..at + self.entry_len as usize])
    }

    fn set_entry(&mut self, number: u64, word: u64) -> Result<()> {
        self.entry(number)?[..8].copy_from_slice(&word.to_be_bytes());
        Ok(())
    }

    /// Sets the bits of the subclusters that the disk's bytes from `offset` to `end`, of one cluster, touch: from bit 0 on
    /// those that are stored, from bit 32 on those that are zero.
    fn set_parts(&mut self, offset: u64, end: u64, first_bit: u64) -> Result<()> {
        let (number, start) = (offset / self.cluster, offset / self.cluster * self.cluster);
        let parts = (offset - start) / self.granule..(end - start).div_ceil(self.granule);
        let bitmap = &mut self.entry(number)?[8..];
        let mut bits = bitmap.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        parts.for_each(|part| bits |= 1 << (first_bit + part));
        bitmap.copy_from_slice(&bits.to_be_bytes());
        Ok(())
    }

    fn finish_table(&mut self) -> Result<()> {
        self.pending.extend(self.table.take());
        if self.pending.len() as u64 * self.cluster >= HELD { self.write_tables() } else { Ok(()) }
    }

    /// Writes the tables that are whole, one behind the other, and the refcounts of what lies behind.
    fn write_tables(&mut self) -> Result<()> {
        for (number, table) in std::mem::take(&mut self.pending) {
            let at = self.allocate()?;
            self.file.write_all_at(&table, at)?;
            self.l1[number as usize] = at | entry::COPIED;
        }
        let behind = self.end / self.cluster;
        for (number, block) in self.refcounts.take_finished(behind) {
            let at = self.allocate()?;
            self.file.write_all_at(&block, at)?;
            self.refcounts.place(number, at);
        }
        // The refcounts of the tail may have been written.
        self.tail = None;
        Ok(())
    }

    /// Takes the next cluster of the file.
    fn allocate(&mut self) -> Result<u64> {
        let at = self.end;
        self.end += self.cluster;
        self.refcounts.add(at / self.cluster);
        if self.end > entry::OFFSET {
            return Err(Error::usage("a qcow2 file ends at 2^56 bytes").at_path(self.file.path()));
        }
        Ok(at)
    }

    /// The byte of the file at which cluster `number` of the disk lies; it gets a place when it is first asked for.
    fn place(&mut self, number: u64) -> Result<u64> {
        if let Some((placed, at)) = self.placed
            && placed == number
        {
            return Ok(at);
        }
        // The table first: when it is written with others, the file's end moves.
        self.entry(number)?;
        let at = self.allocate()?;
        self.set_entry(number, at | entry::COPIED)?;
        self.placed = Some((number, at));
        Ok(at)
    }

    fn append_plain(&mut self, offset: u64, body: &[u8]) -> Result<()> {
        let end = offset + body.len() as u64;
        let (mut at, mut from, mut run) = (offset, offset, None);
        while at < end {
            let stop = (at / self.cluster + 1).saturating_mul(self.cluster).min(end);
            let place = self.place(at / self.cluster)? + at % self.cluster;
            if self.granule < self.cluster {
                self.set_parts(at, stop, 0)?;
            }
            // Clusters that follow each other in the file too are one write.
            match run {
                Some(start) if start + (at - from) == place => {}
                Some(start) => {
                    self.file.write_all_at(&body[(from - offset) as usize..(at - offset) as usize], start)?;
                    (run, from) = (Some(place), at);
                }
                None => run = Some(place),
            }
            at = stop;
        }
        match run {
            Some(start) => self.file.write_all_at(&body[(from - offset) as usize..], start),
            None => Ok(()),
        }
    }

    fn append_zero(&mut self, offset: u64, zeros: &[u8]) -> Result<()> {
        if self.version == Version::V0_10 {
            // There is no other way to hide what lies beneath.
            return self.append_plain(offset, zeros);
        }
        let end = offset + zeros.len() as u64;
        let mut at = offset;
        while at < end {
            let stop = (at / self.cluster + 1).saturating_mul(self.cluster).min(end);
            if self.granule < self.cluster {
                self.set_parts(at, stop, 32)?;
            } else {
                self.set_entry(at / self.cluster, entry::ZERO)?;
            }
            at = stop;
        }
        Ok(())
    }

    fn append_packed(&mut self, offset: u64, body: &[u8]) -> Result<()> {
        let number = offset / self.cluster;
        self.entry(number)?;
        let len = body.len() as u64;
        let room = |at: u64| at.next_multiple_of(self.cluster) - at;
        let at = match self.tail {
            // Behind the last one: within its cluster, or on into the next while nothing else has that.
            Some(tail)
                if (len <= room(tail) || tail.next_multiple_of(self.cluster) == self.end)
                    && self.refcounts.has_room(tail / self.cluster) =>
            {
                tail
            }
            _ => self.end,
        };
        let last = at + len - 1;
        for touched in at / self.cluster..=last / self.cluster {
            self.refcounts.add(touched);
        }
        self.end = self.end.max((last + 1).next_multiple_of(self.cluster));
        self.tail = Some(last + 1).filter(|tail| !tail.is_multiple_of(self.cluster));
        let bits = 62 - (self.cluster.ilog2() - 8);
        if at >> bits.min(56) != 0 {
            return Err(Error::usage("a compressed cluster lies too far behind for its entry")
                .at_path(self.file.path())
                .with_hint("smaller clusters reach further"));
        }
        let sectors = last / SECTOR - at / SECTOR;
        self.set_entry(number, entry::COMPRESSED | sectors << bits | at)?;
        if self.gathered_at + self.gathered.len() as u64 != at || self.gathered.len() >= GATHER {
            self.write_gathered()?;
            self.gathered_at = at;
        }
        self.gathered.extend_from_slice(body);
        Ok(())
    }

    fn write_gathered(&mut self) -> Result<()> {
        if !self.gathered.is_empty() {
            self.file.write_all_at(&self.gathered, self.gathered_at)?;
            self.gathered.clear();
        }
        Ok(())
    }
}

impl ImageWriter for Writer {
    fn append(&mut self, offset: u64, body: &[u8], how: Encoding) -> Result<()> {
        match how {
            Encoding::Plain => self.append_plain(offset, body),
            Encoding::Packed => self.append_packed(offset, body),
            Encoding::Zero => self.append_zero(offset, body),
        }
    }

    fn finish(mut self: Box<Self>, disk: &Whole) -> Result<()> {
        let tables = self.bounds.tables(disk.size).map_err(|error| error.at_path(self.file.path()))?;
        self.l1.resize(tables, 0);
        self.write_gathered()?;
        self.finish_table()?;
        self.write_tables()?;
        // What is left: blocks, the table that names them, L1; they count themselves.
        let l1_bytes = self.l1.len() as u64 * 8;
        let l1_clusters = l1_bytes.div_ceil(self.cluster);
        let (blocks, table_clusters) = self.refcounts.still_needed(self.end / self.cluster + l1_clusters);
        if table_clusters * self.cluster > LARGEST_REFCOUNT_TABLE {
            return Err(Error::usage(format!(
                "the file's refcounts need a table of more than {LARGEST_REFCOUNT_TABLE} bytes, which readers refuse"
            ))
            .at_path(self.file.path())
            .with_hint("larger clusters or fewer refcount_bits need less"));
        }
        let first_block = self.end;
        for _ in 0..blocks.len() as u64 + table_clusters + l1_clusters {
            self.allocate()?;
        }
        let table_at = first_block + blocks.len() as u64 * self.cluster;
        for (number, at) in blocks.into_iter().zip((first_block..).step_by(self.cluster as usize)) {
            let block = self.refcounts.take(number);
            self.file.write_all_at(&block, at)?;
            self.refcounts.place(number, at);
        }
        let mut table: Vec<u8> = self.refcounts.table().flat_map(u64::to_be_bytes).collect();
        table.resize((table_clusters * self.cluster) as usize, 0);
        self.file.write_all_at(&table, table_at)?;
        let l1_at = table_at + table_clusters * self.cluster;
        let l1: Vec<u8> = self.l1.iter().flat_map(|word| word.to_be_bytes()).collect();
        self.file.write_all_at(&l1, l1_at)?;
        let capacity = disk.size.next_multiple_of(SECTOR);
        let l1 = (l1_at, self.l1.len() as u32);
        let header = self.header.bytes(capacity, l1, (table_at, table_clusters as u32));
        self.file.write_all_at(&header, 0)?;
        // The L1 table is read by its entries, so the rest of its last cluster need not be there.
        self.file.set_len((l1_at + l1_bytes).next_multiple_of(SECTOR))?;
        self.file.finish()
    }
}
