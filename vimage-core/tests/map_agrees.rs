//! vimage and qemu-img say the same of where a disk holds data and where it is zero.
//!
//! For some formats QEMU looks for holes in the file too, where the image says that there is data. It then says both,
//! "data" and "zero", and vimage may say either.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod peers;
mod support;

use peers::qemu_tools::{Mapped, map, qemu_img, qemu_io};
use peers::{QemuImgAs, present};
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;
use support::disk_of;
use vimage_core::{ConvertOptions, Extents, Image, OpenOptions, convert, open};
use vimage_fixtures::disks;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Formats with settings in words that vimage and qemu-img share, and whether to compress.
const KINDS: [(&str, &str, bool); 17] = [
    ("raw", "", false),
    ("qcow2", "cluster_size=64k", false),
    ("qcow2", "cluster_size=64k", true),
    ("qcow2", "cluster_size=512", false),
    ("qcow2", "cluster_size=2M", false),
    ("qcow2", "cluster_size=2M,compression_type=zstd", true),
    ("qcow2", "cluster_size=16k,extended_l2=on", false),
    ("qcow2", "cluster_size=128k,extended_l2=on", true),
    ("qcow2", "compat=0.10", false),
    ("qcow2", "compat=0.10", true),
    ("vmdk", "subformat=monolithicSparse", false),
    ("vmdk", "subformat=monolithicFlat", false),
    ("vmdk", "subformat=twoGbMaxExtentSparse", false),
    ("vmdk", "subformat=twoGbMaxExtentFlat", false),
    ("vmdk", "subformat=streamOptimized", true),
    ("vdi", "static=off", false),
    ("vdi", "static=on", false),
];

/// What either says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Data,
    Zero,
    /// Data by the image's tables, zero by the holes of its file.
    Either,
}

/// Where the image at `path` is said to hold what, by each: runs end to end.
fn agrees(path: &Path, format: &str) -> Result<(), String> {
    let theirs = map(path, format)?;
    let image = open(path, &OpenOptions::default()).map_err(|error| format!("{error:?}"))?;
    let ours: Vec<_> = Extents::of(&image).map(Result::unwrap).collect();
    let end = theirs.last().map(|run| run.range.end);
    if end != Some(image.size()) || !theirs.windows(2).all(|pair| pair[0].range.end == pair[1].range.start) {
        return Err(format!("qemu-img's map does not cover the {} bytes: {theirs:?}", image.size()));
    }
    let mut theirs = theirs.iter().peekable();
    for extent in &ours {
        let said = if extent.content.is_data() { Said::Data } else { Said::Zero };
        while let Some(run) = theirs.peek() {
            let their = their_word(run)?;
            if their != said && their != Said::Either {
                return Err(format!("{extent:?}, but qemu-img: {run:?}"));
            }
            if run.range.end > extent.range.end {
                break;
            }
            let last = run.range.end == extent.range.end;
            theirs.next();
            if last {
                break;
            }
        }
    }
    Ok(())
}

fn their_word(run: &Mapped) -> Result<Said, String> {
    match (run.data, run.zero) {
        (true, false) => Ok(Said::Data),
        (false, true) => Ok(Said::Zero),
        (true, true) => Ok(Said::Either),
        (false, false) => Err(format!("qemu-img says neither: {run:?}")),
    }
}

/// The raw disk in `folder` in every kind, written by qemu-img and by vimage: the maps of all agree.
fn check(folder: &Path, name: &str) -> Result<(), String> {
    let raw = open(folder.join("disk.raw"), &OpenOptions::default()).unwrap();
    for (index, (format, settings, compress)) in KINDS.into_iter().enumerate() {
        let theirs = folder.join(format!("theirs-{index}"));
        let mut words = vec!["convert", "-f", "raw", "-O", format];
        if !settings.is_empty() {
            words.extend(["-o", settings]);
        }
        words.extend((compress && format == "qcow2").then_some("-c"));
        words.extend(["disk.raw", theirs.to_str().unwrap()]);
        qemu_img(folder, &words);
        agrees(&theirs, format).map_err(|fault| format!("{name} by qemu-img as {format} {settings}: {fault}"))?;

        let ours = folder.join(format!("ours-{index}"));
        let mut options = ConvertOptions::to(format);
        options.create.settings = settings.parse().unwrap();
        options.create.compress = compress && format == "qcow2";
        options.flush = false;
        convert(&raw, &ours, &options, &()).unwrap();
        agrees(&ours, format).map_err(|fault| format!("{name} by vimage as {format} {settings}: {fault}"))?;
    }
    Ok(())
}

