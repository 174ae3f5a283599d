//! Deflate with bounded output, whole units at a time.
//!
//! libdeflate is taken for its speed: at level 5 it has zlib-6's ratio at three times its speed, and inflates more than
//! twice as fast. Its state is kept per thread, as making it costs more than compressing a small unit.

use crate::error::{Error, Result};
use libdeflater::{CompressionLvl, Compressor, Decompressor};
use std::cell::RefCell;

/// The level used when none is asked for: the size of zlib's level 6.
pub const DEFAULT_LEVEL: u32 = 5;

/// The levels of deflate: none to slowest.
pub const LEVELS: std::ops::RangeInclusive<u32> = 0..=12;

thread_local! {
    static COMPRESSOR: RefCell<Option<(u32, Compressor)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
    static INFLATER: RefCell<flate2::Decompress> = RefCell::new(flate2::Decompress::new(false));
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
    /// A level lighter than the usual one, for formats whose other writers use a window of 4 KiB: it takes a fifth less time, for
    /// 2 % more bytes (Debian's root disk: 812 MB after 796, and 854 MB from QEMU).
    pub const LIGHT: Level = Level(DEFAULT_LEVEL - 1);

    /// The level `number`, one of [`LEVELS`].
    ///
    /// # Errors
    /// `Usage` when there is none of that number.
    pub fn new(number: u32) -> Result<Self> {
        if LEVELS.contains(&number) {
            return Ok(Level(number));
        }
        let (from, to) = LEVELS.into_inner();
        Err(Error::usage(format!("there is no compression level {number}: levels go from {from} to {to}")))
    }
}

/// How a deflate stream is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Not at all: RFC 1951.
    None,
    /// As zlib does: RFC 1950.
    Zlib,
}

/// Appends `plain` to `out` as one stream. Data that does not compress is stored, at most 0.1 % longer.
///
/// # Errors
/// None in practice: the space given is the library's own bound.
pub fn deflate(plain: &[u8], level: Level, wrapping: Wrapping, out: &mut Vec<u8>) -> Result<()> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some((number, compressor)) if *number == level.0 => compressor,
            kept => {
                let lvl = CompressionLvl::new(level.0.cast_signed()).map_err(|_| Error::usage("no such level"))?;
                &mut kept.insert((level.0, Compressor::new(lvl))).1
            }
        };
        let start = out.len();
        let written = match wrapping {
            Wrapping::Zlib => {
                out.resize(start + compressor.zlib_compress_bound(plain.len()), 0);
                compressor.zlib_compress(plain, &mut out[start..])
            }
            Wrapping::None => {
                out.resize(start + compressor.deflate_compress_bound(plain.len()), 0);
                compressor.deflate_compress(plain, &mut out[start..])
            }
        };
        out.truncate(start + *written.as_ref().unwrap_or(&0));
        written.map(drop).map_err(|_| Error::usage("a unit did not fit in its own bound when compressed"))
    })
}

/// Appends `plain` to `out` as one stream without wrapping whose distances stay within 4 KiB, for readers that know no
/// more. Costs twice the time and a tenth more space.
///
/// # Errors
/// None in practice.
pub fn deflate_near(plain: &[u8], level: Level, out: &mut Vec<u8>) -> Result<()> {
    const WINDOW_BITS: u8 = 12;
    // One level further than libdeflate's of the same size, as far as they go.
    let level = flate2::Compression::new(if level.0 == 0 { 0 } else { (level.0 + 1).min(9) });
    let mut compress = flate2::Compress::new_with_window_bits(level, false, WINDOW_BITS);
    // Stored blocks are the worst case: five bytes for each of at most 16 KiB.
    out.reserve(plain.len() + plain.len() / 2048 + 64);
    match compress.compress_vec(plain, out, flate2::FlushCompress::Finish) {
        Ok(flate2::Status::StreamEnd) => Ok(()),
        _ => Err(Error::usage("a unit did not fit in its own bound when compressed")),
    }
}

