//! Damaged and lying sparse headers and tables: each is refused, by its cause, within little time and memory.

#![allow(clippy::unwrap_used)]

mod support;

use support::hostile::{IMAGE, descriptor, field};
use support::{Folder, MIB};

fn sparse() -> Folder {
    let folder = Folder::new();
    folder.lay_sparse();
    folder
}

/// A limit that does not bite proves nothing.
#[test]
fn the_limits_that_these_tests_rely_on_bite() {
    let folder = Folder::with(&["dense"]);
    let starved = folder.run_within(4 << 10, 2, "convert dense.raw out.raw");
    assert_ne!(starved.status.code(), Some(0), "{starved}");
    for name in folder.names().iter().filter(|name| name.ends_with(".vimage-part")) {
        // A process that gets no memory at all cannot tidy up.
        std::fs::remove_file(folder.path(name)).unwrap();
    }
    let folder = Folder::with(&["three-tib"]);
    let tired = folder.run_tight("digest --algorithm sha256 three-tib.raw");
    assert_eq!(tired.status.code(), None, "{tired}");
}

#[test]
fn the_image_that_these_tests_damage_is_sound() {
    let folder = sparse();
    folder.disk(&support::disk("odd-capacity"));
    folder.same(IMAGE, "odd-capacity.raw");
}

#[test]
fn a_header_cut_off_anywhere_is_never_taken_for_raw() {
    let folder = sparse();
    let whole = folder.read(IMAGE);
    for length in (4..84).chain((84..512).step_by(31)).chain([511]) {
        folder.put(IMAGE, &whole[..length]);
        folder.run_tight(&format!("convert {IMAGE} out.raw")).fails(&[IMAGE, "cut off", &length.to_string()]);
        folder.run_tight(&format!("info {IMAGE}")).fails(&[IMAGE, "cut off"]);
        folder.check();
    }
    // With its header alone there is nothing else that it promises.
    folder.put(IMAGE, &whole[..512]);
    folder.refuses(IMAGE, IMAGE, &[]);
}

#[test]
fn a_raw_disk_may_have_any_length() {
    for length in [1, 3, 511, 512, 513, 4096, 70_001] {
        let folder = Folder::new();
        let bytes = vec![b'K'; length];
        folder.put("short.raw", &bytes);
        folder.makes("convert short.raw out.raw", &["out.raw"]);
        assert_eq!(folder.read("out.raw"), bytes);
        folder.makes("convert short.raw out.vmdk", &["out.vmdk"]);
        folder.run("compare short.raw out.vmdk").succeeds();
    }
    let folder = Folder::new();
    folder.put("nothing.raw", "");
    folder.makes("convert nothing.raw out.raw", &["out.raw"]);
    folder.makes("convert nothing.raw out.raw --split 1M", &["out.raw.001"]);
    folder.fails("convert nothing.raw out.vmdk", &["no bytes"]);
}

#[test]
fn a_grain_directory_past_the_end() {
    for sector in [1 << 20, u64::from(u32::MAX), 1 << 55, u64::MAX - 1] {
        let folder = sparse();
        folder.poke_u64(field::DIRECTORY, sector);
        folder.refuses(IMAGE, IMAGE, &["grain directory"]);
    }
}

#[test]
fn a_grain_table_past_the_end() {
    for sector in [1 << 20, u32::MAX] {
        let folder = sparse();
        let directory = folder.directory();
        folder.poke_u32(directory, sector);
        folder.refuses(IMAGE, IMAGE, &["grain table", "past the end"]);
    }
}

#[test]
fn a_grain_past_the_end() {
    for sector in [1 << 20, u32::MAX] {
        let folder = sparse();
        let entry = folder.entry();
        folder.poke_u32(entry, sector);
        folder.refuses(IMAGE, IMAGE, &["grain", "past the end", &(u64::from(sector) * 512).to_string()]);
    }
}

#[test]
fn a_file_cut_off_within_its_grains() {
    let folder = sparse();
    let (whole, grain) = (folder.read(IMAGE), folder.grain() as usize);
    for length in [grain + 4095, grain, grain - 1, whole.len() - 64_000] {
        folder.put(IMAGE, &whole[..length]);
        folder.refuses(IMAGE, IMAGE, &["grain", "past the end", "cut off"]);
    }
}

#[test]
fn a_capacity_that_no_disk_has() {
    for sectors in [1 << 63, 1 << 54, u64::MAX] {
        let folder = sparse();
        folder.poke_u64(field::CAPACITY, sectors);
        folder.refuses(IMAGE, IMAGE, &["capacity", &sectors.to_string()]);
    }
}

/// The directory of such a disk cannot be in the file, whatever the header says.
#[test]
fn a_capacity_that_the_file_has_no_directory_for() {
    for sectors in [(1 << 54) - 1, 1 << 53, 1 << 43, 1 << 38] {
        let folder = sparse();
        folder.poke_u64(field::CAPACITY, sectors);
        folder.refuses(IMAGE, IMAGE, &["grain directory"]);
    }
}

