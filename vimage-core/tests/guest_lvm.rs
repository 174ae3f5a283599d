//! LVM2 by its own tools: which extents are free, where logical volumes lie, and groups that are not believed.
//!
//! The kernel's device mapper is not needed: volumes are made without being started, and what they hold is written where
//! `lvs` says that it lies.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod guest;

use guest::survey_of;
use guest::{
    Mounted, Scratch, compacted, contents, fill_and_delete, have, left_out, noise, output, peek, poke, run, spoil,
};
use std::ffi::OsStr;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use vimage_core::guest::{Region, Survey};

const MIB: u64 = 1 << 20;

/// Two partitions of one disk, each a physical volume, and their extents of 1 MiB.
const SIZE: u64 = 256 * MIB;
const PARTS: [Range<u64>; 2] = [MIB..128 * MIB, 128 * MIB..255 * MIB];
const EXTENT: u64 = MIB;

const TOOLS: [&str; 6] = ["sfdisk", "losetup", "pvcreate", "vgcreate", "lvcreate", "pvck"];

/// LVM's tools on the partitions of a disk, for as long as this lives.
struct Lvm {
    folder: tempfile::TempDir,
    devices: Vec<PathBuf>,
}

impl Lvm {
    /// None where the machine gives no loop devices: said by name.
    fn on(test: &str, disk: &Path) -> Option<Self> {
        let mut lvm = Lvm { folder: tempfile::tempdir().unwrap(), devices: Vec::new() };
        for part in PARTS {
            let (offset, limit) = (part.start.to_string(), (part.end - part.start).to_string());
            let made = output("losetup", &[&"-f", &"--show", &"-o", &offset, &"--sizelimit", &limit, &disk]);
            if !made.status.success() {
                left_out(test, &format!("losetup: {}", String::from_utf8_lossy(&made.stderr)));
                return None;
            }
            lvm.devices.push(PathBuf::from(String::from_utf8(made.stdout).unwrap().trim()));
        }
        Some(lvm)
    }

    /// Runs a tool that sees these devices only, and gives what it prints.
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let accepted: String = self.devices.iter().map(|device| format!("\"a|^{}$|\",", device.display())).collect();
        let folder = self.folder.path().display();
        let config = format!(
            "devices {{ use_devicesfile=0 filter=[{accepted}\"r|.*|\"] global_filter=[{accepted}\"r|.*|\"] scan=\"/dev\" \
             hints=\"none\" obtain_device_list_from_udev=0 external_device_info_source=\"none\" md_component_detection=0 }} \
             global {{ locking_dir=\"{folder}\" event_activation=0 use_lvmpolld=0 }} \
             backup {{ backup=0 archive=0 }} activation {{ udev_sync=0 udev_rules=0 monitoring=0 }}"
        );
        let mut all: Vec<&dyn AsRef<OsStr>> = Vec::new();
        // pvck and the like take no option about the driver.
        arguments.iter().for_each(|argument| all.push(argument));
        all.extend_from_slice(&[&"--driverloaded", &"n", &"--config", &config]);
        run(program, &all)
    }

    fn device(&self, index: usize) -> &str {
        self.devices[index].to_str().unwrap()
    }

    /// Rows of words.
    fn rows(&self, program: &str, columns: &str, more: &[&str]) -> Vec<Vec<String>> {
        let options = ["--noheadings", "--units", "b", "--nosuffix", "--separator", "|", "-o", columns];
        let table = self.run(program, &[&options[..], more].concat());
        table.lines().map(|line| line.trim().split('|').map(|word| word.trim().to_owned()).collect()).collect()
    }

    /// Free bytes of each physical volume, as pvs tells.
    fn free(&self) -> Vec<u64> {
        let rows = self.rows("pvs", "pv_name,pv_free", &[]);
        let of = |device: &PathBuf| rows.iter().find(|row| Path::new(&row[0]) == device).unwrap()[1].parse().unwrap();
        self.devices.iter().map(of).collect()
    }

    /// Where a logical volume lies on the disk, piece by piece, as lvs and pvs tell.
    fn pieces(&self, volume: &str) -> Vec<Range<u64>> {
        let starts = self.rows("pvs", "pv_name,pe_start", &[]);
        let at = |range: &str| {
            let (device, extents) = range.split_once(':').unwrap();
            let (first, last) = extents.split_once('-').unwrap();
            let index = self.devices.iter().position(|known| known == Path::new(device)).unwrap();
            let start: u64 = starts.iter().find(|row| row[0] == device).unwrap()[1].parse().unwrap();
            let base = PARTS[index].start + start;
            let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
            base + first * EXTENT..base + (last + 1) * EXTENT
        };
        let mut pieces = Vec::new();
        let name = format!("group/{volume}");
        let mut rows = self.rows("lvs", "seg_start,stripes,stripe_size,seg_pe_ranges", &["--segments", &name]);
        rows.sort_by_key(|row| row[0].parse::<u64>().unwrap());
        for row in rows {
            let chunk: u64 = row[2].parse().unwrap();
            let stripes: Vec<_> = row[3].split(' ').map(at).collect();
            if stripes.len() == 1 {
                pieces.extend(stripes);
                continue;
            }
            let rounds = (stripes[0].end - stripes[0].start) / chunk;
            for round in 0..rounds {
                pieces.extend(stripes.iter().map(|stripe| {
                    let start = stripe.start + round * chunk;
                    start..start + chunk
                }));
            }
        }
        pieces
    }
}