/// Inflates one stream into `out`; returns how many bytes it held. Bytes after the stream's end are ignored.
///
/// # Errors
/// `Corrupt` when it is no valid stream or holds more than `out` takes.
pub fn inflate(packed: &[u8], wrapping: Wrapping, out: &mut [u8]) -> Result<usize> {
    let inflated = DECOMPRESSOR.with_borrow_mut(|decompressor| match wrapping {
        Wrapping::Zlib => decompressor.zlib_decompress(packed, out),
        Wrapping::None => decompressor.deflate_decompress(packed, out),
    });
    inflated.map_err(|fault| {
        Error::corrupt(match fault {
            libdeflater::DecompressionError::BadData => "compressed data that does not inflate".to_owned(),
            libdeflater::DecompressionError::InsufficientSpace => {
                format!("compressed data that inflates past the {} bytes of its unit", out.len())
            }
        })
    })
}

/// Turns the stream from `start` of `stream` on, which may be followed by bytes that are not of it, into the same in the other wrapping,
/// `to`; `plain` is filled with what it holds. Says whether that went well; where it did not, `stream` from `start` on and `plain` are of
/// no use.
///
/// Inflating is all that it takes: a stream in zlib's wrapping ends with the checksum of what it holds.
pub fn rewrap(stream: &mut Vec<u8>, start: usize, to: Wrapping, plain: &mut [u8]) -> bool {
    match to {
        Wrapping::None => {
            let whole = inflate(&stream[start..], Wrapping::Zlib, plain).is_ok_and(|len| len == plain.len());
            if whole {
                stream.drain(start..start + ZLIB_HEADER.len());
                // Less than the checksum where something follows it; whoever inflates the stream reads neither.
                stream.truncate(stream.len() - ZLIB_TRAILER);
            }
            whole
        }
        Wrapping::Zlib => {
            // libdeflate does not tell where a stream ends.
            let (ended, taken, given) = INFLATER.with_borrow_mut(|inflater| {
                inflater.reset(false);
                let status = inflater.decompress(&stream[start..], plain, flate2::FlushDecompress::Finish);
                (matches!(status, Ok(flate2::Status::StreamEnd)), inflater.total_in(), inflater.total_out())
            });
            stream.truncate(start + taken as usize);
            stream.splice(start..start, ZLIB_HEADER);
            stream.extend_from_slice(&libdeflater::adler32(plain).to_be_bytes());
            ended && given == plain.len() as u64
        }
    }
}

/// Whether the bytes of `plain` are spread so evenly over all values that no code for single bytes makes it 1 % shorter. It looks for no
/// repetitions.
///
/// A byte takes at least as many bits as the entropy of their frequencies has, and that is at least minus the logarithm of the chance
/// that two bytes are the same (Rényi's entropy of order 2): 7.93 bits here.
pub(crate) fn is_even(plain: &[u8]) -> bool {
    let mut counts = [0_u64; 256];
    plain.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let same: u64 = counts.iter().map(|count| count * count).sum();
    same * 256 * 20 <= (plain.len() as u64).pow(2) * 21
}

/// RFC 1950, section 2.2: deflate with a window of 32 KiB, no dictionary, the default level.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x9c];

