//! Swap space, made by mkswap: what is free in it, and what is left alone.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod guest;

use guest::{Scratch, compacted, have, noise, only, output, peek, poke, run, spoil, survey_of};
use std::path::Path;

const MIB: u64 = 1 << 20;

/// A swap space by mkswap on a disk of `size` bytes full of what was swapped out.
fn made(size: u64, options: &[&str]) -> Scratch {
    let scratch = Scratch::of(size);
    poke(&scratch.disk, 0, &noise(size, size as usize));
    // The first pages are the tools'.
    poke(&scratch.disk, 0, &[0; 1 << 17]);
    let mut command: Vec<&dyn AsRef<std::ffi::OsStr>> = Vec::new();
    options.iter().for_each(|option| command.push(option));
    command.push(&scratch.disk);
    run("mkswap", &command);
    scratch
}

/// What blkid says of a disk.
fn blkid(disk: &Path) -> String {
    let found = String::from_utf8(output("blkid", &[&"-p", &"-o", &"export", &disk]).stdout).unwrap();
    found.lines().filter(|line| !line.starts_with("DEVNAME")).collect::<Vec<_>>().join("\n")
}

/// That the disk is kept whole, for a reason that contains `why`.
fn kept(disk: &Path, why: &str) {
    let survey = survey_of(disk);
    let region = only(&survey);
    assert!(survey.unused.is_empty() && region.free.is_none(), "{survey:?}");
    let reason = &region.kept.as_ref().unwrap().reason;
    assert!(reason.contains(why), "{reason}: not {why}");
}

#[test]
fn all_but_the_header_is_free_at_every_size_of_pages() {
    const NAME: &str = "all_but_the_header_is_free_at_every_size_of_pages";
    if !have(NAME, &["mkswap", "blkid", "swaplabel"]) {
        return;
    }
    for page in [4096, 8192, 16384, 32768, 65536] {
        for order in ["little", "big"] {
            // The end is no whole page.
            let size = 4 * MIB + 12288;
            let scratch = made(size, &["-p", &page.to_string(), "-L", "pages"]);
            if order == "big" {
                // Version, last page, and no bad pages.
                let words = peek(&scratch.disk, 1024, 12);
                let turned: Vec<u8> = words.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
                poke(&scratch.disk, 1024, &turned);
            }
            let known = blkid(&scratch.disk);
            assert!(known.contains("TYPE=swap") && known.contains("VERSION=1"), "{known}");
            let to = scratch.path("compact.raw");
            let survey = compacted(&scratch.disk, &to);
            let region = only(&survey);
            assert_eq!((region.kind, region.start, region.size), (Some("swap"), 0, size));
            assert!(region.is_swap() && region.kept.is_none(), "{region:?}");
            assert_eq!(region.free, Some(size / page * page - page), "{page} {order}");
            assert_eq!(survey.unused.iter().cloned().collect::<Vec<_>>(), [page..size / page * page]);
            assert_eq!(blkid(&to), known);
            if order == "little" {
                assert!(run("swaplabel", &[&to]).contains("LABEL: pages"));
            }
            assert_eq!(peek(&to, 0, page as usize), peek(&scratch.disk, 0, page as usize));
            assert!(peek(&to, page, (size / page * page - page) as usize).iter().all(|byte| *byte == 0));
            spoil(&to, &survey);
            assert_eq!(blkid(&to), known);
        }
    }
}

