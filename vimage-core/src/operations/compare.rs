//! Whether two disks are the same to a guest.

use crate::error::{Error, Result};
use crate::image::Image;
use crate::io::Aligned;
use crate::observer::{Observer, Phase};
use crate::pipeline::{CUT, InFlight, Plan, Slab, Spare, in_order, read_data};
use crate::zero::is_zero;
use std::cell::Cell;

/// How two disks compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Every byte is the same; a longer disk has nothing but zeros where the other ends.
    Identical,
    /// The first byte that differs.
    DiffersAt(u64),
}

/// Compares what a guest sees of `one` and `two`. Past its end, a shorter disk counts as zeros.
///
/// # Errors
/// The faults of reading; `Cancelled`.
pub fn compare(one: &dyn Image, two: &dyn Image, observer: &dyn Observer) -> Result<Comparison> {
    let size = one.size().max(two.size());
    let found = Cell::new(None);
    // Given back before the next slab is begun, so that few are in use and stay in the caches.
    let spare = Spare::<Buffers>::default();
    observer.begin(Phase::Work, Some(size));
    in_order(
        InFlight::usual(),
        Plan::new([one, two], size, CUT, observer).take_while(|_| found.get().is_none()).map(|slab| slab.map(Some)),
        |slab, differs: &mut Option<u64>| {
            let mut buffers = spare.take();
            *differs = buffers.compare(slab, one, two)?;
            spare.give(buffers);
            Ok(())
        },
        |slab, differs| {
            if observer.cancelled() {
                return Err(Error::cancelled());
            }
            if let (None, Some(at)) = (found.get(), differs) {
                found.set(Some(slab.offset + at));
            }
            observer.reached(slab.range().end);
            Ok(())
        },
    )?;
    observer.reached(size);
    Ok(found.get().map_or(Comparison::Identical, Comparison::DiffersAt))
}

/// A slab of each disk.
#[derive(Default)]
struct Buffers {
    one: Aligned,
    two: Aligned,
}

impl Buffers {
    /// Where in `slab` they first differ.
    fn compare(&mut self, slab: &Slab<2>, one: &dyn Image, two: &dyn Image) -> Result<Option<u64>> {
        let disks = [one, two].into_iter().zip([&mut self.one, &mut self.two]);
        for ((image, buffer), data) in disks.zip(&slab.data) {
            buffer.resize(image.size().saturating_sub(slab.offset).min(slab.len as u64) as usize);
            read_data(image, slab.offset, data, buffer)?;
        }
        let common = self.one.len().min(self.two.len());
        let longer = if self.one.len() > common { &self.one } else { &self.two };
        Ok(if self.one[..common] != self.two[..common] {
            self.one.iter().zip(self.two.iter()).position(|(one, two)| one != two).map(|at| at as u64)
        } else if is_zero(&longer[common..]) {
            None
        } else {
            longer[common..].iter().position(|&byte| byte != 0).map(|at| (common + at) as u64)
        })
    }
}
