//! Files and block devices, read by position, with holes found by asking the file system.

use super::{ReadAt, Stored};
use crate::error::{Error, Result};
use rustix::fs::SeekFrom;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Which file it is, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The identity of what `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// An open regular file or block device.
#[derive(Debug)]
pub struct FileReader {
    file: File,
    size: u64,
    id: FileId,
    allocated: u64,
}

impl FileReader {
    /// Opens what a user named: a regular file or a block device; symbolic links are followed.
    ///
    /// # Errors
    /// `Io` when it cannot be opened; `Unsupported` when it is a directory, a pipe or a character device.
    pub fn open(path: &Path) -> Result<Self> {
        // Without O_NONBLOCK the open of a pipe would wait for a writer before it could be refused.
        let file = File::options().read(true).custom_flags(nonblock()).open(path);
        let file = file.map_err(|cause| Error::io("cannot open", cause).at_path(path))?;
        Self::from_file(file).map_err(|error| error.at_path(path))
    }

    /// Takes an open regular file or block device.
    ///
    /// # Errors
    /// `Unsupported` when it is something else; `Io` when its size cannot be told.
    pub fn from_file(file: File) -> Result<Self> {
        let metadata = file.metadata().map_err(|cause| Error::io("cannot tell its size", cause))?;
        let kind = metadata.file_type();
        let size = if kind.is_file() {
            metadata.len()
        } else if kind.is_block_device() {
            // A device's metadata says 0; its end is found by seeking there.
            let end = rustix::fs::seek(&file, SeekFrom::End(0)).map_err(io::Error::from);
            end.map_err(|cause| Error::io("cannot tell the size of the device", cause))?
        } else {
            let what = match () {
                () if kind.is_dir() => "is a directory",
                () if kind.is_fifo() => "is a pipe",
                () => "is not a file",
            };
            return Err(Error::unsupported(format!("{what}, not a disk image"))
                .with_hint("give a regular file or a block device"));
        };
        Ok(FileReader { file, size, id: FileId::of(&metadata), allocated: metadata.blocks() * 512 })
    }

    /// Which file it is.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// Bytes of storage that the file takes, holes left out.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    fn seek(&self, to: SeekFrom) -> rustix::io::Result<u64> {
        rustix::fs::seek(&self.file, to)
    }
}

impl ReadAt for FileReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    /// Asks the file system by `SEEK_DATA` and `SEEK_HOLE`; one that cannot tell (or a device) is all data.
    fn stored_at(&self, offset: u64) -> io::Result<(Stored, u64)> {
        match self.seek(SeekFrom::Data(offset)) {
            Ok(data) if data > offset => Ok((Stored::Hole, data.min(self.size))),
            Ok(_) => match self.seek(SeekFrom::Hole(offset)) {
                Ok(hole) if hole > offset => Ok((Stored::Data, hole.min(self.size))),
                _ => Ok((Stored::Data, self.size)),
            },
            // No data from here to the end. The file may have been cut meanwhile: then reading says so.
            Err(rustix::io::Errno::NXIO) => Ok((Stored::Hole, self.size)),
            Err(_) => Ok((Stored::Data, self.size)),
        }
    }
}

/// `O_NONBLOCK` as the number that the standard library wants.
fn nonblock() -> i32 {
    rustix::fs::OFlags::NONBLOCK.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_folder_or_a_pipe_or_a_device_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/null")] {
            assert_eq!(FileReader::open(path).unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }

    #[test]
    fn holes_are_told_from_data() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 4096], 1 << 20).unwrap();
        file.set_len(3 << 20).unwrap();
        let reader = FileReader::from_file(file).unwrap();
        assert_eq!(reader.stored_at(0).unwrap(), (Stored::Hole, 1 << 20));
        assert_eq!(reader.stored_at(1 << 20).unwrap(), (Stored::Data, (1 << 20) + 4096));
        assert_eq!(reader.stored_at(2 << 20).unwrap(), (Stored::Hole, 3 << 20));
    }
}
