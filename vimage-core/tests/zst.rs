//! Raw disks compressed with Zstandard: what `zstd` makes of them, at any number of threads, through pipes, and of hostile ones.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod peers;
mod support;

use peers::sum::{PIECE, Sum, Summer};
use peers::{Peer, Zstd, present};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::Source;
use vimage_core::formats::by_name;
use vimage_core::io::{Flow, InOrder, Outputs};
use vimage_core::target::{Encoding, Whole};
use vimage_core::{
    Comparison, ConvertOptions, CreateOptions, ErrorKind, Image, Result, alike, check, compare, convert, describe,
    measure, open,
};
use vimage_fixtures::{Disk, Fill, Run, disk, disks};

const MIB: u64 = 1 << 20;

fn options() -> ConvertOptions {
    ConvertOptions::to("raw.zst")
}

fn written(disk: &Disk, options: &ConvertOptions, folder: &Path) -> PathBuf {
    let path = folder.join("disk.raw.zst");
    convert(&Source(disk.clone()), &path, &ConvertOptions { replace: true, ..options.clone() }, &()).unwrap();
    path
}

fn sum_of(disk: &Disk) -> Sum {
    let mut summer = Summer::default();
    let mut piece = vec![0; PIECE];
    for at in (0..disk.size).step_by(PIECE) {
        let piece = &mut piece[..(disk.size - at).min(PIECE as u64) as usize];
        disk.read_at(piece, at);
        summer.add(piece);
    }
    summer.finish()
}

/// How many frames the image says that it has.
fn frames(path: &Path) -> u64 {
    let (info, _) = describe(path, &Default::default()).unwrap();
    assert_eq!(info.format, "raw.zst");
    info.details.iter().find(|(name, _)| *name == "frames").unwrap().1.parse().unwrap()
}

#[test]
fn zstd_makes_the_raw_disk_of_it() {
    if !present("zstd_makes_the_raw_disk_of_it", &Zstd) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The terabytes of zeros of one take minutes to write.
    for disk in disks().into_iter().filter(|disk| disk.size < 1 << 40) {
        let sum = sum_of(&disk);
        for options in [options(), options().with("checksum", "off").level(1)] {
            let path = written(&disk, &options, folder.path());
            assert_eq!(Zstd.sha256(&path).unwrap(), sum, "{}", disk.name);
            Zstd.test(&path).unwrap();
            let list = Zstd.list(&path).unwrap();
            let says = |line: String| assert!(list.contains(&line), "{}: {line} is not in {list}", disk.name);
            says(format!("# Zstandard Frames: {}\n", frames(&path)));
            says("# Skippable Frames: 1\n".into());
            says(format!("({} B)", disk.size));
        }
    }
}

#[test]
fn the_same_bytes_at_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for disk in ["sparse", "dense", "not-a-sector"].map(|name| disk(name).unwrap()) {
        let files = [1, 2, 7].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            std::fs::read(pool.install(|| written(&disk, &options(), folder.path()))).unwrap()
        });
        assert!(files[0] == files[1] && files[1] == files[2], "{}", disk.name);
    }
}

/// What went through a pipe.
struct Pipe(Vec<u8>);

impl Flow for Pipe {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.extend(bytes);
        Ok(())
    }
}

#[test]
fn through_a_pipe_and_without_knowing_the_end_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for disk in ["empty", "sparse", "not-a-sector", "dense"].map(|name| disk(name).unwrap()) {
        let part = Arc::new(Mutex::new(InOrder::new(Pipe(Vec::new()))));
        let outputs = Outputs::into_part(Arc::clone(&part) as _);
        let format = by_name("raw.zst").unwrap();
        let mut target = format.create("-".as_ref(), None, &CreateOptions::default(), &outputs).unwrap();
        let mut unit = vec![0; target.units.size];
        for at in (0..disk.size).step_by(unit.len()) {
            disk.read_at(&mut unit, at);
            if unit.iter().any(|&byte| byte != 0) {
                let mut out = Vec::new();
                assert_eq!(target.units.encoder.encode(&unit, &mut out).unwrap(), Encoding::Packed);
                target.writer.append(at, &out, Encoding::Packed).unwrap();
            }
        }
        target.writer.finish(&Whole { size: disk.size, content: None }).unwrap();
        let file = std::fs::read(written(&disk, &options(), folder.path())).unwrap();
        assert!(part.lock().unwrap().flow().0 == file, "{}", disk.name);
    }
}

