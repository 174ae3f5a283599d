//! `--json`: one document of a known version for every answer and every error.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use support::{Folder, hostile::IMAGE, hostile::descriptor};

#[test]
fn what_convert_made() {
    let folder = Folder::with(&["two-extents"]);
    let files = ["out.vmdk", "out-s001.vmdk", "out-s002.vmdk"];
    let made = folder.makes("convert two-extents.raw out.vmdk --split 2G --json", &files).json("convert");
    assert_eq!((&made["format"], &made["virtual-size"]), (&json!("vmdk"), &json!(2_148_532_224_u64)));
    let listed = made["files"].as_array().unwrap();
    let names: Vec<&Value> = listed.iter().map(|file| &file["filename"]).collect();
    assert_eq!(names, ["out-s001.vmdk", "out-s002.vmdk", "out.vmdk"]);
    for file in listed {
        let length = folder.path(file["filename"].as_str().unwrap()).metadata().unwrap().len();
        assert_eq!(file["size"], length);
        assert!(file["actual-size"].as_u64().unwrap() > 0);
    }
    assert!(made["seconds"].is_f64());
    // Made on the way, and the same that `digest` makes.
    let digest = folder.run("digest out.vmdk").succeeds().stdout;
    assert!(digest.starts_with(made["content"].as_str().unwrap()));
    let raw = folder.makes("convert out.vmdk out.raw --json", &["out.raw"]).json("convert");
    assert_eq!((&raw["format"], &raw["content"]), (&json!("raw"), &Value::Null));
}

#[test]
fn what_info_says_of_a_split_disk() {
    let folder = Folder::with(&["two-extents"]);
    folder.makes("convert two-extents.raw out.vmdk --split 2G", &["out.vmdk", "out-s001.vmdk", "out-s002.vmdk"]);
    let text = folder.text("out.vmdk");
    let cid = text.lines().find_map(|line| line.strip_prefix("CID=")).unwrap();
    let info = folder.run("info --json out.vmdk").succeeds().json("info");
    assert_eq!(
        info,
        json!({
            "version": 1,
            "command": "info",
            "filename": "out.vmdk",
            "format": "vmdk",
            "subformat": "twoGbMaxExtentSparse",
            "virtual-size": 2_148_532_224_u64,
            "actual-size": info["actual-size"],
            "unit-size": null,
            "compressed": false,
            "id": cid,
            "parent": null,
            "parent-format": null,
            "parent-id": null,
            "snapshots": [],
            "extents": [
                { "filename": "out-s001.vmdk", "kind": "SPARSE", "virtual-size": 4_192_256_u64 * 512 },
                { "filename": "out-s002.vmdk", "kind": "SPARSE", "virtual-size": 4096 * 512 },
            ],
            "details": {
                "adapter-type": "lsilogic",
                "cid": cid,
                "hardware-version": "4",
                "tools-version": "2147483647",
            },
        })
    );
}

#[test]
fn what_info_says_of_a_stream_and_of_raw() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert sparse.raw out.vmdk -c", &["out.vmdk"]);
    let info = folder.run("info --json out.vmdk").succeeds().json("info");
    assert_eq!(info["subformat"], "streamOptimized");
    assert_eq!((&info["compressed"], &info["unit-size"]), (&json!(true), &json!(65_536)));
    assert_eq!(info["extents"], json!([]));
    assert_eq!(
        (&info["details"]["header-version"], &info["details"]["grain-directory"]),
        (&json!("3"), &json!("at the end"))
    );
    let info = folder.run("info --json sparse.raw").succeeds().json("info");
    for key in ["subformat", "unit-size", "id", "parent"] {
        assert_eq!(info[key], Value::Null, "{key}");
    }
    assert_eq!((&info["format"], &info["compressed"], &info["details"]), (&json!("raw"), &json!(false), &json!({})));
    // A sparse file takes less than it is long.
    assert!(info["actual-size"].as_u64().unwrap() < info["virtual-size"].as_u64().unwrap() / 2);
}

#[test]
fn what_info_says_of_a_zero_extent_and_a_parent() {
    let folder = Folder::new();
    let text = descriptor("RW 8 ZERO").replace("parentCID=ffffffff", "parentCID=2\nparentFileNameHint=\"base.vmdk\"");
    folder.put("disk.vmdk", text);
    let info = folder.run("info --json disk.vmdk").succeeds().json("info");
    assert_eq!(info["extents"], json!([{ "filename": null, "kind": "ZERO", "virtual-size": 4096 }]));
    assert_eq!((&info["parent"], &info["details"]["parent-cid"]), (&json!("base.vmdk"), &json!("2")));
}

