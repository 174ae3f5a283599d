//! NTFS, made and filled by NTFS-3G, checked by its tools.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "guest/fuse.rs"]
mod fuse;
mod guest;
#[path = "guest/mutate.rs"]
mod mutate;

use fuse::Fuse;
use guest::{
    Scratch, compacted, contents, fill, fill_and_delete, have, noise, only, output, peek, poke, run, spoil, survey_of,
};
use mutate::mutate;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOLS: [&str; 6] = ["mkntfs", "ntfs-3g", "ntfs-3g.probe", "ntfsinfo", "ntfsfix", "ntfsresize"];

/// What NTFS-3G's probe answers: it could be mounted, a Windows sleeps on it, its log was not closed.
const CLEAN: i32 = 0;
const HIBERNATED: i32 = 14;
const UNCLEAN: i32 = 15;

fn mount(test: &str, scratch: &Scratch, disk: &Path) -> Option<Fuse> {
    let folder = scratch.path("mounted");
    fs::create_dir_all(&folder).unwrap();
    Fuse::new(test, Command::new("ntfs-3g").args(["-o", "no_detach"]).arg(disk).arg(&folder), &folder)
}

fn format(disk: &Path, options: &[&str]) {
    let mut all: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"-F", &"-Q", &"-q"];
    all.extend(options.iter().map(|word| word as &dyn AsRef<_>));
    all.push(&disk);
    run("mkntfs", &all);
}

/// Whether NTFS-3G would mount it to write.
fn probe(disk: &Path) -> i32 {
    output("ntfs-3g.probe", &[&"--readwrite", &disk]).status.code().unwrap()
}

/// Checks it with all that NTFS-3G has: `ntfsresize` counts the clusters of all files and compares them with the bitmap.
#[track_caller]
fn check(disk: &Path) {
    assert_eq!(probe(disk), CLEAN);
    run("ntfsfix", &[&"-n", &disk]);
    run("ntfsresize", &[&"--info", &"--no-progress-bar", &disk]);
}

/// Bytes that are free by `ntfsinfo`.
fn free_by_ntfsinfo(disk: &Path) -> u64 {
    let said = run("ntfsinfo", &[&"-m", &disk]);
    let number = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    number("Free Clusters") * number("Cluster Size")
}

#[test]
fn ntfs_without_what_is_free_is_the_same() {
    const TEST: &str = "ntfs_without_what_is_free_is_the_same";
    if !have(TEST, &TOOLS) {
        return;
    }
    for (size, options) in [
        (64 << 20, &["-c", "512"][..]),
        (128 << 20, &["-c", "4096", "-L", "LABEL"]),
        ((96 << 20) + 512 * 3, &["-c", "2048", "-z", "3"]),
        (128 << 20, &["-c", "65536"]),
        (96 << 20, &["-s", "4096", "-c", "4096"]),
        (256 << 20, &["-c", "1048576"]),
    ] {
        let scratch = Scratch::of(size);
        format(&scratch.disk, options);
        let Some(mounted) = mount(TEST, &scratch, &scratch.disk) else { return };
        fill_and_delete(&mounted.folder, 8 << 20, 16 << 20);
        let files = contents(&mounted.folder);
        drop(mounted);
        check(&scratch.disk);
        let free = free_by_ntfsinfo(&scratch.disk);
        let to = scratch.path("compacted.raw");
        let found = compacted(&scratch.disk, &to);
        let region = only(&found);
        assert_eq!((region.kind, region.kept.as_ref()), (Some("NTFS"), None), "{options:?}");
        assert_eq!(region.free, Some(free), "{options:?}");
        assert!(region.dropped > 14 << 20, "{options:?}: {}", region.dropped);
        spoil(&scratch.disk, &found);
        for disk in [&to, &scratch.disk] {
            check(disk);
            assert_eq!(free_by_ntfsinfo(disk), free);
            let mounted = mount(TEST, &scratch, disk).unwrap();
            assert_eq!(contents(&mounted.folder), files, "{options:?}");
            fill(&mounted.folder.join("more"), 5, 3 << 20);
            drop(mounted);
            check(disk);
        }
    }
}

