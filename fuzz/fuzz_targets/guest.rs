//! A guest's disk with some bytes changed: a survey that ends, and whose ranges lie in the regions that they are told of.
//!
//! The disks come from `fuzz/bases/guest`, where `seeds.sh` puts them. An input is the number of a disk and edits, whose places are counted
//! in what the disk holds. The checksums of partition tables are made right again; those of the trees of file systems are passed over in
//! a build for fuzzing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vimage_core::guest::survey;
use vimage_core::layers::Masked;
use vimage_core::{Content, Extent, Extents, Image, OpenImage, Result, open};
use vimage_fuzz::{edits, holds, sums};

struct Base {
    image: OpenImage,
    /// The runs of 512 bytes that are not zero, as held in memory.
    held: Vec<(u64, Vec<u8>)>,
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bases/guest");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("seeds.sh makes the images").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| Base::load(open(path, &Default::default()).unwrap())).collect()
});

impl Base {
    fn load(image: OpenImage) -> Self {
        let mut held = Vec::new();
        for extent in Extents::of(&image).map(Result::unwrap).filter(|extent| extent.content.is_data()) {
            for at in extent.range.step_by(512) {
                let mut sector = vec![0; 512.min(image.size() - at) as usize];
                image.read_exact_at(&mut sector, at).unwrap();
                if sector.iter().any(|&byte| byte != 0) {
                    held.push((at, sector));
                }
            }
        }
        Base { image, held }
    }
}

struct Changed<'a> {
    base: &'a Base,
    changes: Vec<(u64, Vec<u8>)>,
}

impl Image for Changed<'_> {
    fn size(&self) -> u64 {
        self.base.image.size()
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        // All may hold data: what is zero by the map is not what is looked for.
        Ok(Extent::new(offset / 512 * 512..self.size(), Content::Data))
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        buf.fill(0);
        let end = offset + buf.len() as u64;
        let held = &self.base.held;
        let first = held.partition_point(|(at, sector)| at + sector.len() as u64 <= offset);
        let sectors = held[first..].iter().map(|(at, sector)| (*at, &sector[..]));
        let changes = self.changes.iter().map(|(at, bytes)| (*at, &bytes[..]));
        for (at, bytes) in sectors.take_while(|(at, _)| *at < end).chain(changes) {
            let (from, to) = (at.max(offset), (at + bytes.len() as u64).min(end));
            if from < to {
                buf[(from - offset) as usize..(to - offset) as usize]
                    .copy_from_slice(&bytes[(from - at) as usize..(to - at) as usize]);
            }
        }
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((which, edits)) = edits::decode(input) else { return };
    let base = &BASES[which % BASES.len()];
    let place = |place: u32| {
        let place = place as usize % (base.held.len() * 512);
        base.held[place / 512].0 + (place % 512) as u64
    };
    let changes = edits.iter().map(|edit| (place(edit.place), edit.bytes.to_vec())).collect();
    let mut changed = Changed { base, changes };
    let mended = sums::of_disk(&changed);
    changed.changes.extend(mended);
    let found = survey(&changed, &()).expect("memory is always read");
    let size = changed.size();
    let mut before = 0;
    for range in found.unused.iter() {
        assert!(before <= range.start && range.start < range.end && range.end <= size, "{range:?} of {size}");
        before = range.end;
    }
    if size <= holds::WHOLE {
        holds::image(&Masked::new(&changed, &found.unused));
    }
    let free: u64 = found.regions.iter().filter_map(|region| region.free).sum();
    assert!(found.unused.bytes() <= free, "more is unused than is told");
    for region in &found.regions {
        assert!(region.free.is_none_or(|free| free <= region.size && region.dropped <= free));
    }
});
