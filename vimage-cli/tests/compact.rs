//! `vimage compact`: what stays as it was, what is refused, and what a dry run leaves alone.

#![allow(clippy::unwrap_used)]

mod support;

use rustix::fs::{FlockOperation, fcntl_lock};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};
use support::{Folder, MIB, left_out};
use vimage_fixtures::Fill;

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
    let before = folder.read("dense.raw");
    // VMware's lock, which is a folder.
    fs::create_dir(folder.path("dense.raw.lck")).unwrap();
    folder.expect(&["dense.raw.lck"]);
    folder.fails("compact dense.raw", &["by VMware's lock dense.raw.lck"]);
    fs::remove_dir(folder.path("dense.raw.lck")).unwrap();
    folder.forget(&["dense.raw.lck"]);
    // Any other program's lock on the whole file.
    let held = File::options().read(true).write(true).open(folder.path("dense.raw")).unwrap();
    fcntl_lock(&held, FlockOperation::NonBlockingLockShared).unwrap();
    for how in ["", "--punch"] {
        folder.fails(
            &format!("compact dense.raw {how}"),
            &["dense.raw: is written to by another program", "shut the machine down"],
        );
    }
    // To look at it, or to copy it, has to be forced.
    folder.fails("compact dense.raw --dry-run", &["--force-share"]);
    folder.makes("compact dense.raw --dry-run --force-share", &[]);
    folder.makes("compact dense.raw -o copy.raw -U", &["copy.raw"]);
    drop(held);
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
    folder.fails("compact out.vmdk --dry-run", &["its files have other names"]);
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

/// A program of the system, which must succeed; none where it is not installed.
fn tool(folder: &Folder, line: &str, input: &str) -> Option<String> {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).current_dir(folder.path("")).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").env("LC_ALL", "C");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `disk.raw`: ext4 with a file that stays and one of 12 MiB that was deleted, swap space with garbage in it, and an encrypted
/// partition. None where a tool is missing.
fn guest_disk(folder: &Folder) -> Option<()> {
    let noise = |len: usize| {
        let mut bytes = vec![0; len];
        Fill::Noise(len as u64).read_at(&mut bytes, 0);
        bytes
    };
    fs::create_dir(folder.path("files")).unwrap();
    fs::write(folder.path("files/kept"), noise(3_000_000)).unwrap();
    fs::write(folder.path("files/deleted"), noise(12 << 20)).unwrap();
    for (name, size) in [("ext4", 32 * MIB), ("swap", 8 * MIB), ("disk.raw", 64 * MIB)] {
        File::create(folder.path(name)).unwrap().set_len(size).unwrap();
    }
    tool(folder, "mke2fs -q -F -t ext4 -d files ext4", "")?;
    tool(folder, "debugfs -w -f - ext4", "rm deleted\n")?;
    tool(folder, "mkswap -q swap", "")?;
    tool(folder, "sfdisk -q disk.raw", "2048,65536,L\n67584,16384,S\n83968,16384,L\n")?;
    let disk = File::options().write(true).open(folder.path("disk.raw")).unwrap();
    let mut swap = folder.read("swap");
    swap[4096..5 << 20].copy_from_slice(&noise((5 << 20) - 4096));
    // Holes stay holes.
    let write = |bytes: &[u8], start: u64| {
        for (number, block) in bytes.chunks(4096).enumerate().filter(|(_, block)| block.iter().any(|&byte| byte != 0)) {
            disk.write_all_at(block, start + number as u64 * 4096).unwrap();
        }
    };
    write(&folder.read("ext4"), 2048 * 512);
    write(&swap, 67_584 * 512);
    disk.write_all_at(b"LUKS\xba\xbe\0\x02", 83_968 * 512).unwrap();
    disk.write_all_at(&noise(MIB as usize), 83_968 * 512 + 4096).unwrap();
    for name in ["ext4", "swap"] {
        fs::remove_file(folder.path(name)).unwrap();
    }
    fs::remove_dir_all(folder.path("files")).unwrap();
    folder.expect(&["disk.raw"]);
    Some(())
}

/// The file system on `disk.raw` is clean, and the file that stayed is as it was.
fn is_whole(folder: &Folder, disk: &str) {
    let bytes = folder.read(disk);
    folder.put("ext4", &bytes[2048 * 512..(2048 + 65_536) * 512]);
    tool(folder, "e2fsck -fn ext4", "").unwrap();
    let kept = tool(folder, "debugfs -f - ext4", "dump kept kept\nls -p\n").unwrap();
    assert!(kept.contains("/kept/") && !kept.contains("/deleted/"), "{kept}");
    assert_eq!(folder.read("kept").len(), 3_000_000);
    folder.expect(&["kept"]);
    folder.remove("kept");
    folder.remove("ext4");
}

