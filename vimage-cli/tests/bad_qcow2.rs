//! Damaged and lying qcow2 images: each is refused, by its cause, within little time and memory.

#![allow(clippy::unwrap_used)]

mod support;

use support::laid::{CLUSTER, DISK, QCOW2, qcow2};
use support::{Folder, MIB, disk};
use vimage_fixtures::qcow2::{COPIED, Image, Options, Parent, ZERO, packed, packed_entry};

/// Bytes of a cluster, as images are laid by default.
const SIZE: u64 = 1 << 16;

fn sound() -> (Folder, Image) {
    qcow2(&Options::default())
}

/// The entry of the first cluster with data.
fn entry(image: &Image) -> u64 {
    image.l2[0] + 8 * CLUSTER
}

#[test]
fn the_images_that_these_tests_damage_are_sound() {
    let parent = Parent { disk: Some(&disk("empty")), name: "empty.raw", format: Some("raw") };
    for options in [
        Options::default(),
        Options { version: 2, ..Options::default() },
        Options { cluster_bits: 9, ..Options::default() },
        Options { cluster_bits: 21, ..Options::default() },
        Options { refcount_order: 3, ..Options::default() },
        Options { refcount_order: 6, ..Options::default() },
        Options { compressed: true, ..Options::default() },
        Options { compressed: true, cluster_bits: 9, ..Options::default() },
        Options { extended: true, ..Options::default() },
        Options { snapshots: &[("1", "before"), ("2", "after")], ..Options::default() },
        Options { feature_names: &[(0, 0, "dirty bit")], ..Options::default() },
        Options { parent: Some(parent), ..Options::default() },
    ] {
        let (folder, _) = qcow2(&options);
        folder.disk(&disk(DISK));
        folder.disk(&disk("empty"));
        folder.same(QCOW2, "odd-capacity.raw");
        folder.is_clean(QCOW2);
    }
}

#[test]
fn a_header_cut_off_anywhere_is_never_taken_for_raw() {
    let (folder, image) = sound();
    for length in (4..112).chain([113, 511, 512, 4095, 65_535]) {
        folder.put(QCOW2, &image.bytes[..length]);
        let words = if length < 104 { ["cut off", &length.to_string()] } else { ["L1 table", "past the end"] };
        folder.corrupt(QCOW2, &words);
    }
}

#[test]
fn versions_that_nobody_knows() {
    for version in [0, 1, 4, u32::MAX] {
        let (folder, _) = sound();
        folder.big_u32(4, version);
        folder.unsupported(QCOW2, &["version", &version.to_string()]);
    }
}

#[test]
fn clusters_of_sizes_that_there_are_not() {
    for bits in [0, 8, 22, 63, 64, u32::MAX] {
        let (folder, _) = sound();
        folder.big_u32(20, bits);
        folder.corrupt(QCOW2, &["clusters", &format!("2^{bits}"), "byte 20"]);
    }
}

#[test]
fn l1_tables_larger_than_any() {
    for entries in [u32::MAX, 1 << 31, (32 << 17) + 1] {
        let (folder, _) = sound();
        folder.big_u32(36, entries);
        folder.corrupt(QCOW2, &["L1 table", &(u64::from(entries) * 8).to_string(), "most"]);
    }
}

#[test]
fn an_l1_table_past_the_end() {
    for at in [1 << 30, 1 << 55, 1 << 63, u64::MAX - 0xffff] {
        let (folder, _) = sound();
        folder.big_u64(40, at);
        folder.corrupt(QCOW2, &["L1 table", "past the end", &at.to_string()]);
    }
    // All that the header says may be, but the file does not hold it.
    let (folder, _) = sound();
    folder.big_u32(36, 4 << 20);
    folder.corrupt(QCOW2, &["L1 table", "past the end"]);
}

#[test]
fn an_l1_table_that_is_not_aligned() {
    let (folder, image) = sound();
    folder.big_u64(40, image.l1 + 512);
    folder.corrupt(QCOW2, &["L1 table", "within a cluster"]);
}

#[test]
fn an_l1_table_too_small_for_the_disk() {
    let (folder, _) = sound();
    folder.big_u32(36, 0);
    folder.corrupt(QCOW2, &["L1 table of 0 entries", "needs 1", "byte 36"]);
    for size in [1 << 62, 1 << 40, (512 << 20) + 1024, i64::MAX as u64 / 512 * 512] {
        let (folder, _) = sound();
        folder.big_u64(24, size);
        folder.corrupt(QCOW2, &["L1 table of 1 entries", "needs"]);
    }
}

