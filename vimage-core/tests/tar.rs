//! Tar archives: what GNU tar and Python write is listed as they wrote it, and what an archive from a stranger may hold is
//! refused by name.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;

use left_out::left_out;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use vimage_core::io::tar::{Dialect, End, Listing, is_tar, list};
use vimage_core::io::{FileReader, Memory, ReadAt};
use vimage_core::{Error, ErrorKind};

/// A ustar header as POSIX.1-1988 has it, laid field by field.
fn header(name: &[u8], size: &[u8], flag: u8) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..124 + size.len()].copy_from_slice(size);
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sum(&mut block);
    block
}

fn sum(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn octal(size: usize) -> Vec<u8> {
    format!("{size:011o}\0").into_bytes()
}

/// An entry: header, bytes, and zeros up to the next block.
fn entry(name: &[u8], flag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut all = header(name, &octal(bytes.len()), flag);
    all.extend_from_slice(bytes);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

/// An archive of these entries with its end.
fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn listed(bytes: &[u8]) -> Result<Listing, Error> {
    list(&Memory(bytes.to_vec()), Path::new("a.ova"))
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.members.iter().map(|member| member.name.as_str()).collect()
}

/// Checks that the archive is refused, as that kind of fault, in words that hold all of `words` and the archive's name.
#[track_caller]
fn refused(bytes: &[u8], kind: ErrorKind, words: &[&str]) {
    let error = listed(bytes).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.starts_with("a.ova: ") && words.iter().all(|word| text.contains(word)), "{text}");
}

fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len += 1;
    }
    format!("{len} {key}={value}\n").into_bytes()
}

#[test]
fn members_lie_where_their_headers_say() {
    let all = archive(&[entry(b"a.ovf", b'0', b"<x/>"), entry(b"./b.mf", b'\0', b""), entry(b"c", b'7', &[7; 513])]);
    let listing = listed(&all).unwrap();
    let found: Vec<_> = listing.members.iter().map(|m| (m.name.as_str(), m.header, m.offset, m.size)).collect();
    assert_eq!(found, [("a.ovf", 0, 512, 4), ("b.mf", 1024, 1536, 0), ("c", 1536, 2048, 513)]);
    assert_eq!((listing.end, listing.trailing, listing.dotted), (End::Marked, None, 1));
    assert!(listing.members.iter().all(|member| member.dialect == Dialect::Ustar));
}

