//! Several outputs of one run: each is what it would be alone, with its digests beside it, and all are there or none.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Folder, Running, left_out, wait_until};

/// Lists of outputs, each with the runs that make the same one by one.
const LISTS: [(&str, &[&str]); 4] = [
    ("vmdk,qcow2,vdi,ova", &["-O vmdk", "-O qcow2", "-O vdi", "-O ova"]),
    (
        // Two that share their grains, and two that share nothing.
        "vmdk:subformat=streamOptimized,ova,qcow2:compress=on,compression_type=zstd,raw:file=copy.raw",
        &["-O vmdk -o subformat=streamOptimized", "-O ova", "-O qcow2 -c -o compression_type=zstd", "copy.raw -O raw"],
    ),
    (
        "qcow2:compress=on,qcow2:file=small.qcow2,cluster_size=512,vmdk:split=5M,vdi:static=on",
        &["-O qcow2 -c", "small.qcow2 -o cluster_size=512", "-O vmdk --split 5M", "-O vdi -o static=on"],
    ),
    (
        "qcow2:level=9,extended_l2=on,cluster_size=128k,vmdk:file=f.vmdk,subformat=monolithicFlat,raw:file=p.raw,split=2M",
        &[
            "-O qcow2 --level 9 -o extended_l2=on,cluster_size=128k",
            "f.vmdk -o subformat=monolithicFlat",
            "p.raw -O raw --split 2M",
        ],
    ),
];

/// The files that a conversion of `source`, called `name`, makes in a new folder, with their bytes.
fn made(source: &Path, name: &str, words: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Folder::new();
    std::os::unix::fs::symlink(source, folder.path(name)).unwrap();
    folder.expect(&[name]);
    let line = format!("convert -q {name} {words}");
    folder.run(&line).succeeds();
    let mut names = folder.names();
    names.remove(name);
    names
        .into_iter()
        .map(|name| {
            folder.expect(&[&name]);
            (name.clone(), folder.read(&name))
        })
        .collect()
}

fn each_as_alone(source: &Path, name: &str) {
    for (list, alone) in LISTS {
        let together = made(source, name, &format!("-O {list}"));
        let mut single = BTreeMap::new();
        for words in alone {
            for (file, bytes) in made(source, name, words) {
                assert!(single.insert(file.clone(), bytes).is_none(), "{file} is made twice");
            }
        }
        assert_eq!(together.keys().collect::<Vec<_>>(), single.keys().collect::<Vec<_>>(), "{list} of {name}");
        for (file, bytes) in &together {
            assert!(*bytes == single[file], "{file} of {name} is another with -O {list}");
        }
    }
}

#[test]
fn each_output_is_what_it_would_be_alone() {
    let folder = Folder::with(&["sparse", "dense", "odd-capacity", "not-a-sector", "grain-edges"]);
    for name in ["sparse", "dense", "odd-capacity", "not-a-sector", "grain-edges"] {
        each_as_alone(&folder.path(&format!("{name}.raw")), &format!("{name}.raw"));
    }
}

#[test]
fn packed_units_go_to_those_that_take_them_whatever_the_others_want() {
    let folder = Folder::with(&["sparse", "odd-capacity"]);
    for (name, words) in [
        ("sparse", "s.vmdk --level 1 -o subformat=streamOptimized"),
        ("odd-capacity", "o.vmdk --level 12"),
        ("sparse", "z.qcow2 -c -o compression_type=zstd"),
        ("sparse", "d.qcow2 --level 1"),
    ] {
        folder.run(&format!("convert -q {name}.raw {words}")).succeeds();
        let file = words.split(' ').next().unwrap();
        folder.expect(&[file]);
        // Named as none of the outputs is.
        fs::rename(folder.path(file), folder.path("packed.img")).unwrap();
        folder.forget(&[file]);
        folder.expect(&["packed.img"]);
        each_as_alone(&folder.path("packed.img"), "packed.img");
        fs::remove_file(folder.path("packed.img")).unwrap();
        folder.forget(&["packed.img"]);
    }
}

#[test]
fn asking_for_digests_or_reading_back_changes_no_byte() {
    let folder = Folder::with(&["sparse"]);
    folder.run("convert -q sparse.raw a.vmdk --level 1").succeeds();
    folder.run("convert -q a.vmdk plain.vmdk -o subformat=streamOptimized").succeeds();
    folder.run("convert -q a.vmdk asked.vmdk -o subformat=streamOptimized --verify --digest content").succeeds();
    folder.expect(&["a.vmdk", "plain.vmdk", "asked.vmdk"]);
    let zeroed = |name: &str| {
        // The descriptor has the file's own name in it.
        let mut bytes = folder.read(name);
        bytes[512..21 * 512].fill(0);
        bytes
    };
    assert!(zeroed("plain.vmdk") == zeroed("asked.vmdk"));
}

