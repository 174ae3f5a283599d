//! Disks whose guests have deleted much.

use super::{Job, job};
use crate::limits::Part::Copy;

pub(super) fn jobs() -> Vec<Job> {
    // What is left is what the disk held before the junk.
    let limit = || [Copy { source: "debian.raw", flushed: true }];
    vec![
        job(
            "Compaction",
            "raw full of junk → qcow2 --trim",
            "zerofree and qemu-img",
            "vimage convert -q $disks/dirty.raw disk.qcow2 --trim",
            "zerofree 'copy.raw?offset=1048576' && qemu-img convert -f raw copy.raw disk.qcow2 -O qcow2",
        )
        // It writes to the disk. Behind the question mark, libext2fs is told where the file system begins.
        .before_peer("cp --sparse=always $disks/dirty.raw copy.raw")
        .target(6.0)
        .limit(limit()),
        job(
            "Compaction",
            "ext4 full of junk → qcow2 --trim",
            "e2image -Qa",
            "vimage convert -q $disks/part.raw disk.qcow2 --trim",
            "e2image -Qa $disks/part.raw disk.qcow2",
        )
        .target(1.3)
        .limit(limit()),
    ]
}
