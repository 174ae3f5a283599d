//! Images that are not compressed: what counts is when their bytes are on the disk.

use super::{Job, job};
use crate::limits::Part::{Copy, Scan};

/// When each side has its output on the disk: what the row says, and the words of vimage and of qemu-img for it. vimage flushes by
/// itself, and qemu-img does not.
struct Flush {
    says: &'static str,
    vimage: &'static str,
    qemu: &'static str,
    /// Whether vimage flushes.
    flushed: bool,
}

const DEFAULTS: Flush = Flush { says: "", vimage: "", qemu: "", flushed: true };
const BOTH: Flush = Flush { says: ", both flushed", vimage: "", qemu: " -t writeback", flushed: true };
const NEITHER: Flush = Flush { says: ", neither flushed", vimage: " -t unsafe", qemu: "", flushed: false };

pub(super) fn jobs() -> Vec<Job> {
    let mut jobs = Vec::new();
    for (name, source, format, target) in
        [("raw → qcow2", "debian.raw", "qcow2", "disk.qcow2"), ("qcow2 → raw", "plain.qcow2", "raw", "disk.raw")]
    {
        for flush in [DEFAULTS, BOTH, NEITHER] {
            // Out of order it is quicker with some files, and slower with others.
            let many: &[&str] = if flush.says.is_empty() { &["", " -m 16 -W"] } else { &[""] };
            for many in many {
                jobs.push(beside_qemu(name, &flush, many, source, target, "", &format!("-O {format}")).target(1.0));
            }
        }
    }
    for flush in [BOTH, NEITHER] {
        let sync = if flush.qemu.is_empty() { "" } else { " && sync disk.raw" };
        jobs.push(
            job(
                GROUP,
                format!("raw → raw{}", flush.says),
                format!("cp{}", if sync.is_empty() { "" } else { " and sync" }),
                format!("vimage convert -q{} $disks/debian.raw disk.raw", flush.vimage),
                format!("cp --sparse=always $disks/debian.raw disk.raw{sync}"),
            )
            .target(1.0)
            .limit([Copy { source: "debian.raw", flushed: flush.flushed }]),
        );
    }
    for (name, target, ours, theirs) in [
        ("raw → VDI", "disk.vdi", "", "-O vdi"),
        ("raw → monolithicSparse", "disk.vmdk", "", "-O vmdk -o subformat=monolithicSparse"),
        ("raw → split VMDK", "disk.vmdk", " --split 2G", "-O vmdk -o subformat=twoGbMaxExtentSparse"),
    ] {
        for flush in [BOTH, NEITHER] {
            jobs.push(beside_qemu(name, &flush, "", "debian.raw", target, ours, theirs).target(1.5));
        }
    }
    jobs.push(
        beside_qemu("4 GiB of zeros → qcow2", &DEFAULTS, "", "zeros.raw", "disk.qcow2", "", "-O qcow2")
            .target(1.0)
            .limit([Scan("zeros.raw")])
            .share(0.8),
    );
    jobs.push(beside_qemu(
        "1 TiB, 1 GiB of it here and there → qcow2",
        &BOTH,
        "",
        "scattered.raw",
        "disk.qcow2",
        "",
        "-O qcow2",
    ));
    jobs
}

const GROUP: &str = "Plain images";

fn beside_qemu(
    name: &str,
    flush: &Flush,
    many: &str,
    source: &'static str,
    target: &str,
    ours: &str,
    theirs: &str,
) -> Job {
    let from = if source.ends_with(".raw") { "raw" } else { "qcow2" };
    // The plain qcow2 holds what the disk holds, and its tables.
    let copied = if source == "plain.qcow2" { "debian.raw" } else { source };
    job(
        GROUP,
        format!("{name}{}", flush.says),
        format!("qemu-img{many}"),
        format!("vimage convert -q{} $disks/{source} {target}{ours}", flush.vimage),
        format!("qemu-img convert{}{many} -f {from} $disks/{source} {target} {theirs}", flush.qemu),
    )
    .limit([Copy { source: copied, flushed: flush.flushed }])
}
