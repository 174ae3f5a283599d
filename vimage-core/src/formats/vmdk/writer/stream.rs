//! streamOptimized: one compressed file, written from front to back.
//!
//! "Virtual Disk Format 5.0", "Stream-Optimized Compressed Sparse Extents". Each grain table follows its grains, the
//! directory and the footer come at the end, so that it can go through a pipe, and the end-of-stream marker is the last sector of the file: nothing is
//! behind it, whatever the disk holds. For the same reason its identifier does not derive from the content, but from size and options.

use super::sparse::{DESCRIPTOR_SECTORS, check_room};
use super::text::{self, TextIdentity};
use super::{ENTRIES, GRAIN, GRAIN_SECTORS, Names, TABLE_SPAN, sectors};
use crate::error::{Error, Result};
use crate::formats::known;
use crate::formats::vmdk::descriptor::ExtentKind;
use crate::formats::vmdk::layout::{
    COMPRESSION_DEFLATE, GD_AT_END, HOSTED_MAGIC, Marker, NEWLINES, SECTOR, SparseHeader, flags, marker,
};
use crate::formats::vmdk::options::WriteOptions;
use crate::io::{OutputFile, Outputs};
use crate::target::{Encoding, ImageWriter, Whole};
use zerocopy::{FromZeros, IntoBytes};

/// Bytes gathered before they are written.
const GATHER: usize = 1 << 20;

pub(super) struct Stream {
    file: OutputFile,
    main_name: String,
    options: WriteOptions,
    /// None where it is known at the end: what stands in front is written then.
    capacity: Option<u64>,
    /// What is not written yet, and the byte of the file at which it goes.
    gathered: Vec<u8>,
    at: u64,
    /// The table being filled and its number.
    table: Box<[u32; ENTRIES as usize]>,
    number: usize,
    directory: Vec<u32>,
}

impl Stream {
    pub(super) fn create(
        names: Names,
        capacity: Option<u64>,
        options: &WriteOptions,
        outputs: &Outputs,
    ) -> Result<Self> {
        if outputs.in_order() {
            known(capacity, "a streamOptimized VMDK")?;
        }
        let tables = tables(capacity.unwrap_or(0)).map_err(|error| error.at_path(&names.main))?;
        let mut stream = Stream {
            file: match capacity {
                Some(_) => outputs.create_in_order(&names.main)?,
                None => outputs.create(&names.main)?,
            },
            main_name: names.main_name(),
            options: options.clone(),
            capacity,
            gathered: Vec::with_capacity(GATHER + 2 * GRAIN as usize),
            at: 0,
            table: Box::new([0; ENTRIES as usize]),
            number: 0,
            directory: vec![0; tables.max(1)],
        };
        let front = stream.front(capacity.unwrap_or(GRAIN))?;
        stream.put(&[&front])?;
        Ok(stream)
    }

    /// What stands before the grains: header and descriptor of a disk of `capacity` bytes, filled up to a grain.
    fn front(&self, capacity: u64) -> Result<Vec<u8>> {
        let extents = vec![text::extent(ExtentKind::Sparse, capacity, self.main_name.clone())];
        let identity = TextIdentity::of(None, capacity, &self.options);
        let descriptor = text::descriptor(capacity, extents, identity, &self.options).to_string();
        check_room(&descriptor, &self.file)?;
        let mut front = header(capacity, GD_AT_END).as_bytes().to_vec();
        front.extend_from_slice(descriptor.as_bytes());
        front.resize(GRAIN as usize, 0);
        Ok(front)
    }

    /// The sector at which the next bytes go.
    fn sector(&self) -> Result<u32> {
        u32::try_from((self.at + self.gathered.len() as u64) / SECTOR).map_err(|_| {
            Error::usage("a streamOptimized VMDK file ends at 2 TiB")
                .at_path(self.file.path())
                .with_hint("-o subformat=twoGbMaxExtentSparse holds more")
        })
    }

    /// Adds `parts`, filled up with zeros to whole sectors.
    fn put(&mut self, parts: &[&[u8]]) -> Result<()> {
        parts.iter().for_each(|part| self.gathered.extend_from_slice(part));
        self.gathered.resize(self.gathered.len().next_multiple_of(SECTOR as usize), 0);
        if self.gathered.len() >= GATHER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all_at(&self.gathered, self.at)?;
        self.at += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }

