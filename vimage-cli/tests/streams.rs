//! Pipes: what comes through standard input and goes through standard output, in any pieces, cut anywhere, at any speed.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Folder, left_out};

/// KiB that a conversion takes at most: 300 MiB.
const MOST_MEMORY: u64 = 300 << 10;

/// Starts `vimage` with a pipe at each end.
fn start(folder: &Folder, line: &str) -> Child {
    let mut command = folder.command(line);
    command.env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What comes of `bytes` sent in pieces of `chunk`: exit status, what it gave, what it said.
fn piped(folder: &Folder, line: &str, bytes: &[u8], chunk: usize) -> (Option<i32>, Vec<u8>, String) {
    let mut child = start(folder, line);
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let sender = std::thread::spawn(move || {
        // One that gives up early does not take it all.
        let _ = bytes.chunks(chunk.max(1)).try_for_each(|piece| input.write_all(piece));
    });
    let output = child.wait_with_output().unwrap();
    sender.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), output.stdout, said)
}

/// Sends `bytes`; it must succeed and make `files`.
#[track_caller]
fn makes(folder: &Folder, line: &str, bytes: &[u8], chunk: usize, files: &[&str]) -> Vec<u8> {
    let (status, given, said) = piped(folder, line, bytes, chunk);
    assert_eq!((status, said.as_str()), (Some(0), ""), "{line}");
    folder.expect(files);
    folder.check();
    given
}

/// Sends `bytes`; it must fail, say `words`, and leave nothing.
#[track_caller]
fn fails(folder: &Folder, line: &str, bytes: &[u8], words: &[&str]) {
    let (status, _, said) = piped(folder, line, bytes, 1 << 20);
    assert_eq!(status, Some(2), "{line}: {said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no {word:?} of {line} in: {said}"));
    folder.check();
}

/// What a tool of that name makes of `bytes`; none where there is no such tool.
fn tool(name: &str, words: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(name).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        left_out(name);
        return None;
    };
    let (mut input, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let sender = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let made = child.wait_with_output().unwrap();
    sender.join().unwrap();
    Some(made.stdout)
}

/// Removes files that were made.
fn forget(folder: &Folder, files: &[&str]) {
    files.iter().for_each(|file| folder.remove(file));
}

#[test]
fn an_ova_comes_in_at_any_chunking() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert -q sparse.raw a.ova", &["a.ova"]);
    let ova = folder.read("a.ova");
    for chunk in [1, 7, 511, 4096, 1 << 20] {
        // A byte at a time takes as long as there are bytes.
        makes(&folder, "convert -q - -O raw disk.raw", &ova, chunk, &["disk.raw"]);
        assert!(folder.read("disk.raw") == folder.read("sparse.raw"), "in pieces of {chunk}");
        forget(&folder, &["disk.raw"]);
    }
    // The same as by position, whatever it becomes; the member may be named.
    for (line, file) in [
        ("x.vmdk -o subformat=streamOptimized", "x.vmdk"),
        ("x.qcow2 -c", "x.qcow2"),
        ("x.vdi", "x.vdi"),
        ("x.raw.zst", "x.raw.zst"),
        ("x.ova", "x.ova"),
    ] {
        makes(&folder, &format!("convert -q - {line} --member a-disk1.vmdk"), &ova, 5000, &[file]);
        let streamed = folder.read(file);
        forget(&folder, &[file]);
        folder.makes(&format!("convert -q a.ova {line}"), &[file]);
        assert!(streamed == folder.read(file), "{line}");
        forget(&folder, &[file]);
    }
    fails(&folder, "convert - x.raw --member other.vmdk", &ova, &["no member of this name", "a-disk1.vmdk"]);
}

