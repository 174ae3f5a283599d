//! `vimage compact`: what stays as it was, what is refused, and what a dry run leaves alone.

#![allow(clippy::unwrap_used)]

mod support;

use rustix::fs::{FlockOperation, fcntl_lock};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::process::Command;
use support::{Folder, MIB, left_out, wait_until};

/// Every way of writing an image, and the files that it makes.
const WAYS: [(&str, &str, &[&str]); 15] = [
    ("raw", "", &["out.raw"]),
    ("raw", "--split 3M", &["out.raw.001", "out.raw.002", "out.raw.003"]),
    ("qcow2", "", &["out.qcow2"]),
    ("qcow2", "-o compat=0.10,cluster_size=4k", &["out.qcow2"]),
    ("qcow2", "-o cluster_size=2M,extended_l2=on,refcount_bits=1,lazy_refcounts=on", &["out.qcow2"]),
    ("qcow2", "-c", &["out.qcow2"]),
    ("qcow2", "-c -o compression_type=zstd,cluster_size=128k", &["out.qcow2"]),
    ("vdi", "", &["out.vdi"]),
    ("vdi", "-o static=on", &["out.vdi"]),
    ("vmdk", "-o adapter_type=ide,hwversion=7,toolsversion=3", &["out.vmdk"]),
    ("vmdk", "-o subformat=monolithicFlat", &["out.vmdk", "out-flat.vmdk"]),
    ("vmdk", "-o subformat=twoGbMaxExtentSparse", &["out.vmdk", "out-s001.vmdk"]),
    ("vmdk", "--split 3M", &["out.vmdk", "out-s001.vmdk", "out-s002.vmdk", "out-s003.vmdk"]),
    ("vmdk", "-o subformat=twoGbMaxExtentFlat --split 5M", &["out.vmdk", "out-f001.vmdk", "out-f002.vmdk"]),
    ("vmdk", "-o subformat=streamOptimized", &["out.vmdk"]),
];

