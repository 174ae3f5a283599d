//! A streamOptimized VMDK taken apart byte by byte, after "Virtual Disk Format 5.0" alone: no code of vimage's, and
//! stricter than any reader.

use super::bytes::{SECTOR, is_zero, sector, u32_at, u32s, u64_at};
use flate2::{Decompress, FlushDecompress, Status};
use std::ops::Range;
use vimage_fixtures::Disk;

const GRAIN: usize = 65_536;
const GRAIN_SECTORS: u64 = 128;
const ENTRIES: usize = 512;

/// `0x564d444b`, as it stands in the file.
const MAGIC: &[u8] = b"KDMV";
/// Newline test, compressed grains, markers.
const FLAGS: u32 = 0x3_0001;
const GD_AT_END: u64 = u64::MAX;
/// Where the header says that its grain directory is.
const GD_OFFSET: Range<usize> = 56..64;

const END_OF_STREAM: u32 = 0;
const GRAIN_TABLE: u32 = 1;
const GRAIN_DIRECTORY: u32 = 2;
const FOOTER: u32 = 3;

/// Sectors of the descriptor's place, and how many of them VirtualBox fills with lines of its own.
const DESCRIPTOR_SECTORS: usize = 20;
const SPARE_SECTORS: usize = 4;

/// Checks that `file` is a stream of `disk` to the letter, with nothing before, between, behind that does not belong.
///
/// # Panics
/// Where it is not.
pub(crate) fn check(file: &[u8], disk: &Disk) {
    assert_eq!(file.len() % SECTOR, 0, "the file is not whole sectors");
    let sectors = file.len() / SECTOR;
    let capacity = disk.size.div_ceil(SECTOR as u64);
    check_header(sector(file, 0), capacity);
    check_descriptor(&file[SECTOR..SECTOR * (1 + DESCRIPTOR_SECTORS)], capacity);
    assert!(is_zero(&file[SECTOR * (1 + DESCRIPTOR_SECTORS)..GRAIN]), "something stands before the first grain");

    assert_eq!(marker(file, sectors - 3), Marker::Meta { kind: FOOTER, sectors: 1 });
    let (header, footer) = (sector(file, 0), sector(file, sectors - 2));
    assert_eq!(header[..GD_OFFSET.start], footer[..GD_OFFSET.start]);
    assert_eq!(header[GD_OFFSET.end..], footer[GD_OFFSET.end..]);
    let directory = u64_at(footer, GD_OFFSET.start) as usize;
    assert!(is_zero(sector(file, sectors - 1)), "the last sector is not an end-of-stream marker");

    let tables = (capacity as usize).div_ceil(GRAIN_SECTORS as usize * ENTRIES);
    let end = sectors - 3;
    let mut walk = Walk { file, disk, capacity, at: GRAIN / SECTOR, directory: vec![0; tables], next: 0 };
    let found = walk.grains_and_tables();
    assert_eq!(found, directory, "the footer does not point to the directory");
    let used = tables * 4;
    let bytes = &file[directory * SECTOR..end * SECTOR];
    assert_eq!(bytes.len(), used.next_multiple_of(SECTOR), "something stands between directory and footer");
    assert_eq!(u32s(file, directory, tables), walk.directory);
    assert!(is_zero(&bytes[used..]));
}

fn check_header(header: &[u8], capacity: u64) {
    assert_eq!(&header[..4], MAGIC);
    // ESXi refuses streams of an earlier version.
    assert_eq!(u32_at(header, 4), 3, "version");
    assert_eq!(u32_at(header, 8), FLAGS, "flags");
    assert_eq!(u64_at(header, 12), capacity, "capacity");
    assert_eq!(u64_at(header, 20), GRAIN_SECTORS, "grainSize");
    assert_eq!(u64_at(header, 28), 1, "descriptorOffset");
    assert_eq!(u64_at(header, 36), DESCRIPTOR_SECTORS as u64, "descriptorSize");
    assert_eq!(u32_at(header, 44), ENTRIES as u32, "numGTEsPerGT");
    assert_eq!(u64_at(header, 48), 0, "rgdOffset");
    assert_eq!(u64_at(header, GD_OFFSET.start), GD_AT_END, "gdOffset");
    assert_eq!(u64_at(header, 64), GRAIN_SECTORS, "overHead");
    assert_eq!(header[72], 0, "uncleanShutdown");
    assert_eq!(&header[73..77], b"\n \r\n");
    assert_eq!(header[77..79], [1, 0], "compressAlgorithm is not deflate");
    assert!(is_zero(&header[79..]));
}

fn check_descriptor(place: &[u8], capacity: u64) {
    let len = place.iter().position(|&byte| byte == 0).unwrap_or(place.len());
    assert!(is_zero(&place[len..]), "the descriptor is not filled up with zeros");
    assert!(len <= (DESCRIPTOR_SECTORS - SPARE_SECTORS) * SECTOR, "the descriptor leaves no room");
    let text = str::from_utf8(&place[..len]).expect("a descriptor is text");
    assert!(text.starts_with("# Disk DescriptorFile\nversion=1\n"));
    assert!(text.contains("\ncreateType=\"streamOptimized\"\n"));
    // VirtualBox takes the capacity from here, QEMU from the header.
    let extents: Vec<_> = text.lines().filter(|line| line.starts_with("RW ")).collect();
    assert_eq!(extents, [format!("RW {capacity} SPARSE \"disk.vmdk\"")]);
}

