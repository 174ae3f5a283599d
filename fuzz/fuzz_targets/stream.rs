//! Any bytes as a stream with a disk in it, as they are or compressed first: an error, or stretches in order that hold the same in
//! whatever pieces the bytes come, and the same as is read of them by position.
//!
//! The first byte of an input says how it comes, the rest is what comes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{self, Read, Write};
use std::path::Path;
use vimage_core::formats::{StreamOptions, open_spooled, open_stream};
use vimage_core::io::{Compression, Incoming};
use vimage_core::operations::{Everywhere, Output, Place, What};
use vimage_core::pipeline::Disk;
use vimage_core::{DiskStream, Image, Observer, OpenOptions, Result, convert_all};
use vimage_fuzz::folder::Folder;
use vimage_fuzz::steps::Patience;
use vimage_fuzz::sums;

/// Bytes of a stretch.
const SLAB: usize = 1 << 20;

/// Questions whether to go on after which it is enough: what is compressed may unpack to anything.
const PATIENCE: u64 = 2000;

/// Disks up to this size are held and compared.
const MOST: u64 = 4 << 20;

/// What the stream is called, so that a tar of any age is taken for one.
const LABEL: &str = "fuzzed.ova";

fuzz_target!(|input: &[u8]| {
    let Some((&how, plain)) = input.split_first() else { return };
    let mut plain = plain.to_vec();
    sums::mend(&mut plain);
    let come = match how & 3 {
        0 => packed(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()), &plain),
        1 => zstd::bulk::compress(&plain, 1).expect("compressed"),
        _ => plain.clone(),
    };
    let chunk = [61, 511, 4096, 10_000, 64 << 10][usize::from(how >> 2) % 5];
    let (some, all) = (disk(&come, chunk), disk(&come, usize::MAX));
    assert_eq!(some.is_ok(), all.is_ok(), "in pieces {:?}, at once {:?}", some.err(), all.err());
    let (Ok(some), Ok(Some(all))) = (some, all) else { return };
    assert!(some.is_some_and(|some| some == all), "in pieces it is something else");
    written(&come, &all);
    if Compression::of(&plain).is_none()
        && let Some(by_position) = by_position(&plain)
    {
        assert_eq!(by_position.len(), all.len());
        assert!(by_position == all, "by position it is something else");
    }
});

fn packed(mut encoder: flate2::write::GzEncoder<Vec<u8>>, plain: &[u8]) -> Vec<u8> {
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("compressed")
}

/// What is written of the stream, in two formats at once, is the disk that it holds.
fn written(bytes: &[u8], disk: &[u8]) {
    let folder = Folder::new("written");
    let output = |format: &str| Output {
        what: What::Image { format: format.into(), create: Default::default() },
        place: Place::Path(folder.path().join(format)),
    };
    let everywhere = Everywhere { flush: false, verify: true, ..Everywhere::default() };
    let mut stream = opened(bytes, usize::MAX, &()).expect("opened again");
    let size = stream.find_size(&()).expect("read again");
    let mut outputs = vec![output("raw"), output("raw.zst")];
    // The others say in front how large the disk is.
    outputs.extend(size.map(|_| output("qcow2")));
    convert_all(Disk::Stream(stream.as_mut()), &outputs, &everywhere, &()).expect("written");
    assert!(std::fs::read(folder.path().join("raw")).expect("readable") == disk, "written it is something else");
}

/// Gives so many bytes at a time.
struct Chunks {
    bytes: io::Cursor<Vec<u8>>,
    chunk: usize,
}

impl Read for Chunks {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.chunk.min(buf.len());
        self.bytes.read(&mut buf[..len])
    }
}

fn opened(bytes: &[u8], chunk: usize, observer: &dyn Observer) -> Result<Box<dyn DiskStream>> {
    let chunks = Chunks { bytes: io::Cursor::new(bytes.to_vec()), chunk };
    open_stream(Incoming::new(Box::new(chunks), LABEL), &StreamOptions::default(), observer)
}

/// The disk in `bytes`, which come `chunk` at a time; none where it is too large to be compared.
fn disk(bytes: &[u8], chunk: usize) -> Result<Option<Vec<u8>>> {
    let patience = Patience::of(PATIENCE);
    let mut stream = opened(bytes, chunk, &patience)?;
    let (mut disk, mut before) = (Vec::new(), 0);
    while let Some(stretch) = stream.next(SLAB, &patience)? {
        let end = stretch.offset + stretch.len as u64;
        assert!(stretch.offset >= before && stretch.offset.is_multiple_of(SLAB as u64), "at {}", stretch.offset);
        assert!(stretch.len <= SLAB && stream.size().is_none_or(|size| end <= size), "{} bytes", stretch.len);
        before = end;
        let (mut last, mut held) = (0, vec![0; stretch.len]);
        for range in &stretch.data {
            assert!(range.start >= last && range.start < range.end && range.end <= stretch.len, "{range:?}");
            stretch.image.read_exact_at(&mut held[range.clone()], stretch.offset + range.start as u64)?;
            last = range.end;
        }
        if end <= MOST {
            disk.resize(stretch.offset as usize, 0);
            disk.extend(held);
        }
    }
    let size = stream.size().expect("the size is known at the end");
    assert!(before <= size, "a stretch ends at {before} of {size}");
    disk.resize(size.min(MOST) as usize, 0);
    Ok((size <= MOST).then_some(disk))
}

/// The same disk, where the bytes lie in a file.
fn by_position(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    let (stream, opening) = (StreamOptions::default(), OpenOptions::default());
    let image = open_spooled(file, Path::new(LABEL), &stream, &opening, &[]).ok()?;
    let mut disk = vec![0; usize::try_from(image.size()).ok().filter(|&size| size as u64 <= MOST)?];
    image.read_exact_at(&mut disk, 0).ok().map(|()| disk)
}
