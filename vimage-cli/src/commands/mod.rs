//! One file a command, as the library has one an operation.

mod check;
mod compact;
mod compare;
mod convert;
mod digest;
mod info;
mod map;
mod measure;
mod pack;
mod package;
mod unpack;
mod verify;

use crate::args::{Cli, Command, TrustArgs};
use vimage_core::{OpenOptions, Result};

/// What a command found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, or yes.
    Yes,
    /// No.
    No,
}

impl Answer {
    /// The exit status that says so.
    pub(crate) fn status(self) -> u8 {
        match self {
            Answer::Yes => 0,
            Answer::No => 1,
        }
    }
}

/// Runs what was asked for.
pub(crate) fn run(cli: &Cli) -> Result<Answer> {
    match &cli.command {
        Command::Convert(args) => convert::run(args),
        Command::Compact(args) => compact::run(args),
        Command::Pack(args) => pack::run(args),
        Command::Unpack(args) => unpack::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Info(args) => info::run(args),
        Command::Map(args) => map::run(args),
        Command::Check(args) => check::run(args),
        Command::Measure(args) => measure::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Digest(args) => digest::run(args),
    }
}

/// How to open an image of `format`, if one was named.
fn open_options(format: Option<&String>, trust: &TrustArgs) -> OpenOptions {
    let TrustArgs { allow_external, force_share } = *trust;
    OpenOptions { format: format.cloned(), snapshot: None, allow_external, force_share }
}