/// Bytes of the checksum that ends zlib's wrapping.
const ZLIB_TRAILER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// So many random bytes, always the same.
    fn random(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn a_stream_is_wrapped_anew_and_what_follows_it_left_behind() {
        let plain: Vec<u8> = (0..65_536_u32).map(|i| ((i * i) >> 7) as u8).collect();
        for (from, to) in [(Wrapping::None, Wrapping::Zlib), (Wrapping::Zlib, Wrapping::None)] {
            let mut stream = b"head".to_vec();
            deflate(&plain, Level::default(), from, &mut stream).unwrap();
            let whole = stream.clone();
            stream.extend_from_slice(b"what follows");
            let mut held = vec![0; plain.len()];
            assert!(rewrap(&mut stream, 4, to, &mut held));
            assert!(stream.starts_with(b"head") && held == plain);
            // A reader that is not ours, and that takes no byte too many in zlib's wrapping.
            let mut reader = flate2::Decompress::new(to == Wrapping::Zlib);
            let mut back = vec![0; plain.len()];
            let status = reader.decompress(&stream[4..], &mut back, flate2::FlushDecompress::Finish).unwrap();
            assert!(status == flate2::Status::StreamEnd && back == plain);
            assert!(to == Wrapping::None || reader.total_in() as usize == stream.len() - 4);
            // Damaged, cut, or of another length.
            let mut damaged = whole.clone();
            damaged[2000] ^= 0x10;
            assert!(to == Wrapping::Zlib || !rewrap(&mut damaged, 4, to, &mut held));
            assert!(!rewrap(&mut whole[..whole.len() / 2].to_vec(), 4, to, &mut held));
            assert!(!rewrap(&mut whole.clone(), 4, to, &mut held[1..]));
            assert!(!rewrap(&mut whole.clone(), 4, to, &mut vec![0; plain.len() + 1]));
            assert!(!rewrap(&mut b"head".to_vec(), 4, to, &mut held));
        }
    }

    #[test]
    fn even_bytes_do_not_compress_and_no_others_are_even() {
        let noise = random(65_536);
        for (below, even) in [(256, true), (230, false), (100, false), (1, false)] {
            let plain: Vec<u8> = noise.iter().map(|&byte| (u32::from(byte) % below) as u8).collect();
            let mut packed = Vec::new();
            deflate(&plain, Level::new(9).unwrap(), Wrapping::None, &mut packed).unwrap();
            assert_eq!(is_even(&plain), even, "{below}");
            assert_eq!(packed.len() >= plain.len(), even, "{below}");
        }
        assert!(is_even(&(0..=255).collect::<Vec<u8>>()));
    }

    #[test]
    fn every_level_comes_back_and_appends() {
        let plain: Vec<u8> = (0..65_536_u32).map(|i| ((i * i) >> 7) as u8).collect();
        for number in LEVELS {
            let mut out = b"head".to_vec();
            deflate(&plain, Level::new(number).unwrap(), Wrapping::Zlib, &mut out).unwrap();
            let mut back = vec![0; plain.len()];
            assert_eq!(inflate(&out[4..], Wrapping::Zlib, &mut back).unwrap(), plain.len());
            assert!(out.starts_with(b"head") && back == plain, "{number}");
        }
        assert_eq!(Level::new(13).unwrap_err().kind(), ErrorKind::Usage);
    }

    #[test]
    fn output_is_bounded_and_rubbish_refused() {
        let mut packed = Vec::new();
        deflate(&[7; 1000], Level::default(), Wrapping::Zlib, &mut packed).unwrap();
        assert_eq!(inflate(&packed, Wrapping::Zlib, &mut [0; 999]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(inflate(&packed[..5], Wrapping::Zlib, &mut [0; 1000]).unwrap_err().kind(), ErrorKind::Corrupt);
        packed.extend_from_slice(b"trailing");
        assert_eq!(inflate(&packed, Wrapping::Zlib, &mut [0; 1000]).unwrap(), 1000);
    }

    #[test]
    fn near_streams_reach_back_no_further_than_a_small_window() {
        // The same 5000 random bytes twice: only a window of more than 4 KiB finds the second in the first.
        let once = random(5000);
        let plain = [once.as_slice(), &once].concat();
        let (mut far, mut near, mut back) = (Vec::new(), Vec::new(), vec![0; plain.len()]);
        deflate(&plain, Level::default(), Wrapping::None, &mut far).unwrap();
        deflate_near(&plain, Level::default(), &mut near).unwrap();
        assert!(far.len() < 6000 && near.len() > 9000, "{} {}", far.len(), near.len());
        assert_eq!(inflate(&near, Wrapping::None, &mut back).unwrap(), plain.len());
        assert_eq!(back, plain);
    }
}
