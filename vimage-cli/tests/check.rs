//! `vimage check`: every fault is found and listed, and nothing else.

#![allow(clippy::unwrap_used)]

mod support;

use support::laid::{CLUSTER, DISK, QCOW2, VDI, qcow2, vdi};
use support::{Folder, MIB, disk};
use vimage_fixtures::qcow2::{COPIED, Image, Options, Parent, packed_entry};
use vimage_fixtures::vdi;

const SIZE: u64 = 1 << 16;

fn sound() -> (Folder, Image) {
    qcow2(&Options::default())
}

/// Where the refcount of the cluster at byte `at` stands.
fn refcount(image: &Image, at: u64) -> u64 {
    image.refcount_blocks[0] + at / SIZE * 2
}

fn set_refcount(folder: &Folder, image: &Image, at: u64, count: u16) {
    folder.poke(QCOW2, refcount(image, at), &count.to_be_bytes());
}

/// The first cluster with data, and where its entry stands.
fn first(folder: &Folder, image: &Image) -> (u64, u64) {
    let entry = image.l2[0] + 8 * CLUSTER;
    (folder.big_at(entry) & !COPIED, entry)
}

/// The faults that are listed in JSON: each kind's number.
fn counted(folder: &Folder, image: &str) -> [u64; 3] {
    let document = folder.run_tight(&format!("check --json {image}")).json("check");
    ["corruptions", "risks", "leaks"].map(|name| document[name].as_u64().unwrap())
}

#[test]
fn what_is_sound_is_clean_in_every_way_of_saying_so() {
    let (folder, _) = sound();
    folder.run("check disk.qcow2").succeeds().says(&["No faults"]);
    let quiet = folder.run("check -q disk.qcow2").succeeds();
    assert_eq!(quiet.stdout, "");
    let document = folder.run("check --json disk.qcow2").succeeds().json("check");
    assert_eq!(document["findings"], serde_json::json!([]));
    assert_eq!(counted(&folder, QCOW2), [0; 3]);
}

#[test]
fn a_finding_is_told_in_every_way() {
    let (folder, image) = sound();
    let (at, _) = first(&folder, &image);
    set_refcount(&folder, &image, at, 0);
    let quiet = folder.run("check -q disk.qcow2").ends(1);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let text = folder.run("check disk.qcow2").ends(1).says(&["corruption", "found"]);
    assert_eq!(text.stderr, "");
    let document = folder.run("check --json disk.qcow2").ends(1).json("check");
    assert_eq!(document["filename"], QCOW2);
    let finding = &document["findings"][0];
    assert!(finding["severity"] == "corruption" && finding["offset"].is_u64() && finding["message"].is_string());
}

#[test]
fn a_refcount_too_low_is_corruption() {
    let (folder, image) = sound();
    let (at, _) = first(&folder, &image);
    set_refcount(&folder, &image, at, 0);
    folder.finds(QCOW2, &["corruption", "refcount is 0", "used 1", &at.to_string()]);
    // The copied flag says one.
    folder.finds(QCOW2, &["corruption", "copied flag is set", "refcount of 0"]);
    assert_eq!(counted(&folder, QCOW2), [2, 0, 0]);
}

#[test]
fn a_refcount_too_high_is_a_leak() {
    let (folder, image) = sound();
    let (at, entry) = first(&folder, &image);
    set_refcount(&folder, &image, at, 2);
    let word = at;
    folder.big_u64(entry, word);
    folder.finds(QCOW2, &["leak", "refcount is 2", "used 1", &at.to_string()]);
    assert_eq!(counted(&folder, QCOW2), [0, 0, 1]);
}

#[test]
fn a_cluster_that_nothing_uses_is_a_leak() {
    let (folder, image) = sound();
    let (at, entry) = first(&folder, &image);
    folder.big_u64(entry, 0);
    folder.finds(QCOW2, &["leak", "refcount is 1", "used 0", &at.to_string()]);
    assert_eq!(counted(&folder, QCOW2), [0, 0, 1]);
}

#[test]
fn wrong_copied_flags() {
    let (folder, image) = sound();
    let (at, entry) = first(&folder, &image);
    folder.big_u64(entry, at);
    folder.finds(QCOW2, &["corruption", "copied flag is not set", &entry.to_string()]);
    folder.big_u64(entry, at | COPIED);
    folder.is_clean(QCOW2);
    folder.big_u64(image.l1, image.l2[0]);
    folder.finds(QCOW2, &["corruption", "copied flag is not set", &image.l1.to_string()]);
    let (folder, image) = qcow2(&Options { snapshots: &[("1", "before")], ..Options::default() });
    let (at, entry) = first(&folder, &image);
    folder.big_u64(entry, at | COPIED);
    folder.finds(QCOW2, &["corruption", "copied flag is set", "refcount of 2", &entry.to_string()]);
    let (folder, image) = qcow2(&Options { compressed: true, ..Options::default() });
    let entry = image.l2[0] + 8 * 48;
    let word = folder.big_at(entry);
    assert!(word >> 62 & 1 == 1, "a compressed cluster");
    folder.big_u64(entry, word | COPIED);
    folder.finds(QCOW2, &["corruption", "compressed", "copied flag"]);
}