fn runs() -> impl Strategy<Value = Vec<(u64, u64, u8)>> {
    vec((0..24 * MIB, prop_oneof![1..5000_u64, 60_000..70_000_u64, Just(MIB)], any::<u8>()), 0..10)
}

/// qemu-io's commands: writes, zeros with and without unmapping, and discards, of sectors.
fn changes() -> impl Strategy<Value = Vec<String>> {
    let change = (0..4000_u64, 1..600_u64, 0..4_usize).prop_map(|(sector, sectors, kind)| {
        let command = ["write -P 9", "write -z", "write -z -u", "discard"][kind];
        format!("{command} {} {}", sector * 512, sectors * 512)
    });
    vec(change, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_any_disk_in_any_format(sectors in 1..24 * MIB / 512, runs in runs()) {
        if present("maps of drawn disks", &QemuImgAs("raw")) {
            let folder = tempfile::tempdir().unwrap();
            disk_of(sectors * 512, &runs).write_raw(&folder.path().join("disk.raw")).unwrap();
            check(folder.path(), "drawn").map_err(TestCaseError::fail)?;
        }
    }

    /// Two overlays over a base, one of them shorter than the other, with zeros and discarded clusters.
    #[test]
    fn of_chains_with_zeros_and_discards(lower in changes(), middle in changes(), upper in changes()) {
        if present("maps of drawn chains", &QemuImgAs("raw")) {
            let bases =
                [("raw", ""), ("qcow2", ",extended_l2=on"), ("qcow2", ",compat=0.10"), ("vdi", ""), ("vmdk", "")];
            for (base, more) in bases {
                let folder = tempfile::tempdir().unwrap();
                let folder = folder.path();
                qemu_img(folder, &["create", "-q", "-f", base, "base", "2400k"]);
                // Nothing but qcow2 and raw takes all of these.
                let lower: Vec<_> =
                    lower.iter().filter(|change| change.starts_with("write -P")).cloned().collect();
                apply(folder, base, "base", &lower);
                for (backing, format, name) in [("base", base, "middle"), ("middle", "qcow2", "top")] {
                    let settings = format!("cluster_size=16k{more}");
                    let beneath = ["create", "-q", "-f", "qcow2", "-b", backing, "-F", format, "-o", &settings];
                    qemu_img(folder, &[&beneath[..], &[name, "3M"]].concat());
                    apply(folder, "qcow2", name, if name == "top" { &upper } else { &middle });
                    agrees(&folder.join(name), "qcow2")
                        .map_err(|fault| TestCaseError::fail(format!("{name} over {base}{more}: {fault}")))?;
                }
            }
        }
    }
}

/// Has qemu-io do those `changes` that lie within the first 2400 KiB.
fn apply(folder: &Path, format: &str, name: &str, changes: &[String]) {
    let within = |change: &&String| {
        let mut numbers = change.split(' ').rev().map(|word| word.parse::<u64>().unwrap());
        numbers.next().unwrap() + numbers.next().unwrap() <= 2400 * KIB
    };
    let changes: Vec<_> = changes.iter().filter(within).map(String::as_str).collect();
    if !changes.is_empty() {
        qemu_io(folder, format, name, &changes);
    }
}

#[test]
fn of_the_standard_disks() {
    if !present("maps of the standard disks", &QemuImgAs("raw")) {
        return;
    }
    for disk in disks().iter().filter(|disk| disk.size < 100 * MIB && disk.size.is_multiple_of(512)) {
        let folder = tempfile::tempdir().unwrap();
        disk.write_raw(&folder.path().join("disk.raw")).unwrap();
        check(folder.path(), disk.name).unwrap_or_else(|fault| panic!("{fault}"));
    }
}
