//! The disks of an appliance, opened and written.

use super::PackOptions;
use super::facts::Facts;
use crate::error::{Error, Result};
use crate::formats::{OpenImage, OpenOptions, open};
use crate::image::Image;
use crate::io::{FileId, Outputs};
use crate::layers::{Grown, Zeros};
use crate::observer::{Observer, PartOf, Phase};
use crate::operations::convert::{ConvertOptions, write};
use crate::package::appliance::{Appliance, Disk};
use std::path::Path;

/// The image of a disk.
enum Read<'a> {
    Own(Box<OpenImage>),
    Given(&'a dyn Image),
}

impl Read<'_> {
    fn image(&self) -> &dyn Image {
        match self {
            Read::Own(image) => image.as_ref(),
            Read::Given(image) => *image,
        }
    }
}

/// The disks of an appliance.
pub(super) struct Disks<'a> {
    pub(super) facts: Facts<'a>,
    observer: &'a dyn Observer,
    /// None for those that come empty.
    images: Vec<Option<Read<'a>>>,
    /// Bytes of disks that were gone over.
    passed: u64,
}

impl<'a> Disks<'a> {
    /// Opens them all.
    pub(super) fn open(appliance: &'a Appliance, options: &'a PackOptions, observer: &'a dyn Observer) -> Result<Self> {
        let images = appliance.disks.iter().map(|disk| open_disk(disk, options)).collect::<Result<Vec<_>>>()?;
        Self::of(appliance, options, images, observer)
    }

    /// Of the one disk that `image` is.
    pub(super) fn given(
        image: &'a dyn Image,
        appliance: &'a Appliance,
        options: &'a PackOptions,
        observer: &'a dyn Observer,
    ) -> Result<Self> {
        if appliance.disks.len() != 1 {
            return Err(Error::usage("an appliance of several disks is not made of one"));
        }
        Self::of(appliance, options, vec![Some(Read::Given(image))], observer)
    }

    fn of(
        appliance: &'a Appliance,
        options: &'a PackOptions,
        images: Vec<Option<Read<'a>>>,
        observer: &'a dyn Observer,
    ) -> Result<Self> {
        let sizes: Vec<_> = images.iter().map(|image| image.as_ref().map(|image| image.image().size())).collect();
        let facts = Facts::new(appliance, options, &sizes)?;
        Ok(Disks { facts, observer, images, passed: 0 })
    }

    /// The files that they are read from.
    pub(super) fn files(&self) -> Vec<FileId> {
        self.images.iter().flatten().flat_map(|image| image.image().files()).collect()
    }

    /// Tells the observer that all of them will be gone over, so many times.
    pub(super) fn begin(&self, passes: u64) {
        let sum = self.facts.packed.iter().fold(0_u64, |sum, disk| sum.saturating_add(disk.capacity));
        self.observer.begin(Phase::Work, Some(sum.saturating_mul(passes)));
    }

    /// Writes disk `index` to `path`, as `conversion` has it.
    pub(super) fn write(
        &mut self,
        index: usize,
        conversion: &ConvertOptions,
        path: &Path,
        outputs: &Outputs,
    ) -> Result<()> {
        let capacity = self.facts.packed[index].capacity;
        let zeros = Zeros(capacity);
        let image: &dyn Image = self.images[index].as_ref().map_or(&zeros, Read::image);
        let image = Grown::new(image, capacity);
        let observer = PartOf { whole: self.observer, before: self.passed };
        let written = write(&image, None, path, conversion, outputs, &observer)?;
        self.passed = self.passed.saturating_add(capacity);
        let taken = written.outcome.taken.first().copied().unwrap_or_default();
        self.facts.note(index, path, taken, written.survey);
        Ok(())
    }
}

fn open_disk<'a>(disk: &Disk, options: &PackOptions) -> Result<Option<Read<'a>>> {
    let Some(image) = &disk.image else { return Ok(None) };
    let opening = OpenOptions {
        format: image.format.clone(),
        snapshot: image.snapshot.clone(),
        allow_external: options.allow_external,
        force_share: options.force_share,
        max_size: options.max_size,
    };
    Ok(Some(Read::Own(Box::new(open(&image.path, &opening)?))))
}
