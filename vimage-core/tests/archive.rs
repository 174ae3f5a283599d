//! 7z archives: what is written is tested and unpacked by 7-Zip, what 7-Zip writes is read, and damage is an error.
//!
//! 7-Zip's `7zz` or `7z` is asked where it is installed; without it those tests say that they are left out.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;

use left_out::left_out;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use vimage_core::io::{Memory, Outputs};
use vimage_core::operations::archive::{Entry, SevenZip, write_7z};
use vimage_core::{ErrorKind, Observer, Result};
use vimage_fixtures::Fill;

const MIB: usize = 1 << 20;

/// Bytes that look like nothing.
fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Fill::Noise(7).read_at(&mut bytes, 0);
    bytes
}

/// A descriptor, a disk of several chunks with something to pack in it, and a file of nothing.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let mut disk = b"nothing new under the sun. ".repeat(MIB / 4);
    disk.truncate(9 * MIB + 12_345);
    disk.extend(noise(MIB));
    vec![("box.ovf", b"<Envelope/>".to_vec()), ("box-disk1.vmdk", disk), ("empty.txt", Vec::new())]
}

fn write(path: &Path, split: Option<u64>, threads: usize) -> Result<Vec<String>> {
    let outputs = Outputs::new(false, Vec::new()).unflushed();
    let entries = files().into_iter().map(|(name, bytes)| Entry::bytes(name, bytes)).collect();
    let length = write_7z(entries, path, split, threads, &outputs, &())?;
    let published = outputs.publish()?;
    assert_eq!(published.iter().map(|file| file.size).sum::<u64>(), length);
    Ok(published.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
}

fn unpacked(archive: &SevenZip) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    archive.unpack(|member, bytes| {
        let mut all = Vec::new();
        match bytes.read_to_end(&mut all) {
            Ok(_) => found.push((member.name.clone(), all)),
            Err(cause) => return Err(vimage_core::Error::corrupt(cause.to_string())),
        }
        Ok(true)
    })?;
    Ok(found)
}

fn in_memory(bytes: Vec<u8>) -> Result<SevenZip> {
    SevenZip::of(Arc::new(Memory(bytes)), Path::new("x.7z"))
}

/// 7-Zip, run in `folder`; none where it is not installed.
fn seven_zip(test: &str, folder: &Path, args: &[&str]) -> Option<String> {
    let run = |name: &str| Command::new(name).args(args).current_dir(folder).output().ok();
    let Some(output) = run("7zz").or_else(|| run("7z")) else {
        left_out(test, "7-Zip is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "7-Zip {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    Some(text)
}

#[test]
fn the_bytes_are_the_same_with_any_number_of_threads_and_in_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("1.7z"), None, 1).unwrap();
    write(&path("5.7z"), None, 5).unwrap();
    let whole = std::fs::read(path("1.7z")).unwrap();
    assert!(whole == std::fs::read(path("5.7z")).unwrap());
    let names = write(&path("v.7z"), Some(500_000), 2).unwrap();
    assert_eq!(names, ["v.7z.001", "v.7z.002", "v.7z.003"]);
    let joined: Vec<u8> = names.iter().flat_map(|name| std::fs::read(path(name)).unwrap()).collect();
    assert!(joined == whole);
    for archive in [SevenZip::open(&path("1.7z")).unwrap(), SevenZip::open(&path("v.7z.001")).unwrap()] {
        let mut wanted: Vec<_> = files().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        let mut found = unpacked(&archive).unwrap();
        wanted.sort();
        found.sort();
        assert!(found == wanted);
    }
}

#[test]
fn seven_zip_takes_what_is_written_whole_and_in_volumes() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.7z"), None, 2).unwrap();
    write(&folder.path().join("v.7z"), Some(500_000), 2).unwrap();
    let test = "seven_zip_takes_what_is_written";
    for name in ["a.7z", "v.7z.001"] {
        let Some(text) = seven_zip(test, folder.path(), &["t", name]) else { return };
        assert!(text.contains("Everything is Ok"), "{text}");
        let listed = seven_zip(test, folder.path(), &["l", "-slt", name]).unwrap();
        assert!(listed.lines().filter(|line| *line == "Modified = ").count() == 3, "times: {listed}");
        assert!(listed.lines().filter(|line| line.contains("-rw-r--r--")).count() == 3, "modes: {listed}");
        seven_zip(test, folder.path(), &["x", "-y", &format!("-oout-{name}"), name]).unwrap();
        for (file, bytes) in files() {
            assert!(std::fs::read(folder.path().join(format!("out-{name}")).join(file)).unwrap() == bytes, "{file}");
        }
    }
}

