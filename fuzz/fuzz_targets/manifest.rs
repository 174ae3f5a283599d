//! Any bytes as a manifest, and what stands before the first NUL as the signature of the rest: an error, or lines that are the same when
//! they are written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;
use vimage_core::package::manifest::{read, rules, write};
use vimage_core::package::signature;

fuzz_target!(|bytes: &[u8]| {
    let (certificate, manifest) = match bytes.iter().position(|&byte| byte == 0) {
        Some(at) => (Some(&bytes[..at]), &bytes[at + 1..]),
        None => (None, bytes),
    };
    match (read(manifest), rules("a.mf", manifest)) {
        (Ok(lines), Ok(findings)) => {
            let written = write(&lines);
            assert_eq!(read(written.as_bytes()).expect("what was read can be read again"), lines);
            // Of what is written by us, only the digest's kind is to be minded, or that there is none.
            let minded = rules("a.mf", written.as_bytes()).expect("the same");
            assert!(minded.iter().all(|finding| findings.contains(finding)), "{minded:?} of {findings:?}");
            assert_eq!(lines.iter().map(|line| &line.file).collect::<HashSet<_>>().len(), lines.len());
            assert!(lines.iter().all(|line| line.digest.len() == line.algorithm.digits()));
        }
        (Err(_), Err(_)) => {}
        (read, rules) => panic!("read is {read:?}, rules are {rules:?}"),
    }
    if let Some(Ok(signed)) = certificate.map(|text| signature::verify(text, manifest, "a.mf")) {
        assert!(!signed.file.is_empty());
    }
});
