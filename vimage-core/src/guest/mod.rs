//! What a guest keeps on its disk, and what of it the guest holds as free.
//!
//! Bytes in, unused ranges out: nothing is written, mounted or run. A range is called unused only where all of the guest's own
//! evidence says so. Whatever is unknown, damaged or in the middle of a change is kept whole, with the reason.

mod btrfs;
mod crc32c;
mod exfat;
mod ext;
mod fat;
mod foreign;
mod free;
mod lvm;
mod ntfs;
mod partitions;
mod sleep;
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

    /// Why a system is taken to sleep on the volume, if it is: what it remembers of the disk's other volumes may be on none of
    /// them, so that all are kept. Asked of every one that recognises the volume, and before the survey, which need not ask.
    ///
    /// # Errors
    /// As those of the survey.
    fn asleep(&self, _volume: &Volume<'_>) -> Result<Option<Error>> {
        Ok(None)
    }

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

/// Whether checksums are passed over: a fuzzer would never get behind them.
const UNSUMMED: bool = cfg!(fuzzing);

/// What ends a sleep, or a use that was not ended.
const SHUT_DOWN: &str = "start the guest and shut it down";

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
    /// Bytes of those for which the image itself, and not one beneath it, holds data: what leaving them out drops.
    pub dropped: u64,
    /// Why it is kept whole, if it is.
    pub kept: Option<Kept>,
}

impl Region {
    /// One of which nothing is known yet.
    fn of(name: String, volume: &Volume<'_>) -> Self {
        let (start, size) = (volume.disk_offset(0), volume.size());
        Region { name, kind: None, start, size, free: None, dropped: 0, kept: None }
    }

    /// Bytes in it that are in use, where that is known.
    pub fn used(&self) -> Option<u64> {
        self.free.map(|free| self.size - free)
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
    let (unused, swapped) = (Collector::default(), Collector::default());
    let mut surveyor = Surveyor { disk, survey: Survey::default(), unused, swapped, asleep: None };
    match partitions::read(&whole) {
        Ok(None) => surveyor.volumes(vec![("disk".to_owned(), whole)])?,
        Ok(Some(table)) => {
            surveyor.survey.table = Some(table.kind);
            let volumes =
                table.partitions.into_iter().map(|(number, range)| Ok((number.to_string(), whole.window(range)?)));
            surveyor.volumes(volumes.collect::<Result<Vec<_>>>()?)?;
        }
        Err(error) => {
            surveyor.keep(Region::of("disk".into(), &whole), error, true)?;
        }
    }
    Ok(surveyor.finish())
}

/// What carries its mark on a volume: its name, and what looks into it, if anything does.
type Claim<'s> = (&'static str, Option<&'s dyn FileSystem>);

struct Surveyor<'a> {
    disk: &'a dyn Image,
    survey: Survey,
    unused: Collector,
    /// What is unused in swap space, which depends on how the other volumes are.
    swapped: Collector,
    /// The first region in which a system sleeps.
    asleep: Option<String>,
}

