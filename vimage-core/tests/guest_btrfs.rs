//! btrfs: what the real tools make, use and check, against what is found to be free in it.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "guest_btrfs/group_tree.rs"]
mod group_tree;
mod guest;
#[path = "guest_btrfs/hostile.rs"]
mod hostile;
#[path = "guest_btrfs/image.rs"]
mod image;

use guest::{
    Mounted, Scratch, compacted, contents, fill, fill_and_delete, have, noise, only, output, poke, run, say, spoil,
    survey_of,
};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use vimage_core::guest::Region;

const MIB: u64 = 1 << 20;
const TOOLS: &[&str] = &["mkfs.btrfs", "btrfs", "btrfstune"];

/// What is never allocated from, on devices between 64 MiB and 256 GiB: the first MiB and the stripe of the first mirror.
const RESERVED: u64 = MIB + (64 << 10);

const KEPT: u64 = 16 * MIB;
const DELETED: u64 = 20 * MIB;

/// Makes a file system without a block group tree, which newer tools make unasked.
fn mkfs(disk: &Path, options: &[&str]) {
    let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"-q", &"-f"];
    let known = output("mkfs.btrfs", &[&"-O", &"list-all"]);
    if String::from_utf8_lossy(&[known.stdout, known.stderr].concat()).contains("block-group-tree") {
        arguments.extend([&"-O" as &dyn AsRef<std::ffi::OsStr>, &"^block-group-tree"]);
    }
    arguments.extend(options.iter().map(|option| option as &dyn AsRef<std::ffi::OsStr>));
    arguments.push(&disk);
    run("mkfs.btrfs", &arguments);
}

/// Mounts a disk, of which there may be copies.
fn mount(test: &str, disk: &Path, options: &str) -> Option<Mounted> {
    // Older kernels remember the newest of all copies that they have seen, and mount no other.
    output("btrfs", &[&"device", &"scan", &"--forget"]);
    // Deleted files are to leave their garbage in the image.
    Mounted::new(test, disk, 0, &disk.with_extension("mounted"), &format!("nodiscard{options}"))
}

fn check(disk: &Path) {
    run("btrfs", &[&"check", &"--readonly", &"--check-data-csum", &disk]);
}

/// Subvolumes, snapshots, shared, overwritten, preallocated, compressible and deleted files.
fn live(folder: &Path) {
    let path = |name: &str| folder.join(name);
    run("btrfs", &[&"subvolume", &"create", &path("sub")]);
    run("btrfs", &[&"subvolume", &"create", &path("gone")]);
    fill(&path("sub"), 1, 2 * MIB);
    fill(&path("gone"), 2, 2 * MIB);
    run("btrfs", &[&"subvolume", &"snapshot", &"-r", &path("sub"), &path("snapshot")]);
    fs::remove_dir_all(path("sub/s1/f1")).unwrap();
    fs::write(path("text"), "a line of text, as there are many\n".repeat(60_000)).unwrap();
    fs::write(path("shared"), noise(5, 700_000)).unwrap();
    run("cp", &[&"--reflink=always", &path("shared"), &path("clone")]);
    run("sync", &[&"-f", &folder]);
    let mut shared = File::options().write(true).open(path("shared")).unwrap();
    shared.seek(SeekFrom::Start(200_000)).unwrap();
    shared.write_all(&noise(6, 50_000)).unwrap();
    run("fallocate", &[&"-l", &"1500000", &path("preallocated")]);
    run("btrfs", &[&"subvolume", &"delete", &"-c", &path("gone")]);
    run("btrfs", &[&"subvolume", &"sync", &folder]);
    fill_and_delete(folder, KEPT, DELETED);
}