#[derive(Debug, PartialEq, Eq)]
enum Marker {
    Grain { lba: u64, size: usize },
    Meta { kind: u32, sectors: u64 },
}

/// The marker at a sector.
fn marker(file: &[u8], at: usize) -> Marker {
    let sector = sector(file, at);
    match u32_at(sector, 8) {
        0 => {
            assert!(is_zero(&sector[16..]), "a marker at sector {at} is not filled up with zeros");
            Marker::Meta { kind: u32_at(sector, 12), sectors: u64_at(sector, 0) }
        }
        size => Marker::Grain { lba: u64_at(sector, 0), size: size as usize },
    }
}

/// A way through the file as one takes that sees it once only, from front to back.
struct Walk<'a> {
    file: &'a [u8],
    disk: &'a Disk,
    capacity: u64,
    /// The next sector.
    at: usize,
    /// What the directory has to be.
    directory: Vec<u32>,
    /// The lba after the last grain.
    next: u64,
}

impl Walk<'_> {
    /// Goes over the grains and their tables; gives the sector of the directory behind them.
    fn grains_and_tables(&mut self) -> usize {
        let mut table = vec![0; ENTRIES];
        let mut number = 0;
        loop {
            match marker(self.file, self.at) {
                Marker::Grain { lba, size } => {
                    let grain = (lba / GRAIN_SECTORS) as usize;
                    if empty(&table) {
                        number = grain / ENTRIES;
                    }
                    assert_eq!(grain / ENTRIES, number, "the grain at lba {lba} comes before the table of others");
                    table[grain % ENTRIES] = self.at as u32;
                    self.grain(lba, size);
                }
                Marker::Meta { kind: GRAIN_TABLE, sectors } => {
                    assert_eq!(sectors as usize, ENTRIES * 4 / SECTOR);
                    assert!(!empty(&table), "a table of nothing");
                    self.directory[number] = self.at as u32 + 1;
                    assert_eq!(u32s(self.file, self.at + 1, ENTRIES), table, "table {number}");
                    table.fill(0);
                    self.at += 1 + sectors as usize;
                }
                Marker::Meta { kind: GRAIN_DIRECTORY, sectors } => {
                    assert!(empty(&table), "grains without a table");
                    assert_eq!(sectors as usize, (self.directory.len() * 4).div_ceil(SECTOR));
                    self.absent(self.capacity);
                    return self.at + 1;
                }
                Marker::Meta { kind: END_OF_STREAM, .. } => panic!("the stream ends before its directory"),
                other => panic!("{other:?} at sector {}", self.at),
            }
        }
    }

    /// Checks the grain here and goes past it.
    fn grain(&mut self, lba: u64, size: usize) {
        assert!(lba.is_multiple_of(GRAIN_SECTORS) && lba < self.capacity, "lba {lba}");
        assert!(lba >= self.next, "lba {lba} does not ascend");
        // VirtualBox has no more room for a marker and its grain.
        assert!(12 + size <= GRAIN + SECTOR, "the grain at lba {lba} takes {size} bytes");
        self.absent(lba);
        let start = self.at * SECTOR + 12;
        let end = (start + size).next_multiple_of(SECTOR);
        let grain = inflate(&self.file[start..start + size]);
        let mut expected = vec![0; GRAIN];
        self.disk.read_at(&mut expected, lba * SECTOR as u64);
        assert!(grain == expected, "the grain at lba {lba} is wrong");
        assert!(!is_zero(&grain), "the grain at lba {lba} is zeros, which are to be left out");
        assert!(is_zero(&self.file[start + size..end]), "the grain at lba {lba} is not filled up with zeros");
        self.at = end / SECTOR;
        self.next = lba + GRAIN_SECTORS;
    }

    /// Checks that the disk holds nothing from the last grain up to `lba`.
    fn absent(&self, lba: u64) {
        let range = self.next * SECTOR as u64..lba.max(self.next) * SECTOR as u64;
        assert!(!self.disk.holds_data(range), "a grain is missing before lba {lba}");
    }
}

/// Inflates what must be one whole grain, and nothing else.
fn inflate(packed: &[u8]) -> Vec<u8> {
    let mut grain = Vec::with_capacity(2 * GRAIN);
    let mut inflater = Decompress::new(true);
    let status = inflater.decompress_vec(packed, &mut grain, FlushDecompress::Finish).expect("zlib");
    assert_eq!(status, Status::StreamEnd);
    assert_eq!(inflater.total_in(), packed.len() as u64, "bytes behind a grain's zlib stream");
    assert_eq!(grain.len(), GRAIN, "a grain's length");
    grain
}

/// Whether a table has no entry.
fn empty(table: &[u32]) -> bool {
    table.iter().all(|&entry| entry == 0)
}