#[test]
fn a_system_asleep_is_left_alone() {
    const NAME: &str = "a_system_asleep_is_left_alone";
    if !have(NAME, &["mkswap", "blkid"]) {
        return;
    }
    let marks = [b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001"];
    let tux_on_ice = b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c";
    for page in [4096, 65536] {
        for mark in marks {
            let scratch = made(2 * MIB, &["-p", &page.to_string()]);
            poke(&scratch.disk, page - 10, mark);
            assert!(blkid(&scratch.disk).contains("TYPE=swsuspend"), "{mark:?}");
            kept(&scratch.disk, "hibernated");
            assert_eq!(only(&survey_of(&scratch.disk)).kind, Some("swap"));
        }
        // TuxOnIce leaves the mark of swap space where it is.
        let scratch = made(2 * MIB, &["-p", &page.to_string()]);
        poke(&scratch.disk, 0, tux_on_ice);
        assert!(blkid(&scratch.disk).contains("TYPE=swsuspend"));
        kept(&scratch.disk, "hibernated");
        poke(&scratch.disk, page - 10, tux_on_ice);
        kept(&scratch.disk, "hibernated");
    }
}

/// A disk whose two partitions are copies of `first` and `second`, of 2 MiB each.
fn beside(first: &Path, second: &Path) -> Scratch {
    let scratch = Scratch::of(8 * MIB);
    for (entry, (start, disk)) in [(MIB, first), (4 * MIB, second)].into_iter().enumerate() {
        let entry = 446 + 16 * entry as u64;
        poke(&scratch.disk, entry + 4, &[0x82]);
        poke(&scratch.disk, entry + 8, &[start as u32 / 512, 4096].map(u32::to_le_bytes).concat());
        poke(&scratch.disk, start, &peek(disk, 0, 2 * MIB as usize));
    }
    poke(&scratch.disk, 510, &[0x55, 0xAA]);
    scratch
}

#[test]
fn swap_space_goes_by_the_disks_other_volumes() {
    const NAME: &str = "swap_space_goes_by_the_disks_other_volumes";
    if !have(NAME, &["mkswap"]) {
        return;
    }
    let (good, other) = (made(2 * MIB, &[]), made(2 * MIB, &[]));
    let free = [(); 2].map(|()| Err(2 * MIB - 4096));
    let told = || {
        let found = survey_of(&beside(&other.disk, &good.disk).disk);
        let reasons: Vec<_> = found
            .regions
            .iter()
            .map(|region| {
                region
                    .kept
                    .as_ref()
                    .map(|kept| (kept.fault, kept.reason.clone()))
                    .ok_or(region.free.unwrap_or_default())
            })
            .collect();
        let bytes: u64 = reasons.iter().filter_map(|told| told.as_ref().err()).sum();
        assert_eq!(found.unused.bytes(), bytes);
        reasons
    };
    assert_eq!(told(), free);
    // What is not looked into may be in any state, and as a rule is.
    poke(&other.disk, 0, b"LUKS\xba\xbe\0\x02");
    poke(&other.disk, 4086, &[0; 10]);
    assert!(matches!(&told()[..], [Ok((false, _)), Err(2_093_056)]));
    // Left in the middle of a change, or damaged.
    poke(&other.disk, 0, &[0; 8]);
    poke(&other.disk, 4086, b"SWAPSPACE2");
    assert_eq!(told(), free);
    poke(&other.disk, 1024, &[2]);
    assert!(matches!(&told()[..], [Ok((true, _)), Ok((true, why))] if why.contains("another volume of the disk")));
    poke(&other.disk, 1024, &[1]);
    // Of a system asleep all is kept, though two claim where it sleeps.
    poke(&other.disk, 4086, b"S1SUSPEND\0");
    for mark in [&b"CD001"[..], &[0; 5]] {
        poke(&other.disk, 0x8001, mark);
        let told = told();
        let reasons: Vec<_> = told.iter().map(|told| told.as_ref().unwrap().1.as_str()).collect();
        assert!(reasons[0].contains("holds a hibernated system"), "{reasons:?}");
        assert!(reasons[1].contains("hibernates on this disk (in 1)"), "{reasons:?}");
    }
}

#[test]
fn headers_that_cannot_be_are_not_believed() {
    const NAME: &str = "headers_that_cannot_be_are_not_believed";
    if !have(NAME, &["mkswap"]) {
        return;
    }
    let cases: [(&str, u64, &[u8]); 9] = [
        ("version 2", 1024, &[2, 0, 0, 0]),
        ("version", 1024, &[0, 0, 0, 0]),
        ("pages of 4096 bytes", 1028, &[0, 2, 0, 0]),
        ("pages of 4096 bytes", 1028, &[0xff; 4]),
        ("1 pages", 1028, &[0; 4]),
        ("bad pages", 1032, &[0xff; 4]),
        // One bad page, of number 0.
        ("page 0", 1032, &[1, 0, 0, 0]),
        ("first version", 4086, b"SWAP-SPACE"),
        ("several sizes", 8182, b"SWAPSPACE2"),
    ];
    for (why, at, bytes) in cases {
        let scratch = made(2 * MIB, &[]);
        poke(&scratch.disk, at, bytes);
        kept(&scratch.disk, why);
    }
    let scratch = made(2 * MIB, &[]);
    std::fs::File::options().write(true).open(&scratch.disk).unwrap().set_len(2 * MIB - 4096).unwrap();
    kept(&scratch.disk, "512 pages");
}

#[test]
fn bad_pages_stay() {
    const NAME: &str = "bad_pages_stay";
    if !have(NAME, &["mkswap"]) {
        return;
    }
    let scratch = made(2 * MIB, &[]);
    // Three, one of them twice: 511, 7, 7.
    poke(&scratch.disk, 1032, &[3, 0, 0, 0]);
    poke(&scratch.disk, 1536, &[0xff, 1, 0, 0, 7, 0, 0, 0, 7, 0, 0, 0]);
    let survey = survey_of(&scratch.disk);
    let free = [4096..7 * 4096, 8 * 4096..511 * 4096];
    assert_eq!(survey.unused.iter().cloned().collect::<Vec<_>>(), free);
    poke(&scratch.disk, 1536, &[0, 2, 0, 0]);
    kept(&scratch.disk, "page 512");
}

#[test]
fn mutations_never_free_the_header() {
    const NAME: &str = "mutations_never_free_the_header";
    if !have(NAME, &["mkswap"]) {
        return;
    }
    let scratch = made(MIB, &[]);
    let header = peek(&scratch.disk, 0, 4096);
    let random = noise(7, 3000 * 8);
    for (round, bytes) in random.chunks(8).enumerate() {
        // Mostly where the numbers are.
        let at = if round % 3 == 0 { usize::from(bytes[0]) * 16 } else { 1024 + usize::from(bytes[0]) % 12 };
        poke(&scratch.disk, at as u64, &[bytes[1] & bytes[2]]);
        let survey = survey_of(&scratch.disk);
        assert!(survey.unused.iter().all(|range| range.start >= 4096 && range.end <= MIB), "{survey:?}");
        if round % 4 == 3 {
            poke(&scratch.disk, 0, &header);
        }
    }
}
