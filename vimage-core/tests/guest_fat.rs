//! FAT and exFAT, made by dosfstools and exfatprogs, filled by mtools and exfat-fuse, checked by their own checkers.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "guest/fuse.rs"]
mod fuse;
mod guest;
#[path = "guest/mutate.rs"]
mod mutate;

use fuse::{Fuse, Loop};
use guest::{
    Scratch, compacted, contents, fill, fill_and_delete, have, noise, only, output, peek, poke, run, spoil, survey_of,
};
use mutate::mutate;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FAT: [&str; 4] = ["mkfs.fat", "fsck.fat", "mcopy", "mdeltree"];
const EXFAT: [&str; 3] = ["mkfs.exfat", "fsck.exfat", "mount.exfat-fuse"];

/// Runs one of the mtools on a disk. They object to odd geometries, which are as good as any here.
fn mtools(program: &str, disk: &Path, arguments: &[&str]) -> String {
    let disk = disk.to_str().unwrap();
    let mut all: Vec<&str> = vec!["MTOOLS_SKIP_CHECK=1", program, "-i", disk];
    all.extend(arguments);
    let all: Vec<&dyn AsRef<std::ffi::OsStr>> = all.iter().map(|word| word as &dyn AsRef<_>).collect();
    run("env", &all)
}

/// Makes a FAT with files between deleted ones, and gives what its files hold.
fn make_fat(scratch: &Scratch, options: &[&str], bytes: u64) -> BTreeMap<PathBuf, String> {
    let disk = scratch.disk.to_str().unwrap();
    let mut all: Vec<&dyn AsRef<std::ffi::OsStr>> = options.iter().map(|word| word as &dyn AsRef<_>).collect();
    all.push(&disk);
    run("mkfs.fat", &all);
    let files = scratch.path("files");
    let copy = |name: &str| {
        let from = files.join(name);
        mtools("mcopy", &scratch.disk, &["-s", "-Q", "-m", from.to_str().unwrap(), "::/"]);
    };
    for part in 0..3 {
        fill(&files, 10 + part, bytes / 6);
        fill(&files, 20 + part, bytes / 4);
        copy(&format!("s{}", 10 + part));
        copy(&format!("s{}", 20 + part));
    }
    for part in 0..3 {
        let name = format!("s{}", 20 + part);
        mtools("mdeltree", &scratch.disk, &[&format!("::/{name}")]);
        fs::remove_dir_all(files.join(name)).unwrap();
    }
    contents(&files)
}

/// What the files on a FAT hold.
fn read_fat(scratch: &Scratch, disk: &Path) -> BTreeMap<PathBuf, String> {
    let out = scratch.path("out");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir(&out).unwrap();
    mtools("mcopy", disk, &["-s", "-Q", "-n", "-m", "::/*", out.to_str().unwrap()]);
    contents(&out)
}

/// Bytes that are free by the checker, which must find nothing wrong: its line is "N files, used/all clusters".
fn free_by_fsck(disk: &Path) -> u64 {
    let said = run("fsck.fat", &[&"-n", &"-v", &disk]);
    let size = |line: &str| line.trim().strip_suffix(" bytes per cluster")?.trim().parse::<u64>().ok();
    let cluster = said.lines().find_map(size).unwrap();
    let counts =
        said.lines().find_map(|line| line.strip_suffix(" clusters")?.rsplit(' ').next()?.split_once('/')).unwrap();
    (counts.1.parse::<u64>().unwrap() - counts.0.parse::<u64>().unwrap()) * cluster
}