impl Drop for Lvm {
    fn drop(&mut self) {
        for device in &self.devices {
            output("losetup", &[&"-d", device]);
        }
    }
}

fn gather(disk: &Path, pieces: &[Range<u64>]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| peek(disk, piece.start, (piece.end - piece.start) as usize)).collect()
}

fn scatter(disk: &Path, pieces: &[Range<u64>], bytes: &[u8]) {
    let mut rest = bytes;
    for piece in pieces {
        let (now, later) = rest.split_at((piece.end - piece.start) as usize);
        poke(disk, piece.start, now);
        rest = later;
    }
    assert!(rest.is_empty());
}

/// A disk with two physical volumes full of garbage, and the group `group` over both.
fn group(test: &str, tools: &[&str], options: &[&str]) -> Option<(Scratch, Lvm)> {
    if !have(test, &[&TOOLS, tools].concat()) {
        return None;
    }
    let scratch = Scratch::of(SIZE);
    let script = scratch.path("script");
    let lines: Vec<_> = PARTS
        .iter()
        .map(|part| format!("start={}, size={}, type=8e", part.start / 512, (part.end - part.start) / 512))
        .collect();
    std::fs::write(&script, format!("label: dos\n{}\n", lines.join("\n"))).unwrap();
    run("sh", &[&"-c", &"sfdisk --quiet --no-reread --no-tell-kernel \"$0\" < \"$1\"", &scratch.disk, &script]);
    for part in PARTS {
        for at in [2 * MIB, 40 * MIB, 100 * MIB, 120 * MIB] {
            poke(&scratch.disk, part.start + at, &noise(at, 5 << 20));
        }
    }
    let lvm = Lvm::on(test, &scratch.disk)?;
    for index in 0..2 {
        lvm.run("pvcreate", &[&["-y", "-ff", lvm.device(index)], options].concat());
    }
    lvm.run("vgcreate", &["-s", "1m", "group", lvm.device(0), lvm.device(1)]);
    Some((scratch, lvm))
}

fn create(lvm: &Lvm, name: &str, extents: u64, options: &[&str]) {
    let extents = extents.to_string();
    lvm.run("lvcreate", &[&["-y", "-an", "-Zn", "-Wn", "-n", name, "-l", &extents, "group"], options].concat());
}

fn region<'s>(survey: &'s Survey, name: &str) -> &'s Region {
    survey.regions.iter().find(|region| region.name == name).unwrap_or_else(|| panic!("{name}: {survey:?}"))
}

/// That both physical volumes are kept whole, the first for a reason that contains `why`.
fn kept(disk: &Path, why: &str) {
    let survey = survey_of(disk);
    assert!(survey.unused.is_empty(), "{why}: {survey:?}");
    let reasons: Vec<_> = survey.regions.iter().map(|region| region.kept.as_ref().unwrap().reason.as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.contains(why)), "{reasons:?}: not {why}");
    assert!(survey.regions.iter().all(|region| region.kind == Some("LVM2") && region.free.is_none()), "{survey:?}");
}

