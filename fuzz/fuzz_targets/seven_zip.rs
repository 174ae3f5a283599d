//! A 7z archive with some bytes changed, or any bytes: an error, or members under plain names, whose bytes are as many as it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::{Component, Path};
use std::sync::{Arc, LazyLock};
use vimage_core::io::Memory;
use vimage_core::operations::archive::SevenZip;
use vimage_fuzz::bases::Bases;

/// Bytes after which nothing more is unpacked.
const MOST: u64 = 4 << 20;

static BASES: LazyLock<Bases> = LazyLock::new(|| Bases::of("seven_zip"));

fuzz_target!(|input: &[u8]| {
    let Some(files) = BASES.edited(input) else { return };
    for bytes in files.into_iter().map(|(_, bytes)| bytes) {
        let Ok(archive) = SevenZip::of(Arc::new(Memory(bytes)), Path::new("fuzzed.7z")) else { continue };
        for member in archive.members() {
            let plain = Path::new(&member.name).components().all(|part| matches!(part, Component::Normal(_)));
            assert!(plain && !member.name.contains(['\\', '\0']), "{:?}", member.name);
        }
        let mut seen = archive.members().iter();
        let mut left = MOST;
        let _ = archive.unpack(|member, bytes| {
            assert_eq!(Some(member), seen.next(), "another member than it says");
            let mut buf = [0; 4096];
            let mut count = 0;
            while left > 0 {
                match bytes.read(&mut buf) {
                    Ok(0) => {
                        assert_eq!(count, member.size);
                        return Ok(true);
                    }
                    Ok(len) => {
                        count += len as u64;
                        left = left.saturating_sub(len as u64);
                    }
                    Err(cause) => return Err(vimage_core::Error::io("cannot read", cause)),
                }
            }
            Ok(false)
        });
    }
});