#[test]
fn folders_are_told_and_nothing_else() {
    let all = archive(&[
        entry(b"./", b'5', b""),
        entry(b"sub/", b'5', b""),
        entry(b"old/", b'\0', b""),
        entry(b"sub/a", b'0', b"x"),
    ]);
    let listing = listed(&all).unwrap();
    assert_eq!(
        (names(&listing), listing.folders.as_slice()),
        (vec!["sub/a"], &["sub".to_owned(), "old".to_owned()][..])
    );
    refused(&archive(&[entry(b"sub/", b'5', b"x")]), ErrorKind::Corrupt, &["sub/", "1 bytes"]);
    refused(&archive(&[entry(b"../", b'5', b"")]), ErrorKind::Refused, &["../"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [&b"../x"[..], b"/x", b"a/../../x", b"a\\b", b"a\nb", b"a\x7fb", b"", b"a//b", b"..", b"a/./b"] {
        let text = String::from_utf8_lossy(name).into_owned();
        let shown: String = text.chars().flat_map(char::escape_debug).collect();
        refused(
            &archive(&[entry(b"fine", b'0', b""), entry(name, b'0', b"x")]),
            ErrorKind::Refused,
            &["member", &shown],
        );
    }
    refused(&archive(&[entry(b"caf\xe9", b'0', b"")]), ErrorKind::Unsupported, &["UTF-8"]);
    let long = [b'x'; 256];
    for lead in [entry(b"././@LongLink", b'L', &long), entry(b"h", b'x', &record("path", &"x".repeat(256)))] {
        refused(&archive(&[lead, entry(b"x", b'0', b"")]), ErrorKind::Refused, &["255"]);
    }
    // The name that counts is the one that is checked.
    for lead in [entry(b"././@LongLink", b'L', b"/etc/passwd\0"), entry(b"h", b'x', &record("path", "/etc/passwd"))] {
        refused(&archive(&[lead, entry(b"fine", b'0', b"")]), ErrorKind::Refused, &["/etc/passwd", "absolute"]);
    }
    let null = archive(&[entry(b"h", b'x', &record("path", "a\0b")), entry(b"fine", b'0', b"")]);
    refused(&null, ErrorKind::Refused, &["control character"]);
    for twice in [&b"disk"[..], b"./disk"] {
        refused(
            &archive(&[entry(b"disk", b'0', b"1"), entry(twice, b'0', b"2")]),
            ErrorKind::Corrupt,
            &["two members", "disk"],
        );
    }
}

#[test]
fn kinds_that_no_package_has_are_refused() {
    for (flag, word) in
        [(b'1', "hard link"), (b'2', "symbolic link"), (b'3', "device"), (b'4', "device"), (b'6', "pipe")]
    {
        refused(&archive(&[entry(b"odd", flag, b"")]), ErrorKind::Refused, &["\"odd\"", word]);
    }
    for flag in [b'S', b'M', b'V', b'D', b'N', b'X', b'8', b'A', 0xff] {
        refused(&archive(&[entry(b"odd", flag, b"")]), ErrorKind::Unsupported, &["\"odd\""]);
    }
    let sparse = entry(b"h", b'x', &record("GNU.sparse.name", "disk.raw"));
    refused(&archive(&[sparse, entry(b"odd", b'0', b"")]), ErrorKind::Unsupported, &["sparse"]);
}

#[test]
fn sizes_are_octal_or_binary_and_never_negative() {
    for bad in [
        &b"-0000000001\0"[..],
        b"0000000000x\0",
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\x80\0\0\0\0\0\0\0",
    ] {
        refused(&archive(&[header(b"odd", bad, b'0')]), ErrorKind::Corrupt, &["\"odd\"", "for a size"]);
    }
    for past in [
        &b"77777777777\0"[..],
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xfc\0",
    ] {
        refused(&archive(&[header(b"odd", past, b'0')]), ErrorKind::Corrupt, &["\"odd\"", "cut short"]);
    }
    for value in ["-1", "18446744073709551616", "9223372036854775808", "0x10", "", "1 "] {
        let all = archive(&[entry(b"h", b'x', &record("size", value)), entry(b"odd", b'0', b"")]);
        refused(&all, ErrorKind::Corrupt, &["pax header"]);
    }
}

#[test]
fn a_byte_changed_in_a_header_is_noticed() {
    let all = archive(&[entry(b"disk.vmdk", b'0', b"data"), entry(b"b", b'0', b"")]);
    for at in (0..512).chain(1024..1536) {
        let mut changed = all.clone();
        changed[at] ^= 1;
        refused(&changed, ErrorKind::Corrupt, &["checksum"]);
    }
}

/// At the end of a member nobody can tell whether something is missing but the end; anywhere else it is an error.
#[test]
fn an_archive_that_was_cut_short_is_an_error() {
    let long = entry(b"././@LongLink", b'L', b"long\0");
    let pax = entry(b"h", b'x', &record("path", "extended"));
    let all =
        archive(&[entry(b"a", b'0', &[1; 700]), long, entry(b"b", b'0', &[2; 512]), pax, entry(b"c", b'0', &[3; 1])]);
    let whole = listed(&all).unwrap();
    assert_eq!(names(&whole), ["a", "long", "extended"]);
    let ends: Vec<_> = whole.members.iter().map(|m| (m.offset + m.size).next_multiple_of(512) as usize).collect();
    for len in 0..all.len() {
        match listed(&all[..len]) {
            Ok(cut) => {
                let members = ends.iter().take_while(|&&end| end <= len).count();
                assert_eq!(cut.members, whole.members[..members], "{len}");
                assert!(ends.contains(&len) || len >= *ends.last().unwrap() + 512, "{len}");
                assert_eq!(cut.end, if ends.contains(&len) { End::Unmarked } else { End::HalfMarked }, "{len}");
            }
            Err(error) => {
                assert!(!ends.contains(&len), "{len}: {error}");
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{len}: {error}");
            }
        }
    }
}

#[test]
fn how_an_archive_ends_is_told() {
    let member = entry(b"a", b'0', b"x");
    let end = |rest: &[u8]| {
        let listing = listed(&[&member[..], rest].concat()).unwrap();
        (listing.end, listing.trailing)
    };
    assert_eq!(end(&[]), (End::Unmarked, None));
    assert_eq!(end(&[0; 512]), (End::HalfMarked, None));
    assert_eq!(end(&[0; 1024]), (End::Marked, None));
    assert_eq!(end(&[0; 9216]), (End::Marked, None));
    assert_eq!(end(&[vec![0; 1024], vec![0; 99], vec![5]].concat()), (End::Marked, Some(2147)));
    assert_eq!(end(&[vec![0; 512], member.clone()].concat()), (End::HalfMarked, Some(1536)));
    for empty in [vec![], vec![0; 512], vec![0; 10240]] {
        refused(&empty, ErrorKind::Corrupt, &["without members"]);
    }
}

#[test]
fn headers_ahead_of_a_member_are_bounded_and_belong_to_one() {
    let (long, pax) = (entry(b"././@LongLink", b'L', b"n\0"), entry(b"h", b'x', &record("path", "n")));
    let file = entry(b"a", b'0', b"");
    refused(&archive(&[long.clone(), long.clone(), file.clone()]), ErrorKind::Corrupt, &["two long names"]);
    refused(&archive(&[pax.clone(), pax.clone(), file.clone()]), ErrorKind::Corrupt, &["two pax headers"]);
    for dangling in [&long, &pax] {
        refused(&archive(&[file.clone(), dangling.clone()]), ErrorKind::Corrupt, &["to come"]);
    }
    refused(
        &archive(&[header(b"l", &octal(4097), b'L'), file.clone()]),
        ErrorKind::Unsupported,
        &["4097 bytes of text"],
    );
    refused(&archive(&[header(b"h", &octal(65_537), b'x'), file.clone()]), ErrorKind::Unsupported, &["65537"]);
    refused(&archive(&[header(b"h", &octal(1 << 32), b'g'), file.clone()]), ErrorKind::Unsupported, &["bytes of text"]);
    refused(
        &archive(&[entry(b"g", b'g', &record("path", "n")), file.clone()]),
        ErrorKind::Unsupported,
        &["all members"],
    );
    refused(&archive(&[entry(b"h", b'x', b"99 path=n\n"), file.clone()]), ErrorKind::Corrupt, &["damaged"]);
    let listing = listed(&archive(&[entry(b"g", b'g', &record("comment", "c")), pax, file.clone(), file])).unwrap();
    let found: Vec<_> = listing.members.iter().map(|m| (m.name.as_str(), m.dialect, m.header)).collect();
    assert_eq!(found, [("n", Dialect::Pax, 1024), ("a", Dialect::Ustar, 2560)]);
    assert_eq!(listing.pax_headers, 2);
}

#[test]
fn more_members_than_the_limit_are_refused() {
    let member = |number: usize| entry(format!("{number}").as_bytes(), b'0', b"");
    let most: Vec<_> = (0..4096).map(member).collect();
    assert_eq!(listed(&archive(&most)).unwrap().members.len(), 4096);
    refused(&archive(&(0..4097).map(member).collect::<Vec<_>>()), ErrorKind::Unsupported, &["4096"]);
    let folders = vec![entry(b"x/", b'5', b""); 5 * 4096];
    refused(&archive(&folders), ErrorKind::Unsupported, &["entries"]);
}

#[test]
fn a_tar_is_told_by_its_header() {
    let tar = |bytes: &[u8], name: &str| is_tar(&Memory(bytes.to_vec()), Path::new(name)).unwrap();
    let mut old = entry(b"a", b'0', b"x");
    assert!(tar(&old, "disk.raw"));
    old[257..265].fill(0);
    assert!(!tar(&old, "a.ova"), "its checksum is wrong");
    sum(&mut old[..512]);
    assert!(!tar(&old, "disk.raw") && tar(&old, "a.ova") && tar(&old, "A.BOX") && tar(&old, "a.tar"));
    assert!(!tar(&[0; 1024], "a.ova") && !tar(b"short", "a.ova"));
    assert_eq!(listed(&old).unwrap().members[0].dialect, Dialect::Old);
}

/// Counts the bytes that are read.
struct Counting<'a>(&'a FileReader, AtomicU64);

impl ReadAt for Counting<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.0.read_exact_at(buf, offset)
    }
}