/// That the only region of `disk` is kept whole for a reason with `words` in it.
#[track_caller]
fn kept(disk: &Path, words: &str) {
    let found = survey_of(disk);
    let region = only(&found);
    assert!(found.unused.is_empty(), "{found:?}");
    assert_eq!(region.kind, Some("NTFS"), "{region:?}");
    let reason = &region.kept.as_ref().unwrap().reason;
    assert!(reason.contains(words), "{reason}");
}

/// What the tests know of a volume, read by hand.
struct Places {
    cluster: u64,
    record: u64,
    table: u64,
    mirror: u64,
}

impl Places {
    fn of(disk: &Path) -> Self {
        let boot = peek(disk, 0, 512);
        let cluster = u64::from(u16::from_le_bytes([boot[11], boot[12]])) * u64::from(boot[13]);
        let at = |at: usize| u64::from_le_bytes(boot[at..at + 8].try_into().unwrap()) * cluster;
        Places { cluster, record: 1024, table: at(48), mirror: at(56) }
    }

    fn record(&self, number: u64) -> u64 {
        self.table + number * self.record
    }

    /// Where an attribute of a record is on the disk. All that the tests want lies before the ends of strides.
    fn attribute(&self, disk: &Path, number: u64, kind: u32) -> u64 {
        let record = peek(disk, self.record(number), 1024);
        let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
        let mut at = usize::from(record[20]);
        while word(at) != kind {
            assert_ne!(word(at), u32::MAX, "record {number} has no {kind:#x}");
            at += word(at + 4) as usize;
        }
        self.record(number) + at as u64
    }

    /// Where the list of runs of an attribute is on the disk.
    fn runs(&self, disk: &Path, number: u64, kind: u32) -> u64 {
        let at = self.attribute(disk, number, kind);
        at + u64::from(peek(disk, at + 32, 1)[0])
    }

    /// The first cluster of an attribute's value.
    fn first(&self, disk: &Path, number: u64, kind: u32) -> u64 {
        let runs = peek(disk, self.runs(disk, number, kind), 16);
        let (len, at) = (usize::from(runs[0] & 15), usize::from(runs[0] >> 4));
        let mut bytes = runs[1 + len..1 + len + at].to_vec();
        bytes.resize(8, 0);
        u64::from_le_bytes(bytes.try_into().unwrap())
    }

    /// Overwrites bytes of one of the first four records and of its copy.
    fn poke_both(&self, disk: &Path, at: u64, bytes: &[u8]) {
        poke(disk, at, bytes);
        poke(disk, at - self.table + self.mirror, bytes);
    }
}

/// A volume with a few files, and what is free in it.
fn small(test: &str) -> Option<(Scratch, Places, u64)> {
    let scratch = Scratch::of(32 << 20);
    format(&scratch.disk, &["-c", "4096"]);
    let mounted = mount(test, &scratch, &scratch.disk)?;
    fill_and_delete(&mounted.folder, 2 << 20, 3 << 20);
    drop(mounted);
    check(&scratch.disk);
    let free = free_by_ntfsinfo(&scratch.disk);
    assert_eq!(only(&survey_of(&scratch.disk)).free, Some(free));
    let places = Places::of(&scratch.disk);
    Some((scratch, places, free))
}

