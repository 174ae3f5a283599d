//! From an image to its targets: planned, read and encoded on all cores, written in order.

mod observer;
mod order;
mod plan;
mod prepare;
mod read;

pub use observer::Observer;
pub use plan::{Plan, Slab};

pub(crate) use order::in_order;
pub(crate) use read::read_data;

use crate::digest::{ContentDigest, Fold};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::target::{ImageWriter, LARGEST_UNIT, Target, Units};
use prepare::Prepared;

/// Bytes that a worker reads at a time: enough to make the cost of a system call small, few enough for the slabs in flight
/// to stay in the processor's outer cache.
pub const SLAB: usize = 1 << 20;

/// Reads each slab of `image` once and feeds all `targets`; returns the digest of the content if `digest` or a target asks
/// for it. The targets are not finished.
///
/// # Errors
/// The first fault in disk order; `Cancelled` when the observer stops it.
pub fn run(
    image: &dyn Image,
    targets: &mut [Target],
    digest: bool,
    observer: &dyn Observer,
) -> Result<Option<ContentDigest>> {
    let identified = digest || targets.iter().any(|target| target.identified);
    let slab = targets.iter().map(|target| target.units.size.min(LARGEST_UNIT)).fold(SLAB, usize::max);
    let halves = targets.iter_mut().map(|Target { units, writer, .. }| (&*units, writer));
    let (units, mut writers): (Vec<&Units>, Vec<&mut Box<dyn ImageWriter>>) = halves.unzip();
    let mut fold = Fold::default();
    observer.begin(image.size());
    in_order(
        Plan::new([image], image.size(), slab, observer),
        |slab, prepared: &mut Prepared| prepared.fill(slab, image, &units, identified),
        |slab, prepared| {
            if observer.cancelled() {
                return Err(Error::cancelled());
            }
            fold.update(&prepared.hashes);
            for (index, writer) in writers.iter_mut().enumerate() {
                prepared.bodies(index, slab, |offset, body, how| writer.append(offset, body, how))?;
            }
            observer.reached(slab.range().end);
            Ok(())
        },
    )?;
    observer.reached(image.size());
    Ok(identified.then(|| fold.finish(image.size())))
}