#[test]
fn what_seven_zip_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for (name, bytes) in files() {
        std::fs::write(folder.path().join("in").join(name), bytes).unwrap();
    }
    for (number, args) in
        ["-mx=5", "-mx=1", "-mx=0", "-m0=lzma", "-ms=off", "-mhc=off", "-mf=BCJ2", "-v600k", "-mx=9"].iter().enumerate()
    {
        let name = format!("{number}.7z");
        let Some(_) = seven_zip("what_seven_zip_writes_is_read", folder.path(), &["a", args, &name, "in"]) else {
            return;
        };
        let first = if args.starts_with("-v") { format!("{name}.001") } else { name };
        let archive = SevenZip::open(&folder.path().join(first)).unwrap();
        let mut found = unpacked(&archive).unwrap();
        found.sort();
        let mut wanted: Vec<_> = files().into_iter().map(|(name, bytes)| (format!("in/{name}"), bytes)).collect();
        wanted.sort();
        assert!(found == wanted, "{args}");
    }
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("in/link")).unwrap();
    for (args, kind) in [
        (&["a", "-snl", "link.7z", "in"][..], ErrorKind::Refused),
        (&["a", "-pword", "link.7z", "in/box.ovf"], ErrorKind::Unsupported),
        (&["a", "-pword", "-mhe", "link.7z", "in/box.ovf"], ErrorKind::Unsupported),
        (&["a", "-m0=ppmd", "link.7z", "in/box.ovf"], ErrorKind::Unsupported),
    ] {
        let _ = std::fs::remove_file(folder.path().join("link.7z"));
        seven_zip("links", folder.path(), args).unwrap();
        let outcome = SevenZip::open(&folder.path().join("link.7z")).and_then(|archive| unpacked(&archive));
        assert_eq!(outcome.err().map(|error| error.kind()), Some(kind), "{args:?}");
    }
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = Outputs::new(false, Vec::new()).unflushed();
    let path = folder.path().join("x.7z");
    let mut text = b"a package is small. ".repeat(200);
    text.extend(noise(500));
    let entries = vec![Entry::bytes("a.ovf", text.clone()), Entry::bytes("b.mf", &b"x"[..])];
    write_7z(entries, &path, None, 2, &outputs, &()).unwrap();
    outputs.publish().unwrap();
    let whole = std::fs::read(path).unwrap();
    for end in 0..whole.len() {
        assert!(in_memory(whole[..end].to_vec()).and_then(|archive| unpacked(&archive)).is_err(), "cut at {end}");
    }
    let (mut state, mut read) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..4000 {
        let mut bytes = whole.clone();
        for _ in 0..=next(3) {
            // Half of them in the headers, whose checksums are made right again.
            let at = if next(2) == 0 { next(bytes.len()) } else { bytes.len() - 1 - next(200.min(bytes.len())) };
            bytes[at] = next(256) as u8;
        }
        if next(4) != 0 {
            correct_checksums(&mut bytes);
        }
        let Ok(found) = in_memory(bytes).and_then(|archive| unpacked(&archive)) else { continue };
        // What is read all the same is what was packed, or was never covered by a checksum: names and kinds.
        read += 1;
        assert!(found.iter().all(|(_, bytes)| *bytes == text || bytes.len() <= text.len()), "{read}");
    }
}

/// Makes the checksums of the header and of the start right for what is there now.
fn correct_checksums(bytes: &mut [u8]) {
    let number = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (offset, length) = (number(bytes, 12), number(bytes, 20));
    let header = usize::try_from(offset).ok().and_then(|at| at.checked_add(32)).and_then(|start| {
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        bytes.get(start..end).map(crc32)
    });
    if let Some(crc) = header {
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32(&bytes[12..32]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
}

/// The CRC that 7z and zip have, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn entries_of_another_length_and_cancelling_leave_nothing() {
    struct Impatient;
    impl Observer for Impatient {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |size: u64, observer: &dyn Observer| {
        let outputs = Outputs::new(false, Vec::new()).unflushed();
        let entry = Entry { size, ..Entry::bytes("a", vec![1; 1000]) };
        write_7z(vec![entry], &folder.path().join("x.7z"), None, 2, &outputs, observer).unwrap_err()
    };
    for (size, observer, kind) in [
        (999, &() as &dyn Observer, ErrorKind::Usage),
        (1001, &(), ErrorKind::Usage),
        (1000, &Impatient, ErrorKind::Cancelled),
    ] {
        assert_eq!(write(size, observer).kind(), kind, "{size}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
fn headers_that_would_unpack_to_more_are_refused_before_they_do() {
    // An encoded header of one LZMA stream that says that it makes 2^40 bytes.
    let header =
        [0x17, 6, 0, 1, 9, 5, 0, 7, 11, 1, 0, 1, 0x23, 3, 1, 1, 5, 0x5d, 0, 0, 0, 1, 12, 0xfc, 0, 0, 0, 0, 0, 1, 0, 0];
    let mut bytes = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
    bytes.extend([0; 24]);
    bytes[12..20].copy_from_slice(&5u64.to_le_bytes());
    bytes[20..28].copy_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend([0; 5]);
    bytes.extend(header);
    correct_checksums(&mut bytes);
    let error = in_memory(bytes).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains(&(1u64 << 40).to_string()), "{error}");
}
