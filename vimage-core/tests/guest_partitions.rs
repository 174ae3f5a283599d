//! Partition tables made by sfdisk and sgdisk: where the partitions are, and tables that are not believed.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod guest;

use guest::{
    Mounted, Scratch, compacted, contents, fill_and_delete, have, left_out, noise, only, output, peek, poke, run,
};
use guest::{spoil, survey_of};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use vimage_core::guest::{Region, Survey};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;

/// A loop device while this lives.
struct Loop(PathBuf);

impl Loop {
    /// None where the machine gives none: said by name.
    fn new(test: &str, disk: &Path, block: &str) -> Option<Self> {
        let made = output("losetup", &[&"-f", &"--show", &"-b", &block, &disk]);
        if !made.status.success() {
            left_out(test, &format!("losetup: {}", String::from_utf8_lossy(&made.stderr)));
            return None;
        }
        Some(Loop(PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        output("losetup", &[&"-d", &self.0]);
    }
}

/// Makes a table by sfdisk.
fn sfdisk(disk: &Path, script: &str) {
    let mut child = Command::new("/usr/sbin/sfdisk")
        .args(["--quiet", "--no-reread", "--no-tell-kernel", "--wipe", "never"])
        .arg(disk)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{script}");
}

/// The partitions as sfdisk tells them, without extended ones: name, first byte, size.
fn witness(disk: &Path) -> Vec<(String, u64, u64)> {
    let dump = run("sfdisk", &[&"--dump", &disk]);
    let value = |line: &str, name: &str| {
        let value = line.split_once(name).unwrap_or_else(|| panic!("{name}: {line}")).1;
        value.trim_start_matches([':', '=', ' ']).split(',').next().unwrap().trim().to_owned()
    };
    let block: u64 =
        value(dump.lines().find(|line| line.starts_with("sector-size")).unwrap(), "sector-size").parse().unwrap();
    let mut found: Vec<_> = dump
        .lines()
        .filter(|line| line.contains("start="))
        .filter(|line| !["5", "f", "85"].contains(&value(line, "type=").as_str()))
        .map(|line| {
            let node = line.split(" :").next().unwrap();
            let number =
                node.chars().rev().take_while(char::is_ascii_digit).collect::<String>().chars().rev().collect();
            let bytes = |name| value(line, name).parse::<u64>().unwrap() * block;
            (number, bytes("start="), bytes("size="))
        })
        .collect();
    found.sort_by_key(|(_, start, _)| *start);
    found
}

fn places(survey: &Survey) -> Vec<(String, u64, u64)> {
    survey.regions.iter().map(|region| (region.name.clone(), region.start, region.size)).collect()
}

/// That the disk is kept whole, for a reason that contains `why`.
fn kept(disk: &Path, why: &str) {
    let survey = survey_of(disk);
    let region = only(&survey);
    assert_eq!((region.name.as_str(), region.start), ("disk", 0), "{why}: {survey:?}");
    assert!(survey.unused.is_empty() && region.free.is_none(), "{why}: {survey:?}");
    let kept = region.kept.as_ref().unwrap();
    assert!(kept.fault && kept.reason.contains(why), "{kept:?}: not {why}");
}

fn gpt(size: u64) -> Scratch {
    let scratch = Scratch::of(size);
    sfdisk(
        &scratch.disk,
        "label: gpt\nstart=2048, size=20480\nstart=40960, size=8192, type=S\nx7 : start=24576, size=4096\n",
    );
    scratch
}

const LOGICAL: &str = "label: dos\nx1 : start=2048, size=20480, type=83\nx2 : start=22528, size=8192, type=82\n\
    x3 : start=32768, size=40000, type=TYPE\nx4 : start=100000, size=31072, type=c\nx5 : start=34816, size=8192, type=83\n\
    x6 : start=45056, size=16384, type=7\nx7 : start=63488, size=4096, type=83\n";

fn dos() -> Scratch {
    let scratch = Scratch::of(SIZE);
    sfdisk(&scratch.disk, &LOGICAL.replace("TYPE", "5"));
    scratch
}

#[test]
fn primary_and_logical_partitions_are_where_sfdisk_says() {
    const NAME: &str = "primary_and_logical_partitions_are_where_sfdisk_says";
    if !have(NAME, &["sfdisk"]) {
        return;
    }
    for kind in ["5", "f", "85"] {
        let scratch = Scratch::of(SIZE);
        sfdisk(&scratch.disk, &LOGICAL.replace("TYPE", kind));
        let survey = survey_of(&scratch.disk);
        let known = witness(&scratch.disk);
        assert_eq!(known.len(), 6);
        assert_eq!((survey.table, places(&survey)), (Some("mbr"), known.clone()));
        // Where one in the middle goes, those behind it count one less.
        run("sfdisk", &[&"--quiet", &"--delete", &scratch.disk, &"6"]);
        let survey = survey_of(&scratch.disk);
        assert_eq!(places(&survey), witness(&scratch.disk));
        assert_eq!(survey.regions.len(), 5);
    }
    let scratch = Scratch::of(SIZE);
    sfdisk(&scratch.disk, "label: dos\nx1 : start=2048, size=20480, type=83\nx3 : start=32768, size=40000, type=5\n");
    assert_eq!(places(&survey_of(&scratch.disk)), witness(&scratch.disk));
}

#[test]
fn the_gpt_is_read_in_both_sizes_of_blocks() {
    const NAME: &str = "the_gpt_is_read_in_both_sizes_of_blocks";
    if !have(NAME, &["sfdisk", "sgdisk", "losetup"]) {
        return;
    }
    let scratch = gpt(SIZE);
    let survey = survey_of(&scratch.disk);
    let known = witness(&scratch.disk);
    assert_eq!((survey.table, places(&survey)), (Some("gpt"), known));
    assert_eq!(places(&survey).iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["1", "7", "2"]);

    let scratch = Scratch::of(SIZE);
    let Some(device) = Loop::new(NAME, &scratch.disk, "4096") else { return };
    sfdisk(&device.0, "label: gpt\nstart=256, size=2560\nstart=5120, size=1024\n");
    let known = witness(&device.0);
    drop(device);
    let survey = survey_of(&scratch.disk);
    assert_eq!((survey.table, places(&survey)), (Some("gpt"), known.clone()));
    assert_eq!(known[0].1, MIB);
    poke(&scratch.disk, 4096, &[0; 512]);
    assert_eq!(places(&survey_of(&scratch.disk)), known);
}

#[test]
fn one_copy_of_the_gpt_is_enough() {
    const NAME: &str = "one_copy_of_the_gpt_is_enough";
    if !have(NAME, &["sfdisk", "sgdisk"]) {
        return;
    }
    let scratch = gpt(SIZE);
    let known = witness(&scratch.disk);
    let whole = peek(&scratch.disk, 0, SIZE as usize);
    // A header that is gone, one with a wrong bit, a list with a wrong bit, each in the first copy and in the last.
    let (first, last) = (512, SIZE - 512);
    for header in [first, last] {
        let list = if header == first { 1024 } else { SIZE - 33 * 512 };
        for (at, len) in [(header, 512), (header + 40, 1), (list + 40, 1), (list + 500, 1)] {
            poke(&scratch.disk, at, &vec![0xEE; len]);
            assert_eq!(places(&survey_of(&scratch.disk)), known, "{at}");
            poke(&scratch.disk, 0, &whole);
        }
    }
    poke(&scratch.disk, first + 40, &[0xEE]);
    poke(&scratch.disk, SIZE - 33 * 512 + 40, &[0xEE]);
    kept(&scratch.disk, "that is whole");
    poke(&scratch.disk, 0, &whole);

    // The disk was made larger, and its copy is where it ended; or it was cut short behind its partitions, or in them.
    let resize = |size| File::options().write(true).open(&scratch.disk).unwrap().set_len(size).unwrap();
    for size in [2 * SIZE, SIZE - 512, 26 * MIB] {
        resize(size);
        assert_eq!(places(&survey_of(&scratch.disk)), known, "{size}");
    }
    resize(20 * MIB);
    kept(&scratch.disk, "past the end");
}

#[test]
fn copies_of_the_gpt_that_differ_are_not_believed() {
    const NAME: &str = "copies_of_the_gpt_that_differ_are_not_believed";
    if !have(NAME, &["sfdisk", "sgdisk"]) {
        return;
    }
    let scratch = gpt(SIZE);
    let old = peek(&scratch.disk, SIZE - 33 * 512, 33 * 512);
    run("sgdisk", &[&"-d", &"2", &scratch.disk]);
    assert_eq!(survey_of(&scratch.disk).regions.len(), 2);
    poke(&scratch.disk, SIZE - 33 * 512, &old);
    kept(&scratch.disk, "do not agree");
    // Where the disk was made larger too.
    File::options().write(true).open(&scratch.disk).unwrap().set_len(2 * SIZE).unwrap();
    kept(&scratch.disk, "do not agree");
}

#[test]
fn a_hybrid_mbr_must_say_what_the_gpt_says() {
    const NAME: &str = "a_hybrid_mbr_must_say_what_the_gpt_says";
    if !have(NAME, &["sfdisk", "sgdisk"]) {
        return;
    }
    let scratch = gpt(SIZE);
    let known = witness(&scratch.disk);
    run("sgdisk", &[&"--hybrid", &"1:2", &scratch.disk]);
    let survey = survey_of(&scratch.disk);
    assert_eq!((survey.table, places(&survey)), (Some("gpt"), known));
    let entry = (446..510).step_by(16).find(|at| peek(&scratch.disk, at + 8, 4) == 2048_u32.to_le_bytes()).unwrap();
    poke(&scratch.disk, entry + 8, &2049_u32.to_le_bytes());
    kept(&scratch.disk, "the GPT has not");
}

#[test]
fn what_tables_cannot_say_is_not_believed() {
    const NAME: &str = "what_tables_cannot_say_is_not_believed";
    if !have(NAME, &["sfdisk"]) {
        return;
    }
    let (entry, second, third) = (446, 462, 478);
    // The first sector of the chain, and the second, which sfdisk lays before the second logical partition.
    let chain = 32768 * 512;
    let next =
        chain + u64::from(u32::from_le_bytes(peek(&dos().disk, chain + second + 8, 4).try_into().unwrap())) * 512;
    let sectors = |number: u32| number.to_le_bytes().to_vec();
    let cases: [(&str, u64, Vec<u8>); 16] = [
        ("overlap", second + 8, sectors(2048)),
        ("overlap", entry + 12, sectors(20481)),
        ("overlap", entry + 8, sectors(0)),
        ("lies outside", second + 12, sectors(u32::MAX)),
        ("lies outside", second + 8, sectors(u32::MAX)),
        ("no size", second + 12, sectors(0)),
        ("no type", second + 4, vec![0]),
        ("dynamic disk", second + 4, vec![0x42]),
        ("two extended", second + 4, vec![5]),
        ("of which some entries are none", second, vec![7]),
        // The chain leads back to its first sector, out of itself, into a partition, and to where there is no table.
        ("no end", next + second + 8, sectors(0)),
        ("lies outside", chain + second + 8, sectors(39_999)),
        ("lies outside", chain + entry + 8, sectors(u32::MAX)),
        ("overlap", chain + entry + 12, sectors(20_000)),
        ("breaks off", next + 510, vec![0]),
        ("more than one", chain + third + 4, vec![0x83, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]),
    ];
    for (why, at, bytes) in cases {
        let scratch = dos();
        poke(&scratch.disk, at, &bytes);
        kept(&scratch.disk, why);
    }
    let scratch = dos();
    File::options().write(true).open(&scratch.disk).unwrap().set_len(SIZE - 512).unwrap();
    kept(&scratch.disk, "lies outside");
}

#[test]
fn two_things_that_claim_the_disk_keep_it_whole() {
    const NAME: &str = "two_things_that_claim_the_disk_keep_it_whole";
    if !have(NAME, &["sfdisk", "mkfs.fat"]) {
        return;
    }
    let scratch = dos();
    poke(&scratch.disk, 4086, b"SWAPSPACE2");
    kept(&scratch.disk, "the mark of swap");
    let scratch = gpt(SIZE);
    poke(&scratch.disk, 0x8001, b"CD001");
    kept(&scratch.disk, "the mark of ISO 9660");
    // A GPT, and an MBR that does not say so, or none.
    let scratch = gpt(SIZE);
    poke(&scratch.disk, 450, &[0x83]);
    kept(&scratch.disk, "both an MBR and a GPT");
    poke(&scratch.disk, 446, &[0; 66]);
    kept(&scratch.disk, "without the MBR");
    // A boot sector with partitions.
    let scratch = Scratch::of(SIZE);
    run("mkfs.fat", &[&scratch.disk]);
    poke(&scratch.disk, 446, &peek(&dos().disk, 446, 64));
    kept(&scratch.disk, "a partition table too");
}

#[test]
fn disks_without_a_table_are_one_volume() {
    const NAME: &str = "disks_without_a_table_are_one_volume";
    if !have(NAME, &["mkfs.fat", "mkfs.ntfs", "mkfs.exfat", "mkfs.ext4", "sfdisk"]) {
        return;
    }
    let alone = |scratch: &Scratch| {
        let survey = survey_of(&scratch.disk);
        assert_eq!((survey.table, only(&survey).name.as_str(), only(&survey).size), (None, "disk", SIZE));
    };
    for (maker, options) in
        [("mkfs.fat", "-F32"), ("mkfs.fat", "-F16"), ("mkfs.ntfs", "-FqQ"), ("mkfs.exfat", "-v"), ("mkfs.ext4", "-q")]
    {
        let scratch = Scratch::of(SIZE);
        run(maker, &[&options, &scratch.disk]);
        alone(&scratch);
        // Boot code with texts where a table would be, as Windows has it.
        let texts = b"A disk read error occurred\0\r\nBOOTMGR is missing\0\r\nPress Ctrl+Alt+Del\0\r\n\0\0\x8a\x01\xa7\x01U\xaa";
        poke(&scratch.disk, 512 - texts.len() as u64, texts);
        alone(&scratch);
    }
    alone(&Scratch::of(SIZE));
    // A table without partitions.
    let scratch = Scratch::of(SIZE);
    sfdisk(&scratch.disk, "label: dos\n");
    alone(&scratch);
    for size in [0, 1, 511, 512, 513, 4096] {
        let scratch = Scratch::of(size);
        poke(&scratch.disk, 0, &noise(size, size as usize));
        assert_eq!(only(&survey_of(&scratch.disk)).size, size);
    }
}

#[test]
fn file_systems_in_partitions_lose_what_is_free() {
    const NAME: &str = "file_systems_in_partitions_lose_what_is_free";
    if !have(NAME, &["sfdisk", "mkfs.ext4", "mkswap", "e2fsck", "dumpe2fs"]) {
        return;
    }
    for table in ["dos", "gpt"] {
        let scratch = Scratch::of(128 * MIB);
        let kinds = if table == "dos" { ["83", "82"] } else { ["L", "S"] };
        let [linux, swap] = kinds;
        sfdisk(
            &scratch.disk,
            &format!("label: {table}\nstart=2048, size=196608, type={linux}\nstart=200704, size=49152, type={swap}\n"),
        );
        let part = scratch.path("swap");
        File::create(&part).unwrap().set_len(24 * MIB).unwrap();
        run("mkswap", &[&part]);
        poke(&scratch.disk, 200_704 * 512, &peek(&part, 0, 4096));
        poke(&scratch.disk, 200_704 * 512 + 4096, &noise(3, 5 << 20));
        run("mkfs.ext4", &[&"-q", &"-E", &"offset=1048576", &scratch.disk, &"96m"]);
        let Some(mounted) = Mounted::new(NAME, &scratch.disk, MIB, &scratch.path("m"), "") else { return };
        fill_and_delete(&mounted.folder, 8 << 20, 24 << 20);
        let files = contents(&mounted.folder);
        drop(mounted);
        // Garbage in the gaps, which are nobody's.
        let gaps = [(3 * 512 * 100, 1000), (98 * MIB - 4096, 4096)];
        for (at, len) in gaps {
            poke(&scratch.disk, at, &noise(at, len));
        }
        let to = scratch.path("compact.raw");
        let survey = compacted(&scratch.disk, &to);
        let kinds: Vec<_> = survey.regions.iter().map(|region| region.kind).collect();
        assert_eq!(kinds, [Some("ext4"), Some("swap")], "{survey:?}");
        let free = |region: &Region| region.free.unwrap_or_else(|| panic!("{region:?}"));
        assert_eq!(free(&survey.regions[1]), 24 * MIB - 4096);
        assert!(free(&survey.regions[0]) > 60 * MIB && survey.regions[0].dropped > 20 << 20, "{survey:?}");
        let check = |disk: &Path| {
            for (at, len) in gaps {
                assert_eq!(peek(disk, at, len), noise(at, len), "a gap");
            }
            assert_eq!(witness(disk), places(&survey));
            let part = scratch.path("part");
            std::fs::write(&part, peek(disk, MIB, 96 << 20)).unwrap();
            run("e2fsck", &[&"-fn", &part]);
            let mounted = Mounted::new(NAME, disk, MIB, &scratch.path("m"), "ro").unwrap();
            assert_eq!(contents(&mounted.folder), files);
        };
        check(&to);
        spoil(&to, &survey);
        check(&to);
    }
}

#[test]
fn encrypted_volumes_and_members_of_arrays_are_kept() {
    const NAME: &str = "encrypted_volumes_and_members_of_arrays_are_kept";
    if !have(NAME, &["sfdisk", "cryptsetup", "mkswap", "blkid"]) {
        return;
    }
    let place = |bytes: &[u8]| {
        let scratch = dos();
        poke(&scratch.disk, MIB, bytes);
        let region = survey_of(&scratch.disk).regions.remove(0);
        assert!(region.free.is_none(), "{region:?}");
        region
    };
    for version in ["luks1", "luks2"] {
        let part = Scratch::of(10 * MIB);
        let key = part.path("key");
        std::fs::write(&key, "secret").unwrap();
        let fast: [&dyn AsRef<std::ffi::OsStr>; 6] =
            [&"-q", &"--pbkdf", &"pbkdf2", &"--pbkdf-force-iterations", &"1000", &"luksFormat"];
        run("cryptsetup", &[&fast[..], &[&"--type", &version, &part.disk, &key]].concat());
        let bytes = peek(&part.disk, 0, 10 << 20);
        assert_eq!(place(&bytes).kind, Some("LUKS"), "{version}");
        if version == "luks2" {
            // The first header is gone, and the second is left.
            let without = [&[0; 4096], &bytes[4096..]].concat();
            assert_eq!(place(&without).kind, Some("LUKS"));
        }
    }
    // A mirror with its description at the end shows at its start what it holds: swap space here. Superblocks are laid as
    // Linux's include/uapi/linux/raid/md_p.h has them, and blkid knows them.
    let part = Scratch::of(10 * MIB);
    run("mkswap", &[&part.disk]);
    let swap = peek(&part.disk, 0, 4096);
    let magic = 0xa92b_4efc_u32;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let cases = [
        ("0.90", 10 * MIB - 65536, words(&[magic, 0, 90, 0])),
        (
            "0.90",
            10 * MIB - 65536,
            words(&[magic, 0, 90, 0])
                .chunks(4)
                .flat_map(|word| word.iter().rev().copied().collect::<Vec<_>>())
                .collect(),
        ),
        ("1.0", 10 * MIB - 8192, words(&[magic, 1, 0, 0])),
        ("1.1", 0, words(&[magic, 1, 0, 0])),
        ("1.2", 4096, words(&[magic, 1, 0, 0])),
    ];
    for (version, at, mark) in cases {
        let mut bytes = vec![0; 10 << 20];
        if version != "1.1" {
            bytes[..4096].copy_from_slice(&swap);
        }
        bytes[at as usize..at as usize + mark.len()].copy_from_slice(&mark);
        // Where this superblock says that it is.
        bytes[at as usize + 128..at as usize + 136]
            .copy_from_slice(&(if version == "0.90" { 0 } else { at / 512 }).to_le_bytes());
        let region = place(&bytes);
        if version == "1.1" {
            assert_eq!(region.kind, Some("MD RAID member"));
        } else {
            let reason = region.kept.unwrap().reason;
            assert!(reason.contains("swap") && reason.contains("MD RAID member"), "{version}: {reason}");
        }
    }
}

#[test]
fn a_disk_within_a_partition_is_kept() {
    const NAME: &str = "a_disk_within_a_partition_is_kept";
    if !have(NAME, &["sfdisk", "mkswap"]) {
        return;
    }
    let part = Scratch::of(10 * MIB);
    run("mkswap", &[&part.disk]);
    for label in ["dos", "gpt"] {
        let scratch = dos();
        poke(&scratch.disk, MIB, &peek(&part.disk, 0, 4096));
        assert_eq!(survey_of(&scratch.disk).regions[0].free, Some(10 * MIB - 4096));
        let inner = Scratch::of(10 * MIB);
        sfdisk(&inner.disk, &format!("label: {label}\nstart=2048, size=2048\n"));
        // All but what mkswap wrote behind the first KiB, which the table leaves as it is.
        poke(&scratch.disk, MIB, &peek(&inner.disk, 0, 1024));
        let region = survey_of(&scratch.disk).regions.remove(0);
        let reason = region.kept.unwrap().reason;
        assert!(reason.contains("swap") && reason.contains("a partition table"), "{reason}");
    }
}

#[test]
fn mutations_of_tables_never_lay_partitions_wrongly() {
    const NAME: &str = "mutations_of_tables_never_lay_partitions_wrongly";
    if !have(NAME, &["sfdisk"]) {
        return;
    }
    for scratch in [dos(), gpt(SIZE)] {
        let tables = [(0, 33 * 512), (32768 * 512, 512), (42_000 * 512, 40 * 512), (SIZE - 33 * 512, 33 * 512)];
        let whole: Vec<_> = tables.iter().map(|(at, len)| peek(&scratch.disk, *at, *len)).collect();
        let random = noise(11, 1500 * 8);
        for bytes in random.chunks(8) {
            // Where there is something, so that most changes tell.
            let table = usize::from(bytes[0]) % tables.len();
            let held: Vec<_> = (0..whole[table].len()).filter(|at| whole[table][*at] != 0).collect();
            if held.is_empty() {
                continue;
            }
            let at = held[usize::from(u16::from_le_bytes([bytes[1], bytes[2]])) % held.len()];
            poke(&scratch.disk, tables[table].0 + at as u64, &[bytes[3] & bytes[4]]);
            let survey = survey_of(&scratch.disk);
            assert!(survey.unused.is_empty());
            let mut end = 0;
            for (_, start, size) in places(&survey) {
                assert!(start >= end && start + size <= SIZE, "{survey:?}");
                end = start + size;
            }
            if bytes[5] % 3 == 0 {
                tables.iter().zip(&whole).for_each(|((at, _), bytes)| poke(&scratch.disk, *at, bytes));
            }
        }
    }
}
