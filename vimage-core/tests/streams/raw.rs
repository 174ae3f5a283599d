//! Raw disks out of streams, compressed or not; and streams copied into files.

use crate::reading::{CHUNKS, holds, incoming, opened, sum_of_image, sum_of_stream};
use crate::support::Source;
use crate::tools::{noise, piped, present, run};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vimage_core::formats::{StreamOptions, open_file, open_packed_file, open_stream};
use vimage_core::io::{FileId, Incoming, spool};
use vimage_core::{ConvertOptions, DiskStream, ErrorKind, Observer, OpenOptions, Result, convert};
use vimage_fixtures::{Disk, Fill, Run, disk};

const TOOLS: [&str; 3] = ["gzip", "zstd", "xz"];

/// The bytes of `disk`.
fn bytes_of(disk: &Disk) -> Vec<u8> {
    let mut bytes = vec![0; disk.size as usize];
    disk.read_at(&mut bytes, 0);
    bytes
}

fn sized(bytes: &Arc<Vec<u8>>, size: u64) -> Result<Box<dyn DiskStream>> {
    let options = StreamOptions { size: Some(size), ..Default::default() };
    open_stream(incoming(bytes, bytes.len(), 511), &options, &())
}

/// What is wrong with a stream of `bytes`.
fn fault(bytes: Vec<u8>) -> Option<(ErrorKind, String)> {
    let bytes = Arc::new(bytes);
    sum_of_stream(opened(&bytes, bytes.len(), 65_536)).err().map(|error| (error.kind(), error.message().to_owned()))
}

#[test]
fn raw_disks_come_through_whatever_they_are_compressed_with() {
    let disk = disk("odd-capacity").unwrap();
    let plain = bytes_of(&disk);
    let mut streams = vec![("plain", plain.clone())];
    streams.extend(TOOLS.into_iter().filter(|tool| present(tool)).map(|tool| (tool, piped(tool, &["-c"], &plain))));
    for (name, bytes) in streams {
        let bytes = Arc::new(bytes);
        for chunk in CHUNKS {
            holds(opened(&bytes, bytes.len(), chunk).unwrap(), &disk, &format!("{name} by {chunk}"));
        }
        holds(sized(&bytes, disk.size).unwrap(), &disk, name);
    }
}

