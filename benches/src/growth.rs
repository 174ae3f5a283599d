//! How time grows with the disk and falls with threads.

use crate::Options;
use crate::measure::measure;
use crate::place::Place;
use crate::results::{Grown, Results};
use crate::sources;

/// Sizes of the disks, in GiB.
pub(crate) const SIZES: [u64; 4] = [2, 4, 8, 16];

/// Threads.
pub(crate) const THREADS: [usize; 2] = [1, 2];

/// Most runs of each: nothing is compared pair by pair here, and there are many.
const RUNS: usize = 3;

/// One that takes longer than this many seconds is run once: what chance adds is little of it.
const LONG: f64 = 8.0;

/// What is done to `DISK`. Nothing is flushed, as that takes no processor.
const COMMANDS: [(&str, &str); 4] = [
    ("raw → streamOptimized", "vimage convert -q -t unsafe DISK disk.vmdk -c"),
    ("raw → qcow2 -c zstd", "vimage convert -q -t unsafe DISK disk.qcow2 -c -o compression_type=zstd"),
    ("raw → qcow2", "vimage convert -q -t unsafe DISK disk.qcow2"),
    ("compare with itself", "vimage compare -q DISK DISK"),
];

/// The names of what is done, in the order of the table.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, _)| *name)
}

/// Runs everything that was asked for, by the word `growth` or one of its names, and that was not measured yet; returns the names of what
/// failed.
pub(crate) fn all(place: &Place, options: &Options, results: &mut Results) -> Result<Vec<String>, String> {
    let asked = |name: &str| {
        options.only.is_empty() || options.only.iter().any(|word| format!("growth: {name}").contains(word.as_str()))
    };
    let mut failed = Vec::new();
    for gib in SIZES {
        for (name, command) in COMMANDS.iter().filter(|(name, _)| asked(name)) {
            for threads in THREADS {
                let there = |one: &Grown| one.name == *name && one.gib == gib && one.threads == threads;
                if options.only.is_empty() && results.grown.iter().any(there) {
                    continue;
                }
                match grown(place, options.runs.min(RUNS), name, command, gib, threads) {
                    Ok(grown) => {
                        eprintln!("{name}, {gib} GiB, threads: {threads}, seconds: {:.2?}", grown.seconds);
                        results.keep_grown(grown)?;
                    }
                    Err(error) => {
                        eprintln!("{name}, {gib} GiB: {error}");
                        failed.push(format!("{name}, {gib} GiB"));
                    }
                }
            }
        }
    }
    Ok(failed)
}

fn grown(place: &Place, runs: usize, name: &str, command: &str, gib: u64, threads: usize) -> Result<Grown, String> {
    let disk = format!("$disks/grown-{gib}.raw");
    let command = format!("RAYON_NUM_THREADS={threads} {}", command.replace("DISK", &disk));
    sources::make(place, &[&command])?;
    let data = sources::size(place, &disk)?;
    let mut seconds: Vec<f64> = Vec::new();
    while seconds.len() < runs && seconds.first().is_none_or(|&first| first < LONG) {
        seconds.push(measure(place, "", &command, None)?.wall);
    }
    Ok(Grown { name: name.into(), gib, threads, data, seconds })
}
