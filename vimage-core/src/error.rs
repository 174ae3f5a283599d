//! What can go wrong, where it did, and what to do about it.
//!
//! Every fault is one [`Error`]: a kind for programs, a place (file and byte offset) and a sentence for people, and the
//! cause beneath it where there is one. `Display` gives the place and the sentence and never repeats the cause: walk
//! [`std::error::Error::source`] for that.

use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of fault it is, for programs that decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused or failed: not found, no permission, no space left, a device error.
    Io,
    /// No format of this crate knows these bytes.
    Unrecognized,
    /// The format is known, but this image uses something of it that is not supported.
    Unsupported,
    /// The image contradicts its format's specification or itself.
    Corrupt,
    /// The image asks for something that is not allowed, such as opening a file elsewhere.
    Refused,
    /// Another program uses a file, in a way that does not go together with what is to be done with it.
    InUse,
    /// The caller asked for something that cannot be: an unknown option, a size that the format cannot hold.
    Usage,
    /// An output has to say in advance how large the disk is, and that is not known of what comes out of a stream.
    SizeUnknown,
    /// An output exists already and was not to be replaced.
    Exists,
    /// The observer asked to stop.
    Cancelled,
}

/// A fault: kind, place, what was found, what to do, and the cause beneath.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    path: Option<PathBuf>,
    offset: Option<u64>,
    message: String,
    hint: Option<String>,
    cause: Option<io::Error>,
}

impl Error {
    /// A fault of `kind`; `message` says what was found.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, path: None, offset: None, message: message.into(), hint: None, cause: None }))
    }

    /// The image contradicts its format or itself.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// The image uses something that this crate does not support.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// The image asks for something that is not allowed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// Another program uses the file.
    pub fn in_use(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InUse, message)
    }

    /// The caller asked for something that cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// The observer asked to stop.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "stopped on request")
    }

    /// The operating system's fault `cause` while doing `what` ("cannot read").
    pub fn io(what: impl Into<String>, cause: io::Error) -> Self {
        let too_many = cause.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error());
        let mut error = Self::new(ErrorKind::Io, what);
        error.0.cause = Some(cause);
        match too_many {
            true => error.with_hint("let the process open more files at once (ulimit -n), or split into fewer"),
            false => error,
        }
    }

    /// Names the file in which the fault lies, unless a deeper layer named one already.
    #[must_use]
    pub fn at_path(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// Names the byte offset in that file, unless a deeper layer named one already.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Says what the user can do about it, unless a deeper layer did.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Says what else the user can do about it, behind what deeper layers say.
    #[must_use]
    pub(crate) fn with_another_hint(mut self, hint: &str) -> Self {
        let first = self.0.hint.take().map_or(String::new(), |first| first + "; ");
        self.0.hint = Some(first + hint);
        self
    }

    /// What was found, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What sort of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file in which the fault lies.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte offset in that file.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names in an image may hold what a terminal would obey.
        let mut printable = |text: &str| {
            text.chars()
                .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_debug()) } else { f.write_char(c) })
        };
        if let Some(path) = &self.0.path {
            printable(&path.to_string_lossy())?;
            printable(": ")?;
        }
        printable(&self.0.message)?;
        match self.0.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn the_deepest_place_and_hint_stay() {
        let error =
            Error::corrupt("bad").at_path("a").at_offset(1).with_hint("x").at_path("b").at_offset(2).with_hint("y");
        assert_eq!(error.to_string(), "a: bad (at byte 1)");
        assert_eq!(error.hint(), Some("x"));
    }

    #[test]
    fn display_leaves_the_cause_to_source() {
        let error = Error::io("cannot read", io::Error::other("the cable is out")).at_path("d.vmdk");
        assert_eq!(error.to_string(), "d.vmdk: cannot read");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the cable is out"));
    }
}
