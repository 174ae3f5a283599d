//! A stream copied into a file without a name, to be read by position.

use super::compression::Compression;
use super::incoming::{Incoming, Stop};
use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes copied at a time, each left out where it is zero.
const STEP: usize = 64 << 10;

/// Copies all of `incoming` into a file in `folder` that is gone when it is closed. With `unpack`, what is compressed with gzip, Zstandard
/// or xz is unpacked; zeros become holes. `reached` is told how many bytes of the file there are now. The only bound is the room in `folder`.
///
/// # Errors
/// `Io`, which names `folder` where that is at fault; `Corrupt` where it is compressed and damaged, or was cut short; `Cancelled` when
/// `cancelled` says so.
pub fn spool(
    incoming: Incoming,
    unpack: bool,
    folder: &Path,
    cancelled: Stop<'_>,
    reached: &mut dyn FnMut(u64),
) -> Result<File> {
    let cannot = |what: &str, cause| {
        Error::io(what, cause)
            .at_path(folder)
            .with_hint("--spool names the folder: one with room for all of the stream")
    };
    let mut incoming = incoming;
    if unpack && let Some(compression) = Compression::of(incoming.peek(Compression::HEAD, cancelled)?) {
        incoming = incoming.unpacked(compression)?;
    }
    let file = tempfile::tempfile_in(folder)
        .map_err(|cause| cannot("cannot make a temporary file in this folder to copy the stream into", cause))?;
    let mut buffer = vec![0; STEP];
    let mut at = 0;
    loop {
        if cancelled() {
            return Err(Error::cancelled());
        }
        let len = incoming.fill(&mut buffer, cancelled)?;
        if len == 0 {
            file.set_len(at).map_err(|cause| cannot("cannot write the copy of the stream in this folder", cause))?;
            return Ok(file);
        }
        let bytes = &buffer[..len];
        if bytes.iter().any(|&byte| byte != 0) {
            let written = file.write_all_at(bytes, at);
            written.map_err(|cause| cannot("cannot write the copy of the stream in this folder", cause))?;
        }
        at += len as u64;
        reached(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn spooled(bytes: Vec<u8>, folder: &Path) -> Result<File> {
        spool(Incoming::new(Box::new(std::io::Cursor::new(bytes)), "x"), true, folder, &|| false, &mut |_| {})
    }

    #[test]
    fn all_is_there_with_its_holes_and_nothing_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; (3 << 20) + 5];
        bytes[1 << 20] = 7;
        for stream in [bytes.clone(), packed(&bytes)] {
            let file = spooled(stream, folder.path()).unwrap();
            let mut read = vec![1; bytes.len()];
            file.read_exact_at(&mut read, 0).unwrap();
            let metadata = file.metadata().unwrap();
            assert!(read == bytes && metadata.len() == bytes.len() as u64 && metadata.blocks() * 512 < 1 << 20);
            assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        }
    }

    #[test]
    fn faults_name_what_is_at_fault() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let error = spooled(vec![1], &missing).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(missing.as_path())));
        let whole = packed(&[9; 100_000]);
        let error = spooled(whole[..whole.len() - 3].to_vec(), folder.path()).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Corrupt, Some(Path::new("x"))));
        let incoming = Incoming::new(Box::new(std::io::repeat(1)), "x");
        let error = spool(incoming, false, folder.path(), &|| true, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}
