//! monolithicSparse: one growing file with its descriptor inside.

use super::sparse::{Layout, SparseExtent};
use super::text::{self, TextIdentity};
use super::{GRAIN, Names};
use crate::error::{Error, Result};
use crate::formats::vmdk::descriptor::ExtentKind;
use crate::formats::vmdk::options::WriteOptions;
use crate::io::Outputs;
use crate::target::{Encoding, ImageWriter, Whole};

/// What a file addressed by 32-bit sector numbers can hold, less room for its tables: a disk any larger could not be
/// filled by its guest.
pub(super) const LARGEST: u64 = (2 << 40) - (1 << 30);

pub(super) struct Monolithic {
    extent: SparseExtent,
    name: String,
    capacity: u64,
    options: WriteOptions,
}

impl Monolithic {
    pub(super) fn create(names: Names, capacity: u64, options: &WriteOptions, outputs: &Outputs) -> Result<Self> {
        if capacity > LARGEST {
            return Err(Error::usage(format!("a monolithicSparse VMDK holds at most {LARGEST} bytes, not {capacity}"))
                .at_path(&names.main)
                .with_hint("--split 2G (twoGbMaxExtentSparse) or -o subformat=monolithicFlat hold more"));
        }
        let extent = SparseExtent::new(outputs.create(&names.main)?, Layout::new(capacity, true));
        Ok(Monolithic { extent, name: names.main_name(), capacity, options: options.clone() })
    }
}

impl ImageWriter for Monolithic {
    fn append(&mut self, offset: u64, body: &[u8], _: Encoding) -> Result<()> {
        debug_assert!(offset.is_multiple_of(GRAIN), "grains are whole");
        self.extent.append(offset, body)
    }

    fn finish(self: Box<Self>, disk: &Whole) -> Result<()> {
        let extents = vec![text::extent(ExtentKind::Sparse, self.capacity, self.name)];
        let identity = TextIdentity::of(disk.content.as_ref(), self.capacity, &self.options);
        self.extent.finish(&text::descriptor(self.capacity, extents, identity, &self.options).to_string())
    }
}
