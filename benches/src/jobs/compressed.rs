//! Compressed images, written, read and turned into one another.

use super::{Job, job};
use crate::limits::Code::{Qcow2Zlib, Qcow2Zstd, RawZst, Vmdk};
use crate::limits::Part::{Copy, Decode, Encode};

const FASTEST: &str = "qemu-img -m 16 -W";
const DEBIAN: &str = "debian.raw";

pub(super) fn jobs() -> Vec<Job> {
    let of = |name, beside, vimage, peer| job("Compressed images", name, beside, vimage, peer);
    vec![
        of(
            "raw → streamOptimized",
            "qemu-img",
            "vimage convert -q $disks/debian.raw disk.vmdk -c",
            "qemu-img convert -f raw $disks/debian.raw disk.vmdk -O vmdk -o subformat=streamOptimized",
        )
        .target(7.0)
        .limit([Encode(Vmdk, DEBIAN)])
        .share(0.85),
        of(
            "raw → qcow2 -c zlib",
            FASTEST,
            "vimage convert -q $disks/debian.raw disk.qcow2 -c",
            "qemu-img convert -c -m 16 -W -f raw $disks/debian.raw disk.qcow2 -O qcow2",
        )
        .target(4.0)
        .limit([Encode(Qcow2Zlib, DEBIAN)])
        .share(0.85),
        of(
            "raw → qcow2 -c zstd",
            FASTEST,
            "vimage convert -q $disks/debian.raw disk.qcow2 -c -o compression_type=zstd",
            "qemu-img convert -c -m 16 -W -f raw $disks/debian.raw disk.qcow2 -O qcow2 -o compression_type=zstd",
        )
        .target(2.0)
        .limit([Encode(Qcow2Zstd, DEBIAN)])
        .share(0.85),
        of(
            "raw → raw.zst",
            "zstd -T0 -3",
            "vimage convert -q $disks/debian.raw disk.raw.zst",
            "zstd -q -f -T0 -3 $disks/debian.raw -o disk.raw.zst",
        )
        .limit([Encode(RawZst, DEBIAN)])
        .share(0.85),
        of(
            "random raw → qcow2 -c zlib",
            FASTEST,
            "vimage convert -q $disks/random.raw disk.qcow2 -c",
            "qemu-img convert -c -m 16 -W -f raw $disks/random.raw disk.qcow2 -O qcow2",
        )
        .limit([Encode(Qcow2Zlib, "random.raw"), Copy { source: "random.raw", flushed: true }]),
        of(
            "streamOptimized → qcow2 -c zlib",
            FASTEST,
            "vimage convert -q $disks/stream.vmdk disk.qcow2 -c",
            "qemu-img convert -c -m 16 -W -f vmdk $disks/stream.vmdk disk.qcow2 -O qcow2",
        )
        .target(20.0)
        .limit([Decode(Vmdk, DEBIAN), Copy { source: "stream.vmdk", flushed: true }])
        .share(0.85),
        of(
            "streamOptimized → raw",
            "qemu-img",
            "vimage convert -q $disks/stream.vmdk disk.raw",
            "qemu-img convert -f vmdk $disks/stream.vmdk disk.raw -O raw",
        )
        .target(3.0)
        .limit([Decode(Vmdk, DEBIAN), Copy { source: DEBIAN, flushed: true }])
        .share(0.85),
        of(
            "streamOptimized → raw",
            "7zz e",
            "vimage convert -q $disks/stream.vmdk disk.raw",
            "7zz e -tvmdk -so $disks/stream.vmdk >disk.raw",
        )
        .limit([Decode(Vmdk, DEBIAN), Copy { source: DEBIAN, flushed: true }])
        .share(0.85),
        of(
            "qcow2 zlib → qcow2 zlib",
            FASTEST,
            "vimage convert -q $disks/zlib.qcow2 disk.qcow2 -c",
            "qemu-img convert -c -m 16 -W -f qcow2 $disks/zlib.qcow2 disk.qcow2 -O qcow2",
        )
        .target(20.0)
        .limit([Copy { source: "zlib.qcow2", flushed: true }]),
        of(
            "qcow2 zlib → qcow2 zstd",
            FASTEST,
            "vimage convert -q $disks/zlib.qcow2 disk.qcow2 -c -o compression_type=zstd",
            "qemu-img convert -c -m 16 -W -f qcow2 $disks/zlib.qcow2 disk.qcow2 -O qcow2 -o compression_type=zstd",
        )
        .target(4.0)
        .limit([Decode(Qcow2Zlib, DEBIAN), Encode(Qcow2Zstd, DEBIAN)])
        .share(0.85),
        of(
            "qcow2 zlib → raw",
            FASTEST,
            "vimage convert -q $disks/zlib.qcow2 disk.raw",
            "qemu-img convert -m 16 -W -f qcow2 $disks/zlib.qcow2 disk.raw -O raw",
        )
        .target(3.0)
        .limit([Decode(Qcow2Zlib, DEBIAN), Copy { source: DEBIAN, flushed: true }])
        .share(0.85),
        of(
            "raw.gz → raw",
            "pigz -dc and dd conv=sparse",
            "vimage convert -q $disks/debian.raw.gz disk.raw",
            "pigz -dc $disks/debian.raw.gz | dd of=disk.raw bs=64K iflag=fullblock conv=sparse status=none",
        ),
    ]
}