/// The device's size and the bytes of it in use, as `btrfs filesystem usage` has them.
fn usage(folder: &Path) -> (u64, u64) {
    let told = run("btrfs", &[&"filesystem", &"usage", &"-b", &folder]);
    let number = |name: &str| {
        let line = told.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (number("Device size:"), number("Used:"))
}

/// Lets the kernel use the file system on `disk`, and then holds what is found against what the tools say. `copies` is the
/// number of copies of each file's data.
fn thorough(test: &str, scratch: &Scratch, options: &str, copies: u64) {
    let disk = &scratch.disk;
    let Some(mounted) = mount(test, disk, options) else { return };
    live(&mounted.folder);
    drop(mounted);
    check(disk);
    let mounted = mount(test, disk, ",ro").unwrap();
    let before = contents(&mounted.folder);
    let (size, used) = usage(&mounted.folder);
    drop(mounted);

    let target = scratch.path("compacted.raw");
    let survey = compacted(disk, &target);
    let region = only(&survey);
    assert_eq!((region.kind, &region.kept), (Some("btrfs"), &None));
    assert_eq!(region.free, Some(size - used - RESERVED), "{test}");
    assert_eq!(survey.unused.bytes(), size - used - RESERVED);
    assert!(region.dropped >= copies * DELETED * 9 / 10, "{test}: only {} bytes dropped", region.dropped);
    say(
        test,
        &format!("{} MiB free of {}, {} MiB of them dropped", (size - used) / MIB, size / MIB, region.dropped / MIB),
    );

    assert_eq!(superblocks(&target), superblocks(disk));
    let spoiled = scratch.path("spoiled.raw");
    run("cp", &[&"--sparse=always", &disk, &spoiled]);
    spoil(&spoiled, &survey);
    for disk in [&target, &spoiled] {
        check(disk);
        let mounted = mount(test, disk, options).unwrap();
        assert!(contents(&mounted.folder) == before, "{test}: files differ");
        fill(&mounted.folder, 77, 6 * MIB);
        drop(mounted);
        check(disk);
        assert_eq!(only(&survey_of(disk)).kept, None);
    }
}

/// What all copies of the superblock say.
fn superblocks(disk: &Path) -> String {
    run("btrfs", &[&"inspect-internal", &"dump-super", &"-a", &disk]).replace(disk.to_str().unwrap(), "disk")
}

#[test]
fn both_mirrors_of_a_large_device_stay() {
    let test = "guest_btrfs::both_mirrors_of_a_large_device_stay";
    if !have(test, TOOLS) {
        return;
    }
    let scratch = Scratch::of(257 << 30);
    mkfs(&scratch.disk, &[]);
    let Some(mounted) = mount(test, &scratch.disk, "") else { return };
    fill_and_delete(&mounted.folder, MIB, MIB);
    drop(mounted);
    let mounted = mount(test, &scratch.disk, ",ro").unwrap();
    let (size, used) = usage(&mounted.folder);
    drop(mounted);
    let target = scratch.path("compacted.raw");
    let survey = compacted(&scratch.disk, &target);
    assert_eq!(only(&survey).free, Some(size - used - RESERVED - (64 << 10)));
    let told = superblocks(&scratch.disk);
    assert_eq!(told.matches("[match]").count(), 3 * 3, "{told}");
    assert_eq!(superblocks(&target), told);
    check(&target);
}

/// Makes a file system and goes through it.
fn made(name: &str, size: u64, mkfs_options: &[&str], options: &str, copies: u64) {
    let test = format!("guest_btrfs::{name}");
    if have(&test, TOOLS) {
        let scratch = Scratch::of(size);
        mkfs(&scratch.disk, mkfs_options);
        thorough(&test, &scratch, options, copies);
    }
}

#[test]
fn as_made_by_default() {
    made("as_made_by_default", 200 * MIB, &[], "", 1);
}

#[test]
fn single_with_extended_quotas() {
    made("single_with_extended_quotas", 200 * MIB, &["-m", "single", "-d", "single", "-R", "quota"], "", 1);
}

#[test]
fn data_twice() {
    made("data_twice", 320 * MIB, &["-d", "dup", "--csum", "xxhash"], "", 2);
}

#[test]
fn mixed_groups() {
    made("mixed_groups", 128 * MIB, &["-M"], "", 1);
}

#[test]
fn small_nodes_and_sha256() {
    made("small_nodes_and_sha256", 200 * MIB, &["-n", "4096", "--csum", "sha256"], "", 1);
}

#[test]
fn large_nodes_and_blake2() {
    made("large_nodes_and_blake2", 200 * MIB, &["-n", "65536", "--csum", "blake2"], "", 1);
}

#[test]
fn space_cache_in_files() {
    made("space_cache_in_files", 200 * MIB, &["-R", "^free-space-tree", "-O", "^no-holes"], ",space_cache=v1", 1);
}

#[test]
fn compressed() {
    made("compressed", 200 * MIB, &["-O", "^skinny-metadata"], ",compress=zstd", 1);
}

#[test]
fn block_group_tree() {
    let test = "guest_btrfs::block_group_tree";
    if have(test, TOOLS) {
        let scratch = Scratch::of(200 * MIB);
        mkfs(&scratch.disk, &[]);
        group_tree::give(&scratch.disk);
        check(&scratch.disk);
        thorough(test, &scratch, "", 1);
    }
}

#[test]
fn changed_uuid() {
    let test = "guest_btrfs::changed_uuid";
    if have(test, TOOLS) {
        let scratch = Scratch::of(200 * MIB);
        mkfs(&scratch.disk, &[]);
        run("btrfstune", &[&"-f", &"-m", &scratch.disk]);
        thorough(test, &scratch, "", 1);
    }
}

#[test]
fn converted_from_ext4() {
    let test = "guest_btrfs::converted_from_ext4";
    if have(test, TOOLS) && have(test, &["btrfs-convert", "mkfs.ext4"]) {
        let scratch = Scratch::of(256 * MIB);
        run("mkfs.ext4", &[&"-q", &"-F", &"-b", &"4096", &scratch.disk]);
        let Some(mounted) = mount(test, &scratch.disk, "") else { return };
        fill_and_delete(&mounted.folder, 8 * MIB, 8 * MIB);
        drop(mounted);
        run("btrfs-convert", &[&scratch.disk]);
        thorough(test, &scratch, "", 1);
    }
}

/// Asserts that a disk is kept whole for `reason`.
fn assert_kept(disk: &Path, what: &str, reason: &str) -> Region {
    let survey = survey_of(disk);
    let region = only(&survey);
    assert_eq!((region.kind, region.free), (Some("btrfs"), None), "{what}");
    let kept = region.kept.as_ref().unwrap();
    assert!(kept.fault && kept.reason.contains(reason), "{what}: {}", kept.reason);
    assert!(survey.unused.is_empty(), "{what}");
    region.clone()
}

#[test]
fn a_tree_log_keeps_it_whole_until_it_is_replayed() {
    let test = "guest_btrfs::a_tree_log";
    if !have(test, TOOLS) {
        return;
    }
    let scratch = Scratch::of(256 * MIB);
    mkfs(&scratch.disk, &[]);
    let copy = scratch.path("copy.raw");
    let Some(mounted) = mount(test, &scratch.disk, ",commit=300") else { return };
    // Where a chunk was made in the same transaction, the kernel commits instead of logging: a later try finds none made.
    let logged = (0..10).any(|round| {
        let path = mounted.folder.join(format!("file-{round}"));
        fs::write(&path, noise(round, 100_000)).unwrap();
        run("sync", &[&"-f", &mounted.folder]);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(&noise(round + 100, 30_000)).unwrap();
        file.sync_all().unwrap();
        run("cp", &[&"--sparse=always", &scratch.disk, &copy]);
        let told = run("btrfs", &[&"inspect-internal", &"dump-super", &copy]);
        let log = told.lines().find_map(|line| line.strip_prefix("log_root\t")).unwrap();
        log.trim() != "0"
    });
    drop(mounted);
    assert!(logged, "no log was written");
    let region = assert_kept(&copy, "a tree log", "tree log");
    assert!(region.kept.unwrap().hint.unwrap().starts_with("mount and unmount it once"));
    drop(mount(test, &copy, "").unwrap());
    assert_eq!(only(&survey_of(&copy)).kept, None);
}

#[test]
fn several_devices_seeds_and_stripes_are_kept_whole() {
    let test = "guest_btrfs::several_devices";
    if !have(test, TOOLS) {
        return;
    }
    let scratch = Scratch::of(256 * MIB);
    let second = scratch.path("second.raw");
    for (data, metadata) in [("single", "raid1"), ("raid0", "raid1")] {
        File::create(&second).unwrap().set_len(256 * MIB).unwrap();
        run("mkfs.btrfs", &[&"-q", &"-f", &"-d", &data, &"-m", &metadata, &scratch.disk, &second]);
        assert_kept(&scratch.disk, "the first", "2 devices");
        assert_kept(&second, "the second", "2 devices");
    }
    mkfs(&scratch.disk, &["-d", "raid0", "-m", "dup"]);
    assert_kept(&scratch.disk, "one stripe", "RAID0");
    mkfs(&scratch.disk, &[]);
    assert_eq!(only(&survey_of(&scratch.disk)).kept, None);
    run("btrfstune", &[&"-f", &"-S", &"1", &scratch.disk]);
    assert_kept(&scratch.disk, "a seed", "seed");
    mkfs(&scratch.disk, &[]);
    File::options().write(true).open(&scratch.disk).unwrap().set_len(255 * MIB).unwrap();
    assert_kept(&scratch.disk, "a cut disk", "only 267386880 are there");
}

#[test]
fn a_paused_balance_keeps_it_whole() {
    let test = "guest_btrfs::a_paused_balance";
    if !have(test, TOOLS) {
        return;
    }
    let scratch = Scratch::of(512 * MIB);
    mkfs(&scratch.disk, &[]);
    let Some(mounted) = mount(test, &scratch.disk, "") else { return };
    fill(&mounted.folder, 1, 64 * MIB);
    run("sync", &[&"-f", &mounted.folder]);
    run("btrfs", &[&"balance", &"start", &"--full-balance", &"--background", &mounted.folder]);
    let paused = output("btrfs", &[&"balance", &"pause", &mounted.folder]).status.success();
    drop(mounted);
    if paused {
        assert_kept(&scratch.disk, "a paused balance", "balance");
    } else {
        say(test, "the balance ended before it could be paused");
    }
}

#[test]
fn what_is_no_btrfs_or_too_small_is_not_claimed() {
    for size in [0, 1, 4096, 65536, 65600, 69631, 69632] {
        let scratch = Scratch::of(size);
        if size > 65600 {
            poke(&scratch.disk, 65536 + 64, b"_BHRfS_M");
        }
        let survey = survey_of(&scratch.disk);
        let kind = if size == 69632 { Some("btrfs") } else { None };
        assert_eq!((only(&survey).kind, only(&survey).free), (kind, None), "{size}");
    }
}
