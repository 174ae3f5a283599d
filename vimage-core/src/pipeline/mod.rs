//! From a disk to its targets: planned, read and encoded on all cores, written in order.

mod feed;
mod order;
mod plan;
mod prepare;
mod read;
mod spare;

pub use feed::Disk;
pub use plan::{Cut, Plan, Slab};

pub(crate) use order::{InFlight, in_order};
pub(crate) use read::read_data;
pub(crate) use spare::Spare;

use crate::digest::{ContentDigest, Fold};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::layers::Zeros;
use crate::observer::{Observer, Phase};
use crate::target::{Encoding, ImageWriter, LARGEST_UNIT, Target};
use feed::Job;
use prepare::{Encoders, Prepared};

/// Bytes that a worker reads at a time: enough to make the cost of a system call small, few enough for the slabs in flight
/// to stay in the processor's outer cache.
pub const SLAB: usize = 1 << 20;

/// How a disk is cut where nothing is written: at the blocks of [`ContentDigest`].
pub const CUT: Cut = Cut { slab: SLAB, unit: crate::digest::BLOCK };

/// Bytes that slabs in flight take at most, unless the caller says something else; less where streams and many outputs hold more.
pub const MEMORY: u64 = 128 << 20;

/// How a disk goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct How {
    /// Tell the digest of its content, whether or not a target asks for it.
    pub digest: bool,
    /// Bytes that slabs in flight may take together, where it is not [`MEMORY`]; enough for two are always taken.
    pub memory: Option<u64>,
}

/// Bytes that more than the usual number of outputs hold to be written behind.
fn holds(outputs: usize) -> u64 {
    outputs.saturating_sub(4) as u64 * (16 << 20)
}

/// What a run found out about the content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The disk's size in bytes.
    pub size: u64,
    /// Its digest, if that was asked for.
    pub content: Option<ContentDigest>,
    /// What each target got.
    pub taken: Vec<Taken>,
}

/// What a target got of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Bytes that the disk holds as data, and the target does not: they are zero. Slabs in which the base holds data do not count.
    pub dropped: u64,
    /// Bytes of the disk that the target holds, by whole units.
    pub stored: u64,
}

/// Reads each slab of `disk` once and feeds all `targets`. They are not finished.
///
/// What `base` holds too is not written: it lies beneath the targets, and is [`Zeros`] where nothing does. Packed units that a target
/// takes as they are go to it unopened; those that differ in their wrapping alone are not deflated again. Whatever the targets are, each gets what it would get alone.
///
/// # Errors
/// The first fault in disk order; `Cancelled` when the observer stops it; `Usage` for a stream over a base.
pub fn run<'a>(
    disk: Disk<'a>,
    base: Option<&'a dyn Image>,
    targets: &mut [Target],
    how: How,
    observer: &dyn Observer,
) -> Result<Outcome> {
    let unit = targets.iter().map(|target| target.units.size.min(LARGEST_UNIT)).fold(CUT.unit, usize::max);
    let cut = Cut { slab: SLAB.max(unit), unit };
    let identified = how.digest || targets.iter().any(|target| target.identified);
    // What is compared with a base has to be looked into.
    let packing = if base.is_none() { disk.packing() } else { None };
    let checked = targets.iter().any(|target| target.checked);
    let halves = targets.iter_mut().map(|Target { units, writer, .. }| (&*units, writer));
    let (units, mut writers): (Vec<_>, Vec<&mut Box<dyn ImageWriter>>) = halves.unzip();
    let encoders = Encoders::new(units, packing, identified, checked);
    let memory = how.memory.unwrap_or_else(|| MEMORY.saturating_sub(disk.holds() + holds(writers.len())));
    let usual = if encoders.copy() { InFlight::of_reading() } else { InFlight::usual() };
    let buffers = usual.within(memory, encoders.cost(cut.slab, base.is_some()));
    let mut fold = Fold::default();
    let mut taken = vec![Taken::default(); writers.len()];
    observer.begin(Phase::Work, disk.size());
    let beneath = base.unwrap_or(&Zeros(0));
    let size = disk.feed(base, cut, observer, |jobs| {
        in_order(
            buffers,
            jobs,
            |job: &Job<'_>, prepared: &mut Prepared| prepared.fill(&job.slab, job.image(), beneath, &encoders),
            |job, prepared| {
                if observer.cancelled() {
                    return Err(Error::cancelled());
                }
                fold.update(&prepared.hashes);
                for (index, (writer, taken)) in writers.iter_mut().zip(&mut taken).enumerate() {
                    let encoded = prepared.encoded(&encoders, index);
                    taken.dropped += encoded.dropped;
                    encoded.bodies(&prepared.data, job.slab.offset, |offset, body, how| {
                        let whole = if how == Encoding::Packed { encoders.unit(index) } else { body.len() };
                        taken.stored += whole as u64;
                        writer.append(offset, body, how)
                    })?;
                }
                observer.reached(job.slab.range().end);
                Ok(())
            },
        )
    })?;
    observer.reached(size);
    let content = identified.then(|| fold.finish(size));
    Ok(Outcome { size, content, taken })
}
