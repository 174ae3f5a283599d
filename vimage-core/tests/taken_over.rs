//! Units that are packed already go from one image into another without being compressed again, also where their wrapping differs;
//! and not where a level is asked for, or where they are damaged.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "a part of what tests share")]

#[path = "peers/known.rs"]
mod known;
mod peers;
#[path = "peers/qcow2.rs"]
mod qcow2;
mod support;

use known::{KNOWN, Known};
use peers::qemu_tools::qemu_img;
use peers::{ALL, ALL_QCOW2, Peer, QemuImg, QemuImgAs, present};
use qcow2::{DEFAULT, Packing, Way, limit};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vimage_core::{ConvertOptions, ErrorKind, convert, open};
use vimage_fixtures::qcow2 as laid;

fn stream() -> ConvertOptions {
    ConvertOptions::to("vmdk").with("subformat", "streamOptimized")
}

fn packed() -> ConvertOptions {
    let mut options = ConvertOptions::to("qcow2");
    options.create.compress = true;
    options
}

fn leveled(mut options: ConvertOptions, level: u32) -> ConvertOptions {
    options.create.level = Some(level);
    options
}

fn converted(from: &Path, to: &Path, options: &ConvertOptions) -> PathBuf {
    convert(&open(from, &Default::default()).unwrap(), to, options, &()).unwrap();
    to.to_owned()
}

/// What `peers` have against the image at `path`.
fn faults(peers: &[&dyn Peer], path: &Path, known: &Known) -> Vec<String> {
    let wrong =
        peers.iter().map(|peer| (peer.name(), peer.sha256(path))).filter(|(_, read)| read.as_ref() != Ok(&known.sum));
    wrong.map(|(peer, read)| format!("{peer}: {} of {}: {read:?}", path.display(), known.disk.name)).collect()
}

