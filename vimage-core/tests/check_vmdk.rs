//! `check` finds what is wrong with a VMDK, says where, and finds nothing where nothing is wrong.
//!
//! Each fault is one change to an image that is clean before.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::path::{Path, PathBuf};
use support::Source;
use vimage_core::formats::{Finding, Findings, Severity};
use vimage_core::{ConvertOptions, ErrorKind, Observer, check, convert};
use vimage_fixtures::vmdk::hosted::{self, Directories};
use vimage_fixtures::vmdk::stream::{self, Layout};
use vimage_fixtures::vmdk::{cowd, sesparse, variants};
use vimage_fixtures::{Disk, disk, disks};

use Severity::{Corruption, Leak, Risk};

const MIB: u64 = 1 << 20;

fn found(path: &Path) -> Findings {
    check(path, &Default::default(), &()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes `disk` with vimage into `folder`, as `subformat` and in files of `split` bytes.
fn written(disk: &Disk, folder: &Path, subformat: &str, split: Option<u64>) -> PathBuf {
    let options = ConvertOptions::to("vmdk").with("subformat", subformat);
    let options = if let Some(split) = split { options.split(split) } else { options };
    let path = folder.join("disk.vmdk");
    convert(&Source(disk.clone()), &path, &options, &()).unwrap();
    path
}

#[test]
fn all_that_vimage_writes_is_clean() {
    let layouts = [
        ("monolithicSparse", None),
        ("monolithicFlat", None),
        ("twoGbMaxExtentSparse", None),
        ("twoGbMaxExtentFlat", None),
        ("streamOptimized", None),
        ("twoGbMaxExtentSparse", Some(3 * MIB)),
        ("twoGbMaxExtentFlat", Some(3 * MIB)),
    ];
    for disk in disks() {
        for (subformat, split) in layouts {
            if disk.size > 4 << 30 && (split.is_some() || subformat == "monolithicSparse") {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let found = found(&written(&disk, folder.path(), subformat, split));
            assert!(found.is_clean(), "{} as {subformat}, {split:?}: {:#?}", disk.name, found.list);
        }
    }
}

/// What is to be found in hand-laid images that are special; every other one is clean.
fn special(name: &str) -> &'static [(Severity, &'static str)] {
    const END: (Severity, &str) = (Risk, "no end-of-stream marker");
    const BEHIND: (Severity, &str) = (Risk, "follow the end-of-stream marker");
    const ORDER: (Severity, &str) = (Risk, "importers want them in order");
    const PLAIN: (Severity, &str) = (Risk, "monolithicSparse contradicts grains that are compressed");
    const SHORT: (Severity, &str) = (Risk, "VirtualBox refuses it");
    const OLD: (Severity, &str) = (Risk, "a header of version 2");
    const LEFT_OUT: (Severity, &str) = (Risk, "QEMU leaves out");
    const CASE: (Severity, &str) = (Risk, "QEMU does not know it so");
    let list: &[(&str, &[(Severity, &str)])] = &[
        ("hosted-ruined-directory", &[(Corruption, "a grain table lies past the end")]),
        ("hosted-zero-entries", &[OLD]),
        ("hosted-compressed-shuffled", &[END, ORDER, PLAIN]),
        ("hosted-compressed", &[END, PLAIN]),
        ("stream-both-at-end", &[(Risk, "counts 0 sectors")]),
        ("stream-front-short-grain", &[END, SHORT]),
        ("stream-short-grain", &[SHORT]),
        ("stream-front-end-marker", &[]),
        ("stream-front-zeros", &[BEHIND]),
        ("stream-front", &[END]),
        ("stream-footer-zeros", &[BEHIND]),
        ("descriptor-read-only", &[LEFT_OUT]),
        ("descriptor-offsets-zeros", &[LEFT_OUT]),
        ("descriptor-vmfs-offset", &[(Risk, "a VMFS extent with an offset")]),
        ("descriptor-upper-case", &[CASE]),
        ("descriptor-lower-case", &[CASE]),
        ("delta-zero-entries", &[OLD]),
    ];
    list.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or(&[], |(_, found)| found)
}

#[test]
fn hand_laid_images_have_what_is_special_about_them() {
    for variant in variants() {
        let folder = tempfile::tempdir().unwrap();
        let found = found(&variant.write(folder.path()).unwrap());
        let expected = special(&variant.name);
        let is = |finding: &Finding, (severity, words): &(Severity, &str)| {
            finding.severity == *severity && finding.message.contains(words)
        };
        for finding in &found.list {
            assert!(expected.iter().any(|expected| is(finding, expected)), "{}: {finding}", variant.name);
        }
        for expected in expected {
            assert!(found.list.iter().any(|finding| is(finding, expected)), "{}: no {expected:?}", variant.name);
        }
    }
}

/// An image, and the file of it that is to be broken.
struct Image {
    folder: tempfile::TempDir,
    path: PathBuf,
    file: PathBuf,
}

impl Image {
    fn new(lay: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = lay(folder.path());
        Image { folder, file: path.clone(), path }
    }

    fn sparse() -> Self {
        Self::new(|folder| written(&disk("grain-edges").unwrap(), folder, "monolithicSparse", None))
    }

    fn stream() -> Self {
        Self::new(|folder| written(&disk("grain-edges").unwrap(), folder, "streamOptimized", None))
    }

    /// A split disk, of which the second file of bytes is broken.
    fn split(subformat: &str) -> Self {
        let image = Self::new(|folder| written(&disk("sparse").unwrap(), folder, subformat, Some(20 * MIB)));
        let name = if subformat.ends_with("Flat") { "disk-f002.vmdk" } else { "disk-s002.vmdk" };
        Image { file: image.folder.path().join(name), ..image }
    }

    /// Makes the change; the findings that were not there before.
    fn broken(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Finding> {
        let before = found(&self.path);
        let whole = std::fs::read(&self.file).unwrap();
        let mut bytes = whole.clone();
        change(&mut bytes);
        assert_ne!(bytes, whole, "nothing was changed");
        std::fs::write(&self.file, bytes).unwrap();
        let after = found(&self.path);
        std::fs::write(&self.file, whole).unwrap();
        after.list.into_iter().filter(|finding| !before.list.contains(finding)).collect()
    }

    /// Asserts that the change is found, as `severity` and `words` at byte `at`.
    fn fault(&self, change: impl FnOnce(&mut Vec<u8>), severity: Severity, words: &str, at: impl Into<Option<u64>>) {
        let (new, at) = (self.broken(change), at.into());
        let is = |finding: &&Finding| {
            finding.severity == severity && finding.message.contains(words) && finding.offset == at
        };
        let found = new.iter().find(is);
        let found = found.unwrap_or_else(|| panic!("no {severity:?} \"{words}\" at {at:?} among {new:#?}"));
        if self.file != self.path {
            assert_eq!(found.path.as_ref(), Some(&self.file), "{found}");
        }
    }

    /// Asserts that a changed word of the descriptor is found, at the byte where its line or its file begins.
    fn word(&self, from: &str, to: &str, severity: Severity, words: &str, line: bool) {
        let text = std::fs::read(&self.path).unwrap();
        let start = if text.starts_with(b"KDMV") { 512 } else { 0 };
        let at = text.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let before = text[start..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let at = (start + if line { before } else { 0 }) as u64;
        let change = |bytes: &mut Vec<u8>| *bytes = replaced(bytes, from, to);
        self.fault(change, severity, words, at);
    }
}

/// The bytes with `from` changed to `to`, wherever it is first; what follows an embedded descriptor stays where it is.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let embedded = bytes.starts_with(b"KDMV");
    let (text, rest) = if embedded { (&bytes[512..21 * 512], &bytes[21 * 512..]) } else { (bytes, &[][..]) };
    let text = String::from_utf8(text.to_vec()).unwrap();
    let mut text = text.trim_end_matches('\0').replacen(from, to, 1).into_bytes();
    if !embedded {
        return text;
    }
    text.resize(20 * 512, 0);
    [&bytes[..512], &text, rest].concat()
}

fn u32_at(bytes: &[u8], at: u64) -> u32 {
    u32::from_le_bytes(bytes[at as usize..][..4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: u64) -> u64 {
    u64::from_le_bytes(bytes[at as usize..][..8].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: u64, new: &[u8]) {
    bytes[at as usize..][..new.len()].copy_from_slice(new);
}

fn put_u32(at: u64, value: u32) -> impl Fn(&mut Vec<u8>) {
    move |bytes| put(bytes, at, &value.to_le_bytes())
}

/// Where a hosted extent has the first tables of its directories, and these themselves.
struct Places {
    directory: u64,
    redundant: u64,
    table: u64,
    redundant_table: u64,
    /// The first entries of the table: sectors.
    grains: [u32; 4],
}

impl Places {
    fn of(bytes: &[u8]) -> Self {
        let at_end = u64_at(bytes, 56) == u64::MAX;
        let header = if at_end { bytes.len() as u64 - 1024 } else { 0 };
        let (directory, redundant) = (u64_at(bytes, header + 56) * 512, u64_at(bytes, header + 48) * 512);
        let table = |directory| u64::from(u32_at(bytes, directory)) * 512;
        let first = table(directory);
        let redundant_table = if redundant == 0 { 0 } else { table(redundant) };
        let grains = [0, 4, 8, 12].map(|entry| u32_at(bytes, first + entry));
        Places { directory, redundant, table: first, redundant_table, grains }
    }
}

#[test]
fn grains_that_lie_wrongly() {
    let image = Image::sparse();
    let bytes = std::fs::read(&image.path).unwrap();
    let at = Places::of(&bytes);
    assert!(at.grains[0] != 0 && at.grains[2] != 0 && at.grains[1] == 0, "the disk has changed");
    let (last, end) = (at.table + 2 * 4, (bytes.len() / 512) as u32);
    let fault = |sector, severity, words| image.fault(put_u32(last, sector), severity, words, last);
    fault(end, Corruption, "a grain lies past the end of the file");
    fault(end - 127, Corruption, "a grain lies past the end of the file");
    fault(u32::MAX, Corruption, "a grain lies past the end of the file");
    fault(1, Corruption, "a grain lies where the descriptor is");
    fault((at.directory / 512) as u32, Corruption, "a grain lies where the grain directory is");
    fault((at.table / 512) as u32, Corruption, "a grain lies where a grain table is");
    fault((at.redundant / 512) as u32, Corruption, "a grain lies where the redundant grain directory is");
    fault(at.grains[0], Corruption, "is another entry's too");
    fault(at.grains[0] + 1, Corruption, "lies upon what begins at byte");
    image.fault(put_u32(at.table + 4, at.grains[0]), Corruption, "is another entry's too", at.table + 4);
    image.fault(|bytes| bytes.truncate(bytes.len() - 512), Corruption, "a grain lies past the end of the file", {
        // The disk's last grain is the first of the fourth table, and the last in the file.
        u64::from(u32_at(&bytes, at.directory + 12)) * 512
    });
    // A file with room for one more.
    let change = |bytes: &mut Vec<u8>| {
        bytes.resize(bytes.len() + 2 * 65_536, 0);
        put(bytes, last, &(end + 3).to_le_bytes());
    };
    image.fault(change, Risk, "is out of step with the others", last);
    image.fault(|bytes| bytes.resize(bytes.len() + 65_536, 0), Leak, "65536 bytes of the file hold nothing", None);
    image.fault(put_u32(last, 0), Leak, "65536 bytes of the file hold nothing", None);
    let behind = u64::from(u32_at(&bytes, at.directory + 12)) * 512 + 8;
    image.fault(put_u32(behind, end), Leak, "an entry behind the end of the disk names a grain", behind);
}

#[test]
fn tables_that_lie_wrongly() {
    let image = Image::sparse();
    let bytes = std::fs::read(&image.path).unwrap();
    let at = Places::of(&bytes);
    let second = at.directory + 4;
    let fault = |sector, words| image.fault(put_u32(second, sector), Corruption, words, second);
    fault((bytes.len() / 512) as u32, "a grain table lies past the end of the file");
    fault((at.table / 512) as u32, "is another's too");
    fault((at.table / 512) as u32 + 1, "lies upon that at byte");
    fault(20, "a grain table lies where the descriptor is");
    fault((at.redundant / 512) as u32, "a grain table lies where the redundant grain directory is");
    image.fault(put_u32(second, 0), Risk, "1 of 4 grain tables are not there", second);
    image.fault(put_u32(second, 0), Risk, "only one of the two grain directories has a table 1", at.redundant + 4);
    let grain = u64::from(at.grains[0]) as u32;
    image.fault(put_u32(second, grain), Corruption, "a grain lies where a grain table is", at.table);
    image.fault(
        put_u32(0x38, 0x00ff_ffff),
        Corruption,
        "a grain directory of 4 entries, with 0 bytes left",
        0xff_ffff * 512,
    );
    image.fault(put_u32(0x38, 1), Corruption, "the grain directory lies where the descriptor is", 512);
}

#[test]
fn redundant_tables_that_differ() {
    let image = Image::sparse();
    let bytes = std::fs::read(&image.path).unwrap();
    let at = Places::of(&bytes);
    let third = at.redundant_table + 8;
    let differs = "the redundant grain table 0 differs from the primary one";
    image.fault(put_u32(third, at.grains[2] + 128), Risk, differs, third);
    image.fault(put_u32(at.redundant, u32::MAX), Risk, "a redundant grain table lies past the end", at.redundant);
    let shared = (at.table / 512) as u32;
    image.fault(put_u32(at.redundant, shared), Corruption, "is another's too", at.redundant);
    image.fault(put_u32(0x30, 0x00ff_ffff), Risk, "a grain directory of 4 entries, with 0 bytes left", 0xff_ffff * 512);
    // One that stands in for a ruined table is still looked into.
    let ruined = Image::new(|folder| {
        let options = hosted::Options { directories: Directories::PrimaryRuined, ..Default::default() };
        hosted::write(&disk("grain-edges").unwrap(), folder, &options).unwrap()
    });
    let bytes = std::fs::read(&ruined.path).unwrap();
    let table = u64::from(u32_at(&bytes, u64_at(&bytes, 48) * 512)) * 512;
    ruined.fault(put_u32(table, u32::MAX), Corruption, "a grain lies past the end of the file", table);
}

#[test]
fn headers_that_other_readers_refuse() {
    let image = Image::sparse();
    image.fault(|bytes| bytes[0x48] = 1, Risk, "it was not closed properly", 0x48);
    image.fault(|bytes| bytes[0x4b] = b'\n', Corruption, "changed by a transfer as text", 0x49);
    image.fault(|bytes| bytes[4] = 2, Risk, "a header of version 2: VirtualBox refuses it", 4);
    let more = |bytes: &mut Vec<u8>| bytes[0xc] += 1;
    image.fault(more, Corruption, "the header's capacity is 196737 sectors, the descriptor's extent has 196736", 0xc);
    let small = Image::new(|folder| {
        let options = hosted::Options { grain_sectors: 4, ..Default::default() };
        hosted::write(&disk("odd-capacity").unwrap(), folder, &options).unwrap()
    });
    let found = found(&small.path).list;
    assert!(found.iter().any(|found| found.offset == Some(0x14) && found.message.contains("no less than 8")));
}

#[test]
fn descriptors_that_other_readers_refuse() {
    let image = Image::sparse();
    let risk = |from, to, words, line| image.word(from, to, Risk, words, line);
    risk("# Disk DescriptorFile", "# disk descriptorfile", "the first line is not", true);
    risk("\nCID=", "\nX=", "has no CID", false);
    risk("version=1", "version=2", "version is \"2\"", false);
    risk("createType", "kind", "has no createType", false);
    risk("createType", "CreateType", "createType is written CreateType", true);
    risk("\"monolithicSparse\"", "\"monolithicSparser\"", "is not known", false);
    risk("\"monolithicSparse\"", "\"streamOptimized\"", "contradicts grains that are plain", false);
    risk("ddb.adapterType", "ddb.adapter", "has no ddb.adapterType", false);
    risk("\"lsilogic\"", "\"floppy\"", "the adapterType \"floppy\" is not known", false);
    risk("RW 196736", "RW  196736", "not written as strict readers want it", true);
    risk("encoding=\"UTF-8\"", "version=1", "version is there twice", true);
    risk("encoding=\"UTF-8\"", "parentFileNameHint=\"a\"", "names a parent", false);
    let corrupt = |from, to, words| image.word(from, to, Corruption, words, false);
    corrupt("\"monolithicSparse\"", "\"monolithicFlat\"", "monolithicFlat contradicts an extent of SPARSE");
    corrupt("\"monolithicSparse\"", "\"twoGbMaxExtentSparse\"", "contradicts an embedded descriptor");
    corrupt("\nCID=", "\nCID=x", "not a hexadecimal number");
    corrupt("parentCID=ffffffff", "parentCID=fffffff0", "but does not name it");
}

#[test]
fn streams_that_importers_refuse() {
    let image = Image::stream();
    let bytes = std::fs::read(&image.path).unwrap();
    let (at, end) = (Places::of(&bytes), bytes.len() as u64);
    let grain = u64::from(at.grains[0]) * 512;
    let footer = end - 1024;
    let risk = |change: &dyn Fn(&mut Vec<u8>), words: &str, at: u64| image.fault(change, Risk, words, at);
    let corrupt = |change: &dyn Fn(&mut Vec<u8>), words: &str, at: u64| image.fault(change, Corruption, words, at);
    risk(&|bytes| bytes.resize(bytes.len() + 1536, 0), "1536 bytes follow the end-of-stream marker", end);
    risk(&|bytes| bytes.push(0), "1 bytes follow the end-of-stream marker", end);
    risk(&put_u32(at.table - 512, 3), "a grain table marker counts 3 sectors, and 4 follow", at.table - 512);
    risk(&put_u32(at.table - 500, 9), "a marker of unknown kind 9", at.table - 512);
    // Whatever number such a marker counts, nothing is added up past the end of the numbers.
    let uncountable = |bytes: &mut Vec<u8>| {
        bytes[(at.table - 512) as usize..(at.table - 504) as usize].fill(0xff);
        put_u32(at.table - 500, 9)(bytes);
    };
    risk(&uncountable, "a marker of unknown kind 9", at.table - 512);
    risk(&put_u32(at.table - 500, 2), "a grain directory marker, and what follows is none", at.table - 512);
    risk(
        &put_u32(at.directory - 512, 9),
        "a grain directory marker counts 9 sectors, and 1 follow",
        at.directory - 512,
    );
    risk(&put_u32(footer - 512, 0), "a footer marker counts 0 sectors, and 1 follow", footer - 512);
    let no_marker = |bytes: &mut Vec<u8>| bytes[(at.table - 512) as usize..at.table as usize].fill(0);
    risk(&no_marker, "grains of the tables are not in it", at.table - 512);
    risk(&put_u32(footer + 4, 2), "the footer's version is 0x2, the header's 0x3", footer + 4);
    let old = |bytes: &mut Vec<u8>| [4, footer + 4].into_iter().for_each(|at| put_u32(at, 1)(bytes));
    risk(&old, "a compressed extent of version 1: ESXi wants 3", 4);
    risk(&put_u32(0x40, 1), "neither a grain nor another marker here", 512);
    corrupt(&put_u32(footer + 0xc, 0x10_0000), "the footer contradicts the header", footer);
    corrupt(&put_u32(footer - 500, 0), "there is no footer", end);
    corrupt(&|bytes| bytes.truncate(bytes.len() - 512), "there is no footer", end - 512);
    corrupt(&put_u32(grain, 128), "a grain says that it is sector 128, the table says 0", grain);
    risk(&put_u32(grain, 128), "a grain says that it is sector 128, and no table has it so", grain);
    corrupt(&put_u32(grain + 8, 131_073), "says that it is packed in 131073", grain);
    corrupt(&put_u32(grain + 16, u32::MAX), "does not inflate", grain);
    corrupt(&put_u32(at.table, at.grains[2]), "says that it is sector 256, the table says 0", grain_of(at.grains[2]));
    corrupt(&put_u32(at.table, u32::MAX), "a grain lies past the end of the file", at.table);
}

fn grain_of(sector: u32) -> u64 {
    u64::from(sector) * 512
}

#[test]
fn streams_in_other_layouts() {
    let laid = |layout, trailing_zeros| {
        Image::new(move |folder| {
            let options = stream::Options { layout, trailing_zeros, ..Default::default() };
            stream::write(&disk("grain-edges").unwrap(), folder, &options).unwrap()
        })
    };
    let both = laid(Layout::FooterAndHeader, 0);
    let end = std::fs::metadata(&both.path).unwrap().len();
    let footer = end - 1024;
    both.fault(put_u32(footer + 0xc, 128), Corruption, "the footer's capacity is 0x80", footer + 0xc);
    both.fault(put_u32(footer + 0x38, 1), Corruption, "names another grain directory", footer + 0x38);
    both.fault(|bytes| bytes.truncate(bytes.len() - 512), Risk, "no end-of-stream marker", end - 512);
    let front = laid(Layout::Front, 1);
    let bytes = std::fs::read(&front.path).unwrap();
    let (at, end) = (Places::of(&bytes), bytes.len() as u64);
    front.fault(|bytes| bytes.truncate(bytes.len() - 512), Risk, "no end-of-stream marker", end - 512);
    front.fault(put_u32(at.table, at.grains[2]), Corruption, "says that it is sector 256", grain_of(at.grains[2]));
    // Two entries of one grain cannot both agree with its marker, but another table can lie in one.
    front.fault(put_u32(at.directory + 4, at.grains[0]), Corruption, "lies where a grain table is", at.table);
    // A grain that nothing names any more is still on an importer's way.
    front.fault(put_u32(at.table, 0), Risk, "no table has it so", grain_of(at.grains[0]));
    // Without the flag of markers, the stream is zlib's alone.
    front.fault(|bytes| bytes[10] = 1, Risk, "have no markers: importers refuse it", 8);
}

#[test]
fn files_that_do_not_fit_their_extents() {
    let flat = Image::split("twoGbMaxExtentFlat");
    let size = std::fs::metadata(&flat.file).unwrap().len();
    flat.fault(|bytes| bytes.truncate(bytes.len() - 1), Corruption, "is too short", size - 1);
    flat.fault(|bytes| bytes.extend([0; 700]), Leak, "700 bytes behind all that the extents use", size);
    let text = Image { file: flat.path.clone(), ..flat };
    let second = "\"disk-f002.vmdk\" 0";
    text.word(second, "\"disk-f002.vmdk\"", Risk, "a FLAT extent without an offset", true);
    text.word("RW 38912 FLAT \"disk-f002.vmdk\"", "RDONLY 38912 FLAT \"disk-f002.vmdk\"", Risk, "that is RDONLY", true);
    text.word("RW 38912 FLAT \"disk-f002.vmdk\" 0", "RW 38912 ZERO", Risk, "leaves out an extent of ZERO", true);
    text.word(
        "RW 38912 FLAT \"disk-f002.vmdk\"",
        "NOACCESS 38912 FLAT \"disk-f002.vmdk\"",
        Risk,
        "may not be read",
        true,
    );
    let change = |to: &'static str| move |bytes: &mut Vec<u8>| *bytes = replaced(bytes, second, to);
    text.fault(
        change("\"disk-f009.vmdk\" 0"),
        Corruption,
        "the file of an extent is missing: \"disk-f009.vmdk\"",
        None,
    );
    text.fault(change(""), Corruption, "an extent names no file", None);
    text.word("\"twoGbMaxExtentFlat\"", "\"monolithicFlat\"", Corruption, "contradicts several extents", false);
    let new = text.broken(change("\"disk-f001.vmdk\" 0"));
    assert!(
        new.iter().any(|found| found.message.contains("two extents use the same bytes") && found.offset == Some(0))
    );
    let sum = |bytes: &mut Vec<u8>| *bytes = replaced(bytes, "RW 38912", "RW 18014398509481983");
    text.fault(sum, Corruption, "add up to more than 2^63 bytes", None);
}

#[test]
fn sparse_files_that_do_not_fit_their_extents() {
    let split = Image::split("twoGbMaxExtentSparse");
    let bytes = std::fs::read(&split.file).unwrap();
    let at = Places::of(&bytes);
    let capacity = u32_at(&bytes, 0xc);
    split.fault(put_u32(0xc, capacity - 128), Corruption, "is too short: its header says", None);
    split.fault(put_u32(0xc, capacity + 128), Risk, "readers go by either", 0xc);
    split.fault(|bytes| bytes[0] = b'X', Corruption, "does not begin with KDMV", 0);
    let entry = (at.table..).step_by(4).find(|&at| u32_at(&bytes, at) != 0).unwrap();
    split.fault(put_u32(entry, u32::MAX), Corruption, "a grain lies past the end of the file", entry);
    let text = Image { file: split.path.clone(), ..split };
    text.word("\"twoGbMaxExtentSparse\"", "\"monolithicSparse\"", Corruption, "in a file of its own", false);
    let new = text.broken(|bytes| *bytes = replaced(bytes, "disk-s002.vmdk", "disk-s001.vmdk"));
    assert!(new.iter().any(|found| found.message.contains("two extents use the same bytes")), "{new:?}");
}

#[test]
fn deltas_of_esx() {
    let image = Image::new(|folder| cowd::write(&disk("sparse").unwrap(), folder, &Default::default()).unwrap());
    let image = Image { file: image.folder.path().join("sparse-delta.vmdk"), ..image };
    let bytes = std::fs::read(&image.file).unwrap();
    let directory = u64::from(u32_at(&bytes, 0x14)) * 512;
    let table = u64::from(u32_at(&bytes, directory)) * 512;
    let second = (table + 4..).step_by(4).find(|&at| u32_at(&bytes, at) != 0).unwrap();
    let end = (bytes.len() / 512) as u32;
    image.fault(put_u32(second, end), Corruption, "a grain lies past the end of the file", second);
    image.fault(put_u32(second, u32_at(&bytes, table)), Corruption, "is another entry's too", second);
    image.fault(put_u32(second, 3), Corruption, "a grain lies where the header is", second);
    image.fault(put_u32(second, 4), Corruption, "a grain lies where the grain directory is", second);
    image.fault(put_u32(second, (table / 512) as u32), Corruption, "a grain lies where a grain table is", second);
    image.fault(put_u32(directory, end - 1), Corruption, "a grain table lies past the end of the file", directory);
    image.fault(put_u32(second, 0), Leak, "512 bytes of the file hold nothing of the disk", None);
    image.fault(put_u32(0x10, 3), Corruption, "a grain of 3 sectors", 0x10);

    let image = Image::new(|folder| sesparse::write(&disk("sparse").unwrap(), folder, &Default::default()).unwrap());
    let image = Image { file: image.folder.path().join("sparse-sesparse.vmdk"), ..image };
    let bytes = std::fs::read(&image.file).unwrap();
    let (directory, tables) = (u64_at(&bytes, 0x80) * 512, u64_at(&bytes, 0x90) * 512);
    let table = tables + u64::from(u32_at(&bytes, directory)) * 64 * 512;
    let data = |at: &u64| u64_at(&bytes, *at) >> 60 == 3;
    let mut entries = (table..).step_by(8).filter(data);
    let (first, second) = (entries.next().unwrap(), entries.next().unwrap());
    let put_u64 = |at: u64, value: u64| move |bytes: &mut Vec<u8>| put(bytes, at, &value.to_le_bytes());
    image.fault(put_u64(second, 3 << 60 | 0xff), Corruption, "a grain lies past the end of the file", second);
    image.fault(put_u64(second, u64_at(&bytes, first)), Corruption, "is another entry's too", second);
    image.fault(put_u64(second, 7 << 60), Corruption, "of no known kind", second);
    image.fault(put_u32(directory + 8, u32_at(&bytes, directory)), Corruption, "is another's too", directory + 8);
    image.fault(put_u32(directory, 0xffff), Corruption, "a grain table lies past the end of the file", directory);
    image.fault(
        put_u32(0xc0, u64_at(&bytes, 0x80) as u32),
        Corruption,
        "a grain lies where the grain directory is",
        first,
    );
}

#[test]
fn areas_that_together_are_longer_than_a_number_holds() {
    let image =
        Image::new(|folder| sesparse::write(&disk("one-sector").unwrap(), folder, &Default::default()).unwrap());
    let image = Image { file: image.folder.path().join("one-sector-sesparse.vmdk"), ..image };
    let bitmap = u64_at(&std::fs::read(&image.file).unwrap(), 0xa0) * 512;
    let endless = |bytes: &mut Vec<u8>| [0xa8, 0xb8].iter().for_each(|&at| put(bytes, at, &[0xff; 8]));
    image.fault(endless, Corruption, "the bitmap of free grains reaches past the end of the file", bitmap);
}

/// One grain at the end of two tebibytes of holes, and an entry for each: neither time nor memory is the file's.
#[test]
fn a_file_of_terabytes_is_checked_at_once() {
    let image = Image::sparse();
    let at = Places::of(&std::fs::read(&image.path).unwrap());
    let file = std::fs::File::options().write(true).open(&image.path).unwrap();
    file.set_len((1 << 41) - 512).unwrap();
    let last = u32::MAX - 255;
    for table in [at.table, at.redundant_table] {
        std::os::unix::fs::FileExt::write_all_at(&file, &last.to_le_bytes(), table).unwrap();
    }
    let found = found(&image.path);
    assert_eq!((found.list.len(), found.list[0].severity), (1, Leak), "{:?}", found.list);
}

#[test]
fn a_check_stops_when_asked() {
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    for image in [Image::sparse(), Image::stream(), Image::split("twoGbMaxExtentSparse")] {
        let stopped = check(&image.path, &Default::default(), &Stop);
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn what_may_not_be_opened_is_refused() {
    let image = Image::split("twoGbMaxExtentFlat");
    let text = std::fs::read(&image.path).unwrap();
    for (from, to) in [("disk-f002.vmdk", "/etc/passwd"), ("twoGbMaxExtentFlat", "fullDevice")] {
        std::fs::write(&image.path, replaced(&text, from, to)).unwrap();
        assert_eq!(check(&image.path, &Default::default(), &()).unwrap_err().kind(), ErrorKind::Refused, "{to}");
    }
}

/// Whatever is changed in an image, the check ends, and with no worse than an error.
#[test]
fn no_change_makes_it_panic() {
    let images = [
        Image::sparse(),
        Image::stream(),
        Image::split("twoGbMaxExtentSparse"),
        Image::new(|folder| cowd::write(&disk("one-sector").unwrap(), folder, &Default::default()).unwrap()),
        Image::new(|folder| sesparse::write(&disk("one-sector").unwrap(), folder, &Default::default()).unwrap()),
    ];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut faulty = 0;
    for image in &images {
        let extents = image.folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
        let file = extents.filter(|path| *path != image.path).max().unwrap_or_else(|| image.path.clone());
        let whole = std::fs::read(&file).unwrap();
        for _ in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                // The header, what is in use of the front, or the end.
                let used = |&at: &usize| whole[at] != 0;
                let at = match random(4) {
                    0 => random(80),
                    1 => bytes.len() - 1 - random(4096.min(bytes.len() - 1)),
                    _ => (0..64).map(|_| random(bytes.len().min(30_000))).find(used).unwrap_or(80),
                };
                let new = [0, 1, 0x7f, 0x80, 0xff, whole[at] ^ 1 << random(8)][random(6)];
                let len = [1, 1, 4, 8][random(4)].min(bytes.len() - at);
                bytes[at..at + len].fill(new);
            }
            std::fs::write(&file, &bytes).unwrap();
            faulty += usize::from(!check(&image.path, &Default::default(), &()).is_ok_and(|found| found.is_clean()));
        }
        std::fs::write(&file, &whole).unwrap();
    }
    assert!(faulty > 1000, "only {faulty} of 2000 changes were found");
}