#[test]
fn a_compressed_stream_that_was_cut_short_is_an_error() {
    let plain = noise(20 * 512);
    for tool in TOOLS.into_iter().filter(|tool| present(tool)) {
        let bytes = Arc::new(piped(tool, &["-c"], &plain));
        // Of the first bytes nobody can tell what they are; they are no disk.
        for cut in (1..bytes.len()).filter(|cut| cut % 512 != 0 || *cut > 6) {
            let error = sum_of_stream(opened(&bytes, cut, 4096)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{tool} cut at {cut}: {error}");
        }
    }
}

#[test]
fn a_size_that_was_told_has_to_be_right() {
    let bytes = Arc::new(noise(1000 * 512 + 100));
    let size = bytes.len() as u64;
    assert_eq!(sum_of_stream(sized(&bytes, size)).unwrap().0, size);
    assert_eq!(sized(&bytes, size).unwrap().size(), Some(size), "at once");
    for wrong in [size - 1, size + 1, 1, 0, u64::MAX / 2, size - 100] {
        let error = sum_of_stream(sized(&bytes, wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{wrong}: {error}");
    }
    let (kind, message) = fault(bytes.to_vec()).unwrap();
    assert_eq!((kind, message.as_str()), (ErrorKind::Corrupt, "ends within a sector: it was cut short, or is no disk"));
    assert_eq!(fault(Vec::new()).unwrap().0, ErrorKind::Corrupt);
    assert_eq!(fault(vec![1; 512]), None);
}

#[test]
fn zstd_says_how_much_the_first_frame_holds() {
    if !present("zstd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("disk.raw"), noise(100 * 512)).unwrap();
    // It knows the size of a file, and not of a pipe.
    run("zstd", folder.path(), &["-q", "disk.raw"]);
    let one = std::fs::read(folder.path().join("disk.raw.zst")).unwrap();
    let framed = Arc::new(one.clone());
    let found = |bytes: &Arc<Vec<u8>>| {
        let mut stream = opened(bytes, bytes.len(), 100).unwrap();
        // More frames may follow, so it is only taken where it is asked for; then it has to be so.
        assert_eq!(stream.size(), None);
        assert_eq!(stream.find_size(&()).unwrap(), Some(100 * 512));
        sum_of_stream(Ok(stream))
    };
    assert_eq!(found(&framed).unwrap().0, 100 * 512);
    let two = Arc::new([one.clone(), one].concat());
    assert_eq!(sum_of_stream(opened(&two, two.len(), 100)).unwrap().0, 200 * 512);
    let error = found(&two).unwrap_err();
    assert!(error.kind() == ErrorKind::Unsupported && error.message().contains("several frames"), "{error}");
    assert_eq!(sum_of_stream(sized(&two, 200 * 512)).unwrap().0, 200 * 512);
}

/// A disk of 4 MiB that sfdisk has put a partition table of that kind on.
fn partitioned(label: &str) -> Option<Vec<u8>> {
    if !present("sfdisk") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.raw");
    File::create(&path).unwrap().set_len(4 << 20).unwrap();
    let script = format!("label: {label}\nstart=2048, size=2048\nstart=4096\n");
    let mut child = std::process::Command::new("sfdisk")
        .args(["-q", path.to_str().unwrap()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    Some(std::fs::read(path).unwrap())
}

#[test]
fn a_disk_that_is_shorter_than_its_partitions_was_cut_short() {
    for label in ["gpt", "dos"] {
        let Some(disk) = partitioned(label) else { return };
        assert_eq!(fault(disk.clone()), None, "{label}");
        for len in [disk.len() - 512, 3 << 20, 2 << 20, 4096] {
            let (kind, message) = fault(disk[..len].to_vec()).unwrap();
            assert!(kind == ErrorKind::Corrupt && message.contains("was cut short"), "{label} at {len}: {message}");
            // Who says how long it is knows better.
            let cut = Arc::new(disk[..len].to_vec());
            assert_eq!(sum_of_stream(sized(&cut, len as u64)).unwrap().0, len as u64);
        }
        // A table that is damaged says nothing.
        let mut damaged = disk[..3 << 20].to_vec();
        damaged[512 + 0x20] ^= 1;
        damaged[0x1be] ^= 1;
        assert_eq!(fault(damaged), None, "{label}");
    }
}

#[test]
fn compressed_files_are_read_from_front_to_back() {
    let disk = disk("sparse").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for tool in TOOLS.into_iter().filter(|tool| present(tool)) {
        let path = folder.path().join("disk.raw.packed");
        std::fs::write(&path, piped(tool, &["-c"], &bytes_of(&disk))).unwrap();
        let stream = open_packed_file(&path, &StreamOptions::default(), &()).unwrap();
        assert_eq!(stream.files(), [FileId::of(&path.metadata().unwrap())]);
        holds(stream, &disk, tool);
        let found = |path| open_packed_file(path, &StreamOptions::default(), &()).unwrap().find_size(&());
        assert_eq!(found(&path).unwrap(), Some(disk.size));
        let all = std::fs::read(&path).unwrap();
        std::fs::write(&path, &all[..all.len() - 5]).unwrap();
        let error = found(&path).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Corrupt, Some(path.as_path())));
    }
    let path = folder.path().join("disk.raw");
    disk.write_raw(&path).unwrap();
    assert_eq!(open_packed_file(&path, &StreamOptions::default(), &()).err().unwrap().kind(), ErrorKind::Usage);
}

/// Says after some questions that it is enough.
struct Patience(AtomicU32);

impl Observer for Patience {
    fn cancelled(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= 4
    }
}

#[test]
fn a_stuck_pipe_can_be_left() {
    for tool in ["cat", "gzip"].into_iter().filter(|tool| present(tool)) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let some = piped(tool, &[], &noise(4096));
        writer.write_all(&some[..some.len() - 100]).unwrap();
        let start = Instant::now();
        let incoming = Incoming::of_file(File::from(OwnedFd::from(reader)), "standard input");
        let found = open_stream(incoming, &StreamOptions::default(), &Patience(0.into()));
        let ended = found.and_then(|mut stream| stream.next(1 << 20, &Patience(0.into())).map(drop));
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Cancelled, "{tool}");
        assert!(start.elapsed() < Duration::from_secs(20), "{tool}: {:?}", start.elapsed());
        drop(writer);
    }
}

#[test]
fn a_real_pipe_gives_all_there_is() {
    let disk = disk("sparse").unwrap();
    let plain = bytes_of(&disk);
    for tool in ["cat", "gzip", "zstd"].into_iter().filter(|tool| present(tool)) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let bytes = piped(tool, if tool == "cat" { &[] } else { &["-c"] }, &plain);
        let writing = std::thread::spawn(move || writer.write_all(&bytes));
        let incoming = Incoming::of_file(File::from(OwnedFd::from(reader)), "standard input");
        holds(open_stream(incoming, &StreamOptions::default(), &()).unwrap(), &disk, tool);
        writing.join().unwrap().unwrap();
    }
}

#[test]
fn a_spooled_stream_is_opened_by_position() {
    let disk =
        Disk { name: "spooled", size: 3 << 20, runs: vec![Run { offset: 1 << 20, len: 70_000, fill: Fill::Noise(1) }] };
    let folder = tempfile::tempdir().unwrap();
    let stopped = AtomicBool::new(false);
    let opened = |path: &Path, member: Option<&str>, pack: bool| {
        let mut bytes = Vec::new();
        File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
        let bytes = Arc::new(if pack { piped("gzip", &["-c"], &bytes) } else { bytes });
        let stop = || stopped.load(Ordering::Relaxed);
        let file = spool(incoming(&bytes, bytes.len(), 4096), true, folder.path(), &stop, &mut |_| {})?;
        open_file(file, Path::new("standard input"), member, &OpenOptions::default())
    };
    let expected = sum_of_image(&Source(disk.clone())).unwrap();
    for format in ["raw", "qcow2", "vmdk", "vdi"] {
        let path = folder.path().join(format!("disk.{format}"));
        convert(&Source(disk.clone()), &path, &ConvertOptions::to(format), &()).unwrap();
        for pack in [false, true] {
            let image = opened(&path, None, pack).unwrap();
            assert_eq!((image.info().format, sum_of_image(&image).unwrap()), (format, expected));
        }
        assert_eq!(opened(&path, Some("x"), false).err().unwrap().kind(), ErrorKind::Usage);
    }
    run("tar", folder.path(), &["-cf", "one.tar", "disk.qcow2"]);
    run("tar", folder.path(), &["-cf", "two.tar", "disk.qcow2", "disk.vdi"]);
    let (one, two) = (folder.path().join("one.tar"), folder.path().join("two.tar"));
    assert_eq!(sum_of_image(&opened(&one, None, true).unwrap()).unwrap(), expected);
    assert_eq!(opened(&two, None, false).err().unwrap().kind(), ErrorKind::Usage);
    let image = opened(&two, Some("disk.vdi"), false).unwrap();
    assert_eq!((image.info().format, sum_of_image(&image).unwrap()), ("vdi", expected));
    // What lies over another file is not followed.
    run("qemu-img", folder.path(), &["create", "-q", "-f", "qcow2", "-b", "disk.raw", "-F", "raw", "over.qcow2"]);
    assert_eq!(opened(&folder.path().join("over.qcow2"), None, false).err().unwrap().kind(), ErrorKind::Refused);
}
