//! Header extensions: typed records between the header and the backing file's name.

use super::layout::extension;
use crate::error::{Error, Result};
use crate::io::ReadAt;
use zerocopy::FromBytes;
use zerocopy::byteorder::big_endian::{U32, U64};

/// What the extensions say; those that are not known are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// The backing file's format.
    pub(super) backing_format: Option<String>,
    /// The external data file's name.
    pub(super) data_file: Option<String>,
    /// The number of bitmaps, the bytes of their directory and where it is.
    pub(super) bitmaps: Option<(u32, u64, u64)>,
    /// Where the LUKS header is, and its bytes.
    pub(super) encryption: Option<(u64, u64)>,
    /// Names of features: kind (0 for incompatible), bit and name.
    features: Vec<(u8, u8, String)>,
}

impl Extensions {
    /// Reads the extensions that lie from byte `start` to byte `end` of `file`, at most.
    ///
    /// # Errors
    /// `Corrupt` when one reaches past `end`; `Io`.
    pub(super) fn read(file: &dyn ReadAt, start: u64, end: u64) -> Result<Self> {
        let mut found = Extensions::default();
        let mut at = start;
        while at + 8 <= end {
            let mut head = [0; 8];
            let read = file.read_exact_at(&mut head, at);
            read.map_err(|cause| Error::io("cannot read a header extension", cause).at_offset(at))?;
            let [kind, len] = [&head[..4], &head[4..]].map(|part| U32::read_from_bytes(part).map_or(0, U32::get));
            if kind == extension::END {
                break;
            }
            if u64::from(len) > end - at - 8 {
                return Err(Error::corrupt(format!(
                    "a header extension of {len} bytes (type {kind:#010x}), with room for {}",
                    end - at - 8
                ))
                .at_offset(at));
            }
            let mut data = vec![0; len as usize];
            let read = file.read_exact_at(&mut data, at + 8);
            read.map_err(|cause| Error::io("cannot read a header extension", cause).at_offset(at))?;
            found.take(kind, &data).map_err(|error| error.at_offset(at))?;
            at += 8 + u64::from(len).next_multiple_of(8);
        }
        Ok(found)
    }

    fn take(&mut self, kind: u32, data: &[u8]) -> Result<()> {
        let text = |what: &str| {
            let text = std::str::from_utf8(data).map_err(|_| Error::corrupt(format!("{what} is not UTF-8")))?;
            Ok::<_, Error>(Some(text.to_owned()))
        };
        let pair = |from: usize| {
            let number = |at: usize| Some(U64::read_from_bytes(data.get(at..at + 8)?).ok()?.get());
            Some((number(from)?, number(from + 8)?))
        };
        match kind {
            extension::BACKING_FORMAT => self.backing_format = text("the backing file's format")?,
            extension::DATA_FILE => self.data_file = text("the data file's name")?,
            extension::BITMAPS => {
                let count = data.get(..4).and_then(|bytes| U32::read_from_bytes(bytes).ok());
                let (Some(count), Some((size, offset))) = (count, pair(8)) else {
                    return Err(Error::corrupt("the header extension for bitmaps is too short"));
                };
                self.bitmaps = Some((count.get(), size, offset));
            }
            extension::ENCRYPTION => self.encryption = pair(0),
            extension::FEATURE_NAMES => {
                // Rows of a kind, a bit and a name filled up with NULs.
                self.features.extend(data.chunks_exact(48).map(|row| {
                    let name = row[2..].split(|&byte| byte == 0).next().unwrap_or_default();
                    (row[0], row[1], String::from_utf8_lossy(name).into_owned())
                }));
            }
            _ => {}
        }
        Ok(())
    }

    /// The name that the image has for feature `bit` of `kind`: 0 for incompatible, 1 compatible, 2 autoclear.
    pub(super) fn feature_name(&self, kind: u8, bit: u8) -> Option<&str> {
        let found = self.features.iter().find(|(of, number, name)| (*of, *number) == (kind, bit) && !name.is_empty());
        found.map(|(.., name)| name.as_str())
    }
}