#[test]
fn terabytes_of_zeros_come_to_32_mib_each() {
    let run = |offset, fill| Run { offset, len: 3 * MIB, fill };
    let runs = vec![run(5, Fill::Text(1)), run(40 << 40, Fill::Noise(2)), run((64 << 40) - 3 * MIB, Fill::Text(3))];
    let disk = Disk { name: "64-tib", size: 64 << 40, runs };
    let begun = Instant::now();
    let size = measure(&Source(disk), "disk.raw.zst", &options(), &()).unwrap()[0].size;
    assert!((2 << 30..(2 << 30) + 16 * MIB).contains(&size), "{size}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn what_it_does_not_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source(disk("one-sector").unwrap());
    let kind = |options: ConvertOptions| {
        convert(&source, folder.path().join("d.zst"), &options, &()).err().map(|error| error.kind())
    };
    for (key, value) in [("checksum", "maybe"), ("window", "12")] {
        assert_eq!(kind(options().with(key, value)), Some(ErrorKind::Usage));
    }
    assert_eq!(kind(options().level(23)), Some(ErrorKind::Usage));
    assert_eq!(kind(options().split(5 * MIB)), Some(ErrorKind::Usage));
    let mut compressed = options();
    compressed.create.compress = true;
    assert_eq!(kind(compressed), None);
    let (format, _) = alike(folder.path().join("d.zst"), &Default::default()).unwrap();
    assert_eq!(format, "raw.zst");
}

/// A file, the disk in it, and where its table's entries begin.
fn sample(folder: &Path) -> (Vec<u8>, Disk, usize) {
    let disk = disk("sparse").unwrap();
    let path = written(&disk, &options(), folder);
    let bytes = std::fs::read(&path).unwrap();
    let entries = bytes.len() - 9 - 8 * frames(&path) as usize;
    (bytes, disk, entries)
}

/// What becomes of a file: the fault of opening it, or of reading all of it; none where it reads as `disk`.
fn fault(bytes: &[u8], disk: &Disk, folder: &Path) -> Option<ErrorKind> {
    let path = folder.join("hostile.raw.zst");
    std::fs::write(&path, bytes).unwrap();
    let begun = Instant::now();
    let read = open(&path, &Default::default()).and_then(|image| {
        let mut all = vec![0; image.size().min(disk.size + 1) as usize];
        image.read_exact_at(&mut all, 0)?;
        compare(&image, &Source(disk.clone()), &())
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    match read {
        Ok(found) => {
            assert_eq!(found, Comparison::Identical);
            None
        }
        Err(error) => {
            assert!(error.path().is_some() && error.offset().is_some(), "{error}");
            assert!(!check(&path, &Default::default(), &()).is_ok_and(|found| found.is_clean()), "{error}");
            Some(error.kind())
        }
    }
}

#[test]
fn a_seek_table_that_lies_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, disk, entries) = sample(folder.path());
    let len = bytes.len();
    assert_eq!(fault(&bytes, &disk, folder.path()), None);
    let with = |at: usize, new: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let more = |at: usize, by: u32| number(at).wrapping_add(by).to_le_bytes();
    let cases: [(&str, Vec<u8>); 14] = [
        ("a count past the file", with(len - 9, &u32::MAX.to_le_bytes())),
        ("a count one too high", with(len - 9, &more(len - 9, 1))),
        ("a count one too low", with(len - 9, &more(len - 9, u32::MAX))),
        ("no frames", with(len - 9, &[0; 4])),
        ("reserved bits", with(len - 5, &[4])),
        ("checksums that are not there", with(len - 5, &[0x80])),
        ("another length of the table", with(entries - 4, &more(entries - 4, 8))),
        ("another magic of the table", with(entries - 8, &[0x5d])),
        ("a frame of no bytes", with(entries, &[0; 4])),
        ("a frame past all", with(entries, &u32::MAX.to_le_bytes())),
        ("a sum too small", with(entries, &more(entries, u32::MAX))),
        ("a frame that unpacks to less", with(entries + 4, &more(entries + 4, 1))),
        ("a frame that unpacks to more", with(entries + 4, &more(entries + 4, u32::MAX))),
        ("something before the table", [&bytes[..entries - 8], b"x", &bytes[entries - 8..]].concat()),
    ];
    for (name, bytes) in cases {
        assert_eq!(fault(&bytes, &disk, folder.path()), Some(ErrorKind::Corrupt), "{name}");
    }
    // Sixteen million frames and one, in a file that is nearly all hole.
    let path = folder.path().join("many.zst");
    let count = (16_u32 << 20) + 1;
    let table = u64::from(count) * 8 + 17;
    let file = std::fs::File::create(&path).unwrap();
    let put = |bytes: &[u8], at| std::os::unix::fs::FileExt::write_all_at(&file, bytes, at).unwrap();
    put(&bytes[..4], 0);
    put(&[&count.to_le_bytes()[..], &bytes[len - 5..]].concat(), 1000 + table - 9);
    assert_eq!(open(&path, &Default::default()).err().unwrap().kind(), ErrorKind::Unsupported);
}

#[test]
fn sizes_that_go_past_64_bits_are_no_trouble_as_there_are_not_so_many_frames() {
    let folder = tempfile::tempdir().unwrap();
    // Each says that it unpacks to 4 GiB less one byte.
    let frame = |len: u32| [&b"\x50\x2a\x4d\x18"[..], &len.to_le_bytes(), &vec![0; len as usize]].concat();
    let mut bytes: Vec<u8> = (0..1000).flat_map(|_| frame(0)).collect();
    bytes.extend([&b"\x5e\x2a\x4d\x18"[..], &(1000_u32 * 8 + 9).to_le_bytes()].concat());
    (0..1000).for_each(|_| bytes.extend(b"\x08\0\0\0\xff\xff\xff\xff"));
    bytes.extend([&1000_u32.to_le_bytes()[..], b"\0\xb1\xea\x92\x8f"].concat());
    let path = folder.path().join("d.zst");
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(describe(&path, &Default::default()).unwrap().0.virtual_size, 1000 * u64::from(u32::MAX));
    // Frames of that size are unpacked as a whole, and there is nothing in them.
    assert_eq!(open(&path, &Default::default()).err().unwrap().kind(), ErrorKind::Corrupt);
    assert!(!check(&path, &Default::default(), &()).unwrap().is_clean());
}

#[test]
fn flipped_bits_are_errors_or_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, disk, entries) = sample(folder.path());
    // Of a packed frame, which has a checksum, and a frame of zeros, but for its zeros: those may be any byte that is repeated.
    let zeros = bytes.windows(6).position(|at| at == [0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x38]).unwrap();
    let packed = (20..entries - 8).step_by(entries / 40);
    for at in packed.chain(zeros..zeros + 13) {
        for bit in [0, 3, 7] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let found = fault(&flipped, &disk, folder.path());
            assert!(matches!(found, None | Some(ErrorKind::Corrupt)), "byte {at}, bit {bit}: {found:?}");
        }
    }
    let mut cut = bytes;
    cut.truncate(entries - 20);
    assert_eq!(fault(&cut, &disk, folder.path()), Some(ErrorKind::Corrupt));
}