#[test]
fn digests_are_as_the_tools_check_them() {
    let folder = Folder::with(&["sparse"]);
    folder.run("convert -q sparse.raw out/x -O vmdk").ends(2);
    fs::create_dir(folder.path("out")).unwrap();
    folder.expect(&["out"]);
    let list = "raw,vmdk:split=8M,qcow2:compress=on,vdi,ova,vmdk:file=s.vmdk,subformat=streamOptimized";
    folder.run(&format!("convert -q sparse.raw out/x -O {list} --digest sha256,sha1,sha512,blake3")).succeeds();
    let out = folder.path("out");
    for (tool, digest) in [("sha256sum", "sha256"), ("sha1sum", "sha1"), ("sha512sum", "sha512"), ("b3sum", "blake3")] {
        if Command::new(tool).arg("--version").output().is_err() {
            left_out(tool);
            continue;
        }
        for name in ["x.raw", "x.vmdk", "x.qcow2", "x.vdi", "x.ova", "s.vmdk"] {
            let sums = format!("{name}.{digest}");
            let checked = Command::new(tool).args(["-c", &sums]).current_dir(&out).output().unwrap();
            assert!(checked.status.success(), "{tool} -c {sums}: {checked:?}");
            let lines = fs::read_to_string(out.join(&sums)).unwrap().lines().count();
            assert_eq!(lines, if name == "x.vmdk" { 10 } else { 1 }, "{sums}");
        }
    }
    folder.fails("convert sparse.raw out/x.raw --force --digest md5", &["no digest \"md5\"", "sha256"]);
    folder.fails("convert sparse.raw out/x.raw.zst -O raw --digest x", &["no digest"]);
    // A digest file is an output like any other.
    fs::remove_file(out.join("x.raw")).unwrap();
    folder.fails("convert sparse.raw out/x.raw --digest sha256", &["x.raw.sha256", "exists"]);
    assert!(!out.join("x.raw").exists());
}

#[test]
fn digests_of_long_outputs_and_of_pipes() {
    // Long enough for the threads that write behind.
    let folder = Folder::with(&["two-extents"]);
    folder.run("convert -q two-extents.raw a.raw --digest sha256").succeeds();
    let sums = Command::new("sha256sum").args(["-c", "a.raw.sha256"]).current_dir(folder.path("")).output().unwrap();
    assert!(sums.status.success(), "{sums:?}");
    folder.expect(&["a.raw", "a.raw.sha256"]);
    let mut piped = folder.command("convert a.raw - -O vmdk -c --digest sha256");
    let piped = piped.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    fs::write(folder.path("piped.vmdk"), &piped.stdout).unwrap();
    folder.expect(&["piped.vmdk"]);
    let sum = Command::new("sha256sum").arg(folder.path("piped.vmdk")).output().unwrap();
    let told = String::from_utf8(piped.stderr).unwrap();
    assert_eq!(told, format!("sha256 {}  -\n", &String::from_utf8(sum.stdout).unwrap()[..64]));
    folder.same("a.raw", "piped.vmdk");
}

#[test]
fn the_content_digest_is_that_of_the_command() {
    let folder = Folder::with(&["sparse"]);
    let printed = folder.run("digest sparse.raw").succeeds().stdout;
    let content = &printed[..64];
    let told = folder.makes("convert sparse.raw a.qcow2 --digest content", &["a.qcow2"]).stdout;
    assert!(told.ends_with(&format!("content: {content}\n")), "{told}");
    let json = folder.makes("convert sparse.raw b.qcow2 --digest content --json", &["b.qcow2"]).json("convert");
    assert_eq!(json["content"], content);
}

#[test]
fn one_that_fails_takes_the_others_with_it() {
    let folder = Folder::with(&["sparse", "dense"]);
    // Before any work.
    folder.put("sparse.vdi", "there");
    folder.fails("convert sparse.raw -O qcow2,vdi", &["sparse.vdi", "exists", "--force"]);
    folder.fails("convert sparse.raw -O qcow2,vmdk:subformat=no", &["no VMDK subformat"]);
    folder.fails("convert sparse.raw -O raw:file=o.raw,raw:file=o.raw", &["two outputs", "o.raw"]);
    folder.fails("convert sparse.raw -O vmdk,qcow2 x.vmdk", &["one output", "several"]);
    folder.fails("convert sparse.raw -O vmdk,qcow2 -o cluster_size=1M", &["-o does not say", "qcow2:"]);
    folder.fails("convert sparse.raw -O vmdk,qcow2 -B dense.raw -F raw", &["backing"]);
    folder.fails("convert sparse.raw -O vmdk,raw:file=y.raw -c", &["raw images are not compressed"]);
    folder.fails("convert sparse.raw -O vmdk,qcow2 -", &["standard output takes one", "file=-"]);
    // In the middle: a file that may not be so long.
    let mut command = Command::new("sh");
    let line = "ulimit -f 12000; exec \"$0\" convert dense.raw -O qcow2:compress=on,vdi,raw:file=x.raw";
    command.args(["-c", line, env!("CARGO_BIN_EXE_vimage")]).current_dir(folder.path(""));
    // 12,000 blocks of 512 bytes: less than the disk of 8 MiB.
    support::run(command).fails(&["cannot write"]);
    folder.check();
}

