//! Any bytes, opened in each format: an error, or an image of which everything in [`vimage_fuzz::holds`] holds. A check ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vimage_core::formats::{FORMATS, HEAD, probe};
use vimage_fuzz::holds;

fuzz_target!(|bytes: &[u8]| {
    let claimed = probe(&bytes[..bytes.len().min(HEAD)]).name();
    // What claims to be something else is an error at once, mostly; a compressed raw disk is known by its name alone.
    let meant = FORMATS.into_iter().filter(|format| format.name() == claimed || format.name() != "raw");
    meant.for_each(|format| holds::format(format, bytes));
});
