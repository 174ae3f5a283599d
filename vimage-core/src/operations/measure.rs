//! How large a disk would be in a format.

use super::ConvertOptions;
use super::convert::{open_base, write};
use crate::error::Result;
use crate::image::Image;
use crate::io::Outputs;
use crate::io::outputs::Published;
use crate::observer::Observer;
use std::path::Path;

/// The files that [`convert`](super::convert()) would make of `image` at `path`, each with the length that it would have and
/// the bytes that would be written to it. Exact, as everything is done but the writing: what is compressed is compressed.
///
/// # Errors
/// As [`convert`](super::convert()), but for those of writing.
pub fn measure(
    image: &dyn Image,
    path: impl AsRef<Path>,
    options: &ConvertOptions,
    observer: &dyn Observer,
) -> Result<Vec<Published>> {
    let outputs = Outputs::measuring();
    let backing = options.create.backing.as_ref();
    let base = open_base(path.as_ref(), backing, options.allow_external, options.max_size)?;
    write(image, base.as_ref(), path.as_ref(), options, &outputs, observer)?;
    Ok(outputs.measured())
}
