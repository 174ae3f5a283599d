//! The disks of an appliance, opened and written.

use super::PackOptions;
use crate::digest::ContentDigest;
use crate::error::{Error, Result};
use crate::formats::{OpenImage, OpenOptions, open};
use crate::guest::Survey;
use crate::image::Image;
use crate::io::{FileId, Outputs};
use crate::layers::{Grown, Zeros};
use crate::observer::{Observer, PartOf, Phase};
use crate::operations::convert::{ConvertOptions, write};
use crate::package::appliance::{Appliance, Disk};
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
pub(super) struct Disks<'a> {
    appliance: &'a Appliance,
    options: &'a PackOptions,
    observer: &'a dyn Observer,
    /// None for those that come empty.
    images: Vec<Option<OpenImage>>,
    /// Bytes of disks that were gone over.
    passed: u64,
    pub(super) packed: Vec<PackedDisk>,
}

impl<'a> Disks<'a> {
    /// Opens them all.
    pub(super) fn open(appliance: &'a Appliance, options: &'a PackOptions, observer: &'a dyn Observer) -> Result<Self> {
        if appliance.disks.is_empty() {
            return Err(Error::usage("the appliance has no disk").with_hint("add one, with [[disk]]"));
        }
        let images = appliance.disks.iter().map(|disk| open_disk(disk, options)).collect::<Result<Vec<_>>>()?;
        let packed = appliance.disks.iter().zip(&images).map(|(disk, image)| {
            let size = image.as_ref().map(Image::size).or(disk.size).unwrap_or(0);
            let capacity =
                size.checked_next_multiple_of(CAPACITY_UNIT).filter(|capacity| (1..1 << 63).contains(capacity));
            let capacity = capacity.ok_or_else(|| {
                let error = Error::usage(format!("a disk of {size} bytes cannot be packed"));
                disk.image.iter().fold(error, |error, image| error.at_path(&image.path))
            })?;
            Ok(PackedDisk { file: None, capacity, populated: 0, survey: None })
        });
        let packed = packed.collect::<Result<_>>()?;
        Ok(Disks { appliance, options, observer, images, passed: 0, packed })
    }

    /// The files that they are read from.
    pub(super) fn files(&self) -> Vec<FileId> {
        self.images.iter().flatten().flat_map(Image::files).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether disk `index` comes empty.
    pub(super) fn is_scratch(&self, index: usize) -> bool {
        self.images[index].is_none()
    }

    /// Tells the observer that all of them will be gone over, so many times.
    pub(super) fn begin(&self, passes: u64) {
        let sum = self.packed.iter().fold(0_u64, |sum, disk| sum.saturating_add(disk.capacity));
        self.observer.begin(Phase::Work, Some(sum.saturating_mul(passes)));
    }

    /// Forgets what was written, so that all of it is written once more.
    pub(super) fn again(&mut self) {
        self.packed.iter_mut().for_each(|disk| *disk = PackedDisk { file: None, populated: 0, survey: None, ..*disk });
    }

    /// Writes disk `index` to `path`, as `conversion` has it.
    pub(super) fn write(
        &mut self,
        index: usize,
        conversion: &ConvertOptions,
        path: &Path,
        outputs: &Outputs,
    ) -> Result<()> {
        let capacity = self.packed[index].capacity;
        let zeros = Zeros(capacity);
        let image: &dyn Image = self.images[index].as_ref().map_or(&zeros, |image| image);
        let image = Grown::new(image, capacity);
        let observer = PartOf { whole: self.observer, before: self.passed };
        let written = write(&image, None, path, conversion, outputs, &observer)?;
        self.passed = self.passed.saturating_add(capacity);
        let disk = &mut self.packed[index];
        disk.file = path.file_name().map(|name| name.to_string_lossy().into_owned());
        disk.populated = written.outcome.taken.first().map_or(0, |taken| taken.stored).min(capacity);
        disk.survey = written.survey;
        Ok(())
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

fn open_disk(disk: &Disk, options: &PackOptions) -> Result<Option<OpenImage>> {
    let Some(image) = &disk.image else { return Ok(None) };
    let opening = OpenOptions {
        format: image.format.clone(),
        snapshot: image.snapshot.clone(),
        allow_external: options.allow_external,
    };
    open(&image.path, &opening).map(Some)
}
