//! Files and streams compressed as a whole: gzip (RFC 1952), Zstandard (RFC 8878) and xz, known by their first bytes.

use crate::error::{Error, Result};
use crate::limits::unpacking::{LARGEST_WINDOW, MOST_XZ_MEMORY};
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::io::{self, BufRead, Read};
use std::path::Path;

/// What a file or a stream is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// xz.
    Xz,
}

impl Compression {
    /// Bytes by which [`of`](Self::of) decides.
    pub const HEAD: usize = 6;

    /// Every one, with its name and the ending of its files' names.
    const NAMES: [(Compression, &str, &str); 3] =
        [(Compression::Gzip, "gzip", "gz"), (Compression::Zstd, "zstd", "zst"), (Compression::Xz, "xz", "xz")];

    /// What begins with `head` is compressed with, if with any of them.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
            // A frame, or one of the sixteen kinds that are skipped: pzstd puts one in front.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            _ => None,
        }
    }

    /// What a file at `path` is compressed with by its name: `disk.raw.gz`, `.zst`, `.xz`.
    pub fn named(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        Self::NAMES.into_iter().find(|(.., ending)| extension.eq_ignore_ascii_case(ending)).map(|(found, ..)| found)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(known, ..)| *known == self).map_or("", |(_, name, _)| name)
    }

    /// The bytes that what begins with `head` unpacks to, where that is said there: Zstandard says it of each frame, so there may be
    /// more behind the first.
    pub fn unpacked_size(self, head: &[u8]) -> Option<u64> {
        let framed = self == Compression::Zstd && head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        let size = framed.then(|| zstd::zstd_safe::get_frame_content_size(head).ok().flatten()).flatten();
        size.filter(|&size| i64::try_from(size).is_ok())
    }

    /// What `packed` unpacks to: all its members, frames or streams, one behind the other, to the end of `packed`. Errors without a
    /// number of the operating system's say that it is damaged or cut short: [`fault`](Self::fault) makes ours of them.
    ///
    /// # Errors
    /// `Io` where there is no memory for it.
    pub fn reader<'a>(self, packed: impl BufRead + Send + 'a) -> Result<Box<dyn Read + Send + 'a>> {
        let cannot = |cause| Error::io("cannot unpack", cause);
        Ok(match self {
            Compression::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Compression::Xz => Box::new(XzReader::new_mem_limit(packed, true, MOST_XZ_MEMORY)),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(cannot)?;
                decoder.window_log_max(LARGEST_WINDOW).map_err(cannot)?;
                Box::new(decoder)
            }
        })
    }

    /// What a fault of its reader means. What the operating system says has its number; the others are the decoder's words.
    pub fn fault(self, cause: io::Error) -> Error {
        match cause.raw_os_error() {
            Some(_) => Error::io("cannot read", cause),
            // zstd's own words for a window that it was not allowed.
            None if cause.to_string().contains("too much memory") => {
                let most = 1_u64 << LARGEST_WINDOW;
                Error::unsupported(format!("is compressed with a window of more than {most} bytes"))
                    .with_hint("unpack it through a pipe: zstd -dc --long=31 FILE | vimage convert -")
            }
            None => {
                Error::corrupt(format!("is damaged or cut short where it is compressed with {}: {cause}", self.name()))
                    .with_hint("copy or download it again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// What the tool of that name makes of `plain`; none where there is no such tool.
    fn packed(tool: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let mut child = Command::new(tool).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut stdin = child.stdin.take()?;
        let plain = plain.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(&plain));
        let made = child.wait_with_output().ok()?;
        writer.join().ok()?.ok()?;
        Some(made.stdout)
    }

    #[test]
    fn what_the_tools_pack_is_known_and_unpacked_and_a_cut_is_a_fault() {
        let plain: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect();
        for (tool, compression) in [("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("xz", Compression::Xz)] {
            let Some(one) = packed(tool, &plain) else {
                assert!(std::env::var_os("VIMAGE_REQUIRE_PEERS").is_none(), "{tool} is missing");
                eprintln!("left out: {tool}");
                continue;
            };
            assert_eq!(Compression::of(&one), Some(compression));
            let unpacked = |bytes: &[u8]| {
                let mut out = Vec::new();
                compression.reader(io::BufReader::new(bytes)).unwrap().read_to_end(&mut out).map(|_| out)
            };
            assert!(unpacked(&one).unwrap() == plain, "{tool}");
            let two = [one.as_slice(), one.as_slice()].concat();
            assert!(unpacked(&two).unwrap() == [plain.as_slice(), plain.as_slice()].concat(), "{tool}, twice");
            for cut in (0..one.len()).step_by(977).chain([one.len() - 1]).filter(|&cut| cut > 0) {
                let error = compression.fault(unpacked(&one[..cut]).unwrap_err());
                assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{tool} cut at {cut}: {error}");
            }
        }
    }

    #[test]
    fn names_and_first_bytes() {
        assert_eq!(Compression::named(Path::new("a/disk.raw.ZST")), Some(Compression::Zstd));
        assert_eq!(Compression::named(Path::new("disk.raw")), None);
        assert_eq!(Compression::of(b"KDMV"), None);
    }
}
