//! qcow2 images written by vimage are read by programs that this project did not write, and those written by QEMU are
//! read by vimage: to the bytes that the disks are known to have. `interop.rs` is the same for VMDK.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "a part of what tests share")]

#[path = "peers/known.rs"]
mod known;
mod peers;
#[path = "peers/qcow2.rs"]
mod qcow2;
#[path = "peers/qemu_made.rs"]
mod qemu_made;
mod support;

use known::{KNOWN, Known, capacity, known, sum_of};
use peers::qemu_tools::{check_findings, qemu_img};
use peers::sum::Sum;
use peers::{ALL_QCOW2, Dissect, Imago, Libqcow, Peer, Qcow2Rs, QemuImgAs, RangePeer, present};
use qcow2::{DEFAULT, Outcome, Packing, Way, limit, reads_overlay, ways};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::conforms;
use vimage_core::{Backing, ConvertOptions, Extents, Image, OpenOptions, convert, open};
use vimage_fixtures::{Disk, Fill, Run, disk};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const QEMU_IMG: QemuImgAs = QemuImgAs("qcow2");

/// Disks longer than this are not read whole by all.
const WHOLE: u64 = 100 * MIB;

fn write(disk: &Disk, folder: &Path, options: &ConvertOptions) -> PathBuf {
    let raw = folder.join("disk.raw");
    disk.write_raw(&raw).unwrap();
    let path = folder.join("disk.qcow2");
    let options = ConvertOptions { flush: false, ..options.clone() };
    convert(&open(&raw, &OpenOptions::default()).unwrap(), &path, &options, &()).unwrap();
    path
}

fn present_peers(test: &str) -> Vec<&'static dyn Peer> {
    ALL_QCOW2.into_iter().filter(|peer| present(test, *peer)).collect()
}

/// Whether an interpreter has to start first, which takes longer than the others take to read.
fn is_slow(peer: &dyn Peer) -> bool {
    ["libqcow", "dissect"].contains(&peer.name())
}

/// What `peers` say against the image at `path`, written in this way. Limits are looked at again where `strict`.
fn judge(peers: &[&dyn Peer], path: &Path, expected: &Sum, way: &Way, strict: bool) -> Vec<String> {
    let mut faults = Vec::new();
    if peers.iter().any(|peer| peer.name() == QEMU_IMG.name()) {
        faults.extend(check_findings(path, "qcow2"));
    }
    for peer in peers {
        let limit = limit(peer.name(), way);
        if limit.is_some_and(|limit| limit.outcome != Outcome::Wrong || !strict) {
            continue;
        }
        let read = peer.sha256(path);
        match (read.as_ref() == Ok(expected), limit) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => faults.push(format!("{}: {read:?}, not {expected:?}", peer.name())),
            (true, Some(limit)) => faults.push(format!("{} is right, but \"{}\"", peer.name(), limit.evidence)),
        }
    }
    faults
}