#[test]
fn fat_without_what_is_free_is_the_same() {
    if !have("fat_without_what_is_free_is_the_same", &FAT) {
        return;
    }
    for (kind, size, bytes, options) in [
        ("FAT12", 1440 << 10, 240 << 10, &["-F", "12"][..]),
        ("FAT12", 4 << 20, 1 << 20, &["-F", "12", "-s", "4", "-f", "1"]),
        ("FAT16", 32 << 20, 12 << 20, &["-F", "16", "-s", "2"]),
        ("FAT16", 128 << 20, 24 << 20, &["-F", "16", "-S", "4096", "-s", "1", "-f", "2", "-R", "3"]),
        ("FAT32", 64 << 20, 24 << 20, &["-F", "32", "-s", "1"]),
        ("FAT32", 200 << 20, 24 << 20, &["-F", "32", "-s", "1", "-n", "LABEL"]),
        ("FAT32", 96 << 20, 24 << 20, &["-F", "32", "-S", "1024", "-s", "1", "-f", "1"]),
    ] {
        let scratch = Scratch::of(size);
        let files = make_fat(&scratch, options, bytes);
        let free = free_by_fsck(&scratch.disk);
        let to = scratch.path("compacted.raw");
        let found = compacted(&scratch.disk, &to);
        let region = only(&found);
        assert_eq!((region.kind, region.kept.as_ref()), (Some(kind), None), "{options:?}");
        assert_eq!(region.free, Some(free), "{options:?}");
        assert_eq!(found.unused.bytes(), free, "{options:?}");
        assert!(region.dropped > bytes / 2, "{options:?}: {}", region.dropped);
        assert_eq!(free_by_fsck(&to), free);
        assert_eq!(read_fat(&scratch, &to), files, "{options:?}");
        spoil(&scratch.disk, &found);
        assert_eq!(free_by_fsck(&scratch.disk), free);
        assert_eq!(read_fat(&scratch, &scratch.disk), files, "{options:?}");
        // And it can be written to.
        fs::write(scratch.path("more"), noise(3, 100_000)).unwrap();
        mtools("mcopy", &to, &[scratch.path("more").to_str().unwrap(), "::/"]);
        free_by_fsck(&to);
        assert_eq!(read_fat(&scratch, &to).len(), files.len() + 1);
    }
}

/// That the only region of `disk` is kept whole, as `kind`, for a reason with `words` in it.
#[track_caller]
fn kept(disk: &Path, kind: Option<&str>, words: &str) {
    let found = survey_of(disk);
    let region = only(&found);
    assert!(found.unused.is_empty(), "{found:?}");
    assert_eq!(region.kind, kind, "{region:?}");
    let reason = &region.kept.as_ref().unwrap().reason;
    assert!(reason.contains(words), "{reason}");
}

/// A small FAT of each kind with a few files: its disk, and what is read of its boot sector by hand.
fn small(bits: u64) -> (Scratch, Places) {
    let (size, cluster) = match bits {
        12 => (1440 << 10, "1"),
        16 => (16 << 20, "2"),
        _ => (40 << 20, "1"),
    };
    let scratch = Scratch::of(size);
    make_fat(&scratch, &["-F", &bits.to_string(), "-s", cluster], 300 << 10);
    let boot = peek(&scratch.disk, 0, 512);
    let word = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    let reserved = word(14) * 512;
    let table = if bits == 32 { word(36) + (word(38) << 16) } else { word(22) } * 512;
    (scratch, Places { tables: [reserved, reserved + table], bits })
}

struct Places {
    tables: [u64; 2],
    bits: u64,
}

impl Places {
    /// Where the entry of a cluster is, in both copies of the table. Not for 12 bits.
    fn entry(&self, number: u64) -> [u64; 2] {
        self.tables.map(|table| table + number * self.bits / 8)
    }

    fn write(&self, disk: &Path, number: u64, value: u32) {
        for at in self.entry(number) {
            poke(disk, at, &value.to_le_bytes()[..self.bits as usize / 8]);
        }
    }

    fn read(&self, disk: &Path, number: u64) -> u64 {
        let mut bytes = peek(disk, self.entry(number)[0], self.bits as usize / 8);
        bytes.resize(8, 0);
        u64::from_le_bytes(bytes.try_into().unwrap())
    }
}

