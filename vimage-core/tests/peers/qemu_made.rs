//! Images that only QEMU's tools make: chains of mixed formats, snapshots, data in a file of its own, clusters that are
//! there and zero. vimage gives the bytes that qemu-img converts them to.

use super::peers::qemu_tools::{qemu_img, qemu_io};
use super::peers::{QemuImgAs, present};
use std::fs;
use std::path::Path;
use vimage_core::{Content, Extents, Image, OpenImage, OpenOptions, open};

/// The size of the disks, before some grow.
const SIZE: u64 = 4 << 20;

fn qemu_is_present(test: &str) -> bool {
    present(test, &QemuImgAs("qcow2"))
}

/// The image `name` in `folder`, read by vimage; its bytes are those of qemu-img's conversion of it.
fn check(folder: &Path, format: &str, name: &str, snapshot: Option<&str>) -> OpenImage {
    let mut words = vec!["convert", "-f", format, "-O", "raw"];
    let selected = snapshot.map(|snapshot| format!("snapshot.name={snapshot}"));
    if let Some(selected) = &selected {
        words.extend(["-l", selected]);
    }
    words.extend([name, "expected.raw"]);
    qemu_img(folder, &words);
    let mut expected = fs::read(folder.join("expected.raw")).unwrap();
    if snapshot.is_some() {
        // qemu-img gives it the size of the present, with zeros behind; vimage the size of its time.
        let rest = expected.split_off(expected.len().min(SIZE as usize));
        assert!(rest.iter().all(|&byte| byte == 0), "{name}: bytes behind the end of a snapshot");
    }

    let options = OpenOptions { snapshot: snapshot.map(Into::into), ..OpenOptions::default() };
    let image = open(folder.join(name), &options).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(image.size(), expected.len() as u64, "{name}: size");
    // Not zeros: what is left unread must be found out.
    let mut found = vec![0xa5; expected.len()];
    image.read_exact_at(&mut found, 0).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let differs = found.iter().zip(&expected).position(|(found, expected)| found != expected);
    assert_eq!(differs, None, "{name} {snapshot:?}: the first wrong byte");
    for extent in Extents::of(&image).map(Result::unwrap).filter(|extent| !extent.content.is_data()) {
        let hidden = &expected[extent.range.start as usize..extent.range.end as usize];
        assert!(hidden.iter().all(|&byte| byte == 0), "{name} {snapshot:?}: {extent:?} hides data");
    }
    image
}

/// Patterns over all of a disk, each of its own.
const BASE: [&str; 3] = ["write -P 0x11 0 1M", "write -P 0x22 1100k 300k", "write -P 0x33 3M 512k"];
/// Changes: data, zeros over data, and, with unmapping, nothing at all over data.
const MIDDLE: [&str; 4] =
    ["write -P 0x44 64k 40k", "write -z 300k 200k", "write -z -u 640k 128k", "write -P 0x55 2M 1"];
const TOP: [&str; 3] = ["write -P 0x66 90k 100k", "write -P 0x77 3500k 200k", "write -z 1200k 64k"];

#[test]
fn chains_that_qemu_makes() {
    if !qemu_is_present("interop chains from qemu-img") {
        return;
    }
    let bases = [
        ("raw", ""),
        ("qcow2", "cluster_size=4k"),
        ("vmdk", ""),
        ("vmdk", "subformat=monolithicFlat"),
        ("vmdk", "subformat=twoGbMaxExtentSparse"),
        ("vdi", ""),
    ];
    // The base shorter than what is over it, as long, and longer.
    for (base, settings) in bases {
        for (below, above) in [("4M", "4M"), ("3600k", "5M"), ("4M", "3700k")] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            let mut create = vec!["create", "-q", "-f", base];
            if !settings.is_empty() {
                create.extend(["-o", settings]);
            }
            create.extend(["base", below]);
            qemu_img(folder, &create);
            qemu_io(folder, base, "base", &BASE);
            for (backing, format, name, settings, changes) in [
                ("base", base, "middle", "extended_l2=on,cluster_size=128k", MIDDLE.as_slice()),
                ("middle", "qcow2", "top", "cluster_size=2k", TOP.as_slice()),
            ] {
                let beneath = ["create", "-q", "-f", "qcow2", "-b", backing, "-F", format, "-o", settings, name, above];
                qemu_img(folder, &beneath);
                qemu_io(folder, "qcow2", name, changes);
            }
            check(folder, "qcow2", "middle", None);
            let top = check(folder, "qcow2", "top", None);
            let depths: Vec<_> = Extents::of(&top).map(|extent| extent.unwrap().depth).collect();
            assert!([0, 1, 2].iter().all(|depth| depths.contains(depth)), "{base}: not all of the chain is seen");
        }
    }
}

