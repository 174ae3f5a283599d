//! Measures vimage beside qemu-img on a disk, in pairs, and prints a table.
//!
//! `cargo run --release -p vimage-benches -- DISK.raw [--runs N] [--folder FOLDER] [--only WORD]… [--keep]`

mod jobs;
mod measure;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: vimage-benches DISK.raw [--runs N] [--folder FOLDER] [--vimage PROGRAM] [--only WORD]…

Runs every job N times (5 unless given) with vimage and with qemu-img, in turn, and prints a table of medians and ratios.
With --only, just the jobs whose name has WORD in it, or one of several when it is given more than once; those that read
streamOptimized or qcow2 need the job that makes it, now or in an earlier run with --keep, which leaves outputs where they are.
Outputs go into FOLDER (the disk's own unless given), which needs room
for a few times the disk's data. Needs qemu-img and /usr/bin/time (Debian: qemu-utils, time), and a release build of vimage.";

struct Options {
    disk: PathBuf,
    runs: usize,
    folder: PathBuf,
    vimage: PathBuf,
    only: Vec<String>,
    keep: bool,
}

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vimage-benches: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    print!("{}", report::head(options)?);
    let folder = options.folder.join("vimage-bench-outputs");
    let create = if options.keep { std::fs::create_dir_all(&folder) } else { std::fs::create_dir(&folder) };
    create.map_err(|error| format!("{}: {error}", folder.display()))?;
    let measured = jobs::all(&options.vimage, &options.disk, &folder)
        .iter()
        .filter(|job| options.only.is_empty() || options.only.iter().any(|word| job.name.contains(word)))
        .try_for_each(|job| measure::pairs(job, options.runs).map(|pairs| print!("{}", report::row(job, &pairs))));
    if options.keep {
        return measured;
    }
    // Whatever came of the jobs, gigabytes of outputs are not left behind.
    let removed = std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()));
    measured.and(removed)
}

fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let disk = PathBuf::from(args.next().filter(|disk| !disk.starts_with('-'))?);
    let folder = disk.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(".".into(), PathBuf::from);
    // Beside this program, where cargo puts both.
    let vimage = std::env::current_exe().ok()?.with_file_name("vimage");
    let mut options = Options { disk, runs: 5, folder, vimage, only: Vec::new(), keep: false };
    while let Some(arg) = args.next() {
        if arg == "--keep" {
            options.keep = true;
            continue;
        }
        let value = args.next()?;
        match arg.as_str() {
            "--runs" => options.runs = value.parse().ok().filter(|&runs| runs > 0)?,
            "--folder" => options.folder = value.into(),
            "--vimage" => options.vimage = value.into(),
            "--only" => options.only.push(value),
            _ => return None,
        }
    }
    Some(options)
}
