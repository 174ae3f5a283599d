//! Pipes and several outputs on hard days: sources that are targets, names that are one, faults while nothing comes, readers that do not
//! read.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::{Folder, left_out};

fn start(folder: &Folder, line: &str) -> Child {
    let mut command = folder.command(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(folder: &Folder, line: &str, bytes: &[u8]) -> Output {
    let mut child = start(folder, line);
    let (mut input, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let sender = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    sender.join().unwrap();
    output
}

#[track_caller]
fn fails(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no {word:?} in {said}"));
}

#[track_caller]
fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_source_is_never_a_target_however_it_comes() {
    let folder = Folder::with(&["sparse"]);
    let raw = folder.read("sparse.raw");
    let packed = Command::new("gzip").args(["-c", "sparse.raw"]).current_dir(folder.path("")).output().unwrap().stdout;
    folder.put("s.gz", packed);
    for (source, target) in [("s.gz", "s.gz -O raw"), ("sparse.raw", "sparse.raw -O qcow2")] {
        for spool in ["--spool .", ""] {
            let mut command = folder.command(&format!("convert --force - {target} {spool}"));
            command.stdin(File::open(folder.path(source)).unwrap());
            fails(&command.output().unwrap(), &["source", "never overwritten"]);
        }
    }
    // Standard output is one, too.
    let mut command = folder.command("convert sparse.raw - -O raw");
    command.stdout(File::options().read(true).write(true).open(folder.path("sparse.raw")).unwrap());
    fails(&command.output().unwrap(), &["standard output is a file of the source"]);
    assert!(folder.read("sparse.raw") == raw);
}

#[test]
fn names_that_are_one_are_found_however_they_are_written() {
    let folder = Folder::with(&["sparse"]);
    fs::create_dir(folder.path("sub")).unwrap();
    std::os::unix::fs::symlink(".", folder.path("link")).unwrap();
    folder.expect(&["sub", "link"]);
    for other in ["sub/../a.img", "link/a.img", "./a.img"] {
        for force in ["", "--force"] {
            let line = format!("convert sparse.raw -O raw:file=a.img,qcow2:file={other} {force} .");
            folder.fails(&line, &["two outputs of one run"]);
        }
    }
    folder.fails("convert sparse.raw -O raw:file=k,qcow2:file=k.sha256 --digest sha256", &["two outputs of one run"]);
    // A piece left over from before, which goes, is no place for another output.
    folder.run("convert -q sparse.raw -O raw d --split 8M").succeeds();
    let pieces: Vec<_> = folder.names().into_iter().filter(|name| name.starts_with("d.")).collect();
    pieces.iter().for_each(|piece| folder.expect(&[piece]));
    folder.fails("convert sparse.raw --force -O raw:file=d,split=32M,qcow2:file=d.003 .", &["left over"]);
}

#[test]
fn digests_of_what_was_replaced_go_with_it_and_names_are_bytes() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert -q sparse.raw a.qcow2 --digest sha256,sha1", &["a.qcow2", "a.qcow2.sha256", "a.qcow2.sha1"]);
    folder.run("convert -q sparse.raw a.qcow2 --digest sha1 --force -c").succeeds();
    folder.forget(&["a.qcow2.sha256"]);
    folder.check();
    let out = folder.path("sub");
    fs::create_dir(&out).unwrap();
    folder.expect(&["sub"]);
    let mut command = folder.command("convert -q sparse.raw --digest sha256");
    command.arg(out.join(std::ffi::OsStr::from_bytes(b"od\xffd.raw")));
    assert!(command.status().unwrap().success());
    let sums = Command::new("sh").args(["-c", "sha256sum -c *.sha256"]).current_dir(&out).output().unwrap();
    assert!(sums.status.success(), "{sums:?}");
}

#[test]
fn sizes_that_are_no_multiple_of_anything_go_through_two_pipes() {
    let folder = Folder::new();
    for len in [512, 1536, 4096, 5120, (1 << 20) + 512] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8 + 1).collect();
        let output = send(&folder, "convert -f raw - -O raw -", &bytes);
        assert!(output.status.success() && output.stdout == bytes, "{len}: {output:?}");
        let output = send(&folder, "convert -f raw - -O raw.zst -", &bytes);
        assert!(send(&folder, "convert - -O raw -", &output.stdout).stdout == bytes, "{len}");
    }
    // A disk of any length is what its own compressed file says.
    folder.put("odd.raw", vec![7; 1000]);
    folder.makes("convert -q odd.raw odd.raw.zst", &["odd.raw.zst"]);
    folder.makes("convert -q odd.raw.zst back.raw", &["back.raw"]);
    assert!(folder.read("back.raw") == folder.read("odd.raw"));
}

