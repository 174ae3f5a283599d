//! The process gives up what a command does not need, before it reads a byte of an image: whatever an image makes of it then, the
//! system lets it have no other file.
//!
//! The library opens no other file on purpose (`vimage_core::io::neighbors`); this is for what it does against its will.

#[cfg(target_os = "linux")]
mod landlock;
#[cfg(not(target_os = "linux"))]
#[path = "sandbox/nothing.rs"]
mod landlock;

use crate::args::{SandboxArg, SandboxArgs};
use std::io::{self, Write, stderr};
use std::path::{Path, PathBuf};
use vimage_core::{Error, ErrorKind, Result};

/// What a command needs.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) list: Vec<Need>,
    /// Images may name files anywhere.
    pub(crate) external: bool,
    /// A program of the user's is run, which may need anything.
    pub(crate) program: bool,
}

/// What is done with a path, which is as the user wrote it.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is confined there"))]
pub(crate) enum Need {
    /// This file is read.
    File(PathBuf),
    /// The names of the files beside this one are read, and not the files.
    Names(PathBuf),
    /// This file is read, and those of its folder that it names.
    Image(PathBuf),
    /// This file is read and written to.
    Change(PathBuf),
    /// Such files are made in its folder, each under another name first.
    Output(PathBuf),
    /// Files and folders are made in this folder, and it itself where it is not there.
    Folder(PathBuf),
    /// Files without a name are made in this folder.
    Temporary(PathBuf),
}

/// What the process is confined to.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is confined there"))]
struct Confined {
    /// How, for a person.
    by: String,
    /// The files and folders that are read; none where all are.
    read: Option<Vec<PathBuf>>,
    /// Those that are written to.
    written: Vec<PathBuf>,
}

/// The sandbox of this process, if it is in one.
pub(crate) struct Sandbox(Option<Confined>);

/// Confines this thread, and those that it starts, to what is needed, as it was asked for.
///
/// # Errors
/// `Usage` and `Unsupported` where it was asked for and cannot be; `Io` where what is needed cannot be had.
pub(crate) fn enter(args: &SandboxArgs, needs: &Needs) -> Result<Sandbox> {
    let told = |line: String| {
        if args.verbose {
            // Nobody may be listening.
            let _ = writeln!(stderr(), "note: {line}");
        }
    };
    let off = |why: &str| {
        told(format!("the sandbox is off: {why}"));
        Ok(Sandbox(None))
    };
    let asked = args.sandbox == SandboxArg::On;
    match args.sandbox {
        SandboxArg::Off => return off("--sandbox=off"),
        SandboxArg::On if needs.program => {
            return Err(Error::usage("--sign-with runs a command, which may need anything, so there is no sandbox")
                .with_hint("--sign KEY signs without a command; --sandbox=auto goes on without a sandbox"));
        }
        SandboxArg::Auto if needs.program => return off("--sign-with runs a command, which may need anything"),
        SandboxArg::Auto | SandboxArg::On => {}
    }
    match landlock::confine(&needs.list, needs.external && !asked, asked) {
        Err(error) if error.kind() == ErrorKind::Unsupported && !asked => off(error.message()),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(error.with_hint("--sandbox=auto goes on without what cannot be confined"))
        }
        confined => {
            let confined = confined?;
            told(confined.told());
            Ok(Sandbox(Some(confined)))
        }
    }
}

impl Confined {
    fn told(&self) -> String {
        let list = |paths: &[PathBuf]| match paths {
            [] => "nothing".to_owned(),
            paths => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
        };
        let read = self.read.as_ref().map_or("anything, by --allow-external".into(), |read| list(read));
        format!("the sandbox is on, by {}; read: {read}; written: {}", self.by, list(&self.written))
    }

    /// Whether the file at `path`, which is there, is none that may be read.
    fn keeps_from(&self, path: &Path) -> bool {
        let (Some(read), Ok(path)) = (&self.read, path.canonicalize()) else { return false };
        !read.iter().any(|known| known.canonicalize().is_ok_and(|known| path.starts_with(known)))
    }
}

impl Sandbox {
    /// With what to do, where it was the sandbox that kept a file from being opened.
    pub(crate) fn explained(&self, error: Error) -> Error {
        use std::error::Error as _;
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        let (Some(confined), Some(path)) = (&self.0, error.path()) else { return error };
        if cause != Some(io::ErrorKind::PermissionDenied) || !confined.keeps_from(path) {
            return error;
        }
        error.with_hint(
            "the sandbox (--sandbox) lets vimage read only the files that are named and those in their folders: put it there, or \
             open the image with --allow-external and --sandbox=auto if you trust where it comes from",
        )
    }
}