#[test]
fn fat_in_disorder_is_kept_whole() {
    if !have("fat_in_disorder_is_kept_whole", &FAT) {
        return;
    }
    for bits in [12, 16, 32] {
        let name = format!("FAT{bits}");
        let kind = Some(name.as_str());
        let (scratch, places) = small(bits);
        let disk = &scratch.disk;
        let whole = only(&survey_of(disk)).free.unwrap();
        let again = |at: u64, bytes: &[u8], words: &str| {
            let before = peek(disk, at, bytes.len());
            poke(disk, at, bytes);
            kept(disk, kind, words);
            poke(disk, at, &before);
        };

        // Marked in the boot sector: the checker says the same.
        let state = if bits == 32 { 0x41 } else { 0x25 };
        poke(disk, state, &[1]);
        assert!(String::from_utf8_lossy(&output("fsck.fat", &[&"-n", disk]).stdout).contains("Dirty bit is set"));
        poke(disk, state, &[0]);
        again(state, &[1], "was not unmounted");
        again(state, &[2], "was not unmounted");
        // Copies that differ: the checker says the same.
        poke(disk, places.tables[1] + 40, b"\x01\x02");
        assert!(String::from_utf8_lossy(&output("fsck.fat", &[&"-n", disk]).stdout).contains("FATs differ"));
        kept(disk, kind, "copies of its table that differ");
        let first = peek(disk, places.tables[0] + 40, 2);
        poke(disk, places.tables[1] + 40, &first);
        again(places.tables[0], &[0xF1], "differ");
        again(21, &[0xF9], "table that starts with");
        // Too few sectors in the table, and too many on the disk.
        match bits {
            32 => again(36, &1_u32.to_le_bytes(), "table of 512 bytes"),
            _ => again(22, &1_u16.to_le_bytes(), "table of 512 bytes"),
        }
        let size = fs::metadata(disk).unwrap().len();
        fs::File::options().write(true).open(disk).unwrap().set_len(size - 512).unwrap();
        kept(disk, kind, "sectors of 512 bytes in a volume of");
        fs::File::options().write(true).open(disk).unwrap().set_len(size).unwrap();
        // What is no cluster of this kind's.
        poke(disk, 510, &[0]);
        kept(disk, None, "holds nothing that is known");
        poke(disk, 510, &[0x55]);
        assert_eq!(only(&survey_of(disk)).free, Some(whole));
        if bits == 12 {
            continue;
        }
        // Marked in the table.
        for bit in [1, 2] {
            let before = places.read(disk, 1) as u32;
            places.write(disk, 1, before & !(1 << (if bits == 32 { 28 } else { 16 } - bit)));
            kept(disk, kind, "was not unmounted");
            places.write(disk, 1, before);
        }
        let entries = |disk: &Path| (2..1000).map(|number| (number, places.read(disk, number))).collect::<Vec<_>>();
        let all = entries(disk);
        let unused = all.iter().find(|(_, value)| *value == 0).unwrap().0;
        let (used, next) = *all.iter().find(|(number, value)| *value == number + 1).unwrap();
        // A cluster that is bad is not free; the next one is.
        let bad = (1_u64 << if bits == 32 { 28 } else { 16 }) - 9;
        places.write(disk, unused, bad as u32);
        assert_eq!(only(&survey_of(disk)).free, Some(whole - if bits == 32 { 512 } else { 1024 }));
        places.write(disk, unused, 0);
        // Chains that end in free clusters, meet, or lead nowhere.
        places.write(disk, used, unused as u32);
        kept(disk, kind, "a chain that goes on in a free cluster");
        places.write(disk, used, 1);
        kept(disk, kind, "which is none");
        places.write(disk, used, if bits == 16 { 0xE000 } else { 0x0100_0000 });
        kept(disk, kind, "which is none");
        places.write(disk, used, next as u32);
        places.write(disk, unused, next as u32);
        kept(disk, kind, "two chains");
        places.write(disk, unused, 0);
        assert_eq!(only(&survey_of(disk)).free, Some(whole));
    }
}

