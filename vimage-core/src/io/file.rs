//! Files and block devices, read by position, with holes found by asking the file system.

use super::{ReadAt, Stored};
use crate::error::{Error, Result};
use rustix::fs::SeekFrom;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// Which file it is, whatever its name: device and inode, and which member of it where it is an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
    /// Where the member begins, which no other does; 0 for the file itself.
    member: u64,
}

impl FileId {
    /// The identity of what `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        FileId { device: metadata.dev(), inode: metadata.ino(), member: 0 }
    }

    /// The identity of the member that begins at byte `offset` of this archive.
    #[must_use]
    pub(crate) fn member(self, offset: u64) -> Self {
        FileId { member: offset, ..self }
    }

    /// The identity of the file that holds it.
    #[must_use]
    pub fn whole(self) -> Self {
        FileId { member: 0, ..self }
    }
}

/// An open regular file or block device, or a stretch of one that is a file of its own.
#[derive(Debug)]
pub struct FileReader {
    file: Arc<File>,
    /// Where it begins in `file`.
    start: u64,
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
        let file = Arc::new(file);
        Ok(FileReader { file, start: 0, size, id: FileId::of(&metadata), allocated: metadata.blocks() * 512 })
    }

    /// Which file it is.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// What holds its locks.
    pub(super) fn handle(&self) -> &Arc<File> {
        &self.file
    }

    /// Bytes of storage that the file takes, holes left out.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// The member of this archive that takes `size` bytes from `offset` on; none where the archive ends before.
    pub(crate) fn member(&self, offset: u64, size: u64) -> Option<Self> {
        offset.checked_add(size).filter(|&end| end <= self.size)?;
        let start = self.start.checked_add(offset)?;
        Some(FileReader { file: Arc::clone(&self.file), start, size, id: self.id.member(offset), allocated: size })
    }

    /// Taken for `other`, which holds the same bytes in another way and takes `allocated` bytes of storage.
    #[must_use]
    pub(crate) fn standing_for(self, other: FileId, allocated: u64) -> Self {
        FileReader { id: other, allocated, ..self }
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
        let end = offset.checked_add(buf.len() as u64);
        if self.start > 0 && end.is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_exact_at(buf, self.start + offset)
    }

    /// Asks the file system by `SEEK_DATA` and `SEEK_HOLE`; one that cannot tell (or a device) is all data.
    fn stored_at(&self, offset: u64) -> io::Result<(Stored, u64)> {
        let at = self.start + offset;
        let here = |place: u64| (place - self.start).min(self.size);
        match self.seek(SeekFrom::Data(at)) {
            Ok(data) if data > at => Ok((Stored::Hole, here(data))),
            Ok(_) => match self.seek(SeekFrom::Hole(at)) {
                Ok(hole) if hole > at => Ok((Stored::Data, here(hole))),
                _ => Ok((Stored::Data, self.size)),
            },
            // No data from here to the end, which is another one where the file was cut meanwhile: what is gone is not zero.
            Err(rustix::io::Errno::NXIO) => match self.file.metadata() {
                Ok(now) if now.is_file() && now.len() < self.start + self.size => {
                    Err(io::ErrorKind::UnexpectedEof.into())
                }
                _ => Ok((Stored::Hole, self.size)),
            },
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
    fn a_member_is_a_file_of_its_own() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"abcdefgh", 1 << 20).unwrap();
        file.set_len(3 << 20).unwrap();
        let archive = FileReader::from_file(file).unwrap();
        let member = archive.member((1 << 20) + 2, 3).unwrap();
        let mut text = [0; 3];
        member.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(&text, b"cde");
        assert!(member.read_exact_at(&mut text, 1).is_err(), "what follows it is another's");
        assert_eq!(member.stored_at(1).unwrap(), (Stored::Data, 3));
        let hole = archive.member(4096, 8192).unwrap();
        assert_eq!(hole.stored_at(1).unwrap(), (Stored::Hole, 8192));
        assert!(member.id() != archive.id() && member.id() != hole.id());
        assert_eq!(member.id().whole(), archive.id());
        assert!(archive.member(1, 3 << 20).is_none() && archive.member(u64::MAX, 2).is_none());
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

    #[test]
    fn what_was_cut_off_is_no_hole() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 << 20).unwrap();
        let reader = FileReader::from_file(file.try_clone().unwrap()).unwrap();
        file.set_len(2 << 20).unwrap();
        let kind = |offset| reader.stored_at(offset).map_err(|error| error.kind());
        assert_eq!(
            (kind(1 << 20), kind(2 << 20)),
            (Err(io::ErrorKind::UnexpectedEof), Err(io::ErrorKind::UnexpectedEof))
        );
    }
}