/// Members past 8 GiB have sizes that octal digits do not hold. Their bytes are not read.
#[test]
fn large_members_cost_nothing() {
    let huge: u64 = 20 << 30;
    let binary = [&[0x80, 0, 0, 0][..], &huge.to_be_bytes()].concat();
    let gnu = |name: &[u8]| {
        let mut block = header(name, &binary, b'0');
        block[257..265].copy_from_slice(b"ustar  \0");
        sum(&mut block);
        block
    };
    let pax = entry(b"h", b'x', &record("size", &huge.to_string()));
    let file = tempfile::tempfile().unwrap();
    let mut at = 0;
    for (lead, head) in [(vec![], gnu(b"one")), (pax, header(b"two", &octal(0), b'0')), (vec![], gnu(b"three"))] {
        let all = [lead, head].concat();
        file.write_all_at(&all, at).unwrap();
        at += all.len() as u64 + huge;
    }
    file.set_len(at + 1024).unwrap();
    let reader = FileReader::from_file(file).unwrap();
    let counting = Counting(&reader, AtomicU64::new(0));
    let listing = list(&counting, Path::new("a.ova")).unwrap();
    let found: Vec<_> = listing.members.iter().map(|m| (m.name.as_str(), m.offset, m.size, m.dialect)).collect();
    let two = 512 + huge + 1024 + 512;
    assert_eq!(
        found,
        [
            ("one", 512, huge, Dialect::Gnu),
            ("two", two, huge, Dialect::Pax),
            ("three", two + huge + 512, huge, Dialect::Gnu)
        ]
    );
    assert!(counting.1.into_inner() < 8 * 512);
}