#[test]
fn ntfs_in_disorder_is_kept_whole() {
    const TEST: &str = "ntfs_in_disorder_is_kept_whole";
    if !have(TEST, &TOOLS) {
        return;
    }
    let Some((scratch, places, free)) = small(TEST) else { return };
    let disk = &scratch.disk;
    let again = |at: u64, bytes: &[u8], words: &str| {
        let before = peek(disk, at, bytes.len());
        poke(disk, at, bytes);
        kept(disk, words);
        poke(disk, at, &before);
    };

    // Flags and version of the volume. NTFS-3G's tools want force for a dirty one, too.
    let information = places.attribute(disk, 3, 0x70);
    let information = information + u64::from(peek(disk, information + 20, 1)[0]);
    for (flags, words) in
        [(1, "in use or faulty"), (0x4000, "not done: 0x4000"), (2, "not done: 0x0002"), (0x4001, "in use")]
    {
        places.poke_both(disk, information + 10, &u16::to_le_bytes(flags));
        if flags & 1 == 1 {
            assert!(!output("ntfsresize", &[&"--info", disk]).status.success());
        }
        kept(disk, words);
    }
    for flags in [4, 8, 0x80, 0x8000, 0] {
        places.poke_both(disk, information + 10, &u16::to_le_bytes(flags));
        assert!(flags != 0x80 || probe(disk) == CLEAN);
        assert_eq!(only(&survey_of(disk)).free, Some(free));
    }
    again(information + 8, &[4, 0], "version 4.0");
    again(information + 8, &[1, 1], "version 1.1");

    // Records: torn, of another number, not in use, different from their copies.
    again(places.record(6) + 510, &[1, 2], "damaged file record 6");
    again(places.record(6), b"BAAD", "damaged file record 6");
    again(places.record(6) + 22, &[0], "file record 6 that cannot be");
    again(places.record(6) + 44, &[7], "file record 6 that cannot be");
    again(places.record(0) + 1022, &[9, 9], "damaged file record 0");
    again(places.record(1) + 80, &[9], "differs from its copy");
    again(places.mirror + 2 * 1024 + 80, &[9], "differs from its copy");
    again(places.mirror + 2 * 1024 + 510, &[9, 9], "damaged file record 2");

    // The boot sector.
    again(40, &(65_537_u64).to_le_bytes(), "65537 sectors of 512 bytes in a volume of");
    again(48, &u64::MAX.to_le_bytes(), "has its file table in clusters");
    again(48, &[3], "damaged file record 0");
    again(64, &[0xF0], "file records of 65536 bytes");
    again(13, &[3], "sectors of 512 bytes");
    again(13, &[0], "sectors of 512 bytes");
    let copy = peek(disk, (32 << 20) - 4096, 4096);
    fs::File::options().write(true).open(disk).unwrap().set_len((32 << 20) - 4096).unwrap();
    kept(disk, "in a volume of");
    poke(disk, (32 << 20) - 4096, &copy);
    // Of 512 bytes each, so that they are on the disk.
    fs::File::options().write(true).open(disk).unwrap().set_len(3 << 40).unwrap();
    poke(disk, 13, &[1]);
    again(40, &(1_u64 << 32).to_le_bytes(), "has 4294967296 clusters");
    poke(disk, 13, &[8]);
    fs::File::options().write(true).open(disk).unwrap().set_len(32 << 20).unwrap();

    // The bitmap's attribute: compressed, encrypted, too short, with holes, not all initialized, beyond the volume.
    let data = places.attribute(disk, 6, 0x80);
    let runs = places.runs(disk, 6, 0x80);
    again(data + 12, &[1], "compressed or encrypted");
    again(data + 13, &[0x40], "compressed or encrypted");
    again(data + 48, &[1, 0], "sizes that cannot be");
    again(data + 56, &[1, 0], "bitmap of 1 bytes");
    again(data + 56, &[0xFF, 0xFF], "sizes that cannot be");
    again(data + 48, &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0], "bitmap of 1 bytes");
    let list = peek(disk, runs, 8);
    let len = usize::from(list[0] & 15);
    assert_eq!(len, 1, "{list:x?}");
    again(runs, &[1, list[1], 0], "holes in its system file 6");
    again(runs, &[0x41, list[1], 0xFF, 0xFF, 0xFF, 0x7F, 0], "clusters at 2147483647 of");
    again(runs, &[0x11, list[1], 0xFF, 0], "list of runs that cannot be");
    again(runs, &[0], "where there should be");
    again(data + 40, &[0, 0], "in too few clusters");

    // What the system needs called free.
    let bitmap = places.first(disk, 6, 0x80);
    let clusters = [
        0,
        1,
        places.table / 4096,
        places.mirror / 4096,
        bitmap,
        places.first(disk, 2, 0x80),
        places.first(disk, 10, 0x80),
    ];
    for cluster in clusters {
        let at = bitmap * places.cluster + cluster / 8;
        let byte = peek(disk, at, 1)[0];
        again(at, &[byte & !(1 << (cluster % 8))], &format!("calls cluster {cluster} free"));
    }
    assert_eq!(only(&survey_of(disk)).free, Some(free));
    check(disk);
}

