//! What every readable image must do, in one list, whatever its format; and the disks to do it with.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::ops::Range;
use std::path::Path;
use vimage_core::extent::Extent;
use vimage_core::{Content, Extents, Image, Result};
use vimage_fixtures::{Disk, Fill, Run};

/// Stretches of a disk longer than this are looked at only where it holds data.
const WHOLE: u64 = 256 << 20;

/// Checks everything that is promised of an image that holds `disk`, whose size may be rounded up to `sector` bytes.
pub fn conforms(image: &dyn Image, disk: &Disk, sector: u64, name: &str) {
    assert_eq!(image.size(), disk.size.next_multiple_of(sector), "{name}: size");
    extents_tile_the_disk(image, name);
    extents_tell_the_truth(image, disk, name);
    every_byte_is_right(image, disk, name);
    odd_reads_are_right(image, disk, name);
    many_threads_may_read(image, disk, name);
    past_the_end_is_an_error(image, name);
}

fn past_the_end_is_an_error(image: &dyn Image, name: &str) {
    let size = image.size();
    for (offset, len) in [(size, 1), (size - 1, 2), (size + 1, 0), (u64::MAX, 1)] {
        assert!(image.read_exact_at(&mut vec![0; len], offset).is_err(), "{name}: {len} bytes at {offset}");
    }
    assert!(image.extent_at(size).is_err(), "{name}: an extent past the end");
}

fn extents_tile_the_disk(image: &dyn Image, name: &str) {
    let mut at = 0;
    let mut last: Option<Extent> = None;
    for extent in Extents::of(image) {
        let extent = extent.unwrap();
        assert_eq!(extent.range.start, at, "{name}: a gap or an overlap");
        assert!(extent.range.end > at, "{name}: an empty extent");
        if let Some(last) = last.filter(|last| (last.content, last.depth) == (extent.content, extent.depth)) {
            let next = last.at.map(|at| at + (last.range.end - last.range.start));
            assert_ne!(next, extent.at, "{name}: neighbours that were not merged");
        }
        at = extent.range.end;
        last = Some(extent);
    }
    assert_eq!(at, image.size(), "{name}: the extents end before the disk does");
    // From any offset, an extent covers that offset and moves on.
    for part in 0..50 {
        let Some(offset) = (image.size() * part / 50).checked_sub(part).filter(|&offset| offset < image.size()) else {
            continue;
        };
        let extent = image.extent_at(offset).unwrap();
        assert!(extent.range.contains(&offset), "{name}: {extent:?} does not cover {offset}");
    }
}

fn extents_tell_the_truth(image: &dyn Image, disk: &Disk, name: &str) {
    for extent in Extents::of(image).map(Result::unwrap).filter(|extent| !extent.content.is_data()) {
        assert!(!disk.holds_data(extent.range.clone()), "{name}: {extent:?} hides data");
    }
}

/// The stretches of a disk that are worth reading: all of it, or the surroundings of its data.
fn stretches(image: &dyn Image, disk: &Disk) -> Vec<Range<u64>> {
    let size = image.size();
    if size <= WHOLE {
        return vec![0..size];
    }
    let around = |run: &Run| run.offset.saturating_sub(100_000)..(run.end() + 100_000).min(size);
    disk.runs.iter().map(around).chain([0..4096, size - 4096..size]).collect()
}

fn every_byte_is_right(image: &dyn Image, disk: &Disk, name: &str) {
    let (mut found, mut expected) = (vec![0xa5; 1 << 20], vec![0; 1 << 20]);
    for stretch in stretches(image, disk) {
        let mut at = stretch.start;
        while at < stretch.end {
            let len = (stretch.end - at).min(found.len() as u64) as usize;
            found.fill(0xa5);
            image.read_exact_at(&mut found[..len], at).unwrap_or_else(|error| panic!("{name} at {at}: {error}"));
            disk.read_at(&mut expected[..len], at);
            let differs = found[..len].iter().zip(&expected).position(|(found, expected)| found != expected);
            assert_eq!(differs.map(|byte| at + byte as u64), None, "{name}: the first wrong byte");
            at += len as u64;
        }
    }
}

fn odd_reads_are_right(image: &dyn Image, disk: &Disk, name: &str) {
    let size = image.size();
    let edges = disk.runs.iter().flat_map(|run| [run.offset, run.end()]).chain([0, size]);
    for edge in edges.take(60) {
        for (before, len) in [(0, 1_u64), (1, 2), (511, 1025), (65_537, 131_075)] {
            let from = edge.saturating_sub(before).min(size);
            let len = len.min(size - from) as usize;
            let (mut found, mut expected) = (vec![0xa5; len], vec![0; len]);
            image.read_exact_at(&mut found, from).unwrap_or_else(|error| panic!("{name} at {from}: {error}"));
            disk.read_at(&mut expected, from);
            assert!(found == expected, "{name}: {len} bytes at {from}");
        }
    }
}

fn many_threads_may_read(image: &dyn Image, disk: &Disk, name: &str) {
    let Some(run) = disk.runs.first() else { return };
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                for step in 0..20 {
                    let from = (run.offset + (step * 977 + thread * 61) % run.len).min(image.size() - 1);
                    let len = (image.size() - from).min(3001) as usize;
                    let (mut found, mut expected) = (vec![0xa5; len], vec![0; len]);
                    image.read_exact_at(&mut found, from).unwrap();
                    disk.read_at(&mut expected, from);
                    assert!(found == expected, "{name}: thread {thread} at {from}");
                }
            });
        }
    });
}

/// A fixture's disk as an image without a file, so that disks of terabytes can be converted.
pub struct Source(pub Disk);

impl Image for Source {
    fn size(&self) -> u64 {
        self.0.size
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        let next = self.0.runs.iter().find(|run| run.end() > offset && run.len > 0);
        Ok(match next {
            Some(run) if run.offset <= offset => Extent::new(run.offset..run.end(), Content::Data),
            Some(run) => Extent::new(offset..run.offset, Content::Hole),
            None => Extent::new(offset..self.0.size, Content::Hole),
        })
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_at(buf, offset);
        Ok(())
    }
}

/// The ranges that an image holds data for, joined where they touch.
pub fn data_ranges(image: &dyn Image) -> Vec<Range<u64>> {
    let data = Extents::of(image).map(Result::unwrap).filter(|extent| extent.content.is_data());
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for extent in data {
        match ranges.last_mut() {
            Some(last) if last.end == extent.range.start => last.end = extent.range.end,
            _ => ranges.push(extent.range),
        }
    }
    ranges
}

/// A disk made from a few numbers, for tests that draw them at random.
pub fn disk_of(size: u64, runs: &[(u64, u64, u8)]) -> Disk {
    let mut disk = Disk { name: "drawn", size, runs: Vec::new() };
    for &(at, len, kind) in runs {
        let offset = at % size;
        let len = len.min(size - offset);
        let fill = match kind % 4 {
            0 => Fill::Text(u64::from(kind)),
            1 => Fill::Noise(u64::from(kind)),
            2 => Fill::Byte(kind),
            _ => Fill::Byte(0),
        };
        if len > 0 {
            disk = disk.overwritten("drawn", Run { offset, len, fill });
        }
    }
    disk
}

/// The names of the files in a folder, hidden ones too.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
