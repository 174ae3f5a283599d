//! The seek table: for each frame its length and that of its content, in a frame at the end that decoders skip
//! (contrib/seekable_format/zstd_seekable_compression_format.md). Little-endian.

use crate::error::{Error, Result};
use crate::io::{OutputFile, ReadAt};
use crate::limits::zst::MOST_FRAMES;

/// The first bytes of the skippable frame.
const SKIPPABLE: [u8; 4] = 0x184d_2a5e_u32.to_le_bytes();

/// The last bytes of the file.
const SEEKABLE: [u8; 4] = 0x8f92_eab1_u32.to_le_bytes();

/// Bytes before the entries: magic and length.
const HEADER: u64 = 8;

/// Bytes behind the entries: their number, descriptor, magic.
const FOOTER: u64 = 9;

/// The descriptor's bit that says that entries have checksums.
const CHECKSUMS: u8 = 0x80;

/// The descriptor's bits that must be zero.
const RESERVED: u8 = 0x7c;

/// The fewest bytes of a frame: of one that is skipped.
const SHORTEST_FRAME: u32 = 8;

/// Entries read or written at a time.
const STRETCH: usize = 8192;

/// Entries of which only the first has its place kept.
const STRIDE: usize = 64;

/// Where a frame is in the file, and its content on the disk. In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Frame {
    pub(super) at: u64,
    pub(super) packed: u64,
    pub(super) offset: u64,
    pub(super) plain: u64,
}

impl Frame {
    /// Nothing, where the next frame begins.
    fn after(self) -> Frame {
        Frame { at: self.at + self.packed, packed: 0, offset: self.offset + self.plain, plain: 0 }
    }
}

/// The frames of a file, in order.
#[derive(Default)]
pub(super) struct Table {
    /// Of each frame its bytes and those of its content.
    entries: Vec<[u32; 2]>,
    /// Where every [`STRIDE`]th frame begins.
    marks: Vec<Frame>,
    /// Where the next would begin.
    end: Frame,
}

impl Table {
    /// Adds the next frame, of `packed` bytes, with `plain` bytes of the disk.
    ///
    /// # Errors
    /// `Usage` when there are too many, or one is too long.
    pub(super) fn push(&mut self, packed: u64, plain: u64) -> Result<()> {
        let (Ok(short), Ok(content)) = (u32::try_from(packed), u32::try_from(plain)) else {
            return Err(Error::usage(format!("a frame of {packed} bytes for {plain}: both have 32 bits")));
        };
        if self.entries.len() >= MOST_FRAMES {
            return Err(Error::usage(format!("the disk comes to more than {MOST_FRAMES} frames of Zstandard"))
                .with_hint("-O qcow2 -c -o compression_type=zstd holds more"));
        }
        if self.entries.len().is_multiple_of(STRIDE) {
            self.marks.push(self.end);
        }
        self.entries.push([short, content]);
        self.end = Frame { packed, plain, ..self.end }.after();
        Ok(())
    }

    /// The number of frames.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The bytes that all of them unpack to.
    pub(super) fn size(&self) -> u64 {
        self.end.offset
    }

    /// The byte of the file behind the last.
    pub(super) fn end(&self) -> u64 {
        self.end.at
    }

    /// All of them.
    pub(super) fn frames(&self) -> impl Iterator<Item = Frame> {
        self.following(0, Frame::default())
    }

    /// The one that holds byte `offset` of the disk.
    pub(super) fn frame_at(&self, offset: u64) -> Option<Frame> {
        let mark = self.marks.partition_point(|mark| mark.offset <= offset).checked_sub(1)?;
        let mut frames = self.following(mark * STRIDE, self.marks[mark]);
        frames.find(|frame| offset < frame.offset + frame.plain)
    }

    fn following(&self, first: usize, start: Frame) -> impl Iterator<Item = Frame> {
        self.entries[first..].iter().scan(start, |next, &[packed, plain]| {
            let frame = Frame { packed: packed.into(), plain: plain.into(), ..*next };
            *next = frame.after();
            Some(frame)
        })
    }