/// A restart page of the log, as Windows makes it.
fn restart_page(version: (u16, u16), clients: u16, flags: u16, number: u64, log: u64) -> Vec<u8> {
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RSTR\x1E\0\x09\0");
    put(16, &[0, 0x10, 0, 0, 0, 0x10, 0, 0, 0x30, 0]);
    put(26, &version.1.to_le_bytes());
    put(28, &version.0.to_le_bytes());
    put(0x30, &number.to_le_bytes());
    put(0x38, &[1, 0, 0xFF, 0xFF]);
    put(0x3C, &clients.to_le_bytes());
    put(0x3E, &flags.to_le_bytes());
    put(0x40, &(67 - (64 - log.leading_zeros())).to_le_bytes());
    put(0x44, &[0xE0, 0, 0x40, 0]);
    put(0x48, &log.to_le_bytes());
    put(0x54, &[0x30, 0, 0x40, 0]);
    put(0x70 + 16, &[0xFF, 0xFF, 0xFF, 0xFF]);
    put(0x70 + 28, b"\x08\0\0\0N\0T\0F\0S\0");
    // The last two bytes of each stride are a number; what stood there is kept behind it.
    put(0x1E, &[7, 0]);
    (0..8).for_each(|stride| put(stride * 512 + 510, &[7, 0]));
    page
}

#[test]
fn a_log_that_was_not_closed_is_kept_whole() {
    const TEST: &str = "a_log_that_was_not_closed_is_kept_whole";
    if !have(TEST, &TOOLS) {
        return;
    }
    let Some((scratch, places, free)) = small(TEST) else { return };
    let disk = &scratch.disk;
    let log = places.first(disk, 2, 0x80) * places.cluster;
    let data = places.attribute(disk, 2, 0x80);
    let size = u64::from_le_bytes(peek(disk, data + 48, 8).try_into().unwrap());
    assert!(peek(disk, log, 8192).iter().all(|byte| *byte == 0xFF), "NTFS-3G wipes the log");
    let page = |version, clients, flags, number| restart_page(version, clients, flags, number, size);
    let none = 0xFFFF;
    // Two pages, what NTFS-3G answers, and what is said here.
    for (first, second, answer, words) in [
        (page((1, 1), 0, 2, 5), page((1, 1), 0, 2, 5), CLEAN, None),
        (page((1, 1), none, 0, 5), page((1, 1), none, 0, 5), CLEAN, None),
        (page((1, 1), 0, 0, 5), page((1, 1), 0, 0, 5), UNCLEAN, Some("was not closed")),
        (page((1, 1), 0, 2, 5), page((1, 1), 0, 0, 6), UNCLEAN, Some("was not closed")),
        (page((1, 1), 0, 0, 6), page((1, 1), 0, 2, 5), UNCLEAN, Some("was not closed")),
        (page((1, 1), 0, 0, 5), page((1, 1), 0, 2, 6), CLEAN, None),
        (page((2, 0), 0, 2, 5), page((2, 0), 0, 2, 5), HIBERNATED, Some("not shut down in full")),
        (page((2, 0), 0, 0, 5), page((2, 0), 0, 0, 5), HIBERNATED, Some("not shut down in full")),
        (page((3, 0), 0, 2, 5), page((3, 0), 0, 2, 5), UNCLEAN, Some("unknown version")),
        (vec![0; 4096], vec![0; 4096], UNCLEAN, Some("cannot be read")),
    ] {
        poke(disk, log, &first);
        poke(disk, log + 4096, &second);
        let said = probe(disk);
        assert_eq!(said == CLEAN, answer == CLEAN, "{said} {words:?}");
        match words {
            None => assert_eq!(only(&survey_of(disk)).free, Some(free)),
            Some(words) => kept(disk, words),
        }
    }
    // A torn page, of which the other one may know nothing.
    poke(disk, log, &page((1, 1), 0, 2, 5));
    poke(disk, log + 4096, &page((1, 1), 0, 2, 5));
    poke(disk, log + 4096 + 1022, &[1]);
    kept(disk, "cannot be read");
    // Wiped at the start only.
    poke(disk, log, &[0xFF; 8192]);
    assert_eq!(only(&survey_of(disk)).free, Some(free));
    poke(disk, log + (256 << 10), b"RCRD");
    kept(disk, "cannot be read");
}

