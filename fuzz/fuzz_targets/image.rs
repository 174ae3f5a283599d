//! A valid image of one or several files with some bytes changed: opened by its path as what it claims to be, checked, read, and
//! written anew in another layout.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;
use vimage_core::operations::Trim;
use vimage_core::{CompactOptions, Comparison, ErrorKind, Image, OpenImage, OpenOptions};
use vimage_core::{check, compact, compare, describe_chain, open};
use vimage_fuzz::bases::Bases;
use vimage_fuzz::folder::Folder;
use vimage_fuzz::holds;

static BASES: LazyLock<Bases> = LazyLock::new(|| Bases::of("image"));

fuzz_target!(|input: &[u8]| {
    let Some(files) = BASES.edited(input) else { return };
    let folder = Folder::new("image");
    let path = folder.put(&files);
    let options = Default::default();
    let clean = check(&path, &options, &()).is_ok_and(|findings| findings.is_clean());
    let described = describe_chain(&path, &options);
    match open(&path, &options) {
        Ok(image) => {
            let described = described.expect("what is opened can be described");
            assert_eq!(described[0].info.virtual_size, image.size());
            let read = holds::image(&image);
            if image.size() <= holds::WHOLE && read {
                holds::written(&image, input.len() as u8);
                compacted(&image, &path);
            }
            for snapshot in image.info().snapshots.iter().take(4) {
                let options = OpenOptions { snapshot: Some(snapshot.id.clone()), ..OpenOptions::default() };
                if let Ok(image) = open(&path, &options) {
                    holds::image(&image);
                }
            }
        }
        // One that is encrypted, or made of something that is not read, may be clean; and a check looks at no parent.
        Err(error) => {
            let alone = described.is_ok_and(|chain| chain.len() == 1);
            let damaged = error.kind() == ErrorKind::Corrupt && alone;
            assert!(!(clean && damaged), "a clean image is damaged: {error}");
        }
    }
});

/// What is left when it is compacted is the same disk, or nothing stays behind.
fn compacted(image: &OpenImage, path: &Path) {
    let folder = Folder::new("compacted");
    let output = folder.path().join(path.file_name().expect("a file"));
    let options =
        CompactOptions { output: Some(output.clone()), trim: Trim::No, flush: false, ..CompactOptions::default() };
    match compact(path, &options, &()) {
        Ok(_) => {
            let again = open(&output, &OpenOptions::default()).expect("opened");
            assert_eq!(compare(image, &again, &()).expect("compared"), Comparison::Identical);
        }
        Err(_) => assert!(folder.names().is_empty(), "{:?} stay behind", folder.names()),
    }
}
