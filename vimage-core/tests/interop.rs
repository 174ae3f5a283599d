//! What vimage writes is read by programs that this project did not write, and what QEMU writes is read by vimage: to the
//! bytes that the disks are known to have, never to what vimage says of them.
//!
//! A program that is not installed is left out by name; `VIMAGE_REQUIRE_PEERS` makes that a failure. `VIMAGE_PYTHON` names
//! the interpreter with the Python readers, and `VIMAGE_PEER_READ` the program built from `fixtures/peers`.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/bytes.rs"]
mod bytes;
#[path = "peers/hosted.rs"]
mod hosted;
#[path = "peers/known.rs"]
mod known;
mod peers;
#[path = "peers/stream.rs"]
mod stream;
mod support;

use known::{KNOWN, Known, capacity, known, sum_of};
use peers::verdict::{Cell, Fault, Reading, complaints};
use peers::{ALL, Dissect, Libvmdk, Peer, QemuImg, RangePeer, VmdkCore, present};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use support::conforms;
use vimage_core::formats::vmdk::Subformat;
use vimage_core::{Content, ConvertOptions, ErrorKind, Extents, OpenOptions, convert, open};
use vimage_fixtures::{Disk, disk};

/// Readers that are known to read a kind of what vimage writes wrongly. There is none.
const FAULTS: &[Fault] = &[];

/// Writes `disk` with vimage, as the only VMDK in the folder.
fn write(disk: &Disk, folder: &Path, name: &str, options: &ConvertOptions) -> vimage_core::Result<PathBuf> {
    let raw = folder.join("disk.raw");
    disk.write_raw(&raw).unwrap();
    let path = folder.join(name);
    convert(&open(&raw, &OpenOptions::default())?, &path, options, &())?;
    Ok(path)
}

fn vmdk(subformat: &str) -> ConvertOptions {
    ConvertOptions::to("vmdk").with("subformat", subformat)
}

/// The readers that `test` has.
fn present_peers(test: &str) -> Vec<&'static dyn Peer> {
    ALL.into_iter().filter(|peer| present(test, *peer)).collect()
}

