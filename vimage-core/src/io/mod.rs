//! Bytes by position: what images are read from and written to.
//!
//! Everything here is positional and takes `&self`, so that many threads can read one file. Nothing here knows of disk
//! formats.

pub(crate) mod aligned;
pub mod archive;
mod behind;
pub mod compression;
mod digesting;
pub mod file;
mod folder;
pub mod hash;
pub(crate) mod in_use;
pub mod incoming;
pub(crate) mod locks;
pub mod memory;
pub mod neighbors;
pub mod outputs;
pub mod part;
pub mod pieces;
pub(crate) mod punch;
pub(crate) mod row;
mod sequence;
pub mod spool;
pub mod tar;
pub mod unpacked;
mod unpacking;
pub mod volumes;

use std::io;

pub(crate) use aligned::Aligned;
pub use archive::Archive;
pub use compression::Compression;
pub use file::{FileId, FileReader};
pub use folder::folder_of;
pub use incoming::{Incoming, Stop};
pub use memory::Memory;
pub use neighbors::Neighbors;
pub use outputs::{OutputFile, Outputs};
pub use part::{Flow, InOrder, Part, SharedFlow, SharedPart};
pub use pieces::Pieces;
pub use sequence::{FileSequence, split_evenly};
pub use spool::spool;
pub use volumes::Volumes;

/// Whether bytes are stored, as far as the holder can tell without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Bytes that have to be read to be known.
    Data,
    /// No bytes are stored: these read as zero.
    Hole,
}

/// A readable row of bytes of fixed length.
pub trait ReadAt: Send + Sync {
    /// Its length in bytes, as it was when opened.
    fn size(&self) -> u64;

    /// Fills `buf` from byte `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when the bytes end before `buf` is full.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Whether the bytes from `offset` on are stored, and the byte before which that stays so (above `offset`, at most
    /// [`size`](Self::size)). `offset` must be below `size`.
    fn stored_at(&self, offset: u64) -> io::Result<(Stored, u64)> {
        let _ = offset;
        Ok((Stored::Data, self.size()))
    }
}
