//! Zstandard with bounded output, whole units at a time.

use crate::error::{Error, Result};
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

/// The level used when none is asked for: zstd's own default, and QEMU's.
pub const DEFAULT_LEVEL: u32 = 3;

/// The levels of zstd: fastest to slowest.
pub const LEVELS: std::ops::RangeInclusive<u32> = 1..=22;

thread_local! {
    static COMPRESSOR: RefCell<Option<((Level, bool), Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A checked level of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(u32);

impl Default for Level {
    fn default() -> Self {
        Level(DEFAULT_LEVEL)
    }
}

impl Level {
    /// The level `number`, one of [`LEVELS`].
    ///
    /// # Errors
    /// `Usage` when there is none of that number.
    pub fn new(number: u32) -> Result<Self> {
        if LEVELS.contains(&number) {
            return Ok(Level(number));
        }
        let (from, to) = LEVELS.into_inner();
        Err(Error::usage(format!("there is no zstd level {number}: levels go from {from} to {to}")))
    }
}

/// Appends `plain` to `out` as one frame that says how long it is.
///
/// # Errors
/// `Io` when there is no memory for the compressor.
pub fn compress(plain: &[u8], level: Level, out: &mut Vec<u8>) -> Result<()> {
    compress_frame(plain, level, false, out)
}

/// Appends `plain` to `out` as one frame that says how long it is, and with `checksum` ends with the lower half of its XXH64.
///
/// # Errors
/// As [`compress`].
pub fn compress_frame(plain: &[u8], level: Level, checksum: bool, out: &mut Vec<u8>) -> Result<()> {
    let cannot = |cause| Error::io("cannot compress", cause);
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some((of, compressor)) if *of == (level, checksum) => compressor,
            kept => {
                let mut compressor = Compressor::new(level.0.cast_signed()).map_err(cannot)?;
                compressor.set_parameter(CParameter::ChecksumFlag(checksum)).map_err(cannot)?;
                &mut kept.insert(((level, checksum), compressor)).1
            }
        };
        let start = out.len();
        out.resize(start + zstd_safe::compress_bound(plain.len()), 0);
        let written = compressor.compress_to_buffer(plain, &mut out[start..]);
        out.truncate(start + *written.as_ref().unwrap_or(&0));
        written.map(drop).map_err(cannot)
    })
}

/// The most bytes that a frame of `len` bytes comes to when zstd makes it.
pub fn bound(len: usize) -> usize {
    zstd_safe::compress_bound(len)
}

/// Unpacks `packed`, which must be one frame and nothing else, into `out`, which it must fill. Takes no memory that the frame's header
/// asks for.
///
/// # Errors
/// `Corrupt` when it is no valid frame, a checksum does not fit, or its length or that of its content is another.
pub fn decompress_frame(packed: &[u8], out: &mut [u8]) -> Result<()> {
    let broken = || Error::corrupt("compressed data that is no valid zstd");
    let frame = zstd_safe::find_frame_compressed_size(packed).map_err(|_| broken())?;
    if frame != packed.len() {
        return Err(Error::corrupt(format!("a frame of {frame} bytes where {} are expected", packed.len())));
    }
    let wanted = out.len();
    let another = |len| Error::corrupt(format!("a frame that unpacks to {len} bytes where {wanted} are expected"));
    if let Ok(Some(len)) = zstd_safe::get_frame_content_size(packed)
        && len != wanted as u64
    {
        return Err(another(len));
    }
    let got = with_decompressor(|decompressor| decompressor.decompress_to_buffer(packed, out).map_err(|_| broken()))?;
    if got == wanted { Ok(()) } else { Err(another(got as u64)) }
}

fn with_decompressor<T>(work: impl FnOnce(&mut Decompressor<'static>) -> Result<T>) -> Result<T> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            kept => kept.insert(Decompressor::new().map_err(|cause| Error::io("cannot decompress", cause))?),
        };
        work(decompressor)
    })
}

/// Inflates frames into `out` until it is full, as QEMU does; returns how many bytes there were. Bytes after the frame
/// that fills it are ignored. Takes no memory that a frame's header asks for: output goes straight into its place.
///
/// # Errors
/// `Corrupt` when they are no valid frames or hold more than `out` takes.
pub fn decompress(mut packed: &[u8], out: &mut [u8]) -> Result<usize> {
    let broken = || Error::corrupt("compressed data that is no valid zstd");
    with_decompressor(|decompressor| {
        let mut filled = 0;
        while filled < out.len() && !packed.is_empty() {
            let frame = zstd_safe::find_frame_compressed_size(packed).map_err(|_| broken())?;
            let got = decompressor.decompress_to_buffer(&packed[..frame], &mut out[filled..]).map_err(|_| broken())?;
            filled += got;
            packed = &packed[frame..];
        }
        Ok(filled)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_checksum_tells_of_damage_that_nothing_else_does() {
        let noise = |i: u64| (i * i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let plain: Vec<u8> = (0..65_536).map(|i| (noise(i) ^ noise(i) >> 31) as u8).collect();
        for (checksum, found) in [(false, None), (true, Some(ErrorKind::Corrupt))] {
            let mut packed = Vec::new();
            compress_frame(&plain, Level::default(), checksum, &mut packed).unwrap();
            packed[30_000] ^= 1;
            let mut back = vec![0; plain.len()];
            assert_eq!(decompress_frame(&packed, &mut back).err().map(|error| error.kind()), found);
        }
    }

    #[test]
    fn frames_come_back_and_output_is_bounded() {
        let plain: Vec<u8> = (0..65_536_u32).map(|i| ((i * i) >> 7) as u8).collect();
        let mut packed = Vec::new();
        compress(&plain[..40_000], Level::default(), &mut packed).unwrap();
        let first = packed.len();
        compress(&plain[40_000..], Level::new(19).unwrap(), &mut packed).unwrap();
        packed.extend_from_slice(b"what follows");
        let mut back = vec![0; plain.len()];
        assert_eq!(decompress(&packed, &mut back).unwrap(), plain.len());
        assert_eq!(back, plain);
        assert_eq!(decompress(&packed, &mut back[..39_999]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(decompress(&packed[..first - 1], &mut back).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(decompress(b"rubbish", &mut back).unwrap_err().kind(), ErrorKind::Corrupt);
        let kind =
            |packed: &[u8], len: usize| decompress_frame(packed, &mut vec![0; len]).err().map(|error| error.kind());
        assert_eq!(kind(&packed[..first], 40_000), None);
        for (packed, len) in [(&packed[..first], 39_999), (&packed[..first], 40_001), (&packed[..first - 1], 40_000)] {
            assert_eq!(kind(packed, len), Some(ErrorKind::Corrupt));
        }
        assert_eq!(kind(&packed, 40_000), Some(ErrorKind::Corrupt), "more follows");
        assert!(Level::new(0).is_err() && Level::new(23).is_err());
    }
}
