//! Writing: a frame for each unit, frames of zeros between them, the seek table.

use super::options::WriteOptions;
use super::table::Table;
use super::zeros;
use crate::codec::zstd::{compress_frame, decompress_frame};
use crate::error::Result;
use crate::io::{OutputFile, Outputs};
use crate::target::{Encoder, Encoding, ImageWriter, Target, Units, Whole};
use std::path::Path;

/// Bytes of the disk in a frame: what a worker reads at a time. All are 4 % larger than one frame is, of a system's files.
const UNIT: usize = 1 << 20;

/// Begins a disk; see [`super::create`].
pub(super) fn create(path: &Path, options: WriteOptions, outputs: &Outputs) -> Result<Target> {
    let writer = Writer {
        file: outputs.create_in_order(path)?,
        options,
        table: Table::default(),
        held: None,
        zeros: Vec::new(),
    };
    let units = Units { size: UNIT, encoder: Box::new(Compress(options)), takes: None };
    Ok(Target { units, writer: Box::new(writer), identified: false, checked: false })
}

struct Compress(WriteOptions);

impl Encoder for Compress {
    fn encode(&self, unit: &[u8], out: &mut Vec<u8>) -> Result<Encoding> {
        compress_frame(unit, self.0.level, self.0.checksum, out).map(|()| Encoding::Packed)
    }

    fn name(&self) -> Option<String> {
        Some(format!("zstd frames: {:?}", self.0))
    }
}

struct Writer {
    file: OutputFile,
    options: WriteOptions,
    /// The frames written; it knows where the next goes, and how far the disk is written.
    table: Table,
    /// The last unit's place on the disk, and its frame: whether the disk ends within it is known when more comes, or nothing.
    held: Option<(u64, Vec<u8>)>,
    /// The frame of the most zeros, once it was needed.
    zeros: Vec<u8>,
}

impl Writer {
    /// Writes the next frame, which holds `plain` bytes.
    fn put(&mut self, frame: &[u8], plain: u64) -> Result<()> {
        let at = self.table.end();
        self.table.push(frame.len() as u64, plain).map_err(|error| error.at_path(self.file.path()))?;
        self.file.write_all_at(frame, at)
    }

    /// Writes zeros up to byte `end` of the disk.
    fn fill_to(&mut self, end: u64) -> Result<()> {
        while let Some(left) = end.checked_sub(self.table.size()).filter(|&left| left > 0) {
            if left < zeros::MOST {
                return self.put(&zeros::frame(left), left);
            }
            let mut frame = std::mem::take(&mut self.zeros);
            if frame.is_empty() {
                frame = zeros::frame(zeros::MOST);
            }
            self.put(&frame, zeros::MOST)?;
            self.zeros = frame;
        }
        Ok(())
    }

    /// Writes the unit that is held, of which `plain` bytes are the disk's.
    fn release(&mut self, plain: impl FnOnce(u64) -> u64) -> Result<Vec<u8>> {
        let Some((offset, mut frame)) = self.held.take() else { return Ok(Vec::new()) };
        self.fill_to(offset)?;
        let plain = plain(offset);
        if plain < UNIT as u64 {
            let mut unit = vec![0; UNIT];
            decompress_frame(&frame, &mut unit)?;
            frame.clear();
            compress_frame(&unit[..plain as usize], self.options.level, self.options.checksum, &mut frame)?;
        }
        self.put(&frame, plain)?;
        Ok(frame)
    }
}

impl ImageWriter for Writer {
    fn append(&mut self, offset: u64, body: &[u8], _: Encoding) -> Result<()> {
        let mut frame = self.release(|_| UNIT as u64)?;
        frame.clear();
        frame.extend_from_slice(body);
        self.held = Some((offset, frame));
        Ok(())
    }

    fn finish(mut self: Box<Self>, disk: &Whole) -> Result<()> {
        self.release(|offset| (disk.size - offset).min(UNIT as u64))?;
        self.fill_to(disk.size)?;
        let end = self.table.write(&mut self.file)?;
        self.file.set_len(end)?;
        self.file.finish()
    }
}
