//! The write side: what the pipeline needs of an output, in two halves.
//!
//! An [`Encoder`] is pure and runs on any thread: it turns a unit of the disk into what the file holds for it and knows no
//! offsets. An [`ImageWriter`] is ordered: it gets encoded units in disk order, owns all offsets and tables, and so writes
//! the same bytes whatever the number of threads.

use crate::digest::ContentDigest;
use crate::error::Result;
use crate::image::Packing;

/// How a unit was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Plain,
    /// Compressed, as the target's format has it.
    Packed,
    /// All zero, above a backing file that holds something else there. Given are the zeros themselves.
    Zero,
}

/// Turns units into what a file holds for them.
pub trait Encoder: Send + Sync {
    /// Encodes one whole `unit`. For [`Encoding::Packed`] the bytes are appended to `out`; for [`Encoding::Plain`] `out` is
    /// left alone and the unit itself is what the writer gets.
    ///
    /// # Errors
    /// Only when the unit cannot be represented at all.
    fn encode(&self, unit: &[u8], out: &mut Vec<u8>) -> Result<Encoding>;

    /// Encodes a unit as [`encode`](Self::encode) does, one that the compressor of the image it comes from did not make smaller.
    ///
    /// # Errors
    /// As there.
    fn encode_stubborn(&self, unit: &[u8], out: &mut Vec<u8>) -> Result<Encoding> {
        self.encode(unit, out)
    }

    /// What tells it from encoders that make something else of a unit: those with one name make the same, and targets that take the
    /// same share it. None where it is to be asked for each.
    fn name(&self) -> Option<String> {
        None
    }
}

/// Leaves units as they are.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Encoder for Plain {
    fn encode(&self, _: &[u8], _: &mut Vec<u8>) -> Result<Encoding> {
        Ok(Encoding::Plain)
    }

    fn name(&self) -> Option<String> {
        Some("plain".into())
    }
}

/// Puts encoded units into files.
pub trait ImageWriter: Send {
    /// Takes what the disk holds from `offset` on; offsets ascend, and what is never given is zero.
    ///
    /// `body` is one packed unit, or any number of whole plain or zero units. Zero ones come only where the target was begun
    /// with a backing file, and then what is never given is what the backing file holds. The disk's last unit is filled up with zeros.
    ///
    /// # Errors
    /// `Io` when it cannot be written; `Usage` when the format's file would grow past what the format can address.
    fn append(&mut self, offset: u64, body: &[u8], how: Encoding) -> Result<()>;

    /// Writes what is left: tables, descriptor, the end.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    fn finish(self: Box<Self>, disk: &Whole) -> Result<()>;
}

/// What is known of a disk when all of it has gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content: there when a target [asked for it](Target::identified), or the caller did.
    pub content: Option<ContentDigest>,
}

/// The parallel half of a target: how the disk is cut into units, and how each is encoded.
pub struct Units {
    /// Bytes of one unit: a power of two, at most [`LARGEST_UNIT`].
    pub size: usize,
    /// Encodes each.
    pub encoder: Box<dyn Encoder>,
    /// The packing of units that it takes as they are, if it takes any.
    pub takes: Option<Packing>,
}

/// An output as the pipeline sees it.
pub struct Target {
    /// The parallel half.
    pub units: Units,
    /// The ordered half.
    pub writer: Box<dyn ImageWriter>,
    /// Whether identifiers in the output derive from the content, so that the writer wants its digest.
    pub identified: bool,
    /// Whether packed units are unpacked before it takes them over, to see that they can be.
    pub checked: bool,
}

/// The largest unit that a target may have, in bytes: the pipeline's memory is a multiple of it.
pub const LARGEST_UNIT: usize = 4 << 20;
