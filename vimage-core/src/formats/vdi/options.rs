//! How a VDI is to be written: typed, and from qemu-img's words.

use crate::error::{Error, Result};
use crate::formats::CreateOptions;

/// How a VDI is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// All blocks are there, those too that are zero; the file is sparse all the same.
    pub fixed: bool,
}

impl WriteOptions {
    /// Reads qemu-img's words.
    ///
    /// # Errors
    /// `Usage` for what is unknown or does not go together.
    pub fn from_words(words: &CreateOptions) -> Result<Self> {
        words.no_backing("vdi")?;
        words.settings.only("vdi", &["static"])?;
        if words.compress || words.level.is_some() {
            return Err(Error::usage("VDI images are not compressed")
                .with_hint("-O qcow2 -c and -O vmdk -o subformat=streamOptimized are compressed"));
        }
        if words.split.is_some() {
            return Err(Error::usage("a VDI is one file and cannot be split")
                .with_hint("-O vmdk --split and -O raw --split write several"));
        }
        match words.settings.get("static") {
            Some("on") => Ok(WriteOptions { fixed: true }),
            None | Some("off") => Ok(WriteOptions { fixed: false }),
            Some(word) => Err(Error::usage(format!("static is on or off, not \"{word}\""))),
        }
    }
}