#[test]
fn what_compare_and_digest_say() {
    let folder = Folder::new();
    folder.put("a.raw", [7; 2048]);
    folder.put("b.raw", [7; 1024]);
    folder.put("c.raw", [&[7; 1024][..], &[0; 1024]].concat());
    let compare = |line: &str, status| {
        let answer = folder.run(&format!("compare --json {line}")).ends(status).json("compare");
        (answer["identical"].clone(), answer["offset"].clone(), answer["virtual-sizes"].clone())
    };
    assert_eq!(compare("b.raw c.raw", 0), (json!(true), Value::Null, json!([1024, 2048])));
    assert_eq!(compare("a.raw b.raw", 1), (json!(false), json!(1024), json!([2048, 1024])));
    assert_eq!(compare("b.raw c.raw --strict", 1), (json!(false), Value::Null, json!([1024, 2048])));

    let digest = folder.run("digest --json b.raw c.raw").succeeds().json("digest");
    assert_eq!(digest["algorithm"], "content");
    assert_eq!(
        (&digest["images"][0]["filename"], &digest["images"][1]["filename"]),
        (&json!("b.raw"), &json!("c.raw"))
    );
    let digest = folder.run("digest --json -a sha256 a.raw").succeeds().json("digest");
    assert_eq!(digest["algorithm"], "sha256");
    assert_eq!(digest["images"][0]["digest"].as_str().unwrap().len(), 64);
}

#[test]
fn every_error_is_a_document_and_a_sentence() {
    let folder = Folder::with(&["one-sector"]);
    folder.lay_sparse();
    folder.poke_u32(4, 9);
    folder.put("cut.vmdk", "KDMV");
    folder.describe("far.vmdk", "RW 8 FLAT \"/etc/shadow\" 0");
    folder.put("there.vmdk", "precious");
    for (line, kind, path, offset) in [
        ("info nowhere.raw", "io", json!("nowhere.raw"), Value::Null),
        ("compare one-sector.raw nowhere.raw", "io", json!("nowhere.raw"), Value::Null),
        ("digest nowhere.raw", "io", json!("nowhere.raw"), Value::Null),
        (&format!("info {IMAGE}"), "unsupported", json!(IMAGE), json!(4)),
        ("info cut.vmdk", "corrupt", json!("cut.vmdk"), json!(0)),
        ("convert far.vmdk out.raw", "refused", json!("far.vmdk"), Value::Null),
        ("convert one-sector.raw there.vmdk", "exists", json!("there.vmdk"), Value::Null),
        ("convert one-sector.raw one-sector.raw --force", "refused", json!("one-sector.raw"), Value::Null),
        ("convert one-sector.raw out.vmdk -o a=b", "usage", Value::Null, Value::Null),
        ("convert one-sector.raw out.vmdk --split 1K", "usage", Value::Null, Value::Null),
        ("convert one-sector.raw", "usage", Value::Null, Value::Null),
    ] {
        let outcome = folder.fails(&format!("{line} --json"), &[]);
        let error = &outcome.json("error")["error"];
        assert_eq!((&error["kind"], &error["path"], &error["offset"]), (&json!(kind), &path, &offset), "{outcome}");
        let message = error["message"].as_str().unwrap();
        assert!(outcome.stderr.starts_with(&format!("vimage: {message}\n")), "{outcome}");
        let hint = error["hint"].as_str();
        assert_eq!(
            hint.is_some_and(|hint| outcome.stderr.ends_with(&format!("hint: {hint}\n"))),
            hint.is_some(),
            "{outcome}"
        );
    }
}

/// What the parser of the command line finds wrong is an error as any other.
#[test]
fn a_wrong_command_line_is_a_document_too() {
    let folder = Folder::with(&["one-sector"]);
    for line in [
        "convert one-sector.raw out.vmdk --split 2X",
        "digest one-sector.raw -a md5",
        "info",
        "convert one-sector.raw out.vmdk -o x",
    ] {
        let outcome = folder.fails(&format!("{line} --json"), &[]);
        assert_eq!(outcome.json("error")["error"]["kind"], "usage", "{line}");
    }
}

/// File names are bytes; one that is no text must not cost the answer, least of all once the work is done.
#[test]
fn a_file_name_that_is_no_text() {
    let name = OsStr::from_bytes(b"out\xff.raw");
    let folder = Folder::with(&["one-sector"]);
    let mut convert = folder.command("convert --json one-sector.raw");
    convert.arg(name);
    let outcome = support::run(convert).succeeds();
    assert_eq!(outcome.json("convert")["files"][0]["size"], 512);
    folder.expect(&[&name.to_string_lossy()]);
    for command in ["info", "digest"] {
        let mut answer = folder.command(&format!("{command} --json"));
        answer.arg(name);
        support::run(answer).succeeds().json(command);
    }
    let mut missing = folder.command("info --json");
    missing.arg(OsStr::from_bytes(b"nowhere\xff.raw"));
    assert_eq!(support::run(missing).fails(&["nowhere"]).json("error")["error"]["kind"], "io");
}