/// The message must not call a size the most that is refused.
#[test]
fn sizes_that_no_disk_has() {
    for size in [1 << 63, (1 << 63) + 512, u64::MAX] {
        let (folder, _) = sound();
        folder.big_u64(24, size);
        folder.corrupt(QCOW2, &["disk of", &(size / 512 * 512).to_string(), "2^63", "byte 24"]);
        let outcome = folder.run_tight("info disk.qcow2").ends(2);
        assert!(!outcome.stderr.contains("2^63 is the most"), "2^63 bytes are refused: {outcome}");
    }
}

#[test]
fn header_lengths_that_cannot_be() {
    for length in [0, 72, 96, 103, 65_537, 1 << 31, u32::MAX] {
        let (folder, _) = sound();
        folder.big_u32(100, length);
        folder.corrupt(QCOW2, &["header of", &length.to_string(), "byte 100"]);
    }
}

#[test]
fn refcounts_wider_than_any() {
    for order in [7, 64, u32::MAX] {
        let (folder, _) = sound();
        folder.big_u32(96, order);
        folder.corrupt(QCOW2, &["refcounts", &format!("2^{order}"), "byte 96"]);
    }
}

#[test]
fn a_header_extension_that_reaches_too_far() {
    for len in [u32::MAX, u32::MAX - 7, 1 << 31, 65_536 - 112 - 8 + 1] {
        let (folder, _) = sound();
        folder.big_u32(112, 0x1234_5678);
        folder.big_u32(116, len);
        folder.corrupt(QCOW2, &["header extension", &len.to_string(), "byte 112"]);
    }
    // One that ends with the cluster is well.
    let (folder, _) = sound();
    folder.big_u32(112, 0x1234_5678);
    folder.big_u32(116, 65_536 - 112 - 8);
    folder.disk(&disk(DISK));
    folder.same(QCOW2, "odd-capacity.raw");
}

/// Where the header's area ends is said by the place of the backing file's name, which may be a lie.
#[test]
fn a_header_extension_that_a_far_name_makes_room_for() {
    let (folder, _) = sound();
    folder.stretch(QCOW2, 3 << 30);
    folder.big_u64(8, 2 << 30);
    folder.big_u32(16, 4);
    folder.big_u32(112, 0x1234_5678);
    folder.big_u32(116, 1 << 30);
    folder.corrupt(QCOW2, &[]);
    folder.run_tight("info disk.qcow2").fails(&[QCOW2]);
}

#[test]
fn thousands_of_header_extensions() {
    let (folder, image) = qcow2(&Options { cluster_bits: 21, ..Options::default() });
    let mut bytes = image.bytes;
    for at in (112..(2 << 20) - 8).step_by(8) {
        bytes[at..at + 8].copy_from_slice(&[0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0]);
    }
    folder.put(QCOW2, bytes);
    folder.run_tight("info disk.qcow2").succeeds();
}

#[test]
fn a_backing_name_that_is_too_long_or_outside_the_first_cluster() {
    for (at, len) in
        [(4096, 1024), (4096, u32::MAX), (SIZE - 4, 8), (SIZE, 1), (1 << 40, 8), (u64::MAX, 1), (u64::MAX - 3, 8)]
    {
        let (folder, _) = sound();
        folder.big_u64(8, at);
        folder.big_u32(16, len);
        folder.corrupt(QCOW2, &["backing file's name", &len.to_string(), "first cluster"]);
    }
}

#[test]
fn a_backing_name_that_is_no_text() {
    let (folder, _) = sound();
    folder.poke(QCOW2, 4096, b"a\xff\xfe.raw");
    folder.big_u64(8, 4096);
    folder.big_u32(16, 7);
    folder.unsupported(QCOW2, &["backing file's name", "UTF-8", "byte 4096"]);
}

#[test]
fn features_that_must_be_known_and_are_not() {
    for bit in [5, 40, 63] {
        let (folder, _) = sound();
        folder.big_u64(72, 1 << bit);
        folder.unsupported(QCOW2, &["features", "not known", &bit.to_string(), "byte 72"]);
    }
}

