//! `--split`: extents and pieces, their names, their sizes, and how they are read again.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use support::{Folder, MIB, disk};

const GIB: u64 = 1 << 30;

/// The sizes in bytes of the folder's files whose names start with `stem`, by name.
fn sizes(folder: &Folder, stem: &str) -> Vec<(String, u64)> {
    let names: BTreeSet<String> = folder.names().into_iter().filter(|name| name.starts_with(stem)).collect();
    names
        .into_iter()
        .map(|name| (folder.path(&name).metadata().unwrap().len(), name))
        .map(|(size, name)| (name, size))
        .collect()
}

/// The sectors and file names of a descriptor's extents.
fn extents(folder: &Folder, descriptor: &str) -> Vec<(u64, String)> {
    let text = folder.text(descriptor);
    let lines = text.lines().filter(|line| line.starts_with("RW "));
    lines
        .map(|line| (line.split(' ').nth(1).unwrap().parse().unwrap(), line.split('"').nth(1).unwrap().to_owned()))
        .collect()
}

#[test]
fn two_gibibytes_give_vmwares_own_extents() {
    for (options, letter) in
        [("", 's'), ("-o subformat=twoGbMaxExtentSparse", 's'), ("-o subformat=twoGbMaxExtentFlat", 'f')]
    {
        let folder = Folder::with(&["two-extents"]);
        let names = [format!("out-{letter}001.vmdk"), format!("out-{letter}002.vmdk")];
        folder.makes(
            &format!("convert two-extents.raw out.vmdk --split 2G {options}"),
            &["out.vmdk", &names[0], &names[1]],
        );
        let [first, second] = names;
        assert_eq!(extents(&folder, "out.vmdk"), [(4_192_256, first), (2049 * 2048 - 4_192_256, second)]);
        assert!(sizes(&folder, "out").iter().all(|(_, size)| *size < 2 * GIB));
        folder.same("out.vmdk", "two-extents.raw");
    }
}

/// The kinds that are split by their nature are, without being asked.
#[test]
fn two_gb_kinds_split_at_two_gibibytes_by_themselves() {
    for (kind, letter) in [("twoGbMaxExtentSparse", 's'), ("twoGbMaxExtentFlat", 'f')] {
        let folder = Folder::with(&["two-extents"]);
        let files = ["out.vmdk", &format!("out-{letter}001.vmdk"), &format!("out-{letter}002.vmdk")];
        folder.makes(&format!("convert two-extents.raw out.vmdk -o subformat={kind}"), &files);
        assert_eq!(extents(&folder, "out.vmdk")[0].0, 4_192_256);
    }
}

#[test]
fn every_way_to_write_a_size() {
    for (size, bytes) in [
        ("2G", 2 * GIB),
        ("2GiB", 2 * GIB),
        ("2g", 2 * GIB),
        ("0.5G", GIB / 2),
        ("650M", 650 * MIB),
        ("650MB", 650_000_000),
        ("4294967295", 4_294_967_295),
        ("1T", 1 << 40),
    ] {
        let folder = Folder::with(&["two-extents"]);
        folder.run(&format!("convert two-extents.raw out.vmdk --split {size} -q")).succeeds();
        let (files, extents) = (sizes(&folder, "out"), extents(&folder, "out.vmdk"));
        assert_eq!(files.len(), extents.len() + 1, "{size}");
        assert!(files.iter().all(|(_, size)| *size < bytes), "{size}: {files:?}");
        assert_eq!(extents.iter().map(|(sectors, _)| sectors * 512).sum::<u64>(), 2049 * MIB, "{size}");
        // No more files than it takes: each but the last is nearly as large as it may be.
        assert!(extents.len() as u64 <= (2049 * MIB).div_ceil(bytes * 99 / 100), "{size}: {extents:?}");
        folder.same("out.vmdk", "two-extents.raw");
        files.iter().for_each(|(name, _)| folder.expect(&[name]));
    }
}

#[test]
fn one_mebibyte_is_the_least() {
    let folder = Folder::with(&["sparse"]);
    folder.run("convert sparse.raw out.vmdk --split 1M -q").succeeds();
    let files = sizes(&folder, "out");
    assert!(files.len() > 64 && files.iter().all(|(_, size)| *size < MIB), "{files:?}");
    folder.same("out.vmdk", "sparse.raw");
    files.iter().for_each(|(name, _)| folder.expect(&[name]));
    for (size, words) in [
        ("1K", &["1024 bytes", "least is 1M"][..]),
        ("0", &["0 bytes", "least is 1M"]),
        ("1048575", &["1048575 bytes", "least is 1M"]),
        ("2X", &["\"2X\"", "2G", "650M", "number of bytes"]),
        ("2Gi", &["\"2Gi\"", "2GiB"]),
        ("99E", &["too large"]),
        ("-2G", &["-2"]),
    ] {
        for target in ["bad.vmdk", "bad.raw"] {
            folder.fails(&format!("convert sparse.raw {target} --split {size}"), words);
        }
    }
}

