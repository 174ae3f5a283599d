//! The disks that readers are asked about, with the sums of their bytes.

use super::peers::sum::{PIECE, Sum, Summer};
use std::ops::Range;
use std::sync::LazyLock;
use vimage_fixtures::{Disk, disks};

/// A disk with the sum of its bytes, filled up to whole sectors.
pub(crate) struct Known {
    pub(crate) disk: Disk,
    pub(crate) sum: Sum,
}

/// The disks that are read whole: all but the largest.
pub(crate) static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let known = |disk: Disk| Known { sum: sum_of(&disk, 0..capacity(&disk)), disk };
    disks().into_iter().filter(|disk| disk.size < 1 << 40).map(known).collect()
});

/// The size that a VMDK of `disk` has: whole sectors.
pub(crate) fn capacity(disk: &Disk) -> u64 {
    disk.size.next_multiple_of(512)
}

/// The disk of that name.
pub(crate) fn known(name: &str) -> &'static Known {
    KNOWN.iter().find(|known| known.disk.name == name).unwrap()
}

/// The sum of part of a disk. Beyond its end are zeros.
pub(crate) fn sum_of(disk: &Disk, range: Range<u64>) -> Sum {
    let mut summer = Summer::default();
    let mut piece = vec![0; PIECE];
    for offset in range.clone().step_by(PIECE) {
        let len = usize::try_from(range.end - offset).map_or(PIECE, |left| left.min(PIECE));
        disk.read_at(&mut piece[..len], offset);
        summer.add(&piece[..len]);
    }
    summer.finish()
}