/// The image names its features itself, and may name them to make a terminal do something.
#[test]
fn features_that_are_not_known_are_named_safely() {
    let names = [(0, 40, "frobnicated \x1b[31mtables\u{202e}"), (1, 5, "other kind"), (0, 5, "")];
    let (folder, _) = qcow2(&Options { feature_names: &names, ..Options::default() });
    folder.big_u64(72, 1 << 40 | 1 << 5);
    folder.unsupported(QCOW2, &["frobnicated \\u{1b}[31mtables\\u{202e}", "5, 40"]);
    for line in ["info disk.qcow2", "check disk.qcow2", "info --json disk.qcow2"] {
        let outcome = folder.run_tight(line).ends(2);
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(['\x1b', '\u{202e}']), "raw escape: {outcome}");
            assert!(!text.contains("other kind"), "{outcome}");
        }
    }
}

#[test]
fn a_compression_type_and_its_bit_that_contradict_each_other() {
    for (bit, kind) in [(0_u64, 1_u8), (8, 0)] {
        let (folder, _) = sound();
        folder.big_u64(72, bit);
        folder.poke(QCOW2, 104, &[kind]);
        folder.corrupt(QCOW2, &["compression type", "byte 104"]);
    }
    for kind in [2, 255] {
        let (folder, _) = sound();
        folder.big_u64(72, 8);
        folder.poke(QCOW2, 104, &[kind]);
        folder.unsupported(QCOW2, &["compression type", &kind.to_string(), "byte 104"]);
    }
    // A header that ends before the type has none, whatever stands there.
    let (folder, _) = sound();
    folder.big_u32(100, 104);
    folder.big_u64(72, 8);
    folder.poke(QCOW2, 104, &[0, 0, 0, 0]);
    folder.corrupt(QCOW2, &["compression type"]);
}

#[test]
fn encrypted_images_are_described_and_not_read() {
    for (method, name) in [(1, "AES"), (2, "LUKS")] {
        let (folder, _) = sound();
        folder.big_u32(32, method);
        folder.refuses(QCOW2, QCOW2, &["encrypted", name, "hint:"]);
        folder.run_tight("info disk.qcow2").succeeds().says(&["encrypted", name]);
        let document = folder.run_tight("info --json disk.qcow2").succeeds().json("info");
        assert_eq!(document["details"]["encrypted"], name);
        let fault = folder.run_tight("convert --json disk.qcow2 out.raw").ends(2).json("error");
        assert_eq!(fault["error"]["kind"], "unsupported");
    }
    let (folder, _) = sound();
    folder.big_u32(32, 3);
    folder.refuses(QCOW2, QCOW2, &["encrypted"]);
    let outcome = folder.run_tight("digest disk.qcow2");
    assert!(!outcome.stderr.contains("AES"), "method 3 is not AES: {outcome}");
}

#[test]
fn an_l2_table_past_the_end() {
    for at in [1 << 30, 0x00ff_ffff_ffff_0000] {
        let (folder, image) = sound();
        folder.big_u64(image.l1, at | COPIED);
        folder.refuses(QCOW2, QCOW2, &["L2 table", "past the end", &at.to_string(), "hint:"]);
        folder.finds(QCOW2, &["L1 entry", &image.l1.to_string()]);
    }
}

#[test]
fn an_l2_table_that_is_not_aligned() {
    let (folder, image) = sound();
    folder.big_u64(image.l1, (image.l2[0] + 512) | COPIED);
    folder.refuses(QCOW2, QCOW2, &["L1 entry", "middle of a cluster"]);
    folder.finds(QCOW2, &["L1 entry", &image.l1.to_string()]);
}

/// Such a table is cut off where the file is.
#[test]
fn an_l2_table_cut_off() {
    let (folder, mut image) = sound();
    let l2 = image.bytes[image.l2[0] as usize..][..SIZE as usize].to_vec();
    let end = image.bytes.len() as u64;
    image.bytes.extend(&l2[..1024]);
    folder.put(QCOW2, &image.bytes);
    folder.big_u64(image.l1, end | COPIED);
    folder.refuses(QCOW2, QCOW2, &["L2 table", "past the end", &end.to_string()]);
    folder.finds(QCOW2, &["L1 entry"]);
}

