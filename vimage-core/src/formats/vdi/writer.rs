//! Writing VDIs: blocks in the order of the disk, as VirtualBox leaves them after compacting.

use super::layout::{FREE, HEADER, RawHeader, SIGNATURE, TEXT, VERSION, kind};
use super::options::WriteOptions;
use super::uuid;
use crate::digest::ContentDigest;
use crate::error::{Error, Result};
use crate::io::{OutputFile, Outputs};
use crate::limits::vdi::MOST_BLOCKS;
use crate::target::{Encoding, ImageWriter, Plain, Target, Units, Whole};
use std::path::Path;
use zerocopy::{FromZeros, IntoBytes};

/// Bytes of a block: QEMU reads no others.
pub(super) const BLOCK: u64 = 1 << 20;

/// Parts of a block that are zero need not be written; this is what a file system allocates.
const PART: usize = 4096;

/// Where the map is: on a boundary that suits every disk, as VirtualBox has it.
const MAP: u64 = 1 << 20;

/// Entries of the map that are written together.
const STRETCH: u64 = 64 << 10;

/// Begins an image; see [`super::create`].
pub(super) fn create(path: &Path, capacity: u64, options: WriteOptions, outputs: &Outputs) -> Result<Target> {
    let capacity =
        capacity.checked_next_multiple_of(512).filter(|&capacity| capacity.div_ceil(BLOCK) <= u64::from(MOST_BLOCKS));
    let capacity = capacity.ok_or_else(|| {
        Error::usage(format!("a VDI holds at most {} bytes", u64::from(MOST_BLOCKS) * BLOCK))
            .at_path(path)
            .with_hint("-O qcow2 holds more")
    })?;
    if capacity == 0 {
        return Err(Error::usage("the disk has no bytes, and a VDI has at least one sector").at_path(path));
    }
    let blocks = capacity.div_ceil(BLOCK);
    let writer = Writer {
        file: outputs.create(path)?,
        options,
        capacity,
        blocks,
        data: (MAP + blocks * 4).next_multiple_of(BLOCK),
        allocated: 0,
        last: None,
        stretch: vec![FREE; STRETCH.min(blocks) as usize],
        number: 0,
    };
    let units = Units { size: PART, encoder: Box::new(Plain), takes: None };
    Ok(Target { units, writer: Box::new(writer), identified: true, checked: false })
}

struct Writer {
    file: OutputFile,
    options: WriteOptions,
    capacity: u64,
    blocks: u64,
    /// Where the blocks begin.
    data: u64,
    /// Blocks that have a place.
    allocated: u64,
    /// The block of the disk that was last given a place.
    last: Option<u64>,
    /// The stretch of the map being filled, and its number.
    stretch: Vec<u32>,
    number: u64,
}

impl Writer {
    /// The byte of the file for block `block` of the disk, which gets the next place when it is first asked for.
    fn place(&mut self, block: u64) -> Result<u64> {
        if self.options.fixed {
            return Ok(self.data + block * BLOCK);
        }
        if self.last != Some(block) {
            while self.number < block / STRETCH {
                self.write_stretch()?;
            }
            self.stretch[(block % STRETCH) as usize] = self.allocated as u32;
            self.allocated += 1;
            self.last = Some(block);
        }
        Ok(self.data + (self.allocated - 1) * BLOCK)
    }

    /// Writes the stretch of the map being filled and begins the next.
    fn write_stretch(&mut self) -> Result<()> {
        let first = self.number * STRETCH;
        let bytes: Vec<u8> = self.stretch.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        self.file.write_all_at(&bytes, MAP + first * 4)?;
        self.number += 1;
        self.stretch.clear();
        let left = self.blocks.saturating_sub(first + STRETCH).min(STRETCH);
        self.stretch.resize(left as usize, FREE);
        Ok(())
    }

    fn header(&self, content: Option<&ContentDigest>) -> RawHeader {
        let mut header = self.options.header.map_or_else(RawHeader::new_zeroed, |kept| zerocopy::transmute!(kept));
        if self.options.header.is_none() {
            header.text[..TEXT.len()].copy_from_slice(TEXT);
            header.geometry[3].set(512);
        }
        header.signature = SIGNATURE;
        header.version.set(VERSION);
        header.header_size.set(HEADER);
        header.kind.set(if self.options.fixed { kind::FIXED } else { kind::DYNAMIC });
        header.map_offset.set(MAP as u32);
        header.data_offset.set(self.data as u32);
        header.sector_size.set(512);
        header.disk_size.set(self.capacity);
        header.block_size.set(BLOCK as u32);
        header.blocks.set(self.blocks as u32);
        header.allocated.set(self.allocated as u32);
        // VirtualBox takes no image without them, and no two with the same.
        let kind = if self.options.fixed { "vdi fixed" } else { "vdi dynamic" };
        let derived = content.map_or([0xff; 32], |content| content.derive(kind));
        header.created = self.options.created.unwrap_or_else(|| uuid::derived(&derived[..16]));
        header.modified = self.options.modified.unwrap_or_else(|| uuid::derived(&derived[16..]));
        header
    }
}

impl ImageWriter for Writer {
    fn append(&mut self, mut offset: u64, mut body: &[u8], _: Encoding) -> Result<()> {
        while !body.is_empty() {
            let take = (BLOCK - offset % BLOCK).min(body.len() as u64);
            let at = self.place(offset / BLOCK)? + offset % BLOCK;
            let (now, rest) = body.split_at(take as usize);
            self.file.write_all_at(now, at)?;
            body = rest;
            offset += take;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, disk: &Whole) -> Result<()> {
        if self.options.fixed {
            self.allocated = self.blocks;
        }
        while self.number * STRETCH < self.blocks {
            if self.options.fixed {
                let first = self.number * STRETCH;
                self.stretch.iter_mut().zip(first..).for_each(|(entry, block)| *entry = block as u32);
            }
            self.write_stretch()?;
        }
        let header = self.header(disk.content.as_ref());
        self.file.write_all_at(header.as_bytes(), 0)?;
        self.file.set_len(self.data + self.allocated * BLOCK)?;
        self.file.finish()
    }
}
