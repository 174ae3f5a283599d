//! The time that the machine itself needs for a job: what must be read, compressed, hashed or written in any case, done by as few lines as
//! do it, on all cores, with the libraries that vimage uses.

mod codec;
mod copy;
mod hash;
mod sample;
mod scan;

pub(crate) use codec::Code;

use crate::place::Place;
use crate::sources::open;
use std::fs::File;
use std::ops::Range;

/// A part of a job that nobody is spared. Disks are named as in `$disks`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Reading a disk and looking for zeros.
    Scan(&'static str),
    /// Compressing what is not zero of a disk.
    Encode(Code, &'static str),
    /// Decompressing that.
    Decode(Code, &'static str),
    /// Copying a disk, and having it on the disk at the end where it is to be `flushed`.
    Copy { source: &'static str, flushed: bool },
    /// Hashing a disk with all its zeros, on one core.
    HashDisk(&'static str),
    /// Hashing the output, on one core.
    HashOutput,
}

/// Parts that are ready to be timed.
pub(crate) struct Limit {
    ready: Vec<Ready>,
}

enum Ready {
    Scan(File, Vec<Range<u64>>),
    Encode(Code, sample::Sample),
    Decode(Code, sample::Sample),
    Copy(File, Vec<Range<u64>>, bool),
    Hash(Option<u64>),
}

impl Limit {
    /// Opens and reads what `parts` need.
    pub(crate) fn prepare(place: &Place, parts: &[Part]) -> Result<Limit, String> {
        let ready = parts.iter().map(|part| Ready::of(place, *part)).collect::<Result<_, String>>()?;
        Ok(Limit { ready })
    }

    /// The seconds that the parts take at least, beside a run that left an `output` of so many bytes; none where there are no parts.
    ///
    /// What the processors have to do adds up. Copying and hashing go on meanwhile, and count where they take longer.
    pub(crate) fn measure(&self, place: &Place, output: u64) -> Result<Option<f64>, String> {
        let (mut work, mut longest) = (0.0, 0.0_f64);
        for part in &self.ready {
            match part {
                Ready::Scan(file, slabs) => work += scan::seconds(file, slabs)?,
                Ready::Encode(code, sample) => work += codec::encoding(*code, sample)?,
                Ready::Decode(code, sample) => work += codec::decoding(*code, sample)?,
                Ready::Copy(file, slabs, flushed) => {
                    longest = longest.max(copy::seconds(place, file, slabs, *flushed)?);
                }
                Ready::Hash(bytes) => longest = longest.max(hash::seconds(bytes.unwrap_or(output))),
            }
        }
        Ok((!self.ready.is_empty()).then_some(longest.max(work)))
    }
}

impl Ready {
    fn of(place: &Place, part: Part) -> Result<Ready, String> {
        Ok(match part {
            Part::Scan(disk) => open(place, disk).map(|(file, slabs)| Ready::Scan(file, slabs))?,
            Part::Encode(code, disk) => Ready::Encode(code, sample::take(&open(place, disk)?.0, code.unit())?),
            Part::Decode(code, disk) => {
                Ready::Decode(code, codec::packed(code, sample::take(&open(place, disk)?.0, code.unit())?)?)
            }
            Part::Copy { source, flushed } => {
                open(place, source).map(|(file, slabs)| Ready::Copy(file, slabs, flushed))?
            }
            Part::HashDisk(disk) => {
                Ready::Hash(Some(open(place, disk)?.0.metadata().map_err(|error| error.to_string())?.len()))
            }
            Part::HashOutput => Ready::Hash(None),
        })
    }
}
