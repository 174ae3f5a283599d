//! streamOptimized VMDKs out of streams.

use crate::reading::{CHUNKS, by_position, ends, holds, incoming, opened, same, same_by, sum_of_image, sum_of_stream};
use crate::support::Source;
use crate::tools::{present, random, run};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vimage_core::formats::{StreamOptions, by_name, open_stream};
use vimage_core::io::Outputs;
use vimage_core::pipeline::{self, Disk as Read, How};
use vimage_core::target::Whole;
use vimage_core::{ConvertOptions, CreateOptions, ErrorKind, Image, convert};
use vimage_fixtures::vmdk::stream::{self, Layout};
use vimage_fixtures::vmdk::variants;
use vimage_fixtures::{Disk, disk, disks};

/// Where [`Layout::Front`] ends is told by nothing but its tables.
fn has_its_end(name: &str) -> bool {
    !name.contains("front") && !name.contains("qemu")
}

struct Made {
    name: String,
    disk: Disk,
    path: PathBuf,
    bytes: Arc<Vec<u8>>,
    _folder: tempfile::TempDir,
}

fn made(name: String, disk: Disk, write: impl FnOnce(&Path) -> PathBuf) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    let bytes = Arc::new(std::fs::read(&path).unwrap());
    Made { name, disk, path, bytes, _folder: folder }
}

/// The disks that are small enough to be read again and again.
fn small() -> impl Iterator<Item = Disk> {
    disks().into_iter().filter(|disk| disk.size > 0 && disk.size <= 1 << 30)
}

/// Images that were laid by hand, that this library wrote, and that qemu-img did.
fn all() -> Vec<Made> {
    let streams = variants().into_iter().filter(|variant| variant.name.starts_with("stream-") && variant.sound);
    let laid = streams
        .map(|variant| made(variant.name.clone(), variant.disk.clone(), |folder| variant.write(folder).unwrap()));
    let written = small().map(|disk| {
        made(format!("vimage-{}", disk.name), disk.clone(), |folder| {
            let options = ConvertOptions::to("vmdk").with("subformat", "streamOptimized");
            convert(&Source(disk), folder.join("disk.vmdk"), &options, &()).unwrap();
            folder.join("disk.vmdk")
        })
    });
    let mut all: Vec<_> = laid.chain(written).collect();
    if present("qemu-img") {
        all.extend(small().filter(|disk| disk.size % 512 == 0).map(|disk| {
            made(format!("qemu-{}", disk.name), disk.clone(), |folder| {
                disk.write_raw(&folder.join("disk.raw")).unwrap();
                let to = ["-O", "vmdk", "-o", "subformat=streamOptimized"];
                run("qemu-img", folder, &[&["convert", "-f", "raw"], &to[..], &["disk.raw", "disk.vmdk"]].concat());
                folder.join("disk.vmdk")
            })
        }));
    }
    all
}

#[test]
fn streams_are_what_files_are() {
    for made in all() {
        let image = by_position(&made.path).unwrap();
        for chunk in CHUNKS {
            // A byte at a time only where that is soon done.
            if chunk * (8 << 20) > made.bytes.len() {
                let name = format!("{}, by {chunk}", made.name);
                same(opened(&made.bytes, made.bytes.len(), chunk).unwrap(), &image, &name);
            }
        }
        holds(opened(&made.bytes, made.bytes.len(), 64 << 10).unwrap(), &made.disk, &made.name);
        // Stretches that are shorter than a grain, and longer than a table.
        for slab in [4096, 64 << 10, 64 << 20] {
            same_by(slab, opened(&made.bytes, made.bytes.len(), 64 << 10).unwrap(), &image, &made.name);
        }
    }
}

#[test]
fn a_stream_that_was_cut_short_is_an_error() {
    let mut state = 1;
    for made in all() {
        let whole = sum_of_image(&by_position(&made.path).unwrap()).unwrap();
        let len = made.bytes.len();
        // Every sector, as long as that does not take for ever; near the end, where every sector counts, each and a byte beside.
        let step = 512 * (len / 512).div_ceil(700).max(1);
        let end = (len.saturating_sub(40 * 512)..len).filter(|cut| cut % 512 < 2);
        let places = (0..len).step_by(step).chain(end);
        for cut in places.chain((0..200).map(|_| random(&mut state) as usize % len)) {
            match ends(opened(&made.bytes, cut, 64 << 10)) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{} cut at {cut}: {error}", made.name),
                // Nothing of the disk is missing.
                Ok(()) => {
                    assert!(!has_its_end(&made.name), "{} cut at {cut} of {len}", made.name);
                    let sum = sum_of_stream(opened(&made.bytes, cut, 64 << 10)).unwrap();
                    assert_eq!(sum, whole, "{} cut at {cut}", made.name);
                }
            }
        }
    }
}

