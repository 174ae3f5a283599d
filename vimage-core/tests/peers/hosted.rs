//! A hosted sparse extent taken apart byte by byte, after "Virtual Disk Format 5.0" alone: no code of vimage's.
//!
//! The readers that the other tests ask pass over the redundant directory. VMware opens no extent in which a table of
//! either directory is missing, and VirtualBox none whose directories differ.

use super::bytes::{SECTOR, is_zero, sector, u32_at, u32s, u64_at};
use std::ops::Range;
use vimage_fixtures::Disk;

const GRAIN: usize = 65_536;
const GRAIN_SECTORS: usize = GRAIN / SECTOR;
const ENTRIES: usize = 512;
const TABLE_SECTORS: usize = ENTRIES * 4 / SECTOR;

/// Newline test, redundant directory.
const FLAGS: u32 = 3;

/// Checks that `file` is an extent of the bytes `part` of `disk`, with a descriptor inside or without.
///
/// # Panics
/// Where it is not.
pub(crate) fn check(file: &[u8], disk: &Disk, part: Range<u64>, descriptor: bool) {
    let header = sector(file, 0);
    let capacity = (part.end - part.start) as usize / SECTOR;
    let descriptor = if descriptor { (1, 20) } else { (0, 0) };
    check_header(header, capacity, descriptor);
    let [redundant, primary, overhead] = [48, 56, 64].map(|offset| u64_at(header, offset) as usize);
    let count = capacity.div_ceil(GRAIN_SECTORS * ENTRIES);
    let directories = [redundant, primary].map(|at| u32s(file, at, count));

    let mut places = vec![0..1, descriptor.0..descriptor.0 + descriptor.1];
    places.extend([redundant, primary].map(|at| at..at + (count * 4).div_ceil(SECTOR)));
    for &table in directories.iter().flatten() {
        places.push(table as usize..table as usize + TABLE_SECTORS);
    }
    places.retain(|place| !place.is_empty());
    places.sort_by_key(|place| place.start);
    assert!(places.is_sorted_by(|a, b| a.end <= b.start), "tables overlap: {places:?}");
    assert!(places.iter().all(|place| place.end <= overhead), "a table lies among the grains");

    let [redundant, primary] =
        directories.map(|tables| tables.iter().flat_map(|&at| u32s(file, at as usize, ENTRIES)).collect::<Vec<_>>());
    assert!(redundant == primary, "the redundant tables differ");
    check_grains(file, disk, part, overhead, &primary);
}

fn check_header(header: &[u8], capacity: usize, descriptor: (usize, usize)) {
    assert_eq!(&header[..4], b"KDMV");
    assert_eq!(u32_at(header, 4), 1, "version");
    assert_eq!(u32_at(header, 8), FLAGS, "flags");
    assert_eq!(u64_at(header, 12), capacity as u64, "capacity");
    assert_eq!(u64_at(header, 20), GRAIN_SECTORS as u64, "grainSize");
    assert_eq!(u64_at(header, 28), descriptor.0 as u64, "descriptorOffset");
    assert_eq!(u64_at(header, 36), descriptor.1 as u64, "descriptorSize");
    assert_eq!(u32_at(header, 44), ENTRIES as u32, "numGTEsPerGT");
    assert_eq!(header[72], 0, "uncleanShutdown");
    assert_eq!(&header[73..77], b"\n \r\n");
    assert!(is_zero(&header[77..]), "compressAlgorithm, or what is behind it");
}

/// Every grain is where its entry says, each has a place of its own, and nothing else is in the file.
fn check_grains(file: &[u8], disk: &Disk, part: Range<u64>, overhead: usize, entries: &[u32]) {
    let mut taken = Vec::new();
    let mut expected = vec![0; GRAIN];
    for (&entry, start) in entries.iter().zip((part.start..).step_by(GRAIN)) {
        let end = (start + GRAIN as u64).min(part.end);
        if entry == 0 {
            assert!(start >= part.end || !disk.holds_data(start..end), "there is no grain for {start}");
            continue;
        }
        assert!(start < part.end, "a grain behind the end of the disk");
        expected.fill(0);
        disk.read_at(&mut expected[..(end - start) as usize], start);
        assert!(file[entry as usize * SECTOR..][..GRAIN] == expected, "the grain for {start} is wrong");
        assert!(!is_zero(&expected), "the grain for {start} is zeros, which are to be left out");
        taken.push(entry as usize);
    }
    taken.sort_unstable();
    // All aligned, one after the other from the first on: so none is there twice, and none is not used.
    assert_eq!(overhead % GRAIN_SECTORS, 0);
    let all: Vec<_> = (overhead..file.len() / SECTOR).step_by(GRAIN_SECTORS).collect();
    assert_eq!(taken, all);
    assert_eq!(file.len() % SECTOR, 0);
}