#[test]
fn free_extents_and_volumes_are_where_lvm_says() {
    const NAME: &str = "free_extents_and_volumes_are_where_lvm_says";
    let Some((scratch, lvm)) = group(NAME, &["mkfs.ext4", "e2fsck", "mkswap", "vgck"], &[]) else { return };
    let (one, two) = (lvm.device(0).to_owned(), lvm.device(1).to_owned());
    // Linear in three pieces on two disks, striped over both, and one of each after the other.
    create(&lvm, "root", 20, &[&one]);
    create(&lvm, "swap", 9, &[&one]);
    lvm.run("lvextend", &["-l", "+15", "group/root", &one]);
    lvm.run("lvextend", &["-l", "+17", "group/root", &two]);
    create(&lvm, "data", 60, &["-i", "2", "-I", "64k"]);
    create(&lvm, "gone", 12, &[]);
    lvm.run("lvremove", &["-y", "group/gone"]);

    let pieces = |name: &str| lvm.pieces(name);
    assert_eq!(pieces("root").len(), 3, "three segments");
    let mut files = Vec::new();
    for name in ["root", "data"] {
        let pieces = pieces(name);
        let part = scratch.path(name);
        let size: u64 = pieces.iter().map(|piece| piece.end - piece.start).sum();
        File::create(&part).unwrap().set_len(size).unwrap();
        run("mkfs.ext4", &[&"-q", &part]);
        let Some(mounted) = Mounted::new(NAME, &part, 0, &scratch.path("m"), "") else { return };
        fill_and_delete(&mounted.folder, 6 << 20, 12 << 20);
        files.push((name, contents(&mounted.folder)));
        drop(mounted);
        scatter(&scratch.disk, &pieces, &peek(&part, 0, size as usize));
    }
    let part = scratch.path("swap");
    File::create(&part).unwrap().set_len(9 * MIB).unwrap();
    run("mkswap", &[&part]);
    scatter(&scratch.disk, &pieces("swap"), &[peek(&part, 0, 4096), noise(5, (9 << 20) - 4096)].concat());

    let to = scratch.path("compact.raw");
    let survey = compacted(&scratch.disk, &to);
    let names: Vec<_> = survey.regions.iter().map(|region| (region.name.as_str(), region.kind)).collect();
    let (lvm2, ext4) = (Some("LVM2"), Some("ext4"));
    let expected = [("1", lvm2), ("group/data", ext4), ("group/root", ext4), ("group/swap", Some("swap")), ("2", lvm2)];
    assert_eq!(names, expected);
    let free = lvm.free();
    assert_eq!([region(&survey, "1").free, region(&survey, "2").free], [Some(free[0]), Some(free[1])]);
    assert_eq!(region(&survey, "group/swap").free, Some(9 * MIB - 4096));
    assert!(region(&survey, "1").dropped > 5 << 20, "{survey:?}");
    for name in ["group/data", "group/root"] {
        assert!(region(&survey, name).dropped > 10 << 20, "{survey:?}");
    }
    let size = |name: &str| region(&survey, name).size;
    assert_eq!([size("group/root"), size("group/data"), size("group/swap")], [52 * MIB, 60 * MIB, 9 * MIB]);
    let known = lvm.rows("lvs", "lv_name,seg_pe_ranges", &["--segments", "group"]).len();
    drop(lvm);

    let check = |disk: &Path| {
        let lvm = Lvm::on(NAME, disk).unwrap();
        lvm.run("vgck", &["group"]);
        (0..2).for_each(|index| drop(lvm.run("pvck", &[lvm.device(index)])));
        assert_eq!(lvm.rows("lvs", "lv_name,seg_pe_ranges", &["--segments", "group"]).len(), known);
        for (name, files) in &files {
            let part = scratch.path("part");
            std::fs::write(&part, gather(disk, &lvm.pieces(name))).unwrap();
            run("e2fsck", &[&"-fn", &part]);
            let mounted = Mounted::new(NAME, &part, 0, &scratch.path("m"), "ro").unwrap();
            assert_eq!(contents(&mounted.folder), *files, "{name}");
        }
    };
    check(&to);
    spoil(&to, &survey);
    check(&to);
}

