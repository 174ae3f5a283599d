//! Compressing and decompressing: the libraries of vimage at its own levels, unit by unit, with nothing around them.

use super::sample::Sample;
use crate::cores;
use vimage_core::codec::deflate::{self, Wrapping, deflate, inflate};
use vimage_core::codec::zstd;
use vimage_core::formats::{qcow2, vmdk};

/// What is compressed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Grains of a streamOptimized VMDK.
    Vmdk,
    /// Clusters of a qcow2 with zlib.
    Qcow2Zlib,
    /// Clusters of a qcow2 with zstd.
    Qcow2Zstd,
    /// Frames of a raw.zst.
    RawZst,
}

impl Code {
    /// Bytes of a unit.
    pub(super) fn unit(self) -> usize {
        match self {
            Code::Vmdk | Code::Qcow2Zlib | Code::Qcow2Zstd => 64 << 10,
            Code::RawZst => 1 << 20,
        }
    }

    fn encode(self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        out.clear();
        match self {
            Code::Vmdk => deflate(plain, vmdk::WriteOptions::default().level, Wrapping::Zlib, out),
            Code::Qcow2Zlib => deflate(plain, qcow2_level(), Wrapping::None, out),
            Code::Qcow2Zstd => zstd::compress(plain, zstd::Level::default(), out),
            Code::RawZst => zstd::compress_frame(plain, zstd::Level::default(), true, out),
        }
        .map_err(|error| error.to_string())
    }

    fn decode(self, packed: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        out.resize(self.unit(), 0);
        match self {
            Code::Vmdk => inflate(packed, Wrapping::Zlib, out),
            Code::Qcow2Zlib => inflate(packed, Wrapping::None, out),
            Code::Qcow2Zstd | Code::RawZst => zstd::decompress(packed, out),
        }
        .map(drop)
        .map_err(|error| error.to_string())
    }
}

fn qcow2_level() -> deflate::Level {
    match qcow2::WriteOptions::default().compression {
        qcow2::Compression::Zlib { level, .. } => level,
        qcow2::Compression::Zstd { .. } => deflate::Level::default(),
    }
}

/// How long it takes to compress what `sample` stands for.
pub(super) fn encoding(code: Code, sample: &Sample) -> Result<f64, String> {
    Ok(sample.times * cores::each(&sample.units, |unit, out| code.encode(unit, out))?)
}

/// How long it takes to decompress what `packed` stands for.
pub(super) fn decoding(code: Code, packed: &Sample) -> Result<f64, String> {
    Ok(packed.times * cores::each(&packed.units, |unit, out| code.decode(unit, out))?)
}

/// The units of `sample`, compressed.
pub(super) fn packed(code: Code, sample: Sample) -> Result<Sample, String> {
    let pack = |unit: Vec<u8>| {
        let mut out = Vec::new();
        code.encode(&unit, &mut out).map(|()| out)
    };
    Ok(Sample { units: sample.units.into_iter().map(pack).collect::<Result<_, _>>()?, times: sample.times })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_timed_gives_back_what_went_in() {
        for code in [Code::Vmdk, Code::Qcow2Zlib, Code::Qcow2Zstd, Code::RawZst] {
            let plain: Vec<u8> = (0..code.unit()).map(|i| ((i * i) >> 7) as u8).collect();
            let (mut out, mut back) = (Vec::new(), Vec::new());
            code.encode(&plain, &mut out).unwrap();
            assert!(out.len() < plain.len(), "{code:?}");
            code.decode(&out, &mut back).unwrap();
            assert!(back == plain, "{code:?}");
        }
    }
}