#[test]
fn more_files_than_anybody_wants() {
    let folder = Folder::with(&["three-tib"]);
    for target in ["out.vmdk", "out.raw", "out.vmdk -o subformat=twoGbMaxExtentFlat"] {
        folder.fails(&format!("convert three-tib.raw {target} --split 16M"), &["9999 is the most", "hint:"]);
    }
}

#[test]
fn kinds_that_are_one_file_are_not_split() {
    let folder = Folder::with(&["one-sector"]);
    for kind in ["streamOptimized", "monolithicSparse", "monolithicFlat"] {
        let line = format!("convert one-sector.raw out.vmdk --split 2G -o subformat={kind}");
        folder.fails(&line, &[kind, "cannot be split", "hint:", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"]);
    }
    folder.fails("convert one-sector.raw out.vmdk --split 2G -c", &["hint:", "streamOptimized"]);
}

#[test]
fn raw_pieces_have_the_size_and_read_as_one() {
    let folder = Folder::with(&["two-extents"]);
    folder.makes("convert two-extents.raw out.raw --split 1G", &["out.raw.001", "out.raw.002", "out.raw.003"]);
    let expected = [("out.raw.001", GIB), ("out.raw.002", GIB), ("out.raw.003", MIB)];
    assert_eq!(sizes(&folder, "out"), expected.map(|(name, size)| (name.to_owned(), size)));
    folder.same("out.raw.001", "two-extents.raw");
    assert_eq!(folder.run("info --json out.raw.001").json("info")["virtual-size"], 2049 * MIB);
    folder.makes("convert out.raw.001 whole.raw", &["whole.raw"]);
    folder.same("whole.raw", "two-extents.raw");
}

#[test]
fn raw_pieces_are_the_disks_bytes_in_order() {
    for (name, count) in [("dense", 3), ("odd-capacity", 2), ("not-a-sector", 1), ("empty", 1)] {
        let folder = Folder::with(&[name]);
        let names: Vec<String> = (1..=count).map(|number| format!("out.{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        folder.makes(&format!("convert {name}.raw out -O raw --split 3M"), &names);
        let bytes: Vec<u8> = names.iter().flat_map(|name| folder.read(name)).collect();
        let mut expected = vec![0; disk(name).size as usize];
        disk(name).read_at(&mut expected, 0);
        assert!(bytes == expected, "{name}");
        folder.run(&format!("compare -q --strict out.001 {name}.raw")).succeeds();
    }
}

/// So that each can be used as a device: FAT32's largest file, 4294967295 bytes, has a piece of sectors in it.
#[test]
fn raw_pieces_are_whole_sectors() {
    let folder = Folder::with(&["two-extents"]);
    let files = ["out.raw.001", "out.raw.002", "out.raw.003"];
    folder.makes("convert two-extents.raw out.raw --split 1000000100", &files);
    let expected = [1_000_000_000, 1_000_000_000, 2049 * MIB - 2_000_000_000];
    assert!(sizes(&folder, "out").iter().map(|(_, size)| *size).eq(expected));
    folder.same("out.raw.001", "two-extents.raw");
}

#[test]
fn stale_pieces_of_a_longer_disk_go_with_force() {
    let folder = Folder::with(&["sparse", "dense"]);
    let old = ["out.raw.001", "out.raw.002", "out.raw.003", "out.raw.004"];
    folder.makes("convert sparse.raw out.raw --split 16M", &old);
    let before = old.map(|name| folder.read(name));
    folder.fails("convert dense.raw out.raw --split 4M", &["out.raw.00", "exists already", "--force"]);
    assert!(before == old.map(|name| folder.read(name)));
    folder.forget(&old[2..]);
    folder.makes("convert dense.raw out.raw --split 4M --force", &[]);
    folder.same("out.raw.001", "dense.raw");
    // With the first gone, the others are in the way all the same.
    folder.remove("out.raw.001");
    folder.fails("convert dense.raw out.raw --split 16M", &["out.raw.002", "exists already"]);
}

/// A piece behind a gap makes the set that was just written unreadable.
#[test]
fn a_stale_piece_behind_a_gap() {
    let folder = Folder::with(&["dense"]);
    folder.put("out.raw.004", [1; 512]);
    let outcome = folder.run("convert dense.raw out.raw --split 4M -q");
    if outcome.status.code() == Some(0) {
        folder.expect(&["out.raw.001", "out.raw.002"]);
        folder.same("out.raw.001", "dense.raw");
    } else {
        outcome.fails(&["out.raw.004", "--force"]);
    }
}
