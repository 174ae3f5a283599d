//! Damaged and lying streams of compressed grains.

#![allow(clippy::unwrap_used)]

mod support;

use support::hostile::{GRAIN, IMAGE, field};
use support::{Folder, MIB};

/// The sector of the disk at which the first grain with data starts.
const LBA: u64 = GRAIN * 128;

fn stream() -> Folder {
    let folder = Folder::new();
    folder.lay_stream();
    folder
}

#[test]
fn the_stream_that_these_tests_damage_is_sound() {
    let folder = stream();
    folder.disk(&support::disk("odd-capacity"));
    folder.same(IMAGE, "odd-capacity.raw");
    assert_eq!(folder.u64_at(folder.grain()), LBA);
}

#[test]
fn a_marker_that_lies_about_its_place_on_the_disk() {
    for lba in [0, LBA - 1, LBA + 128, u64::MAX] {
        let folder = stream();
        let grain = folder.grain();
        folder.poke_u64(grain, lba);
        folder.refuses(IMAGE, IMAGE, &[&lba.to_string(), &LBA.to_string(), &format!("at byte {grain}")]);
    }
}

#[test]
fn a_marker_that_lies_about_its_size() {
    for size in [0, 131_073, u32::MAX] {
        let folder = stream();
        let grain = folder.grain();
        folder.poke_u32(grain + 8, size);
        folder.refuses(IMAGE, IMAGE, &["packed in", &size.to_string(), &format!("at byte {grain}")]);
    }
}

#[test]
fn a_marker_that_says_a_little_less_than_the_grain_has() {
    let folder = stream();
    let grain = folder.grain();
    let size = folder.u32_at(grain + 8) as u32;
    folder.poke_u32(grain + 8, size / 2);
    folder.refuses(IMAGE, IMAGE, &["inflate", &format!("at byte {grain}")]);
}

/// What the marker promises has to be in the file before room is made for it.
#[test]
fn a_huge_grain_promised_by_a_small_file() {
    let folder = stream();
    let grain = folder.grain();
    for header in [0, folder.footer()] {
        folder.poke_u64(header + field::GRAIN_SIZE, 65_536);
    }
    let first = folder.u32_at(folder.directory()) * 512;
    folder.poke_u32(first, (grain / 512) as u32);
    folder.poke_u64(grain, 0);
    folder.poke_u32(grain + 8, 64 * MIB as u32);
    folder.refuses(IMAGE, IMAGE, &["past the end"]);
}

#[test]
fn a_grain_that_inflates_to_more_than_a_grain() {
    for inflated in [65_537, 16 * MIB] {
        let bomb = deflated_run(inflated);
        let folder = Folder::new();
        folder.lay_front_stream();
        // Behind all else, where there is room for it.
        let end = (folder.read(IMAGE).len() as u64).next_multiple_of(512);
        folder.poke(IMAGE, end, &[&LBA.to_le_bytes()[..], &(bomb.len() as u32).to_le_bytes(), &bomb].concat());
        let entry = folder.entry();
        folder.poke_u32(entry, (end / 512) as u32);
        folder.refuses(IMAGE, IMAGE, &["inflates past the 65536 bytes", &format!("at byte {end}")]);
    }
}

#[test]
fn a_grain_that_inflates_to_less_than_a_grain() {
    let folder = stream();
    let bomb = deflated_run(65_535);
    let grain = folder.grain();
    folder.poke(IMAGE, grain + 8, &[&(bomb.len() as u32).to_le_bytes()[..], &bomb].concat());
    folder.refuses(IMAGE, IMAGE, &["65535", "65536"]);
}

#[test]
fn a_grain_that_does_not_inflate() {
    let folder = stream();
    let grain = folder.grain();
    folder.poke(IMAGE, grain + 12 + 100, &[0xa5; 200]);
    folder.refuses(IMAGE, IMAGE, &["inflate", &format!("at byte {grain}")]);
}

#[test]
fn a_footer_that_says_that_the_directory_is_at_the_end() {
    let folder = stream();
    let footer = folder.footer();
    folder.poke_u64(footer + field::DIRECTORY, u64::MAX);
    folder.refuses(IMAGE, IMAGE, &["footer", "elsewhere", &format!("at byte {footer}")]);
}

#[test]
fn a_footer_that_contradicts_the_header() {
    for (offset, value) in [(field::CAPACITY, 1_u64 << 40), (field::GRAIN_SIZE, 64)] {
        let folder = stream();
        let footer = folder.footer();
        folder.poke_u64(footer + offset, value);
        folder.refuses(IMAGE, IMAGE, &["footer contradicts", &format!("at byte {footer}")]);
    }
}

#[test]
fn a_stream_cut_off_anywhere() {
    let folder = stream();
    let whole = folder.read(IMAGE);
    for length in [65_536, 65_537, 70_000, whole.len() - 1536, whole.len() - 1024, whole.len() - 512, whole.len() - 1] {
        folder.put(IMAGE, &whole[..length]);
        folder.refuses(IMAGE, IMAGE, &["no footer", "hint: the file was cut off"]);
    }
}

/// Zeros behind the end are searched, but not for ever.
#[test]
fn a_footer_far_before_the_end() {
    let folder = stream();
    std::fs::File::options().write(true).open(folder.path(IMAGE)).unwrap().set_len(1 << 40).unwrap();
    folder.refuses(IMAGE, IMAGE, &["no footer"]);
}

#[test]
fn a_directory_of_a_stream_past_the_end() {
    let folder = stream();
    let footer = folder.footer();
    folder.poke_u64(footer + field::DIRECTORY, 1 << 40);
    folder.refuses(IMAGE, IMAGE, &["grain directory"]);
}

/// A zlib stream that inflates to `count` bytes of one letter: the letter, matches of 258 bytes at distance 1 in thirteen
/// bits each, and letters again, all in one block of fixed codes (RFC 1951, section 3.2.6).
fn deflated_run(count: u64) -> Vec<u8> {
    let mut bits = Bits { bytes: vec![0x78, 0x01], used: 8 };
    bits.put(0b011, 3);
    bits.code(0x30 + u32::from(b'x'), 8);
    for _ in 0..(count - 1) / 258 {
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    for _ in 0..(count - 1) % 258 {
        bits.code(0x30 + u32::from(b'x'), 8);
    }
    bits.code(0, 7);
    let adler = (0..count)
        .fold((1_u64, 0_u64), |(a, b), _| ((a + u64::from(b'x')) % 65_521, (b + a + u64::from(b'x')) % 65_521));
    let sum = (adler.1 << 16 | adler.0) as u32;
    bits.bytes.extend(sum.to_be_bytes());
    bits.bytes
}

/// Bits from the lowest up.
struct Bits {
    bytes: Vec<u8>,
    /// Bits taken of the last byte.
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used == 8 {
                self.bytes.push(0);
                self.used = 0;
            }
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << self.used;
            self.used += 1;
        }
    }

    /// Huffman codes go with their highest bit first.
    fn code(&mut self, value: u32, count: u32) {
        (0..count).rev().for_each(|bit| self.put(value >> bit & 1, 1));
    }
}