#[test]
fn a_capacity_in_the_descriptor_that_no_disk_has() {
    for sectors in ["9223372036854775808", "18014398509481984", "18446744073709551615", "18446744073709551616"] {
        let folder = Folder::new();
        folder.put("disk-flat.vmdk", [1; 512]);
        folder.describe("disk.vmdk", &format!("RW {sectors} FLAT \"disk-flat.vmdk\" 0"));
        folder.refuses("disk.vmdk", "disk.vmdk", &["extent", sectors]);
        folder.describe("disk.vmdk", &format!("RW {sectors} ZERO"));
        folder.refuses("disk.vmdk", "disk.vmdk", &["extent", sectors]);
    }
}

#[test]
fn extents_that_add_up_to_more_than_any_disk_has() {
    let folder = Folder::new();
    folder.describe("disk.vmdk", &["RW 9007199254740992 ZERO"; 2].join("\n"));
    folder.refuses("disk.vmdk", "disk.vmdk", &["add up to more than 2^63"]);
}

#[test]
fn grains_that_are_no_power_of_two_or_too_large() {
    for sectors in [0, 3, 127, 1 << 17, 1 << 32, 1 << 55, u64::MAX] {
        let folder = sparse();
        folder.poke_u64(field::GRAIN_SIZE, sectors);
        folder.refuses(IMAGE, IMAGE, &["grain", &sectors.to_string()]);
    }
}

#[test]
fn grain_tables_of_no_entries_or_too_many() {
    for entries in [0, 513, u32::MAX] {
        let folder = sparse();
        folder.poke_u32(field::ENTRIES, entries);
        folder.refuses(IMAGE, IMAGE, &["grain tables", &entries.to_string()]);
    }
}

#[test]
fn versions_that_nobody_knows() {
    for version in [0, 4, u32::MAX] {
        let folder = sparse();
        folder.poke_u32(field::VERSION, version);
        folder.refuses(IMAGE, IMAGE, &["version", &version.to_string()]);
    }
}

#[test]
fn flags_that_must_be_understood_and_are_not() {
    for bit in 18..32 {
        let folder = sparse();
        folder.poke_u32(field::FLAGS, 1 | 1 << bit);
        folder.refuses(IMAGE, IMAGE, &["flags", &format!("{:#010x}", 1_u32 << bit)]);
    }
}

#[test]
fn a_compression_that_nobody_knows() {
    let folder = Folder::new();
    folder.lay_stream();
    let footer = folder.footer();
    for header in [0, footer] {
        folder.poke(IMAGE, header + field::ALGORITHM, &[2, 0]);
        folder.refuses(IMAGE, IMAGE, &["compression 2"]);
    }
}

#[test]
fn a_file_that_was_transferred_as_text() {
    let folder = sparse();
    let whole = folder.read(IMAGE);
    let to_dos: Vec<u8> = whole
        .iter()
        .flat_map(|&byte| if byte == b'\n' { &b"\r\n"[..] } else { std::slice::from_ref(&byte) }.to_vec())
        .collect();
    let no_returns: Vec<u8> = whole.iter().copied().filter(|&byte| byte != b'\r').collect();
    let to_mac: Vec<u8> = whole.iter().map(|&byte| if byte == b'\n' { b'\r' } else { byte }).collect();
    for damaged in [to_dos, no_returns, to_mac] {
        folder.put(IMAGE, damaged);
        folder.refuses(IMAGE, IMAGE, &["transfer as text", "hint: transfer it again, as binary"]);
    }
}

#[test]
fn one_extent_without_its_descriptor() {
    let folder = Folder::with(&["sparse"]);
    folder.makes(
        "convert sparse.raw disk.vmdk --split 16M",
        &["disk.vmdk", "disk-s001.vmdk", "disk-s002.vmdk", "disk-s003.vmdk", "disk-s004.vmdk", "disk-s005.vmdk"],
    );
    folder.refuses("disk-s001.vmdk", "disk-s001.vmdk", &["one extent", "hint:", "disk.vmdk"]);
    folder.run("info disk-s002.vmdk").fails(&["disk-s002.vmdk", "one extent"]);
}

#[test]
fn an_extent_whose_header_has_less_than_its_line_says() {
    let folder = Folder::new();
    folder.lay_sparse();
    folder.describe("disk.vmdk", &format!("RW 8192 SPARSE \"{IMAGE}\""));
    folder.refuses("disk.vmdk", IMAGE, &["too short", &(8192 * 512).to_string()]);
}

/// The directory of one extent is 16 MiB at most, but a descriptor of 1 MiB can name it tens of thousands of times.
#[test]
fn many_extents_do_not_add_up_in_memory() {
    let folder = Folder::new();
    folder.lay_sparse();
    folder.poke_u64(field::CAPACITY, 4 * MIB * 512 * 128);
    let file = std::fs::File::options().write(true).open(folder.path(IMAGE)).unwrap();
    file.set_len(folder.directory() + 16 * MIB).unwrap();
    folder.put("disk.vmdk", descriptor(&vec![format!("RW 8 SPARSE \"{IMAGE}\""); 64].join("\n")));
    let outcome = folder.run_tight("digest disk.vmdk");
    assert!(matches!(outcome.status.code(), Some(0 | 2)), "{outcome}");
}