/// Archives of noise, and of headers with noise in them, are read to an end.
#[test]
fn noise_is_no_fault_of_ours() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let pax = entry(b"h", b'x', &[record("path", "n"), record("size", "3")].concat());
    let whole = archive(&[
        entry(b"a", b'0', b"abc"),
        entry(b"l", b'L', b"name\0"),
        entry(b"b", b'0', b"abc"),
        pax,
        entry(b"c", b'0', b"abc"),
    ]);
    let mut sound = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + next() % 4 {
            let at = next() as usize % bytes.len();
            bytes[at] = next() as u8;
        }
        // With the sums put right, so that more than them is tried.
        for at in (0..bytes.len()).step_by(512).filter(|at| bytes[at + 257..].starts_with(b"ustar")).collect::<Vec<_>>()
        {
            sum(&mut bytes[at..at + 512]);
        }
        bytes.truncate(bytes.len() - next() as usize % 64);
        if let Ok(listing) = listed(&bytes) {
            let size = bytes.len() as u64;
            assert!(listing.members.iter().all(|m| m.offset.checked_add(m.size).is_some_and(|end| end <= size)));
            sound += 1;
        }
    }
    assert!(sound > 1000, "only {sound} were read: nothing was tried");
}

/// Files that are packed by other tools: an empty one, one of a block, and one with a name past 100 bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let long = format!("{}.vmdk", "long-name-".repeat(14));
    let files = vec![
        ("appliance.ovf".to_owned(), b"<Envelope/>".to_vec()),
        ("empty.mf".to_owned(), vec![]),
        ("block.raw".to_owned(), vec![9; 512]),
        (long, vec![3; 100_000]),
    ];
    files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
    files
}

