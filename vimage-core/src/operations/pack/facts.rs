//! What is known of an appliance's disks before they are written, and what is noted of them then.

use super::PackOptions;
use crate::digest::ContentDigest;
use crate::error::{Error, Result};
use crate::guest::Survey;
use crate::operations::convert::ConvertOptions;
use crate::package::appliance::Appliance;
use crate::pipeline::Taken;
use std::path::Path;

/// What capacities are multiples of: OVF counts mebibytes, and odd sizes confuse importers.
const CAPACITY_UNIT: u64 = 1 << 20;

/// A disk of an appliance that was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedDisk {
    /// Its file in the package; none for one that comes empty.
    pub file: Option<String>,
    /// Bytes that the guest sees: those of the image, filled up to a whole mebibyte.
    pub capacity: u64,
    /// Bytes of it that the package holds, by whole units of its format.
    pub populated: u64,
    /// What the guest keeps on it, where that was looked at.
    pub survey: Option<Survey>,
}

/// The disks of an appliance.
pub(in crate::operations) struct Facts<'a> {
    appliance: &'a Appliance,
    options: &'a PackOptions,
    /// Whether each comes empty.
    scratch: Vec<bool>,
    pub(in crate::operations) packed: Vec<PackedDisk>,
}

impl<'a> Facts<'a> {
    /// Of `appliance`; for each disk the bytes of its image, or none where it comes empty.
    ///
    /// # Errors
    /// `Usage` where there is no disk, or one has a size that cannot be packed.
    pub(in crate::operations) fn new(
        appliance: &'a Appliance,
        options: &'a PackOptions,
        sizes: &[Option<u64>],
    ) -> Result<Self> {
        if appliance.disks.is_empty() {
            return Err(Error::usage("the appliance has no disk").with_hint("add one, with [[disk]]"));
        }
        let packed = appliance.disks.iter().zip(sizes).map(|(disk, size)| {
            let size = size.or(disk.size).unwrap_or(0);
            let capacity =
                size.checked_next_multiple_of(CAPACITY_UNIT).filter(|capacity| (1..1 << 63).contains(capacity));
            let capacity = capacity.ok_or_else(|| {
                let error = Error::usage(format!("a disk of {size} bytes cannot be packed"));
                disk.image.iter().fold(error, |error, image| error.at_path(&image.path))
            })?;
            Ok(PackedDisk { file: None, capacity, populated: 0, survey: None })
        });
        let packed = packed.collect::<Result<_>>()?;
        Ok(Facts { appliance, options, scratch: sizes.iter().map(Option::is_none).collect(), packed })
    }

    /// How many disks there are.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// Whether disk `index` comes empty.
    pub(super) fn is_scratch(&self, index: usize) -> bool {
        self.scratch[index]
    }

    /// Forgets what was written, so that all of it is written once more.
    pub(super) fn again(&mut self) {
        self.packed.iter_mut().for_each(|disk| *disk = PackedDisk { file: None, populated: 0, survey: None, ..*disk });
    }

    /// Notes that disk `index` was written as the file `path` of the package.
    pub(in crate::operations) fn note(&mut self, index: usize, path: &Path, taken: Taken, survey: Option<Survey>) {
        let disk = &mut self.packed[index];
        disk.file = path.file_name().map(|name| name.to_string_lossy().into_owned());
        disk.populated = taken.stored.min(disk.capacity);
        disk.survey = survey;
    }

    /// To `format`, as all disks of the package are written.
    pub(super) fn conversion(&self, format: &str) -> ConvertOptions {
        let mut conversion = ConvertOptions::to(format);
        // A package is not to hold what nobody can unpack.
        conversion.checked = true;
        conversion.create.level = self.options.level;
        conversion.trim = self.options.trim;
        conversion
    }

    /// What tells disk `index` from all others: it derives from the appliance, the disk's place in it and `content`.
    pub(super) fn uuid(&self, index: usize, content: &str) -> [u8; 16] {
        let product = &self.appliance.product;
        let version = product.full_version.as_ref().or(product.version.as_ref());
        let what = format!("disk {index} of {:?} {version:?} {content}", self.appliance.name);
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&ContentDigest([0; 32]).derive(&what)[..16]);
        uuid
    }
}