#[test]
fn raw_disks_come_in_packed_and_as_they_are() {
    let folder = Folder::with(&["sparse", "odd-capacity"]);
    for name in ["sparse", "odd-capacity"] {
        let raw = folder.read(&format!("{name}.raw"));
        for (line, file) in
            [("x.raw", "x.raw"), ("x.qcow2", "x.qcow2"), ("x.raw.zst", "x.raw.zst"), ("x.vmdk -c", "x.vmdk")]
        {
            folder.makes(&format!("convert -q {name}.raw {line}"), &[file]);
            let by_position = folder.read(file);
            forget(&folder, &[file]);
            makes(&folder, &format!("convert -q -f raw - {line}"), &raw, 777, &[file]);
            assert!(folder.read(file) == by_position, "{name}: {line}");
            forget(&folder, &[file]);
            for packer in ["zstd", "gzip", "xz"] {
                let Some(packed) = tool(packer, &["-1", "-c"], &raw) else { continue };
                makes(&folder, &format!("convert -q - {line}"), &packed, 1000, &[file]);
                assert!(folder.read(file) == by_position, "{packer}: {name}: {line}");
                forget(&folder, &[file]);
            }
        }
        // What has to say the size in front is told.
        fails(&folder, "convert -f raw - x.vdi", &raw, &["says how large the disk is before", "--size", "--spool"]);
        makes(&folder, &format!("convert -q -f raw - x.vdi --size {}", raw.len()), &raw, 99, &["x.vdi"]);
        folder.same(&format!("{name}.raw"), "x.vdi");
        makes(&folder, "convert -q -f raw - y.vdi --spool .", &raw, 99, &["y.vdi"]);
        assert!(folder.read("x.vdi") == folder.read("y.vdi"));
        forget(&folder, &["x.vdi", "y.vdi"]);
    }
    let raw = folder.read("sparse.raw");
    fails(&folder, "convert -f raw - x.raw --size 63M", &raw, &["goes on behind", "--size"]);
    fails(&folder, "convert -f raw - x.raw --size 65M", &raw, &["cut short", "--size"]);
    fails(&folder, "convert -f raw - x.raw", b"", &["empty"]);
    fails(&folder, "convert -f raw - x.raw", &raw[..1000], &["ends within a sector"]);
}

#[test]
fn what_has_to_be_read_by_position_says_so_and_is_spooled() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert -q sparse.raw a.qcow2", &["a.qcow2"]);
    folder.makes("convert -q sparse.raw a.vmdk", &["a.vmdk"]);
    for (file, words) in [("a.qcow2", "by position"), ("a.vmdk", "by position")] {
        let bytes = folder.read(file);
        fails(&folder, "convert - x.raw", &bytes, &[words, "--spool"]);
        makes(&folder, "convert -q - x.raw --spool .", &bytes, 4097, &["x.raw"]);
        assert!(folder.read("x.raw") == folder.read("sparse.raw"));
        forget(&folder, &["x.raw"]);
        let zst = tool("zstd", &["-c"], &bytes).unwrap_or_default();
        if !zst.is_empty() {
            makes(&folder, "convert -q - x.raw --spool .", &zst, 4097, &["x.raw"]);
            forget(&folder, &["x.raw"]);
        }
        // A file is not a pipe.
        let mut command = folder.command("convert -q - x.raw");
        command.stdin(fs::File::open(folder.path(file)).unwrap());
        assert!(command.status().unwrap().success());
        assert!(folder.read("x.raw") == folder.read("sparse.raw"));
        folder.remove("x.raw");
    }
    let raw = folder.read("sparse.raw");
    fails(&folder, "convert -f raw - x.qcow2 --trim", &raw, &["--spool"]);
    fails(&folder, "convert -f raw - x.qcow2 -B sparse.raw -F raw", &raw, &["--spool"]);
    fails(&folder, "convert -f raw - -O ova -", &raw, &["twice", "--spool"]);
    fails(&folder, "convert - x.raw --spool nowhere", &raw, &["nowhere"]);
    fails(&folder, "convert - -O qcow2", &raw, &["no name"]);
    folder.fails("convert sparse.raw x.qcow2 --spool .", &["--spool is for"]);
    folder.fails("convert sparse.raw x.qcow2 --size 64M", &["--size is for"]);
    makes(&folder, "convert -q -f raw - x.qcow2 --trim --spool .", &raw, 1 << 16, &["x.qcow2"]);
    let ova = makes(&folder, "convert -q -f raw - -O ova - --spool .", &raw, 1 << 16, &[]);
    assert!(ova.len() > 1 << 20);
    // Nothing was left in the folder.
    folder.check();
}

#[test]
fn what_streams_goes_out_and_nothing_else() {
    let folder = Folder::with(&["sparse", "odd-capacity"]);
    for name in ["sparse", "odd-capacity"] {
        let raw = folder.read(&format!("{name}.raw"));
        let out = |words: &str| makes(&folder, &format!("convert {name}.raw - {words}"), b"", 1, &[]);
        assert!(out("-O raw") == raw);
        if let Some(unpacked) = tool("zstd", &["-dc"], &out("-O raw.zst")) {
            assert!(unpacked == raw);
        }
        folder.put("piped.vmdk", out("-O vmdk -c"));
        folder.same(&format!("{name}.raw"), "piped.vmdk");
        forget(&folder, &["piped.vmdk"]);
        folder.put("piped.ova", out("-O ova"));
        // As the file is, byte for byte.
        folder.makes(&format!("convert -q {name}.raw -O ova"), &[&format!("{name}.ova")]);
        assert!(folder.read("piped.ova") == folder.read(&format!("{name}.ova")));
        forget(&folder, &["piped.ova", &format!("{name}.ova")]);
    }
    for format in ["qcow2", "vdi", "vmdk"] {
        fails(&folder, &format!("convert sparse.raw - -O {format}"), b"", &["front to back"]);
    }
    fails(&folder, "convert sparse.raw - -O raw --json", b"", &["standard output takes the image"]);
    // Into one pipe, out of another.
    let raw = folder.read("sparse.raw");
    let given = makes(&folder, "convert -f raw - -O raw.zst -", &raw, 333, &[]);
    assert!(makes(&folder, "convert - -O raw -", &given, 333, &[]) == raw);
    fails(&folder, "convert -f raw - -O vmdk -c -", &raw, &["before its data", "--size"]);
    let given = makes(&folder, "convert -f raw - -O vmdk -c --size 64M -", &raw, 333, &[]);
    assert!(makes(&folder, "convert - -O raw -", &given, 333, &[]) == raw);
}

