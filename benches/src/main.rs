//! Measures vimage beside the tools that people use for the same, in pairs, and writes the table and the plot of README.md.

mod compare;
mod cores;
mod extents;
mod growth;
mod jobs;
mod limits;
mod measure;
mod memory;
mod numbers;
mod place;
mod plot;
mod readme;
mod report;
mod results;
mod setup;
mod sources;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: vimage-benches compare FOLDER [--runs N] [--only WORD]… [--outputs FOLDER] [--vimage PROGRAM] [--write]
       vimage-benches report FOLDER [--write]

compare runs every job N times (5 unless given; at most 3 where nothing is to be reached) with vimage and with its peer, in turn,
on the disks that benches/disks.sh has made in FOLDER, and prints what came of it. Rows are kept in FOLDER/measured.jsonl as
they are done: a run that was stopped goes on where it was when it is begun again, and report makes the text of what there is.
With --only, just the jobs in whose name, peer or group WORD is, or one of several, are measured, and anew. With --write, the
text and the plot go into benches/README.md and benches/speed.svg instead of standard output.

Outputs go into a folder in FOLDER, or in --outputs, which needs room for 10 GB. --vimage is the program to measure: that of
the same build, unless given.";

/// What was asked for.
struct Options {
    measure: bool,
    folder: PathBuf,
    runs: usize,
    only: Vec<String>,
    outputs: Option<PathBuf>,
    vimage: PathBuf,
    write: bool,
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
    let failed = if options.measure { compare::all(options)? } else { Vec::new() };
    let measured = results::Results::open(&options.folder)?;
    let report = report::report(&measured)?;
    if options.write {
        readme::write(&report)?;
    } else {
        print!("{}", report.text);
    }
    match failed.len() {
        0 => Ok(()),
        jobs => Err(format!("{jobs} jobs failed: {}", failed.join("; "))),
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let measure = match args.next()?.as_str() {
        "compare" => true,
        "report" => false,
        _ => return None,
    };
    let folder = PathBuf::from(args.next().filter(|folder| !folder.starts_with('-'))?);
    // Beside this program, where cargo puts both.
    let vimage = std::env::current_exe().ok()?.with_file_name("vimage");
    let mut options = Options { measure, folder, runs: 5, only: Vec::new(), outputs: None, vimage, write: false };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--write" => options.write = true,
            _ if !measure => return None,
            "--runs" => options.runs = args.next()?.parse().ok().filter(|&runs| runs > 0)?,
            "--only" => options.only.push(args.next()?),
            "--outputs" => options.outputs = Some(args.next()?.into()),
            "--vimage" => options.vimage = args.next()?.into(),
            _ => return None,
        }
    }
    Some(options)
}
