//! `vimage info`, `compare` and `digest`: what they say to people, and the statuses.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::{Command, Stdio};
use support::{Folder, VIMAGE, disk, hostile::descriptor};
use vimage_fixtures::vmdk::variants;

/// Ways to keep a disk, as options of `convert` and the file to name afterwards.
const WAYS: [(&str, &str); 9] = [
    ("a.raw", "a.raw"),
    ("b.raw --split 3M", "b.raw.001"),
    ("c.vmdk", "c.vmdk"),
    ("d.vmdk -o subformat=monolithicFlat", "d.vmdk"),
    ("e.vmdk -o subformat=twoGbMaxExtentSparse", "e.vmdk"),
    ("f.vmdk -o subformat=twoGbMaxExtentFlat", "f.vmdk"),
    ("g.vmdk --split 16M", "g.vmdk"),
    ("h.vmdk -o subformat=twoGbMaxExtentFlat --split 5M", "h.vmdk"),
    ("i.vmdk -c", "i.vmdk"),
];

/// The folder of a disk kept in all ways.
fn kept(name: &str) -> Folder {
    let folder = Folder::with(&[name]);
    for (options, _) in WAYS {
        folder.run(&format!("convert {name}.raw {options} -q")).succeeds();
    }
    folder.names().iter().for_each(|name| folder.expect(&[name]));
    folder
}

#[test]
fn every_way_to_keep_a_disk_has_one_digest() {
    let mut seen = Vec::new();
    for name in ["empty", "sparse", "dense", "odd-capacity", "not-a-sector"] {
        let folder = kept(name);
        let images = WAYS.map(|(_, image)| image).join(" ");
        let outcome = folder.run(&format!("digest {name}.raw {images}")).succeeds();
        let lines: Vec<(&str, &str)> = outcome.stdout.lines().map(|line| line.split_once("  ").unwrap()).collect();
        assert_eq!(lines.len(), WAYS.len() + 1);
        assert!(lines.iter().all(|(digest, _)| digest.len() == 64 && *digest == lines[0].0), "{outcome}");
        assert!(lines.iter().skip(1).map(|(_, image)| *image).eq(WAYS.map(|(_, image)| image)), "{outcome}");
        seen.push(lines[0].0.to_owned());
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "different disks have different digests");
}

#[test]
fn sha256_is_what_sha256sum_says_of_the_raw_disk() {
    for name in ["empty", "one-sector", "sparse", "dense", "odd-capacity", "not-a-sector"] {
        let folder = kept(name);
        let sum = Command::new("sha256sum").arg(folder.path(&format!("{name}.raw"))).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap()[..64].to_owned();
        let raw = folder.run(&format!("digest --algorithm sha256 {name}.raw a.raw b.raw.001")).succeeds();
        assert_eq!(raw.stdout, format!("{sum}  {name}.raw\n{sum}  a.raw\n{sum}  b.raw.001\n"));
        // A VMDK holds whole sectors, so a disk that ends within one has more bytes there.
        if disk(name).size.is_multiple_of(512) {
            for image in ["c.vmdk", "g.vmdk", "i.vmdk"] {
                let outcome = folder.run(&format!("digest -a sha256 {image}")).succeeds();
                assert_eq!(outcome.stdout, format!("{sum}  {image}\n"));
            }
        }
    }
    Folder::new().run("digest -a md5 x").fails(&["md5"]);
    Folder::new().run("digest").fails(&["<IMAGES>"]);
}

/// A disk of terabytes takes as long as its data.
#[test]
fn the_digest_of_a_sparse_disk_is_quick() {
    let folder = Folder::with(&["three-tib"]);
    folder.run_tight("digest three-tib.raw").succeeds().says(&["  three-tib.raw\n"]);
}

#[test]
fn compare_tells_the_same_from_different_and_from_trouble() {
    let folder = kept("sparse");
    for (_, image) in WAYS {
        assert_eq!(folder.run(&format!("compare sparse.raw {image}")).succeeds().stdout, "The disks are identical.\n");
        assert_eq!(folder.run(&format!("compare -q -s {image} sparse.raw")).succeeds().stdout, "");
    }
    for at in [0, 70_000, 31 * support::MIB + 5, 64 * support::MIB - 1] {
        let mut bytes = folder.read("sparse.raw");
        bytes[at as usize] ^= 1;
        folder.put("other.raw", bytes);
        for image in ["sparse.raw", "c.vmdk", "i.vmdk", "b.raw.001"] {
            let outcome = folder.run(&format!("compare {image} other.raw")).ends(1);
            assert_eq!(outcome.stdout, format!("The disks differ, first at byte {at}.\n"));
            assert_eq!(outcome.stderr, "");
            assert_eq!(folder.run(&format!("compare -q other.raw {image}")).ends(1).stdout, "");
        }
    }
    folder.fails("compare sparse.raw nowhere.raw", &["nowhere.raw"]);
    folder.fails("compare sparse.raw", &["<TWO>"]);
}