#[test]
fn compressed_files_go_by_as_they_are_unpacked() {
    let folder = Folder::with(&["sparse"]);
    let raw = folder.read("sparse.raw");
    for (packer, ending) in [("zstd", "zst"), ("gzip", "gz"), ("xz", "xz")] {
        let Some(packed) = tool(packer, &["-c"], &raw) else { continue };
        let file = format!("disk.raw.{ending}");
        folder.put(&file, packed);
        let traced = format!("convert -q {file} x.raw");
        folder.makes(&traced, &["x.raw"]);
        assert!(folder.read("x.raw") == raw);
        folder.makes(&format!("convert -q {file} x.vdi"), &["x.vdi"]);
        folder.same("x.raw", "x.vdi");
        folder.makes(&format!("convert -q {file} -O qcow2 --trim"), &["disk.qcow2"]);
        folder.same("x.raw", "disk.qcow2");
        forget(&folder, &["x.raw", "x.vdi", "disk.qcow2", &file]);
    }
}

/// Cuts at many places: 200 of them, random but the same each time.
fn cuts(len: usize) -> Vec<usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as usize % len
    };
    (0..200).map(|_| next()).collect()
}

#[test]
fn cut_anywhere_is_an_error_and_leaves_nothing() {
    let folder = Folder::with(&["odd-capacity"]);
    let raw = folder.read("odd-capacity.raw");
    folder.makes("convert -q odd-capacity.raw a.ova", &["a.ova"]);
    folder.makes("convert -q odd-capacity.raw a.vmdk -c", &["a.vmdk"]);
    let ova = folder.read("a.ova");
    // What lies behind the two blocks that end a tar fills it up, and is of no use to anybody.
    let end = ova.iter().rposition(|&byte| byte != 0).unwrap();
    let all = end.next_multiple_of(512) + 1024;
    let mut streams =
        vec![(ova[..all].to_vec(), "convert - -O raw x.raw"), (folder.read("a.vmdk"), "convert - x.qcow2")];
    for packer in ["zstd", "gzip", "xz"] {
        streams.extend(tool(packer, &["-c"], &raw).map(|packed| (packed, "convert - x.qcow2 -c")));
    }
    let size = format!("convert -f raw - x.raw --size {}", raw.len());
    streams.push((raw.clone(), &size));
    for (bytes, line) in streams {
        for cut in cuts(bytes.len()) {
            let (status, _, said) = piped(&folder, line, &bytes[..cut], 1 << 16);
            assert_eq!(status, Some(2), "{line} of {} cut at {cut}: {said}", bytes.len());
            folder.check();
        }
    }
    // A raw disk that nobody says the size of ends where it is cut, but not within a sector.
    for cut in cuts(raw.len()).into_iter().filter(|cut| cut % 512 != 0).take(20) {
        fails(&folder, "convert -f raw - x.raw", &raw[..cut], &["ends within a sector"]);
    }
}

#[test]
fn a_raw_disk_with_partitions_says_itself_how_long_it_is() {
    let folder = Folder::new();
    let mut command = Command::new("sfdisk");
    folder.put("disk.raw", "");
    fs::File::options().write(true).open(folder.path("disk.raw")).unwrap().set_len(8 << 20).unwrap();
    let made =
        command.args(["-q", "--label", "gpt", "disk.raw"]).current_dir(folder.path("")).stdin(Stdio::piped()).spawn();
    let Ok(mut made) = made else { return left_out("sfdisk") };
    made.stdin.take().unwrap().write_all(b"start=2048,size=1024\n").unwrap();
    assert!(made.wait().unwrap().success());
    let raw = folder.read("disk.raw");
    makes(&folder, "convert -q -f raw - x.qcow2", &raw, 1 << 20, &["x.qcow2"]);
    for cut in [4 << 20, (8 << 20) - 512] {
        fails(&folder, "convert -f raw - y.qcow2", &raw[..cut], &["cut short", "partition table"]);
    }
}

#[test]
fn one_that_stops_reading_is_an_error_and_ends_it() {
    let folder = Folder::with(&["dense"]);
    let mut child = start(&folder, "convert dense.raw - -O raw");
    let mut some = [0; 100_000];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut some).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
