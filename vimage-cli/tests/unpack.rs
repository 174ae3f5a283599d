//! `vimage unpack`: packages by other tools come apart into their files, and nothing comes out of a bad one.
//!
//! Archives are made by GNU tar, bsdtar, Python's tarfile and 7-Zip where they are installed. `VIMAGE_SAMPLES` names a folder of
//! packages that other products made; without it those are left out.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../vimage-core/tests/peers/left_out.rs"]
mod left_out;

use left_out::left_out;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const DISK: &[u8] = b"not much of a disk, and the same for every tool";
const OVF: &str = r#"<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References><File ovf:id="file1" ovf:href="disk.raw"/></References>
  <DiskSection><Info>Disks</Info><Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="1048576" ovf:format="raw"/></DiskSection>
  <VirtualSystem ovf:id="box"><Info>A machine</Info></VirtualSystem>
</Envelope>
"#;

/// A folder with the package's files in its folder `in`.
fn package(manifest: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    for (name, bytes) in [("box.ovf", OVF.as_bytes()), ("box.mf", manifest.as_bytes()), ("disk.raw", &disk())] {
        fs::write(folder.path().join("in").join(name), bytes).unwrap();
    }
    folder
}

/// A disk of a mebibyte.
fn disk() -> Vec<u8> {
    let mut disk = DISK.to_vec();
    disk.resize(1 << 20, 0);
    disk
}

/// The manifest line of `disk.raw`, its digest by `sha256sum`.
fn manifest(folder: &Path) -> String {
    let sum = Command::new("sha256sum").arg(folder.join("in/disk.raw")).output().unwrap();
    let digest = String::from_utf8(sum.stdout).unwrap()[..64].to_owned();
    format!("SHA256(disk.raw)= {digest}\n")
}

/// A package whose manifest is right.
fn sound() -> TempDir {
    let folder = package("");
    fs::write(folder.path().join("in/box.mf"), manifest(folder.path())).unwrap();
    folder
}