#[test]
fn a_long_frame_of_zeros_that_holds_something_else_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk { name: "zeros", size: 100 * MIB, runs: Vec::new() };
    let path = written(&disk, &options(), folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(fault(&bytes, &disk, folder.path()), None);
    bytes[13] = 1;
    assert_eq!(fault(&bytes, &disk, folder.path()), Some(ErrorKind::Corrupt));
}

/// `frames`, each with how much it unpacks to, behind each other with a seek table of entries that have checksums.
fn laid(frames: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let mut bytes: Vec<u8> = frames.iter().flat_map(|(frame, _)| frame.clone()).collect();
    let count = frames.len() as u32;
    bytes.extend([&b"\x5e\x2a\x4d\x18"[..], &(count * 12 + 9).to_le_bytes()].concat());
    for (frame, len) in frames {
        bytes.extend([(frame.len() as u32).to_le_bytes(), len.to_le_bytes(), [9; 4]].concat());
    }
    bytes.extend([&count.to_le_bytes()[..], b"\x80\xb1\xea\x92\x8f"].concat());
    bytes
}

#[test]
fn tables_of_others_have_checksums_frames_of_nothing_and_frames_too_long_to_be_read_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.zst");
    for first in [3 * MIB, 40 * MIB] {
        let run = |offset, fill| Run { offset, len: MIB, fill };
        let runs =
            vec![run(100, Fill::Text(1)), run(first - 1000, Fill::Noise(2)), run(first + 2 * MIB, Fill::Text(3))];
        let disk = Disk { name: "laid", size: first + 4 * MIB, runs };
        let frame = |at: u64, len: u64| {
            let (mut plain, mut packed) = (vec![0; len as usize], Vec::new());
            disk.read_at(&mut plain, at);
            vimage_core::codec::zstd::compress(&plain, Default::default(), &mut packed).unwrap();
            (packed, len as u32)
        };
        let nothing = (b"\x50\x2a\x4d\x18\0\0\0\0".to_vec(), 0);
        let frames = [nothing.clone(), frame(0, first), nothing.clone(), frame(first, 4 * MIB), nothing];
        std::fs::write(&path, laid(&frames)).unwrap();
        let image = open(&path, &Default::default()).unwrap();
        support::conforms(&image, &disk, 1, &format!("{first}"));
        assert!(check(&path, &Default::default(), &()).unwrap().is_clean());
        let mut wrong = frames;
        wrong[1].1 += 1;
        std::fs::write(&path, laid(&wrong)).unwrap();
        let read = open(&path, &Default::default()).and_then(|image| image.read_exact_at(&mut [0; 10], 0));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(!check(&path, &Default::default(), &()).unwrap().is_clean());
    }
}