    /// Adds the marker of `sectors` sectors of `kind` that follow it, in a sector of its own.
    fn put_marker(&mut self, kind: u32, sectors: u64) -> Result<()> {
        let marker = Marker { value: sectors.into(), size: 0.into() };
        self.put(&[marker.as_bytes(), &kind.to_le_bytes()])
    }

    /// Adds the table being filled, if it has any grain, and empties it.
    fn put_table(&mut self) -> Result<()> {
        if self.table.iter().all(|&entry| entry == 0) {
            return Ok(());
        }
        let bytes: Vec<u8> = self.table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        self.put_marker(marker::GRAIN_TABLE, bytes.len() as u64 / SECTOR)?;
        self.directory[self.number] = self.sector()?;
        self.table.fill(0);
        self.put(&[&bytes])
    }
}

/// The header of a disk of `capacity` bytes whose directory is at sector `directory`.
fn header(capacity: u64, directory: u64) -> SparseHeader {
    let mut header = SparseHeader::new_zeroed();
    header.magic = HOSTED_MAGIC;
    // ESXi takes no stream of an earlier version.
    header.version.set(3);
    header.flags.set(flags::NEWLINE_TEST | flags::COMPRESSED | flags::MARKERS);
    header.capacity.set(capacity / SECTOR);
    header.grain_size.set(GRAIN_SECTORS);
    header.descriptor_offset.set(1);
    header.descriptor_size.set(DESCRIPTOR_SECTORS);
    header.num_gtes_per_gt.set(ENTRIES as u32);
    header.gd_offset.set(directory);
    header.over_head.set(GRAIN_SECTORS);
    header.newlines = NEWLINES;
    header.compress_algorithm.set(COMPRESSION_DEFLATE);
    header
}

/// The tables that a disk of `capacity` bytes has.
fn tables(capacity: u64) -> Result<usize> {
    let tables = capacity.div_ceil(TABLE_SPAN);
    // A directory is read whole: other readers have such a bound too, QEMU's is eight times as high.
    usize::try_from(tables).ok().filter(|&tables| tables as u64 <= LARGEST / TABLE_SPAN).ok_or_else(|| {
        Error::usage(format!("a streamOptimized VMDK holds at most {LARGEST} bytes, not {capacity}"))
            .with_hint("-o subformat=monolithicFlat holds more")
    })
}

/// 64 TiB: two million grain tables, a directory of 8 MiB.
const LARGEST: u64 = 64 << 40;

impl ImageWriter for Stream {
    fn append(&mut self, offset: u64, body: &[u8], _: Encoding) -> Result<()> {
        let grain = offset / GRAIN;
        let number = (grain / ENTRIES) as usize;
        if number != self.number {
            self.put_table()?;
            self.number = number;
            if number >= self.directory.len() {
                // Only where the disk's end was not known.
                tables(offset).map_err(|error| error.at_path(self.file.path()))?;
                self.directory.resize(number + 1, 0);
            }
        }
        self.table[(grain % ENTRIES) as usize] = self.sector()?;
        let marker = Marker { value: (grain * GRAIN_SECTORS).into(), size: (body.len() as u32).into() };
        self.put(&[marker.as_bytes(), body])
    }

    fn finish(mut self: Box<Self>, disk: &Whole) -> Result<()> {
        let capacity = self.capacity.map_or_else(|| sectors(disk.size, self.file.path()), Ok)?;
        self.put_table()?;
        self.directory.resize(tables(capacity)?, 0);
        let bytes: Vec<u8> = self.directory.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        self.put_marker(marker::GRAIN_DIRECTORY, (bytes.len() as u64).div_ceil(SECTOR))?;
        let directory = self.sector()?;
        self.put(&[&bytes])?;
        self.put_marker(marker::FOOTER, 1)?;
        self.put(&[header(capacity, directory.into()).as_bytes()])?;
        self.put_marker(marker::END_OF_STREAM, 0)?;
        self.flush()?;
        if self.capacity.is_none() {
            let front = self.front(capacity)?;
            self.file.write_all_at(&front, 0)?;
        }
        self.file.finish()
    }
}
