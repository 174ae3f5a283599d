//! Questions about images. Most are answered so quickly that each is asked twenty times.

use super::{Job, job};
use crate::limits::Code::{Qcow2Zlib, Vmdk};
use crate::limits::Part::{Decode, HashDisk, Scan};

pub(super) fn jobs() -> Vec<Job> {
    let of = |name: &str, beside: &str, vimage: &str, peer: &str| job("Questions", name, beside, vimage, peer);
    let twenty = |name: &str, vimage: &str, peer: &str| {
        let often = |command| format!("for i in $(seq 20); do {command}; done");
        of(&format!("{name}, 20 times"), "qemu-img", &often(vimage), &often(peer)).target(1.0)
    };
    vec![
        of(
            "compare raw, qcow2",
            "qemu-img",
            "vimage compare -q $disks/debian.raw $disks/plain.qcow2",
            "qemu-img compare -q -f raw -F qcow2 $disks/debian.raw $disks/plain.qcow2",
        )
        .target(1.5)
        .limit([Scan("debian.raw"), Scan("plain.qcow2")]),
        of(
            "compare raw, qcow2 zlib",
            "qemu-img",
            "vimage compare -q $disks/debian.raw $disks/zlib.qcow2",
            "qemu-img compare -q -f raw -F qcow2 $disks/debian.raw $disks/zlib.qcow2",
        )
        .target(5.0)
        .limit([Scan("debian.raw"), Decode(Qcow2Zlib, "debian.raw")])
        .share(0.85),
        of(
            "compare raw, streamOptimized",
            "qemu-img",
            "vimage compare -q $disks/debian.raw $disks/stream.vmdk",
            "qemu-img compare -q -f raw -F vmdk $disks/debian.raw $disks/stream.vmdk",
        )
        .target(5.0)
        .limit([Scan("debian.raw"), Decode(Vmdk, "debian.raw")])
        .share(0.85),
        twenty("info", "vimage info $disks/plain.qcow2", "qemu-img info -f qcow2 $disks/plain.qcow2"),
        twenty("map", "vimage map --json $disks/plain.qcow2", "qemu-img map --output=json -f qcow2 $disks/plain.qcow2"),
        twenty("check", "vimage check -q $disks/plain.qcow2", "qemu-img check -q -f qcow2 $disks/plain.qcow2"),
        twenty(
            "measure",
            "vimage measure -O qcow2 $disks/plain.qcow2",
            "qemu-img measure -O qcow2 -f qcow2 $disks/plain.qcow2",
        ),
        of(
            "map 1 TiB raw, 1 GiB of it here and there",
            "qemu-img",
            "vimage map --json $disks/scattered.raw",
            "qemu-img map --output=json -f raw $disks/scattered.raw",
        )
        .target(1.0),
        of(
            "map 1 TiB qcow2, 1 GiB of it here and there",
            "qemu-img",
            "vimage map --json $disks/scattered.qcow2",
            "qemu-img map --output=json -f qcow2 $disks/scattered.qcow2",
        )
        .target(1.0),
        of("digest -a sha256", "sha256sum", "vimage digest -a sha256 $disks/debian.raw", "sha256sum $disks/debian.raw")
            .limit([HashDisk("debian.raw")]),
        of(
            "raw → raw --digest sha256, neither flushed",
            "cp and sha256sum",
            "vimage convert -q -t unsafe $disks/debian.raw disk.raw --digest sha256",
            "cp --sparse=always $disks/debian.raw disk.raw && sha256sum disk.raw >disk.raw.sha256",
        )
        .limit([HashDisk("debian.raw")]),
    ]
}