#[test]
fn fat32_has_its_own_ways() {
    if !have("fat32_has_its_own_ways", &FAT) {
        return;
    }
    let (scratch, places) = small(32);
    let disk = &scratch.disk;
    let whole = only(&survey_of(disk)).free;
    // One copy of the table alone is kept.
    poke(disk, places.tables[0] + 600, &[1]);
    kept(disk, Some("FAT32"), "differ");
    poke(disk, 40, &[0x81]);
    assert_eq!(only(&survey_of(disk)).free, whole);
    poke(disk, 40, &[0x82]);
    kept(disk, Some("FAT32"), "uses number 2");
    poke(disk, 40, &[0]);
    poke(disk, places.tables[0] + 600, &peek(disk, places.tables[1] + 600, 1));
    // The number of free clusters in the FSInfo sector is a hint.
    poke(disk, 512 + 488, &[1, 2, 0, 0]);
    assert_eq!(only(&survey_of(disk)).free, whole);
    poke(disk, 42, &[1]);
    kept(disk, Some("FAT32"), "version 0x0001");
    poke(disk, 42, &[0]);
    for (root, words) in
        [(0_u32, "root directory in cluster 0"), (70_000, "a free cluster"), (1 << 20, "root directory")]
    {
        poke(disk, 44, &root.to_le_bytes());
        kept(disk, Some("FAT32"), words);
    }
    poke(disk, 44, &[2, 0, 0, 0]);
    assert_eq!(only(&survey_of(disk)).free, whole);
    // What BitLocker leaves for systems that do not know it.
    for mark in [
        b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01",
        b"\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8",
    ] {
        poke(disk, 424, mark);
        kept(disk, Some("BitLocker"), "is not looked into");
    }

    // Fewer clusters than the specification gives FAT32: its checker, like its systems, goes by the layout.
    let (scratch, places) = small(32);
    let disk = &scratch.disk;
    // Made smaller, with its files: in the boot sector and its copy; the number of free clusters is not known then.
    for sector in [0, 6] {
        poke(disk, sector * 512 + 32, &60_000_u32.to_le_bytes());
    }
    poke(disk, 512 + 488, &[0xFF; 4]);
    let free = free_by_fsck(disk);
    let found = survey_of(disk);
    assert_eq!((only(&found).kind, only(&found).free), (Some("FAT32"), Some(free)));
    assert!(free < 60_000 * 512 && places.read(disk, 3) != 0, "{free}");
    spoil(disk, &found);
    assert_eq!(free_by_fsck(disk), free);
}

#[test]
fn a_hibernated_windows_on_fat_is_kept_whole() {
    if !have("a_hibernated_windows_on_fat_is_kept_whole", &FAT) {
        return;
    }
    for bits in [16, 32] {
        let (scratch, _) = small(bits);
        for (head, len, sleeps) in [
            (&b"hibr"[..], 50_000, true),
            (b"HIBR", 50_000, true),
            (b"wake", 50_000, false),
            (&[0; 4], 50_000, true),
            (&[0; 4096], 50_000, false),
            // That of a volume that the sleeping Windows has mounted.
            (b"wake", 100, true),
            (b"", 0, true),
        ] {
            let mut memory = noise(9, len);
            memory[..head.len()].copy_from_slice(head);
            fs::write(scratch.path("hiberfil.sys"), &memory).unwrap();
            mtools("mcopy", &scratch.disk, &["-o", scratch.path("hiberfil.sys").to_str().unwrap(), "::/"]);
            match sleeps {
                true => kept(&scratch.disk, Some(&format!("FAT{bits}")), "hibernated"),
                false => assert_eq!(only(&survey_of(&scratch.disk)).free, Some(free_by_fsck(&scratch.disk))),
            }
        }
    }
}

