//! One file a command, as the library has one an operation.

mod check;
mod compact;
mod compare;
mod convert;
mod digest;
mod info;
mod map;
mod measure;
mod needs;
mod pack;
mod package;
mod unpack;
mod verify;

use crate::args::{Command, OpenArgs, TrustArgs};
use crate::sandbox::Needs;
use pack::Described;
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

/// A command of which all is known that it reads and writes.
pub(crate) struct Prepared<'a> {
    command: &'a Command,
    /// What is to be packed: its description names files, so it is read before.
    described: Option<Described>,
}

impl<'a> Prepared<'a> {
    /// Reads what there is to read for that, which is no image.
    ///
    /// # Errors
    /// Those of reading the description of an appliance, and the texts, keys and certificates that go with it.
    pub(crate) fn new(command: &'a Command) -> Result<Self> {
        let described = match command {
            Command::Pack(args) if !args.init => Some(pack::described(args)?),
            _ => None,
        };
        Ok(Prepared { command, described })
    }

    /// What it reads and writes.
    pub(crate) fn needs(&self) -> Needs {
        needs::of(self.command, self.described.as_ref())
    }

    /// Runs it.
    ///
    /// # Errors
    /// Those of the command.
    pub(crate) fn run(&self) -> Result<Answer> {
        match self.command {
            Command::Convert(args) => convert::run(args),
            Command::Compact(args) => compact::run(args),
            Command::Pack(args) => pack::run(args, self.described.as_ref()),
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
}

/// How to open an image of `format`, if one was named.
fn open_options(format: Option<&String>, open: &OpenArgs) -> OpenOptions {
    OpenOptions { max_size: open.limit.max_size(), ..of_any_size(format, &open.trust) }
}

/// The same, however large its disk is.
fn of_any_size(format: Option<&String>, trust: &TrustArgs) -> OpenOptions {
    let TrustArgs { allow_external, force_share } = *trust;
    OpenOptions { format: format.cloned(), allow_external, force_share, ..OpenOptions::default() }
}
