//! XFS: what mkfs.xfs makes and Linux or mkfs fills, told as xfs_db tells it and checked by xfs_repair.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod guest;
mod xfs;

use guest::{
    Mounted, Scratch, compacted, contents, fill, fill_and_delete, have, noise, only, peek, poke, run, say, spoil,
    survey_of,
};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use xfs::{Layout, MIB, Seal, TOOLS, Told, check, field, is_kept, make};

/// Fills a file system by mounting it, empties some of it, and takes what is free out of copies.
fn mounted(test: &str, size: u64, options: &[&str], also: impl Fn(&Path)) -> Option<Scratch> {
    let scratch = Scratch::of(size);
    make(&scratch.disk, options);
    let deleted = 24 * MIB;
    let before = {
        let mount = Mounted::new(test, &scratch.disk, 0, &scratch.path("mount"), "")?;
        fill_and_delete(&mount.folder, 12 * MIB, deleted);
        also(&mount.folder);
        contents(&mount.folder)
    };
    check(&scratch.disk);
    let told = Told::of(&scratch.disk);
    let small = scratch.path("small.raw");
    let survey = compacted(&scratch.disk, &small);
    told.is(&survey);
    let dropped = only(&survey).dropped;
    assert!(dropped >= deleted * 9 / 10, "{test}: {dropped} bytes of {deleted}");
    say(test, &format!("{} bytes free as xfs_db says, {dropped} dropped of {deleted} deleted", told.bytes));

    spoil(&scratch.disk, &survey);
    for disk in [&scratch.disk, &small] {
        check(disk);
        {
            let mount = Mounted::new(test, disk, 0, &scratch.path("mount"), "")?;
            assert_eq!(contents(&mount.folder), before);
            fill(&mount.folder, 99, 8 * MIB);
        }
        check(disk);
        Told::of(disk).is(&survey_of(disk));
    }
    Some(scratch)
}

#[test]
fn as_made_by_default() {
    if have("as_made_by_default", &TOOLS) {
        mounted("as_made_by_default", 320 * MIB, &[], |_| ());
    }
}

#[test]
fn with_reverse_map_and_many_groups() {
    if have("with_reverse_map_and_many_groups", &TOOLS) {
        let options = ["-m", "rmapbt=1,reflink=1", "-d", "agcount=7"];
        mounted("with_reverse_map_and_many_groups", 161 * MIB, &options, |_| ());
    }
}

#[test]
fn with_few_features() {
    if have("with_few_features", &TOOLS) {
        let options = ["-m", "finobt=0,reflink=0,inobtcount=0,bigtime=0", "-i", "sparse=0"];
        mounted("with_few_features", 128 * MIB, &options, |_| ());
    }
}

#[test]
fn with_large_sectors() {
    if have("with_large_sectors", &TOOLS) {
        mounted("with_large_sectors", 160 * MIB, &["-s", "size=4096"], |_| ());
    }
}

#[test]
fn grown_and_given_another_uuid() {
    let test = "grown_and_given_another_uuid";
    if !have(test, &TOOLS) || !have(test, &["xfs_growfs", "xfs_admin"]) {
        return;
    }
    let grow = |folder: &Path| {
        run("xfs_growfs", &[&folder]);
        fill(folder, 77, 4 * MIB);
    };
    let Some(scratch) = mounted(test, 150 * MIB, &["-d", "size=70m,agcount=2"], grow) else { return };
    let disk = &scratch.disk;
    assert_eq!(field(disk, "sb 0", "agcount"), 5, "it was grown");
    run("xfs_admin", &[&"-U", &"generate", disk]);
    check(disk);
    assert_eq!(field(disk, "sb 0", "features_incompat") & 4, 4, "its metadata has the old one");
    // The tool leaves zeros between its record and what it fills the log with.
    assert!(is_kept(disk, "one turn").hint.is_some());
    drop(Mounted::new(test, disk, 0, &scratch.path("mount"), ""));
    Told::of(disk).is(&survey_of(disk));
}