/// Writes each disk, whole and split, and asks all readers what is in it.
fn check_written(subformat: &str, splits: &[u64]) {
    let peers = present_peers(&format!("interop {subformat}"));
    let mut faults = Vec::new();
    for known in &*KNOWN {
        faults.extend(check_disk(&peers, known, "disk.vmdk", subformat, &vmdk(subformat)));
        // Thousands of files for two gibibytes would show nothing new.
        for &split in splits.iter().filter(|_| known.disk.size < 100 << 20) {
            let kind = format!("{subformat} in {split}");
            faults.extend(check_disk(&peers, known, "disk.vmdk", &kind, &vmdk(subformat).split(split)));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn check_disk(peers: &[&dyn Peer], known: &Known, name: &str, kind: &str, options: &ConvertOptions) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&known.disk, folder.path(), name, options).unwrap();
    let read = |peer: &&dyn Peer| Reading { peer: peer.name(), read: peer.sha256(&path) };
    let readings: Vec<_> = peers.iter().map(read).collect();
    complaints(&readings, &known.sum, Cell { kind, disk: known.disk.name }, FAULTS)
}

/// Sizes to split by: small, odd, and of no grain's multiple.
const SPLITS: [u64; 3] = [1 << 20, 3_333_333, 5 << 20];

#[test]
fn monolithic_sparse() {
    check_written("monolithicSparse", &[]);
}

#[test]
fn monolithic_flat() {
    check_written("monolithicFlat", &[]);
}

#[test]
fn split_sparse() {
    check_written("twoGbMaxExtentSparse", &SPLITS);
}

#[test]
fn split_flat() {
    check_written("twoGbMaxExtentFlat", &SPLITS);
}

#[test]
fn stream_optimized() {
    check_written("streamOptimized", &[]);
}

#[test]
fn names_of_any_letters() {
    let peers = present_peers("interop names");
    let mut faults = Vec::new();
    for name in ["two words.vmdk", "Gerät 磁盘.v1.vmdk", "no-ending"] {
        for options in [vmdk("monolithicSparse"), vmdk("monolithicFlat"), vmdk("twoGbMaxExtentSparse").split(1 << 20)] {
            let kind = format!("{} as {name}", options.create.settings);
            faults.extend(check_disk(&peers, known("odd-capacity"), name, &kind, &options));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Of three tebibytes the parts are read that tell right from wrong: to read them whole would take hours.
#[test]
fn three_tebibytes() {
    const TEST: &str = "interop three-tib";
    let disk = disk("three-tib").unwrap();
    let peers: [&dyn RangePeer; 4] = [&QemuImg, &Libvmdk, &Dissect, &VmdkCore];
    let peers: Vec<_> = peers.into_iter().filter(|peer| present(TEST, *peer)).collect();
    let ranges = telling_ranges(&disk);
    let sums: Vec<_> = ranges.iter().map(|range| sum_of(&disk, range.clone()).sha256).collect();
    let expected = (capacity(&disk), sums);
    // 2 GiB would make more files than a process may have open everywhere.
    let split = 600 << 30;
    let kinds = [
        vmdk("monolithicFlat"),
        vmdk("streamOptimized"),
        vmdk("twoGbMaxExtentSparse").split(split),
        vmdk("twoGbMaxExtentFlat").split(split),
    ];
    let mut faults = Vec::new();
    for options in kinds {
        let folder = tempfile::tempdir().unwrap();
        let path = write(&disk, folder.path(), "disk.vmdk", &options).unwrap();
        let kind = options.create.settings.to_string();
        // Sparse ones it would go through for minutes.
        if kind.ends_with("Flat") && QemuImg.available() {
            let compared = QemuImg.compare(&path, &folder.path().join("disk.raw"));
            faults.extend(compared.err().map(|fault| format!("{kind}: qemu-img: {fault}")));
        }
        for peer in &peers {
            match peer.ranges(&path, &ranges) {
                Ok(found) if found == expected => {}
                found => faults.push(format!("{kind}: {}: {found:?}, not {expected:?}", peer.name())),
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));

    let folder = tempfile::tempdir().unwrap();
    let error = write(&disk, folder.path(), "disk.vmdk", &vmdk("monolithicSparse")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

/// Parts that hold all data, with the zeros about them, and some zeros in between.
fn telling_ranges(disk: &Disk) -> Vec<Range<u64>> {
    const MIB: u64 = 1 << 20;
    let size = capacity(disk);
    let about = |run: &vimage_fixtures::Run| run.offset.saturating_sub(MIB + 1)..(run.end() + MIB + 7).min(size);
    let between = |run: &vimage_fixtures::Run| run.offset / 2..(run.offset / 2 + MIB).min(size);
    disk.runs.iter().map(about).chain(disk.runs.iter().map(between)).collect()
}

#[test]
fn streams_are_as_specified_to_the_byte() {
    for Known { disk, .. } in &*KNOWN {
        let folder = tempfile::tempdir().unwrap();
        let path = write(disk, folder.path(), "disk.vmdk", &vmdk("streamOptimized")).unwrap();
        stream::check(&fs::read(path).unwrap(), disk);
    }
}

#[test]
fn sparse_extents_are_as_specified_to_the_byte() {
    for Known { disk, .. } in &*KNOWN {
        let folder = tempfile::tempdir().unwrap();
        let path = write(disk, folder.path(), "disk.vmdk", &vmdk("monolithicSparse")).unwrap();
        hosted::check(&fs::read(path).unwrap(), disk, 0..capacity(disk), true);

        let folder = tempfile::tempdir().unwrap();
        let split = if disk.size < 100 << 20 { SPLITS[1] } else { 2 << 30 };
        let path = write(disk, folder.path(), "disk.vmdk", &vmdk("twoGbMaxExtentSparse").split(split)).unwrap();
        let mut start = 0;
        for (number, line) in
            fs::read_to_string(path).unwrap().lines().filter(|line| line.starts_with("RW ")).enumerate()
        {
            let name = format!("disk-s{:03}.vmdk", number + 1);
            let sectors: u64 = line.split(' ').nth(1).unwrap().parse().unwrap();
            assert_eq!(line, format!("RW {sectors} SPARSE \"{name}\""));
            let file = fs::read(folder.path().join(name)).unwrap();
            assert!((file.len() as u64) < split);
            hosted::check(&file, disk, start..start + sectors * 512, false);
            start += sectors * 512;
        }
        assert_eq!(start, capacity(disk));
    }
}

/// Has `write` make a VMDK of the disk's raw file, and reads it with vimage. Gives what its map consists of.
fn check_foreign(disk: &Disk, name: &str, write: impl Fn(&Path, &Path) -> Result<(), String>) -> Vec<Content> {
    let folder = tempfile::tempdir().unwrap();
    let (raw, path) = (folder.path().join("disk.raw"), folder.path().join("disk.vmdk"));
    disk.write_raw(&raw).unwrap();
    write(&raw, &path).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let image = open(&path, &OpenOptions::default()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    conforms(&image, disk, 512, name);
    Extents::of(&image).map(|extent| extent.unwrap().content).collect()
}

#[test]
fn what_qemu_writes_is_read() {
    if !present("interop from qemu-img", &QemuImg) {
        return;
    }
    let check = |disk: &Disk, options: String| {
        let name = format!("{} with {options}", disk.name);
        check_foreign(disk, &name, |raw, path| QemuImg.write(raw, path, &options));
    };
    for subformat in Subformat::ALL {
        for Known { disk, .. } in &*KNOWN {
            check(disk, format!("subformat={subformat}"));
        }
        let disk = &known("odd-capacity").disk;
        for adapter in ["ide", "buslogic", "lsilogic", "legacyESX"] {
            check(disk, format!("subformat={subformat},adapter_type={adapter}"));
        }
        check(disk, format!("subformat={subformat},compat6=on"));
        check(disk, format!("subformat={subformat},hwversion=13,toolsversion=10"));
    }
}

#[test]
fn zero_grains_that_qemu_writes_are_read() {
    if !present("interop zero grains from qemu-img", &QemuImg) {
        return;
    }
    for subformat in ["monolithicSparse", "twoGbMaxExtentSparse"] {
        for Known { disk, .. } in KNOWN.iter().filter(|known| known.disk.size < 1 << 30) {
            let options = format!("subformat={subformat},zeroed_grain=on");
            let name = format!("{} with {options}", disk.name);
            let contents = check_foreign(disk, &name, |raw, path| QemuImg.overwrite(raw, path, &options));
            // It did write the entries that this is about.
            assert!(contents.contains(&Content::Zero) || disk.name != "sparse", "{name}: there is no zero grain in it");
        }
    }
}