#[test]
fn what_is_no_plain_volume_is_kept() {
    const NAME: &str = "what_is_no_plain_volume_is_kept";
    let Some((scratch, lvm)) = group(NAME, &["mkswap"], &[]) else { return };
    for (name, extents) in [("origin", 10), ("store", 4), ("tmeta", 2), ("tdata", 20), ("plain", 5)] {
        create(&lvm, name, extents, &[lvm.device(0)]);
    }
    for (name, extents, index) in [("image0", 6, 0), ("meta0", 1, 0), ("image1", 6, 1), ("meta1", 1, 1)] {
        create(&lvm, name, extents, &[lvm.device(index)]);
    }
    let free = lvm.free();
    for name in ["origin", "store", "tdata", "plain"] {
        poke(&scratch.disk, lvm.pieces(name)[0].start, &peek(&swap(&scratch), 0, 4096));
    }
    let expected = |survey: &Survey| {
        assert_eq!([region(survey, "1").free, region(survey, "2").free], [Some(free[0]), Some(free[1])]);
    };
    let survey = survey_of(&scratch.disk);
    expected(&survey);
    assert!(["origin", "store", "plain"].iter().all(|name| region(&survey, &format!("group/{name}")).free.is_some()));

    // A snapshot, and a thin volume in a pool. To make them, the tools want a kernel that runs them; they know what it says.
    rewritten(&scratch.disk, |text| {
        let hidden = |text: String, name: &str| {
            let at = text.find(&format!("\n{name} {{")).unwrap();
            let status = at + text[at..].find(", \"VISIBLE\"").unwrap();
            [&text[..status], &text[status + 11..]].concat()
        };
        let parts = [
            ("tmeta", "pool_tmeta"),
            ("tdata", "pool_tdata"),
            ("image0", "twice_rimage_0"),
            ("image1", "twice_rimage_1"),
            ("meta0", "twice_rmeta_0"),
            ("meta1", "twice_rmeta_1"),
        ];
        let text = parts.iter().fold(text, |text, (name, new)| {
            hidden(text, name).replace(&format!("\n{name} {{"), &format!("\n{new} {{"))
        });
        let volume = |id: &str, name: &str, visible: &str, segment: &str| {
            format!(
                "\n\t\t{name} {{\n\t\t\tid = \"{id}-1111-1111-1111-1111-1111-111111\"\n\t\t\tstatus = [\"READ\", \"WRITE\"{visible}]\n\
                 \t\t\tflags = []\n\t\t\tsegment_count = 1\n\n\t\t\tsegment1 {{\n\t\t\t\tstart_extent = 0\n{segment}\t\t\t}}\n\t\t}}\n"
            )
        };
        let more = [
            volume(
                "222222",
                "snapshot0",
                "",
                "extent_count = 10\ntype = \"snapshot\"\nchunk_size = 8\norigin = \"origin\"\ncow_store = \"store\"\n",
            ),
            volume(
                "333333",
                "pool",
                ", \"VISIBLE\"",
                "extent_count = 20\ntype = \"thin-pool\"\nmetadata = \"pool_tmeta\"\npool = \"pool_tdata\"\ntransaction_id = 1\nchunk_size = 128\ndiscards = \"passdown\"\nzero_new_blocks = 1\n",
            ),
            volume(
                "444444",
                "thin",
                ", \"VISIBLE\"",
                "extent_count = 30\ntype = \"thin\"\nthin_pool = \"pool\"\ntransaction_id = 0\ndevice_id = 1\n",
            ),
            volume(
                "555555",
                "twice",
                ", \"VISIBLE\"",
                "extent_count = 6\ntype = \"raid1\"\ndevice_count = 2\nregion_size = 1024\nraids = [\"twice_rmeta_0\", \"twice_rimage_0\", \"twice_rmeta_1\", \"twice_rimage_1\"]\n",
            ),
        ];
        let at = text.find("logical_volumes {").unwrap() + "logical_volumes {".len();
        [&text[..at], &more.concat(), &text[at..]].concat()
    });
    let kinds = lvm.rows("lvs", "lv_name,segtype", &["group"]);
    for (name, kind) in [("thin", "thin"), ("pool", "thin-pool"), ("twice", "raid1"), ("store", "linear")] {
        assert!(kinds.iter().any(|row| row[0] == name && row[1] == kind), "{kinds:?}");
    }
    assert_eq!(lvm.free(), free);
    let survey = survey_of(&scratch.disk);
    expected(&survey);
    for (name, size, why) in [
        ("origin", 10, "shares its content"),
        ("store", 4, "shares its content"),
        ("pool", 20, "thin-pool"),
        ("thin", 30, "thin"),
        ("twice", 6, "raid1"),
    ] {
        let region = region(&survey, &format!("group/{name}"));
        assert_eq!((region.free, region.size), (None, size * MIB), "{region:?}");
        assert!(region.kept.as_ref().unwrap().reason.contains(why), "{region:?}");
    }
    // It holds swap space, and nothing is wrong with the others.
    let plain = region(&survey, "group/plain");
    assert!(plain.is_swap() && plain.free == Some(4 * MIB - 4096), "{plain:?}");
    assert_eq!(survey.regions.len(), 2 + 6, "hidden ones are not told: {survey:?}");
}

