//! Images that others work with: QEMU's locks are heeded, and taken so that QEMU heeds them.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use support::{Folder, MIB, left_out, wait_until};
use vimage_fixtures::{Disk, Fill, Run};

/// What `vimage` says of an image that another program writes to.
const WRITTEN: &[&str] = &["is written to by another program", "hint:", "--force-share"];

/// Something that runs in the background until this is dropped.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The bytes of a file that are locked through open file descriptions, as the kernel tells.
fn locked(folder: &Folder, name: &str) -> BTreeSet<u64> {
    let inode = format!(":{}", folder.path(name).metadata().unwrap().ino());
    let mut bytes = BTreeSet::new();
    for line in fs::read_to_string("/proc/locks").unwrap().lines() {
        // 1: OFDLCK ADVISORY  READ  -1 fe:01:4321 100 100
        let words: Vec<_> = line.split_whitespace().collect();
        if let [_, "OFDLCK", "ADVISORY", "READ", _, file, first, last] = words[..]
            && file.ends_with(&inode)
        {
            bytes.extend(first.parse::<u64>().unwrap()..=last.parse().unwrap());
        }
    }
    bytes
}

/// QEMU with the image open: with `-r` for reading, otherwise as a machine that runs from it would. None where there is no QEMU.
fn qemu(folder: &Folder, options: &[&str], name: &str) -> Option<Background> {
    let mut command = Command::new("qemu-io");
    command.args(options).args(["-c", "sleep 600000", name]).current_dir(folder.path("")).stdout(Stdio::null());
    match command.spawn() {
        Err(_) => {
            left_out("qemu-io is not installed");
            None
        }
        Ok(child) => {
            let running = Background(child);
            wait_until("QEMU's locks", || locked(folder, name).contains(&100));
            Some(running)
        }
    }
}

/// Runs a tool of QEMU's; what it complained about.
fn complaint(folder: &Folder, line: &str) -> String {
    let mut words = line.split_whitespace();
    let tool = words.next().unwrap();
    let ran = Command::new(tool).args(words).current_dir(folder.path("")).output().unwrap();
    assert_eq!(ran.status.success(), ran.stderr.is_empty(), "{line}: {ran:?}");
    String::from_utf8(ran.stderr).unwrap()
}