/// The lines of `info` that tell how an image is made, without those that compacting is to change.
fn kind(folder: &Folder, name: &str) -> String {
    let told = folder.run(&format!("info {name}")).succeeds().stdout;
    told.lines().filter(|line| !line.starts_with("size on disk")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_kind_stays_what_it_is() {
    for (format, options, files) in WAYS {
        let folder = Folder::with(&["dense"]);
        folder.makes(&format!("convert dense.raw out.{format} -O {format} {options}"), files);
        let main = files[0];
        let (before, content) = (kind(&folder, main), folder.run(&format!("digest {main}")).succeeds().stdout);
        let sizes: Vec<_> = files.iter().map(|name| folder.path(name).metadata().unwrap().len()).collect();
        folder.makes(&format!("compact {main} --no-trim"), &[]);
        assert_eq!(kind(&folder, main), before, "{format} {options}");
        assert_eq!(folder.run(&format!("digest {main}")).succeeds().stdout, content, "{format} {options}");
        // There was nothing to be left out of it.
        let after: Vec<_> = files.iter().map(|name| folder.path(name).metadata().unwrap().len()).collect();
        assert_eq!(after, sizes, "{format} {options}");
        folder.run(&format!("check {main}")).succeeds();
        folder.same(main, "dense.raw");
        // The same again, elsewhere.
        let elsewhere = Folder::new();
        let target = elsewhere.path(main.strip_suffix(".001").unwrap_or(main));
        folder.run(&format!("compact {main} --no-trim -o {}", target.display())).succeeds();
        elsewhere.expect(files);
        elsewhere.check();
        for name in files {
            assert!(elsewhere.read(name) == folder.read(name), "{format} {options}: {name}");
        }
    }
}

#[test]
fn zeros_that_are_stored_go() {
    let folder = Folder::new();
    folder.put("disk.raw", [vec![7; MIB as usize], vec![0; 6 * MIB as usize], vec![9; MIB as usize]].concat());
    let stored = || folder.path("disk.raw").metadata().unwrap().blocks() * 512;
    let before = stored();
    let outcome = folder.makes("compact disk.raw --dry-run", &[]);
    outcome.says(&["dropped: 6 MiB zero", "disk.raw: would go from 8 MiB to 2 MiB (75 % less)", "nothing was written"]);
    assert_eq!(stored(), before, "a dry run");
    folder.makes("compact disk.raw --punch --dry-run", &[]).says(&["dropped: 6 MiB zero", "would go"]);
    assert_eq!(stored(), before, "a dry run");
    let content = folder.read("disk.raw");
    folder.makes("compact disk.raw", &[]).says(&["went from 8 MiB to 2 MiB (75 % less)"]);
    assert_eq!(stored(), before - 6 * MIB);
    assert!(folder.read("disk.raw") == content);
}

#[test]
fn a_raw_file_is_punched_where_it_is() {
    let folder = Folder::new();
    let mut content = [vec![7; MIB as usize + 700], vec![0; 6 * MIB as usize], vec![9; MIB as usize]].concat();
    content[3 * MIB as usize] = 1;
    folder.put("disk.raw", &content);
    let file = || folder.path("disk.raw").metadata().unwrap();
    let before = file();
    let said = folder.makes("compact disk.raw --punch --json", &[]).json("compact");
    assert_eq!(file().ino(), before.ino(), "it is the same file");
    assert!(folder.read("disk.raw") == content);
    assert_eq!((before.blocks() - file().blocks()) * 512, said["dropped"]["zero"].as_u64().unwrap());
    // All whole blocks of zeros but the one that holds the one.
    assert_eq!(said["dropped"]["zero"], 6 * MIB - 2 * 4096);
    folder.makes("convert disk.raw disk.qcow2", &["disk.qcow2"]);
    folder.fails("compact disk.qcow2 --punch", &["is not one raw file"]);
}

#[test]
fn identifiers_stay() {
    let folder = Folder::with(&["dense"]);
    let uuids = "uuid=6ba7b810-9dad-41d1-80b4-00c04fd430c8,modification_uuid=6ba7b811-9dad-41d1-80b4-00c04fd430c8";
    folder.makes(&format!("convert dense.raw out.vdi -o {uuids}"), &["out.vdi"]);
    folder.makes("compact out.vdi", &[]);
    folder.run("info out.vdi").succeeds().says(&["6ba7b810-9dad-41d1-80b4-00c04fd430c8", "6ba7b811-9dad"]);
    folder.makes("convert dense.raw out.vmdk --split 6M", &["out.vmdk", "out-s001.vmdk", "out-s002.vmdk"]);
    // As VirtualBox leaves it.
    let text = folder.text("out.vmdk");
    let known = [
        ("ddb.uuid.image", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
        ("ddb.geometry.biosCylinders", "1"),
        ("ddb.comment", "Grüße"),
    ];
    let more: String = known.iter().map(|(key, value)| format!("{key}=\"{value}\"\n")).collect();
    let cid = text.lines().find(|line| line.starts_with("CID")).unwrap().to_owned();
    let text = text.replace(&cid, "CID=1234abcd").replace("lsilogic", "buslogic");
    fs::write(folder.path("out.vmdk"), text + &more).unwrap();
    folder.makes("compact out.vmdk", &[]);
    let text = folder.text("out.vmdk");
    for (key, value) in known.iter().chain(&[("ddb.adapterType", "buslogic")]) {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}: {text}"));
        assert!(line.ends_with(&format!("\"{value}\"")), "{line}");
    }
    assert!(text.contains("CID=1234abcd"), "{text}");
    folder.run("check out.vmdk").succeeds();
}

#[test]
fn the_image_beneath_stays_beneath() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw base.qcow2", &["base.qcow2"]);
    let mut changed = folder.read("dense.raw");
    changed[5_000_000..5_200_000].fill(0xcd);
    folder.put("changed.raw", changed);
    folder.makes("convert changed.raw top.qcow2 -B base.qcow2 -F qcow2", &["top.qcow2"]);
    let (before, size) = (kind(&folder, "top.qcow2"), folder.path("top.qcow2").metadata().unwrap().len());
    folder.makes("compact top.qcow2", &[]);
    assert_eq!(kind(&folder, "top.qcow2"), before);
    assert_eq!(folder.path("top.qcow2").metadata().unwrap().len(), size);
    folder.same("top.qcow2", "changed.raw");
    folder.fails("compact top.qcow2 -o base.qcow2 --force", &["is a file of the source"]);
}

#[test]
fn permissions_and_links_stay() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw out.qcow2", &["out.qcow2"]);
    fs::set_permissions(folder.path("out.qcow2"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("out.qcow2", folder.path("link.qcow2")).unwrap();
    folder.expect(&["link.qcow2"]);
    let before = folder.path("out.qcow2").metadata().unwrap().ino();
    folder.makes("compact link.qcow2", &[]);
    assert!(folder.path("link.qcow2").symlink_metadata().unwrap().is_symlink());
    let after = folder.path("out.qcow2").metadata().unwrap();
    assert_eq!(after.mode() & 0o7777, 0o640);
    assert_ne!(after.ino(), before, "what the link points to was written anew");
}

#[test]
fn what_is_in_use_or_changes_is_left_alone() {
    let folder = Folder::with(&["dense"]);
    // Closing any other handle of this process would give the lock up.
    let before = folder.read("dense.raw");
    let held = File::options().read(true).write(true).open(folder.path("dense.raw")).unwrap();
    fcntl_lock(&held, FlockOperation::NonBlockingLockShared).unwrap();
    for how in ["", "--punch"] {
        folder.fails(
            &format!("compact dense.raw {how}"),
            &["dense.raw: is in use by another program", "shut the machine down"],
        );
    }
    // To look at it is no harm, and neither is a copy.
    folder.makes("compact dense.raw --dry-run", &[]);
    folder.makes("compact dense.raw -o copy.raw", &["copy.raw"]);
    // QEMU's own locks count as much.
    drop(held);
    let io = Command::new("qemu-io")
        .args(["-f", "raw", "-c", "sleep 20000", "dense.raw"])
        .current_dir(folder.path(""))
        .spawn();
    match io {
        Err(_) => left_out("qemu-io is not installed"),
        Ok(mut io) => {
            let file = File::options().read(true).write(true).open(folder.path("dense.raw")).unwrap();
            wait_until("a lock of QEMU's", || {
                let free = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
                fcntl_lock(&file, FlockOperation::Unlock).unwrap();
                !free
            });
            folder.fails("compact dense.raw", &["is in use by another program"]);
            io.kill().unwrap();
            io.wait().unwrap();
        }
    }
    assert!(folder.read("dense.raw") == before);
}

#[test]
fn what_would_be_lost_is_refused() {
    let qemu = |folder: &Folder, words: &str| {
        Command::new("qemu-img")
            .args(words.split(' '))
            .current_dir(folder.path(""))
            .output()
            .is_ok_and(|o| o.status.success())
    };
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw snap.qcow2", &["snap.qcow2"]);
    if !qemu(&folder, "snapshot -c before snap.qcow2") {
        return left_out("qemu-img is not installed");
    }
    folder.fails("compact snap.qcow2", &["has 1 snapshots (before), which would be lost", "--drop-snapshots"]);
    folder.makes("compact snap.qcow2 --drop-snapshots", &[]);
    folder.same("snap.qcow2", "dense.raw");
    folder.makes("convert dense.raw bits.qcow2", &["bits.qcow2"]);
    assert!(qemu(&folder, "bitmap --add bits.qcow2 b0"));
    folder.fails("compact bits.qcow2", &["has 1 bitmaps of what changed, which would be lost"]);
    assert!(qemu(&folder, "create -q -f qcow2 -o data_file=data.raw,data_file_raw=on ext.qcow2 8M"));
    folder.expect(&["ext.qcow2", "data.raw"]);
    folder.fails("compact ext.qcow2", &["keeps its data in another file"]);
}

#[test]
fn what_is_not_written_is_not_compacted() {
    let folder = Folder::with(&["dense"]);
    folder.makes(
        "convert dense.raw out.vmdk --split 3M",
        &["out.vmdk", "out-s001.vmdk", "out-s002.vmdk", "out-s003.vmdk"],
    );
    // Extents under other names, or of other sizes, would come out beside the old ones.
    let text = folder.text("out.vmdk");
    fs::rename(folder.path("out-s002.vmdk"), folder.path("other.vmdk")).unwrap();
    folder.forget(&["out-s002.vmdk"]);
    folder.expect(&["other.vmdk"]);
    fs::write(folder.path("out.vmdk"), text.replace("out-s002.vmdk", "other.vmdk")).unwrap();
    folder.fails("compact out.vmdk", &["its files have other names", "-o"]);
    folder.makes("compact out.vmdk --dry-run", &[]);
    fs::rename(folder.path("other.vmdk"), folder.path("out-s002.vmdk")).unwrap();
    folder.forget(&["other.vmdk"]);
    folder.expect(&["out-s002.vmdk"]);
    fs::write(folder.path("out.vmdk"), text.replace("twoGbMaxExtentSparse", "vmfsSparse")).unwrap();
    folder.fails("compact out.vmdk", &["is a vmfsSparse VMDK, and such are not written"]);
}

#[test]
fn a_change_while_it_works_is_noticed() {
    // A file that grows no larger and is written to all the time.
    let folder = Folder::new();
    folder.put("disk.raw", vec![5; 64 * MIB as usize]);
    let path = folder.path("disk.raw");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = File::options().write(true).open(&path).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all_at(b"x", 12345).unwrap();
            }
        });
        let outcome = folder.run("compact disk.raw");
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        outcome.fails(&["changed while it was being read, so nothing was done"]);
    });
    folder.check();
}