/// Checks that the archive at `path` holds exactly `files`.
fn holds(path: &Path, files: &[(String, Vec<u8>)], told: &str) -> Listing {
    let reader = FileReader::open(path).unwrap();
    assert!(is_tar(&reader, path).unwrap(), "{told}");
    let listing = list(&reader, path).unwrap_or_else(|error| panic!("{told}: {error}"));
    assert_eq!(names(&listing), files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), "{told}");
    for (member, (name, bytes)) in listing.members.iter().zip(files) {
        let mut read = vec![0; member.size as usize];
        reader.read_exact_at(&mut read, member.offset).unwrap();
        assert!(&read == bytes, "{told}: {name}");
    }
    assert_eq!((listing.end, listing.trailing), (End::Marked, None), "{told}");
    listing
}

#[test]
fn what_gnu_tar_writes() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    for (format, dialect) in
        [("gnu", Dialect::Gnu), ("pax", Dialect::Pax), ("ustar", Dialect::Ustar), ("v7", Dialect::Old)]
    {
        // Neither has room for the long name: ustar splits names at a slash only.
        let files = if matches!(format, "ustar" | "v7") { &files[..3] } else { &files };
        for dot in ["", "./"] {
            let mut tar = Command::new("tar");
            tar.current_dir(folder.path()).args([&format!("--format={format}"), "-cf", "out.tar"]);
            tar.args(files.iter().map(|(name, _)| format!("{dot}{name}")));
            match tar.status() {
                Ok(status) if status.success() => {}
                _ => return left_out("what_gnu_tar_writes", "tar is not GNU tar"),
            }
            let listing = holds(&folder.path().join("out.tar"), files, &format!("{format} {dot}"));
            assert_eq!(listing.dotted, if dot.is_empty() { 0 } else { files.len() });
            // GNU tar writes pax headers for all members, as their times have fractions.
            assert!(listing.members.iter().all(|member| member.dialect == dialect), "{format}");
            assert_eq!((listing.long_names, listing.pax_headers > 0), (usize::from(format == "gnu"), format == "pax"));
        }
    }
    std::os::unix::fs::symlink("block.raw", folder.path().join("link")).unwrap();
    fs::hard_link(folder.path().join("block.raw"), folder.path().join("hard")).unwrap();
    let sparse = File::create(folder.path().join("sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    (&sparse).write_all(b"x").unwrap();
    for (words, kind, told) in [
        (&["link"][..], ErrorKind::Refused, "symbolic link"),
        (&["block.raw", "hard"], ErrorKind::Refused, "hard link"),
        (&["--format=gnu", "--sparse", "sparse"], ErrorKind::Unsupported, "sparse"),
        (&["--format=pax", "--sparse", "sparse"], ErrorKind::Unsupported, "sparse"),
        (&["-P", "../../etc/hostname"], ErrorKind::Refused, "\"..\""),
    ] {
        let mut tar = Command::new("tar");
        // The last one's path is there from any folder in the folder for temporary files.
        if !tar.current_dir(folder.path()).args(["-cf", "out.tar"]).args(words).status().unwrap().success() {
            continue;
        }
        let path = folder.path().join("out.tar");
        let error = list(&FileReader::open(&path).unwrap(), &path).unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(told), "{words:?}: {error}");
    }
}

#[test]
fn what_python_writes() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    for (format, dialect) in [("GNU_FORMAT", Dialect::Gnu), ("PAX_FORMAT", Dialect::Pax)] {
        let script = format!(
            "import sys, tarfile\nwith tarfile.open('out.tar', 'w', format=tarfile.{format}) as t:\n    for n in sys.argv[1:]: t.add(n)"
        );
        let mut python = Command::new("python3");
        python.current_dir(folder.path()).args(["-c", &script]).args(files.iter().map(|(name, _)| name));
        if !python.status().is_ok_and(|status| status.success()) {
            return left_out("what_python_writes", "python3 is not installed");
        }
        let listing = holds(&folder.path().join("out.tar"), &files, format);
        assert_eq!(listing.members[3].dialect, dialect);
    }
}
