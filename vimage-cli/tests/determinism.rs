//! The same disk and options make the same bytes, on any number of threads, in any folder, at any time.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use support::Folder;

const WAYS: [&str; 9] = [
    "out.raw",
    "out.raw --split 5M",
    "out.vmdk",
    "out.vmdk -o subformat=monolithicFlat",
    "out.vmdk -o subformat=twoGbMaxExtentSparse",
    "out.vmdk -o subformat=twoGbMaxExtentFlat",
    "out.vmdk -o subformat=streamOptimized",
    "out.vmdk --level 9",
    "out.vmdk --split 5M -o adapter_type=ide",
];

/// The files that a conversion makes, by name.
type Files = BTreeMap<String, (u64, String)>;

/// Converts in a new folder; every byte of the outputs is in the answer.
fn convert(source: &Folder, name: &str, way: &str, threads: Option<usize>) -> Files {
    let folder = Folder::new();
    let source = source.path(&format!("{name}.raw"));
    let mut command = folder.command(&format!("convert -q {} {way}", source.display()));
    if let Some(threads) = threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    support::run(command).succeeds();
    let names = folder.names();
    names.iter().for_each(|name| folder.expect(&[name]));
    names.into_iter().map(|name| (name.clone(), digest(&folder, &name))).collect()
}

/// A file's length and a digest of its bytes. Flat extents are gigabytes of holes, over which sha256sum would spend all of
/// the time of these tests: of long files the content digest is taken, as if they were raw disks.
fn digest(folder: &Folder, name: &str) -> (u64, String) {
    let length = folder.path(name).metadata().unwrap().len();
    let printed = if length > 64 << 20 {
        folder.run(&format!("digest -f raw {name}")).succeeds().stdout
    } else {
        let sum = std::process::Command::new("sha256sum").arg(folder.path(name)).output().unwrap();
        String::from_utf8(sum.stdout).unwrap()
    };
    (length, printed[..64].to_owned())
}

fn same_bytes(name: &str) {
    let source = Folder::with(&[name]);
    for way in WAYS {
        if name == "two-extents" && way.contains("5M") {
            continue;
        }
        let once = convert(&source, name, way, Some(1));
        assert!(!once.is_empty());
        for threads in [Some(2), Some(7), None] {
            assert_eq!(convert(&source, name, way, threads), once, "{name} {way} on {threads:?} threads");
        }
    }
}

#[test]
fn dense_on_any_number_of_threads() {
    same_bytes("dense");
}

#[test]
fn sparse_on_any_number_of_threads() {
    same_bytes("sparse");
}

#[test]
fn two_extents_on_any_number_of_threads() {
    same_bytes("two-extents");
}

/// What the source is kept as does not show in the output.
#[test]
fn the_same_bytes_whatever_the_source_is_kept_as() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert sparse.raw sparse.vmdk", &["sparse.vmdk"]);
    folder.makes("convert sparse.vmdk stream.vmdk -c", &["stream.vmdk"]);
    folder.makes("convert stream.vmdk flat.vmdk -o subformat=monolithicFlat", &["flat.vmdk", "flat-flat.vmdk"]);
    let bytes = |source: &str, options: &str| {
        folder.run(&format!("convert {source} out.vmdk --force {options}")).succeeds();
        folder.read("out.vmdk")
    };
    for options in ["", "-c"] {
        let expected = bytes("sparse.raw", options);
        for source in ["sparse.vmdk", "stream.vmdk", "flat.vmdk"] {
            assert!(bytes(source, options) == expected, "{source} {options}");
        }
    }
    folder.expect(&["out.vmdk"]);
}

/// The file's dates are its folder's business: nothing of the clock is in it.
#[test]
fn the_same_bytes_at_another_time() {
    let source = Folder::with(&["one-sector"]);
    let first = convert(&source, "one-sector", "out.vmdk", None);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(convert(&source, "one-sector", "out.vmdk", None), first);
}

#[test]
fn different_content_has_a_different_cid() {
    let folder = Folder::with(&["sparse"]);
    let mut bytes = folder.read("sparse.raw");
    // One bit, far inside.
    bytes[17 << 20] ^= 1;
    folder.put("other.raw", bytes);
    let cid = |source: &str, kind: &str| {
        folder.run(&format!("convert {source} out.vmdk --force -o subformat={kind}")).succeeds();
        folder.run("info --json out.vmdk").json("info")["id"].as_str().unwrap().to_owned()
    };
    for kind in ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let (one, other) = (cid("sparse.raw", kind), cid("other.raw", kind));
        assert_ne!(one, other, "{kind}");
        assert_eq!(one, cid("sparse.raw", kind), "{kind}");
        assert!(!["ffffffff", "fffffffe"].contains(&one.as_str()));
    }
    folder.names().iter().for_each(|name| folder.expect(&[name]));
}

/// A stream says who it is before its content is known: nothing can lie over one that would have to tell two of them apart.
#[test]
fn a_stream_has_its_cid_from_its_size_and_options() {
    let folder = Folder::with(&["sparse", "dense", "empty"]);
    let cid = |source: &str, options: &str| {
        folder.run(&format!("convert {source} out.vmdk --force -o subformat=streamOptimized{options}")).succeeds();
        folder.run("info --json out.vmdk").json("info")["id"].as_str().unwrap().to_owned()
    };
    let all = ["sparse.raw", "dense.raw", "empty.raw"].map(|source| cid(source, ""));
    assert_eq!(all, ["sparse.raw", "dense.raw", "empty.raw"].map(|source| cid(source, "")));
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
    assert!(all.iter().all(|cid| !["ffffffff", "fffffffe"].contains(&cid.as_str())));
    assert_eq!(cid("sparse.raw", ",cid=12345678"), "12345678");
    folder.names().iter().for_each(|name| folder.expect(&[name]));
}