#[test]
fn what_only_looks_like_fat_is_not() {
    let scratch = Scratch::of(4 << 20);
    let mut tried = 0;
    let mut none = |start: &[u8], more: &[(usize, &[u8])]| {
        let mut sector = [0_u8; 512];
        sector[..start.len()].copy_from_slice(start);
        more.iter().for_each(|(at, bytes)| sector[*at..*at + bytes.len()].copy_from_slice(bytes));
        sector[510..].copy_from_slice(&[0x55, 0xAA]);
        poke(&scratch.disk, 0, &sector);
        let found = survey_of(&scratch.disk);
        assert!(found.unused.is_empty(), "{found:?}");
        assert!(found.regions.iter().all(|region| !region.kind.is_some_and(|kind| kind.contains("FAT"))), "{found:?}");
        tried += 1;
    };
    // Boot code of partition tables: GRUB's, which keeps room for values of FAT, and Windows', Syslinux's and FreeDOS's.
    none(b"\xEB\x63\x90", &[(0x5B, b"\x80\x01\0\0\0"), (0x180, b"GRUB \0Geom\0Hard Disk\0Read\0 Error\r\n")]);
    none(b"\x33\xC0\x8E\xD0\xBC\x00\x7C\x8E\xC0\x8E\xD8\xBE\x00\x7C\xBF\x00\x06\xB9\x00\x02\xFC\xF3\xA4\x50\x68\x1C\x06\xCB\xFB\xB9\x04\x00", &[]);
    none(
        b"\x33\xC0\xFA\x8E\xD8\x8E\xD0\xBC\x00\x7C\x89\xE6\x06\x57\x8E\xC0\xFB\xFC\xBF\x00\x06\xB9\x00\x01\xF3\xA5",
        &[],
    );
    none(b"\xFA\xFC\x31\xC0\x8E\xD0\xBC\x00\x7C\x8E\xD8\x8E\xC0\xBE\x00\x7C\xBF\x00\x06", &[]);
    // Values as mkfs.fat writes them, with one that cannot be, or another kind's name.
    let values: &[u8] =
        b"\xEB\x3C\x90mkfs.fat\0\x02\x04\x01\0\x02\0\x02\0\x20\xF8\x08\0\x20\0\x02\0\0\0\0\0\0\0\0\0\x80";
    for more in [
        (0, &b"\x33\xC0"[..]),
        (3, b"NTFS    "),
        (3, b"EXFAT   "),
        (3, b"-FVE-FS-"),
        (54, b"HPFS    "),
        (11, &[0, 3]),
        (11, &[0, 1]),
        (13, &[0]),
        (13, &[3]),
        (14, &[0, 0]),
        (16, &[0]),
        (17, &[0, 0]),
        (19, &[0, 0]),
        (19, &[20, 0]),
        (21, &[0x12]),
        (22, &[0, 0]),
    ] {
        none(values, &[more]);
    }
    assert_eq!(tried, 20);
    let mut sector = values.to_vec();
    sector.resize(512, 0);
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    poke(&scratch.disk, 0, &sector);
    assert_eq!(only(&survey_of(&scratch.disk)).kind, Some("FAT12"), "the values themselves are right");
}

#[test]
fn mutated_fats_never_panic() {
    if !have("mutated_fats_never_panic", &FAT) {
        return;
    }
    for bits in [12, 16, 32] {
        let (scratch, places) = small(bits);
        let tables = places.tables;
        let places = [0..90, 0..64, tables[0]..tables[0] + 64, tables[1]..tables[1] + 64, 510..512];
        let kept = mutate(&scratch.disk, &places, 1000);
        assert!(kept > 500, "{kept}");
    }
}

fn mount_exfat(test: &str, scratch: &Scratch, disk: &Path) -> Option<Fuse> {
    let folder = scratch.path("mounted");
    fs::create_dir_all(&folder).unwrap();
    let device = Loop::new(test, disk)?;
    let mut command = Command::new("mount.exfat-fuse");
    Some(Fuse::new(test, command.arg("-d").arg(&device.0).arg(&folder), &folder)?.on(device))
}

fn check_exfat(disk: &Path) {
    run("fsck.exfat", &[&"-n", &disk]);
}

/// Bytes that are free by the driver of what is mounted at `folder`.
fn free_by_driver(folder: &Path) -> u64 {
    let free = run("stat", &[&"-f", &"-c", &"%f %S", &folder]);
    let (count, unit) = free.trim().split_once(' ').unwrap();
    count.parse::<u64>().unwrap() * unit.parse::<u64>().unwrap()
}

/// Makes an exFAT with files between deleted ones: what its files hold, and how much is free by its driver.
fn make_exfat(test: &str, scratch: &Scratch, options: &[&str], bytes: u64) -> Option<(BTreeMap<PathBuf, String>, u64)> {
    let mut all: Vec<&dyn AsRef<std::ffi::OsStr>> = options.iter().map(|word| word as &dyn AsRef<_>).collect();
    all.push(&scratch.disk);
    run("mkfs.exfat", &all);
    let mounted = mount_exfat(test, scratch, &scratch.disk)?;
    fill_and_delete(&mounted.folder, bytes / 2, bytes);
    let files = contents(&mounted.folder);
    let free = free_by_driver(&mounted.folder);
    drop(mounted);
    check_exfat(&scratch.disk);
    Some((files, free))
}

