//! Disks of which some bytes are not what they should be.

use std::fs;
use std::path::Path;
use vimage_core::guest::{Survey, survey};
use vimage_core::{Content, Extent, Image};

/// A disk in memory, of which some bytes are others.
pub(crate) struct Patched<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) patches: Vec<(u64, u8)>,
}

impl Image for Patched<'_> {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn extent_at(&self, _offset: u64) -> vimage_core::Result<Extent> {
        Ok(Extent::new(0..self.size(), Content::Data))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> vimage_core::Result<()> {
        let range = offset..offset + buf.len() as u64;
        buf.copy_from_slice(&self.bytes[range.start as usize..range.end as usize]);
        for (at, byte) in self.patches.iter().filter(|(at, _)| range.contains(at)) {
            buf[(at - offset) as usize] = *byte;
        }
        Ok(())
    }
}

/// Surveys a disk `times` over with bytes among `places` that are others, and says how often it was kept whole.
pub(crate) fn mutate(disk: &Path, places: &[std::ops::Range<u64>], times: u64) -> u64 {
    let bytes = fs::read(disk).unwrap();
    let mut state = 88172645463325252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut kept = 0;
    for _ in 0..times {
        let count = 1 + next() % 4;
        let patches = (0..count).map(|_| {
            let range = &places[(next() % places.len() as u64) as usize];
            let byte = [0, 0xFF, 0x80, 1, next() as u8, next() as u8][(next() % 6) as usize];
            (range.start + next() % (range.end - range.start), byte)
        });
        let image = Patched { bytes: &bytes, patches: patches.collect() };
        let found: Survey = survey(&image, &()).unwrap();
        assert!(found.unused.iter().all(|range| range.start < range.end && range.end <= image.size()));
        kept += u64::from(found.regions.iter().all(|region| region.free.is_none()));
    }
    kept
}