#[test]
fn reserved_bits() {
    for (bit, what) in [(1, "L1"), (62, "L1"), (2, "L2"), (57, "L2"), (3, "refcount table")] {
        let (folder, image) = sound();
        let at = match what {
            "L1" => image.l1,
            "L2" => first(&folder, &image).1,
            _ => image.refcount_table,
        };
        let word = folder.big_at(at) | 1 << bit;
        folder.big_u64(at, word);
        folder.finds(QCOW2, &["corruption", what, "reserved", &at.to_string()]);
    }
}

/// An entry that points nowhere can have them too.
#[test]
fn reserved_bits_of_entries_that_point_nowhere() {
    for version in [2, 3] {
        let (folder, image) = qcow2(&Options { version, ..Options::default() });
        folder.big_u64(image.l2[0], 1 << 58 | 4);
        folder.finds(QCOW2, &["corruption", "L2", "reserved", &image.l2[0].to_string()]);
    }
    let (folder, image) = qcow2(&Options { extended: true, ..Options::default() });
    folder.big_u64(image.l2[0], 1 << 58);
    folder.finds(QCOW2, &["corruption", "L2", "reserved", &image.l2[0].to_string()]);
}

#[test]
fn data_where_a_table_is() {
    type Place = fn(&Image) -> u64;
    let places: [Place; 5] =
        [|_| 0, |image| image.l1, |image| image.l2[0], |image| image.refcount_table, |image| image.refcount_blocks[0]];
    for place in places {
        let (folder, image) = sound();
        let at = place(&image);
        // The header is no place that an entry can name: it is the offset 0, and so nothing.
        if at == 0 {
            continue;
        }
        folder.big_u64(first(&folder, &image).1, at | COPIED);
        folder.finds(QCOW2, &["corruption", "where a table is", &at.to_string()]);
        folder.run_tight("digest disk.qcow2").succeeds();
    }
}

#[test]
fn compressed_data_where_the_header_is() {
    let (folder, image) = sound();
    folder.big_u64(first(&folder, &image).1, packed_entry(16, 512, 512));
    folder.finds(QCOW2, &["corruption", "where a table is"]);
}

#[test]
fn tables_where_tables_are() {
    let (folder, image) = sound();
    folder.big_u64(48, image.refcount_blocks[0]);
    folder.finds(QCOW2, &["corruption"]);
    let (folder, image) = sound();
    folder.big_u64(40, image.refcount_table);
    folder.finds(QCOW2, &["corruption", "L1 table", "something else"]);
    let (folder, image) = sound();
    folder.big_u64(image.l1, image.l1 | COPIED);
    folder.finds(QCOW2, &["corruption", "L2 table", "something else"]);
    let (folder, _) = sound();
    folder.big_u64(40, 0);
    folder.finds(QCOW2, &["corruption", "L1 table", "something else"]);
}

#[test]
fn a_refcount_table_that_points_at_itself() {
    let (folder, image) = sound();
    folder.disk(&disk(DISK));
    folder.big_u64(image.refcount_table, image.refcount_table);
    folder.same(QCOW2, "odd-capacity.raw");
    folder.finds(QCOW2, &["corruption", "refcount block", "something else", &image.refcount_table.to_string()]);
    for index in 0..SIZE / 8 {
        folder.big_u64(image.refcount_table + 8 * index, image.refcount_table);
    }
    folder.finds(QCOW2, &["corruption", "refcount block", "something else"]);
    folder.same(QCOW2, "odd-capacity.raw");
}

#[test]
fn refcount_blocks_that_cannot_be() {
    for (word, words) in [
        (1 << 40, "past the end"),
        (!0 << 16, "past the end"),
        (!0 << 9, "cluster"),
        (512, "cluster"),
        (0, "refcount is 0"),
    ] {
        let (folder, image) = sound();
        folder.disk(&disk(DISK));
        folder.big_u64(image.refcount_table, word);
        folder.finds(QCOW2, &["corruption", words]);
        folder.same(QCOW2, "odd-capacity.raw");
    }
}

/// Of many findings the first are listed, and the rest is counted.
#[test]
fn more_findings_than_anybody_reads() {
    let (folder, image) = sound();
    let entries: Vec<u8> = (0..SIZE / 8).flat_map(|_| (1_u64 << 40).to_be_bytes()).collect();
    folder.poke(QCOW2, image.l2[0], &entries);
    let outcome = folder.run_tight("check disk.qcow2").ends(1).says(&["8192 corruptions", "more than are listed"]);
    assert_eq!(outcome.stdout.lines().count(), 1001);
    let document = folder.run_tight("check --json disk.qcow2").ends(1).json("check");
    assert_eq!(document["findings"].as_array().unwrap().len(), 1000);
    assert_eq!(document["corruptions"], 8192);
    assert!(document["leaks"].as_u64().unwrap() > 0);
}

