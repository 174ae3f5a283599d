//! `--max-size`: no command goes on with a disk that is larger than was allowed, whatever the image claims and wherever it lies.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;
use support::laid::{DISK, QCOW2, qcow2};
use support::{Folder, MIB, disk, left_out};
use vimage_fixtures::qcow2::{COPIED, Options, Parent, ZERO, lay};

/// Bytes of the disk that most images here have: three mebibytes and a few sectors, four mebibytes in a package.
const SIZE: u64 = 3 * MIB + 5 * 512;

/// Where a qcow2 header says how large the disk is, and where and how long its L1 table is.
mod header {
    pub(crate) const SIZE: u64 = 24;
    pub(crate) const L1_ENTRIES: u64 = 36;
    pub(crate) const L1_OFFSET: u64 = 40;
}

/// A qcow2 image of the largest disk that there can be, 2 EiB of nothing, in a file that stores next to nothing.
fn vast() -> Folder {
    let (folder, image) = qcow2(&Options { cluster_bits: 21, ..Options::default() });
    let table = (image.bytes.len() as u64).next_multiple_of(1 << 21);
    folder.big_u64(header::SIZE, 1 << 61);
    folder.big_u32(header::L1_ENTRIES, 4 << 20);
    folder.big_u64(header::L1_OFFSET, table);
    folder.stretch(QCOW2, table + (32 << 20));
    folder
}

/// A qcow2 image of 8 MiB with a map of eight thousand million runs: a million times the same table, of which every other cluster is zero.
fn endless() -> Folder {
    let mut bytes = lay(&disk(DISK), &Options::default()).bytes;
    bytes.resize(bytes.len().next_multiple_of(1 << 16), 0);
    let table = bytes.len() as u64;
    let entry = |number| if number % 2 == 0 { ZERO } else { 0 };
    bytes.extend((0..8192).flat_map(|number| entry(number).to_be_bytes()));
    bytes.extend((0..1 << 20).flat_map(|_| (table | COPIED).to_be_bytes()));
    let folder = Folder::new();
    folder.put(QCOW2, bytes);
    folder.big_u64(header::SIZE, 1 << 49);
    folder.big_u32(header::L1_ENTRIES, 1 << 20);
    folder.big_u64(header::L1_OFFSET, table + (1 << 16));
    folder
}

#[test]
fn every_command_refuses_a_disk_that_is_too_large_at_once() {
    for (folder, size) in [(vast(), 1_u64 << 61), (endless(), 1 << 49)] {
        folder.put("appliance.toml", format!("name = \"machine\"\n[[disk]]\nimage = \"{QCOW2}\"\n"));
        let found = size.to_string();
        for line in [
            "convert disk.qcow2 out.raw",
            "convert disk.qcow2 out.vmdk -c",
            "convert disk.qcow2 out -O raw,vdi,ova",
            "compact disk.qcow2",
            "compact disk.qcow2 -n",
            "compact disk.qcow2 -o out.qcow2",
            "compact disk.qcow2 --punch",
            "compare disk.qcow2 disk.qcow2",
            "digest disk.qcow2",
            "digest -a sha256 disk.qcow2",
            "map disk.qcow2",
            "map --json disk.qcow2",
            "measure disk.qcow2 -O qcow2",
            "check disk.qcow2",
            "check --json disk.qcow2",
            "pack --init disk.qcow2",
            "pack appliance.toml",
        ] {
            let outcome = folder.run_tight(&format!("{line} --max-size 1T"));
            outcome.fails(&[QCOW2, "virtual size", &found, "1099511627776", "--max-size"]);
            folder.check();
        }
        // What it is can be told all the same.
        folder.run_tight("info disk.qcow2").succeeds().says(&[&found]);
        let told = folder.run_tight("info --json disk.qcow2").succeeds().json("info");
        assert_eq!(told["virtual-size"], size);
    }
}

#[test]
fn a_disk_of_the_very_size_is_taken() {
    let folder = Folder::with(&[DISK]);
    folder.makes("convert odd-capacity.raw d.qcow2", &["d.qcow2"]);
    folder.makes("convert odd-capacity.raw d.vdi", &["d.vdi"]);
    folder.makes("convert odd-capacity.raw d.vmdk", &["d.vmdk"]);
    folder.makes("convert odd-capacity.raw d.raw.zst", &["d.raw.zst"]);
    for image in ["odd-capacity.raw", "d.qcow2", "d.vdi", "d.vmdk", "d.raw.zst"] {
        let (most, less) = (SIZE, SIZE - 1);
        folder.run(&format!("check {image} --max-size {most}")).succeeds();
        folder.run(&format!("digest {image} --max-size {most}")).succeeds();
        folder.fails(&format!("check {image} --max-size {less}"), &[image, &most.to_string(), &less.to_string()]);
        folder.fails(&format!("digest {image} --max-size {less}"), &[image, &most.to_string(), &less.to_string()]);
    }
}

