//! Files compressed as a whole, whose names say so: `disk.raw.gz`, `disk.qcow2.xz`, `disk.raw.zst`.

use super::{Format, HEAD, by_extension, probe, zst};
use crate::error::{Error, Result};
use crate::io::unpacked::{unpack, unpacked_head};
use crate::io::{Compression, FileReader, ReadAt};
use std::path::Path;
use std::sync::Arc;

/// How a file that is compressed is read.
pub(super) enum Packed {
    /// As an image of a format that is compressed as a whole.
    As(&'static dyn Format),
    /// Unpacked into a file without a name, as what is in it.
    Unpacked(Arc<dyn ReadAt>, Compression),
}

/// How `file`, called `path`, is read; none where it is not compressed, by its name and its first bytes. A raw disk's first bytes alone
/// are its guest's.
///
/// # Errors
/// As [`unpacked`].
pub(super) fn packed(file: &dyn ReadAt, path: &Path, max_size: Option<u64>) -> Result<Option<Packed>> {
    let Some(compression) = Compression::named(path) else { return Ok(None) };
    let mut head = vec![0; file.size().min(Compression::HEAD as u64) as usize];
    let read = file.read_exact_at(&mut head, 0);
    read.map_err(|cause| Error::io("cannot read", cause).at_offset(0))?;
    if Compression::of(&head) != Some(compression) {
        return Ok(None);
    }
    if compression == Compression::Zstd && is_raw(file, path)? {
        return Ok(Some(Packed::As(&zst::Zst)));
    }
    Ok(Some(Packed::Unpacked(unpacked(file, path, compression, max_size)?, compression)))
}

/// What `file`, called `path` and compressed with `compression`, unpacks to. A raw disk is as long as that, and is unpacked no further
/// than `max_size`.
///
/// # Errors
/// As [`unpack`].
pub(super) fn unpacked(
    file: &dyn ReadAt,
    path: &Path,
    compression: Compression,
    max_size: Option<u64>,
) -> Result<Arc<dyn ReadAt>> {
    let raw = max_size.is_some() && probe(&unpacked_head(file, compression, HEAD)?).name() == "raw";
    let unpacked = unpack(file, path, compression, max_size.filter(|_| raw))?;
    Ok(Arc::new(FileReader::from_file(unpacked)?))
}

/// Whether what is compressed with Zstandard is a raw disk whose size is known without unpacking it. With a seek table the name tells, and
/// without one what is in it.
fn is_raw(file: &dyn ReadAt, path: &Path) -> Result<bool> {
    if by_extension(path).is_none_or(|format| format.name() != "raw.zst") {
        return Ok(false);
    }
    let in_it = || Ok(probe(&unpacked_head(file, Compression::Zstd, HEAD)?).name() == "raw");
    Ok(zst::has_table(file)? || in_it()? && zst::plain_size(file)?.is_some())
}