#[test]
fn exfat_without_what_is_free_is_the_same() {
    const TEST: &str = "exfat_without_what_is_free_is_the_same";
    if !have(TEST, &EXFAT) {
        return;
    }
    for (size, options) in
        [(64 << 20, &["-c", "512"][..]), (128 << 20, &["-c", "4K", "-L", "LABEL"]), (128 << 20, &["-c", "128K"])]
    {
        let scratch = Scratch::of(size);
        let Some((files, free)) = make_exfat(TEST, &scratch, options, 24 << 20) else { return };
        let to = scratch.path("compacted.raw");
        let found = compacted(&scratch.disk, &to);
        let region = only(&found);
        assert_eq!((region.kind, region.kept.as_ref()), (Some("exFAT"), None), "{options:?}");
        assert_eq!(region.free, Some(free), "{options:?}");
        assert!(region.dropped > 20 << 20, "{options:?}: {}", region.dropped);
        spoil(&scratch.disk, &found);
        for disk in [&to, &scratch.disk] {
            check_exfat(disk);
            let mounted = mount_exfat(TEST, &scratch, disk).unwrap();
            assert_eq!(contents(&mounted.folder), files, "{options:?}");
            fill(&mounted.folder.join("more"), 5, 3 << 20);
            drop(mounted);
            check_exfat(disk);
        }
    }
}

#[test]
fn an_exfat_bitmap_ends_before_its_cluster_does() {
    const TEST: &str = "an_exfat_bitmap_ends_before_its_cluster_does";
    if !have(TEST, &EXFAT) {
        return;
    }
    let scratch = Scratch::of(256 << 20);
    run("mkfs.exfat", &[&"-c", &"2M", &scratch.disk]);
    let Some(mounted) = mount_exfat(TEST, &scratch, &scratch.disk) else { return };
    fs::write(mounted.folder.join("deleted"), noise(1, 9 << 20)).unwrap();
    fs::write(mounted.folder.join("kept"), noise(2, 5 << 20)).unwrap();
    run("sync", &[&"-f", &mounted.folder]);
    fs::remove_file(mounted.folder.join("deleted")).unwrap();
    let (files, free) = (contents(&mounted.folder), free_by_driver(&mounted.folder));
    drop(mounted);
    let found = survey_of(&scratch.disk);
    assert_eq!((only(&found).kept.as_ref(), only(&found).free), (None, Some(free)));
    spoil(&scratch.disk, &found);
    check_exfat(&scratch.disk);
    let mounted = mount_exfat(TEST, &scratch, &scratch.disk).unwrap();
    assert_eq!(contents(&mounted.folder), files);
}

