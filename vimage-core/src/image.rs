//! The read side: everything read-only about a disk is an [`Image`].

use crate::codec::Codec;
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

    /// How its packed units are made, where it has units that another image could take over as they are.
    fn packing(&self) -> Option<Packing> {
        None
    }

    /// Appends to `out` the packed unit that starts at `offset`, as it is stored, and says whether there is one. Bytes that
    /// do not belong to it may follow it.
    ///
    /// # Errors
    /// `Corrupt` and `Io`, when it cannot be had. It is not inflated, and may turn out to be damaged.
    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        let _ = (offset, out);
        Ok(false)
    }

    /// The files that hold its bytes, as far as it is kept in files. None of them is ever written to while it is read.
    fn files(&self) -> Vec<FileId> {
        Vec::new()
    }
}

/// What a packed unit is: units of one packing can be taken from one image into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// What it is compressed with.
    pub codec: Codec,
    /// Bytes of the disk in a unit: a power of two, to which units are aligned.
    pub unit: u64,
}

/// The image beneath one that holds only what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its file's name, as the child writes it; none where the format knows it by its identifier alone.
    pub name: Option<String>,
    /// Its format, where the child says.
    pub format: Option<String>,
    /// The identifier that it must have, as in [`ImageInfo::id`], where the format checks one.
    pub id: Option<String>,
}

/// A state of the disk that an image keeps beside the present one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its identifier: a number, as a rule.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The virtual size in bytes that the disk had.
    pub virtual_size: u64,
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
    /// What identifies its content: a VMDK's CID, a VDI's UUIDs.
    pub id: Option<String>,
    /// What lies beneath it.
    pub parent: Option<Parent>,
    /// The files that hold its bytes, where it is made of several.
    pub parts: Vec<Part>,
    /// The states of the disk that it keeps.
    pub snapshots: Vec<Snapshot>,
    /// More that the format says, as name and value.
    pub details: Vec<(&'static str, String)>,
}
