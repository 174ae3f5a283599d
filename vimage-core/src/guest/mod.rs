//! What a guest keeps on its disk, and what of it the guest holds as free.
//!
//! Bytes in, unused ranges out: nothing is written, mounted or run. A range is called unused only where all of the guest's own
//! evidence says so. Whatever is unknown, damaged or in the middle of a change is kept whole, with the reason.

mod btrfs;
mod exfat;
mod ext;
mod fat;
mod foreign;
mod free;
mod lvm;
mod ntfs;
mod partitions;
mod swap;
mod volume;
mod xfs;

use crate::error::{Error, ErrorKind, Result};
use crate::extent::Extents;
use crate::image::Image;
use crate::observer::Observer;
use crate::ranges::{Collector, Ranges};
use free::Free;
use volume::Volume;

/// A way of keeping data on a volume, of which the free space can be told.
trait FileSystem: Sync {
    /// What it is called, where the volume carries its mark. Looks at the mark only.
    ///
    /// # Errors
    /// Those of reading.
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>>;

    /// Puts into `free` what is free for certain.
    ///
    /// # Errors
    /// `Corrupt` where it contradicts itself, `Unsupported` where it has a feature that is not known or is in the middle of a
    /// change: the volume is then kept whole. `Io` and `Cancelled` end the survey.
    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()>;
}

/// Every way that is known. A volume that two of them claim is kept whole.
static FILE_SYSTEMS: [&dyn FileSystem; 7] =
    [&ext::Ext, &xfs::Xfs, &btrfs::Btrfs, &ntfs::Ntfs, &fat::Fat, &exfat::ExFat, &swap::Swap];

/// How a reason begins that holds for the whole disk: what a sleeping system remembers of its other volumes is not on them.
const ASLEEP: &str = "holds a hibernated";

/// What was found on a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// The kind of partition table: `gpt` or `mbr`; none where the disk is one volume.
    pub table: Option<&'static str>,
    /// The partitions in order, each physical volume followed by the logical volumes that begin in it.
    pub regions: Vec<Region>,
    /// The disk's bytes that the guest does not use.
    pub unused: Ranges,
}

/// A partition or a logical volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its number in the table, `group/volume`, or `disk` where there is no table.
    pub name: String,
    /// What it holds: `ext4`, `swap`, `LUKS`; none where that is not known.
    pub kind: Option<&'static str>,
    /// The disk's byte at which it starts.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes in it that are free; none where it is kept whole.
    pub free: Option<u64>,
    /// Bytes of those for which the image holds data: what leaving them out drops.
    pub dropped: u64,
    /// Why it is kept whole, if it is.
    pub kept: Option<Kept>,
}

impl Region {
    /// Bytes in it that are in use, where that is known.
    pub fn used(&self) -> Option<u64> {
        self.free.map(|free| self.size - free)
    }

    /// Whether a system was put to sleep in it.
    fn is_asleep(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.reason.starts_with(ASLEEP))
    }

    /// Whether it is swap space.
    pub fn is_swap(&self) -> bool {
        self.kind == Some(swap::NAME)
    }
}

/// Why a region is kept whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What was found, and where on the disk.
    pub reason: String,
    /// What can be done about it.
    pub hint: Option<String>,
    /// Whether it is of a kind whose free space is told as a rule: what was found is then a fault, or unfinished.
    pub fault: bool,
}

/// Finds out what is on the disk and what of it is unused. Takes time and memory in proportion to the guest's own tables,
/// and memory within a bound.
///
/// # Errors
/// `Io` and `Cancelled`. What is wrong with the guest's data is told in [`Region::kept`].
pub fn survey(disk: &dyn Image, observer: &dyn Observer) -> Result<Survey> {
    let whole = Volume::whole(disk, observer);
    let mut surveyor = Surveyor { disk, survey: Survey::default(), unused: Collector::default() };
    match partitions::read(&whole) {
        Ok(None) => surveyor.volumes(vec![("disk".to_owned(), whole)])?,
        Ok(Some(table)) => {
            surveyor.survey.table = Some(table.kind);
            let volumes =
                table.partitions.into_iter().map(|(number, range)| Ok((number.to_string(), whole.window(range)?)));
            surveyor.volumes(volumes.collect::<Result<Vec<_>>>()?)?;
        }
        Err(error) => {
            surveyor.keep("disk".into(), &whole, None, error, true)?;
        }
    }
    let Surveyor { mut survey, unused, .. } = surveyor;
    survey.unused = unused.finish();
    if let Some(asleep) = survey.regions.iter().find(|region| region.is_asleep()).map(|region| region.name.clone()) {
        survey.keep_all(&format!("a system hibernates on this disk (in {asleep}) and may have it in use"));
    }
    Ok(survey)
}

impl Survey {
    /// Keeps every region whole.
    fn keep_all(&mut self, reason: &str) {
        self.unused = Ranges::default();
        for region in self.regions.iter_mut().filter(|region| region.kept.is_none()) {
            let hint = Some("start the guest and shut it down".to_owned());
            region.kept = Some(Kept { reason: reason.to_owned(), hint, fault: true });
            (region.free, region.dropped) = (None, 0);
        }
    }
}

