//! The description of an appliance, as a person writes it: TOML to plain values, and a first one to start from.
//!
//! `docs/appliance.md` is the reference of its keys. Every fault is told with its line and its key:
//! `appliance.toml: line 12: disk.controller: there is no controller "scsy" (lsilogic, lsisas, pvscsi, sata, nvme)`.

mod fields;
mod lines;
mod nearest;
mod size;
mod template;
mod values;

pub use template::{Facts, template};

use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use crate::package::check;
use fields::Description;
use lines::Source;
use std::path::Path;
use values::Stop;

/// Reads the description `text` of the file at `path`.
///
/// What it names is taken from the folder of `path`, unless it is absolute. Images are only named. The texts that it names
/// (of `eula` and `readme`) are asked of `load`, by paths that lie in that folder; `load` bounds what it reads.
///
/// # Errors
/// `Usage`, with the line and the key; what `load` says.
pub fn read(text: &str, path: &Path, load: &mut dyn FnMut(&Path) -> Result<Vec<u8>>) -> Result<Appliance> {
    document(text, path.parent().unwrap_or(Path::new("")), load).map_err(|error| error.at_path(path))
}

/// Reads it, without naming the file in errors.
fn document(text: &str, folder: &Path, load: &mut dyn FnMut(&Path) -> Result<Vec<u8>>) -> Result<Appliance> {
    let source = Source::parse(text)?;
    let description: Description = source.fields()?;
    let (mut appliance, default) = values::appliance(description, folder, load).map_err(|stop| match stop {
        Stop::Fault(fault) => source.error(fault),
        Stop::Elsewhere(error) => error,
    })?;
    check::appliance(&appliance).map_err(|fault| source.error(fault))?;
    // Only now, as the lines of faults go by the order of the text.
    if let Some(front) = default.and_then(|index| appliance.configurations.get_mut(..=index)) {
        front.rotate_right(1);
    }
    Ok(appliance)
}

/// A fault in one line of a description.
fn at_line(line: usize, message: impl std::fmt::Display) -> Error {
    Error::usage(format!("line {line}: {message}"))
}