/// Has `known` written in every way, and all of `peers` read it.
fn check_every_way(peers: &[&dyn Peer], known: &Known) {
    let mut faults = Vec::new();
    for way in ways() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(&known.disk, folder.path(), &way.options());
        let mut peers = peers.to_vec();
        // Refcounts are for writers: one of the widths will do.
        peers.retain(|peer| !is_slow(*peer) || [1, 16].contains(&way.refcount_bits));
        let said = judge(&peers, &path, &known.sum, &way, true);
        faults.extend(said.iter().map(|fault| format!("{way} of {}: {fault}", known.disk.name)));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_way_is_read_by_all() {
    check_every_way(&present_peers("interop qcow2 in every way"), known("odd-capacity"));
}

#[test]
fn every_way_of_a_full_disk_is_read() {
    let mut peers = present_peers("interop qcow2 in every way, full");
    peers.retain(|peer| !is_slow(*peer));
    check_every_way(&peers, known("dense"));
}

#[test]
fn every_disk_is_read_by_all() {
    let peers = present_peers("interop qcow2 of every disk");
    let mut faults = Vec::new();
    for known in KNOWN.iter().filter(|known| known.disk.size < WHOLE) {
        for packing in [Packing::None, Packing::Zlib] {
            let way = Way { packing, ..DEFAULT };
            let folder = tempfile::tempdir().unwrap();
            let path = write(&known.disk, folder.path(), &way.options());
            let said = judge(&peers, &path, &known.sum, &way, false);
            faults.extend(said.iter().map(|fault| format!("{way} of {}: {fault}", known.disk.name)));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Of large disks the parts are read that tell right from wrong.
#[test]
fn large_disks() {
    const TEST: &str = "interop qcow2 large disks";
    let peers: [&dyn RangePeer; 5] = [&QEMU_IMG, &Libqcow, &Dissect, &Imago, &Qcow2Rs];
    let peers: Vec<_> = peers.into_iter().filter(|peer| present(TEST, *peer)).collect();
    let mut faults = Vec::new();
    for name in ["two-extents", "three-tib"] {
        let disk = disk(name).unwrap();
        let around = |run: &Run| run.offset.saturating_sub(MIB + 1)..(run.end() + MIB + 7).min(capacity(&disk));
        let ranges: Vec<_> = disk.runs.iter().map(around).collect();
        let sums: Vec<_> = ranges.iter().map(|range| sum_of(&disk, range.clone()).sha256).collect();
        let expected = (capacity(&disk), sums);
        for packing in [Packing::None, Packing::Zlib] {
            let way = Way { packing, ..DEFAULT };
            let folder = tempfile::tempdir().unwrap();
            let path = write(&disk, folder.path(), &way.options());
            faults.extend(QEMU_IMG.available().then(|| check_findings(&path, "qcow2")).flatten());
            for peer in peers.iter().filter(|peer| limit(peer.name(), &way).is_none()) {
                let found = peer.ranges(&path, &ranges);
                if found.as_ref() != Ok(&expected) {
                    faults.push(format!("{way} of {name}: {}: {found:?}, not {expected:?}", peer.name()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Has qemu-img write `disk` in this way, and vimage read it.
fn check_foreign(disk: &Disk, way: &Way) {
    let folder = tempfile::tempdir().unwrap();
    disk.write_raw(&folder.path().join("disk.raw")).unwrap();
    let words = way.words();
    let mut command = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", &words];
    command.extend(way.is_packed().then_some("-c"));
    command.extend(["disk.raw", "disk.qcow2"]);
    qemu_img(folder.path(), &command);
    let name = format!("{way} of {}", disk.name);
    let path = folder.path().join("disk.qcow2");
    let image = open(path, &OpenOptions::default()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    conforms(&image, disk, 512, &name);
}

#[test]
fn what_qemu_writes_is_read() {
    if !present("interop qcow2 from qemu-img", &QEMU_IMG) {
        return;
    }
    for known in ["odd-capacity", "dense"].map(known) {
        // QEMU's streams are all of near distances.
        for way in ways().iter().filter(|way| way.packing != Packing::ZlibNear) {
            check_foreign(&known.disk, way);
        }
    }
    for Known { disk, .. } in KNOWN.iter().filter(|known| known.disk.size < WHOLE) {
        check_foreign(disk, &DEFAULT);
        check_foreign(disk, &Way { packing: Packing::Zlib, ..DEFAULT });
    }
    check_foreign(&disk("three-tib").unwrap(), &DEFAULT);
}

/// What lies beneath overlays: runs that begin and end inside clusters.
fn base(size: u64) -> Disk {
    let all = [
        Run { offset: 100, len: 3 * KIB, fill: Fill::Text(1) },
        Run { offset: 200 * KIB + 77, len: 300 * KIB, fill: Fill::Noise(2) },
        Run { offset: 700 * KIB, len: 400 * KIB + 13, fill: Fill::Text(3) },
        Run { offset: 3 * MIB - 5000, len: 9000, fill: Fill::Text(4) },
    ];
    let mut disk = Disk { name: "base", size, runs: Vec::new() };
    for run in all.iter().filter(|run| run.offset < size) {
        disk.runs.push(Run { len: run.len.min(size - run.offset), ..*run });
    }
    disk
}

/// The base with changes: data over data, zeros over data, data over nothing, the same again.
fn changed(base: &Disk, size: u64) -> Disk {
    let mut disk = base.clone();
    disk.runs.retain(|run| run.offset < size);
    for run in &mut disk.runs {
        run.len = run.len.min(size - run.offset);
    }
    disk.size = size;
    for (offset, len, fill) in [
        (1000, 100, Fill::Byte(7)),
        (210 * KIB, 80 * KIB + 1, Fill::Byte(0)),
        (320 * KIB, 64 * KIB, Fill::Noise(5)),
        (800 * KIB, 256 * KIB, Fill::Byte(0)),
        (2 * MIB - 3, 70 * KIB, Fill::Text(6)),
        (size - 700, 700, Fill::Text(8)),
    ] {
        disk = disk.overwritten("changed", Run { offset, len, fill });
    }
    disk
}

/// Sizes of the base and of the disk over it.
const OVERLAYS: [(u64, u64); 4] =
    [(3 * MIB, 3 * MIB), (2 * MIB + 5 * 512, 5 * MIB + 512), (900 * KIB + 512, 3 * MIB), (5 * MIB, 3 * MIB + 512)];

fn overlay_ways() -> Vec<Way> {
    let packed = Way { packing: Packing::Zlib, ..DEFAULT };
    vec![
        DEFAULT,
        packed,
        Way { cluster: 512, ..DEFAULT },
        Way { cluster: 2 * MIB, ..DEFAULT },
        Way { extended: true, ..DEFAULT },
        Way { extended: true, packing: Packing::Zstd, ..DEFAULT },
        Way { version2: true, ..DEFAULT },
        Way { version2: true, ..packed },
    ]
}

#[test]
fn overlays_are_read_by_all() {
    let peers = present_peers("interop qcow2 over a base");
    let mut faults = Vec::new();
    let mut asked: BTreeMap<&str, u32> = BTreeMap::new();
    for (below, above) in OVERLAYS {
        let base = base(below);
        let disk = changed(&base, above);
        let sum = sum_of(&disk, 0..above);
        for format in ["raw", "qcow2", "vmdk", "vdi"] {
            for way in overlay_ways() {
                let folder = tempfile::tempdir().unwrap();
                let path = write_overlay(&base, format, &disk, folder.path(), &way);
                let name = format!("{way}, {above} bytes over {below} of {format}");
                let image = open(&path, &OpenOptions::default()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
                conforms(&image, &disk, 512, &name);
                holds_only_what_differs(&image, &base, &disk, &way, &name);
                let mut able = peers.clone();
                able.retain(|peer| reads_overlay(peer.name(), &way, format, below < above));
                able.iter().for_each(|peer| *asked.entry(peer.name()).or_default() += 1);
                faults.extend(judge(&able, &path, &sum, &way, false).iter().map(|fault| format!("{name}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let able = peers.iter().filter(|peer| peer.name() != "7zz");
    assert_eq!(asked.len(), able.count(), "a reader was never asked: {asked:?}");
}

fn write_overlay(base: &Disk, format: &str, disk: &Disk, folder: &Path, way: &Way) -> PathBuf {
    let raw = folder.join("base-source.raw");
    base.write_raw(&raw).unwrap();
    let name = format!("base.{format}");
    convert(&open(&raw, &OpenOptions::default()).unwrap(), folder.join(&name), &ConvertOptions::to(format), &())
        .unwrap();
    let mut options = way.options();
    options.create.backing = Some(Backing { name, format: format.into() });
    write(disk, folder, &options)
}

/// A cluster is in the overlay when, and only when, it differs from what is beneath.
fn holds_only_what_differs(image: &dyn Image, base: &Disk, disk: &Disk, way: &Way, name: &str) {
    let unit = if way.extended { way.cluster / 32 } else { way.cluster };
    let (mut above, mut below) = (vec![0; unit as usize], vec![0; unit as usize]);
    for extent in Extents::of(image).map(Result::unwrap).filter(|extent| extent.depth == 0) {
        if !extent.content.is_data() {
            continue;
        }
        // Compressed clusters are whole ones, with subclusters too.
        let unit = if way.is_packed() { way.cluster } else { unit };
        above.resize(unit as usize, 0);
        below.resize(unit as usize, 0);
        for start in (extent.range.start / unit * unit..extent.range.end).step_by(unit as usize) {
            disk.read_at(&mut above, start);
            base.read_at(&mut below, start);
            assert!(above != below, "{name}: the cluster at {start} is as beneath, but is kept");
        }
    }
}