#[test]
fn what_the_guest_has_freed_goes() {
    let folder = Folder::new();
    let Some(()) = guest_disk(&folder) else { return left_out("mke2fs, debugfs, mkswap or sfdisk is not installed") };
    is_whole(&folder, "disk.raw");
    let said = folder.makes("compact disk.raw --dry-run", &[]);
    said.says(&[
        "part  holds",
        "ext4",
        "swap",
        "LUKS",
        "kept whole: is LUKS, which is not looked into",
        "nothing was written",
    ]);
    let said = folder.makes("compact disk.raw --dry-run --json", &[]).json("compact");
    let regions = said["guest"]["regions"].as_array().unwrap();
    assert_eq!((said["guest"]["table"].as_str(), regions.len(), &said["dry-run"]), (Some("mbr"), 3, &true.into()));
    // The deleted file, and what the guest's own tables say.
    let free = regions[0]["free"].as_u64().unwrap();
    let sum = regions[0]["used"].as_u64().unwrap() + free;
    assert_eq!((sum, regions[0]["start"].as_u64()), (32 * MIB, Some(MIB)));
    assert!((12 * MIB..13 * MIB).contains(&regions[0]["dropped"].as_u64().unwrap()), "{said}");
    assert_eq!(regions[1]["dropped"], 5 * MIB - 4096);
    assert_eq!(said["dropped"]["swap"], regions[1]["dropped"]);
    assert_eq!((regions[2]["free"].is_null(), &regions[2]["kept-whole"]["fault"]), (true, &false.into()));
    // An encrypted partition is no fault of anybody's.
    for (name, line) in [
        ("a.qcow2", "convert disk.raw a.qcow2 --trim=strict"),
        ("b.vmdk", "convert disk.raw b.vmdk --trim -c"),
        ("c.vdi", "convert disk.raw c.vdi --trim"),
    ] {
        folder.makes(line, &[name]).says(&["dropped: ", "free, ", "swap"]);
    }
    // The same whether it is dropped on the way, afterwards, or in the file itself.
    folder.makes("convert disk.raw d.qcow2", &["d.qcow2"]);
    folder.makes("compact d.qcow2", &[]);
    assert!(folder.read("a.qcow2") == folder.read("d.qcow2"));
    folder.makes("compact disk.raw --punch", &[]);
    is_whole(&folder, "disk.raw");
    for name in ["a.qcow2", "b.vmdk", "c.vdi"] {
        folder.same("disk.raw", name);
    }
    // A second time there is nothing left to do.
    let said = folder.makes("compact a.qcow2 --json", &[]).json("compact");
    assert_eq!(said["before"]["size"], said["after"]["size"]);
}

#[test]
fn what_is_not_certain_is_kept_or_with_strict_an_error() {
    let folder = Folder::new();
    let Some(()) = guest_disk(&folder) else { return left_out("mke2fs, debugfs, mkswap or sfdisk is not installed") };
    // The superblock's state: mounted.
    let disk = File::options().write(true).open(folder.path("disk.raw")).unwrap();
    disk.write_all_at(&[0, 0], 2048 * 512 + 1024 + 0x3A).unwrap();
    let said = folder.makes("compact disk.raw --dry-run --json", &[]).json("compact");
    assert_eq!(said["guest"]["regions"][0]["kept-whole"]["fault"], true, "{said}");
    assert_eq!(said["dropped"]["free"], 0);
    for line in [
        "compact disk.raw --trim=strict",
        "compact disk.raw --trim=strict --punch",
        "convert disk.raw x.vdi --trim=strict",
    ] {
        folder.fails(line, &["partition 1 (ext4) cannot be trimmed"]);
    }
}

#[test]
fn a_disk_whose_system_sleeps_is_kept_whole() {
    let folder = Folder::new();
    let Some(()) = guest_disk(&folder) else { return left_out("mke2fs, debugfs, mkswap or sfdisk is not installed") };
    let disk = File::options().write(true).open(folder.path("disk.raw")).unwrap();
    disk.write_all_at(b"S1SUSPEND\0", 67_584 * 512 + 4086).unwrap();
    // The file system by itself is clean.
    let said = folder.makes("compact disk.raw --dry-run --json", &[]).json("compact");
    let reason = |region: usize| said["guest"]["regions"][region]["kept-whole"]["reason"].as_str().unwrap();
    assert!(reason(0).starts_with("a system hibernates on this disk (in 2)"), "{said}");
    assert!(reason(1).starts_with("holds a hibernated system"), "{said}");
    assert_eq!((&said["dropped"]["free"], &said["dropped"]["swap"]), (&0.into(), &0.into()));
    folder.fails("compact disk.raw --trim=strict", &["a system hibernates on this disk"]);
}

#[test]
fn what_was_written_early_and_far_behind_stays() {
    // A map that is written late, and low in the file, when data already lie far behind it.
    let folder = Folder::new();
    let data: Vec<u8> = (0..MIB).map(|at| (at % 251) as u8 + 1).collect();
    let disk = File::create(folder.path("disk.raw")).unwrap();
    folder.expect(&["disk.raw"]);
    disk.set_len(2 << 40).unwrap();
    disk.write_all_at(&data, 1 << 40).unwrap();
    folder.makes("convert disk.raw out.vdi -o static=on", &["out.vdi"]);
    folder.same("disk.raw", "out.vdi");
    folder.remove("out.vdi");
    disk.set_len(1536 << 30).unwrap();
    disk.set_len(0).unwrap();
    disk.set_len(1536 << 30).unwrap();
    for at in (0..9).map(|grain| grain << 16).chain((1..500).map(|table| table << 25)) {
        disk.write_all_at(&data[..65_536], at).unwrap();
    }
    folder.makes("convert disk.raw out.vmdk", &["out.vmdk"]);
    folder.same("disk.raw", "out.vmdk");
}