#[test]
fn what_is_damaged_or_cut_is_so_by_every_way_in() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert -q sparse.raw a.ova", &["a.ova"]);
    let mut ova = folder.read("a.ova");
    ova[100] ^= 1;
    for line in ["convert - x.raw", "convert - x.raw --spool ."] {
        fails(&send(&folder, line, &ova), &["tar", "damaged"]);
    }
    folder.put("damaged", &ova);
    let mut command = folder.command("convert - x.raw");
    fails(&command.stdin(File::open(folder.path("damaged")).unwrap()).output().unwrap(), &["tar", "damaged"]);
    // A raw disk that ends before its partitions do.
    let mut raw = vec![0; 1 << 20];
    raw[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    raw[0x1be + 4] = 0x83;
    raw[0x1be + 8..0x1be + 16].copy_from_slice(&[0, 8, 0, 0, 0, 16, 0, 0]);
    for line in ["convert - x.raw", "convert - x.raw --spool .", "convert -f raw - x.qcow2 --spool ."] {
        fails(&send(&folder, line, &raw), &["cut short", "partition table"]);
        fails(&send(&folder, line, &raw[..1000]), &["within a sector"]);
    }
    fails(&send(&folder, "convert - x.raw --spool . --size 2M", &raw), &["cut short", "2097152"]);
    let output = send(&folder, "convert -q - x.raw --spool . --size 1M", &raw);
    assert!(output.status.success(), "{output:?}");
    folder.expect(&["x.raw"]);
}

#[test]
fn a_compressed_image_that_is_read_by_position_is_unpacked_first() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert -q sparse.raw a.qcow2", &["a.qcow2"]);
    for (tool, ending) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")] {
        let packed = Command::new(tool).args(["-c", "a.qcow2"]).current_dir(folder.path("")).output();
        let Ok(packed) = packed else {
            left_out(tool);
            continue;
        };
        let name = format!("a.qcow2.{ending}");
        folder.put(&name, packed.stdout);
        folder.makes(&format!("convert -q {name} b.raw"), &["b.raw"]);
        assert!(folder.read("b.raw") == folder.read("sparse.raw"));
        folder.remove("b.raw");
    }
    let zst = Command::new("zstd").args(["-c", "sparse.raw"]).current_dir(folder.path("")).output().unwrap().stdout;
    for words in ["", "--spool ."] {
        let output = send(&folder, &format!("convert -q -f raw.zst - c.raw {words}"), &zst);
        assert!(output.status.success(), "{output:?}");
        folder.expect(&["c.raw"]);
        assert!(folder.read("c.raw") == folder.read("sparse.raw"));
        folder.remove("c.raw");
    }
}

#[test]
fn grains_out_of_order_are_found_on_the_way_and_read_by_position() {
    let folder = Folder::new();
    // Noise, so that each of four grains is as long as the others: stored, 129 sectors with its marker.
    let mut state = 88_172_645_463_325_252_u64;
    let mut noise = Vec::new();
    while noise.len() < 256 << 10 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    folder.put("n.raw", &noise);
    folder.makes("convert -q n.raw n.vmdk -c", &["n.vmdk"]);
    let mut vmdk = folder.read("n.vmdk");
    let sector = |number: usize| number * 512;
    let (first, rest) = vmdk[sector(128)..].split_at_mut(sector(129));
    first.swap_with_slice(&mut rest[..sector(129)]);
    // Their table is behind the four, and a marker.
    let table = &mut vmdk[sector(128 + 4 * 129 + 1)..];
    assert_eq!(table[..8], [128, 0, 0, 0, 1, 1, 0, 0]);
    table[..8].rotate_left(4);
    folder.put("swapped.vmdk", &vmdk);
    folder.same("n.raw", "swapped.vmdk");
    fails(&send(&folder, "convert - x.raw", &vmdk), &["--spool"]);
    assert!(send(&folder, "convert -q - y.raw --spool .", &vmdk).status.success());
    folder.expect(&["y.raw"]);
    let packed = Command::new("gzip").args(["-c", "swapped.vmdk"]).current_dir(folder.path("")).output().unwrap();
    folder.put("swapped.vmdk.gz", packed.stdout);
    folder.makes("convert -q swapped.vmdk.gz z.raw", &["z.raw"]);
    assert!(folder.read("y.raw") == noise && folder.read("z.raw") == noise);
}

#[test]
fn a_fault_is_told_while_nothing_comes() {
    let folder = Folder::new();
    let mut child = folder
        .command("convert -f raw - -O raw -")
        .stdin(Stdio::piped())
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&vec![7; 3 << 20]).unwrap();
    // The pipe stays open.
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the fault is not told");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(input);
    fails(&child.wait_with_output().unwrap(), &["standard output"]);
}

#[test]
fn what_came_goes_on_while_nothing_more_comes() {
    let folder = Folder::new();
    let mut child = start(&folder, "convert -f raw - -O raw -");
    let (mut input, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    input.write_all(&vec![7; 4 << 20]).unwrap();
    // All but what may still be cut off.
    let mut bytes = vec![0; 2 << 20];
    out.read_exact(&mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 7));
    drop(input);
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    assert_eq!((rest.len(), child.wait().unwrap().code()), (2 << 20, Some(0)));
}

#[test]
fn a_reader_that_does_not_read_keeps_nobody_from_being_stopped() {
    let folder = Folder::new();
    folder.put("long.raw", "");
    File::options().write(true).open(folder.path("long.raw")).unwrap().set_len(8 << 40).unwrap();
    for line in ["convert long.raw - -O raw", "convert long.raw x.raw --digest sha256"] {
        let mut child = start(&folder, line);
        std::thread::sleep(Duration::from_millis(500));
        signal(&child, "-TERM");
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > Duration::from_secs(10) {
                child.kill().unwrap();
                panic!("{line} goes on");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(child.wait().unwrap().code(), Some(130), "{line}");
        folder.check();
    }
}
