//! How a disk is split, and twoGbMaxExtentSparse: a descriptor and growing files, each under a size.

use super::sparse::{Layout, SparseExtent};
use super::text::{self, TextIdentity};
use super::{GRAIN, Names};
use crate::error::{Error, Result};
use crate::formats::vmdk::descriptor::ExtentKind;
use crate::formats::vmdk::options::WriteOptions;
use crate::io::{Outputs, split_evenly};
use crate::target::{Encoding, ImageWriter, Whole};

/// The size that files stay under unless another is asked for.
pub(in crate::formats::vmdk) const DEFAULT_SPLIT: u64 = 2 << 30;

/// The most files: their lines fill a descriptor as long as QEMU reads one.
const MOST_EXTENTS: u64 = 9_999;

/// The bytes of the disk that go into each file, so that every file, however full, is shorter than `split`.
///
/// A whole number of MiB wherever that is not small: for 2 GiB this makes VMware's own 2047 MiB (4192256 sectors).
pub(super) fn extents(capacity: u64, split: u64, file_size: impl Fn(u64) -> u64) -> Result<Vec<u64>> {
    let step = if split >= 16 << 20 { 1 << 20 } else { GRAIN };
    let mut each = split / step * step;
    while each > 0 && file_size(each) >= split {
        each -= step;
    }
    if each == 0 {
        return Err(Error::usage(format!("no extent fits in a file of {split} bytes")));
    }
    split_evenly(capacity, each, MOST_EXTENTS)
}

pub(super) struct SplitSparse {
    outputs: Outputs,
    names: Names,
    options: WriteOptions,
    capacity: u64,
    /// The bytes of the disk in each file.
    sizes: Vec<u64>,
    /// The file being written, its number, and the disk's byte at which it starts.
    current: (SparseExtent, usize, u64),
}

impl SplitSparse {
    pub(super) fn create(names: Names, capacity: u64, options: &WriteOptions, outputs: &Outputs) -> Result<Self> {
        let split = options.split.unwrap_or(DEFAULT_SPLIT).min(super::monolithic::LARGEST);
        let sizes = extents(capacity, split, |each| Layout::new(each, false).fullest())?;
        outputs.check(&names.main)?;
        (0..sizes.len()).try_for_each(|index| outputs.check(&names.path(&name(&names, index))))?;
        let current = (begin(&names, outputs, &sizes, 0)?, 0, 0);
        Ok(SplitSparse { outputs: outputs.clone(), names, options: options.clone(), capacity, sizes, current })
    }

    /// Finishes files up to the one that holds `offset`; that one is then the current.
    fn advance(&mut self, offset: u64) -> Result<()> {
        while offset >= self.current.2 + self.sizes[self.current.1] {
            let (index, start) = (self.current.1 + 1, self.current.2 + self.sizes[self.current.1]);
            let next = (begin(&self.names, &self.outputs, &self.sizes, index)?, index, start);
            std::mem::replace(&mut self.current, next).0.finish("")?;
        }
        Ok(())
    }
}

impl ImageWriter for SplitSparse {
    fn append(&mut self, mut offset: u64, mut body: &[u8], _: Encoding) -> Result<()> {
        while !body.is_empty() {
            self.advance(offset)?;
            let (extent, index, start) = &mut self.current;
            let left = (*start + self.sizes[*index] - offset).next_multiple_of(GRAIN);
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(body.len());
            extent.append(offset - *start, &body[..take])?;
            body = &body[take..];
            offset += take as u64;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, disk: &Whole) -> Result<()> {
        // The files that no data reached are made too, up to the one that holds the last byte.
        self.advance(self.capacity - 1)?;
        self.current.0.finish("")?;
        let line = |(index, &size): (usize, &u64)| text::extent(ExtentKind::Sparse, size, name(&self.names, index));
        let lines = self.sizes.iter().enumerate().map(line).collect();
        let identity = TextIdentity::of(disk.content.as_ref(), self.capacity, &self.options);
        text::write_main(&self.names, &text::descriptor(self.capacity, lines, identity, &self.options), &self.outputs)
    }
}

fn begin(names: &Names, outputs: &Outputs, sizes: &[u64], index: usize) -> Result<SparseExtent> {
    Ok(SparseExtent::new(outputs.create(&names.path(&name(names, index)))?, Layout::new(sizes[index], false)))
}

fn name(names: &Names, index: usize) -> String {
    names.extent(&format!("s{:03}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn two_gibibytes_make_vmwares_own_extents() {
        let sparse = |each| Layout::new(each, false).fullest();
        for (split, each) in [(2 << 30, 2047 * MIB), (4 << 30, 4095 * MIB), (u64::from(u32::MAX), 4095 * MIB)] {
            assert_eq!(extents(10 << 30, split, sparse).unwrap()[0], each, "sparse {split}");
            assert_eq!(extents(10 << 30, split, |each| each).unwrap()[0], each, "flat {split}");
        }
        assert_eq!(4_192_256 * 512, 2047 * MIB);
    }

    #[test]
    fn every_file_stays_under_the_size() {
        for split in [MIB, MIB + 1, 5 * MIB, 16 * MIB, 650 * MIB, 4_294_967_295] {
            let sizes = extents(11 * split, split, |each| Layout::new(each, false).fullest()).unwrap();
            assert_eq!(sizes.iter().sum::<u64>(), 11 * split);
            assert!(sizes.iter().all(|&size| Layout::new(size, false).fullest() < split), "{split}");
            assert!(sizes[0] * 10 > split * 7, "{split} is used");
        }
    }
}
