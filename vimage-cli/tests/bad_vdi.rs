//! Damaged and lying VDIs: each is refused, by its cause, within little time and memory.

#![allow(clippy::unwrap_used)]

mod support;

use support::laid::{DISK, VDI, vdi};
use support::{Folder, MIB, disk};
use vimage_fixtures::vdi::{FREE, Image, Options, Parent, ZERO, lay};
use vimage_fixtures::{Disk, Fill, Run};

/// Offsets of the fields of a header, as VirtualBox and QEMU have them.
mod field {
    pub(crate) const VERSION: u64 = 0x44;
    pub(crate) const HEADER_SIZE: u64 = 0x48;
    pub(crate) const KIND: u64 = 0x4c;
    pub(crate) const MAP: u64 = 0x154;
    pub(crate) const DATA: u64 = 0x158;
    pub(crate) const SECTOR: u64 = 0x168;
    pub(crate) const SIZE: u64 = 0x170;
    pub(crate) const BLOCK: u64 = 0x178;
    pub(crate) const EXTRA: u64 = 0x17c;
    pub(crate) const COUNT: u64 = 0x180;
    pub(crate) const ALLOCATED: u64 = 0x184;
    pub(crate) const CREATED: u64 = 0x188;
    pub(crate) const MODIFIED: u64 = 0x198;
}

fn sound() -> (Folder, Image) {
    vdi(&Options::default())
}

/// Pokes a number of the VDI.
fn poke(folder: &Folder, offset: u64, value: u32) {
    folder.poke(VDI, offset, &value.to_le_bytes());
}

#[test]
fn the_images_that_these_tests_damage_are_sound() {
    for options in [
        Options::default(),
        Options { fixed: true, ..Options::default() },
        Options { reversed: true, ..Options::default() },
        Options { block: 65_536, ..Options::default() },
        Options { block: 512, ..Options::default() },
        Options { extra: 4096, reversed: true, ..Options::default() },
    ] {
        let (folder, _) = vdi(&options);
        folder.disk(&disk(DISK));
        folder.same(VDI, "odd-capacity.raw");
        folder.is_clean(VDI);
    }
}

#[test]
fn a_header_cut_off_anywhere_is_never_taken_for_raw() {
    let (folder, image) = sound();
    for length in [68, 69, 80, 200, 400, 472, 511] {
        folder.put(VDI, &image.bytes[..length]);
        folder.corrupt(VDI, &["cut off", &length.to_string()]);
    }
    folder.put(VDI, &image.bytes[..image.map as usize + 7]);
    folder.corrupt(VDI, &["map", "519 bytes"]);
}

#[test]
fn versions_that_nobody_knows() {
    for (version, words) in [(2, "0.2"), (1 << 16, "1.0"), (2 << 16, "2.0"), (u32::MAX, "65535.65535")] {
        let (folder, _) = sound();
        poke(&folder, field::VERSION, version);
        folder.unsupported(VDI, &["version", words, "byte 68"]);
    }
}

#[test]
fn kinds_that_there_are_not() {
    let (folder, _) = sound();
    poke(&folder, field::KIND, 3);
    folder.unsupported(VDI, &["undo", "byte 76"]);
    for kind in [0, 5, 9, u32::MAX] {
        poke(&folder, field::KIND, kind);
        folder.corrupt(VDI, &["kind", &kind.to_string(), "byte 76"]);
    }
}

#[test]
fn blocks_of_sizes_that_there_are_not() {
    for size in [0, 1, 3, 256, MIB as u32 - 1, 1 << 31, u32::MAX] {
        let (folder, _) = sound();
        poke(&folder, field::BLOCK, size);
        folder.corrupt(VDI, &["blocks of", &size.to_string(), "byte 376"]);
    }
    for extra in [1 << 21, u32::MAX] {
        let (folder, _) = sound();
        poke(&folder, field::EXTRA, extra);
        folder.corrupt(VDI, &["extra", &extra.to_string(), "byte 380"]);
    }
}

#[test]
fn sectors_of_another_size() {
    let (folder, _) = sound();
    poke(&folder, field::SECTOR, 4096);
    folder.unsupported(VDI, &["sectors", "4096"]);
}

#[test]
fn a_header_shorter_than_its_fields() {
    for size in [0, 72, 0x17f] {
        let (folder, _) = sound();
        poke(&folder, field::HEADER_SIZE, size);
        folder.corrupt(VDI, &["header of", &size.to_string(), "byte 72"]);
    }
    let (folder, _) = sound();
    poke(&folder, field::HEADER_SIZE, u32::MAX);
    folder.corrupt(VDI, &["header"]);
}

#[test]
fn too_few_blocks_for_the_disk() {
    for count in [0, 3] {
        let (folder, _) = sound();
        poke(&folder, field::COUNT, count);
        folder.corrupt(VDI, &[&format!("{count} blocks"), "do not hold", "byte 384"]);
    }
    for size in [1 << 62, i64::MAX as u64 - 511, 1 << 40] {
        let (folder, _) = sound();
        folder.poke(VDI, field::SIZE, &size.to_le_bytes());
        folder.corrupt(VDI, &["do not hold", &size.to_string()]);
    }
}