/// `vimage` as it reads an image: what it writes goes into a pipe that nobody reads, so it stays there.
fn reading(folder: &Folder, name: &str, options: &str) -> Background {
    let mut command = folder.command(&format!("convert {name} -O raw - {options}"));
    let running = Background(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let open = |link: fs::DirEntry| fs::read_link(link.path()).is_ok_and(|to| to.ends_with(name));
    let descriptors = format!("/proc/{}/fd", running.0.id());
    wait_until("vimage has the image open", || {
        fs::read_dir(&descriptors).is_ok_and(|links| links.filter_map(Result::ok).any(open))
    });
    running
}

/// `vimage` as it writes an image anew in its place: stopped in the middle.
fn compacting(folder: &Folder, name: &str) -> Background {
    let mut command = folder.command(&format!("compact {name} --no-trim"));
    let running = Background(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let begun = || folder.names().iter().any(|name| name.ends_with(".vimage-part"));
    wait_until("the output is begun", begun);
    kill_process(Pid::from_child(&running.0), Signal::STOP).unwrap();
    running
}

/// A disk that takes a while to be written.
fn large(folder: &Folder) {
    let runs = (0..64).map(|index| Run { offset: 2 * index * MIB, len: MIB, fill: Fill::Noise(index) });
    folder.disk(&Disk { name: "large", size: 128 * MIB, runs: runs.collect() });
}

/// Every command that reads an image, with `IMAGE` for its name.
const READERS: [&str; 11] = [
    "info IMAGE",
    "info IMAGE --chain",
    "check IMAGE",
    "map IMAGE",
    "measure IMAGE -O vdi",
    "compare IMAGE dense.raw",
    "compare dense.raw IMAGE",
    "digest IMAGE",
    "convert IMAGE out.vdi",
    "compact IMAGE --dry-run",
    "pack --init IMAGE out.toml",
];

#[test]
fn what_a_machine_runs_from_is_refused_unless_forced() {
    for (format, options) in [("qcow2", ""), ("raw", ""), ("vmdk", "-o subformat=monolithicFlat"), ("vdi", "")] {
        let folder = Folder::with(&["dense"]);
        let image = format!("disk.{format}");
        folder.run(&format!("convert dense.raw {image} {options}")).succeeds();
        folder.expect(&[&image]);
        if !options.is_empty() {
            folder.expect(&["disk-flat.vmdk"]);
        }
        let Some(running) = qemu(&folder, &["-f", format], &image) else { return };
        for reader in READERS {
            let line = reader.replace("IMAGE", &image);
            let refused = folder.fails(&line, WRITTEN);
            assert!(refused.stderr.contains(&format!("{image}: ")), "{refused}");
            for forced in ["--force-share", "-U"] {
                let outcome = folder.run(&format!("{line} {forced}"));
                assert_eq!(outcome.status.code(), Some(0), "{outcome}");
                for made in ["out.vdi", "out.toml"] {
                    let _ = fs::remove_file(folder.path(made));
                }
            }
        }
        folder.fails(&format!("compact {image}"), &["is written to by another program"]);
        folder.fails(&format!("compact {image} -U"), &["--force-share goes with --dry-run or -o"]);
        folder.fails(&format!("convert dense.raw {image} --force"), &[&image, "is in use by another program"]);
        drop(running);
        folder.same(&image, "dense.raw");
        folder.makes(&format!("compact {image}"), &[]);
    }
}

#[test]
fn readers_do_not_disturb_each_other() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw disk.qcow2", &["disk.qcow2"]);
    let Some(running) = qemu(&folder, &["-r", "-f", "qcow2"], "disk.qcow2") else { return };
    let theirs = locked(&folder, "disk.qcow2");
    for reader in READERS {
        let outcome = folder.run(&reader.replace("IMAGE", "disk.qcow2"));
        assert_eq!(outcome.status.code(), Some(0), "{outcome}");
        for made in ["out.vdi", "out.toml"] {
            let _ = fs::remove_file(folder.path(made));
        }
    }
    folder.fails("compact disk.qcow2", &["disk.qcow2: is in use by another program"]);
    drop(running);
    let running = reading(&folder, "disk.qcow2", "");
    wait_until("the locks that QEMU takes to read", || locked(&folder, "disk.qcow2") == theirs);
    folder.run("digest disk.qcow2").succeeds();
    for line in
        ["qemu-img info disk.qcow2", "qemu-img convert -O raw disk.qcow2 out.raw", "qemu-img check -q disk.qcow2"]
    {
        assert_eq!(complaint(&folder, line), "");
    }
    fs::remove_file(folder.path("out.raw")).unwrap();
    // Who wants to write is refused, by QEMU and by vimage.
    let write = "qemu-io -f qcow2 -c quit disk.qcow2";
    assert!(complaint(&folder, write).contains("Failed to get \"write\" lock"));
    folder.fails("compact disk.qcow2", &["disk.qcow2: is in use by another program"]);
    folder.fails("convert dense.raw disk.qcow2 --force", &["disk.qcow2: is in use by another program"]);
    drop(running);
    assert_eq!(complaint(&folder, write), "");
    // A reader that shares all keeps nobody out.
    let running = reading(&folder, "disk.qcow2", "-U");
    assert_eq!(complaint(&folder, write), "");
    folder.makes("compact disk.qcow2", &[]);
    drop(running);
}

#[test]
fn what_is_written_anew_is_locked_as_qemu_locks_it() {
    let folder = Folder::new();
    large(&folder);
    folder.makes("convert large.raw disk.qcow2", &["disk.qcow2"]);
    let theirs = {
        let Some(_running) = qemu(&folder, &["-f", "qcow2"], "disk.qcow2") else { return };
        locked(&folder, "disk.qcow2")
    };
    let running = compacting(&folder, "disk.qcow2");
    assert_eq!(locked(&folder, "disk.qcow2"), theirs);
    for line in ["qemu-img info disk.qcow2", "qemu-img convert -O raw disk.qcow2 out.raw"] {
        assert!(complaint(&folder, line).contains("Failed to get shared \"write\" lock"), "{line}");
    }
    assert_eq!(complaint(&folder, "qemu-img info -U disk.qcow2"), "");
    for line in ["info disk.qcow2", "digest disk.qcow2"] {
        folder.run(line).fails(WRITTEN);
        folder.run(&format!("{line} -U")).succeeds();
    }
    folder.run("compact disk.qcow2").fails(&["is written to by another program"]);
    kill_process(Pid::from_child(&running.0), Signal::INT).unwrap();
    kill_process(Pid::from_child(&running.0), Signal::CONT).unwrap();
    wait_until("it stops", || !folder.names().iter().any(|name| name.ends_with(".vimage-part")));
    drop(running);
    folder.makes("info disk.qcow2", &[]);
}

#[test]
fn what_lies_beneath_and_what_lies_in_an_archive_is_refused_too() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw base.qcow2", &["base.qcow2"]);
    folder.makes("convert dense.raw top.qcow2 -B base.qcow2 -F qcow2", &["top.qcow2"]);
    folder.makes("convert dense.raw dense.ova", &["dense.ova"]);
    {
        let Some(_running) = qemu(&folder, &["-f", "qcow2"], "base.qcow2") else { return };
        folder.fails("digest top.qcow2", &["base.qcow2: is written to by another program"]);
        folder.run("digest top.qcow2 -U").succeeds();
        // What opens no other file has no part in it.
        folder.run("info top.qcow2").succeeds();
    }
    // A machine that runs from the child reads the base alone.
    {
        let Some(_running) = qemu(&folder, &["-f", "qcow2"], "top.qcow2") else { return };
        folder.run("digest base.qcow2").succeeds();
        folder.fails("compact base.qcow2", &["base.qcow2: is in use by another program"]);
    }
    let Some(_running) = qemu(&folder, &["-f", "raw"], "dense.ova") else { return };
    for line in ["digest dense.ova", "verify dense.ova", "info dense.ova", "unpack dense.ova out"] {
        folder.fails(line, &["dense.ova: is written to by another program"]);
    }
    folder.run("digest dense.ova -U").succeeds();
}
