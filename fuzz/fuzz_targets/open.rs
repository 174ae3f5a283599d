//! Any bytes, opened as the image that they claim to be: an error, or an image whose map tiles it, whose map and bytes
//! agree, and that reads the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use vimage_core::formats::{HEAD, Source, probe};
use vimage_core::io::{Memory, Neighbors};
use vimage_core::{Extents, Image};

/// Extents that are looked at: a disk of terabytes may have millions.
const MOST_EXTENTS: usize = 500;

fuzz_target!(|bytes: &[u8]| {
    let neighbors = Neighbors::none();
    let source =
        Source { file: Arc::new(Memory(bytes.to_vec())), path: "fuzzed".into(), neighbors: &neighbors, snapshot: None };
    let format = probe(&bytes[..bytes.len().min(HEAD)]);
    // A fault of any kind is a finding or an error; what is looked for has an end.
    let _ = format.check(&source, &());
    // What cannot be described is never opened.
    let Ok(described) = format.describe(&source) else { return };
    let Ok(image) = format.open(&source) else { return };
    assert_eq!(described.virtual_size, image.size());
    check(image.as_ref());
});

fn check(image: &dyn Image) {
    let mut at = 0;
    let (mut one, mut two) = (vec![0; 70_000], vec![1; 70_000]);
    for extent in Extents::of(image).take(MOST_EXTENTS) {
        let Ok(extent) = extent else { return };
        assert_eq!(extent.range.start, at, "a gap or an overlap");
        assert!(extent.range.end > at && extent.range.end <= image.size());
        at = extent.range.end;
        for from in [extent.range.start, extent.range.end.saturating_sub(3000).max(extent.range.start)] {
            let len = (extent.range.end - from).min(one.len() as u64) as usize;
            let first = image.read_exact_at(&mut one[..len], from);
            let second = image.read_exact_at(&mut two[..len], from);
            assert_eq!(first.is_ok(), second.is_ok());
            if first.is_ok() {
                assert_eq!(one[..len], two[..len]);
                assert!(
                    extent.content.is_data() || one[..len].iter().all(|&byte| byte == 0),
                    "a hole with bytes in it"
                );
            }
        }
    }
}
