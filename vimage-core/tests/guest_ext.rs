//! ext2, ext3 and ext4: what the survey calls free is what e2fsprogs calls free, block for block; nothing that is needed is
//! among it; and what is damaged, dirty or strange is kept whole.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod guest;
#[path = "guest/mutate.rs"]
#[allow(dead_code, reason = "only the disk of it is used here")]
mod mutate;

use guest::*;
use mutate::Patched;
use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::Path;
use vimage_core::guest::{Survey, survey};
use vimage_core::ranges::Ranges;

const TOOLS: [&str; 4] = ["mke2fs", "e2fsck", "debugfs", "dumpe2fs"];
const MIB: u64 = 1 << 20;

/// A way of making one: what it is called then, its size in KiB, and the arguments of mke2fs.
type Making = (&'static str, u64, &'static [&'static str]);

const OLD: &[Making] = &[
    ("ext2", 65_536, &["-t", "ext2", "-b", "1024"]),
    ("ext2", 40_000, &["-t", "ext2", "-b", "2048", "-r", "0", "-g", "4096"]),
    ("ext2", 61_443, &["-t", "ext2", "-b", "1024", "-O", "^sparse_super,^resize_inode", "-I", "128"]),
    ("ext3", 90_000, &["-t", "ext3", "-b", "1024"]),
    ("ext3", 131_072, &["-t", "ext3", "-b", "4096", "-g", "4096"]),
    // meta_bg is older than ext4.
    ("ext3", 98_304, &["-t", "ext3", "-b", "1024", "-g", "1024", "-O", "meta_bg,^resize_inode"]),
];

const NEW: &[Making] = &[
    ("ext4", 131_072, &["-b", "4096"]),
    ("ext4", 97_001, &["-b", "1024"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "^flex_bg"]),
    ("ext4", 98_304, &["-b", "2048", "-O", "^has_journal", "-g", "4096", "-G", "4"]),
    ("ext4", 98_304, &["-b", "1024", "-g", "1024", "-O", "meta_bg,^resize_inode"]),
    ("ext4", 98_304, &["-b", "1024", "-g", "2048", "-O", "meta_bg,^resize_inode,^64bit,^flex_bg"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "^64bit"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "metadata_csum_seed,orphan_file,fast_commit"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "inline_data,ea_inode,large_dir,verity,stable_inodes", "-I", "512"]),
];

const RARE: &[Making] = &[
    ("ext4", 98_304, &["-b", "1024", "-O", "^metadata_csum,uninit_bg"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "^metadata_csum,uninit_bg,^64bit,^flex_bg"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "^metadata_csum"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "sparse_super2"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "sparse_super2", "-E", "num_backup_sb=1"]),
    ("ext4", 131_072, &["-b", "4096", "-O", "bigalloc", "-C", "16384"]),
    ("ext4", 131_072, &["-b", "1024", "-O", "bigalloc", "-C", "8192"]),
    ("ext4", 200_000, &["-b", "1024", "-O", "bigalloc,^flex_bg,^resize_inode", "-C", "4096"]),
    ("ext4", 98_304, &["-b", "1024", "-O", "mmp,encrypt", "-I", "256"]),
];

/// A disk that mke2fs made.
fn make(making: &Making) -> Scratch {
    let (_, kib, arguments) = making;
    let scratch = Scratch::of(kib << 10);
    mke2fs(&scratch.disk, arguments);
    scratch
}

fn mke2fs(disk: &Path, arguments: &[&str]) {
    let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"-q", &"-F"];
    if !arguments.contains(&"-t") {
        all.extend([&"-t" as &dyn AsRef<OsStr>, &"ext4"]);
    }
    all.extend(arguments.iter().map(|argument| argument as &dyn AsRef<OsStr>));
    all.push(&disk);
    run("mke2fs", &all);
}

/// Has debugfs change a disk, in one go: it would not open one again that it has made bad.
fn debugfs(disk: &Path, requests: &[&str]) {
    let script = disk.with_extension("debugfs");
    fs::write(&script, requests.join("\n")).unwrap();
    run("debugfs", &[&"-w", &"-f", &script, &disk]);
}

fn check(disk: &Path) {
    run("e2fsck", &[&"-f", &"-n", &disk]);
}

fn copy(from: &Path, to: &Path) {
    run("cp", &[&"--sparse=always", &from, &to]);
}

/// A field of the superblock, or the first of a group's, as dumpe2fs prints it.
fn field(dump: &str, name: &str) -> Option<u64> {
    let at = dump.find(name)?;
    let rest = dump[at + name.len()..].trim_start();
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The bytes that dumpe2fs lists as free, group by group; they are as many as it counts in the superblock.
fn free_of(disk: &Path) -> Ranges {
    let dump = run("dumpe2fs", &[&disk]);
    let block = field(&dump, "Block size:").unwrap();
    let cluster = field(&dump, "Cluster size:").unwrap_or(block);
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for line in dump.lines().filter_map(|line| line.strip_prefix("  Free blocks: ")) {
        for run in line.split(", ").filter(|run| !run.is_empty()) {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let byte = |number: &str| number.trim().parse::<u64>().unwrap() * block;
            ranges.push(byte(first)..byte(last) + cluster);
        }
    }
    let free: Ranges = ranges.into_iter().collect();
    assert_eq!(free.bytes(), field(&dump, "Free blocks:").unwrap() * block);
    free
}

/// From mke2fs to a compacted disk that is used again.
fn live(test: &str, making: &Making) {
    const DELETED: u64 = 12 * MIB;
    let scratch = make(making);
    let folder = scratch.path("mnt");
    let Some(mounted) = Mounted::new(test, &scratch.disk, 0, &folder, "") else { return };
    fill_and_delete(&folder, 8 * MIB, DELETED);
    let before = contents(&folder);
    drop(mounted);

    let to = scratch.path("compacted.raw");
    let found = compacted(&scratch.disk, &to);
    let region = only(&found);
    assert_eq!((region.kind, &region.kept), (Some(making.0), &None), "{making:?}");
    assert_eq!(found.unused, free_of(&scratch.disk), "{making:?}");
    assert_eq!(region.free, Some(found.unused.bytes()));
    // What the deleted files left behind goes, but for what was written over.
    assert!(region.dropped >= DELETED / 10 * 9, "{making:?}: {} dropped", region.dropped);

    check(&to);
    let mounted = Mounted::new(test, &to, 0, &folder, "").unwrap();
    assert_eq!(contents(&folder), before, "{making:?}");
    fill(&folder, 99, 6 * MIB);
    let more = contents(&folder);
    drop(mounted);
    check(&to);
    let mounted = Mounted::new(test, &to, 0, &folder, "ro").unwrap();
    assert_eq!(contents(&folder), more, "{making:?}");
    drop(mounted);

    spoil(&scratch.disk, &found);
    check(&scratch.disk);
    let mounted = Mounted::new(test, &scratch.disk, 0, &folder, "ro").unwrap();
    assert_eq!(contents(&folder), before, "{making:?}");
    drop(mounted);
}

fn live_all(test: &str, makings: &[Making]) {
    if have(test, &TOOLS) {
        makings.iter().for_each(|making| live(test, making));
    }
}

#[test]
fn what_is_free_is_left_out_of_ext2_and_ext3() {
    live_all("what_is_free_is_left_out_of_ext2_and_ext3", OLD);
}

#[test]
fn what_is_free_is_left_out_of_ext4() {
    live_all("what_is_free_is_left_out_of_ext4", NEW);
}

#[test]
fn what_is_free_is_left_out_of_rare_kinds() {
    live_all("what_is_free_is_left_out_of_rare_kinds", RARE);
}

/// Not every kernel mounts blocks that are larger than a page, or names without case: debugfs deletes and reads.
#[test]
fn what_linux_need_not_mount_is_known() {
    let test = "what_linux_need_not_mount_is_known";
    if !have(test, &TOOLS) {
        return;
    }
    for (kib, arguments) in [
        (65_536, &["-b", "8192"][..]),
        (65_536, &["-b", "16384"]),
        (131_072, &["-b", "65536"]),
        (131_072, &["-b", "16384", "-O", "bigalloc", "-C", "65536"]),
        (65_536, &["-b", "2048", "-O", "casefold"]),
    ] {
        let scratch = Scratch::of(kib << 10);
        let files = scratch.path("files");
        fill(&files, 1, 6 * MIB);
        fs::create_dir(files.join("gone")).unwrap();
        let gone: Vec<_> = (0..12).map(|number| format!("gone/{number}")).collect();
        gone.iter().for_each(|name| fs::write(files.join(name), noise(7, MIB as usize)).unwrap());
        mke2fs(&scratch.disk, &[arguments, &["-d", files.to_str().unwrap()]].concat());
        let removals: Vec<_> = gone.iter().map(|name| format!("rm /{name}")).collect();
        debugfs(&scratch.disk, &removals.iter().map(String::as_str).collect::<Vec<_>>());
        let read = |disk: &Path, name: &str| {
            let out = scratch.path(name);
            fs::create_dir(&out).unwrap();
            run("debugfs", &[&"-R", &format!("rdump / {}", out.display()), &disk]);
            contents(&out)
        };
        let before = read(&scratch.disk, "before");

        let to = scratch.path("compacted.raw");
        let found = compacted(&scratch.disk, &to);
        assert_eq!(only(&found).kept, None, "{arguments:?}");
        assert_eq!(found.unused, free_of(&scratch.disk), "{arguments:?}");
        assert!(only(&found).dropped >= 12 * MIB, "{arguments:?}");
        check(&to);
        assert_eq!(read(&to, "after"), before, "{arguments:?}");
        spoil(&scratch.disk, &found);
        check(&scratch.disk);
        assert_eq!(read(&scratch.disk, "spoiled"), before, "{arguments:?}");
    }
}

/// Empty ones of all sizes: the last group is short, or has no room for what others have.
#[test]
fn odd_sizes_are_known_to_the_last_block() {
    let test = "odd_sizes_are_known_to_the_last_block";
    if !have(test, &TOOLS) {
        return;
    }
    for (kib, arguments) in [
        (64, &["-b", "1024", "-O", "^has_journal", "-N", "32"][..]),
        (1_440, &["-t", "ext2"]),
        (8_193, &["-b", "1024"]),
        (8_300, &["-b", "1024", "-O", "^flex_bg"]),
        (16_391, &["-b", "1024", "-O", "^resize_inode"]),
        (33_333, &["-b", "1024", "-g", "256", "-O", "meta_bg,^resize_inode"]),
        (16_391, &["-b", "1024", "-O", "quota,project", "-I", "256"]),
        (77_777, &["-b", "2048", "-O", "bigalloc", "-C", "32768"]),
        (1 << 30, &["-b", "4096", "-E", "lazy_itable_init=1,nodiscard", "-J", "size=4", "-i", "8388608"]),
    ] {
        let scratch = Scratch::of(kib << 10);
        mke2fs(&scratch.disk, arguments);
        let found = survey_of(&scratch.disk);
        assert_eq!(only(&found).kept, None, "{kib} {arguments:?}");
        assert_eq!(found.unused, free_of(&scratch.disk), "{kib} {arguments:?}");
        // What lies behind its end is not its own.
        fs::File::options().write(true).open(&scratch.disk).unwrap().set_len((kib + 5_000) << 10).unwrap();
        assert_eq!(survey_of(&scratch.disk).unused, found.unused);
    }
}

/// Checks that the disk is kept whole for a reason in which `reason` stands, and with a hint where `hint` says so.
fn kept(disk: &Path, reason: &str, hint: bool) {
    let found = survey_of(disk);
    let region = only(&found);
    let kept = region.kept.as_ref().unwrap_or_else(|| panic!("not kept for: {reason}"));
    assert!(kept.reason.contains(reason), "{:?} for {reason:?}", kept.reason);
    assert_eq!(kept.hint.is_some(), hint, "{kept:?}");
    assert!(found.unused.is_empty() && region.free.is_none() && kept.fault);
}

#[test]
fn a_mounted_one_is_kept_whole_until_it_is_finished() {
    let test = "a_mounted_one_is_kept_whole_until_it_is_finished";
    if !have(test, &TOOLS) {
        return;
    }
    let plain = &["-b", "1024", "-O", "^has_journal"][..];
    for (arguments, reason) in [
        (&["-b", "1024"][..], "its journal holds changes"),
        (&["-t", "ext3", "-b", "1024"], "its journal holds changes"),
        (&["-t", "ext2", "-b", "1024"], "it was not unmounted"),
        (plain, "it was not unmounted"),
    ] {
        let scratch = Scratch::of(64 * MIB);
        mke2fs(&scratch.disk, arguments);
        let (folder, torn) = (scratch.path("mnt"), scratch.path("torn.raw"));
        let Some(mounted) = Mounted::new(test, &scratch.disk, 0, &folder, "") else { return };
        fill_and_delete(&folder, 4 * MIB, 4 * MIB);
        fs::remove_dir_all(folder.join("s10")).unwrap();
        fill(&folder, 5, MIB);
        run("sync", &[&"-f", &folder]);
        copy(&scratch.disk, &torn);
        drop(mounted);
        kept(&torn, reason, true);
        if reason.contains("journal") {
            let void = scratch.path("void.raw");
            copy(&torn, &void);
            debugfs(&void, &["feature ^needs_recovery"]);
            kept(&void, "its journal is not empty", true);
        }
        // The hint is of use. A status of 1 says that something was repaired.
        assert!(output("e2fsck", &[&"-f", &"-y", &torn]).status.code().is_some_and(|code| code <= 1));
        assert_eq!(survey_of(&torn).unused, free_of(&torn));
        assert_eq!(only(&survey_of(&torn)).kept, None);
    }
}

#[test]
fn what_is_damaged_or_strange_is_kept_whole() {
    let test = "what_is_damaged_or_strange_is_kept_whole";
    if !have(test, &TOOLS) {
        return;
    }
    let summed = Scratch::of(24 * MIB);
    mke2fs(&summed.disk, &["-b", "1024"]);
    let crc16 = Scratch::of(24 * MIB);
    mke2fs(&crc16.disk, &["-b", "1024", "-O", "^metadata_csum,uninit_bg"]);
    let bare = Scratch::of(24 * MIB);
    mke2fs(&bare.disk, &["-b", "1024", "-O", "^metadata_csum"]);

    let dump = run("dumpe2fs", &[&bare.disk]);
    let bitmap = field(&dump, "Block bitmap at").unwrap();
    let table = field(&dump, "Inode table at").unwrap();
    let free = field(&dump, "Free blocks:").unwrap();
    let free_in_0 = dump.lines().find_map(|line| line.split_once(" free blocks, ")).unwrap().0.trim().parse::<u64>();
    let free_in_0 = free_in_0.unwrap();

    let case = |from: &Scratch, requests: &[&str], pokes: &[(u64, u8)], reason: &str, hint: bool| {
        let disk = from.path("case.raw");
        copy(&from.disk, &disk);
        debugfs(&disk, requests);
        for (at, flip) in pokes {
            poke(&disk, *at, &[peek(&disk, *at, 1)[0] ^ flip]);
        }
        kept(&disk, reason, hint);
    };

    // States.
    case(&summed, &["ssv state 0"], &[], "it was not unmounted", true);
    case(&summed, &["ssv state 3"], &[], "it noted errors in itself", true);
    case(&summed, &["ssv state 5"], &[], "unknown state 0x5", true);
    case(&summed, &["ssv last_orphan 12"], &[], "deleted files whose blocks are not free yet", true);
    case(&summed, &["feature FEATURE_R16"], &[], "deleted files whose blocks are not free yet", true);

    // Features, by name and by bit.
    case(&summed, &["feature FEATURE_I30"], &[], "bit 30 of the incompatible ones", false);
    case(&summed, &["feature FEATURE_C25"], &[], "bit 25 of the compatible ones", false);
    case(&summed, &["feature FEATURE_R31"], &[], "bit 31 of the read-only compatible ones", false);
    case(&summed, &["feature FEATURE_I0"], &[], "not looked into: compression", false);
    case(&summed, &["feature FEATURE_R7"], &[], "not looked into: has_snapshot", false);
    case(&summed, &["feature FEATURE_R11"], &[], "not looked into: replica", false);
    case(&bare, &["ssv rev_level 2"], &[], "unknown revision 2", false);

    // Checksums: label, a count of folders, the last bit of a bitmap.
    case(&summed, &[], &[(1024 + 0x78, 1)], "the checksum of its superblock", true);
    case(&summed, &[], &[(1024 + 0x175, 2)], "checksums of the unknown type 3", false);
    for from in [&summed, &crc16] {
        case(from, &[], &[(2048 + 0x10, 1)], "the checksum of the descriptor of group 0", true);
    }
    let dump = run("dumpe2fs", &[&summed.disk]);
    let last = field(&dump, "Block bitmap at").unwrap() * 1024 + 1023;
    case(&summed, &[], &[(last, 0x80)], "the checksum of the bitmap of group 0", true);

    // Counters, and tables that are free.
    case(&bare, &[], &[(bitmap * 1024 + 1000, 0x10)], "free clusters and counts", true);
    case(&bare, &[&format!("ssv free_blocks_count {}", free + 1)], &[], "free blocks and counts", true);
    for (from, sum) in [(&bare, ""), (&crc16, "set_bg 1 checksum calc"), (&summed, "set_bg 1 checksum calc")] {
        let requests = ["set_bg 1 free_blocks_count 77", sum];
        case(from, &requests[..if sum.is_empty() { 1 } else { 2 }], &[], "group 1 has ", true);
    }
    for block in [1, 2, 5, bitmap, table, table + 3] {
        let requests = [
            format!("freeb {block}"),
            format!("set_bg 0 free_blocks_count {}", free_in_0 + 1),
            format!("ssv free_blocks_count {}", free + 1),
        ];
        let requests = requests.each_ref().map(String::as_str);
        case(&bare, &requests, &[], &format!("calls block {block} free, which is of a table"), true);
    }
    case(&bare, &[&format!("set_bg 1 inode_table {table}")], &[], "overlap", true);
    case(&bare, &["set_bg 1 block_bitmap 24576"], &[], "out of bounds", true);
    // The first group begins with block 0 where blocks are large.
    let large = Scratch::of(24 * MIB);
    mke2fs(&large.disk, &["-b", "4096", "-O", "^metadata_csum"]);
    for what in ["block_bitmap", "inode_bitmap", "inode_table"] {
        case(&large, &[&format!("set_bg 0 {what} 0")], &[], "of group 0 is at block 0, out of bounds", true);
    }
    // A bitmap said not to have been written: the first group holds files.
    case(&bare, &["set_bg 0 flags 2"], &[], "without the feature", true);
    case(&crc16, &["set_bg 0 flags 2", "set_bg 0 checksum calc"], &[], "free clusters and counts", true);

    // Measures.
    fs::File::options().write(true).open(&bare.disk).unwrap().set_len(24 * MIB - 1024).unwrap();
    kept(&bare.disk, "has 24576 blocks of 1024 bytes in a volume of 25164800 bytes", true);
}

#[test]
fn one_that_others_use_and_journals_are_kept_whole() {
    let test = "one_that_others_use_and_journals_are_kept_whole";
    if !have(test, &TOOLS) {
        return;
    }
    for (arguments, summed) in [("mmp", true), ("mmp,^metadata_csum", false)] {
        let scratch = Scratch::of(24 * MIB);
        mke2fs(&scratch.disk, &["-b", "1024", "-O", arguments]);
        assert_eq!(only(&survey_of(&scratch.disk)).kept, None);
        let block = field(&run("dumpe2fs", &[&"-h", &scratch.disk]), "MMP block number:").unwrap();
        // The sequence number that e2fsck puts there while it works.
        poke(&scratch.disk, block * 1024 + 4, &0xE24D_4D50_u32.to_le_bytes());
        let damaged = "the block that guards it is damaged";
        kept(&scratch.disk, if summed { damaged } else { "is mounted, or being checked" }, true);
        poke(&scratch.disk, block * 1024, b"?");
        kept(&scratch.disk, damaged, true);
    }

    let journal = Scratch::of(8 * MIB);
    mke2fs(&journal.disk, &["-O", "journal_dev", "-b", "1024"]);
    assert_eq!(only(&survey_of(&journal.disk)).kind, Some("ext journal"));
    kept(&journal.disk, "is the journal of another volume", false);

    // With its journal elsewhere, and that empty, a volume is as good as any.
    let outside = Scratch::of(24 * MIB);
    mke2fs(&outside.disk, &["-b", "1024", "-O", "^has_journal"]);
    debugfs(&outside.disk, &["feature has_journal", "ssv journal_dev 0x801"]);
    assert_eq!(only(&survey_of(&outside.disk)).kept, None);
}

fn survey_patched(bytes: &[u8], patches: Vec<(u64, u8)>) -> Survey {
    survey(&Patched { bytes, patches }, &()).unwrap()
}

/// Changed anywhere in its tables, a volume is kept whole, or nothing changes that matters: what it holds is never free.
#[test]
fn no_damage_makes_anything_free() {
    let test = "no_damage_makes_anything_free";
    if !have(test, &TOOLS) {
        return;
    }
    let mut state = 0x0dd_ba11_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 8) % below
    };
    let mut outcomes = [0, 0];
    for arguments in [
        &["-t", "ext2", "-b", "1024", "-g", "1024"][..],
        &["-t", "ext3", "-b", "1024", "-g", "2048"],
        &["-b", "1024", "-g", "1024", "-O", "^metadata_csum"],
        &["-b", "1024", "-g", "1024", "-O", "^metadata_csum,^resize_inode,meta_bg,mmp"],
        &["-b", "1024", "-g", "8192", "-O", "^metadata_csum,^resize_inode,bigalloc", "-C", "4096"],
        &["-b", "1024", "-g", "1024"],
    ] {
        let scratch = Scratch::of(8 * MIB);
        let files = scratch.path("files");
        fill(&files, 1, MIB);
        mke2fs(&scratch.disk, &[arguments, &["-d", files.to_str().unwrap()]].concat());
        let dump = run("dumpe2fs", &[&scratch.disk]);
        let bytes = fs::read(&scratch.disk).unwrap();
        let whole = survey_patched(&bytes, Vec::new());
        assert_eq!(only(&whole).kept, None);
        let bitmap = field(&dump, "Block bitmap at").unwrap() * 1024;
        let table = field(&dump, "Inode table at").unwrap() * 1024;
        let areas =
            [(1024, 0x70), (1024 + 0xC0, 0x60), (1024 + 0x150, 0x130), (2048, 1024), (bitmap, 1024), (table, 2048)];
        for round in 0..4000 {
            let (start, len) = areas[random(areas.len() as u64) as usize];
            // Where there are no checksums, nothing tells of a bitmap with as many bits cleared as are set.
            let count = if start == bitmap { 1 } else { 1 + round % 3 };
            let patches = (0..count).map(|_| {
                let at = start + random(len);
                let was = bytes[at as usize];
                let byte = match random(4) {
                    0 => 0,
                    1 => 0xFF,
                    2 => was ^ 1 << random(8),
                    _ => random(256) as u8,
                };
                (at, byte)
            });
            let patches: Vec<_> = patches.collect();
            let found = survey_patched(&bytes, patches.clone());
            let is_whole = found.unused.is_empty();
            outcomes[usize::from(is_whole)] += 1;
            let held =
                |range: &Range<u64>| whole.unused.within(range.clone()).map(|part| part.end - part.start).sum::<u64>();
            for range in found.unused.iter() {
                assert_eq!(held(range), range.end - range.start, "{arguments:?} {patches:x?}");
            }
        }
    }
    // Much of a superblock is of no account here, and most of the rest is.
    assert!(outcomes.iter().all(|&count| count > 1500), "{outcomes:?}");
}

#[test]
fn volumes_of_any_small_size_are_looked_at() {
    let mut bytes = noise(3, 4096);
    bytes[1024 + 0x38..][..2].copy_from_slice(&[0x53, 0xEF]);
    for size in (0..4096).step_by(8) {
        let found = survey_patched(&bytes[..size], Vec::new());
        assert!(found.unused.is_empty());
    }
}
