//! Every format is written from every format, and read back to the very same bytes and extents.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::path::{Path, PathBuf};
use support::{Source, conforms, data_ranges};
use vimage_core::{ConvertOptions, ErrorKind, Extents, Image, convert, open};
use vimage_fixtures::{Disk, disks};

/// A way to write a disk.
struct Layout {
    name: &'static str,
    options: ConvertOptions,
    /// The file to open.
    file: &'static str,
    /// Bytes that are left out when they are zero; none where all are kept.
    unit: u64,
    sector: u64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn layouts() -> Vec<Layout> {
    let vmdk = |name: &'static str| Layout {
        name,
        options: ConvertOptions::to("vmdk").with("subformat", name),
        file: "out.vmdk",
        unit: 64 * KIB,
        sector: 512,
    };
    let qcow2 = |name: &'static str, settings: &str, unit: u64| {
        let mut options = ConvertOptions::to("qcow2");
        options.create.settings = settings.parse().unwrap();
        Layout { name, options, file: "out.qcow2", unit, sector: 512 }
    };
    let packed = |mut layout: Layout| {
        layout.options.create.compress = true;
        layout
    };
    let raw = ConvertOptions::to("raw");
    let vdi = ConvertOptions::to("vdi");
    vec![
        Layout { name: "raw", options: raw.clone(), file: "out.raw", unit: 4 * KIB, sector: 1 },
        Layout { name: "pieces", options: raw.split(5 * MIB), file: "out.raw.001", unit: 4 * KIB, sector: 1 },
        Layout { name: "zst", options: ConvertOptions::to("raw.zst"), file: "out.raw.zst", unit: MIB, sector: 1 },
        vmdk("monolithicSparse"),
        vmdk("monolithicFlat"),
        vmdk("twoGbMaxExtentSparse"),
        vmdk("twoGbMaxExtentFlat"),
        vmdk("streamOptimized"),
        Layout { options: vmdk("twoGbMaxExtentSparse").options.split(3 * MIB), ..vmdk("split sparse") },
        Layout { options: vmdk("twoGbMaxExtentFlat").options.split(3 * MIB), ..vmdk("split flat") },
        qcow2("qcow2", "", 64 * KIB),
        qcow2("qcow2 large", "cluster_size=2M,compat=0.10", 2 * MIB),
        qcow2("qcow2 parts", "extended_l2=on,cluster_size=2M", 64 * KIB),
        packed(qcow2("qcow2 zlib", "", 64 * KIB)),
        packed(qcow2("qcow2 zstd", "compression_type=zstd,cluster_size=256k,refcount_bits=1", 256 * KIB)),
        Layout { name: "vdi", options: vdi.clone(), file: "out.vdi", unit: MIB, sector: 512 },
        Layout { name: "vdi static, flat", options: vdi.with("static", "on"), file: "out.vdi", unit: MIB, sector: 512 },
    ]
}

impl Layout {
    /// Writes `image` into a folder of its own; returns the file to open.
    fn write(&self, image: &dyn Image, folder: &Path) -> PathBuf {
        let folder = folder.join(self.name);
        std::fs::create_dir(&folder).unwrap();
        let target = folder.join(self.file.trim_end_matches(".001"));
        convert(image, target, &self.options, &()).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        folder.join(self.file)
    }

    /// Whether splitting a disk of terabytes this finely would make more files than there may be.
    fn fits(&self, disk: &Disk) -> bool {
        let small = disk.size < 4 << 30;
        small || self.options.create.split.is_none() && self.name != "monolithicSparse"
    }
}

/// Exactly the units that hold a byte other than zero are kept. Flat files are sparse in blocks of the file system, which
/// may be larger than ours, so there it is enough that nothing more is kept than the same units would be.
fn extents_are_right(image: &dyn Image, disk: &Disk, layout: &Layout, name: &str) {
    let expected = disk.nonzero_ranges(layout.unit);
    let size = image.size();
    let mut found = data_ranges(image);
    for range in &mut found {
        range.end = range.end.min(size.min(disk.size));
    }
    if layout.name.contains("lat") || layout.unit < 64 * KIB {
        for range in &found {
            let whole = range.start / (64 * KIB) * (64 * KIB)..range.end.next_multiple_of(64 * KIB).min(disk.size);
            assert!(disk.holds_data(whole), "{name}: {range:?} is kept for nothing");
        }
    } else {
        assert_eq!(found, expected, "{name}: extents");
    }
}

