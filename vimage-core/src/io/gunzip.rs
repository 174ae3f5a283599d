//! Files compressed with gzip (RFC 1952), inflated into a file that has no name.

use super::ReadAt;
use super::row::{Row, fill};
use crate::error::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The most bytes that are made of one file, however few they come from.
pub const MOST_INFLATED: u64 = 2 << 40;

/// The most bytes other than holes that are made of one byte, beyond the first [`MOST_UNWEIGHED`]: text and programs come to 20 or so,
/// what is made to fill a disk to 1000.
const MOST_OF_ONE: u64 = 200;

/// Bytes that are made of however few.
const MOST_UNWEIGHED: u64 = 1 << 30;

/// Bytes inflated at a time, each left out where it is zero.
const STEP: usize = 64 << 10;

/// Whether `file` begins as gzip does, with the only method there is.
///
/// # Errors
/// Those of reading.
pub fn is_gzip(file: &dyn ReadAt) -> io::Result<bool> {
    let mut magic = [0; 3];
    if file.size() < 18 {
        return Ok(false);
    }
    file.read_exact_at(&mut magic, 0)?;
    Ok(magic == [0x1f, 0x8b, 8])
}

/// Inflates all of `file`, called `path`, into a file in the folder for temporary files (`TMPDIR`) that is gone when it is closed.
/// Zeros become holes.
///
/// # Errors
/// `Corrupt` where it is damaged or was cut short; `Unsupported` where it makes more than `most` bytes, or where those that are stored,
/// holes left out, are more than a gibibyte and more than 200 for each of its own; `Io`.
pub fn gunzip(file: &dyn ReadAt, path: &Path, most: u64) -> Result<File> {
    let out = tempfile::tempfile().map_err(|cause| {
        Error::io("cannot make a temporary file to inflate it into", cause)
            .with_hint("name another folder for temporary files with TMPDIR")
    });
    let out = out.map_err(|error| error.at_path(path))?;
    let source = BufReader::with_capacity(STEP, Row::new(file));
    let bounds = Bounds { all: most, stored: file.size().saturating_mul(MOST_OF_ONE).max(MOST_UNWEIGHED) };
    inflate(&mut MultiGzDecoder::new(source), &out, &bounds).map_err(|error| error.at_path(path))?;
    Ok(out)
}

/// How many bytes may be made: all of them, and those that are stored.
struct Bounds {
    all: u64,
    stored: u64,
}

fn inflate(source: &mut dyn Read, out: &File, bounds: &Bounds) -> Result<()> {
    let too_many = |what| {
        Error::unsupported(format!("inflates to more than {what}"))
            .with_hint("inflate it yourself, if you trust where it comes from: gzip -d")
    };
    let cannot = |cause| Error::io("cannot write what it inflates to into the folder for temporary files", cause);
    let mut buffer = vec![0; STEP];
    let (mut at, mut stored) = (0, 0);
    loop {
        let len = fill(source, &mut buffer).map_err(unreadable)?;
        if len == 0 {
            return out.set_len(at).map_err(cannot);
        }
        if at + len as u64 > bounds.all {
            return Err(too_many(format!("{} bytes", bounds.all)));
        }
        let bytes = &buffer[..len];
        if bytes.iter().any(|&byte| byte != 0) {
            stored += len as u64;
            if stored > bounds.stored {
                let most = bounds.stored;
                return Err(too_many(format!("{most} bytes that are not zero, which is a lot for its length")));
            }
            out.write_all_at(bytes, at).map_err(cannot)?;
        }
        at += len as u64;
    }
}

/// What the operating system says has its number; the others are the decoder's words.
fn unreadable(cause: io::Error) -> Error {
    match cause.raw_os_error() {
        Some(_) => Error::io("cannot read", cause),
        None => Error::corrupt(format!("is damaged where it is compressed with gzip: {cause}"))
            .with_hint("copy or download it again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::io::Memory;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn zeros_become_holes_and_members_follow_each_other() {
        let mut bytes = vec![0; 3 << 20];
        bytes[1 << 20] = 7;
        let all = [packed(&bytes), packed(b"end")].concat();
        let out = gunzip(&Memory(all), Path::new("x.gz"), MOST_INFLATED).unwrap();
        assert!(out.metadata().unwrap().blocks() * 512 < 1 << 20);
        let mut read = vec![0; (3 << 20) + 3];
        out.read_exact_at(&mut read, 0).unwrap();
        bytes.extend(b"end");
        assert!(read == bytes && out.metadata().unwrap().len() == bytes.len() as u64);
    }

    #[test]
    fn holes_are_not_counted_where_few_bytes_make_many() {
        let bounds = Bounds { all: MOST_INFLATED, stored: 1 << 20 };
        let inflated = |bytes: &[u8]| {
            let out = tempfile::tempfile().unwrap();
            let error = inflate(&mut MultiGzDecoder::new(&packed(bytes)[..]), &out, &bounds).err();
            (error.map(|error| error.kind()), out.metadata().unwrap().len())
        };
        assert_eq!(inflated(&[0; 4 << 20]), (None, 4 << 20));
        assert_eq!(inflated(&[1; 1 << 20]), (None, 1 << 20));
        assert_eq!(inflated(&[1; 4 << 20]), (Some(ErrorKind::Unsupported), 1 << 20));
    }

    #[test]
    fn what_is_damaged_or_too_much_is_an_error() {
        let whole = packed(&[5; 100_000]);
        let kind = |bytes: &[u8], most| {
            gunzip(&Memory(bytes.to_vec()), Path::new("x.gz"), most).err().map(|error| error.kind())
        };
        assert_eq!(kind(&whole, 100_000), None);
        assert_eq!(kind(&whole, 99_999), Some(ErrorKind::Unsupported));
        for len in 0..whole.len() {
            assert_eq!(kind(&whole[..len], MOST_INFLATED), Some(ErrorKind::Corrupt), "{len}");
        }
        let mut damaged = whole.clone();
        let crc = damaged.len() - 8;
        damaged[crc] ^= 1;
        assert_eq!(kind(&damaged, MOST_INFLATED), Some(ErrorKind::Corrupt));
        assert_eq!(kind(&[&whole[..], b"garbage"].concat(), MOST_INFLATED), Some(ErrorKind::Corrupt));
    }
}