#[test]
fn damage_is_an_error_or_what_it_is_by_position() {
    let mut state = 2;
    let (mut faults, mut sound) = (0, 0);
    for made in all().into_iter().filter(|made| made.bytes.len() < 2 << 20) {
        let len = made.bytes.len();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.vmdk");
        for round in 0..60 {
            let mut bytes = made.bytes.to_vec();
            // Anywhere, in the header, and at the end, where the tables are.
            let at = match round % 3 {
                0 => random(&mut state) as usize % len,
                1 => random(&mut state) as usize % len.min(0x60),
                _ => len - 1 - random(&mut state) as usize % len.min(4096),
            };
            bytes[at] ^= 1 << (random(&mut state) % 8);
            std::fs::write(&path, &bytes).unwrap();
            match sum_of_stream(opened(&Arc::new(bytes), len, 64 << 10)) {
                Err(_) => faults += 1,
                Ok(sum) => {
                    let file = by_position(&path).and_then(|image| sum_of_image(&image));
                    assert_eq!(sum, file.unwrap(), "{}, byte {at}", made.name);
                    sound += 1;
                }
            }
        }
    }
    assert!(faults > 100 && sound > 100, "{faults} faults, {sound} sound");
}

/// What is wrong with `bytes`.
fn fault(bytes: Vec<u8>) -> Option<(ErrorKind, String)> {
    let bytes = Arc::new(bytes);
    sum_of_stream(opened(&bytes, bytes.len(), 4096)).err().map(|error| (error.kind(), error.message().to_owned()))
}

#[track_caller]
fn faulty(bytes: Vec<u8>, kind: ErrorKind, words: &str) {
    let (found, message) = fault(bytes).expect("an error");
    assert!(found == kind && message.contains(words), "{found:?}: {message}");
}

fn u32_in(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The bytes of `grain-edges`, laid by `options`.
fn laid(options: &stream::Options) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::read(stream::write(&disk("grain-edges").unwrap(), folder.path(), options).unwrap()).unwrap()
}

#[test]
fn tables_and_directories_have_to_say_what_came() {
    let whole = laid(&Default::default());
    let len = whole.len();
    assert_eq!(fault(whole.clone()), None);
    let changed = |at: usize, bytes: &[u8]| {
        let mut all = whole.clone();
        assert_ne!(&all[at..at + bytes.len()], bytes);
        all[at..at + bytes.len()].copy_from_slice(bytes);
        all
    };
    let (footer, directory) = (len - 1024, u32_in(&whole, len - 1024 + 0x38) * 512);
    let entry = (directory..).step_by(4).find(|&at| u32_in(&whole, at) != 0).unwrap();
    let table = u32_in(&whole, entry) * 512;
    let grain = (table..).step_by(4).find(|&at| u32_in(&whole, at) != 0).unwrap();
    faulty(changed(grain, &[0; 4]), ErrorKind::Corrupt, "does not name the grains where they came");
    faulty(changed(grain + 4 * 100, &[9, 1, 0, 0]), ErrorKind::Corrupt, "does not name the grains where they came");
    faulty(changed(entry, &[0; 4]), ErrorKind::Corrupt, "the grain directory says sector 0");
    faulty(changed(entry, &(table as u32 / 512 - 1).to_le_bytes()), ErrorKind::Corrupt, "the table came elsewhere");
    faulty(changed(footer + 0x38, &[1]), ErrorKind::Corrupt, "no grain directory came where it should be");
    faulty(changed(footer + 0xc, &[1]), ErrorKind::Corrupt, "the footer contradicts the header");
    faulty(changed(len - 512, &[1]), ErrorKind::Corrupt, "no end-of-stream marker");
    // A table's marker that becomes one of an unknown kind: what was behind it is passed, and missed.
    faulty(changed(table - 512 + 12, &[77]), ErrorKind::Corrupt, "the table came elsewhere");
    faulty(changed(table - 512, &[255, 255]), ErrorKind::Corrupt, "a marker of 65535 sectors of grain tables");
    // A grain that says it is the last one of the disk: the next comes too late.
    let last = (disk("grain-edges").unwrap().size / 512 - 1) / 128 * 128;
    faulty(changed(128 * 512, &(last as u32).to_le_bytes()), ErrorKind::Unsupported, "order of the disk");
    faulty(changed(128 * 512, &[1]), ErrorKind::Corrupt, "where the disk has none");
    faulty(changed(128 * 512 + 8, &[0, 0, 0, 1]), ErrorKind::Corrupt, "is packed in");
}

#[test]
fn a_directory_that_another_stands_in_for_is_a_fault() {
    let whole = laid(&stream::Options { layout: Layout::BothAtEnd, ..Default::default() });
    let directory = u32_in(&whole, whole.len() - 1024 + 0x38) * 512;
    let entry = (directory..).step_by(4).find(|&at| u32_in(&whole, at) != 0).unwrap();
    let mut changed = whole;
    changed[entry..entry + 4].fill(0);
    faulty(changed, ErrorKind::Corrupt, "the grain directory says sector 0");
}

