//! Writing VMDKs.

mod flat;
mod monolithic;
mod sparse;
mod split;
mod stream;
mod text;

use super::options::WriteOptions;
use super::subformat::Subformat;
use crate::codec::Codec;
use crate::codec::deflate::{Level, Wrapping, deflate};
use crate::error::{Error, Result};
use crate::formats::known;
use crate::image::Packing;
use crate::io::Outputs;
use crate::target::{Encoder, Encoding, ImageWriter, Plain, Target, Units};
use std::path::{Path, PathBuf};

/// Bytes of a grain: what every tool writes, and some readers insist on.
pub(super) const GRAIN: u64 = 64 << 10;

/// Sectors of a grain.
const GRAIN_SECTORS: u64 = GRAIN / 512;

/// Entries of a grain table, as the specification fixes them.
const ENTRIES: u64 = 512;

/// Bytes of the disk that one grain table covers.
const TABLE_SPAN: u64 = GRAIN * ENTRIES;

/// Begins a VMDK; see [`super::create`].
pub(super) fn create(path: &Path, capacity: Option<u64>, options: &WriteOptions, outputs: &Outputs) -> Result<Target> {
    let capacity = capacity.map(|capacity| sectors(capacity, path)).transpose()?;
    let known = || known(capacity, &format!("a {} VMDK", options.subformat));
    let names = Names::of(path)?;
    let writer: Box<dyn ImageWriter> = match options.subformat {
        Subformat::MonolithicSparse => Box::new(monolithic::Monolithic::create(names, known()?, options, outputs)?),
        Subformat::StreamOptimized => Box::new(stream::Stream::create(names, capacity, options, outputs)?),
        Subformat::TwoGbMaxExtentSparse => Box::new(split::SplitSparse::create(names, known()?, options, outputs)?),
        Subformat::MonolithicFlat | Subformat::TwoGbMaxExtentFlat => {
            Box::new(flat::Flat::create(names, known()?, options, outputs)?)
        }
    };
    let encoder: Box<dyn Encoder> = match options.subformat {
        Subformat::StreamOptimized => Box::new(Deflate(options.level)),
        _ => Box::new(Plain),
    };
    let packed = options.subformat == Subformat::StreamOptimized;
    let takes = packed.then_some(Packing { codec: Codec::Zlib, unit: GRAIN });
    Ok(Target { units: Units { size: GRAIN as usize, encoder, takes }, writer, identified: !packed, checked: false })
}

/// The capacity of a VMDK for a disk of `size` bytes: whole sectors.
fn sectors(size: u64, path: &Path) -> Result<u64> {
    let capacity = size.checked_next_multiple_of(512).filter(|&capacity| i64::try_from(capacity).is_ok());
    match capacity {
        None => Err(Error::usage("no VMDK holds 2^63 bytes")),
        Some(0) => Err(Error::usage("the disk has no bytes, and a VMDK has at least one sector").at_path(path)),
        Some(capacity) => Ok(capacity),
    }
}

pub(super) use split::DEFAULT_SPLIT;

/// The bytes that the file of a split disk's extent of `size` bytes can grow to.
pub(super) fn longest_file(subformat: Subformat, size: u64) -> u64 {
    match subformat {
        Subformat::TwoGbMaxExtentSparse => sparse::Layout::new(size, false).fullest(),
        _ => size,
    }
}

/// The bytes of the disk in each extent of a disk split into files shorter than `split`.
pub(super) fn extent_sizes(subformat: Subformat, capacity: u64, split: u64) -> Result<Vec<u64>> {
    split::extents(capacity, split.min(monolithic::LARGEST), |each| longest_file(subformat, each))
}

/// Deflates whole grains, the disk's last one too: VirtualBox refuses a grain that inflates to less.
struct Deflate(Level);

impl Encoder for Deflate {
    fn encode(&self, unit: &[u8], out: &mut Vec<u8>) -> Result<Encoding> {
        deflate(unit, self.0, Wrapping::Zlib, out)?;
        Ok(Encoding::Packed)
    }

    fn name(&self) -> Option<String> {
        Some(format!("zlib {:?}", self.0))
    }
}

/// What the files of a disk are called.
struct Names {
    /// The main file.
    main: PathBuf,
    stem: String,
    extension: String,
}

impl Names {
    fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        // A descriptor has no way to write these.
        let name = name.filter(|name| !name.contains(['"', '\\']) && !name.contains(char::is_control));
        let name = name.ok_or_else(|| {
            Error::usage("cannot be the name of a VMDK")
                .at_path(path)
                .with_hint("quotes, backslashes and control characters cannot be written in a VMDK's descriptor")
        })?;
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem.to_owned(), format!(".{extension}")),
            _ => (name.to_owned(), String::new()),
        };
        Ok(Names { main: path.to_owned(), stem, extension })
    }

    /// The main file's name.
    fn main_name(&self) -> String {
        format!("{}{}", self.stem, self.extension)
    }

    /// The name of an extent: `disk-s001.vmdk` for the suffix `s001`.
    fn extent(&self, suffix: &str) -> String {
        format!("{}-{suffix}{}", self.stem, self.extension)
    }

    /// The path of the file `name` beside the main one.
    fn path(&self, name: &str) -> PathBuf {
        self.main.with_file_name(name)
    }
}