fn swap(scratch: &Scratch) -> PathBuf {
    let part = scratch.path("swap");
    File::create(&part).unwrap().set_len(4 * MIB).unwrap();
    let made = run("mkswap", &[&part]);
    assert!(made.contains("version 1"));
    part
}

/// LVM's CRC by its definition, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0xf597_a6cf, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum: u32, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// The metadata area that begins 4 KiB into a partition: where its text lies, and how long it is.
fn area(disk: &Path, part: usize) -> (u64, Range<u64>) {
    let at = PARTS[part].start + 4096;
    let number = |offset: u64| u64::from_le_bytes(peek(disk, at + offset, 8).try_into().unwrap());
    assert_eq!(peek(disk, at + 4, 16), b" LVM2 x[5A%r0N*>");
    (at, at + number(40)..at + number(40) + number(48))
}

/// Sets the sums of text and header right.
fn summed(disk: &Path, part: usize) {
    let (at, text) = area(disk, part);
    let len = (text.end - text.start) as usize;
    poke(disk, at + 56, &crc(&peek(disk, text.start, len)).to_le_bytes());
    poke(disk, at, &crc(&peek(disk, at + 4, 508)).to_le_bytes());
}

/// Puts another text in the place of both volumes' metadata.
fn rewritten(disk: &Path, change: impl Fn(String) -> String) {
    for part in 0..PARTS.len() {
        let (at, range) = area(disk, part);
        let text = String::from_utf8(peek(disk, range.start, (range.end - range.start) as usize)).unwrap();
        let text = change(text);
        let offset = 512 * 1024_u64;
        poke(disk, at + offset, text.as_bytes());
        poke(disk, at + 40, &[offset.to_le_bytes(), (text.len() as u64).to_le_bytes()].concat());
        summed(disk, part);
    }
}

/// Changes the text in the metadata areas of some, in as many bytes.
fn retold(disk: &Path, parts: &[usize], from: &str, to: &str) {
    assert!(to.len() <= from.len());
    for part in parts {
        let (_, range) = area(disk, *part);
        let text = String::from_utf8(peek(disk, range.start, (range.end - range.start) as usize)).unwrap();
        let at = text.find(from).unwrap_or_else(|| panic!("{from}: {text}"));
        poke(disk, range.start + at as u64, format!("{to:len$}", len = from.len()).as_bytes());
        summed(disk, *part);
    }
}

