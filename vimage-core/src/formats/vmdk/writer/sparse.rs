//! One hosted sparse extent with its tables in front: monolithicSparse and each file of a split disk.
//!
//! Both grain directories are filled and all their tables preallocated, as VMware opens nothing else; the redundant ones
//! mirror the primary ones byte for byte, as VirtualBox verifies. A table is written when the disk has passed what it
//! covers, so memory holds one of them, and tables of zeros are left as holes in the file.

use super::{ENTRIES, GRAIN, GRAIN_SECTORS, TABLE_SPAN};
use crate::error::{Error, Result};
use crate::formats::vmdk::layout::{HOSTED_MAGIC, NEWLINES, SECTOR, SparseHeader, flags};
use crate::io::OutputFile;
use zerocopy::{FromZeros, IntoBytes};

/// Sectors kept for an embedded descriptor, as other tools do; most stay spare for who adds lines to it.
pub(super) const DESCRIPTOR_SECTORS: u64 = 20;

/// Sectors of a grain table.
const TABLE_SECTORS: u64 = ENTRIES * 4 / SECTOR;

/// Where everything is in an extent, in sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    capacity: u64,
    descriptor: bool,
    tables: u64,
    redundant: u64,
    primary: u64,
    overhead: u64,
}

impl Layout {
    /// The layout of an extent for `capacity` bytes of disk, with room for a descriptor or without.
    pub(super) fn new(capacity: u64, descriptor: bool) -> Self {
        let tables = capacity.div_ceil(TABLE_SPAN);
        let redundant = 1 + if descriptor { DESCRIPTOR_SECTORS } else { 0 };
        let directory = (tables * 4).div_ceil(SECTOR);
        let primary = redundant + directory + tables * TABLE_SECTORS;
        let end = primary + directory + tables * TABLE_SECTORS;
        let overhead = end.next_multiple_of(GRAIN_SECTORS);
        Layout { capacity: capacity / SECTOR, descriptor, tables, redundant, primary, overhead }
    }

    /// The bytes of the file when every grain is there.
    pub(super) fn fullest(&self) -> u64 {
        self.overhead * SECTOR + (self.capacity * SECTOR).next_multiple_of(GRAIN)
    }

    /// The sectors at which the two directories' tables start.
    fn first_tables(&self) -> [u64; 2] {
        let directory = (self.tables * 4).div_ceil(SECTOR);
        [self.redundant + directory, self.primary + directory]
    }

    fn header(&self) -> SparseHeader {
        let mut header = SparseHeader::new_zeroed();
        header.magic = HOSTED_MAGIC;
        header.version.set(1);
        header.flags.set(flags::NEWLINE_TEST | flags::REDUNDANT_GD);
        header.capacity.set(self.capacity);
        header.grain_size.set(GRAIN_SECTORS);
        if self.descriptor {
            header.descriptor_offset.set(1);
            header.descriptor_size.set(DESCRIPTOR_SECTORS);
        }
        header.num_gtes_per_gt.set(ENTRIES as u32);
        header.rgd_offset.set(self.redundant);
        header.gd_offset.set(self.primary);
        header.over_head.set(self.overhead);
        header.newlines = NEWLINES;
        header
    }
}

/// An extent being written.
pub(super) struct SparseExtent {
    file: OutputFile,
    layout: Layout,
    /// The table being filled and its number.
    table: Box<[u32; ENTRIES as usize]>,
    number: u64,
    /// The sector at which the next grain goes.
    next: u64,
}

impl SparseExtent {
    /// Begins the extent of `layout` in `file`.
    pub(super) fn new(file: OutputFile, layout: Layout) -> Self {
        SparseExtent { file, layout, table: Box::new([0; ENTRIES as usize]), number: 0, next: layout.overhead }
    }

    /// Takes whole grains that the extent holds from byte `offset` on. They go into the file one after the other.
    pub(super) fn append(&mut self, offset: u64, grains: &[u8]) -> Result<()> {
        self.file.write_all_at(grains, self.next * SECTOR)?;
        let first = offset / GRAIN;
        for grain in first..first + grains.len() as u64 / GRAIN {
            if grain / ENTRIES != self.number {
                self.write_table()?;
                self.number = grain / ENTRIES;
            }
            self.table[(grain % ENTRIES) as usize] = u32::try_from(self.next).map_err(|_| {
                Error::usage("a sparse VMDK file ends at 2 TiB")
                    .at_path(self.file.path())
                    .with_hint("--split keeps each file short")
            })?;
            self.next += GRAIN_SECTORS;
        }
        Ok(())
    }

    /// Writes tables, directories, header and, where there is room for one, `descriptor`.
    pub(super) fn finish(mut self, descriptor: &str) -> Result<()> {
        self.write_table()?;
        let layout = self.layout;
        for (directory, tables) in [layout.redundant, layout.primary].into_iter().zip(layout.first_tables()) {
            let sectors = (0..layout.tables).map(|table| (tables + table * TABLE_SECTORS) as u32);
            let bytes: Vec<u8> = sectors.flat_map(u32::to_le_bytes).collect();
            self.file.write_all_at(&bytes, directory * SECTOR)?;
        }
        if layout.descriptor {
            check_room(descriptor, &self.file)?;
            self.file.write_all_at(descriptor.as_bytes(), SECTOR)?;
        }
        self.file.write_all_at(layout.header().as_bytes(), 0)?;
        self.file.set_len(self.next * SECTOR)?;
        self.file.finish()
    }

    /// Writes the table being filled, twice, and empties it.
    fn write_table(&mut self) -> Result<()> {
        if self.table.iter().all(|&entry| entry == 0) {
            return Ok(());
        }
        let bytes: Vec<u8> = self.table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        for tables in self.layout.first_tables() {
            self.file.write_all_at(&bytes, (tables + self.number * TABLE_SECTORS) * SECTOR)?;
        }
        self.table.fill(0);
        Ok(())
    }
}

/// VirtualBox adds lines to a descriptor and needs four sectors for them.
pub(super) fn check_room(descriptor: &str, file: &OutputFile) -> Result<()> {
    if descriptor.len() as u64 <= (DESCRIPTOR_SECTORS - 4) * SECTOR {
        return Ok(());
    }
    Err(Error::usage("the descriptor does not fit in its place: the name is too long").at_path(file.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_a_hundred_mebibytes_is_qemus() {
        // qemu-img 10.0.2: rgd 21, its tables 22, 26, 30, 34; gd 38, its tables from 39; grains from 128.
        let layout = Layout::new(100 << 20, true);
        assert_eq!((layout.redundant, layout.primary, layout.overhead), (21, 38, 128));
        assert_eq!(layout.first_tables(), [22, 39]);
    }
}
