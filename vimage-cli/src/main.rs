//! The command line of vimage: arguments in, the library's answers out.

mod args;
mod commands;
mod interrupt;
mod output;
mod progress;
mod size;

use args::Cli;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    raise_file_limit();
    interrupt::install();
    match commands::run(&cli) {
        Ok(answer) => ExitCode::from(answer.status()),
        Err(error) => ExitCode::from(output::report(&error, cli.command.json())),
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