#[test]
fn disks_that_differ_in_zeros_at_the_end() {
    let folder = Folder::new();
    folder.put("short.raw", [7; 1000]);
    folder.put("long.raw", [[7; 1000], [0; 1000]].concat());
    for line in ["compare short.raw long.raw", "compare long.raw short.raw"] {
        let outcome = folder.run(line).succeeds();
        assert_eq!(
            outcome.stdout,
            "The disks are identical, but for 1000 bytes of zeros at the end of the longer one.\n"
        );
        folder.run(&format!("{line} --strict")).ends(1).says(&["differ in size", "1000", "2000", "bytes"]);
        assert_eq!(folder.run(&format!("{line} -q -s")).ends(1).stdout, "");
    }
    folder.put("long.raw", [&[7; 1000][..], &[0; 900], &[1]].concat());
    folder.run("compare short.raw long.raw").ends(1).says(&["first at byte 1900"]);
    folder.run("compare long.raw short.raw").ends(1).says(&["first at byte 1900"]);
}

#[test]
fn compare_takes_a_format_for_each() {
    let folder = Folder::with(&["one-sector"]);
    folder.makes("convert one-sector.raw a.vmdk", &["a.vmdk"]);
    folder.run("compare -f raw -F vmdk one-sector.raw a.vmdk").succeeds();
    folder.run("compare -f vmdk -F raw a.vmdk one-sector.raw").succeeds();
    folder.run("compare -F raw one-sector.raw a.vmdk").ends(1);
    folder.fails("compare -f raw -F ova one-sector.raw a.vmdk", &["no format \"ova\""]);
}

#[test]
fn info_of_each_kind() {
    let folder = kept("sparse");
    let size = "virtual size      64 MiB (67108864 bytes)\n";
    let lines = |image: &str| folder.run(&format!("info {image}")).succeeds().stdout;
    assert!(
        lines("a.raw").starts_with("image         a.raw\nformat        raw\nvirtual size  64 MiB (67108864 bytes)\n")
    );
    assert!(lines("b.raw.001").contains("virtual size  64 MiB (67108864 bytes)\n"));
    for (image, kind, extents) in [
        ("c.vmdk", "monolithicSparse", None),
        ("d.vmdk", "monolithicFlat", Some(("FLAT", 1))),
        ("e.vmdk", "twoGbMaxExtentSparse", Some(("SPARSE", 1))),
        ("f.vmdk", "twoGbMaxExtentFlat", Some(("FLAT", 1))),
        ("h.vmdk", "twoGbMaxExtentFlat", Some(("FLAT", 13))),
        ("i.vmdk", "streamOptimized", None),
    ] {
        let text = lines(image);
        assert!(
            text.starts_with(&format!("image             {image}\nformat            vmdk {kind}\n{size}")),
            "{text}"
        );
        assert!(text.contains("adapter type      lsilogic\n") && text.contains("cid "), "{text}");
        let count =
            extents.map_or(0, |(word, _)| text.lines().filter(|line| line.starts_with(&format!("  {word} "))).count());
        assert_eq!(count, extents.map_or(0, |(_, count)| count), "{text}");
        assert_eq!(text.contains("compressed"), kind == "streamOptimized", "{text}");
    }
    assert!(lines("d.vmdk").contains("64 MiB  d-flat.vmdk"));
}

#[test]
fn info_of_a_child_names_its_parent_without_opening_it() {
    let folder = Folder::new();
    let variant = variants().into_iter().find(|variant| variant.name == "delta-hosted-sparse").unwrap();
    variant.write(&folder.path("")).unwrap();
    folder.expect(&["child.vmdk", "sparse.vmdk"]);
    folder.remove("sparse.vmdk");
    folder.run("info child.vmdk").succeeds().says(&["parent ", "sparse.vmdk", "0badc1d5"]);
    folder.fails("digest child.vmdk", &["sparse.vmdk", "missing"]);
}

/// What is said to be a VMDK and has nothing of one is no disk of 0 bytes.
#[test]
fn info_of_what_is_no_vmdk() {
    let folder = Folder::with(&["one-sector"]);
    folder.fails("info -f vmdk one-sector.raw", &["one-sector.raw"]);
    folder.put("empty.vmdk", "");
    folder.fails("info -f vmdk empty.vmdk", &["empty.vmdk"]);
    folder.put("descriptor.vmdk", descriptor(""));
    folder.fails("info descriptor.vmdk", &["descriptor.vmdk", "no extent"]);
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = Folder::with(&["two-extents"]);
    folder.run("convert two-extents.raw out.vmdk --split 100M -q").succeeds();
    folder.names().iter().for_each(|name| folder.expect(&[name]));
    for line in [
        "info out.vmdk",
        "info --json out.vmdk",
        "convert out.vmdk two.raw --force",
        "digest out.vmdk out.vmdk",
        "--help",
    ] {
        let mut child = folder.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Closed before anything was read.
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && stderr.is_empty(), "{line}: {} {stderr}", ended.status);
    }
    folder.expect(&["two.raw"]);
    let script = format!("{VIMAGE} info {} | head -n 1", folder.path("out.vmdk").display());
    let head = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(head.stdout.starts_with(b"image ") && head.stderr.is_empty(), "{head:?}");
}

#[test]
fn an_answer_that_cannot_be_written_is_a_fault() {
    let folder = Folder::with(&["one-sector"]);
    for line in [
        "info one-sector.raw",
        "info one-sector.raw --json",
        "digest one-sector.raw",
        "compare one-sector.raw one-sector.raw",
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = folder.command(line).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{line}: {stderr}");
        assert!(stderr.contains("No space left") && !stderr.contains("panicked"), "{line}: {stderr}");
    }
}
