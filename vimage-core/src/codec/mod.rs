//! Compression with bounded output, whole units at a time.

pub mod deflate;
pub mod zstd;

/// What units are compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Deflate in zlib's wrapping, RFC 1950.
    Zlib,
    /// Deflate alone, RFC 1951.
    Deflate,
    /// Zstandard frames, RFC 8878.
    Zstd,
}
