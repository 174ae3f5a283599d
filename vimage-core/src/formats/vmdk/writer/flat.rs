//! monolithicFlat and twoGbMaxExtentFlat: a descriptor and files of plain bytes.

use super::text::{self, TextIdentity};
use super::{Names, split};
use crate::error::Result;
use crate::formats::vmdk::descriptor::ExtentKind;
use crate::formats::vmdk::options::WriteOptions;
use crate::formats::vmdk::subformat::Subformat;
use crate::io::{FileSequence, Outputs};
use crate::target::{Encoding, ImageWriter, Whole};

pub(super) struct Flat {
    outputs: Outputs,
    names: Names,
    options: WriteOptions,
    capacity: u64,
    /// The name and the bytes of each file.
    extents: Vec<(String, u64)>,
    bytes: FileSequence,
}

impl Flat {
    pub(super) fn create(names: Names, capacity: u64, options: &WriteOptions, outputs: &Outputs) -> Result<Self> {
        let extents: Vec<_> = if options.subformat == Subformat::MonolithicFlat {
            vec![(names.extent("flat"), capacity)]
        } else {
            let sizes = split::extents(capacity, options.split.unwrap_or(split::DEFAULT_SPLIT), |each| each)?;
            (1..).map(|number| names.extent(&format!("f{number:03}"))).zip(sizes).collect()
        };
        outputs.check(&names.main)?;
        let files = extents.iter().map(|(name, size)| (names.path(name), *size)).collect();
        let bytes = FileSequence::new(outputs, files)?;
        Ok(Flat { outputs: outputs.clone(), names, options: options.clone(), capacity, extents, bytes })
    }
}

impl ImageWriter for Flat {
    fn append(&mut self, offset: u64, body: &[u8], _: Encoding) -> Result<()> {
        self.bytes.write_all_at(body, offset)
    }

    fn finish(self: Box<Self>, disk: &Whole) -> Result<()> {
        self.bytes.finish(self.capacity)?;
        let line = |(name, size)| text::extent(ExtentKind::Flat, size, name);
        let lines = self.extents.into_iter().map(line).collect();
        let identity = TextIdentity::of(disk.content.as_ref(), self.capacity, &self.options);
        text::write_main(&self.names, &text::descriptor(self.capacity, lines, identity, &self.options), &self.outputs)
    }
}