#[test]
fn sizes_that_no_disk_has() {
    for size in [1 << 63, u64::MAX] {
        let (folder, _) = sound();
        folder.poke(VDI, field::SIZE, &size.to_le_bytes());
        folder.corrupt(VDI, &["disk of", &size.to_string(), "byte 368"]);
        let outcome = folder.run_tight("info disk.vdi").ends(2);
        assert!(!outcome.stderr.contains("2^63 is the most"), "2^63 bytes are refused: {outcome}");
    }
    // The largest number that fits is no whole number of sectors, and the next that is does not fit.
    let (folder, _) = sound();
    folder.poke(VDI, field::SIZE, &i64::MAX.to_le_bytes());
    folder.corrupt(VDI, &[]);
}

#[test]
fn a_map_that_is_not_in_the_file() {
    for count in [u32::MAX, 1 << 20] {
        let (folder, _) = sound();
        poke(&folder, field::COUNT, count);
        folder.corrupt(VDI, &["map", &count.to_string(), "byte 384", &(512 + u64::from(count) * 4).to_string()]);
    }
    let (folder, _) = sound();
    poke(&folder, field::MAP, u32::MAX);
    folder.corrupt(VDI, &["map", "file has"]);
}

/// A map as large as its file is long: only what is read of it may take memory.
#[test]
fn the_largest_map_in_a_file_of_holes() {
    let (folder, _) = sound();
    folder.stretch(VDI, 8 << 30);
    poke(&folder, field::COUNT, (1 << 30) - 1024);
    poke(&folder, field::DATA, u32::MAX - 511);
    for line in ["digest disk.vdi", "map disk.vdi", "measure -O raw disk.vdi"] {
        folder.run_tight(line).fails(&[VDI]);
    }
    let outcome = folder.run_tight("check disk.vdi");
    assert!(matches!(outcome.status.code(), Some(1 | 2)), "{outcome}");
}

#[test]
fn a_map_in_the_header() {
    for at in [0, 1, 0x188, 0x1d4] {
        let (folder, _) = sound();
        poke(&folder, field::MAP, at);
        folder.corrupt(VDI, &["map", &at.to_string(), "in the header", "byte 340"]);
    }
}

#[test]
fn blocks_in_the_map() {
    for at in [0, 512, 512 + 15] {
        let (folder, _) = sound();
        poke(&folder, field::DATA, at);
        folder.corrupt(VDI, &["blocks", &at.to_string(), "in the map", "byte 344"]);
    }
}

#[test]
fn a_map_that_names_a_block_twice() {
    let (folder, image) = sound();
    poke(&folder, image.map + 8, 0);
    folder.corrupt(VDI, &["block 0", "twice", &(image.map + 8).to_string()]);
}

#[test]
fn a_map_that_names_a_block_out_of_range() {
    for number in [4, 1 << 20, FREE - 2] {
        let (folder, image) = sound();
        poke(&folder, image.map + 4, number);
        folder.corrupt(VDI, &[&format!("block {number}"), &(image.map + 4).to_string()]);
    }
}

/// The map may name any block that the header counts; that the file ends before it is met in reading.
#[test]
fn a_map_that_names_a_block_past_the_end() {
    let (folder, image) = sound();
    poke(&folder, image.map + 4, 3);
    folder.refuses(VDI, VDI, &["block", "past the end", &(image.data + 3 * MIB).to_string()]);
    folder.finds(VDI, &["corruption", "end"]);
}

#[test]
fn a_file_cut_off_within_its_blocks() {
    let (folder, image) = sound();
    for length in [image.data, image.data + 1, image.data + MIB, image.data + MIB + 700_000] {
        folder.put(VDI, &image.bytes[..length as usize]);
        folder.refuses(VDI, VDI, &["block", "past the end", "cut off"]);
        folder.finds(VDI, &["corruption", "end"]);
    }
}

#[test]
fn a_wrong_count_of_blocks() {
    for count in [0, 2, 4, u32::MAX] {
        let (folder, _) = sound();
        folder.disk(&disk(DISK));
        poke(&folder, field::ALLOCATED, count);
        folder.same(VDI, "odd-capacity.raw");
        folder.finds(VDI, &["counts", &count.to_string(), "names 3", "388"]);
    }
}

#[test]
fn no_uuids() {
    for (at, words) in [(field::CREATED, "392"), (field::MODIFIED, "408")] {
        let (folder, _) = sound();
        folder.disk(&disk(DISK));
        folder.poke(VDI, at, &[0; 16]);
        folder.same(VDI, "odd-capacity.raw");
        folder.finds(VDI, &["risk", "UUID", words]);
    }
}

#[test]
fn blocks_of_zeros_and_none() {
    let (folder, image) = sound();
    folder.disk(&disk(DISK));
    poke(&folder, image.map, ZERO);
    folder.same(VDI, "odd-capacity.raw");
    folder.is_clean(VDI);
}

const PARENT_IDS: [[u8; 16]; 2] = [[0x31; 16], [0x32; 16]];