#[test]
fn a_hibernated_windows_is_kept_whole() {
    const TEST: &str = "a_hibernated_windows_is_kept_whole";
    if !have(TEST, &TOOLS) {
        return;
    }
    // In a root directory of one block, and of many.
    for (files, len, name) in [
        (0, 100, "hiberfil.sys"),
        (0, 20_000, "hiberfil.sys"),
        (1500, 20_000, "hiberfil.sys"),
        (5, 100, "HIBERFIL.sys"),
    ] {
        let scratch = Scratch::of(64 << 20);
        let disk = &scratch.disk;
        format(disk, &["-c", "4096"]);
        let Some(mounted) = mount(TEST, &scratch, disk) else { return };
        (0..files).for_each(|number| fs::write(mounted.folder.join(format!("{number} of many files")), b"").unwrap());
        let mut memory = noise(77, len);
        memory[..4].copy_from_slice(b"hibr");
        fs::write(mounted.folder.join(name), &memory).unwrap();
        drop(mounted);
        // Windows does not mind the case, and NTFS-3G does.
        assert_eq!(probe(disk), if name == "hiberfil.sys" { HIBERNATED } else { CLEAN }, "{files} {len}");
        kept(disk, "holds a hibernated Windows");
        if len < 4096 {
            continue;
        }
        let all = fs::read(disk).unwrap();
        let at = all.chunks(4096).position(|block| block == &memory[..4096]).unwrap() as u64 * 4096;
        poke(disk, at, b"HIBR");
        assert_eq!(probe(disk), HIBERNATED);
        kept(disk, "holds a hibernated Windows");
        // Woken, and wiped as a shutdown leaves it.
        for head in [&b"wake"[..], &[0; 4096]] {
            poke(disk, at, head);
            assert_eq!(probe(disk), CLEAN);
            assert_eq!(only(&survey_of(disk)).free, Some(free_by_ntfsinfo(disk)));
        }
        // Of an index that is damaged nothing is known.
        let places = Places::of(disk);
        let index = places.first(disk, 5, 0xA0) * 4096;
        for (at, byte) in [(0, b'X'), (16, 0x55), (510, 0x12)] {
            let before = peek(disk, index + at, 1);
            poke(disk, index + at, &[byte]);
            kept(disk, "damaged root directory");
            poke(disk, index + at, &before);
        }
    }
}

#[test]
fn a_windows_that_sleeps_keeps_all_of_the_disk() {
    const TEST: &str = "a_windows_that_sleeps_keeps_all_of_the_disk";
    if !have(TEST, &TOOLS) {
        return;
    }
    let Some((scratch, places, free)) = small(TEST) else { return };
    let awake = fs::read(&scratch.disk).unwrap();
    let starts = [1_u64 << 20, 40 << 20];
    let disk = Scratch::of(80 << 20);
    for (entry, start) in starts.into_iter().enumerate() {
        let entry = 446 + 16 * entry as u64;
        let count = awake.len() as u32 / 512;
        poke(&disk.disk, entry + 4, &[7]);
        poke(&disk.disk, entry + 8, &[(start as u32 / 512).to_le_bytes(), count.to_le_bytes()].concat());
        poke(&disk.disk, start, &awake);
    }
    poke(&disk.disk, 510, &[0x55, 0xAA]);
    // What each partition is kept for, and how much is free in it.
    let told = || {
        let found = survey_of(&disk.disk);
        let one = |index: usize| {
            let region = &found.regions[index];
            region.kept.as_ref().map(|kept| kept.reason.clone()).ok_or(region.free.unwrap_or_default())
        };
        assert_eq!(found.regions.len(), 2);
        [one(0), one(1)]
    };
    assert_eq!(told(), [Err(free), Err(free)]);

    let log = places.first(&scratch.disk, 2, 0x80) * places.cluster;
    let data = places.attribute(&scratch.disk, 2, 0x80);
    let size = u64::from_le_bytes(peek(&scratch.disk, data + 48, 8).try_into().unwrap());
    let information = places.attribute(&scratch.disk, 3, 0x70);
    let information = information + u64::from(peek(&scratch.disk, information + 20, 1)[0]);
    let logged = |version: (u16, u16)| {
        let page = restart_page(version, 0, 0, 5, size);
        poke(&disk.disk, starts[0] + log, &[&page[..], &page].concat());
    };
    // Left in use by a crash.
    logged((1, 1));
    let [first, second] = told();
    assert!(first.unwrap().contains("was not closed"));
    assert_eq!(second, Err(free));
    // Kept by a Windows 8 or later, whatever else is said of the volume.
    logged((2, 0));
    for flags in [0, 1] {
        poke(&disk.disk, starts[0] + information + 10, &[flags]);
        let [first, second] = told();
        assert!(first.unwrap().contains("not shut down in full"));
        assert!(second.unwrap().contains("hibernates on this disk (in 1)"));
    }
    poke(&disk.disk, starts[0], &awake);
    assert_eq!(told(), [Err(free), Err(free)]);
    // By an earlier one.
    let Some(mounted) = mount(TEST, &scratch, &scratch.disk) else { return };
    fs::write(mounted.folder.join("hiberfil.sys"), [&b"hibr"[..], &noise(3, 9000)].concat()).unwrap();
    drop(mounted);
    poke(&disk.disk, starts[1], &fs::read(&scratch.disk).unwrap());
    let [first, second] = told();
    assert!(first.unwrap().contains("hibernates on this disk (in 2)"));
    assert!(second.unwrap().contains("holds a hibernated Windows"));
}

