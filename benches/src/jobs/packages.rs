//! A disk as a package.

use super::{Job, job};
use crate::limits::Code::{Qcow2Zlib, Vmdk};
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
        job(
            "Packages",
            "raw → Vagrant box for libvirt",
            "qemu-img, tar, pigz",
            "vimage pack -q a.toml disk.box -O vagrant --provider libvirt",
            "echo '{\"provider\": \"libvirt\", \"format\": \"qcow2\", \"virtual_size\": 8}' >metadata.json
qemu-img convert -f raw $disks/debian.raw box.img -O qcow2
tar c metadata.json box.img | pigz >disk.box",
        )
        .before_vimage("printf 'name = \"a\"\\n[[disk]]\\nimage = \"%s\"\\n' $disks/debian.raw >a.toml")
        .limit([Encode(Qcow2Zlib, "debian.raw")])
        .share(0.85),
    ]
}
