//! A valid image of one or several files with some bytes changed: opened by its path as what it claims to be, checked, read, and
//! written anew in another layout.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vimage_core::{ErrorKind, Image, alike, check, describe_chain, open};
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
    let _ = alike(&path, &options);
    match open(&path, &options) {
        Ok(image) => {
            let described = described.expect("what is opened can be described");
            assert_eq!(described[0].info.virtual_size, image.size());
            let read = holds::image(&image);
            if image.size() <= holds::WHOLE && read {
                holds::written(&image, input.len() as u8);
            }
        }
        // One that is encrypted, or made of something that is not read, may be clean.
        Err(error) => {
            let damaged = error.kind() == ErrorKind::Corrupt && described.is_ok();
            assert!(!(clean && damaged), "a clean image is damaged: {error}");
        }
    }
});
