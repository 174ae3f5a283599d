//! What is printed: answers on standard output, for people or as JSON; errors on standard error.

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::borrow::Cow;
use std::error::Error as _;
use std::io::{self, Write};
use std::path::Path;
use vimage_core::{Error, ErrorKind};

/// The version of every JSON document that is printed; it grows when a field changes its meaning or goes.
pub(crate) const JSON_VERSION: u32 = 1;

const RED: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// The status of a process that a terminal interrupts.
const INTERRUPTED: u8 = 130;

/// A text from a file, which may hold what a terminal would obey: what is not printed as itself, or turns the direction of writing,
/// is escaped. Quotes and backslashes stay as they are.
pub(crate) fn shown(text: &str) -> String {
    let escaped = |part: &str| part.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    text.split('\\').map(escaped).collect::<Vec<_>>().join("\\")
}

/// Writes `text` and a line end to standard output.
///
/// # Errors
/// When nobody takes it: a pipe that was closed is no fault, as in `vimage info x | head -1`.
pub(crate) fn line(line: &str) -> vimage_core::Result<()> {
    text(&format!("{line}\n"))
}

/// Writes `text` to standard output.
///
/// # Errors
/// As [`line()`].
pub(crate) fn text(text: &str) -> vimage_core::Result<()> {
    match write!(io::stdout().lock(), "{text}") {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io("cannot write to standard output", cause))
        }
        _ => Ok(()),
    }
}

/// Writes `text` to standard output, its colours only where that is a terminal.
///
/// # Errors
/// As [`line()`].
pub(crate) fn styled(styled: &str) -> vimage_core::Result<()> {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => text(&anstream::adapter::strip_str(styled).to_string()),
        _ => text(styled),
    }
}

/// Writes `document` as JSON to standard output.
///
/// # Errors
/// As [`line()`].
pub(crate) fn json(command: &'static str, document: &impl Serialize) -> vimage_core::Result<()> {
    #[derive(Serialize)]
    struct Document<'a, T> {
        version: u32,
        command: &'static str,
        #[serde(flatten)]
        rest: &'a T,
    }
    let document = Document { version: JSON_VERSION, command, rest: document };
    let text = serde_json::to_string_pretty(&document);
    line(&text.map_err(|cause| Error::io("cannot write JSON", cause.into()))?)
}

/// Tells of `error`, with `as_json` also to a program; returns the exit status.
pub(crate) fn report(error: &Error, as_json: bool) -> u8 {
    let mut text = error.to_string();
    if let Some(cause) = error.source() {
        text = format!("{text}: {cause}");
    }
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "{RED}vimage:{RED:#} {text}");
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "{DIM}hint:{DIM:#} {hint}");
    }
    if as_json {
        fault(error, &text);
    }
    if error.kind() == ErrorKind::Cancelled { INTERRUPTED } else { 2 }
}

/// Prints the document of `error`, of which `text` is all that there is to say.
fn fault(error: &Error, text: &str) {
    #[derive(Serialize)]
    struct Fault<'a> {
        kind: &'static str,
        message: &'a str,
        path: Option<Cow<'a, str>>,
        offset: Option<u64>,
        hint: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        error: Fault<'a>,
    }
    let (path, offset, hint) = (error.path().map(Path::to_string_lossy), error.offset(), error.hint());
    let fault = Fault { kind: kind(error.kind()), message: text, path, offset, hint };
    let _ = json("error", &Document { error: fault });
}

/// Tells of a command line that cannot be understood, or prints the help that it asks for; returns the exit status.
pub(crate) fn report_usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    if !error.use_stderr() {
        return 0;
    }
    if std::env::args_os().any(|arg| arg == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        fault(&Error::usage(message), message);
    }
    2
}

fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Io => "io",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::Refused => "refused",
        ErrorKind::Usage => "usage",
        ErrorKind::InUse => "in-use",
        ErrorKind::SizeUnknown => "size-unknown",
        ErrorKind::Exists => "exists",
        ErrorKind::Cancelled => "cancelled",
        _ => "other",
    }
}
