//! Any few runs of bytes on a disk, written in any layout: they come back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use vimage_core::io::Memory;
use vimage_core::layers::Flat;
use vimage_fuzz::holds;

fuzz_target!(|input: (u8, u32, Vec<(u32, u8, u16)>)| {
    let (layout, size, runs) = input;
    let mut bytes = vec![0; size as usize % (3 << 20) + 1];
    for (at, value, len) in runs {
        let at = at as usize % bytes.len();
        let end = bytes.len().min(at + usize::from(len));
        bytes[at..end].iter_mut().enumerate().for_each(|(index, byte)| *byte = value.wrapping_mul(index as u8 | 1));
    }
    let disk = Flat::whole(Arc::new(Memory(bytes)), "fuzzed".into());
    holds::image(&disk);
    assert!(holds::written(&disk, layout), "what is in memory can be written");
});