#[test]
fn groups_that_are_damaged_or_changing_are_kept() {
    const NAME: &str = "groups_that_are_damaged_or_changing_are_kept";
    let Some((scratch, lvm)) = group(NAME, &[], &[]) else { return };
    create(&lvm, "one", 10, &[lvm.device(0)]);
    create(&lvm, "two", 10, &[lvm.device(1)]);
    let disk = scratch.disk.as_path();
    let survey = survey_of(disk);
    assert!(!survey.unused.is_empty());
    let saved: Vec<_> = PARTS.iter().map(|part| peek(disk, part.start, 1 << 20)).collect();
    let restore = || PARTS.iter().zip(&saved).for_each(|(part, bytes)| poke(disk, part.start, bytes));

    let both = [0, 1];
    let cases: [(&str, &[usize], &str, &str); 19] = [
        ("do not agree", &[0], "extent_count = 10", "extent_count = 11"),
        ("to two volumes", &both, "\"pv1\", 0", "\"pv0\", 0"),
        ("that it has not", &both, "pe_count = 126", "pe_count = 5"),
        ("being moved", &both, "\"VISIBLE\"", "\"LOCKED\""),
        ("being moved", &both, "\"VISIBLE\"", "\"PVMOVE\""),
        ("straight on a physical volume", &both, "type = \"striped\"", "type = \"mirror\""),
        ("physical and logical", &both, "stripe_count = 1", "stripe_count = 3"),
        ("a gap", &both, "extent_count = 10", "extent_count = 0"),
        ("is exported", &both, "\"RESIZEABLE\"", "\"EXPORTED\""),
        ("is clustered", &both, "\"RESIZEABLE\"", "\"CLUSTERED\""),
        ("is exported", &both, "\"ALLOCATABLE\"", "\"EXPORTED\""),
        ("between its tables", &both, "pe_start = 2048", "pe_start = 1024"),
        ("between its tables", &both, "pe_start = 2048", "pe_start = 4096"),
        ("extents of no size", &both, "extent_size = 2048", "extent_size = 0"),
        ("miscounts", &both, "segment_count = 1", "segment_count = 2"),
        ("a gap", &both, "start_extent = 0", "start_extent = 1"),
        ("another kind or version", &both, "Text Format Volume Group", "Text Format Volume Grape"),
        ("two things", &both, "max_lv = 0", "max_pv = 0"),
        ("format lvm2", &both, "\"lvm2\"", "\"lvm3\""),
    ];
    for (why, parts, from, to) in cases {
        retold(disk, parts, from, to);
        kept(disk, why);
        restore();
    }
    let at = PARTS[0].start;
    // Bits that sums cover: of the label, the area's header, its text. Flipped, as the label holds a random name.
    for (why, offset) in [("label is not whole", 512 + 40), ("header that is not whole", 4096 + 30)] {
        poke(disk, at + offset, &[peek(disk, at + offset, 1)[0] ^ 1]);
        kept(disk, why);
        restore();
    }
    let (header, text) = area(disk, 0);
    poke(disk, text.start + 50, &[peek(disk, text.start + 50, 1)[0] ^ 1]);
    kept(disk, "text that is not whole");
    restore();
    // A change that is announced and not made, an area that is switched off in one, and in both.
    poke(disk, header + 64, &4096_u64.to_le_bytes());
    summed(disk, 0);
    kept(disk, "middle of a change");
    restore();
    poke(disk, header + 60, &[1]);
    summed(disk, 0);
    assert_eq!(survey_of(disk).unused, survey.unused);
    poke(disk, area(disk, 1).0 + 60, &[1]);
    summed(disk, 1);
    kept(disk, "no volume group");
    restore();
    poke(disk, header + 60, &[2]);
    summed(disk, 0);
    kept(disk, "unknown flags");
    restore();
    for (offset, number) in [(40_u64, 100_u64), (40, 1 << 40), (48, 1 << 40), (48, u64::MAX)] {
        poke(disk, header + offset, &number.to_le_bytes());
        poke(disk, header, &crc(&peek(disk, header + 4, 508)).to_le_bytes());
        kept(disk, "points out of itself");
        restore();
    }
    // More metadata areas than LVM makes, all of them in order, behind an area of data.
    let areas = peek(disk, at + 512 + 72, 48);
    assert!(areas[16..32] == [0; 16] && areas[32..40] == 4096_u64.to_le_bytes(), "{areas:x?}");
    let mut list = areas[32..].repeat(3);
    list.resize(6 * 16, 0);
    poke(disk, at + 512 + 104, &list);
    poke(disk, at + 512 + 16, &crc(&peek(disk, at + 512 + 20, 492)).to_le_bytes());
    kept(disk, "3 areas with LVM's metadata");
    restore();
    // The same volume twice, another mark on it, and a label of a larger one.
    poke(disk, PARTS[1].start, &saved[0]);
    kept(disk, "same identifier");
    restore();
    poke(disk, PARTS[1].end - 8192, b"\xfc\x4e\x2b\xa9\x01\0\0\0");
    kept(disk, "MD RAID member");
    poke(disk, PARTS[1].end - 8192, &[0; 8]);
    poke(disk, at + 512 + 64, &(1_u64 << 40).to_le_bytes());
    poke(disk, at + 512 + 16, &crc(&peek(disk, at + 512 + 20, 492)).to_le_bytes());
    kept(disk, "is of a volume of");
    restore();
    assert_eq!(survey_of(disk).unused, survey.unused);

    // As the tools do it.
    lvm.run("vgexport", &["group"]);
    kept(disk, "is exported");
    lvm.run("vgimport", &["group"]);
    assert_eq!(survey_of(disk).unused, survey.unused);
}