#[test]
fn every_image_of_a_chain_is_within_the_bound() {
    let folder = Folder::with(&[DISK]);
    folder.put("base.raw", folder.read("odd-capacity.raw"));
    folder.stretch("base.raw", 1 << 40);
    let parent = Parent { disk: Some(&disk(DISK)), name: "base.raw", format: Some("raw") };
    folder.put(QCOW2, lay(&disk(DISK), &Options { parent: Some(parent), ..Options::default() }).bytes);
    let words = ["base.raw", "1099511627776", "1073741824", "--max-size"];
    for line in ["digest disk.qcow2", "map disk.qcow2", "convert disk.qcow2 out.raw", "compact -n disk.qcow2"] {
        folder.fails(&format!("{line} --max-size 1G"), &words);
    }
    // What an output lies over is opened too.
    folder.fails("convert odd-capacity.raw out.qcow2 -B base.raw -F raw --max-size 1G", &words);
    folder.fails("measure odd-capacity.raw -O qcow2 -B base.raw -F raw --max-size 1G", &words);
    folder.run("digest disk.qcow2 --max-size 1T").succeeds();
    folder.run("info --chain disk.qcow2").succeeds().says(&["1099511627776"]);
}

/// A raw disk is no further unpacked than the bound is; what it unpacks to besides is looked into.
#[test]
fn what_is_compressed_as_a_whole() {
    let folder = Folder::with(&[DISK]);
    folder.put("zeros.raw", vec![0; 64 * MIB as usize]);
    folder.makes("convert odd-capacity.raw d.qcow2", &["d.qcow2"]);
    for (name, tool, ending) in [("zeros.raw", "gzip", "gz"), ("zeros.raw", "xz", "xz"), ("d.qcow2", "gzip", "gz")] {
        let Ok(made) = Command::new(tool).arg("-c").arg(folder.path(name)).output() else {
            return left_out(&format!("there is no {tool}"));
        };
        let packed = format!("{name}.{ending}");
        folder.put(&packed, made.stdout);
        for line in ["digest", "map", "convert -O raw --force", "convert -O vdi", "measure -O qcow2", "check"] {
            folder.run_tight(&format!("{line} {packed} --max-size 1M")).fails(&[&packed, "1048576", "--max-size"]);
            folder.check();
        }
        folder.run(&format!("digest {packed} --max-size 64M")).succeeds();
    }
}

#[test]
fn disks_of_packages() {
    let folder = Folder::with(&[DISK]);
    folder.put("appliance.toml", format!("name = \"machine\"\n[[disk]]\nimage = \"{DISK}.raw\"\n"));
    folder.makes("pack appliance.toml", &["machine.ova"]);
    folder.makes("pack appliance.toml inner.7z --of ovf", &["inner.7z"]);
    folder.makes("pack appliance.toml machine.7z", &["machine.7z"]);
    let words = ["4194304", "3145728", "--max-size"];
    for line in [
        "verify machine.ova",
        "verify --quick machine.ova",
        "unpack machine.ova out",
        "unpack machine.ova out -O raw",
        "digest machine.ova",
        "convert machine.ova:machine-disk1.vmdk out.raw",
        "unpack inner.7z out",
        "unpack inner.7z out -O raw",
        "unpack machine.7z out -O raw",
    ] {
        folder.fails(&format!("{line} --max-size 3M"), &words);
    }
    folder.run("verify machine.ova --max-size 4M").succeeds();
    folder.makes("unpack machine.ova machine --max-size 4M", &["machine"]);
    // What the descriptor claims counts too.
    let path = folder.path("machine").join("machine.ovf");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("ovf:capacity=\"4\"") && text.contains("byte * 2^20"), "{text}");
    std::fs::write(path, text.replace("ovf:capacity=\"4\"", "ovf:capacity=\"4194304\"")).unwrap();
    for line in
        ["unpack machine/machine.ovf out", "unpack machine/machine.ovf out -O raw", "verify machine/machine.ovf"]
    {
        folder.fails(&format!("{line} --max-size 1T"), &["4398046511104", "1099511627776", "--max-size"]);
    }
}
