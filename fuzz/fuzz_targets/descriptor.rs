//! Any text as a VMDK descriptor: an error, or lines that mean the same when they are written and read again. And any
//! bytes behind a descriptor's first line as an image: it opens nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vimage_core::formats::vmdk::Descriptor;
use vimage_core::formats::{HEAD, probe};
use vimage_fuzz::holds;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(descriptor) = Descriptor::parse(text)
    {
        let again = Descriptor::parse(&descriptor.to_string()).expect("what was read can be read again");
        assert_eq!(again, descriptor);
    }
    let file = [b"# Disk DescriptorFile\n", bytes].concat();
    let format = probe(&file[..file.len().min(HEAD)]);
    assert_eq!(format.name(), "vmdk");
    holds::format(format, &file);
});