#[test]
fn outputs_are_read_back_and_a_change_is_found() {
    let folder = Folder::with(&["sparse"]);
    let list = "raw:file=o.raw,qcow2:compress=on,vdi,vmdk:split=8M,ova,raw:file=p.raw,split=5M";
    folder.run(&format!("convert -q sparse.raw -O {list} --verify")).succeeds();
    let names = folder.names();
    names.iter().filter(|name| *name != "sparse.raw").for_each(|name| folder.expect(&[name]));
    folder.makes("convert -q sparse.raw over.qcow2 -B o.raw -F raw --verify", &["over.qcow2"]);
    folder.fails("convert sparse.raw - -O raw --verify", &["pipe", "read back"]);

    // The disk lies: a byte of what was written changes before the run ends.
    for target in ["a.raw", "a.vdi", "a.qcow2"] {
        let mut command = folder.command(&format!("convert -f raw - {target} --size 64M --verify --progress json"));
        command.stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let noise: Vec<u8> = (0..48_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 1).collect();
        input.write_all(&noise).unwrap();
        let part = || {
            let mut entries = folder.path("").read_dir().unwrap().map(Result::unwrap);
            entries
                .find(|entry| entry.file_name().to_string_lossy().ends_with(".vimage-part"))
                .map(|entry| entry.path())
        };
        wait_until("the output to be long", || part().is_some_and(|path| path.metadata().unwrap().len() > 16 << 20));
        let file = fs::File::options().write(true).open(part().unwrap()).unwrap();
        // Written long ago, and in each of the formats data.
        std::thread::sleep(std::time::Duration::from_millis(300));
        file.write_all_at(b"\0\0\0\0\0\0\0\0", (8 << 20) + 100).unwrap();
        input.write_all(&vec![0; 16 << 20]).unwrap();
        drop(input);
        let ended = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{target}: {told}");
        assert!(told.contains("reads back as another disk") && told.contains("\"phase\":\"verify\""), "{told}");
        folder.check();
    }
}

#[test]
fn progress_for_machines_is_lines_of_json() {
    let folder = Folder::with(&["sparse"]);
    let outcome = folder.run("convert -q sparse.raw a.qcow2 --progress json").ends(2);
    assert!(outcome.stderr.contains("cannot be used with"), "{outcome}");
    let outcome =
        folder.run("convert sparse.raw a.qcow2 --trim --verify --digest sha256 --progress json --json").ends(0);
    folder.expect(&["a.qcow2", "a.qcow2.sha256"]);
    outcome.json("convert");
    let lines: Vec<Value> = outcome.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let phases: Vec<_> = lines.iter().map(|line| line["phase"].as_str().unwrap()).collect();
    let mut order = phases.clone();
    order.dedup();
    assert_eq!(order, ["survey", "work", "flush", "digest", "verify"]);
    for line in &lines {
        let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 6, "{line}");
        assert!(
            ["version", "phase", "done", "known", "rate", "seconds"].iter().all(|key| keys.contains(key)),
            "{line}"
        );
    }
    for (one, next) in lines.iter().zip(&lines[1..]).filter(|(one, next)| one["phase"] == next["phase"]) {
        assert!(one["done"].as_u64() <= next["done"].as_u64(), "{one} before {next}");
    }
    for phase in ["work", "digest", "verify"] {
        let last = lines.iter().rfind(|line| line["phase"] == phase).unwrap();
        assert_eq!(last["done"], last["known"], "{last}");
    }
    // Alone, it stands before a file as well.
    folder.run("convert --progress sparse.raw b.qcow2").ends(0);
    folder.expect(&["b.qcow2"]);
}

#[test]
fn json_has_each_output() {
    let folder = Folder::with(&["sparse"]);
    let json = folder.run("convert sparse.raw -O qcow2,ova,vmdk:split=8M --json").succeeds().json("convert");
    let outputs = json["outputs"].as_array().unwrap();
    let formats: Vec<_> = outputs.iter().map(|output| output["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["qcow2", "ova", "vmdk"]);
    assert_eq!(outputs[2]["files"].as_array().unwrap().len(), 10);
    assert_eq!(outputs[1]["disks"][0]["virtual-size"], 64 << 20);
    assert_eq!(json["virtual-size"], 64 << 20);
    folder.names().iter().filter(|name| *name != "sparse.raw").for_each(|name| folder.expect(&[name]));
    let running = Running::start(folder.command("convert sparse.raw -O raw:file=-,qcow2:file=second.qcow2"));
    let outcome = running.end_within(std::time::Duration::from_secs(60)).ends(0);
    assert!(outcome.stdout.len() > 1 << 20);
    folder.expect(&["second.qcow2"]);
}
