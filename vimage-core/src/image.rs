//! The read side: everything read-only about a disk is an [`Image`].

use crate::error::Result;
use crate::extent::Extent;
use crate::io::FileId;

/// A disk's guest-visible bytes: a file's content, a chain of files, a part of either.
///
/// Many threads may read one image at once.
pub trait Image: Send + Sync {
    /// The virtual size in bytes: what a guest sees as its disk.
    fn size(&self) -> u64;

    /// The run of bytes around `offset`, which must be below [`size`](Self::size): it covers `offset`, ends after it, and
    /// need not be as long as it could be. Walk [`Extents`](crate::Extents) for merged runs.
    ///
    /// # Errors
    /// `Corrupt` and `Io`, when the image's tables cannot be followed.
    fn extent_at(&self, offset: u64) -> Result<Extent>;

    /// Fills `buf` with the guest's bytes from `offset` on. Both ends must lie within the disk.
    ///
    /// # Errors
    /// `Corrupt` and `Io`, when the bytes cannot be had.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()>;

    /// The files that hold its bytes, as far as it is kept in files. None of them is ever written to while it is read.
    fn files(&self) -> Vec<FileId> {
        Vec::new()
    }
}

/// The image beneath one that holds only what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its file's name, as the child writes it.
    pub name: String,
    /// The identifier that it must have, as in [`ImageInfo::id`], where the format checks one.
    pub id: Option<String>,
}

/// One file, or other source, that an image's bytes lie in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The file's name as the image writes it; none for bytes that no file holds.
    pub file: Option<String>,
    /// What the format calls its kind: `SPARSE`, `FLAT`, ….
    pub kind: String,
    /// Bytes of the disk in it.
    pub size: u64,
}

/// What an image says of itself in its own file, without any other file having been opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageInfo {
    /// The format's name, as `-f` takes it.
    pub format: &'static str,
    /// The kind within the format: a VMDK's createType.
    pub subformat: Option<String>,
    /// The virtual size in bytes.
    pub virtual_size: u64,
    /// Bytes of one unit of allocation: a grain, a cluster, a block.
    pub unit: Option<u64>,
    /// Whether units are compressed.
    pub compressed: bool,
    /// What identifies its content: a VMDK's CID.
    pub id: Option<String>,
    /// What lies beneath it.
    pub parent: Option<Parent>,
    /// The files that hold its bytes, where it is made of several.
    pub parts: Vec<Part>,
    /// More that the format says, as name and value.
    pub details: Vec<(&'static str, String)>,
}