#[test]
fn a_rename_that_fails_takes_nothing_away() {
    let folder = Folder::with(&["dense"]);
    let files = ["out.vmdk", "out-s001.vmdk", "out-s002.vmdk", "out-s003.vmdk"];
    folder.makes("convert dense.raw out.vmdk --split 3M", &files);
    let fixed = |how: &str| {
        let path = folder.path("out-s002.vmdk");
        Command::new("chattr").arg(how).arg(path).output().is_ok_and(|output| output.status.success())
    };
    if !fixed("+i") {
        return left_out("chattr cannot make a file immutable");
    }
    let outcome = folder.run("compact out.vmdk");
    assert!(fixed("-i"));
    outcome.fails(&["out-s002.vmdk"]);
    folder.check();
    folder.same("dense.raw", "out.vmdk");
}

#[test]
fn a_private_image_stays_private_and_others_names_are_minded() {
    let folder = Folder::with(&["dense"]);
    fs::hard_link(folder.path("dense.raw"), folder.path("other.raw")).unwrap();
    folder.expect(&["other.raw"]);
    folder.fails("compact dense.raw", &["has 2 names (hard links)"]);
    folder.remove("other.raw");
    folder.fails("compact dense.raw -t unsafe", &["has to be on the disk first"]);
    folder.fails("compact dense.raw -o x.qcow2", &["compact keeps the format, which is raw"]);
    folder.makes("compact dense.raw -t unsafe -o x.raw", &["x.raw"]);
}

#[test]
fn a_damaged_qcow2_is_not_made_to_look_whole() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw out.qcow2", &["out.qcow2"]);
    let file = File::options().write(true).open(folder.path("out.qcow2")).unwrap();
    // The bit that says that it is corrupt.
    file.write_all_at(&[2], 79).unwrap();
    folder.fails("compact out.qcow2", &["is marked as corrupt", "qemu-img check -r all"]);
    file.write_all_at(&[0], 79).unwrap();
    // One snapshot, in a table that is none.
    file.write_all_at(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0, 0], 60).unwrap();
    folder.run("compact out.qcow2").ends(2);
}

#[test]
fn what_a_vdi_says_of_itself_stays() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw out.vdi", &["out.vdi"]);
    let file = File::options().write(true).open(folder.path("out.vdi")).unwrap();
    file.write_all_at(b"the disk of the web server", 0x54).unwrap();
    file.write_all_at(&[16, 0, 0, 0, 16, 0, 0, 0, 63, 0, 0, 0, 0, 2, 0, 0], 0x1c8).unwrap();
    let before = folder.read("out.vdi");
    folder.makes("compact out.vdi", &[]);
    assert!(folder.read("out.vdi") == before);
}

#[test]
fn a_flat_extent_with_more_in_its_file_is_left_alone() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw out.vmdk -o subformat=monolithicFlat", &["out.vmdk", "out-flat.vmdk"]);
    File::options().write(true).open(folder.path("out-flat.vmdk")).unwrap().set_len(9 * MIB).unwrap();
    folder.fails("compact out.vmdk", &["alone in their files"]);
}

#[test]
fn what_an_overlay_frees_is_the_bases_again() {
    let folder = Folder::new();
    let Some(()) = guest_disk(&folder) else { return left_out("mke2fs, debugfs, mkswap or sfdisk is not installed") };
    // The deleted file's bytes are in the base, and other garbage in their place in the overlay.
    folder.makes("convert disk.raw base.qcow2", &["base.qcow2"]);
    let mut bytes = folder.read("disk.raw");
    let deleted = folder.run("compact disk.raw --dry-run --json").succeeds().json("compact");
    assert!(deleted["dropped"]["free"].as_u64().unwrap() > 12 * MIB);
    let swap = 67_584 * 512 + 4096;
    bytes[swap..swap + 4 * MIB as usize].fill(0x5a);
    folder.put("new.raw", &bytes);
    for compat in ["0.10", "1.1"] {
        folder.makes(
            &format!("convert new.raw {compat}.qcow2 -B base.qcow2 -F qcow2 -o compat={compat}"),
            &[&format!("{compat}.qcow2")],
        );
        folder.makes(&format!("compact {compat}.qcow2"), &[]);
        let size = folder.path(&format!("{compat}.qcow2")).metadata().unwrap().len();
        assert!(size < MIB, "{compat}: {size}");
        // What is not free is as it was.
        folder.makes(&format!("convert {compat}.qcow2 back.raw"), &["back.raw"]);
        is_whole(&folder, "back.raw");
        folder.remove("back.raw");
    }
}