#[test]
fn older_copies_give_way_and_missing_disks_are_told() {
    const NAME: &str = "older_copies_give_way_and_missing_disks_are_told";
    let Some((scratch, lvm)) = group(NAME, &[], &["--metadatacopies", "2"]) else { return };
    create(&lvm, "one", 10, &[lvm.device(0)]);
    let old = peek(&scratch.disk, PARTS[1].start, 1 << 20);
    create(&lvm, "both", 20, &["-i", "2", "-I", "128k"]);
    let free = lvm.free();
    let check = || {
        let survey = survey_of(&scratch.disk);
        assert_eq!([region(&survey, "1").free, region(&survey, "2").free], [Some(free[0]), Some(free[1])]);
        assert!(region(&survey, "1").dropped > 0 && survey.regions.len() == 4, "{survey:?}");
    };
    check();
    poke(&scratch.disk, PARTS[1].start, &old);
    check();
    drop(lvm);
    // The second disk is another machine's.
    poke(&scratch.disk, PARTS[1].start, &[0; 4096]);
    let survey = survey_of(&scratch.disk);
    assert_eq!(region(&survey, "1").free, Some(free[0]));
    assert!(region(&survey, "group/both").kept.as_ref().unwrap().reason.contains("not this one"), "{survey:?}");
    assert_eq!(region(&survey, "2").free, None);
}

#[test]
fn mutations_of_metadata_never_free_what_is_used() {
    const NAME: &str = "mutations_of_metadata_never_free_what_is_used";
    let Some((scratch, lvm)) = group(NAME, &[], &[]) else { return };
    create(&lvm, "one", 10, &[lvm.device(0)]);
    create(&lvm, "two", 10, &["-i", "2"]);
    drop(lvm);
    let disk = scratch.disk.as_path();
    let saved: Vec<_> = PARTS.iter().map(|part| peek(disk, part.start, 1 << 20)).collect();
    let heads = PARTS.map(|part| part.start..part.start + MIB);
    let random = noise(13, 1200 * 8);
    for bytes in random.chunks(8) {
        let part = usize::from(bytes[0] & 1);
        let (header, text) = area(disk, part);
        let pick = u64::from(u16::from_le_bytes([bytes[1], bytes[2]]));
        let at = match bytes[3] % 4 {
            0 => PARTS[part].start + 512 + pick % 200,
            1 => header + 20 + pick % 100,
            _ => text.start + pick % (text.end - text.start).max(1),
        };
        poke(disk, at, &[bytes[4] & 0x7f]);
        let len = area(disk, part).1;
        // Sums are set right, so that what they cover is looked at, where the text is still in reach.
        if len.end > len.start && len.end - len.start < 1 << 20 && len.end < SIZE {
            summed(disk, part);
            let label = PARTS[part].start + 512;
            poke(disk, label + 16, &crc(&peek(disk, label + 20, 492)).to_le_bytes());
        }
        let survey = survey_of(disk);
        for range in survey.unused.iter() {
            assert!(heads.iter().all(|head| range.end <= head.start || head.end <= range.start), "{survey:?}");
        }
        PARTS.iter().zip(&saved).for_each(|(part, bytes)| poke(disk, part.start, &bytes[..1 << 16]));
    }
}
