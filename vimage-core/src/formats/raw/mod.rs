//! Raw: the disk's bytes as they are, in one file or in numbered pieces.

mod cut;
mod incoming;

pub(super) use incoming::{HEAD as LENGTH_HEAD, IncomingRaw, Length};

use super::options::CreateOptions;
use super::{Format, Source, known};
use crate::error::{Error, Result};
use crate::image::{Image, ImageInfo};
use crate::io::pieces::{piece_name, stem_of_first};
use crate::io::{FileSequence, Outputs, split_evenly};
use crate::layers::Flat;
use crate::limits::MOST_PIECES;
use crate::target::{Encoding, ImageWriter, Plain, Target, Units, Whole};
use std::path::{Path, PathBuf};

/// The raw format.
pub struct Raw;

/// What is left out of a file when it is zero: a file system's block, as qemu-img's `-S 4k`.
const UNIT: usize = 4096;

impl Format for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn extension(&self) -> &'static str {
        "raw"
    }

    fn probe(&self, _: &[u8]) -> bool {
        true
    }

    fn describe(&self, source: &Source<'_>) -> Result<ImageInfo> {
        Ok(ImageInfo { format: "raw", virtual_size: source.file.size(), ..ImageInfo::default() })
    }

    fn open(&self, source: &Source<'_>) -> Result<Box<dyn Image>> {
        Ok(Box::new(Flat::whole(source.file.clone(), source.path.clone())))
    }

    fn alike(&self, _: &Source<'_>) -> Result<CreateOptions> {
        Ok(CreateOptions::default())
    }

    fn create(&self, path: &Path, capacity: Option<u64>, options: &CreateOptions, outputs: &Outputs) -> Result<Target> {
        options.no_backing("raw")?;
        options.settings.only("raw", &[])?;
        if options.compress || options.level.is_some() {
            return Err(Error::usage("raw images are not compressed")
                .with_hint("-O vmdk -o subformat=streamOptimized is compressed"));
        }
        let files = match options.split()? {
            None => vec![(path.to_owned(), capacity.unwrap_or(u64::MAX))],
            Some(split) => pieces(path, known(capacity, "a disk in pieces")?, split, outputs)?,
        };
        let writer =
            Box::new(RawWriter { row: FileSequence::new(outputs, files)?, open: capacity.is_none(), held: None });
        Ok(Target {
            units: Units { size: UNIT, encoder: Box::new(Plain), takes: None },
            writer,
            identified: false,
            checked: false,
        })
    }
}

/// The pieces that hold `capacity` bytes, none longer than `split`: whole sectors, so that each can be used as a device.
fn pieces(path: &Path, capacity: u64, split: u64, outputs: &Outputs) -> Result<Vec<(PathBuf, u64)>> {
    // The whole may be called after its first piece.
    let name = stem_of_first(path).or(path.file_name().and_then(|name| name.to_str()));
    let name = name.ok_or_else(|| Error::usage("is not a file name that pieces can be named after").at_path(path))?;
    let piece = |number: u64| path.with_file_name(piece_name(name, number));
    let sizes = split_evenly(capacity, split / 512 * 512, MOST_PIECES)?;
    outputs.known_by(&piece(1));
    outputs.supersede_pieces(path, name, sizes.len() as u64)?;
    Ok((1..).map(piece).zip(sizes).collect())
}

struct RawWriter {
    row: FileSequence,
    /// Whether the disk's end is not known.
    open: bool,
    /// The last unit, and its place on the disk: the disk may end within it.
    held: Option<(u64, Vec<u8>)>,
}

impl ImageWriter for RawWriter {
    fn append(&mut self, offset: u64, body: &[u8], _: Encoding) -> Result<()> {
        if let Some((at, held)) = self.held.take() {
            self.row.write_all_at(&held, at)?;
        }
        let whole = if self.open { body.len().saturating_sub(UNIT) } else { body.len() };
        let (now, last) = body.split_at(whole);
        if !last.is_empty() {
            self.held = Some((offset + whole as u64, last.to_vec()));
        }
        self.row.write_all_at(now, offset)
    }

    fn finish(self: Box<Self>, disk: &Whole) -> Result<()> {
        let RawWriter { mut row, held, .. } = *self;
        if let Some((at, mut held)) = held {
            held.truncate(usize::try_from(disk.size - at).unwrap_or(UNIT));
            row.write_all_at(&held, at)?;
        }
        row.finish(disk.size)
    }
}