fn an_idle_pipe_can_be_interrupted() {
    let folder = Folder::new();
    let mut child = start(&folder, "convert -f raw - x.qcow2");
    let mut input = child.stdin.take().unwrap();
    input.write_all(&vec![7; 1 << 20]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    folder.check();
    drop(input);
}

/// The most memory that a process has had, in KiB.
fn peak(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("VmHWM: 0 kB");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_slow_target_lets_no_memory_grow() {
    // 24 MiB of noise: nothing is left out, and nothing gets smaller.
    let folder = Folder::new();
    let mut state = 1_u64;
    let mut noise = Vec::new();
    while noise.len() < 24 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    folder.put("noise.raw", &noise);
    fs::File::options().write(true).open(folder.path("noise.raw")).unwrap().set_len(1 << 30).unwrap();
    for line in [
        "convert -q noise.raw f -O raw:file=-,qcow2:compress=on,vdi,vmdk:split=512M,ova",
        "convert -q -f raw - f --size 1G -O raw.zst:file=-,qcow2,vdi,ova",
        "convert -q noise.raw - -O ova",
    ] {
        let mut child = start(&folder, line);
        let mut input = child.stdin.take().unwrap();
        let noise = noise.clone();
        let sender = std::thread::spawn(move || {
            let sent = input.write_all(&noise);
            let zeros = vec![0; 1 << 20];
            sent.and_then(|()| (24..1024).try_for_each(|_| input.write_all(&zeros)))
        });
        let mut out = child.stdout.take().unwrap();
        let (mut piece, mut taken, mut most) = (vec![0; 256 << 10], 0, 0);
        loop {
            let read = out.read(&mut piece).unwrap();
            most = most.max(peak(child.id()));
            if read == 0 {
                break;
            }
            taken += read;
            // 5 MB a second, as long as it is noise.
            if taken < 24 << 20 {
                std::thread::sleep(Duration::from_micros(read as u64 / 5));
            }
        }
        assert!(child.wait().unwrap().success(), "{line}");
        let _ = sender.join().unwrap();
        assert!(taken > 20 << 20, "{line} gave {taken} bytes");
        assert!((10 << 10..MOST_MEMORY).contains(&most), "{line} took {most} KiB");
        let names = folder.names();
        for name in names.iter().filter(|name| *name != "noise.raw") {
            fs::remove_file(folder.path(name)).unwrap();
        }
        assert_eq!(names.len() > 1, line.contains("vdi"), "{names:?}");
    }
}

#[test]
fn budget_of_memory_is_kept() {
    let folder = Folder::with(&["dense"]);
    let size = |line: &str| {
        let mut child = start(&folder, line);
        let mut most = 0;
        let mut out = child.stdout.take().unwrap();
        let mut piece = vec![0; 64 << 10];
        while out.read(&mut piece).unwrap() > 0 {
            most = most.max(peak(child.id()));
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        most
    };
    let (small, usual) = (size("convert dense.raw - -O raw --memory 1"), size("convert dense.raw - -O raw"));
    assert!(small < usual, "{small} KiB with the least memory, {usual} KiB with the usual");
    assert!(folder.path("dense.raw").metadata().unwrap().size() == 8 << 20);
}

/// A disk is refused when its size is known to be over the bound, and where nothing says it, when more than that has come.
#[test]
fn a_disk_is_taken_up_to_a_bound() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert -q sparse.raw s.vmdk -o subformat=streamOptimized", &["s.vmdk"]);
    folder.makes("convert -q sparse.raw s.ova", &["s.ova"]);
    let raw = folder.read("sparse.raw");
    let packed = |name: &str| tool(name, &["-c"], &raw);
    let (Some(gzip), Some(zstd)) = (packed("gzip"), packed("zstd")) else { return };
    for bytes in [raw.clone(), folder.read("s.vmdk"), folder.read("s.ova"), gzip, zstd] {
        for line in ["convert - out.raw", "convert - out.raw -q --spool .", "convert - -O raw -"] {
            let words = ["standard input", "67108864", "67108863", "--max-size"];
            fails(&folder, &format!("{line} --max-size 67108863"), &bytes, &words);
        }
        makes(&folder, "convert -q - out.raw --max-size 67108864", &bytes, 1 << 20, &["out.raw"]);
        assert!(folder.read("out.raw") == raw);
        forget(&folder, &["out.raw"]);
    }
    // A stream without an end has one.
    let endless = vec![0; 80 << 20];
    fails(&folder, "convert -f raw - out.raw --max-size 64M", &endless, &["or more", "67108864", "--max-size"]);
    // One that says its size in front is refused before it comes.
    fails(&folder, "convert -f raw - out.raw --size 1T --max-size 64M", &[], &["1099511627776", "--max-size"]);
}