#[test]
fn every_disk_through_every_layout() {
    for disk in disks() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source(disk.clone());
        for layout in layouts().iter().filter(|layout| layout.fits(&disk)) {
            let name = format!("{} as {}", disk.name, layout.name);
            let path = layout.write(&source, folder.path());
            let image = open(&path, &Default::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
            conforms(&image, &disk, layout.sector, &name);
            extents_are_right(&image, &disk, layout, &name);
        }
    }
}

#[test]
fn every_layout_from_every_layout() {
    for disk in disks().into_iter().filter(|disk| disk.size <= 64 * MIB) {
        let folder = tempfile::tempdir().unwrap();
        for from in layouts() {
            let first = from.write(&Source(disk.clone()), folder.path());
            let first = open(first, &Default::default()).unwrap();
            let second_folder = folder.path().join(format!("from {}", from.name));
            std::fs::create_dir(&second_folder).unwrap();
            for to in layouts() {
                let name = format!("{} from {} to {}", disk.name, from.name, to.name);
                let second = open(to.write(&first, &second_folder), &Default::default()).unwrap();
                conforms(&second, &disk, from.sector.max(to.sector), &name);
                extents_are_right(&second, &disk, &to, &name);
            }
        }
    }
}

#[test]
fn the_same_disk_gives_the_same_bytes_from_any_layout() {
    let disk = vimage_fixtures::disk("sparse").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<Vec<u8>> = Vec::new();
    for from in layouts() {
        let first = open(from.write(&Source(disk.clone()), folder.path()), &Default::default()).unwrap();
        let target = folder.path().join(format!("from {}", from.name)).join("disk.vmdk");
        std::fs::create_dir(target.parent().unwrap()).unwrap();
        let mut options = ConvertOptions::to("vmdk").with("subformat", "streamOptimized");
        // Those are taken over, as whoever wrote them compressed them, unless a level is asked for.
        options.create.level = (from.name == "qcow2 zlib").then_some(5);
        convert(&first, &target, &options, &()).unwrap();
        files.push(std::fs::read(target).unwrap());
    }
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_disk_too_large_for_one_sparse_file_is_refused_with_what_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = vimage_fixtures::disk("three-tib").unwrap();
    let options = ConvertOptions::to("vmdk").with("subformat", "monolithicSparse");
    let error = convert(&Source(disk), folder.path().join("d.vmdk"), &options, &()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.hint().unwrap().contains("twoGbMaxExtentSparse"), "{error:?}");
    assert!(support::names(folder.path()).is_empty());
}

#[test]
fn a_map_costs_what_is_stored_and_not_what_the_disk_is() {
    let folder = tempfile::tempdir().unwrap();
    let disk = vimage_fixtures::disk("three-tib").unwrap();
    let runs = disk.runs.len();
    for layout in layouts().iter().filter(|layout| layout.fits(&disk)) {
        let image = open(layout.write(&Source(disk.clone()), folder.path()), &Default::default()).unwrap();
        let extents = Extents::of(&image).count();
        assert!(extents <= 8 * runs + 8, "{}: {extents} extents for {runs} runs", layout.name);
    }
}

#[test]
fn a_disk_without_bytes_is_raw_or_compressed_or_qcow2_or_refused() {
    let disk = Source(Disk { name: "none", size: 0, runs: Vec::new() });
    for layout in layouts() {
        let folder = tempfile::tempdir().unwrap();
        let written = convert(&disk, folder.path().join(layout.file), &layout.options, &());
        match layout.options.format.as_str() {
            "raw" => assert_eq!(written.unwrap().files[0].size, 0),
            "qcow2" | "raw.zst" => {
                assert_eq!(open(&written.unwrap().files[0].path, &Default::default()).unwrap().size(), 0);
            }
            _ => assert_eq!(written.unwrap_err().kind(), ErrorKind::Usage),
        }
    }
}