#[test]
fn units_in_another_wrapping_are_read_by_all() {
    let test = "taken over";
    let of = |all: &[&'static dyn Peer]| -> Vec<&'static dyn Peer> {
        all.iter().copied().filter(|peer| present(test, *peer)).collect()
    };
    let way = Way { packing: Packing::Zlib, ..DEFAULT };
    let (vmdk, mut qcow2) = (of(&ALL), of(&ALL_QCOW2));
    qcow2.retain(|peer| limit(peer.name(), &way).is_none());
    let mut found = Vec::new();
    // Gibibytes would show nothing new.
    for known in KNOWN.iter().filter(|known| known.disk.size < 1 << 30) {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("disk.raw");
        known.disk.write_raw(&raw).unwrap();
        let first = converted(&raw, &folder.path().join("first.vmdk"), &stream());
        let second = converted(&first, &folder.path().join("second.qcow2"), &packed());
        found.extend(faults(&qcow2, &second, known));
        let options = laid::Options { compressed: true, ..laid::Options::default() };
        // Streams that another compressor made, tight behind each other.
        let third = laid::write(&known.disk, folder.path(), &options).unwrap();
        let fourth = converted(&third, &folder.path().join("fourth.vmdk"), &stream());
        found.extend(faults(&vmdk, &fourth, known));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The disk with the most in it, in a folder of its own.
fn full() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("disk.raw");
    known::known("dense").disk.write_raw(&raw).unwrap();
    (folder, raw)
}

#[test]
fn what_qemu_packs_is_taken_over() {
    if !present("what QEMU packs", &QemuImg) {
        return;
    }
    let (folder, raw) = full();
    for (file, words, to, options) in [
        ("q.qcow2", ["-c", "-O", "qcow2"].as_slice(), "v.vmdk", stream()),
        ("q.vmdk", ["-O", "vmdk", "-o", "subformat=streamOptimized"].as_slice(), "v.qcow2", packed()),
    ] {
        let made = folder.path().join(file);
        qemu_img(folder.path(), &[&["convert", "-f", "raw"], words, &["disk.raw", file]].concat());
        let taken = converted(&made, &folder.path().join(to), &options);
        let format = if to == "v.vmdk" { "vmdk" } else { "qcow2" };
        assert_eq!(QemuImgAs(format).compare(&taken, &raw), Ok(()), "{file}");
        // zlib's level 6 is not to be had by another way.
        let anew = converted(&raw, &folder.path().join(format!("anew-{to}")), &options);
        assert!(fs::read(&taken).unwrap() != fs::read(anew).unwrap(), "{file} was compressed anew");
    }
}

#[test]
fn a_level_is_that_of_every_unit() {
    let (folder, raw) = full();
    let fast = converted(&raw, &folder.path().join("fast.qcow2"), &leveled(packed(), 1));
    for (name, options) in [("slow.qcow2", packed()), ("slow.vmdk", stream())] {
        // A VMDK says what it is called, so all have one name.
        let [raw_side, fast_side, kept_side] =
            ["raw", "fast", "kept"].map(|side| folder.path().join(format!("{side}-{name}")));
        [&raw_side, &fast_side, &kept_side].into_iter().for_each(|side| fs::create_dir(side).unwrap());
        let from_raw = converted(&raw, &raw_side.join(name), &leveled(options.clone(), 9));
        let from_fast = converted(&fast, &fast_side.join(name), &leveled(options.clone(), 9));
        let kept = converted(&fast, &kept_side.join(name), &options);
        let len = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(fs::read(&from_raw).unwrap() == fs::read(&from_fast).unwrap(), "{name}");
        assert!(len(&kept) > len(&from_raw), "{name}: {} {}", len(&kept), len(&from_raw));
    }
}

#[test]
fn what_a_source_only_stores_is_compressed_where_it_can_be() {
    let (folder, raw) = full();
    // Units of text, of random bytes and of both. A fixture's noise has no zero byte, by which deflate makes it a little smaller.
    let mut state = 1_u64;
    let mut bytes: Vec<u8> = (0..1_u32 << 20).map(|at| b"as plain as text is; "[at as usize % 21]).collect();
    for range in [65_536..131_072, 150_000..160_000, 400_000..700_000] {
        for byte in &mut bytes[range] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
    }
    fs::write(&raw, bytes).unwrap();
    let from_raw = fs::read(converted(&raw, &folder.path().join("raw.qcow2"), &packed())).unwrap();
    let stored = converted(&raw, &folder.path().join("stored.vmdk"), &leveled(stream(), 0));
    let from_stored = fs::read(converted(&stored, &folder.path().join("stored.qcow2"), &packed())).unwrap();
    assert!(fs::metadata(&stored).unwrap().len() > 1 << 20 && from_raw.len() < 900_000);
    assert!(from_stored == from_raw, "{} and {} bytes", from_stored.len(), from_raw.len());
}

#[test]
fn a_damaged_unit_is_not_given_another_wrapping() {
    let (folder, raw) = full();
    for (file, options, to, into) in
        [("a.vmdk", stream(), "b.qcow2", packed()), ("a.qcow2", leveled(packed(), 0), "b.vmdk", stream())]
    {
        let source = converted(&raw, &folder.path().join(file), &options);
        let mut bytes = fs::read(&source).unwrap();
        // In the middle of the first unit, behind its header.
        let at = 65_536 + 2048;
        bytes[at..at + 64].fill(0xff);
        fs::write(&source, &bytes).unwrap();
        let target = folder.path().join(to);
        let outcome = open(&source, &Default::default()).and_then(|image| convert(&image, &target, &into, &()));
        // Without a checksum, as qcow2 has none, damage may go unseen; an error is one, and leaves nothing.
        match outcome {
            Ok(_) => assert_eq!(file, "a.qcow2"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert!(error.to_string().contains(file) || format!("{error:?}").contains(file), "{error:?}");
                assert!(!target.exists());
            }
        }
    }
}