#[test]
fn a_cluster_past_the_end() {
    for at in [1 << 30, 0x00ff_ffff_ffff_0000] {
        let (folder, image) = sound();
        folder.big_u64(entry(&image), at | COPIED);
        folder.refuses(QCOW2, QCOW2, &["cluster", "past the end", &at.to_string(), "hint:"]);
        folder.finds(QCOW2, &["cluster", "past the end", &at.to_string(), &entry(&image).to_string()]);
    }
}

#[test]
fn a_cluster_that_is_not_aligned() {
    let (folder, image) = sound();
    let word = folder.big_at(entry(&image)) + 512;
    folder.big_u64(entry(&image), word);
    folder.corrupt(QCOW2, &["L2 entry", "middle of a cluster", &format!("{word:#018x}")]);
    folder.run_tight("digest disk.qcow2").fails(&["at byte"]);
}

#[test]
fn a_zero_flag_in_version_2() {
    let (folder, image) = qcow2(&Options { version: 2, ..Options::default() });
    folder.big_u64(image.l2[0], ZERO);
    folder.corrupt(QCOW2, &["zero", "version 2"]);
    let (folder, image) = sound();
    folder.disk(&disk(DISK));
    folder.big_u64(image.l2[0], ZERO);
    folder.same(QCOW2, "odd-capacity.raw");
    folder.is_clean(QCOW2);
}

#[test]
fn subclusters_that_are_stored_and_zero() {
    for bit in [0, 1, 31] {
        let (folder, image) = qcow2(&Options { extended: true, ..Options::default() });
        folder.big_u64(image.l2[0] + 16 * CLUSTER + 8, 1 << bit | 1 << (bit + 32));
        folder.corrupt(QCOW2, &["L2 entry", "subclusters", "both"]);
    }
    let (folder, image) = qcow2(&Options { extended: true, ..Options::default() });
    folder.big_u64(image.l2[0] + 16 * CLUSTER, 0);
    folder.corrupt(QCOW2, &["L2 entry", "subclusters", "nowhere"]);
    let (folder, _) = qcow2(&Options { cluster_bits: 13, ..Options::default() });
    folder.big_u64(72, 1 << 4);
    folder.corrupt(QCOW2, &["extended L2", "8192"]);
}

#[test]
fn a_compressed_cluster_with_subclusters() {
    let (folder, image) = qcow2(&Options { extended: true, ..Options::default() });
    folder.big_u64(image.l2[0] + 16 * CLUSTER, packed_entry(16, SIZE, 100));
    folder.corrupt(QCOW2, &["L2 entry", "compressed", "subclusters"]);
}

/// An image whose first cluster with data is this one, packed, at its end.
fn with_packed(content: &[u8]) -> (Folder, u64) {
    let (folder, mut image) = sound();
    let at = image.bytes.len() as u64;
    image.bytes.extend(content);
    folder.put(QCOW2, &image.bytes);
    folder.big_u64(entry(&image), packed_entry(16, at, content.len() as u64));
    (folder, at)
}

#[test]
fn a_compressed_cluster_of_another_length() {
    let (folder, _) = with_packed(&packed(&vec![7; SIZE as usize]));
    folder.run_tight("digest disk.qcow2").succeeds();
    for len in [0, 1, SIZE - 1] {
        let (folder, at) = with_packed(&packed(&vec![7; len as usize]));
        folder.refuses(QCOW2, QCOW2, &["inflates to", &len.to_string(), &at.to_string()]);
    }
    for len in [SIZE + 1, 2 * SIZE, 1 << 30] {
        let (folder, at) = with_packed(&packed(&vec![7; len as usize]));
        folder.refuses(QCOW2, QCOW2, &["compressed", &at.to_string()]);
    }
}

#[test]
fn a_compressed_cluster_of_rubbish() {
    for byte in [0xff, 0, 0x55, b'K'] {
        let (folder, at) = with_packed(&[byte; 1000]);
        folder.refuses(QCOW2, QCOW2, &[&at.to_string()]);
    }
}

