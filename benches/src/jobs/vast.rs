//! A vast disk that holds little, beside a small one that holds the same.

use super::{Job, job};
use crate::limits::Part::Copy;

pub(super) fn jobs() -> Vec<Job> {
    let of = |format: &str| {
        job(
            "Vast disks",
            format!("64 TiB qcow2, 1 GiB of it data → {format}"),
            "vimage and that 1 GiB alone",
            format!("vimage convert -q $disks/vast.qcow2 disk.{format}"),
            format!("vimage convert -q $disks/one.qcow2 disk.{format}"),
        )
        .target(0.9)
    };
    vec![of("qcow2").limit([Copy { source: "one.qcow2", flushed: true }]), of("raw.zst")]
}
