//! Disks in archives that come once, as OVAs do through pipes.

use crate::reading::{CHUNKS, by_position, holds, incoming, opened, same, sum_of_stream};
use crate::tools::{noise, piped, present, run};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use vimage_core::formats::{StreamOptions, open_stream};
use vimage_core::{DiskStream, ErrorKind, Result};
use vimage_fixtures::vmdk::stream::{self, Layout};
use vimage_fixtures::{Disk, disk};

/// A folder with a streamOptimized VMDK, an OVF and a manifest, and the disk.
fn members(layout: Layout) -> (tempfile::TempDir, Disk) {
    let (folder, disk) = (tempfile::tempdir().unwrap(), disk("grain-edges").unwrap());
    stream::write(&disk, folder.path(), &stream::Options { layout, ..Default::default() }).unwrap();
    fs::rename(folder.path().join("grain-edges.vmdk"), folder.path().join("disk.vmdk")).unwrap();
    fs::write(folder.path().join("a.ovf"), "<Envelope/>").unwrap();
    fs::write(folder.path().join("a.mf"), "SHA256(a.ovf)= 00").unwrap();
    fs::write(folder.path().join("disk.raw"), noise(100_000 / 512 * 512)).unwrap();
    (folder, disk)
}

/// The members called `names` of `folder`, as `tar` packs them.
fn tar(folder: &Path, format: &str, names: &[&str]) -> Arc<Vec<u8>> {
    run("tar", folder, &[&["--format", format, "-cf", "all.ova"], names].concat());
    Arc::new(fs::read(folder.join("all.ova")).unwrap())
}

fn member(bytes: &Arc<Vec<u8>>, name: &str) -> Result<Box<dyn DiskStream>> {
    let options = StreamOptions { member: Some(name.into()), ..Default::default() };
    open_stream(incoming(bytes, bytes.len(), 4096), &options, &())
}

#[test]
fn the_disk_of_an_archive_wherever_it_is() {
    if !present("tar") {
        return;
    }
    for layout in [Layout::Footer, Layout::Front] {
        let (folder, disk) = members(layout);
        for format in ["ustar", "gnu", "posix"] {
            for names in [
                &["a.ovf", "a.mf", "disk.vmdk"][..],
                &["disk.vmdk", "a.ovf", "a.mf"],
                &["a.ovf", "disk.vmdk", "a.mf"],
                &["disk.vmdk"],
            ] {
                let bytes = tar(folder.path(), format, names);
                let image = by_position(&folder.path().join("all.ova")).unwrap();
                for chunk in CHUNKS {
                    let name = format!("{format} {names:?} {layout:?} by {chunk}");
                    same(opened(&bytes, bytes.len(), chunk).unwrap(), &image, &name);
                }
                holds(opened(&bytes, bytes.len(), 4096).unwrap(), &disk, format);
                holds(member(&bytes, "disk.vmdk").unwrap(), &disk, format);
            }
        }
    }
}

#[test]
fn an_archive_that_was_cut_short_is_an_error() {
    if !present("tar") {
        return;
    }
    let (folder, _) = members(Layout::Footer);
    let bytes = tar(folder.path(), "ustar", &["a.ovf", "disk.vmdk", "a.mf"]);
    // GNU tar fills up to 20 blocks; an archive ends with the second block of zeros.
    let ends = bytes.iter().rposition(|&byte| byte != 0).unwrap().next_multiple_of(512) + 1024;
    let whole = sum_of_stream(opened(&bytes, bytes.len(), 4096)).unwrap();
    for cut in (1..bytes.len()).step_by(509).chain((512..bytes.len()).step_by(512)) {
        let cut_short = sum_of_stream(opened(&bytes, cut, 4096));
        match cut_short {
            Ok(sum) => assert!(cut >= ends && cut % 512 == 0 && sum == whole, "cut at {cut} of {ends}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {cut}: {error}");
                assert!(cut < ends || cut % 512 != 0, "cut at {cut}");
            }
        }
    }
}

#[test]
fn which_disk_is_meant_has_to_be_clear() {
    if !present("tar") {
        return;
    }
    let (folder, disk) = members(Layout::Footer);
    let both = tar(folder.path(), "gnu", &["a.ovf", "disk.vmdk", "disk.raw"]);
    let error = sum_of_stream(opened(&both, both.len(), 4096)).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Usage, "holds several disks"));
    assert_eq!(error.hint(), Some("say which: disk.vmdk or disk.raw"));
    holds(member(&both, "disk.vmdk").unwrap(), &disk, "both");
    let raw = sum_of_stream(member(&both, "disk.raw")).unwrap();
    assert_eq!(raw.0, 100_000 / 512 * 512);
    let error = member(&both, "disk2.vmdk").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.hint().unwrap().contains("a.ovf, disk.vmdk, disk.raw"), "{error:?}");
    let none = tar(folder.path(), "gnu", &["a.ovf", "a.mf"]);
    let error = opened(&none, none.len(), 4096).err().unwrap();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Usage, "holds no disk"));
}

#[test]
fn members_are_refused_as_they_are_in_files() {
    if !present("tar") {
        return;
    }
    let (folder, _) = members(Layout::Footer);
    std::os::unix::fs::symlink("a.ovf", folder.path().join("link")).unwrap();
    fs::write(folder.path().join("disk.vmdk.gz"), piped("gzip", &["-c"], b"disk")).unwrap();
    fs::write(folder.path().join("disk.vmdk.000000000"), "chunk").unwrap();
    for (names, kind) in [
        (&["disk.vmdk", "link"][..], ErrorKind::Refused),
        (&["link", "disk.vmdk"], ErrorKind::Refused),
        (&["disk.vmdk", "a.ovf", "a.ovf", "--hard-dereference"], ErrorKind::Corrupt),
        (&["a.ovf", "disk.vmdk.gz"], ErrorKind::Unsupported),
        (&["a.ovf", "disk.vmdk.000000000"], ErrorKind::Unsupported),
        (&["-P", "../../../../../../../../etc/passwd", "disk.vmdk"], ErrorKind::Refused),
    ] {
        let bytes = tar(folder.path(), "gnu", names);
        let error = sum_of_stream(opened(&bytes, bytes.len(), 4096)).unwrap_err();
        assert_eq!(error.kind(), kind, "{names:?}: {error}");
    }
}

#[test]
fn a_compressed_archive_is_unpacked_on_the_way() {
    if !present("tar") {
        return;
    }
    let (folder, disk) = members(Layout::Footer);
    let bytes = tar(folder.path(), "ustar", &["a.ovf", "disk.vmdk", "a.mf"]);
    for tool in ["gzip", "zstd", "xz"] {
        if present(tool) {
            let packed = Arc::new(piped(tool, &["-c"], &bytes));
            holds(opened(&packed, packed.len(), 511).unwrap(), &disk, tool);
            let twice = Arc::new(piped(tool, &["-c"], &packed));
            assert_eq!(opened(&twice, twice.len(), 511).err().unwrap().kind(), ErrorKind::Unsupported);
        }
    }
}
