//! A disk as a package.

use super::{Job, job};
use crate::limits::Code::Vmdk;
use crate::limits::Part::{Encode, HashOutput};

pub(super) fn jobs() -> Vec<Job> {
    vec![
        job(
            "Packages",
            "raw → OVA",
            "qemu-img, sha256sum, tar",
            "vimage convert -q $disks/debian.raw disk.ova",
            // The descriptor itself costs nothing: any will do.
            "echo '<Envelope/>' >a.ovf
qemu-img convert -f raw $disks/debian.raw a.vmdk -O vmdk -o subformat=streamOptimized
sha256sum --tag a.ovf a.vmdk >a.mf
tar cf disk.ova a.ovf a.mf a.vmdk",
        )
        .target(7.0)
        .limit([Encode(Vmdk, "debian.raw"), HashOutput])
        .share(0.85),
    ]
}