/// A disk that was written to over `odd-capacity`: new data, and zeros over old data.
fn changed() -> Disk {
    let zeros = Run { offset: 2 * MIB, len: MIB, fill: Fill::Byte(0) };
    let text = Run { offset: 100, len: 5000, fill: Fill::Text(77) };
    disk(DISK).overwritten("changed", zeros).overwritten("changed", text)
}

/// A folder with a differencing VDI whose parent is not there.
fn child() -> Folder {
    let folder = Folder::new();
    let parent = Parent { disk: &disk(DISK), ids: PARENT_IDS };
    folder.put(VDI, lay(&changed(), &Options { parent: Some(parent), ..Options::default() }).bytes);
    folder
}

#[test]
fn an_orphan_is_an_error_and_never_zeros() {
    let folder = child();
    folder.put("other.vdi", lay(&disk(DISK), &Options::default()).bytes);
    folder.put("text.vdi", "nothing of the kind");
    let id = "31313131-3131-3131-3131-313131313131";
    folder.refuses(VDI, VDI, &["parent", id, "hint:"]);
    folder.run_tight("info disk.vdi").succeeds().says(&["differencing", id]);
    folder.run_tight("info --chain disk.vdi").fails(&["parent", id]);
    for line in ["map disk.vdi", "measure -O raw disk.vdi"] {
        folder.run_tight(line).fails(&["parent", id]);
    }
    folder.is_clean(VDI);
}

#[test]
fn a_parent_is_found_by_its_uuids() {
    let folder = child();
    folder.disk(&changed());
    folder.put("other.vdi", lay(&disk("empty"), &Options::default()).bytes);
    folder.put("zbase.vdi", lay(&disk(DISK), &Options { ids: PARENT_IDS, ..Options::default() }).bytes);
    folder.same(VDI, "changed.raw");
    folder.run("info --chain disk.vdi").succeeds().says(&["disk.vdi", "zbase.vdi"]);
    let document = folder.run("info --chain --json disk.vdi").succeeds().json("info");
    assert_eq!(document["images"].as_array().unwrap().len(), 2);
    // Beneath a child of the child it is found as well.
    let ids = [[0x11; 16], [0x22; 16]];
    let parent = Parent { disk: &changed(), ids };
    let grandchild = Options { parent: Some(parent), ids: [[0x51; 16], [0x52; 16]], ..Options::default() };
    folder.put("top.vdi", lay(&disk("empty"), &Options { ..grandchild }).bytes);
    folder.run("info --chain top.vdi").succeeds().says(&["top.vdi", "disk.vdi", "zbase.vdi"]);
}

#[test]
fn a_parent_that_was_changed_since() {
    let folder = child();
    let ids = [PARENT_IDS[0], [0x99; 16]];
    folder.put("base.vdi", lay(&disk(DISK), &Options { ids, ..Options::default() }).bytes);
    folder.refuses(VDI, VDI, &["parent", "32323232-3232-3232-3232-323232323232", "hint:"]);
    // The one that is there under the right name is what a user looks at: it must be told of.
    folder.run_tight("digest disk.vdi").fails(&["base.vdi"]);
}

#[test]
fn a_parent_that_is_a_link_or_a_pipe() {
    let folder = child();
    let elsewhere = Folder::new();
    elsewhere.put("base.vdi", lay(&disk(DISK), &Options { ids: PARENT_IDS, ..Options::default() }).bytes);
    std::os::unix::fs::symlink(elsewhere.path("base.vdi"), folder.path("base.vdi")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path("pipe.vdi")).status().unwrap();
    assert!(made.success());
    folder.expect(&["base.vdi", "pipe.vdi"]);
    folder.refuses(VDI, VDI, &["parent"]);
}

#[test]
fn parents_in_a_circle() {
    let folder = Folder::new();
    let (one, two) = ([[0x41; 16], [0x42; 16]], [[0x43; 16], [0x44; 16]]);
    let over = |ids, parent| {
        let parent = Parent { disk: &disk("empty"), ids: parent };
        lay(&disk(DISK), &Options { ids, parent: Some(parent), ..Options::default() }).bytes
    };
    folder.put("disk.vdi", over(one, two));
    folder.put("two.vdi", over(two, one));
    folder.refuses(VDI, VDI, &["comes back to", "disk.vdi"]);
    folder.run_tight("info --chain disk.vdi").fails(&["comes back to"]);
    folder.remove("two.vdi");
    folder.put("disk.vdi", over(one, one));
    folder.refuses(VDI, VDI, &["comes back to", "disk.vdi"]);
}

#[test]
fn a_parent_without_uuids_is_nobodys() {
    let folder = Folder::new();
    let parent = Parent { disk: &disk(DISK), ids: [[0; 16]; 2] };
    folder.put(VDI, lay(&changed(), &Options { parent: Some(parent), ..Options::default() }).bytes);
    folder.put("zero.vdi", lay(&disk("empty"), &Options { ids: [[0; 16]; 2], ..Options::default() }).bytes);
    folder.refuses(VDI, VDI, &["parent"]);
}
