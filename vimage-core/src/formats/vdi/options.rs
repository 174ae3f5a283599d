//! How a VDI is to be written: typed, and from qemu-img's words.

use super::uuid;
use crate::error::{Error, Result};
use crate::formats::CreateOptions;

/// How a VDI is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// All blocks are there, those too that are zero; the file is sparse all the same.
    pub fixed: bool,
    /// The UUID by which VirtualBox knows the disk, as it stands in the header; derived from the content unless given.
    pub created: Option<[u8; 16]>,
    /// The UUID of the content as it is, which children check; derived from the content unless given.
    pub modified: Option<[u8; 16]>,
    /// The header of an image that this one comes in the place of: comment, flags and geometry are taken from it.
    pub header: Option<[u8; 512]>,
}

impl WriteOptions {
    /// The settings of `-o`.
    pub const KEYS: [&'static str; 4] = ["static", "uuid", "modification_uuid", "header"];

    /// Reads qemu-img's words.
    ///
    /// # Errors
    /// `Usage` for what is unknown or does not go together.
    pub fn from_words(words: &CreateOptions) -> Result<Self> {
        words.no_backing("vdi")?;
        words.settings.only("vdi", &Self::KEYS)?;
        if words.compress || words.level.is_some() {
            return Err(Error::usage("VDI images are not compressed")
                .with_hint("-O qcow2 -c and -O vmdk -o subformat=streamOptimized are compressed"));
        }
        if words.split.is_some() {
            return Err(Error::usage("a VDI is one file and cannot be split")
                .with_hint("-O vmdk --split and -O raw --split write several"));
        }
        let fixed = match words.settings.get("static") {
            Some("on") => true,
            None | Some("off") => false,
            Some(word) => return Err(Error::usage(format!("static is on or off, not \"{word}\""))),
        };
        let id = |key| match words.settings.get(key) {
            None => Ok(None),
            Some(text) => uuid::parse(text).map(Some).ok_or_else(|| {
                Error::usage(format!("{key} is not a UUID: \"{text}\""))
                    .with_hint("one looks like 6ba7b810-9dad-11d1-80b4-00c04fd430c8")
            }),
        };
        let header = words.settings.get("header").map(bytes).transpose()?;
        Ok(WriteOptions { fixed, header, created: id("uuid")?, modified: id("modification_uuid")? })
    }
}

/// A header in hexadecimal digits.
fn bytes(text: &str) -> Result<[u8; 512]> {
    let mut bytes = [0; 512];
    let wrong = || Error::usage("header is the 512 bytes of a VDI's header in hexadecimal digits");
    let digits = Some(text.as_bytes()).filter(|digits| digits.len() == 1024).ok_or_else(wrong)?;
    for (byte, digits) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or_else(wrong);
        *byte = (digit(digits[0])? << 4 | digit(digits[1])?) as u8;
    }
    Ok(bytes)
}
