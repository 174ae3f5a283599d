//! Streams that come in pieces of any size, and what is read of them.

use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use vimage_core::digest::{BlockHash, Fold, hash_blocks};
use vimage_core::formats::{StreamOptions, open_stream};
use vimage_core::io::Incoming;
use vimage_core::pipeline::{CUT, Cut, Plan, SLAB};
use vimage_core::{ContentDigest, DiskStream, Image, OpenImage, OpenOptions, Result, open};
use vimage_fixtures::Disk;

/// Bytes in which streams come.
pub(crate) const CHUNKS: [usize; 4] = [1, 7, 511, 64 << 10];

/// Gives so many bytes at a time.
struct Chunks {
    bytes: Arc<Vec<u8>>,
    end: usize,
    at: usize,
    chunk: usize,
}

impl Read for Chunks {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let take = self.chunk.min(buf.len()).min(self.end - self.at);
        buf[..take].copy_from_slice(&self.bytes[self.at..][..take]);
        self.at += take;
        Ok(take)
    }
}

/// The first `len` bytes of `bytes`, in pieces of `chunk`.
pub(crate) fn incoming(bytes: &Arc<Vec<u8>>, len: usize, chunk: usize) -> Incoming {
    Incoming::new(Box::new(Chunks { bytes: Arc::clone(bytes), end: len, at: 0, chunk }), "standard input")
}

pub(crate) fn opened(bytes: &Arc<Vec<u8>>, len: usize, chunk: usize) -> Result<Box<dyn DiskStream>> {
    open_stream(incoming(bytes, len, chunk), &StreamOptions::default(), &())
}

pub(crate) fn by_position(path: &Path) -> Result<OpenImage> {
    open(path, &OpenOptions::default())
}

/// Checks that `stream` gives just what the plan says of `image`: stretches, ranges, bytes, packed units.
pub(crate) fn same(stream: Box<dyn DiskStream>, image: &dyn Image, name: &str) {
    same_by(SLAB, stream, image, name);
}

/// The same, in stretches of `slab` bytes.
pub(crate) fn same_by(slab: usize, mut stream: Box<dyn DiskStream>, image: &dyn Image, name: &str) {
    let wanted = slab;
    let mut plan = Plan::new([image], image.size(), Cut { slab, unit: slab }, &());
    assert_eq!(stream.packing(), image.packing(), "{name}");
    while let Some(stretch) = stream.next(wanted, &()).unwrap_or_else(|error| panic!("{name}: {error}")) {
        let slab = plan.next().unwrap_or_else(|| panic!("{name}: more than there is")).unwrap();
        assert_eq!((stretch.offset, stretch.len), (slab.offset, slab.len), "{name}");
        assert_eq!(stretch.data, slab.data[0], "{name} at {}", slab.offset);
        for range in &stretch.data {
            let at = slab.offset + range.start as u64;
            let (mut one, mut two) = (vec![0xa5; range.len()], vec![0x5a; range.len()]);
            stretch.image.read_exact_at(&mut one, at).unwrap_or_else(|error| panic!("{name}: {error}"));
            image.read_exact_at(&mut two, at).unwrap();
            assert!(one == two, "{name} at {at}");
            // A part of it, and what lies before.
            if range.len() > 700 {
                stretch
                    .image
                    .read_exact_at(&mut one[..599], at + 100)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(one[..599] == two[100..699], "{name} at {at}");
            }
        }
        let unit = image.packing().map_or(slab.len, |packing| packing.unit as usize);
        for at in slab.range().step_by(unit).map(|at| at / unit as u64 * unit as u64) {
            let (mut one, mut two) = (vec![1], vec![1]);
            let packed = stretch.image.read_packed(at, &mut one).unwrap();
            assert_eq!(packed, image.read_packed(at, &mut two).unwrap(), "{name}, packed at {at}");
            assert!(one == two, "{name}, packed at {at}");
        }
    }
    assert!(plan.next().is_none(), "{name}: not all came");
    assert_eq!(stream.size(), Some(image.size()), "{name}");
    assert!(stream.next(wanted, &()).unwrap().is_none(), "{name}: it goes on after its end");
}

/// The bytes of `disk` that `stream` gives have to be those of `disk`.
pub(crate) fn holds(mut stream: Box<dyn DiskStream>, disk: &Disk, name: &str) {
    let mut at = 0;
    while let Some(stretch) = stream.next(SLAB, &()).unwrap_or_else(|error| panic!("{name}: {error}")) {
        assert!(!disk.holds_data(at..stretch.offset.min(disk.size)), "{name}: {at}..{} is left out", stretch.offset);
        let (mut found, mut expected) = (vec![0; stretch.len], vec![0; stretch.len]);
        for range in &stretch.data {
            stretch.image.read_exact_at(&mut found[range.clone()], stretch.offset + range.start as u64).unwrap();
        }
        disk.read_at(&mut expected, stretch.offset);
        assert!(found == expected, "{name} at {}", stretch.offset);
        at = stretch.offset + stretch.len as u64;
    }
    assert!(!disk.holds_data(at.min(disk.size)..disk.size), "{name}: the end is left out");
}

/// A digest of all of a disk, and its size.
pub(crate) type Sum = (u64, ContentDigest);

pub(crate) fn sum_of_stream(stream: Result<Box<dyn DiskStream>>) -> Result<Sum> {
    let mut stream = stream?;
    let mut summer = Summer::default();
    while let Some(stretch) = stream.next(SLAB, &())? {
        summer.add(stretch.image.as_ref(), stretch.offset, stretch.len, &stretch.data)?;
    }
    let size = stream.size().unwrap();
    Ok((size, summer.0.finish(size)))
}

/// Whether `stream` comes to its end; its grains are not looked into.
pub(crate) fn ends(stream: Result<Box<dyn DiskStream>>) -> Result<()> {
    let mut stream = stream?;
    while stream.next(SLAB, &())?.is_some() {}
    Ok(())
}

pub(crate) fn sum_of_image(image: &dyn Image) -> Result<Sum> {
    let mut summer = Summer::default();
    for slab in Plan::new([image], image.size(), CUT, &()) {
        let slab = slab?;
        summer.add(image, slab.offset, slab.len, &slab.data[0])?;
    }
    Ok((image.size(), summer.0.finish(image.size())))
}

#[derive(Default)]
struct Summer(Fold, Vec<BlockHash>);

impl Summer {
    fn add(&mut self, image: &dyn Image, offset: u64, len: usize, data: &[Range<usize>]) -> Result<()> {
        let mut bytes = vec![0; len];
        for range in data {
            image.read_exact_at(&mut bytes[range.clone()], offset + range.start as u64)?;
        }
        self.1.clear();
        hash_blocks(offset, &bytes, &mut self.1);
        self.0.update(&self.1);
        Ok(())
    }
}