impl<'a> Surveyor<'a> {
    /// Looks into partitions, and into the logical volumes in them.
    fn volumes(&mut self, volumes: Vec<(String, Volume<'a>)>) -> Result<()> {
        // A fault of the guest's data is met again, and told, when the volume itself is looked at.
        let is_physical =
            volumes.iter().map(|(_, volume)| Ok(guests(lvm::recognise(volume))?.is_ok_and(|found| found)));
        let is_physical = is_physical.collect::<Result<Vec<_>>>()?;
        // A group of logical volumes may lie over several partitions, so all are wanted at once.
        let both = || volumes.iter().zip(&is_physical);
        let physical: Vec<_> = both().filter(|(_, is)| **is).map(|((_, volume), _)| volume).collect();
        let mut groups = lvm::read(&physical)?.into_iter();
        for ((name, volume), is_physical) in both() {
            if !is_physical {
                self.volume(name.clone(), volume)?;
                continue;
            }
            let physical = Region { kind: Some(lvm::NAME), ..Region::of(name.clone(), volume) };
            match groups.next() {
                Some(Ok(held)) => {
                    self.add(physical, volume, held.free)?;
                    for (name, logical) in held.logical {
                        match logical {
                            Ok(logical) => self.volume(name, &logical)?,
                            Err((size, error)) => {
                                // Thin, mirrored and the like: nothing is wrong with them.
                                let fault = error.kind() != ErrorKind::Unsupported;
                                self.keep(Region { size, ..Region::of(name, volume) }, error, fault)?;
                            }
                        }
                    }
                }
                Some(Err(error)) => self.keep(physical, error, true)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Looks into one volume that is not divided further.
    fn volume(&mut self, name: String, volume: &Volume<'_>) -> Result<()> {
        let mut region = Region::of(name, volume);
        let mut claims: Vec<Claim<'_>> = Vec::new();
        for system in FILE_SYSTEMS {
            match system.recognise(volume) {
                Ok(found) => claims.extend(found.map(|kind| (kind, Some(system)))),
                Err(error) => return self.keep(region, error, true),
            }
        }
        match foreign::recognise(volume) {
            Ok(found) => claims.extend(found.map(|kind| (kind, None))),
            Err(error) => return self.keep(region, error, true),
        }
        if let [(kind, _)] = claims[..] {
            region.kind = Some(kind);
        }
        match asleep(&claims, volume) {
            Ok(None) => {}
            Ok(Some(error)) => {
                self.asleep.get_or_insert_with(|| region.name.clone());
                return self.keep(region, error, true);
            }
            // What two claim is no fault of either.
            Err(error) if claims.len() > 1 && is_of_guest(&error) => {}
            Err(error) => return self.keep(region, error, true),
        }
        match claims[..] {
            [] => self.keep(region, Error::unsupported("holds nothing that is known"), false),
            [(kind, None)] => {
                let error = Error::unsupported(format!("is {kind}, which is not looked into"));
                self.keep(region, error, false)
            }
            [(_, Some(system))] => {
                let mut free = Free::of(volume.size());
                match system.survey(volume, &mut free) {
                    Ok(()) => self.add(region, volume, free),
                    Err(error) => self.keep(region, error, true),
                }
            }
            [(one, _), (other, _), ..] => {
                let error = Error::unsupported(format!("carries the marks of {one} and of {other}"));
                self.keep(region, error, true)
            }
        }
    }

    /// Notes a region of which the free space is known.
    fn add(&mut self, mut region: Region, volume: &Volume<'_>, free: Free) -> Result<()> {
        region.free = Some(free.bytes());
        let mut on_disk = Collector::default();
        for range in free.finish().iter() {
            volume.on_disk(range.clone(), |at, part| on_disk.push(at..at + (part.end - part.start)));
        }
        let unused = on_disk.finish();
        region.dropped = data_within(self.disk, &unused)?;
        let collector = if region.is_swap() { &mut self.swapped } else { &mut self.unused };
        unused.iter().for_each(|range| collector.push(range.clone()));
        self.survey.regions.push(region);
        Ok(())
    }

    /// Notes a region that is kept whole, unless `error` is none of the guest's.
    fn keep(&mut self, mut region: Region, error: Error, fault: bool) -> Result<()> {
        if !is_of_guest(&error) {
            return Err(error);
        }
        region.kept = Some(Kept { reason: error.to_string(), hint: error.hint().map(str::to_owned), fault });
        self.survey.regions.push(region);
        Ok(())
    }

    /// What was found, after what each region says of the others.
    fn finish(self) -> Survey {
        let Surveyor { mut survey, mut unused, swapped, asleep, .. } = self;
        if let Some(name) = asleep {
            survey.keep(|_| true, &format!("a system hibernates on this disk (in {name}) and may have it in use"));
            return survey;
        }
        match survey.regions.iter().any(|region| region.kept.as_ref().is_some_and(|kept| kept.fault)) {
            true => survey.keep(
                Region::is_swap,
                "another volume of the disk is not cleanly shut down, so its memory may be in use",
            ),
            false => swapped.finish().iter().for_each(|range| unused.push(range.clone())),
        }
        survey.unused = unused.finish();
        survey
    }
}

impl Survey {
    /// Keeps those regions whole that are `meant`, if they are not kept already.
    fn keep(&mut self, meant: impl Fn(&Region) -> bool, reason: &str) {
        for region in self.regions.iter_mut().filter(|region| region.kept.is_none() && meant(region)) {
            region.kept = Some(Kept { reason: reason.to_owned(), hint: Some(SHUT_DOWN.to_owned()), fault: true });
            (region.free, region.dropped) = (None, 0);
        }
    }
}

/// Why a system is taken to sleep on the volume by one of those that claim it. A fault counts where none does.
fn asleep(claims: &[Claim<'_>], volume: &Volume<'_>) -> Result<Option<Error>> {
    let mut outcome = Ok(None);
    for system in claims.iter().filter_map(|(_, system)| *system) {
        match system.asleep(volume) {
            Ok(None) => {}
            Err(error) if is_of_guest(&error) => outcome = Err(error),
            found => return found,
        }
    }
    outcome
}

/// Whether the fault is one of the guest's data, for which a region is kept.
fn is_of_guest(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported)
}

/// Lets through what is wrong with the guest's data, and only that.
fn guests<T>(result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error) if !is_of_guest(&error) => Err(error),
        other => Ok(other),
    }
}

/// Bytes of `ranges` for which the image itself holds data: what lies beneath an overlay is not its own to drop.
fn data_within(image: &dyn Image, ranges: &Ranges) -> Result<u64> {
    let mut bytes = 0;
    let (Some(first), Some(last)) = (ranges.iter().next(), ranges.iter().next_back()) else { return Ok(0) };
    // In one walk: asking anew for each range can cost a search in the file system each.
    for extent in Extents::within(image, first.start..last.end) {
        let extent = extent?;
        if extent.content.is_data() && extent.depth == 0 {
            bytes += ranges.within(extent.range).map(|range| range.end - range.start).sum::<u64>();
        }
    }
    Ok(bytes)
}