/// Small blocks and free space in shreds make high trees.
#[test]
fn with_high_trees() {
    if !have("with_high_trees", &TOOLS) {
        return;
    }
    let shred = |folder: &Path| {
        let name = |number: u32| folder.join(format!("shred-{number}"));
        (0..3000).for_each(|number| fs::write(name(number), noise(number.into(), 900)).unwrap());
        run("sync", &[&"-f", &folder]);
        (0..3000).step_by(2).for_each(|number| fs::remove_file(name(number)).unwrap());
    };
    let options = ["-b", "size=1024", "-d", "agcount=2", "-m", "rmapbt=1"];
    let Some(scratch) = mounted("with_high_trees", 128 * MIB, &options, shred) else { return };
    let disk = &scratch.disk;
    let group =
        (0..2).find(|group| field(disk, &format!("agf {group}"), "bnolevel") > 1).expect("a tree of two levels");
    let layout = Layout::of(disk);
    assert_eq!(layout.tree_block(disk, group, 4)[4..6], [0, 1], "the root is not a leaf");

    // A child in place of the next one, and a leaf in place of itself.
    let (root, most) = (layout.tree_root(disk, group, 4), (1024 - 56) / 12);
    let pointer = |index: u64| root + 56 + most * 8 + index * 4;
    let (first, second) = (peek(disk, pointer(0), 4), peek(disk, pointer(1), 4));
    poke(disk, pointer(1), &first);
    layout.seal(disk, layout.tree(root));
    is_kept(disk, "neighbour");
    poke(disk, pointer(1), &((root / layout.block) as u32 - (group * layout.group_blocks) as u32).to_be_bytes());
    layout.seal(disk, layout.tree(root));
    is_kept(disk, "level");
    poke(disk, pointer(1), &second);
    layout.seal(disk, layout.tree(root));
    let child = layout.at(group, u32::from_be_bytes(first.try_into().unwrap()).into());
    let right = peek(disk, child + 12, 4);
    poke(disk, child + 12, &peek(disk, pointer(0), 4));
    layout.seal(disk, layout.tree(child));
    is_kept(disk, "neighbour");
    poke(disk, child + 12, &right);
    layout.seal(disk, layout.tree(child));
    Told::of(disk).is(&survey_of(disk));
}

/// A small log goes round many times.
#[test]
fn with_a_log_written_round_and_round() {
    let test = "with_a_log_written_round_and_round";
    if !have(test, &TOOLS) {
        return;
    }
    let scratch = Scratch::of(128 * MIB);
    let disk = &scratch.disk;
    make(disk, &["-l", "size=5m,sunit=8"]);
    let log = Layout::of(disk).log(disk);
    for round in 0..6 {
        {
            let Some(mount) = Mounted::new(test, disk, 0, &scratch.path("mount"), "") else { return };
            for part in 0..(8 + round) {
                let folder = mount.folder.join(format!("{round}-{part}"));
                fs::create_dir(&folder).unwrap();
                (0..200).for_each(|number| fs::write(folder.join(number.to_string()), "x").unwrap());
                run("sync", &[&"-f", &folder]);
                if part % 3 == 2 {
                    fs::remove_dir_all(folder).unwrap();
                }
            }
        }
        Told::of(disk).is(&survey_of(disk));
    }
    let word = |at: u64| u32::from_be_bytes(peek(disk, log + at, 4).try_into().unwrap());
    let cycle = if word(0) == 0xfeed_babe { word(4) } else { word(0) };
    assert!(cycle > 1, "the log has gone round: {cycle}");
}

/// What is written while it is mounted may be in the log only; mounting and unmounting brings it home.
#[test]
fn mounted_is_dirty() {
    let test = "mounted_is_dirty";
    if !have(test, &TOOLS) {
        return;
    }
    let scratch = Scratch::of(128 * MIB);
    let (disk, copy, frozen) = (&scratch.disk, scratch.path("copy.raw"), scratch.path("frozen.raw"));
    make(disk, &[]);
    {
        let Some(mount) = Mounted::new(test, disk, 0, &scratch.path("mount"), "") else { return };
        fill(&mount.folder, 1, 4 * MIB);
        run("sync", &[&"-f", &mount.folder]);
        run("sync", &[&"-f", disk]);
        fs::copy(disk, &copy).unwrap();
        // A snapshot of a frozen file system is whole, but only with its log.
        run("fsfreeze", &[&"-f", &mount.folder]);
        let copied = fs::copy(disk, &frozen);
        run("fsfreeze", &[&"-u", &mount.folder]);
        copied.unwrap();
    }
    Told::of(disk).is(&survey_of(disk));
    // A log that is thrown away is clean, though what it held is lost.
    let forced = scratch.path("forced.raw");
    fs::copy(&copy, &forced).unwrap();
    run("xfs_repair", &[&"-L", &"-f", &forced]);
    check(&forced);
    Told::of(&forced).is(&survey_of(&forced));
    for disk in [&copy, &frozen] {
        let kept = is_kept(disk, "log");
        assert_eq!(kept.hint.as_deref(), Some("mount and unmount it once"));
        drop(Mounted::new(test, disk, 0, &scratch.path("mount"), ""));
        check(disk);
        Told::of(disk).is(&survey_of(disk));
    }
}

