//! An OVA around one disk, which somebody else sends through the pipeline.

use super::container::{Container, TarFile};
use super::facts::{Facts, PackedDisk};
use super::open_virtualization::{Begun, conversion};
use super::{PackOptions, Package};
use crate::error::{Error, Result};
use crate::formats::by_name;
use crate::guest::Survey;
use crate::io::OutputFile;
use crate::package::appliance::Appliance;
use crate::pipeline::Taken;
use crate::target::Target;

/// An OVA that waits for its disk.
pub(in crate::operations) struct SingleOva<'a> {
    appliance: &'a Appliance,
    options: &'a PackOptions,
    facts: Facts<'a>,
    container: TarFile,
    begun: Begun,
}

impl<'a> SingleOva<'a> {
    /// Begins the OVA of `appliance` in `file`; its disk has `size` bytes, and is to be written to the target.
    ///
    /// # Errors
    /// `Usage` for appliances of several disks and other packages; those of the texts and of the disk's format.
    pub(in crate::operations) fn begin(
        appliance: &'a Appliance,
        options: &'a PackOptions,
        size: u64,
        file: OutputFile,
    ) -> Result<(Self, Target)> {
        appliance.check()?;
        if options.package != Package::Ova || appliance.disks.len() != 1 {
            return Err(Error::usage("a disk goes into an OVA of one disk; others are packed by themselves"));
        }
        let facts = Facts::new(appliance, options, &[Some(size)])?;
        let mut container = TarFile::new(file, options.time);
        let begun = Begun::new(appliance, &facts, options, &mut container)?;
        let (path, outputs) = begun.image(0, options, &mut container)?;
        let conversion = conversion(&facts, 0);
        let capacity = facts.packed.first().map(|disk| disk.capacity);
        let mut target = by_name(&conversion.format)?.create(&path, capacity, &conversion.create, &outputs)?;
        target.checked = conversion.checked;
        Ok((SingleOva { appliance, options, facts, container, begun }, target))
    }

    /// The disk's name in it.
    pub(in crate::operations) fn disk(&self) -> String {
        self.begun.disk(0)
    }

    /// Writes the texts, when the disk is written.
    ///
    /// # Errors
    /// Those of writing.
    pub(in crate::operations) fn finish(mut self, taken: Taken, survey: Option<Survey>) -> Result<Vec<PackedDisk>> {
        let name = self.disk();
        let stored = self.container.end(&name)?;
        self.facts.note(0, name.as_ref(), taken, survey);
        self.begun.finish(self.appliance, &self.facts, vec![Some(stored)], self.options, &mut self.container)?;
        Box::new(self.container).finish()?;
        Ok(self.facts.packed)
    }
}
