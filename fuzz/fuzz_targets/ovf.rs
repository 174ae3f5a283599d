//! Any bytes as an OVF descriptor: an error that says where, or values that are no longer than the text and the same when they
//! are read again. What is read can be looked at by the rules, and nothing else can.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vimage_core::package::ovf::{read, rules};

fuzz_target!(|bytes: &[u8]| {
    match (read(bytes), rules(bytes)) {
        (Ok(found), Ok(list)) => {
            assert_eq!(read(bytes).ok(), Some(found.clone()));
            let texts = found.systems.iter().flat_map(|system| system.name.iter().chain(&system.eulas));
            // Of UTF-16 and Latin-1, a byte may become two or three.
            assert!(texts.map(String::len).max() <= Some(3 * bytes.len()));
            assert!(found.files.len() + found.disks.len() + found.systems.len() <= bytes.len());
            assert!(list.iter().all(|finding| !finding.place.is_empty() && !finding.effect.is_empty()));
        }
        (Err(_), Err(_)) => {}
        (read, rules) => panic!("read is {read:?}, rules are {rules:?}"),
    }
});
