//! `vimage verify`: a whole package is clean, each thing that is wrong with one is found and told.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "verify/package.rs"]
mod package;
#[path = "verify/samples.rs"]
mod samples;
mod support;

use package::{Entry, Package};
use serde_json::{Value, json};
use std::process::Command;
use support::{Folder, left_out};
use vimage_core::operations::VerifyOptions;

/// What is found, by place and message.
pub(crate) fn findings(report: &Value) -> Vec<String> {
    let line = |finding: &Value| {
        assert!(!finding["effect"].as_str().unwrap().is_empty());
        format!("{}: {}", finding["place"].as_str().unwrap(), finding["message"].as_str().unwrap())
    };
    report["findings"].as_array().unwrap().iter().map(line).collect()
}

/// Outcome and name of each file.
pub(crate) fn outcomes(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |member: &Value| format!("{} {}", text(&member["outcome"]), text(&member["filename"]));
    report["members"].as_array().unwrap().iter().map(row).collect()
}

/// A folder with nothing but a package.
fn folder() -> (Folder, Package) {
    let folder = Folder::new();
    let package = Package::new();
    folder.expect(&["a.ova"]);
    folder.put("a.ova", package.archive());
    (folder, package)
}

#[test]
fn a_whole_package_is_clean() {
    let (folder, package) = folder();
    let outcome = folder.run("verify a.ova").succeeds();
    outcome.says(&["ok ", "a.ovf", "a-disk1.vmdk", "SHA256", "2 ok; "]);
    let report = folder.run("verify a.ova --json").succeeds().json("verify");
    assert_eq!(findings(&report), [] as [&str; 0]);
    assert_eq!(outcomes(&report), ["ok a.ovf", "exempt a.mf", "ok a-disk1.vmdk"]);
    let disk = package.entries[2].bytes.len();
    assert_eq!(
        (&report["filename"], &report["kind"], &report["clean"], &report["signature"]),
        (&json!("a.ova"), &json!("ova"), &json!(true), &Value::Null)
    );
    let member = json!({ "filename": "a-disk1.vmdk", "size": disk, "algorithm": "sha256", "outcome": "ok" });
    assert_eq!(report["members"][2], member);
    assert_eq!(folder.run("verify -q a.ova").succeeds().stdout, "");
    assert_eq!(folder.run("verify --quick a.ova --json").succeeds().json("verify")["members"], report["members"]);
}

#[test]
fn a_folder_is_a_package_too() {
    let (folder, package) = folder();
    for entry in &package.entries {
        folder.expect(&[&entry.name]);
        folder.put(&entry.name, &entry.bytes);
    }
    let report = folder.run("verify a.ovf --json").succeeds().json("verify");
    assert_eq!((&report["kind"], &report["findings"]), (&json!("ovf"), &json!([])));
    assert_eq!(outcomes(&report), ["ok a.ovf", "exempt a.mf", "ok a-disk1.vmdk"]);
    // What the manifest has and the descriptor does not name is looked for beside it.
    let line = String::from_utf8(package.entries[1].bytes.clone()).unwrap().replace("(a.ovf)", "(a.txt)");
    folder.put("a.mf", [line.as_bytes(), b"\n"].concat());
    folder.put("a.txt", &package.entries[0].bytes);
    folder.expect(&["a.txt"]);
    let report = folder.run("verify a.ovf --json").ends(1).json("verify");
    assert_eq!(outcomes(&report), ["not covered a.ovf", "exempt a.mf", "ok a-disk1.vmdk", "ok a.txt"]);
    // A link may lead anywhere.
    folder.remove("a-disk1.vmdk");
    std::os::unix::fs::symlink("/etc/passwd", folder.path("a-disk1.vmdk")).unwrap();
    folder.expect(&["a-disk1.vmdk"]);
    let report = folder.run("verify a.ovf --json").ends(1).json("verify");
    assert!(outcomes(&report).contains(&"absent a-disk1.vmdk".to_owned()), "{report}");
    assert!(findings(&report).iter().any(|finding| finding.contains("symbolic link")), "{report}");
}