#[test]
fn a_compressed_cluster_of_rubbish_in_zstd() {
    // The magic number of a frame that says it holds 2^60 bytes, and that its window has 3.75 TiB.
    let lies: [&[u8]; 2] = [
        b"\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x10\x01\x00\x00",
        b"\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ];
    for content in lies.into_iter().chain([&[0xff; 600][..], &[0; 600]]) {
        let (folder, at) = with_packed(content);
        folder.big_u64(72, 8);
        folder.poke(QCOW2, 104, &[1]);
        folder.refuses(QCOW2, QCOW2, &["zstd", &at.to_string()]);
    }
}

#[test]
fn a_compressed_cluster_past_the_end() {
    for at in [1 << 30, (1 << 54) - 1] {
        let (folder, image) = sound();
        folder.big_u64(entry(&image), packed_entry(16, at, 100));
        folder.refuses(QCOW2, QCOW2, &["compressed cluster", "past the end", &at.to_string()]);
        folder.finds(QCOW2, &["compressed cluster", "past the end", &at.to_string()]);
    }
}

#[test]
fn a_compressed_cluster_cut_off() {
    let noise: Vec<u8> = (0..SIZE as u32).map(|n| (n.wrapping_mul(0x9e37_79b1) >> 13) as u8).collect();
    let content = packed(&noise);
    let (folder, at) = with_packed(&content);
    folder.run_tight("digest disk.qcow2").succeeds();
    folder.stretch(QCOW2, at + content.len() as u64 / 2);
    folder.refuses(QCOW2, QCOW2, &["compressed", &at.to_string()]);
}

/// A file of a few bytes may say that everything on the largest disk is one and the same cluster.
#[test]
fn one_l2_table_for_a_whole_disk() {
    let (folder, image) = sound();
    folder.big_u32(36, SIZE as u32 / 8);
    folder.big_u64(24, SIZE / 8 * (512 << 20));
    for index in 0..SIZE / 8 {
        folder.big_u64(image.l1 + index * 8, image.l2[0] | COPIED);
    }
    folder.run_tight("info disk.qcow2").succeeds();
    folder.finds(QCOW2, &["refers twice", "L2 table"]);
}

#[test]
fn the_largest_l1_table_with_nothing_in_it() {
    let (folder, image) = sound();
    folder.big_u32(36, 4 << 20);
    folder.big_u64(24, (4 << 20) * (512 << 20));
    let end = (image.bytes.len() as u64).next_multiple_of(SIZE);
    folder.stretch(QCOW2, end + (32 << 20));
    folder.big_u64(40, end);
    folder.run_tight("digest disk.qcow2").succeeds();
    folder.run_tight("map disk.qcow2").succeeds();
    let outcome = folder.run_tight("check disk.qcow2");
    outcome.ends(1).says(&["leak"]);
}

/// A fault may come up when half of the answer is printed: what is printed must be JSON all the same.
#[test]
fn a_map_in_json_that_breaks_off_is_still_json() {
    let (folder, image) = sound();
    let last = image.l2[0] + 8 * (disk(DISK).size / SIZE);
    let word = folder.big_at(last) + 512;
    folder.big_u64(last, word);
    let outcome = folder.run_tight("map --json disk.qcow2").ends(2);
    let document: Result<serde_json::Value, _> = serde_json::from_str(&outcome.stdout);
    assert!(document.is_ok(), "{}: {outcome}", document.unwrap_err());
}

#[test]
fn snapshot_tables_that_cannot_be() {
    let options = Options { snapshots: &[("1", "before")], ..Options::default() };
    for (field, value) in [(60, u32::MAX), (60, 65_537), (60, 60_000)] {
        let (folder, _) = qcow2(&options);
        folder.big_u32(field, value);
        // The present state does not need them.
        folder.run_tight("info disk.qcow2").succeeds().says(&["snapshots", "cannot be read"]);
        folder.run_tight("digest disk.qcow2").succeeds();
        folder.run_tight("convert -l 1 disk.qcow2 out.raw").fails(&[QCOW2, "snapshot"]);
        folder.finds(QCOW2, &["snapshot"]);
    }
    for at in [1 << 30, u64::MAX - 0xffff] {
        let (folder, _) = qcow2(&options);
        folder.big_u64(64, at);
        folder.run_tight("digest disk.qcow2").succeeds();
        folder.finds(QCOW2, &["snapshot table", "past the end"]);
    }
    let (folder, _) = qcow2(&options);
    folder.big_u64(64, 512);
    folder.corrupt(QCOW2, &["snapshot table", "cluster"]);
}

#[test]
fn a_snapshot_whose_l1_table_cannot_be() {
    let options = Options { snapshots: &[("1", "before")], ..Options::default() };
    for (at, entries, words) in [
        (1 << 30, 1, ["L1 table", "past the end"]),
        (512, 1, ["L1 table", "within a cluster"]),
        (0, u32::MAX, ["L1 table", "most"]),
        (0, 0, ["L1 table", "needs 1"]),
    ] {
        let (folder, image) = qcow2(&options);
        folder.big_u64(image.snapshots, at);
        folder.big_u32(image.snapshots + 8, entries);
        for line in ["convert -l 1 disk.qcow2 out.raw", "map -l before disk.qcow2", "measure -l 1 -O raw disk.qcow2"] {
            folder.run_tight(line).fails(&[&words[..], &["snapshot", QCOW2]].concat());
            folder.check();
        }
        folder.run_tight("digest disk.qcow2").succeeds();
        folder.finds(QCOW2, &words);
    }
}

#[test]
fn a_snapshot_that_is_not_there() {
    let (folder, _) = qcow2(&Options { snapshots: &[("1", "be\x1bfore")], ..Options::default() });
    folder.fails("convert -l 7 disk.qcow2 out.raw", &["no snapshot \"7\"", "hint:", "be\\u{1b}fore"]);
    folder.run("info disk.qcow2").succeeds().says(&["be\\u{1b}fore"]);
    let (folder, _) = sound();
    folder.fails("map -l 7 disk.qcow2", &["no snapshot \"7\"", "none at all"]);
}

/// Names may take 64 MiB in all: they must not be what memory is for when nobody asks for them.
#[test]
fn snapshot_names_of_no_end() {
    let (folder, mut image) = sound();
    let at = image.bytes.len() as u64;
    let mut row = vec![0; 40];
    row[12..16].copy_from_slice(&[0xff; 4]);
    row[39] = 16;
    row.resize((40 + 16 + 2 * 65_535_usize).next_multiple_of(8), 0xff);
    row[40..56].fill(0);
    for _ in 0..500 {
        image.bytes.extend(&row);
    }
    folder.put(QCOW2, &image.bytes);
    folder.big_u32(60, 500);
    folder.big_u64(64, at);
    let outcome = folder.run_tight("digest disk.qcow2");
    assert!(matches!(outcome.status.code(), Some(0 | 2)), "{outcome}");
    let outcome = folder.run_tight("check disk.qcow2");
    assert!(matches!(outcome.status.code(), Some(1 | 2)), "{outcome}");
    let outcome = folder.run_tight("info disk.qcow2");
    assert!(matches!(outcome.status.code(), Some(0 | 2)), "{}", outcome.status);
}

/// Each snapshot has an L1 table of its own; following the same one for each takes time without end.
#[test]
fn thousands_of_snapshots_with_one_l1_table() {
    let (folder, mut image) = sound();
    let l1 = image.bytes.len() as u64;
    image.bytes.resize(image.bytes.len() + 8 * MIB as usize, 0);
    let at = image.bytes.len() as u64;
    let mut row = vec![0; 56];
    row[..8].copy_from_slice(&l1.to_be_bytes());
    row[8..12].copy_from_slice(&(MIB as u32).to_be_bytes());
    row[39] = 16;
    for _ in 0..60_000 {
        image.bytes.extend(&row);
    }
    folder.put(QCOW2, &image.bytes);
    folder.big_u32(60, 60_000);
    folder.big_u64(64, at);
    folder.run_tight("digest disk.qcow2").succeeds();
    folder.finds(QCOW2, &["snapshot"]);
}

/// Reading needs no refcounts; only a check may care.
#[test]
fn refcounts_that_cannot_be_do_not_keep_anybody_from_reading() {
    let fields: [(u64, &[u8]); 5] =
        [(48, &[0xff; 8]), (48, &[0; 8]), (48, &(1_u64 << 40).to_be_bytes()), (56, &[0xff; 4]), (56, &[0; 4])];
    for (field, bytes) in fields {
        let (folder, _) = sound();
        folder.disk(&disk(DISK));
        folder.poke(QCOW2, field, bytes);
        folder.run_tight("digest disk.qcow2").succeeds();
        folder.same(QCOW2, "odd-capacity.raw");
        folder.finds(QCOW2, &["refcount table"]);
    }
}