/// Blocks of a file that is all holes: what is counted must not take memory by where it is.
#[test]
fn refcount_blocks_far_apart_in_a_file_of_holes() {
    let (folder, image) = qcow2(&Options { cluster_bits: 9, ..Options::default() });
    let table = (image.bytes.len() as u64).next_multiple_of(512);
    let words: Vec<u8> = (1..=100_000_u64).flat_map(|n| (n * 4096 * 512).to_be_bytes()).collect();
    folder.stretch(QCOW2, 100_002 * 4096 * 512);
    folder.poke(QCOW2, table, &words);
    folder.big_u64(48, table);
    folder.big_u32(56, (words.len() as u64).div_ceil(512) as u32);
    let outcome = folder.run_tight("check disk.qcow2");
    assert!(matches!(outcome.status.code(), Some(1 | 2)), "{outcome}");
    folder.run_tight("info disk.qcow2").succeeds();
}

/// Each bitmap has a table of its own; following the same one for each takes time without end.
#[test]
fn thousands_of_bitmaps_with_one_table() {
    let (folder, mut image) = sound();
    let table = image.bytes.len() as u64;
    image.bytes.resize(image.bytes.len() + 8 * MIB as usize, 0);
    let at = image.bytes.len() as u64;
    let mut row = Vec::new();
    row.extend(table.to_be_bytes());
    row.extend((MIB as u32).to_be_bytes());
    // No flags, of type 1, with a granularity of 64 KiB, without name and extra data.
    row.extend([0, 0, 0, 0, 1, 16, 0, 0, 0, 0, 0, 0]);
    let count = 50_000_u32;
    (0..count).for_each(|_| image.bytes.extend(&row));
    let size = image.bytes.len() as u64 - at;
    // The extension: how many there are, nothing, the directory's bytes and where it is.
    let fields = [0x2385_2875_u64 << 32 | 24, u64::from(count) << 32, size, at, 0];
    let extension: Vec<u8> = fields.into_iter().flat_map(u64::to_be_bytes).collect();
    image.bytes[112..112 + extension.len()].copy_from_slice(&extension);
    folder.put(QCOW2, &image.bytes);
    folder.run_tight("check disk.qcow2").succeeds();
    // Only where this bit says so do they count.
    folder.big_u64(88, 1);
    folder.finds(QCOW2, &["bitmap", "something else"]);
}

#[test]
fn parents_are_not_checked_but_the_image_is() {
    let parent = Parent { disk: Some(&disk("empty")), name: "gone.raw", format: Some("raw") };
    let (folder, image) = qcow2(&Options { parent: Some(parent), ..Options::default() });
    folder.is_clean(QCOW2);
    let (at, _) = first(&folder, &image);
    set_refcount(&folder, &image, at, 0);
    folder.finds(QCOW2, &["refcount is 0"]);
}

#[test]
fn a_vdi_with_bytes_behind_its_blocks() {
    let (folder, image) = vdi(&vdi::Options::default());
    folder.stretch(VDI, image.bytes.len() as u64 + 3 * MIB);
    folder.finds(VDI, &["leak", "behind the last block", &image.bytes.len().to_string()]);
    assert_eq!(counted(&folder, VDI), [0, 0, 1]);
}

#[test]
fn a_vdi_with_all_faults_at_once() {
    let (folder, image) = vdi(&vdi::Options::default());
    folder.poke(VDI, 0x188, &[0; 16]);
    folder.poke(VDI, 0x184, &9_u32.to_le_bytes());
    folder.poke(VDI, image.map + 4, &77_u32.to_le_bytes());
    folder.poke(VDI, image.map + 12, &1_u32.to_le_bytes());
    folder.finds(VDI, &["corruption", "block 77"]);
    folder.finds(VDI, &["corruption", "block 1 twice"]);
    folder.finds(VDI, &["corruption", "counts 9"]);
    folder.finds(VDI, &["risk", "UUID"]);
}

/// QEMU opens no image that names a parent and is none that has one.
#[test]
fn a_vdi_with_a_parent_that_it_cannot_have() {
    for at in [0x1a8, 0x1b8] {
        let (folder, _) = vdi(&vdi::Options::default());
        folder.poke(VDI, at, &[7; 16]);
        folder.finds(VDI, &["risk", "parent", &at.to_string()]);
    }
}

#[test]
fn a_vmdk_that_cannot_be_read_is_not_said_to_be_clean() {
    let folder = Folder::new();
    folder.lay_sparse();
    folder.is_clean("odd-capacity.vmdk");
    let directory = folder.directory();
    folder.poke_u32(directory, u32::MAX);
    folder.finds("odd-capacity.vmdk", &["corruption", "grain table"]);
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let folder = Folder::with(&["sparse"]);
    folder.fails("check gone.qcow2", &["gone.qcow2", "cannot open"]);
    folder.run("check -f qcow2 sparse.raw").ends(1).says(&["no qcow2 image"]);
    folder.run("check sparse.raw").succeeds();
}
