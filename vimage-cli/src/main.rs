//! The command line of vimage: arguments in, the library's answers out.

mod args;
mod commands;
mod date;
mod guest;
mod interrupt;
mod output;
mod pipe;
mod progress;
mod size;

use args::Cli;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(args::joined(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(output::report_usage(&error)),
    };
    raise_file_limit();
    start_threads();
    interrupt::install();
    match commands::run(&cli) {
        Ok(answer) => ExitCode::from(answer.status()),
        Err(error) => ExitCode::from(output::report(&error, cli.command.json())),
    }
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
