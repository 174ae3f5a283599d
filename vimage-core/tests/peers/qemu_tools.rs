//! QEMU's tools as makers and judges of images.

use super::run::output;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// Runs qemu-img in `folder`, so that the names that it writes into images are plain ones, and gives what it says.
///
/// # Panics
/// When it fails: the test cannot go on.
pub(crate) fn qemu_img(folder: &Path, words: &[&str]) -> String {
    let said = output(Command::new("qemu-img").current_dir(folder).args(words));
    said.unwrap_or_else(|fault| panic!("qemu-img {}: {fault}", words.join(" ")))
}

/// Has qemu-io do `commands` to the image `name` in `folder`, one after the other.
///
/// # Panics
/// When it fails: the test cannot go on.
pub(crate) fn qemu_io(folder: &Path, format: &str, name: &str, commands: &[&str]) {
    let mut tool = Command::new("qemu-io");
    tool.current_dir(folder).args(["-f", format]);
    for command in commands {
        tool.args(["-c", command]);
    }
    let said = output(tool.arg(name)).unwrap_or_else(|fault| panic!("qemu-io of {name}: {fault}"));
    // It ends well after a command that failed, too.
    assert!(!said.contains("failed"), "qemu-io of {name}: {said}");
}

/// What qemu-img's check has to say against `image`.
pub(crate) fn check_findings(image: &Path, format: &str) -> Option<String> {
    let said = match output(Command::new("qemu-img").args(["check", "-f", format]).arg(image)) {
        Ok(said) => said,
        Err(fault) => return Some(format!("qemu-img check: {fault}")),
    };
    let mut lines = said.lines();
    let clean = lines.next() == Some("No errors were found on the image.");
    let figures = |line: &str| line.starts_with("Image end offset: ") || line.contains("% allocated");
    (!clean || !lines.all(figures)).then(|| format!("qemu-img check: {said}"))
}

/// A run of a disk as qemu-img's map has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) range: Range<u64>,
    pub(crate) data: bool,
    pub(crate) zero: bool,
    pub(crate) depth: usize,
}

/// What qemu-img's map says of `image`.
///
/// # Errors
/// What it says when it fails, or what of its words was not understood.
pub(crate) fn map(image: &Path, format: &str) -> Result<Vec<Mapped>, String> {
    let mut command = Command::new("qemu-img");
    let said =
        output(command.args([OsStr::new("map"), "--output=json".as_ref(), "-f".as_ref(), format.as_ref()]).arg(image))?;
    said.split('{').skip(1).map(|entry| mapped(entry).ok_or_else(|| format!("not understood: {entry}"))).collect()
}

fn mapped(entry: &str) -> Option<Mapped> {
    let start = value(entry, "start")?.parse().ok()?;
    let length: u64 = value(entry, "length")?.parse().ok()?;
    Some(Mapped {
        range: start..start + length,
        data: value(entry, "data")?.parse().ok()?,
        zero: value(entry, "zero")?.parse().ok()?,
        depth: value(entry, "depth")?.parse().ok()?,
    })
}

/// The number or truth value of `key` in a JSON object that holds no texts.
fn value<'a>(entry: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = entry.split_once(&format!("\"{key}\":"))?;
    Some(rest.split([',', '}']).next()?.trim())
}
