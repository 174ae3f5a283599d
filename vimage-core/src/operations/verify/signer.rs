//! How far a signature that holds can be relied on.

use super::report::strict;
use crate::package::Finding;
use crate::package::manifest::Algorithm;
use crate::package::signature::Signed;

/// The fewest bits of a key of RSA that is not called weak (NIST SP 800-131A).
const FEWEST_BITS: usize = 2048;

/// What is weak in the signature in the file `name`, or does not hold at the time `now`.
pub(super) fn look(name: &str, signed: &Signed, now: Option<i64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if signed.algorithm == Algorithm::Sha1 {
        let effect = "another manifest can be made that the signature fits, too";
        findings.push(strict(name, "the manifest is signed by its SHA-1 digest", effect));
    }
    for certificate in std::iter::once(&signed.signer).chain(&signed.chain) {
        let whose = &certificate.subject;
        if let Some(bits) = certificate.key_bits.filter(|bits| *bits < FEWEST_BITS) {
            let effect = "others can find it out, and sign as its owner";
            findings.push(strict(name, format!("the key of {whose} has {bits} bits alone"), effect));
        }
        let Some(now) = now else { continue };
        if now > certificate.not_after {
            findings.push(strict(name, format!("the certificate of {whose} has expired"), "vCenter warns"));
        } else if now < certificate.not_before {
            findings.push(strict(name, format!("the certificate of {whose} is not valid yet"), "vCenter warns"));
        }
    }
    findings
}