/// Fills a file system while it is made, for those that the kernel does not mount.
fn unmounted(test: &str, size: u64, options: &[&str]) -> Scratch {
    let scratch = Scratch::of(size);
    let disk = &scratch.disk;
    let mut list = String::from("/none\n0 0\nd--755 0 0\n");
    let files: Vec<PathBuf> = (0..12).map(|number| scratch.path(&format!("source-{number}"))).collect();
    for (number, file) in files.iter().enumerate() {
        fs::write(file, noise(number as u64 + 7, 70_000 * number + 512)).unwrap();
        list += &format!("file-{number} ---644 0 0 {}\n", file.display());
    }
    list += "$\n";
    let prototype = scratch.path("prototype");
    fs::write(&prototype, list).unwrap();
    make(disk, &[options, &["-p", prototype.to_str().unwrap()]].concat());
    check(disk);
    let told = Told::of(disk);
    let small = scratch.path("small.raw");
    let survey = compacted(disk, &small);
    told.is(&survey);
    say(test, &format!("{} bytes free as xfs_db says", told.bytes));
    spoil(disk, &survey);
    for disk in [disk, &small] {
        check(disk);
        // Every block of every file is there still, outside what is free.
        let block = field(disk, "sb 0", "blocksize") as usize;
        let bytes = fs::read(disk).unwrap();
        let mut there = HashSet::new();
        let mut at = 0;
        for free in told.free.iter().cloned().chain([size..size]) {
            there.extend(bytes[at..free.start as usize].chunks(block));
            at = free.end as usize;
        }
        for file in &files {
            let held = fs::read(file).unwrap();
            assert!(held.chunks_exact(block).all(|piece| there.contains(piece)), "{test}: {}", file.display());
        }
    }
    scratch
}

#[test]
fn of_version_4() {
    if !have("of_version_4", &TOOLS) {
        return;
    }
    for options in [
        &["-m", "crc=0"][..],
        &["-m", "crc=0", "-l", "version=1,lazy-count=0"],
        &["-m", "crc=0", "-b", "size=512", "-d", "agcount=5", "-n", "ftype=0"],
        &["-m", "crc=0", "-s", "size=2048", "-b", "size=2048", "-i", "attr=1,projid32bit=0"],
    ] {
        unmounted(&format!("of_version_4 {options:?}"), 96 * MIB, options);
    }
}

#[test]
fn with_blocks_of_many_sizes() {
    if !have("with_blocks_of_many_sizes", &TOOLS) {
        return;
    }
    for (size, options) in [
        (256, &["-b", "size=65536"][..]),
        (160, &["-b", "size=16384", "-d", "agcount=3", "-m", "rmapbt=1"]),
        (100, &["-b", "size=2048", "-s", "size=1024", "-l", "su=32k"]),
    ] {
        unmounted(&format!("with_blocks_of_many_sizes {options:?}"), size * MIB, options);
    }
}

/// Whatever single byte of its metadata changes, what is free stays the same or nothing is.
#[test]
fn no_change_of_a_byte_frees_anything() {
    if !have("no_change_of_a_byte_frees_anything", &TOOLS) {
        return;
    }
    let mut state = 88172645463325252_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for options in [&["-d", "agcount=2"][..], &["-m", "crc=0", "-d", "agcount=2"]] {
        let scratch = unmounted("no_change_of_a_byte_frees_anything", 40 * MIB, options);
        let (disk, layout) = (&scratch.disk, Layout::of(&scratch.disk));
        let before = survey_of(disk).unused;
        // Structures, how much of them matters, and whether they have a checksum.
        let log = Seal { start: layout.log(disk), len: 512, place: 0 };
        let mut structures = vec![
            (layout.superblock(), 0x108, true),
            (log, 0x144, false),
            (Seal { start: log.start + 512, ..log }, 16, false),
        ];
        for group in 0..2 {
            structures.push((layout.space_header(group), 0xe0, true));
            structures.push((layout.inode_header(group), 0x150, true));
            structures.push((layout.list(group), 0x60, true));
            structures.push((layout.tree(layout.tree_root(disk, group, 4)), 96, true));
            structures.push((layout.tree(layout.tree_root(disk, group, 5)), 96, true));
        }
        let mut outcomes = BTreeSet::new();
        for _ in 0..1500 {
            let (structure, matters, has_checksum) = structures[random(structures.len() as u64) as usize];
            let held = peek(disk, structure.start, structure.len as usize);
            let place = random(matters);
            let byte = [random(256) as u8, held[place as usize] ^ 1 << random(8)][random(2) as usize];
            let place = structure.start + place;
            poke(disk, place, &[byte]);
            if has_checksum && random(8) > 0 {
                layout.seal(disk, structure);
            }
            let survey = survey_of(disk);
            let kept = only(&survey).kept.as_ref().map(|kept| kept.reason.clone());
            if only(&survey).kind == Some("xfs") {
                match &kept {
                    Some(_) => assert!(survey.unused.is_empty()),
                    None => assert_eq!(survey.unused, before, "byte {place}: {byte}"),
                }
            }
            let words =
                |reason: String| reason.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().to_owned();
            outcomes.insert(kept.map(words));
            poke(disk, structure.start, &held);
        }
        assert_eq!(survey_of(disk).unused, before);
        assert!(outcomes.len() > 12, "only {outcomes:?}");
    }
}