#[test]
fn shadow_copies_are_kept_whole() {
    const TEST: &str = "shadow_copies_are_kept_whole";
    if !have(TEST, &TOOLS) {
        return;
    }
    let Some((scratch, _, free)) = small(TEST) else { return };
    let disk = &scratch.disk;
    let mark = b"\x6B\x87\x08\x38\x76\xC1\x48\x4E\xB7\xAE\x04\x04\x6E\x6C\xC7\x52\x01\0\0\0";
    poke(disk, 0x1E00, &[&mark[..], &[1, 0, 0, 0]].concat());
    poke(disk, 0x1E18, &[0, 0x1E, 0, 0, 0, 0, 0, 0]);
    assert_eq!(only(&survey_of(disk)).free, Some(free), "without a catalog");
    // Its own identifier, and that of the volume that has the copies.
    poke(disk, 0x1E40, &[[7; 16], [7; 16]].concat());
    assert_eq!(only(&survey_of(disk)).free, Some(free), "would have them itself");
    poke(disk, 0x1E5F, &[8]);
    kept(disk, "shadow copies on another volume");
    poke(disk, 0x1E50, &[0; 16]);
    let catalog = 20_u64 << 20;
    poke(disk, 0x1E30, &catalog.to_le_bytes());
    kept(disk, "catalog of shadow copies that cannot be read");
    for at in [catalog, catalog + 16384] {
        poke(disk, at, &[0; 16384]);
        poke(disk, at, &[&mark[..], &[2, 0, 0, 0]].concat());
        poke(disk, at + 128, &[1]);
    }
    poke(disk, catalog + 40, &(catalog + 16384).to_le_bytes());
    assert_eq!(only(&survey_of(disk)).free, Some(free), "without entries");
    poke(disk, catalog + 16384 + 128 * 5, &[2]);
    kept(disk, "has shadow copies");
    poke(disk, catalog + 16384 + 128 * 5, &[0]);
    poke(disk, catalog + 16384 + 40, &catalog.to_le_bytes());
    kept(disk, "without end");
}

/// What the files of a volume hold that is in pieces, and how its table and its bitmap lie.
fn fragmented(test: &str, scratch: &Scratch) -> Option<BTreeMap<PathBuf, String>> {
    let disk = &scratch.disk;
    format(disk, &["-c", "512"]);
    let mounted = mount(test, scratch, disk)?;
    // Full of small files, of which every other one goes: what comes then is in pieces.
    let folder = mounted.folder.join("small");
    fs::create_dir(&folder).unwrap();
    let mut made = 0;
    while fs::write(folder.join(format!("{made}")), noise(made, 1500)).is_ok() {
        made += 1;
    }
    (0..made).step_by(2).for_each(|number| fs::remove_file(folder.join(format!("{number}"))).unwrap());
    let mut more = 0;
    while fs::write(folder.join(format!("more {more}")), b"resident").is_ok() {
        more += 1;
    }
    (0..more)
        .filter(|number| number % 8 != 0)
        .for_each(|number| fs::remove_file(folder.join(format!("more {number}"))).unwrap());
    let _ = fs::write(mounted.folder.join("large"), noise(4, 3 << 20));
    let files = contents(&mounted.folder);
    drop(mounted);
    check(disk);
    Some(files)
}