/// Runs a tool in the folder; whether it is there.
fn tool(folder: &Path, words: &[&str]) -> bool {
    match Command::new(words[0]).args(&words[1..]).current_dir(folder).output() {
        Err(_) => {
            left_out("unpack", &format!("{} is not installed", words[0]));
            false
        }
        Ok(output) => {
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
    }
}

fn unpack(folder: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vimage"));
    command.arg("unpack").args(words.split_whitespace()).current_dir(folder).output().unwrap()
}

/// Runs it; it must fail with status 2 and say all of `words`, and leave the folder as it was.
#[track_caller]
fn refuses(folder: &Path, package: &str, words: &[&str]) {
    let before = names(folder);
    let output = unpack(folder, &format!("{package} out/made"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{package}: {text}");
    for word in words {
        assert!(text.contains(word), "{package}: no {word:?} in: {text}");
    }
    assert_eq!(names(folder), before, "{package}");
}

/// Everything in the folder, hidden or not.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

#[test]
fn archives_of_every_tool_come_apart_into_the_same_files() {
    let folder = sound();
    let path = folder.path();
    let python = "import tarfile; t = tarfile.open('python.ova', 'w'); [t.add('in/' + n, n) for n in ('box.ovf', 'box.mf', 'disk.raw')]";
    let files = ["box.ovf", "box.mf", "disk.raw"];
    let made: [(&str, &[&str]); 7] = [
        ("gnu.ova", &["tar", "--format=gnu", "-cf", "gnu.ova", "-C", "in"]),
        ("ustar.ova", &["tar", "--format=ustar", "-cf", "ustar.ova", "-C", "in"]),
        ("zipped.box", &["tar", "-czf", "zipped.box", "-C", "in"]),
        ("bsd.ova", &["bsdtar", "--format=ustar", "-cf", "bsd.ova", "-C", "in"]),
        ("a.7z", &["7zz", "a", "a.7z"]),
        ("v.7z.001", &["7zz", "a", "-v300", "v.7z"]),
        ("python.ova", &["python3", "-c", python]),
    ];
    for (name, words) in made {
        let inner: Vec<String> = files.iter().map(|file| format!("./in/{file}")).collect();
        let arguments: Vec<&str> = match words[0] {
            "7zz" => inner.iter().map(String::as_str).collect(),
            "python3" => Vec::new(),
            _ => files.to_vec(),
        };
        if !tool(path, &[words, arguments.as_slice()].concat()) {
            continue;
        }
        let output = unpack(path, &format!("{name} out-{name} --json"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        for file in files {
            let wanted = fs::read(path.join("in").join(file)).unwrap();
            assert!(fs::read(path.join(format!("out-{name}")).join(file)).unwrap() == wanted, "{name}: {file}");
        }
        assert_eq!(path.join(format!("out-{name}")).read_dir().unwrap().count(), 3, "{name}");
        assert!(text.replace([' ', '\n'], "").contains(r#""verified":["disk.raw"],"uncovered":["box.ovf"]"#), "{text}");
    }
    // A folder needs no tool, and the folder's name is the package's.
    assert!(unpack(path, "in/box.ovf").status.success());
    assert!(fs::read(path.join("in/box/disk.raw")).unwrap() == disk());
}

#[test]
fn disks_are_converted_on_the_way_and_what_described_them_stays_out() {
    let folder = sound();
    let path = folder.path();
    fs::write(path.join("in/README"), "read me").unwrap();
    assert!(tool(path, &["tar", "-cf", "a.ova", "-C", "in", "box.ovf", "box.mf", "disk.raw", "README"]));
    let mut packages = vec!["a.ova"];
    if tool(path, &["7zz", "a", "a.7z", "in"]) {
        packages.push("a.7z");
    }
    for package in packages {
        let output = unpack(path, &format!("{package} out-{package} -O vmdk"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("left out") && text.contains("box.ovf") && text.contains("disk.raw"), "{text}");
        let out = path.join(format!("out-{package}"));
        let inner = if package == "a.7z" { out.join("in") } else { out };
        let mut found: Vec<_> = inner.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        found.sort();
        assert_eq!(found, ["README", "disk.vmdk"]);
        let mut compare = Command::new("qemu-img");
        compare.args(["compare", "-f", "raw", "-F", "vmdk", "in/disk.raw"]).arg(inner.join("disk.vmdk"));
        match compare.current_dir(path).status() {
            Ok(status) => assert!(status.success()),
            Err(_) => left_out("unpack", "qemu-img is not installed"),
        }
    }
    assert!(!names(path).iter().any(|name| name.to_string_lossy().ends_with(".vimage-part")));
}

#[test]
fn a_digest_that_differs_or_a_file_that_is_gone_leaves_nothing() {
    let wrong = format!("SHA256(disk.raw)= {}\n", "0".repeat(64));
    let gone = format!("SHA256(gone.raw)= {}\n", "0".repeat(64));
    for (manifest, words) in [
        (wrong.as_str(), ["disk.raw", "digest"]),
        (gone.as_str(), ["gone.raw", "not in the package"]),
        ("SHA256 disk.raw\n", ["line 1", "manifest"]),
    ] {
        let folder = package(manifest);
        let path = folder.path();
        fs::create_dir(path.join("out")).unwrap();
        assert!(tool(path, &["tar", "-cf", "a.ova", "-C", "in", "box.ovf", "box.mf", "disk.raw"]));
        refuses(path, "a.ova", &words);
        refuses(path, "a.ova -O qcow2", &words);
        refuses(path, "in/box.ovf", &words);
        if tool(path, &["7zz", "a", "-ms=on", "a.7z", "./in/box.ovf", "./in/disk.raw", "./in/box.mf"]) {
            refuses(path, "a.7z", &words);
            refuses(path, "a.7z -O qcow2", &words);
        }
    }
    let folder = sound();
    let path = folder.path();
    fs::create_dir(path.join("out")).unwrap();
    assert!(tool(path, &["tar", "-cf", "a.ova", "-C", "in", "box.ovf", "box.mf"]));
    refuses(path, "a.ova", &["disk.raw"]);
}

#[test]
fn names_and_files_that_lead_elsewhere_are_refused() {
    let folder = sound();
    let path = folder.path();
    fs::create_dir(path.join("out")).unwrap();
    fs::write(path.join("x"), "x").unwrap();
    symlink("/etc/passwd", path.join("link")).unwrap();
    fs::hard_link(path.join("x"), path.join("hard")).unwrap();
    let python = "import tarfile, io
def make(archive, *names, kind=tarfile.REGTYPE, link=''):
    t = tarfile.open(archive, 'w', format=tarfile.GNU_FORMAT)
    for name in names:
        i = tarfile.TarInfo(name); i.type = kind; i.linkname = link
        i.size = 1 if kind == tarfile.REGTYPE else 0
        t.addfile(i, io.BytesIO(b'x') if i.size else None)
    t.close()
make('up.ova', '../../x'); make('inner.ova', 'a/../../../x'); make('root.ova', '/tmp/vimage-unpacked-x')
make('twice.ova', 'a', 'a'); make('dots.ova', '..'); make('back.ova', '..\\\\x')
make('soft.ova', 'a', kind=tarfile.SYMTYPE, link='/etc/passwd'); make('hard.ova', 'a', kind=tarfile.LNKTYPE, link='b')
make('device.ova', 'a', kind=tarfile.BLKTYPE); make('pipe.ova', 'a', kind=tarfile.FIFOTYPE)
";
    if !tool(path, &["python3", "-c", python]) {
        return;
    }
    for (package, word) in [
        ("up.ova", "../../x"),
        ("inner.ova", "a/../../../x"),
        ("root.ova", "/tmp/vimage-unpacked-x"),
        ("twice.ova", "a"),
        ("dots.ova", ".."),
        ("back.ova", "x"),
        ("soft.ova", "link"),
        ("hard.ova", "link"),
        ("device.ova", "device"),
        ("pipe.ova", "a"),
    ] {
        refuses(path, package, &[word]);
    }
    if tool(path, &["7zz", "a", "-snl", "link.7z", "link"]) {
        refuses(path, "link.7z", &["link"]);
        // The names in a header that is not packed are changed; its checksums are made right by hand.
        assert!(tool(path, &["7zz", "a", "-mhc=off", "up.7z", "x"]));
        assert!(tool(path, &["7zz", "rn", "-mhc=off", "up.7z", "x", "abcd/x"]));
        let python = "import struct, zlib
b = bytearray(open('up.7z', 'rb').read())
old, new = 'abcd/x'.encode('utf-16le'), '/../xy'.encode('utf-16le')
assert b.count(old) == 1; b = b.replace(old, new)
o, n = struct.unpack('<QQ', b[12:28]); b[28:32] = struct.pack('<I', zlib.crc32(b[32 + o:32 + o + n]))
b[8:12] = struct.pack('<I', zlib.crc32(b[12:32])); open('up.7z', 'wb').write(b)
";
        assert!(tool(path, &["python3", "-c", python]));
        refuses(path, "up.7z", &["/../xy"]);
    }
    assert!(!Path::new("/tmp/vimage-unpacked-x").exists());
}

#[test]
fn packages_cut_short_leave_nothing() {
    let folder = sound();
    let path = folder.path();
    fs::create_dir(path.join("out")).unwrap();
    assert!(tool(path, &["tar", "-cf", "a.ova", "-C", "in", "box.ovf", "box.mf", "disk.raw"]));
    assert!(tool(path, &["tar", "-czf", "a.box", "-C", "in", "box.ovf", "box.mf", "disk.raw"]));
    let mut packages = vec!["a.ova", "a.box"];
    if tool(path, &["7zz", "a", "a.7z", "in"]) {
        packages.push("a.7z");
    }
    for package in packages {
        let whole = fs::read(path.join(package)).unwrap();
        let ending = package.rsplit('.').next().unwrap();
        for part in [1, 3, 7] {
            let cut = format!("cut{part}.{ending}");
            fs::write(path.join(&cut), &whole[..whole.len() * part / 8]).unwrap();
            refuses(path, &cut, &[&cut]);
        }
    }
}

#[test]
fn what_is_in_the_way_stays_and_a_link_in_the_place_of_a_folder_is_not_followed() {
    let folder = sound();
    let path = folder.path();
    fs::create_dir_all(path.join("out/made")).unwrap();
    fs::write(path.join("out/made/disk.raw"), "mine").unwrap();
    assert!(tool(path, &["tar", "-cf", "a.ova", "-C", "in", "box.ovf", "box.mf", "disk.raw"]));
    refuses(path, "a.ova", &["disk.raw", "exists"]);
    assert_eq!(fs::read(path.join("out/made/disk.raw")).unwrap(), b"mine");
    assert!(unpack(path, "a.ova out/made --force").status.success());
    assert!(fs::read(path.join("out/made/disk.raw")).unwrap() == disk());
    // A package is never unpacked over its own files.
    let output = unpack(path, "in/box.ovf in --force");
    assert_eq!(output.status.code(), Some(2));
    if tool(path, &["7zz", "a", "sub.7z", "in"]) {
        fs::create_dir(path.join("elsewhere")).unwrap();
        symlink("../../elsewhere", path.join("out/made/in")).unwrap();
        refuses(path, "sub.7z --force", &["in"]);
    }
}

#[test]
fn other_products_packages_come_apart_into_what_they_hold() {
    let Some(samples) = std::env::var_os("VIMAGE_SAMPLES").map(PathBuf::from) else {
        return left_out("unpack", "VIMAGE_SAMPLES names no folder");
    };
    let index = fs::read_to_string(samples.join("INDEX.tsv")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (mut packages, mut members) = (0, 0);
    for row in index.lines().filter(|row| row.starts_with("ova/")) {
        let columns: Vec<_> = row.split('\t').collect();
        let (file, member) = columns[0].split_once('#').unwrap_or((columns[0], ""));
        let name = file.trim_start_matches("ova/").trim_end_matches(".zst").to_owned();
        let out = name.trim_end_matches(".ova").to_owned();
        if member.is_empty() {
            let from = samples.join(file);
            if !tool(path, &["zstd", "-dq", "-o", &name, from.to_str().unwrap()]) {
                return;
            }
            let output = unpack(path, &format!("{name} -q -t unsafe"));
            let sound = columns[9] == "ok";
            assert_eq!(output.status.code(), Some(if sound { 0 } else { 2 }), "{name}");
            assert_eq!(path.join(out).exists(), sound, "{name}");
            packages += 1;
            continue;
        }
        // What is listed is the disk, also where it is packed with gzip.
        let cat = if member.ends_with(".gz") { "zcat" } else { "cat" };
        let mut sum = Command::new("sh");
        let sum = sum.args(["-c", &format!("{cat} '{out}/{member}' | sha256sum")]).current_dir(path).output().unwrap();
        assert_eq!(&String::from_utf8(sum.stdout).unwrap()[..64], columns[14], "{}", columns[0]);
        members += 1;
    }
    assert!(packages >= 10 && members >= 6, "{packages} packages, {members} members");
}

#[test]
fn a_descriptor_that_cannot_be_relied_on_leaves_nothing() {
    let folder = sound();
    let path = folder.path();
    fs::create_dir(path.join("out")).unwrap();
    let doctype = OVF.replace("<Envelope", "<!DOCTYPE Envelope [<!ENTITY a \"b\">]><Envelope");
    let absent = OVF.replace("disk.raw", "gone.raw");
    for (text, word) in [(doctype.as_str(), "box.ovf"), ("<Envelope>", "box.ovf"), (absent.as_str(), "gone.raw")] {
        fs::write(path.join("in/box.ovf"), text).unwrap();
        assert!(tool(path, &["tar", "-cf", "a.ova", "-C", "in", "box.ovf", "box.mf", "disk.raw"]));
        let mut packages = vec!["a.ova", "in/box.ovf"];
        let _ = fs::remove_file(path.join("a.7z"));
        if tool(path, &["7zz", "a", "a.7z", "in"]) {
            packages.push("a.7z");
        }
        for package in packages {
            refuses(path, package, &[word]);
            refuses(path, &format!("{package} -O qcow2"), &[word]);
        }
    }
    fs::write(path.join("in/box.ovf"), OVF).unwrap();
    fs::write(path.join("in/other.ovf"), OVF).unwrap();
    if tool(path, &["7zz", "a", "two.7z", "in"]) {
        refuses(path, "two.7z", &["two descriptors", "box.ovf", "other.ovf"]);
        refuses(path, "two.7z -O qcow2", &["two descriptors"]);
    }
}

#[test]
fn no_volume_of_an_archive_is_written_over() {
    let folder = sound();
    let path = folder.path();
    fs::write(path.join("in/v.7z.002"), "not the volume").unwrap();
    if !tool(path, &["7zz", "a", "-v300", "v.7z", "./in/box.ovf", "./in/disk.raw", "./in/v.7z.002"]) {
        return;
    }
    let volume = fs::read(path.join("v.7z.002")).unwrap();
    for words in ["v.7z.001 . --force", "v.7z.001 . -O qcow2 --force"] {
        assert_eq!(unpack(path, words).status.code(), Some(2), "{words}");
        assert!(fs::read(path.join("v.7z.002")).unwrap() == volume, "{words}");
    }
}

#[test]
fn disks_are_not_taken_from_files_that_no_text_names() {
    let folder = package("");
    let path = folder.path();
    fs::create_dir(path.join("out")).unwrap();
    let disk = "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\
                RW 2048 FLAT \"disk-flat.vmdk\" 0\n";
    fs::write(path.join("in/disk.vmdk"), disk).unwrap();
    fs::rename(path.join("in/disk.raw"), path.join("in/disk-flat.vmdk")).unwrap();
    fs::write(path.join("in/box.ovf"), OVF.replace("disk.raw", "disk.vmdk")).unwrap();
    refuses(path, "in/box.ovf -O raw", &["disk-flat.vmdk", "the descriptor does not name"]);
    // Pieces are joined by their numbers alone.
    let halves = self::disk();
    fs::write(path.join("in/disk.raw.001"), &halves[..1 << 19]).unwrap();
    fs::write(path.join("in/disk.raw.002"), &halves[1 << 19..]).unwrap();
    fs::write(path.join("in/box.ovf"), OVF.replace("disk.raw", "disk.raw.001")).unwrap();
    refuses(path, "in/box.ovf -O qcow2", &["disk.raw.002", "the descriptor does not name"]);
    // With the file named, it is taken.
    let more = OVF.replace("disk.raw\"/>", "disk.vmdk\"/><File ovf:id=\"file2\" ovf:href=\"disk-flat.vmdk\"/>");
    fs::write(path.join("in/box.ovf"), more).unwrap();
    let output = unpack(path, "in/box.ovf out/made -O raw");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read(path.join("out/made/disk.raw")).unwrap() == self::disk());
}

#[test]
fn a_certificate_that_is_not_the_signature_is_told_of() {
    let folder = sound();
    let path = folder.path();
    fs::write(path.join("in/server.cert"), "x").unwrap();
    assert!(tool(path, &["tar", "-cf", "a.ova", "-C", "in", "box.ovf", "box.mf", "disk.raw", "server.cert"]));
    let output = unpack(path, "a.ova made --json");
    let text = String::from_utf8_lossy(&output.stdout).replace([' ', '\n'], "");
    assert!(text.contains(r#""uncovered":["box.ovf","server.cert"]"#), "{text}");
}
