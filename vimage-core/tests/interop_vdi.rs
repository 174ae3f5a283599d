//! VDIs and raw disks written by vimage are read by programs that this project did not write, and those written by QEMU
//! are read by vimage: to the bytes that the disks are known to have. `interop.rs` is the same for VMDK.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "a part of what tests share")]

#[path = "peers/known.rs"]
mod known;
mod peers;
mod support;

use known::{KNOWN, Known, capacity, sum_of};
use peers::qemu_tools::{check_findings, qemu_img};
use peers::{ALL_VDI, Dissect, Peer, QemuImgAs, RangePeer, present};
use std::fs;
use std::path::{Path, PathBuf};
use support::conforms;
use vimage_core::{ConvertOptions, OpenOptions, convert, open};
use vimage_fixtures::{Disk, Run, disk};

const MIB: u64 = 1 << 20;
const QEMU_IMG: QemuImgAs = QemuImgAs("vdi");

/// Disks longer than this are not read whole by all.
const WHOLE: u64 = 100 * MIB;

fn kinds() -> [(&'static str, ConvertOptions); 2] {
    [("dynamic", ConvertOptions::to("vdi")), ("fixed", ConvertOptions::to("vdi").with("static", "on"))]
}

fn write(disk: &Disk, folder: &Path, options: &ConvertOptions) -> PathBuf {
    let raw = folder.join("disk.raw");
    disk.write_raw(&raw).unwrap();
    let path = folder.join("disk.vdi");
    let options = ConvertOptions { flush: false, ..options.clone() };
    convert(&open(&raw, &OpenOptions::default()).unwrap(), &path, &options, &()).unwrap();
    path
}

#[test]
fn every_disk_is_read_by_all() {
    let peers: Vec<_> = ALL_VDI.into_iter().filter(|peer| present("interop vdi", *peer)).collect();
    let mut faults = Vec::new();
    for Known { disk, sum } in KNOWN.iter().filter(|known| known.disk.size < WHOLE) {
        for (kind, options) in kinds() {
            let folder = tempfile::tempdir().unwrap();
            let path = write(disk, folder.path(), &options);
            let mut said = Vec::new();
            said.extend(QEMU_IMG.available().then(|| check_findings(&path, "vdi")).flatten());
            for peer in &peers {
                let read = peer.sha256(&path);
                if read.as_ref() != Ok(sum) {
                    said.push(format!("{}: {read:?}, not {sum:?}", peer.name()));
                }
            }
            faults.extend(said.iter().map(|fault| format!("{kind} of {}: {fault}", disk.name)));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Of large disks the parts are read that tell right from wrong.
#[test]
fn large_disks() {
    let peers: [&dyn RangePeer; 2] = [&QEMU_IMG, &Dissect];
    let peers: Vec<_> = peers.into_iter().filter(|peer| present("interop vdi large disks", *peer)).collect();
    let mut faults = Vec::new();
    for name in ["two-extents", "three-tib"] {
        let disk = disk(name).unwrap();
        let around = |run: &Run| run.offset.saturating_sub(MIB + 1)..(run.end() + MIB + 7).min(capacity(&disk));
        let ranges: Vec<_> = disk.runs.iter().map(around).collect();
        let sums: Vec<_> = ranges.iter().map(|range| sum_of(&disk, range.clone()).sha256).collect();
        let expected = (capacity(&disk), sums);
        for (kind, options) in kinds() {
            let folder = tempfile::tempdir().unwrap();
            let path = write(&disk, folder.path(), &options);
            faults.extend(QEMU_IMG.available().then(|| check_findings(&path, "vdi")).flatten());
            for peer in &peers {
                let found = peer.ranges(&path, &ranges);
                if found.as_ref() != Ok(&expected) {
                    faults.push(format!("{kind} of {name}: {}: {found:?}, not {expected:?}", peer.name()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_qemu_writes_is_read() {
    if !present("interop vdi and raw from qemu-img", &QEMU_IMG) {
        return;
    }
    for Known { disk, .. } in KNOWN.iter() {
        for (format, settings) in [("vdi", "static=off"), ("vdi", "static=on"), ("raw", "preallocation=off")] {
            let folder = tempfile::tempdir().unwrap();
            disk.write_raw(&folder.path().join("disk.raw")).unwrap();
            let command = ["convert", "-f", "raw", "-O", format, "-o", settings, "disk.raw", "made"];
            qemu_img(folder.path(), &command);
            let name = format!("{format} {settings} of {}", disk.name);
            let image = open(folder.path().join("made"), &OpenOptions::default());
            let image = image.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            conforms(&image, disk, 512, &name);
        }
    }
}

/// From what QEMU made of a disk, vimage makes the raw disk again.
#[test]
fn raw_disks_come_back() {
    if !present("interop raw from qemu-img's images", &QEMU_IMG) {
        return;
    }
    for Known { disk, .. } in KNOWN.iter().filter(|known| known.disk.size < WHOLE) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        disk.write_raw(&folder.join("disk.raw")).unwrap();
        let mut expected = fs::read(folder.join("disk.raw")).unwrap();
        expected.resize(capacity(disk) as usize, 0);
        for format in ["vdi", "qcow2", "vmdk", "raw"] {
            qemu_img(folder, &["convert", "-f", "raw", "-O", format, "disk.raw", format]);
            let back = folder.join(format!("{format}.raw"));
            let image = open(folder.join(format), &OpenOptions::default()).unwrap();
            convert(&image, &back, &ConvertOptions::to("raw"), &()).unwrap();
            assert!(fs::read(back).unwrap() == expected, "{} by way of {format}", disk.name);
        }
    }
}
