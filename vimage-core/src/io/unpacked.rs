//! Files compressed as a whole, unpacked into a file that has no name.

use super::row::{Row, fill};
use super::{Compression, ReadAt};
use crate::error::{Error, Result};
use crate::limits::check_reached;
use crate::limits::unpacking::{MOST_OF_ONE, MOST_UNPACKED, MOST_UNWEIGHED};
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes unpacked at a time, each left out where it is zero.
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

/// Unpacks all of `file`, called `path` and compressed with `compression`, into a file in the folder for temporary files (`TMPDIR`)
/// that is gone when it is closed. Zeros become holes. Where it is a raw disk, that may have `disk` bytes at most.
///
/// # Errors
/// `Corrupt` where it is damaged or was cut short; `Unsupported` where it makes more than [`MOST_UNPACKED`] bytes, or where those that are
/// stored, holes left out, are more than a gibibyte and more than 200 for each of its own; `Refused` for more than `disk` bytes; `Io`.
pub fn unpack(file: &dyn ReadAt, path: &Path, compression: Compression, disk: Option<u64>) -> Result<File> {
    let out = tempfile::tempfile().map_err(|cause| {
        Error::io("cannot make a temporary file to unpack it into", cause)
            .with_hint("name another folder for temporary files with TMPDIR")
    });
    let out = out.map_err(|error| error.at_path(path))?;
    copy(file, compression, Some(&out), &Bounds { disk, ..Bounds::of(file) }).map_err(|error| error.at_path(path))?;
    Ok(out)
}

/// How many bytes `file` unpacks to, found by unpacking it to nowhere.
///
/// # Errors
/// As [`unpack`].
pub fn unpacked_size(file: &dyn ReadAt, path: &Path, compression: Compression) -> Result<u64> {
    copy(file, compression, None, &Bounds::of(file)).map_err(|error| error.at_path(path))
}

/// The first bytes that `file` unpacks to: `most`, or fewer where it ends before.
///
/// # Errors
/// `Corrupt` where it is damaged or cut short that early; `Io`.
pub fn unpacked_head(file: &dyn ReadAt, compression: Compression, most: usize) -> Result<Vec<u8>> {
    let mut head = vec![0; most];
    let mut reader = compression.reader(BufReader::with_capacity(STEP, Row::new(file)))?;
    let len = fill(&mut reader, &mut head).map_err(|cause| compression.fault(cause))?;
    head.truncate(len);
    Ok(head)
}

/// How many bytes may be made: all of them, those that are stored, and those of a raw disk.
struct Bounds {
    all: u64,
    stored: u64,
    disk: Option<u64>,
}

impl Bounds {
    fn of(file: &dyn ReadAt) -> Self {
        let stored = file.size().saturating_mul(MOST_OF_ONE).max(MOST_UNWEIGHED);
        Bounds { all: MOST_UNPACKED, stored, disk: None }
    }
}

/// Unpacks `file` into `out`, if that is wanted, and says how many bytes there were.
fn copy(file: &dyn ReadAt, compression: Compression, out: Option<&File>, bounds: &Bounds) -> Result<u64> {
    let too_many = |what| {
        Error::unsupported(format!("unpacks to more than {what}"))
            .with_hint(format!("unpack it yourself, if you trust where it comes from: {} -d", compression.name()))
    };
    let cannot = |cause| {
        Error::io("cannot write what it unpacks to into the folder for temporary files", cause)
            .with_hint("name a folder with more room with TMPDIR")
    };
    let mut source = compression.reader(BufReader::with_capacity(STEP, Row::new(file)))?;
    let mut buffer = vec![0; STEP];
    let (mut at, mut stored) = (0, 0);
    loop {
        let len = fill(&mut source, &mut buffer).map_err(|cause| compression.fault(cause))?;
        if len == 0 {
            out.map_or(Ok(()), |out| out.set_len(at)).map_err(cannot)?;
            return Ok(at);
        }
        check_reached(at + len as u64, bounds.disk)?;
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
            out.map_or(Ok(()), |out| out.write_all_at(bytes, at)).map_err(cannot)?;
        }
        at += len as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::io::Memory;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn zeros_become_holes_and_members_follow_each_other() {
        let mut bytes = vec![0; 3 << 20];
        bytes[1 << 20] = 7;
        let all = [packed(&bytes), packed(b"end")].concat();
        let out = unpack(&Memory(all), Path::new("x.gz"), Compression::Gzip, None).unwrap();
        assert!(out.metadata().unwrap().blocks() * 512 < 1 << 20);
        let mut read = vec![0; (3 << 20) + 3];
        out.read_exact_at(&mut read, 0).unwrap();
        bytes.extend(b"end");
        assert!(read == bytes && out.metadata().unwrap().len() == bytes.len() as u64);
    }

    #[test]
    fn holes_are_not_counted_where_few_bytes_make_many() {
        let bounds = Bounds { all: 8 << 20, stored: 1 << 20, disk: None };
        let inflated = |bytes: &[u8]| {
            let out = tempfile::tempfile().unwrap();
            let error = copy(&Memory(packed(bytes)), Compression::Gzip, Some(&out), &bounds).err();
            (error.map(|error| error.kind()), out.metadata().unwrap().len())
        };
        assert_eq!(inflated(&[0; 4 << 20]), (None, 4 << 20));
        assert_eq!(inflated(&[0; (8 << 20) + 1]).0, Some(ErrorKind::Unsupported));
        assert_eq!(inflated(&[1; 1 << 20]), (None, 1 << 20));
        assert_eq!(inflated(&[1; 4 << 20]), (Some(ErrorKind::Unsupported), 1 << 20));
    }

    #[test]
    fn what_is_damaged_or_too_much_is_an_error() {
        let whole = packed(&[5; 100_000]);
        let kind = |bytes: &[u8], disk| {
            unpack(&Memory(bytes.to_vec()), Path::new("x.gz"), Compression::Gzip, disk).err().map(|error| error.kind())
        };
        assert_eq!(kind(&whole, Some(100_000)), None);
        assert_eq!(kind(&whole, Some(99_999)), Some(ErrorKind::Refused));
        for len in 0..whole.len() {
            assert_eq!(kind(&whole[..len], None), Some(ErrorKind::Corrupt), "{len}");
        }
        let mut damaged = whole.clone();
        let crc = damaged.len() - 8;
        damaged[crc] ^= 1;
        assert_eq!(kind(&damaged, None), Some(ErrorKind::Corrupt));
        assert_eq!(kind(&[&whole[..], b"garbage"].concat(), None), Some(ErrorKind::Corrupt));
    }
}
