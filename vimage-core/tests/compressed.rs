//! Images that others compressed as a whole, with gzip, xz and zstd, in one piece and in several.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;
mod support;

use left_out::left_out;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Source, conforms};
use vimage_core::{
    CompactOptions, Comparison, ConvertOptions, ErrorKind, Image, OpenOptions, alike, check, compact, compare, convert,
    describe, open, punch,
};
use vimage_fixtures::{Disk, disk};

/// Each tool with the ending of its files' names.
const TOOLS: [(&str, &str); 3] = [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")];

/// What `tool` makes of the file at `path`, as it comes out of a pipe; none where there is no such tool.
fn packed(test: &str, tool: &str, path: &Path, from_pipe: bool) -> Option<Vec<u8>> {
    let mut command = Command::new(tool);
    match from_pipe {
        true => command.arg("-c").stdin(File::open(path).unwrap()),
        false => command.arg("-c").arg(path).stdin(Stdio::null()),
    };
    match command.output() {
        Ok(output) if output.status.success() => Some(output.stdout),
        _ => {
            left_out(test, &format!("{tool} is not installed"));
            None
        }
    }
}

fn raw(disk: &Disk, folder: &Path) -> PathBuf {
    let path = folder.join("whole.raw");
    disk.write_raw(&path).unwrap();
    path
}

fn detail(path: &Path, name: &str) -> Option<String> {
    let (info, _) = describe(path, &Default::default()).unwrap();
    info.details.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[test]
fn raw_disks_of_one_piece_and_of_two() {
    let folder = tempfile::tempdir().unwrap();
    for disk in ["sparse", "not-a-sector", "empty"].map(|name| disk(name).unwrap()) {
        let whole = raw(&disk, folder.path());
        let bytes = std::fs::read(&whole).unwrap();
        let half = folder.path().join("half.raw");
        for (tool, ending) in TOOLS {
            let test = "raw_disks_of_one_piece_and_of_two";
            let Some(one) = packed(test, tool, &whole, false) else { continue };
            let piece = |range: std::ops::Range<usize>| {
                std::fs::write(&half, &bytes[range]).unwrap();
                packed(test, tool, &half, false).unwrap()
            };
            let middle = bytes.len() / 3;
            let two = [piece(0..middle), piece(middle..bytes.len())].concat();
            let piped = packed(test, tool, &whole, true).unwrap();
            for (kind, packed) in [("one", one), ("two", two), ("piped", piped)] {
                let name = format!("{} {kind} {tool}", disk.name);
                let path = folder.path().join(format!("disk.img.{ending}"));
                std::fs::write(&path, &packed).unwrap();
                let image = open(&path, &Default::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
                conforms(&image, &disk, 1, &name);
                let (info, allocated) = describe(&path, &Default::default()).unwrap();
                assert_eq!(info.virtual_size, disk.size, "{name}");
                assert!(allocated < packed.len() as u64 + 65_536, "{name}: {allocated}");
                assert!(check(&path, &Default::default(), &()).unwrap().is_clean(), "{name}");
                let as_raw = OpenOptions { format: Some("raw".into()), ..OpenOptions::default() };
                assert_eq!(open(&path, &as_raw).unwrap().size(), packed.len() as u64, "{name}: the file's own bytes");
                // What zstd is told the length of says it: then nothing is unpacked to know it.
                let by_headers = tool == "zstd" && kind != "piped";
                assert_eq!(info.format, if by_headers { "raw.zst" } else { "raw" }, "{name}");
                assert_eq!(detail(&path, "packed-with").as_deref(), (!by_headers).then_some(tool), "{name}");
                if tool == "zstd" {
                    let named = OpenOptions { format: Some("raw.zst".into()), ..OpenOptions::default() };
                    let image = open(&path, &named).unwrap();
                    assert_eq!(compare(&image, &Source(disk.clone()), &()).unwrap(), Comparison::Identical, "{name}");
                }
            }
        }
    }
}

#[test]
fn an_image_within_is_known_by_its_own_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk("sparse").unwrap();
    for format in ["qcow2", "vdi"] {
        let inner = folder.path().join(format!("inner.{format}"));
        convert(&Source(disk.clone()), &inner, &ConvertOptions::to(format), &()).unwrap();
        for (tool, ending) in TOOLS {
            let Some(bytes) = packed("an_image_within_is_known_by_its_own_bytes", tool, &inner, false) else {
                continue;
            };
            for name in [format!("disk.{format}.{ending}"), format!("disk.{ending}")] {
                let path = folder.path().join(name);
                std::fs::write(&path, &bytes).unwrap();
                let image = open(&path, &Default::default()).unwrap();
                assert_eq!((image.info().format, image.packed().map(|with| with.name())), (format, Some(tool)));
                conforms(&image, &disk, 512, &format!("{format} {tool}"));
            }
        }
    }
}

#[test]
fn nothing_is_made_smaller_in_what_has_to_be_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let whole = raw(&disk("dense-zeros").unwrap(), folder.path());
    let Some(bytes) = packed("nothing_is_made_smaller_in_what_has_to_be_unpacked", "gzip", &whole, false) else {
        return;
    };
    let path = folder.path().join("disk.raw.gz");
    std::fs::write(&path, &bytes).unwrap();
    let options = CompactOptions::default();
    assert_eq!(punch(&path, &options, &()).unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(compact(&path, &options, &()).unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(alike(&path, &OpenOptions::default()).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn compacting_writes_what_zstd_packed_so_that_it_can_be_read_at_random() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk("sparse").unwrap();
    let whole = raw(&disk, folder.path());
    let test = "compacting_writes_what_zstd_packed_so_that_it_can_be_read_at_random";
    let Some(bytes) = packed(test, "zstd", &whole, false) else { return };
    let path = folder.path().join("disk.raw.zst");
    std::fs::write(&path, &bytes).unwrap();
    assert!(detail(&path, "seek-table").is_some() && detail(&path, "frames").is_none());
    compact(&path, &CompactOptions::default(), &()).unwrap();
    assert!(detail(&path, "frames").is_some());
    assert_eq!(compare(&open(&path, &Default::default()).unwrap(), &Source(disk), &()).unwrap(), Comparison::Identical);
}

#[test]
fn damage_is_an_error_and_for_a_check_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let whole = raw(&disk("not-a-sector").unwrap(), folder.path());
    for (tool, ending) in TOOLS {
        let Some(bytes) = packed("damage_is_an_error_and_for_a_check_a_finding", tool, &whole, false) else { continue };
        let path = folder.path().join(format!("disk.raw.{ending}"));
        for cut in [20, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let error = open(&path, &Default::default()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{tool} cut at {cut}: {error}");
            assert_eq!(error.path(), Some(path.as_path()));
            assert!(!check(&path, &Default::default(), &()).unwrap().is_clean(), "{tool} cut at {cut}");
        }
    }
}

#[test]
fn a_name_alone_or_first_bytes_alone_do_not_make_it_compressed() {
    let folder = tempfile::tempdir().unwrap();
    // A guest writes its own first sectors.
    for (name, head) in
        [("a.raw", &b"\x1f\x8b\x08\0"[..]), ("b.img", b"\x28\xb5\x2f\xfd"), ("c.raw.gz", b"plain"), ("d.raw.xz", b"")]
    {
        let path = folder.path().join(name);
        let mut bytes = head.to_vec();
        bytes.resize(4096, 7);
        std::fs::write(&path, &bytes).unwrap();
        let image = open(&path, &Default::default()).unwrap();
        assert_eq!((image.size(), image.info().format), (4096, "raw"), "{name}");
    }
}
