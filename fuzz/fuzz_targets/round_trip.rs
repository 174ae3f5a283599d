//! Any few runs of bytes on a disk, written in any layout: they come back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use vimage_core::io::Memory;
use vimage_core::layers::Flat;
use vimage_core::{Comparison, ConvertOptions, check, compare, convert, open};

fuzz_target!(|input: (u8, u32, Vec<(u32, u8, u16)>)| {
    let (layout, size, runs) = input;
    let mut bytes = vec![0; size as usize % (3 << 20) + 1];
    for (at, value, len) in runs {
        let at = at as usize % bytes.len();
        let end = bytes.len().min(at + usize::from(len));
        bytes[at..end].iter_mut().enumerate().for_each(|(index, byte)| *byte = value.wrapping_mul(index as u8 | 1));
    }
    let disk = Flat::whole(Arc::new(Memory(bytes)), "fuzzed".into());
    let options = match layout % 11 {
        0 => ConvertOptions::to("raw"),
        1 => ConvertOptions::to("raw").split(1 << 20),
        2 => ConvertOptions::to("vmdk").split(1 << 20),
        3 => ConvertOptions::to("vmdk").with("subformat", "twoGbMaxExtentFlat").split(1 << 20),
        4 => ConvertOptions::to("vmdk").with("subformat", "streamOptimized"),
        5 => ConvertOptions::to("vdi"),
        6 => ConvertOptions::to("qcow2").with("cluster_size", "512"),
        7 => ConvertOptions::to("qcow2").with("extended_l2", "on").with("refcount_bits", "1"),
        8 => ConvertOptions::to("qcow2").with("compression_type", "zstd").level(1),
        9 => ConvertOptions::to("qcow2").with("cluster_size", "4k").level(1),
        _ => ConvertOptions::to("vmdk"),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let made = convert(&disk, folder.path().join("d.img"), &options, &()).expect("written");
    let main = if options.format == "raw" { made.files.first() } else { made.files.last() };
    assert!(check(&main.expect("a file").path, &Default::default(), &()).expect("checked").is_clean());
    let image = open(&main.expect("a file").path, &Default::default()).expect("opened");
    assert_eq!(compare(&disk, &image, &()).expect("compared"), Comparison::Identical);
});
