//! A package with some bytes changed: an OVA, another tar, or an OVF with its files. It is opened, verified, taken apart, its disks as
//! they are and in another format, and each is opened where it lies. Whatever fails leaves nothing behind, and nothing leads out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;
use vimage_core::operations::open_package;
use vimage_core::{UnpackOptions, VerifyOptions, open, unpack, verify};
use vimage_fuzz::bases::Bases;
use vimage_fuzz::folder::Folder;
use vimage_fuzz::holds;

static BASES: LazyLock<Bases> = LazyLock::new(|| Bases::of("package"));

fuzz_target!(|input: &[u8]| {
    let Some(files) = BASES.edited(input) else { return };
    let folder = Folder::new("package");
    let path = folder.put(&files);
    let opened = open_package(&path);
    let report = verify(&path, &VerifyOptions::default(), &()).expect("all of it can be read");
    assert!(opened.is_ok() || !report.is_clean(), "a clean package cannot be opened");
    if let Ok(package) = &opened {
        for disk in package.disks().expect("all of it can be read") {
            if let Some(Ok(image)) = disk.file.map(|name| open(member_path(&path, &name), &Default::default())) {
                holds::image(&image);
            }
        }
    }
    let before = folder.names().len();
    for format in [None, Some("raw")] {
        let options = UnpackOptions { format: format.map(str::to_owned), flush: false, ..UnpackOptions::default() };
        let out = Folder::new("unpacked");
        match unpack(&path, out.path(), &options, &()) {
            Ok(unpacked) => {
                assert!(opened.is_ok(), "what cannot be opened is unpacked");
                assert!(unpacked.files.iter().all(|file| file.path.starts_with(out.path()) && file.path.is_file()));
            }
            Err(_) => assert!(out.names().is_empty(), "{:?} stay behind", out.names()),
        }
    }
    assert_eq!(folder.names().len(), before, "something is beside the package");
});

/// How a disk of the package is named for opening.
fn member_path(package: &Path, name: &str) -> std::path::PathBuf {
    match package.extension() {
        Some(ending) if ending == "ovf" => package.with_file_name(name),
        _ => format!("{}:{name}", package.display()).into(),
    }
}
