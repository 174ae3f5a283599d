//! From an image to its targets: planned, read and encoded on all cores, written in order.

mod order;
mod plan;
mod prepare;
mod read;

pub use plan::{Plan, Slab};

pub(crate) use order::in_order;
pub(crate) use read::read_data;

use crate::digest::{ContentDigest, Fold};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::layers::Zeros;
use crate::observer::Observer;
use crate::target::{Encoding, ImageWriter, LARGEST_UNIT, Target, Units};
use prepare::{Origin, Prepared};

/// Bytes that a worker reads at a time: enough to make the cost of a system call small, few enough for the slabs in flight
/// to stay in the processor's outer cache.
pub const SLAB: usize = 1 << 20;

/// What a run found out about the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Its digest, if that was asked for.
    pub content: Option<ContentDigest>,
    /// Bytes that the image holds as data, and that the first target does not: they are zero. Slabs in which the base holds data
    /// do not count.
    pub dropped: u64,
    /// Bytes of the disk that the first target holds, by whole units.
    pub stored: u64,
}

/// Reads each slab of `image` once and feeds all `targets`; tells what identifies the content if `digest` or a target
/// asks for it: with `digest`, its digest. The targets are not finished.
///
/// What `base` holds too is not written: it lies beneath the targets, and is [`Zeros`] where nothing does. Where packed units
/// are passed on, the content is not looked into.
///
/// # Errors
/// The first fault in disk order; `Cancelled` when the observer stops it.
pub fn run(
    image: &dyn Image,
    base: Option<&dyn Image>,
    targets: &mut [Target],
    digest: bool,
    observer: &dyn Observer,
) -> Result<Outcome> {
    let identified = digest || targets.iter().any(|target| target.identified);
    let passing = !identified && passes(image, base, targets);
    let origin = Origin { image, base: base.unwrap_or(&Zeros(0)), identified, passing };
    let slab = targets.iter().map(|target| target.units.size.min(LARGEST_UNIT)).fold(SLAB, usize::max);
    let halves = targets.iter_mut().map(|Target { units, writer, .. }| (&*units, writer));
    let (units, mut writers): (Vec<&Units>, Vec<&mut Box<dyn ImageWriter>>) = halves.unzip();
    let mut fold = Fold::default();
    let mut dropped = 0;
    let mut stored = 0;
    observer.begin(image.size());
    in_order(
        Plan::new([image, origin.base], image.size(), slab, observer),
        |slab, prepared: &mut Prepared| prepared.fill(slab, &origin, &units),
        |slab, prepared| {
            if observer.cancelled() {
                return Err(Error::cancelled());
            }
            fold.update(&prepared.hashes);
            dropped += prepared.dropped;
            for (index, writer) in writers.iter_mut().enumerate() {
                prepared.bodies(index, slab, |offset, body, how| {
                    if index == 0 {
                        stored += if how == Encoding::Packed { units[0].size } else { body.len() } as u64;
                    }
                    writer.append(offset, body, how)
                })?;
            }
            observer.reached(slab.range().end);
            Ok(())
        },
    )?;
    observer.reached(image.size());
    let content = identified.then(|| fold.finish(image.size()));
    Ok(Outcome { content, dropped, stored })
}

/// Whether packed units of `image` go to `targets` as they are, without being inflated: when there is one target, it takes
/// units of this packing, and nothing has to be compared with a base.
fn passes(image: &dyn Image, base: Option<&dyn Image>, targets: &[Target]) -> bool {
    match (base, targets) {
        (None, [target]) => target.units.takes.is_some() && target.units.takes == image.packing(),
        _ => false,
    }
}