    /// Writes it behind the frames, and returns where it ends.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn write(&self, file: &mut OutputFile) -> Result<u64> {
        let mut at = self.end.at;
        let mut put = |bytes: &[u8]| {
            file.write_all_at(bytes, at)?;
            at += bytes.len() as u64;
            Ok(at)
        };
        // At most 128 MiB, which 32 bits hold.
        let len = (self.entries.len() * 8) as u32 + FOOTER as u32;
        put(&[SKIPPABLE, len.to_le_bytes()].concat())?;
        for entries in self.entries.chunks(STRETCH) {
            put(&entries.iter().flatten().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())?;
        }
        let count = (self.entries.len() as u32).to_le_bytes();
        put(&[&count[..], &[0], &SEEKABLE].concat())
    }

    /// Reads that of `file`; none where it does not end as one does.
    ///
    /// # Errors
    /// `Corrupt` where it contradicts itself or the file's length; `Unsupported` for too many frames; `Io`.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Option<Self>> {
        let there = file.size();
        let Some(end) = footer(file)? else { return Ok(None) };
        let [count @ .., descriptor] = end;
        let (count, foot) = (u32::from_le_bytes(count), there - FOOTER);
        let corrupt = |at, message: String| {
            Err(Error::corrupt(message).at_offset(at).with_hint("the seek table is damaged: zstd -d does without it"))
        };
        if descriptor & RESERVED != 0 {
            return corrupt(foot + 4, format!("the seek table's descriptor is {descriptor:#04x}: such there are not"));
        }
        let entry = if descriptor & CHECKSUMS != 0 { 12 } else { 8 };
        let len = u64::from(count) * entry + FOOTER;
        let Some(start) = there.checked_sub(HEADER + len) else {
            return corrupt(foot, format!("a seek table of {count} frames is longer than the file, of {there} bytes"));
        };
        if count as usize > MOST_FRAMES {
            return Err(Error::unsupported(format!("{count} frames of Zstandard: {MOST_FRAMES} is the most"))
                .at_offset(foot)
                .with_hint("zstd -d unpacks it"));
        }
        let cannot = |at| move |cause| Error::io("cannot read the seek table", cause).at_offset(at);
        let mut header = [0; HEADER as usize];
        file.read_exact_at(&mut header, start).map_err(cannot(start))?;
        if header != *[SKIPPABLE, (len as u32).to_le_bytes()].concat() {
            return corrupt(start, format!("a seek table of {count} frames does not begin here"));
        }
        let mut table = Table::default();
        let mut at = start + HEADER;
        let mut bytes = vec![0; STRETCH * entry as usize];
        while at < foot {
            let take = (foot - at).min(bytes.len() as u64) as usize;
            let bytes = &mut bytes[..take];
            file.read_exact_at(bytes, at).map_err(cannot(at))?;
            for entry in bytes.chunks_exact(entry as usize) {
                let number = |at: usize| entry[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                let (packed, plain) = (number(0), number(4));
                if packed < SHORTEST_FRAME {
                    return corrupt(at, format!("a frame of {packed} bytes: the shortest has {SHORTEST_FRAME}"));
                }
                table.push(packed.into(), plain.into())?;
                if table.end() > start {
                    let end = table.end();
                    return corrupt(at, format!("a frame ends at byte {end}, where the seek table begins at {start}"));
                }
                at += entry.len() as u64;
            }
        }
        if table.end() != start {
            let end = table.end();
            return corrupt(start, format!("the frames end at byte {end}, the seek table begins at byte {start}"));
        }
        Ok(Some(table))
    }
}

/// Whether `file` ends as one with a seek table does.
///
/// # Errors
/// `Io`.
pub(in crate::formats) fn is_there(file: &dyn ReadAt) -> Result<bool> {
    Ok(footer(file)?.is_some())
}

/// The number of frames and the descriptor, where there is a seek table.
fn footer(file: &dyn ReadAt) -> Result<Option<[u8; 5]>> {
    let Some(at) = file.size().checked_sub(FOOTER).filter(|&at| at >= HEADER) else { return Ok(None) };
    let mut footer = [0; FOOTER as usize];
    let read = file.read_exact_at(&mut footer, at);
    read.map_err(|cause| Error::io("cannot read", cause).at_offset(at))?;
    Ok(footer.first_chunk().copied().filter(|_| footer.ends_with(&SEEKABLE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_among_many_and_past_empty_ones() {
        let mut table = Table::default();
        let plain = |index: u64| if index.is_multiple_of(3) { 0 } else { index };
        (0..1000).for_each(|index| table.push(10 + index, plain(index)).unwrap());
        let mut offset = 0;
        for (index, frame) in (0..1000).zip(table.frames().collect::<Vec<_>>()) {
            assert_eq!((frame.packed, frame.offset, frame.plain), (10 + index, offset, plain(index)));
            for at in [0, plain(index) / 2, plain(index).saturating_sub(1)] {
                assert!(frame.plain == 0 || table.frame_at(offset + at) == Some(frame), "{index}");
            }
            offset += plain(index);
        }
        assert_eq!((table.size(), table.frame_at(offset)), (offset, None));
        assert_eq!(Table::default().frame_at(0), None);
    }
}
