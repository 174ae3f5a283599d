//! How a disk is to be compressed: typed, and from qemu-img's words.

use super::NAME;
use crate::codec::zstd::Level;
use crate::error::{Error, Result};
use crate::formats::CreateOptions;

/// How a disk is to be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// The level of compression.
    pub level: Level,
    /// Each frame but those of zeros ends with a checksum of its content.
    pub checksum: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions { level: Level::default(), checksum: true }
    }
}

impl WriteOptions {
    /// The settings of `-o`.
    pub const KEYS: [&'static str; 1] = ["checksum"];

    /// Reads qemu-img's words. To ask for compression says nothing, as there is always some.
    ///
    /// # Errors
    /// `Usage` for what is unknown or does not go together.
    pub fn from_words(words: &CreateOptions) -> Result<Self> {
        words.no_backing(NAME)?;
        words.settings.only(NAME, &Self::KEYS)?;
        if words.split.is_some() {
            return Err(Error::usage("a raw.zst is one file and cannot be split")
                .with_hint("-O vmdk --split and -O raw --split write several"));
        }
        let checksum = match words.settings.get("checksum") {
            None | Some("on") => true,
            Some("off") => false,
            Some(word) => return Err(Error::usage(format!("checksum is on or off, not \"{word}\""))),
        };
        Ok(WriteOptions { level: words.level.map(Level::new).transpose()?.unwrap_or_default(), checksum })
    }
}