#[test]
fn exfat_in_disorder_is_kept_whole() {
    const TEST: &str = "exfat_in_disorder_is_kept_whole";
    if !have(TEST, &EXFAT) {
        return;
    }
    let scratch = Scratch::of(32 << 20);
    let disk = &scratch.disk;
    let Some((_, free)) = make_exfat(TEST, &scratch, &["-c", "4K"], 4 << 20) else { return };
    assert_eq!(only(&survey_of(disk)).free, Some(free));
    let boot = peek(disk, 0, 512);
    let number = |at: usize| u64::from(u32::from_le_bytes(boot[at..at + 4].try_into().unwrap()));
    let (table, heap, root) = (number(80) * 512, number(88) * 512, number(96));
    let root_at = heap + (root - 2) * 4096;
    // Writes the checksum anew, by the specification's own words: rotate, add, all but three bytes.
    let sum = |disk: &Path| {
        let mut sum = 0_u32;
        for (at, byte) in peek(disk, 0, 11 * 512).into_iter().enumerate() {
            if at != 106 && at != 107 && at != 112 {
                sum = (if sum & 1 == 1 { 0x8000_0000_u32 } else { 0 }).wrapping_add(sum >> 1).wrapping_add(byte.into());
            }
        }
        poke(disk, 11 * 512, &sum.to_le_bytes().repeat(128));
    };
    let again = |at: u64, bytes: &[u8], words: &str| {
        let before = peek(disk, at, bytes.len());
        poke(disk, at, bytes);
        let region = survey_of(disk);
        assert!(only(&region).kept.is_some(), "{at}");
        sum(disk);
        kept(disk, Some("exFAT"), words);
        poke(disk, at, &before);
        sum(disk);
    };
    // Flags and the percentage are not summed.
    again(106, &[2], "was not unmounted");
    again(106, &[4], "failing");
    again(106, &[0x10], "flags that are not known");
    again(112, &[101], "101 % in use");
    for harmless in [(106, 8), (112, 0xFF), (112, 77)] {
        poke(disk, harmless.0, &[harmless.1]);
        assert_eq!(only(&survey_of(disk)).free, Some(free));
        poke(disk, harmless.0, &[boot[harmless.0 as usize]]);
    }
    again(110, &[2], "TexFAT");
    again(105, &[2], "revision");
    again(108, &[8], "sectors of 2^8 bytes");
    again(109, &[17], "clusters of 2^17 sectors");
    again(72, &(65_537_u64).to_le_bytes(), "65537 sectors of 512 bytes in a volume of");
    again(88, &((number(80) + 1) as u32).to_le_bytes(), "has its table in sectors");
    again(92, &((number(92) * 2) as u32).to_le_bytes(), "has its table in sectors");
    again(96, &[0xFF, 0xFF, 0xFF, 0], "root directory in cluster");
    again(table, &[0xF0], "table that starts with");
    // The checksum: of the boot code, which nothing else depends on.
    poke(disk, 200, &[1]);
    assert!(!output("fsck.exfat", &[&"-n", disk]).status.success(), "the checker sees it too");
    kept(disk, Some("exFAT"), "does not fit its checksum");
    poke(disk, 200, &[boot[200]]);
    // The chain of the root directory: without an end, and out of the disk.
    again(table + root * 4, &(root as u32).to_le_bytes(), "without end");
    again(table + root * 4, &[0xF7, 0xFF, 0xFF, 0xFF], "which is none");
    // Its entries: where they are is found by their kinds.
    let entries = peek(disk, root_at, 4096);
    let find = |kind: u8| root_at + entries.chunks(32).position(|entry| entry[0] == kind).unwrap() as u64 * 32;
    let (bitmap, up_case, file) = (find(0x81), find(0x82), find(0x85));
    let clusters_at = |entry: u64| peek(disk, entry + 20, 4).try_into().map(u32::from_le_bytes).unwrap();
    again(bitmap, &[1], "no allocation bitmap");
    again(bitmap + 24, &[1, 0], "has a bitmap of 1 bytes");
    again(bitmap + 1, &[1], "two allocation bitmaps");
    again(file, &[0x81], "two allocation bitmaps");
    again(file, &[0x84], "unknown kind 0x84");
    again(up_case, &[2], "no up-case table");
    again(up_case + 20, &[0], "that cannot be");
    again(up_case + 26, &[0xFF], "up-case table of");
    again(table + u64::from(clusters_at(bitmap)) * 4, &[3, 0, 0, 0], "its chain");
    // The bitmap's own clusters, the up-case table's and the root directory's called free.
    let bits_at = heap + u64::from(clusters_at(bitmap) - 2) * 4096;
    for cluster in [clusters_at(bitmap), clusters_at(up_case), root as u32] {
        let at = bits_at + u64::from(cluster - 2) / 8;
        let byte = peek(disk, at, 1)[0];
        again(at, &[byte & !(1 << ((cluster - 2) % 8))], &format!("calls cluster {cluster} free"));
    }
    assert_eq!(only(&survey_of(disk)).free, Some(free));
    check_exfat(disk);
    let places = [64..128, 106..107, table..table + 64, root_at..root_at + 256, bits_at..bits_at + 16];
    let kept = mutate(disk, &places, 2000);
    assert!(kept > 500, "{kept}");
}