#[test]
fn a_table_and_a_bitmap_in_pieces_are_followed() {
    const TEST: &str = "a_table_and_a_bitmap_in_pieces_are_followed";
    if !have(TEST, &TOOLS) {
        return;
    }
    let scratch = Scratch::of(20 << 20);
    let Some(files) = fragmented(TEST, &scratch) else { return };
    let disk = &scratch.disk;
    let places = Places::of(disk);
    // The bitmap's last cluster goes to a free one: a second run in its list, and two bits.
    let bitmap = places.first(disk, 6, 0x80);
    let data = places.attribute(disk, 6, 0x80);
    let count = u64::from_le_bytes(peek(disk, data + 40, 8).try_into().unwrap()) / 512;
    let bits = peek(disk, bitmap * 512, count as usize * 512);
    let bit = |cluster: u64| bits[cluster as usize / 8] >> (cluster % 8) & 1;
    let (old, new) = (bitmap + count - 1, (bitmap + count + 100..).find(|cluster| bit(*cluster) == 0).unwrap());
    let mut moved = bits.clone();
    moved[old as usize / 8] &= !(1 << (old % 8));
    moved[new as usize / 8] |= 1 << (new % 8);
    poke(disk, bitmap * 512, &moved[..(count as usize - 1) * 512]);
    poke(disk, old * 512, &noise(1, 512));
    poke(disk, new * 512, &moved[(count as usize - 1) * 512..]);
    let step = ((new - bitmap) as u32).to_le_bytes();
    let first = (bitmap as u32).to_le_bytes();
    let mut list = vec![0x31, (count - 1) as u8, first[0], first[1], first[2], 0x31, 1, step[0], step[1], step[2], 0];
    list.resize(12, 0);
    // It grows by up to 8 bytes: the end of the attributes moves behind it.
    let runs = places.runs(disk, 6, 0x80);
    let (len, used) = (peek(disk, data + 4, 4), peek(disk, places.record(6) + 24, 4));
    let len = u64::from(u32::from_le_bytes(len.try_into().unwrap()));
    let used = u32::from_le_bytes(used.try_into().unwrap());
    let grown = (runs - data + 11).next_multiple_of(8).max(len);
    let behind = peek(disk, data + len, (places.record(6) + u64::from(used) - data - len) as usize);
    poke(disk, data + 4, &(grown as u32).to_le_bytes());
    poke(disk, places.record(6) + 24, &(used + (grown - len) as u32).to_le_bytes());
    poke(disk, data + grown, &behind);
    poke(disk, runs, &list[..11]);
    check(disk);

    let free = free_by_ntfsinfo(disk);
    let to = scratch.path("compacted.raw");
    let found = compacted(disk, &to);
    assert_eq!(only(&found).kept, None);
    assert_eq!(only(&found).free, Some(free));
    spoil(disk, &found);
    for disk in [&to, disk] {
        check(disk);
        let mounted = mount(TEST, &scratch, disk).unwrap();
        assert_eq!(contents(&mounted.folder), files);
    }
    // The table, too, is in many pieces: its list of attributes names further records.
    let record = peek(disk, places.record(0), 1024);
    let kinds = |kind: u32| record.windows(4).step_by(8).any(|word| word == kind.to_le_bytes());
    assert!(kinds(0x20), "the table has a list of attributes");
}

#[test]
fn mutated_ntfs_never_panics() {
    const TEST: &str = "mutated_ntfs_never_panics";
    if !have(TEST, &TOOLS) {
        return;
    }
    let Some((scratch, places, _)) = small(TEST) else { return };
    let disk = &scratch.disk;
    let record = |number: u64| places.record(number)..places.record(number) + 400;
    let index = places.first(disk, 5, 0xA0) * 4096;
    let bitmap = places.first(disk, 6, 0x80) * 4096;
    let ranges = [
        0..84,
        record(0),
        record(1),
        record(2),
        record(3),
        record(5),
        record(6),
        index..index + 4096,
        bitmap..bitmap + 16,
    ];
    let kept = mutate(disk, &ranges, 4000);
    assert!(kept > 1000, "{kept}");
}