#[test]
fn deltas_that_qemu_makes() {
    if !qemu_is_present("interop VMDK deltas from qemu-img") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    qemu_img(folder, &["create", "-q", "-f", "vmdk", "base.vmdk", "4M"]);
    qemu_io(folder, "vmdk", "base.vmdk", &BASE);
    qemu_img(folder, &["create", "-q", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", "middle.vmdk"]);
    qemu_io(folder, "vmdk", "middle.vmdk", &["write -P 0x44 64k 40k", "write -P 0x55 2M 512"]);
    check(folder, "vmdk", "middle.vmdk", None);
    qemu_img(folder, &["create", "-q", "-f", "qcow2", "-b", "middle.vmdk", "-F", "vmdk", "top.qcow2"]);
    qemu_io(folder, "qcow2", "top.qcow2", &TOP);
    check(folder, "qcow2", "top.qcow2", None);
}

#[test]
fn snapshots_that_qemu_makes() {
    if !qemu_is_present("interop snapshots from qemu-img") {
        return;
    }
    for settings in ["cluster_size=64k", "cluster_size=512", "compat=0.10", "extended_l2=on", "refcount_bits=64"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        qemu_img(folder, &["create", "-q", "-f", "qcow2", "-o", settings, "disk.qcow2", "4M"]);
        qemu_io(folder, "qcow2", "disk.qcow2", &BASE);
        qemu_img(folder, &["snapshot", "-c", "first", "disk.qcow2"]);
        qemu_io(folder, "qcow2", "disk.qcow2", &MIDDLE);
        qemu_img(folder, &["snapshot", "-c", "second state", "disk.qcow2"]);
        qemu_io(folder, "qcow2", "disk.qcow2", &TOP);
        // A disk may grow after a snapshot only where the snapshot says how long it was.
        if settings != "compat=0.10" {
            qemu_img(folder, &["resize", "-q", "-f", "qcow2", "disk.qcow2", "5M"]);
        }
        let now = check(folder, "qcow2", "disk.qcow2", None);
        let first = check(folder, "qcow2", "disk.qcow2", Some("first"));
        let second = check(folder, "qcow2", "disk.qcow2", Some("second state"));
        let of = |image: &OpenImage, at: u64| {
            let mut byte = [0];
            image.read_exact_at(&mut byte, at).unwrap();
            byte[0]
        };
        // They are three states indeed, and all are listed.
        assert_eq!([&first, &second, &now].map(|image| of(image, 70 << 10)), [0x11, 0x44, 0x44], "{settings}");
        assert_eq!([&first, &second, &now].map(|image| of(image, 95 << 10)), [0x11, 0x44, 0x66], "{settings}");
        let names: Vec<_> = now.info().snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect();
        assert_eq!(names, ["first", "second state"]);
    }
}

#[test]
fn data_in_a_file_of_its_own() {
    if !qemu_is_present("interop data files from qemu-img") {
        return;
    }
    for settings in ["data_file=data.raw", "data_file=data.raw,data_file_raw=on", "data_file=data.raw,extended_l2=on"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        qemu_img(folder, &["create", "-q", "-f", "qcow2", "-o", settings, "disk.qcow2", "4M"]);
        qemu_io(folder, "qcow2", "disk.qcow2", &BASE);
        qemu_io(folder, "qcow2", "disk.qcow2", &MIDDLE);
        check(folder, "qcow2", "disk.qcow2", None);
    }
}

#[test]
fn clusters_that_are_there_and_zero() {
    if !qemu_is_present("interop preallocated images from qemu-img") {
        return;
    }
    for preallocation in ["metadata", "falloc", "full"] {
        for more in ["", ",extended_l2=on", ",cluster_size=4k"] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            let settings = format!("preallocation={preallocation}{more}");
            qemu_img(folder, &["create", "-q", "-f", "qcow2", "-o", &settings, "disk.qcow2", "4M"]);
            check(folder, "qcow2", "disk.qcow2", None);
            // Zeros that keep their clusters, with what was in them.
            qemu_io(folder, "qcow2", "disk.qcow2", &BASE);
            qemu_io(folder, "qcow2", "disk.qcow2", &["write -z 128k 512k", "write -z 1200k 1k"]);
            let image = check(folder, "qcow2", "disk.qcow2", None);
            let zero = Extents::within(&image, 128 << 10..640 << 10).map(|extent| extent.unwrap().content);
            assert!(zero.into_iter().all(|content| content == Content::Zero), "{settings}: not known to be zero");
        }
    }
    for settings in ["static=on", "static=off"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        qemu_img(folder, &["create", "-q", "-f", "vdi", "-o", settings, "disk.vdi", "4M"]);
        qemu_io(folder, "vdi", "disk.vdi", &BASE);
        check(folder, "vdi", "disk.vdi", None);
    }
}
