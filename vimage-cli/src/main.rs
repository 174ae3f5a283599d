//! The command line of vimage: arguments in, the library's answers out.

mod args;
mod commands;
mod date;
mod guest;
mod interrupt;
mod output;
mod pipe;
mod progress;
mod sandbox;
mod size;

use args::Cli;
use clap::Parser;
use commands::{Answer, Prepared};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(args::joined(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(output::report_usage(&error)),
    };
    raise_file_limit();
    interrupt::install();
    match run(&cli) {
        Ok(answer) => ExitCode::from(answer.status()),
        Err(error) => ExitCode::from(output::report(&error, cli.command.json())),
    }
}

/// Runs what was asked for, in its sandbox: from before a byte of an image is read, and before there are threads, which have what
/// the one has that starts them.
fn run(cli: &Cli) -> vimage_core::Result<Answer> {
    let prepared = Prepared::new(&cli.command)?;
    let sandbox = sandbox::enter(&cli.sandbox, &prepared.needs())?;
    start_threads();
    prepared.run().map_err(|error| sandbox.explained(error))
}

/// Where the system grants no threads, this one does all the work. That is found out with a pool of no use, as the global
/// one can be tried only once.
fn start_threads() {
    if rayon::ThreadPoolBuilder::new().build().is_err() {
        let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    }
}

/// A disk split into thousands of files needs as many open at once: the soft limit of 1024 is raised as far as the system
/// lets everybody.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