struct Surveyor<'a> {
    disk: &'a dyn Image,
    survey: Survey,
    unused: Collector,
}

impl<'a> Surveyor<'a> {
    /// Looks into partitions, and into the logical volumes in them.
    fn volumes(&mut self, volumes: Vec<(String, Volume<'a>)>) -> Result<()> {
        // A fault of reading is met again, and told, when the volume itself is looked at.
        let is_physical: Vec<_> =
            volumes.iter().map(|(_, volume)| lvm::recognise(volume).is_ok_and(|found| found)).collect();
        // A group of logical volumes may lie over several partitions, so all are wanted at once.
        let both = || volumes.iter().zip(&is_physical);
        let physical: Vec<_> = both().filter(|(_, is)| **is).map(|((_, volume), _)| volume).collect();
        let mut groups = lvm::read(&physical)?.into_iter();
        for ((name, volume), is_physical) in both() {
            if !is_physical {
                self.volume(name.clone(), volume)?;
                continue;
            }
            match groups.next() {
                Some(Ok(held)) => {
                    self.add(name.clone(), volume, Some(lvm::NAME), held.free)?;
                    for (name, logical) in held.logical {
                        match logical {
                            Ok(logical) => self.volume(name, &logical)?,
                            Err((size, error)) => {
                                self.keep_sized(name, volume.disk_offset(0), size, None, error, true)?;
                            }
                        }
                    }
                }
                Some(Err(error)) => self.keep(name.clone(), volume, Some(lvm::NAME), error, true)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Looks into one volume that is not divided further.
    fn volume(&mut self, name: String, volume: &Volume<'_>) -> Result<()> {
        let mut claims: Vec<(&'static str, Option<&dyn FileSystem>)> = Vec::new();
        for system in FILE_SYSTEMS {
            match system.recognise(volume) {
                Ok(found) => claims.extend(found.map(|kind| (kind, Some(system)))),
                Err(error) => return self.keep(name, volume, None, error, true),
            }
        }
        match foreign::recognise(volume) {
            Ok(found) => claims.extend(found.map(|kind| (kind, None))),
            Err(error) => return self.keep(name, volume, None, error, true),
        }
        match claims[..] {
            [] => self.keep(name, volume, None, Error::unsupported("holds nothing that is known"), false),
            [(kind, None)] => {
                let error = Error::unsupported(format!("is {kind}, which is not looked into"));
                self.keep(name, volume, Some(kind), error, false)
            }
            [(kind, Some(system))] => {
                let mut free = Free::of(volume.size());
                match system.survey(volume, &mut free) {
                    Ok(()) => self.add(name, volume, Some(kind), free),
                    Err(error) => self.keep(name, volume, Some(kind), error, true),
                }
            }
            [(one, _), (other, _), ..] => {
                let error = Error::unsupported(format!("carries the marks of {one} and of {other}"));
                self.keep(name, volume, None, error, true)
            }
        }
    }

    /// Notes a region of which the free space is known.
    fn add(&mut self, name: String, volume: &Volume<'_>, kind: Option<&'static str>, free: Free) -> Result<()> {
        let bytes = free.bytes();
        let mut on_disk = Collector::default();
        for range in free.finish().iter() {
            volume.on_disk(range.clone(), |at, part| on_disk.push(at..at + (part.end - part.start)));
        }
        let unused = on_disk.finish();
        let dropped = data_within(self.disk, &unused)?;
        unused.iter().for_each(|range| self.unused.push(range.clone()));
        let (start, size) = (volume.disk_offset(0), volume.size());
        self.survey.regions.push(Region { name, kind, start, size, free: Some(bytes), dropped, kept: None });
        Ok(())
    }

    /// Notes a region that is kept whole, unless `error` is none of the guest's.
    fn keep(
        &mut self,
        name: String,
        volume: &Volume<'_>,
        kind: Option<&'static str>,
        error: Error,
        fault: bool,
    ) -> Result<()> {
        self.keep_sized(name, volume.disk_offset(0), volume.size(), kind, error, fault)
    }

    fn keep_sized(
        &mut self,
        name: String,
        start: u64,
        size: u64,
        kind: Option<&'static str>,
        error: Error,
        fault: bool,
    ) -> Result<()> {
        let reason = match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Unsupported => error.to_string(),
            _ => return Err(error),
        };
        let kept = Some(Kept { reason, hint: error.hint().map(str::to_owned), fault });
        self.survey.regions.push(Region { name, kind, start, size, free: None, dropped: 0, kept });
        Ok(())
    }
}

/// Bytes of `ranges` for which the image holds data.
fn data_within(image: &dyn Image, ranges: &Ranges) -> Result<u64> {
    let mut bytes = 0;
    let (Some(first), Some(last)) = (ranges.iter().next(), ranges.iter().next_back()) else { return Ok(0) };
    // In one walk: asking anew for each range can cost a search in the file system each.
    for extent in Extents::within(image, first.start..last.end) {
        let extent = extent?;
        if extent.content.is_data() {
            bytes += ranges.within(extent.range).map(|range| range.end - range.start).sum::<u64>();
        }
    }
    Ok(bytes)
}