#[test]
fn zeros_behind_the_end_are_passed_as_far_as_they_are_by_position() {
    let whole = laid(&Default::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vmdk");
    for zeros in [1, 512, 4096, (1 << 20) - 1024, (1 << 20) - 512, 1 << 20, 3 << 20] {
        let all = [whole.clone(), vec![0; zeros]].concat();
        std::fs::write(&path, &all).unwrap();
        assert_eq!(fault(all).is_none(), by_position(&path).is_ok(), "{zeros}");
    }
    faulty([whole.clone(), vec![0; 700], vec![1]].concat(), ErrorKind::Corrupt, "follow the end-of-stream marker");
    faulty([whole.clone(), whole].concat(), ErrorKind::Corrupt, "follow the end-of-stream marker");
}

/// Bytes of the image that `read` becomes.
fn rewritten(read: Read<'_>, size: u64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.vmdk");
    let settings = "subformat=streamOptimized".parse().unwrap();
    let options = CreateOptions { settings, ..Default::default() };
    let outputs = Outputs::new(false, Vec::new()).unflushed();
    let mut targets = [by_name("vmdk").unwrap().create(&path, Some(size), &options, &outputs).unwrap()];
    let outcome = pipeline::run(read, None, &mut targets, How::default(), &()).unwrap();
    let [target] = targets;
    target.writer.finish(&Whole { size: outcome.size, content: outcome.content }).unwrap();
    outputs.publish().unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn what_is_made_of_a_stream_is_what_is_made_of_the_file() {
    for made in all() {
        let image = by_position(&made.path).unwrap();
        let mut stream = opened(&made.bytes, made.bytes.len(), 511).unwrap();
        let one = rewritten(Read::Stream(stream.as_mut()), image.size());
        assert!(one == rewritten(Read::Image(&image), image.size()), "{}", made.name);
    }
}

#[test]
fn what_does_not_come_in_order_is_told_to_be_spooled() {
    let disk = disk("sparse").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = |bytes: Vec<u8>| {
        let bytes = Arc::new(bytes);
        let error = sum_of_stream(opened(&bytes, bytes.len(), 4096)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("has to be read by position"), "{error}");
        assert!(error.hint().unwrap().contains("--spool DIR"), "{error}");
    };
    for (format, more) in [
        ("qcow2", None),
        ("vdi", None),
        ("vmdk", Some(("subformat", "monolithicSparse"))),
        ("vmdk", Some(("subformat", "monolithicFlat"))),
    ] {
        let mut options = ConvertOptions::to(format);
        if let Some((key, value)) = more {
            options = options.with(key, value);
        }
        let path = folder.path().join(format!("{}.{format}", more.map_or("x", |(_, value)| value)));
        convert(&Source(disk.clone()), &path, &options, &()).unwrap();
        refused(std::fs::read(path).unwrap());
    }
    // Two grains that have changed places, with tables and markers to match: by position that is a sound disk.
    let front = laid(&stream::Options { layout: Layout::Front, ..Default::default() });
    let mut bytes = front.clone();
    let table = u32_in(&bytes, u32_in(&bytes, 0x38) * 512) * 512;
    let used: Vec<_> = (table..table + 2048).step_by(4).filter(|&at| u32_in(&front, at) != 0).take(2).collect();
    for (one, two) in [(used[0], used[1]), (used[1], used[0])] {
        bytes[one..one + 4].copy_from_slice(&front[two..two + 4]);
        let (one, two) = (u32_in(&front, one) * 512, u32_in(&front, two) * 512);
        bytes[one..one + 8].copy_from_slice(&front[two..two + 8]);
    }
    let path = folder.path().join("changed.vmdk");
    std::fs::write(&path, &bytes).unwrap();
    sum_of_image(&by_position(&path).unwrap()).unwrap();
    refused(bytes);
    // More in front than can be held, and less than its tables.
    for sectors in [200_u64 << 11, u32_in(&front, 0x38) as u64 + 1] {
        let mut bytes = front.clone();
        bytes[0x40..0x48].copy_from_slice(&sectors.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        sum_of_image(&by_position(&path).unwrap()).unwrap();
        refused(bytes);
    }
}

#[test]
fn options_have_to_fit() {
    let disk = disk("sparse").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = stream::write(&disk, folder.path(), &Default::default()).unwrap();
    let bytes = Arc::new(std::fs::read(path).unwrap());
    let kind = |format: Option<&str>, size, member: Option<&str>| {
        let options = StreamOptions {
            format: format.map(Into::into),
            size,
            member: member.map(Into::into),
            ..StreamOptions::default()
        };
        let opened = open_stream(incoming(&bytes, bytes.len(), 4096), &options, &());
        opened.map(|stream| stream.size()).map_err(|error| error.kind())
    };
    let size = disk.size.next_multiple_of(512);
    assert_eq!(kind(Some("vmdk"), Some(size), None), Ok(Some(size)));
    assert_eq!(kind(None, Some(size + 512), None), Err(ErrorKind::Usage));
    assert_eq!(kind(None, None, Some("disk.vmdk")), Err(ErrorKind::Usage));
    assert_eq!(kind(Some("qcow2"), None, None), Err(ErrorKind::Unsupported));
    assert_eq!(kind(Some("nonsense"), None, None), Err(ErrorKind::Usage));
    assert_eq!(kind(Some("raw"), None, None), Ok(None));
}
