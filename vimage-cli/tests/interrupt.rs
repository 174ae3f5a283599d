//! Signals: the work stops soon, says so, and leaves nothing half-made.

#![allow(clippy::unwrap_used)]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use support::hostile::{IMAGE, field};
use support::{Folder, MIB, Outcome, Running, wait_until};
use vimage_fixtures::{Disk, Fill, Run};

/// How soon a signal must be heeded.
const SOON: Duration = Duration::from_secs(10);

/// A sparse disk with so much text and noise.
fn disk(mebibytes: u64) -> Disk {
    let runs = (0..mebibytes / 2).flat_map(|index| {
        let offset = 5 * index * MIB;
        let run = |offset, fill| Run { offset, len: MIB, fill };
        [run(offset, Fill::Text(index)), run(offset + 2 * MIB, Fill::Noise(index))]
    });
    Disk { name: "large", size: 3 * mebibytes * MIB, runs: runs.collect() }
}

/// Sends the signal and takes what comes of it, soon.
#[track_caller]
fn stop(running: Running, signal: Signal) -> Outcome {
    kill_process(Pid::from_child(&running.child), signal).unwrap();
    running.end_within(SOON)
}

/// The number of temporary files in the folder.
fn temporaries(folder: &Folder) -> usize {
    folder.names().iter().filter(|name| name.ends_with(".vimage-part")).count()
}

/// Waits until the process catches interrupts: before that they end it as they end any process.
fn wait_until_ready(running: &Running) {
    let path = format!("/proc/{}/status", running.child.id());
    wait_until("the signal is caught", || {
        let status = std::fs::read_to_string(&path).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() >> (Signal::INT.as_raw() - 1) & 1 == 1
    });
}

/// Compresses a large disk, slowly, and sends the signal once the output is begun.
fn interrupted(signal: Signal, options: &str) -> Outcome {
    let folder = Folder::new();
    folder.disk(&disk(48));
    let before = folder.read("large.raw");
    let mut command = folder.command(&format!("convert large.raw out.vmdk --level 12 {options}"));
    command.env("RAYON_NUM_THREADS", "1");
    let running = Running::start(command);
    wait_until("an output is begun", || temporaries(&folder) == 1);
    let outcome = stop(running, signal).ends(130);
    folder.check();
    assert!(folder.read("large.raw") == before);
    outcome
}

#[test]
fn sigint_stops_a_conversion() {
    assert_eq!(interrupted(Signal::INT, "").stderr, "vimage: stopped on request\n");
}

#[test]
fn sigterm_stops_a_conversion() {
    interrupted(Signal::TERM, "-p");
}

#[test]
fn sighup_stops_a_conversion() {
    interrupted(Signal::HUP, "-q");
}

#[test]
fn an_interrupt_is_a_json_document_too() {
    let outcome = interrupted(Signal::INT, "--json");
    assert_eq!(outcome.json("error")["error"]["kind"], "cancelled");
}

#[test]
fn an_old_output_outlives_an_interrupt() {
    let folder = Folder::new();
    folder.disk(&disk(48));
    folder.put("out.vmdk", "precious");
    let mut command = folder.command("convert large.raw out.vmdk --level 12 --force");
    command.env("RAYON_NUM_THREADS", "1");
    let running = Running::start(command);
    wait_until("an output is begun", || temporaries(&folder) == 1);
    stop(running, Signal::INT).ends(130);
    assert_eq!(folder.text("out.vmdk"), "precious");
}

#[test]
fn many_pieces_are_all_removed() {
    for options in ["out.raw --split 1M", "out.vmdk --split 1M"] {
        let folder = Folder::new();
        folder.disk(&disk(200));
        let running = Running::start(folder.command(&format!("convert large.raw {options}")));
        wait_until("some pieces are made", || temporaries(&folder) >= 5);
        stop(running, Signal::INT).ends(130);
        folder.check();
    }
}

#[test]
fn a_digest_of_terabytes_of_zeros_stops() {
    let folder = Folder::with(&["three-tib"]);
    let running = Running::start(folder.command("digest --algorithm sha256 three-tib.raw"));
    wait_until_ready(&running);
    stop(running, Signal::INT).ends(130);
}

/// An image of half a gigabyte of tables, all of them one and the same empty table, is all map and no data: an interrupt
/// must be heeded while it is walked.
#[test]
fn a_walk_over_endless_empty_tables_stops() {
    let folder = Folder::new();
    folder.lay_sparse();
    let tables = 4 * MIB;
    folder.poke_u64(field::CAPACITY, tables * 512 * 128);
    // The first table of the file, emptied, under a directory behind all else.
    let (directory, table) = (folder.directory(), folder.u32_at(folder.directory()));
    folder.poke(IMAGE, table * 512, &[0; 2048]);
    let end = (folder.read(IMAGE).len() as u64).next_multiple_of(512);
    assert_ne!(directory, end);
    let entries: Vec<u8> = (0..tables).flat_map(|_| (table as u32).to_le_bytes()).collect();
    folder.poke(IMAGE, end, &entries);
    folder.poke_u64(field::DIRECTORY, end / 512);
    for line in ["digest", "convert -O raw --force", "compare odd-capacity.vmdk", "map", "map --json"] {
        let running = Running::start(folder.command(&format!("{line} {IMAGE}")));
        wait_until_ready(&running);
        // Into the walk.
        std::thread::sleep(Duration::from_millis(300));
        stop(running, Signal::INT).ends(130);
        folder.check();
    }
}

/// Nothing else can stop that, and it may take as long as whoever made the archive likes.
#[test]
fn a_second_interrupt_ends_the_inflation_of_an_archive() {
    let folder = Folder::new();
    folder.put("zeros", vec![0; 64 << 20]);
    let packed = match std::process::Command::new("gzip").arg("-nc").arg(folder.path("zeros")).output() {
        Ok(output) => output.stdout,
        Err(_) => {
            println!("left out: gzip is not installed");
            return;
        }
    };
    // Members of gzip that follow each other are one file (RFC 1952, 2.2): of 128 GiB here.
    folder.put("large.box", packed.repeat(2048));
    let running = Running::start(folder.command("info large.box"));
    wait_until_ready(&running);
    std::thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&running.child), Signal::INT).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    stop(running, Signal::INT).ends(130);
    folder.check();
}