/// A change of a package, whether the manifest is made right after it, and what is to be found of it.
type Case = (&'static str, fn(&mut Package), bool, &'static [&'static str]);

const CASES: [Case; 23] = [
    ("a byte of the disk", |p| p.entry("a-disk1.vmdk").bytes[99_000] ^= 1, false, &["a-disk1.vmdk: its SHA256 is "]),
    ("a byte of the descriptor", |p| p.edit("a.ovf", ">512<", ">513<"), false, &["a.ovf: its SHA256 is "]),
    (
        "no disk",
        |p| p.entries.truncate(2),
        false,
        &["a-disk1.vmdk: the manifest has its digest", "a-disk1.vmdk: the descriptor names it"],
    ),
    ("no manifest", |p| drop(p.entries.remove(1)), false, &["a.ovf: the package has no manifest"]),
    (
        "an empty manifest",
        |p| p.entry("a.mf").bytes.clear(),
        false,
        &["a.mf: it has no digest of any file", "a.ovf: the manifest has no digest of it"],
    ),
    ("a manifest that is none", |p| p.entry("a.mf").bytes = b"SHA256(a.ovf)= 12\n".to_vec(), false, &["a.mf: line 1 "]),
    (
        "openssl's spelling",
        |p| p.edit("a.mf", "SHA256(", "SHA2-256("),
        false,
        &["a.mf: line 1 does not call its digest"],
    ),
    ("another name", |p| p.entry("a.mf").name = "b.mf".into(), false, &["b.mf: it is not called like the descriptor"]),
    (
        "another file",
        |p| p.entries.push(Entry::new("b.txt", "b")),
        false,
        &["b.txt: the descriptor does not name it", "b.txt: the manifest has no digest of it"],
    ),
    ("the disk first", |p| p.entries.rotate_right(1), true, &["a.ovf: it is not the first file"]),
    (
        "the manifest between other files",
        |p| {
            p.entries.swap(1, 2);
            p.entries.push(Entry::new("b.txt", "b"));
        },
        true,
        &["a.mf: it stands neither behind the descriptor nor at the end"],
    ),
    (
        "another length",
        |p| p.entry("a-disk1.vmdk").bytes.extend([0; 512]),
        true,
        &["a-disk1.vmdk: it is ", "a-disk1.vmdk: 512 bytes follow the end-of-stream marker"],
    ),
    (
        "a smaller capacity",
        |p| p.edit("a.ovf", r#"capacity="4""#, r#"capacity="3""#),
        true,
        &["a-disk1.vmdk: the disk has 4194304 bytes, and the descriptor says 3145728"],
    ),
    (
        "a larger capacity",
        |p| p.edit("a.ovf", r#"capacity="4""#, r#"capacity="5""#),
        true,
        &["a-disk1.vmdk: the disk has 4194304 bytes, and the descriptor says 5242880"],
    ),
    (
        "no such disk",
        |p| p.entry("a-disk1.vmdk").bytes = vec![7; 4 << 20],
        true,
        &["a-disk1.vmdk: it is no disk image", "a-disk1.vmdk: it is 4194304 bytes long"],
    ),
    ("no descriptor", |p| drop(p.entries.remove(0)), true, &["a.ova: it has no descriptor"]),
    ("a descriptor that is none", |p| p.entry("a.ovf").bytes = b"<Envelope>".to_vec(), true, &["a.ovf: "]),
    (
        "a document type",
        |p| p.edit("a.ovf", "<Envelope ", "<!DOCTYPE Envelope [<!ENTITY a \"b\">]><Envelope "),
        true,
        &["a.ovf: "],
    ),
    ("a dangling reference", |p| p.edit("a.ovf", "ovf:/disk/disk1", "ovf:/disk/disk2"), true, &["disk2"]),
    (
        "a folder",
        |p| p.entries.push(Entry { kind: b'5', ..Entry::new("b/", "") }),
        false,
        &["a.ova: it has entries of folders (1)"],
    ),
    (
        "a pax header",
        |p| p.entries.insert(2, Entry { kind: b'x', ..Entry::new("x", "11 mtime=1\n") }),
        false,
        &["a.ova: it has pax headers (1, the first for \"a-disk1.vmdk\")"],
    ),
    ("no end", |p| p.end.clear(), false, &["a.ova: it does not end with two blocks of zeros"]),
    ("something behind the end", |p| p.end.extend([7; 512]), false, &["a.ova: something lies behind its end"]),
];

#[test]
fn each_change_is_found() {
    let (folder, _) = folder();
    for (what, change, sealed, expected) in CASES {
        let mut package = Package::new();
        change(&mut package);
        if sealed {
            package.seal("SHA256");
        }
        folder.put("a.ova", package.archive());
        let report = folder.run("verify a.ova --json").ends(1).json("verify");
        let found = findings(&report);
        for words in expected {
            assert!(found.iter().any(|finding| finding.contains(words)), "{what}: no {words:?} in {found:#?}");
        }
        folder.run("verify a.ova").ends(1).says(expected);
        assert_eq!(folder.run("verify a.ova -q").ends(1).stdout, "", "{what}");
    }
}

/// A change of a package, and a word of what is to be found.
type Change = (fn(&mut Package), &'static str);

/// What no package may have keeps it from being opened, and that is an answer too.
#[test]
fn what_cannot_be_opened_is_a_finding() {
    let (folder, _) = folder();
    let changes: [Change; 6] = [
        (|p| p.entries.push(Entry::new("../x", "x")), "../x"),
        (|p| p.entries.push(Entry::new("/etc/x", "x")), "/etc/x"),
        (|p| p.entries.push(Entry::new("a.ovf", "x")), "two members called"),
        (|p| p.entries.push(Entry::new("b.ovf", "x")), "two descriptors"),
        (|p| p.entries.push(Entry { kind: b'2', ..Entry::new("link", "") }), "link"),
        (|p| p.entries.push(Entry { kind: b'3', ..Entry::new("device", "") }), "device"),
    ];
    for (change, words) in changes {
        let mut package = Package::new();
        change(&mut package);
        folder.put("a.ova", package.archive());
        let report = folder.run_tight("verify a.ova --json").ends(1).json("verify");
        assert_eq!((&report["kind"], &report["members"]), (&Value::Null, &json!([])));
        let found = findings(&report);
        assert!(found.len() == 1 && found[0].starts_with("a.ova: ") && found[0].contains(words), "{words}: {found:?}");
        assert_eq!(report["findings"][0]["broken"], true);
    }
    let whole = Package::new().archive();
    for length in (0..whole.len() - 1024).step_by(2560).chain([1, 511, 513, 1025]) {
        folder.put("a.ova", &whole[..length]);
        let report = folder.run_tight("verify a.ova --json").ends(1).json("verify");
        assert!(!findings(&report).is_empty(), "cut at {length}");
    }
    folder.put("a.ova", vec![0xa5; 10_000]);
    folder.run_tight("verify a.ova").ends(1).says(&["is no tar archive"]);
}

#[test]
fn what_the_system_refuses_is_an_error() {
    let folder = Folder::new();
    folder.fails("verify nowhere.ova", &["nowhere.ova"]);
    folder.fails("verify", &["<PACKAGE>"]);
    let error = folder.fails("verify nowhere.ova --json", &[]).json("error");
    assert_eq!(error["error"]["kind"], "io");
}

/// Runs OpenSSL in `folder`.
fn openssl(folder: &Folder, line: &str) {
    let status = Command::new("openssl").args(line.split(' ')).current_dir(folder.path("")).output().unwrap().status;
    assert!(status.success(), "openssl {line}");
}

#[test]
fn who_signed_is_told() {
    if Command::new("openssl").arg("version").output().is_err() {
        return left_out("openssl is not installed");
    }
    let (folder, mut package) = folder();
    folder.expect(&["key", "pem", "a.mf", "sig"]);
    openssl(&folder, "req -x509 -newkey rsa:2048 -nodes -keyout key -out pem -days 30 -subj /O=Makers/CN=me");
    folder.put("a.mf", &package.entry("a.mf").bytes);
    openssl(&folder, "dgst -sha256 -sign key -out sig a.mf");
    let digits: String = folder.read("sig").iter().map(|byte| format!("{byte:02x}")).collect();
    let certificate = format!("SHA256(a.mf)= {digits}\n{}", folder.text("pem"));
    package.entries.insert(2, Entry::new("a.cert", &certificate));

    folder.put("a.ova", package.archive());
    folder.run("verify a.ova").succeeds().says(&[
        "signed ",
        "by O=Makers, CN=me",
        "RSA of 2048 bits",
        "self-signed",
        "valid from",
    ]);
    let report = folder.run("verify a.ova --json").succeeds().json("verify");
    let (signature, signer) = (&report["signature"], &report["signature"]["certificates"][0]);
    assert_eq!(
        (&signature["holds"], &signature["algorithm"], &signature["filename"]),
        (&json!(true), &json!("sha256"), &json!("a.mf"))
    );
    assert_eq!(
        (&signer["subject"], &signer["self-signed"], &signer["expired"]),
        (&json!("O=Makers, CN=me"), &json!(true), &json!(false))
    );
    let dates = Command::new("date").args(["-u", "-d", "+30 days", "+%F"]).output().unwrap().stdout;
    assert_eq!(signer["not-after"].as_str(), Some(String::from_utf8(dates).unwrap().trim()));
    assert_eq!(outcomes(&report)[2], "exempt a.cert");

    // The manifest changed after it was signed: the digests are right again, the signature is not.
    let mut changed = Package::new();
    changed.edit("a.ovf", ">512<", ">513<");
    changed.seal("SHA256");
    changed.entries.insert(2, Entry::new("a.cert", &certificate));
    folder.put("a.ova", changed.archive());
    let report = folder.run("verify a.ova --json").ends(1).json("verify");
    assert_eq!(report["signature"]["holds"], false);
    assert_eq!(findings(&report).len(), 1, "{report}");
    folder.run("verify a.ova").ends(1).says(&["broken ", "a.cert: the signature is not the signer's"]);

    for (text, words) in [
        (certificate.replace("(a.mf)", "(b.mf)"), "it signs \"b.mf\""),
        (certificate.replace("SHA256(a.mf)= ", ""), "does not begin with a line"),
        (certificate.replace("CERTIFICATE", "NOTHING"), "no certificate"),
    ] {
        package.entry("a.cert").bytes = text.into_bytes();
        folder.put("a.ova", package.archive());
        let report = folder.run("verify a.ova --json").ends(1).json("verify");
        assert!(
            findings(&report).iter().any(|finding| finding.starts_with("a.cert: ") && finding.contains(words)),
            "{report}"
        );
    }
    package.entry("a.cert").bytes = certificate.into_bytes();
    package.entries.retain(|entry| entry.name != "a.mf");
    folder.put("a.ova", package.archive());
    folder.run("verify a.ova").ends(1).says(&["a.cert: there is no manifest for it to sign"]);
}

/// Names in a package may hold what a terminal would obey.
#[test]
fn nothing_of_a_package_reaches_the_terminal_raw() {
    let (folder, mut package) = folder();
    package.edit("a.ovf", "a-disk1.vmdk", "a&#x9b;31m.vmdk");
    package.seal("SHA256");
    folder.put("a.ova", package.archive());
    let said = folder.run("verify a.ova").ends(1).stdout;
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

/// A text that says that the disk is in another file of its folder.
fn flat_descriptor(rest: &str) -> String {
    format!(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\n{rest}\ncreateType=\"monolithicFlat\"\nRW 8192 FLAT \"a-flat.vmdk\" 0\n"
    )
}

/// Verifies `package` as an archive; what is found must have all of `words`.
#[track_caller]
fn finds(folder: &Folder, package: &Package, words: &[&str]) {
    folder.put("a.ova", package.archive());
    let found = findings(&folder.run("verify a.ova --json").ends(1).json("verify"));
    for words in words {
        assert!(found.iter().any(|finding| finding.contains(words)), "no {words:?} in {found:#?}");
    }
}

#[test]
fn a_member_more_does_not_turn_off_the_rules_of_its_kind() {
    let (folder, mut package) = folder();
    package.entries.remove(1);
    package.entries.push(Entry::new("metadata.json", r#"{"provider":"virtualbox"}"#));
    let words = ["a.ovf: the package has no manifest", "metadata.json: the descriptor does not name it"];
    finds(&folder, &package, &words);
    assert_eq!(folder.run("verify a.ova --json").ends(1).json("verify")["kind"], "ova");
}

#[test]
fn what_is_compressed_otherwise_than_is_said_or_not_looked_into_is_told() {
    let (folder, mut package) = folder();
    package.edit("a.ovf", "ovf:id=\"file1\"", "ovf:id=\"file1\" ovf:compression=\"gzip\"");
    package.seal("SHA256");
    finds(&folder, &package, &["a-disk1.vmdk: the descriptor says that it is compressed with gzip, and it is not"]);

    let mut bytes = vec![0x1f, 0x8b, 8];
    bytes.resize(9 << 20, 7);
    package.entry("a-disk1.vmdk").bytes = bytes;
    package.seal("SHA256");
    finds(&folder, &package, &["a-disk1.vmdk: it was not looked into"]);
    package.edit("a.ovf", " ovf:compression=\"gzip\"", "");
    package.seal("SHA256");
    let words = ["a-disk1.vmdk: it was not looked into", "gzip, and the descriptor does not say so"];
    finds(&folder, &package, &words);
}

#[test]
fn two_disks_of_one_file_are_both_compared() {
    let (folder, mut package) = folder();
    let second = "<Disk ovf:diskId=\"disk2\" ovf:fileRef=\"file1\" ovf:capacity=\"3145728\"/></DiskSection>";
    package.edit("a.ovf", "</DiskSection>", second);
    package.seal("SHA256");
    finds(&folder, &package, &["the disk has 4194304 bytes, and the descriptor says 3145728"]);
}

#[test]
fn what_is_no_package_is_not_clean() {
    let folder = Folder::new();
    /// A name, members with their text, and what is said of them.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case<'_>; 4] = [
        ("r.tar", &[("hello.txt", "hello")], &["r.tar: it has neither a descriptor nor metadata.json"]),
        ("j.box", &[("box.img", "QFI")], &["j.box: it has no metadata.json"]),
        ("k.box", &[("metadata.json", "{")], &["metadata.json: it is not JSON", "k.box: it has neither a disk"]),
        ("l.box", &[("metadata.json", "{}")], &["metadata.json: it names no provider"]),
    ];
    for (name, members, words) in cases {
        let entries = members.iter().map(|(name, text)| Entry::new(name, text)).collect();
        folder.expect(&[name]);
        folder.put(name, Package { entries, end: vec![0; 1024] }.archive());
        let found = findings(&folder.run(&format!("verify {name} --json")).ends(1).json("verify"));
        for words in words {
            assert!(found.iter().any(|finding| finding.contains(words)), "{name}: no {words:?} in {found:?}");
        }
    }
}

#[test]
fn files_of_a_disk_that_no_text_names_and_parents_that_are_not_there_are_found() {
    let (folder, mut package) = folder();
    let parent = "parentCID=12345678\nparentFileNameHint=\"base.vmdk\"";
    for (rest, expected) in [
        ("parentCID=ffffffff", "a-disk1.vmdk: it is made of \"a-flat.vmdk\" too"),
        (parent, "a-disk1.vmdk: it lies over \"base.vmdk\", which is not in the package"),
    ] {
        package.entry("a-disk1.vmdk").bytes = flat_descriptor(rest).into_bytes();
        package.seal("SHA256");
        finds(&folder, &package, &[expected]);
        for entry in &package.entries {
            folder.expect(&[&entry.name]);
            folder.put(&entry.name, &entry.bytes);
        }
        folder.expect(&["a-flat.vmdk"]);
        folder.put("a-flat.vmdk", vec![0; 4 << 20]);
        let found = findings(&folder.run("verify a.ovf --json").ends(1).json("verify"));
        assert!(found.iter().any(|finding| finding.contains(expected)), "no {expected:?} in {found:?}");
    }
}

#[test]
fn weak_signatures_are_told() {
    if Command::new("openssl").arg("version").output().is_err() {
        return left_out("openssl is not installed");
    }
    let (folder, mut package) = folder();
    folder.expect(&["key", "pem", "a.mf", "sig"]);
    openssl(&folder, "req -x509 -newkey rsa:1024 -nodes -keyout key -out pem -days 30 -subj /CN=me");
    folder.put("a.mf", &package.entry("a.mf").bytes);
    openssl(&folder, "dgst -sha1 -sign key -out sig a.mf");
    let digits: String = folder.read("sig").iter().map(|byte| format!("{byte:02x}")).collect();
    let certificate = format!("SHA1(a.mf)= {digits}\n{}", folder.text("pem"));
    package.entries.insert(2, Entry::new("a.cert", certificate));
    let words = ["a.cert: the manifest is signed by its SHA-1 digest", "a.cert: the key of CN=me has 1024 bits alone"];
    finds(&folder, &package, &words);
    folder.run("verify a.ova").ends(1).says(&["signed ", "risk"]);
    // The library has no clock of its own.
    for (now, words) in [(0, "CN=me is not valid yet"), (i64::MAX, "CN=me has expired")] {
        let options = VerifyOptions { now: Some(now), ..VerifyOptions::default() };
        let report = vimage_core::operations::verify(folder.path("a.ova"), &options, &()).unwrap();
        assert!(report.findings.iter().any(|finding| finding.message.contains(words)), "{:?}", report.findings);
    }
}

#[test]
fn what_turns_the_direction_of_writing_does_not_reach_the_terminal() {
    let (folder, mut package) = folder();
    package.edit("a.ovf", "a-disk1.vmdk", "a&#x202e;kdmv.vmdk");
    package.seal("SHA256");
    folder.put("a.ova", package.archive());
    let said = folder.run("verify a.ova").ends(1).stdout;
    assert!(!said.contains('\u{202e}') && said.contains("\\u{202e}"), "{said:?}");
}

#[test]
fn a_folders_manifest_is_found_in_capital_letters() {
    let (folder, package) = folder();
    for entry in &package.entries {
        let name = entry.name.replace(".mf", ".MF");
        folder.expect(&[&name]);
        folder.put(&name, &entry.bytes);
    }
    let report = folder.run("verify a.ovf --json").succeeds().json("verify");
    assert_eq!(outcomes(&report), ["ok a.ovf", "exempt a.MF", "ok a-disk1.vmdk"]);
}
