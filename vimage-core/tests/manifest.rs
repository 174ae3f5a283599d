//! Manifests: exactly as OVF has them when written, as other tools write them when read.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;

use left_out::left_out;
use std::fs;
use std::process::Command;
use vimage_core::ErrorKind;
use vimage_core::package::manifest::{Algorithm, Hasher, Line, read, rules, write};

/// SHA-1, SHA-256 and SHA-512 of "abc", from FIPS 180-4's examples.
const ABC: [(Algorithm, &str); 3] = [
    (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        Algorithm::Sha512,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
];

fn line((algorithm, digest): (Algorithm, &str), file: &str) -> Line {
    Line { algorithm, file: file.into(), digest: digest.into() }
}

#[test]
fn digests_are_those_of_the_standard() {
    for (algorithm, expected) in ABC {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), expected, "{algorithm}");
    }
}

#[test]
fn digests_are_those_that_coreutils_make() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bytes");
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&file, &bytes).unwrap();
    for (algorithm, _) in ABC {
        let tool = format!("{algorithm}sum");
        let Ok(output) = Command::new(&tool).arg(&file).output() else {
            left_out("digests_are_those_that_coreutils_make", &format!("{tool} is not installed"));
            continue;
        };
        let mut hasher = Hasher::new(algorithm);
        bytes.chunks(7919).for_each(|piece| hasher.update(piece));
        let theirs = String::from_utf8(output.stdout).unwrap();
        assert_eq!(theirs.split_whitespace().next(), Some(hasher.finish().as_str()), "{tool}");
    }
}

#[test]
fn what_is_written_is_the_grammar_to_the_byte() {
    let lines = [line(ABC[1], "a.ovf"), line(ABC[0], "a-disk1.vmdk")];
    let text = "SHA256(a.ovf)= ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\
                SHA1(a-disk1.vmdk)= a9993e364706816aba3e25717850c26c9cd0d89d\n";
    assert_eq!(write(&lines), text);
    assert_eq!(read(text.as_bytes()).unwrap(), lines);
    assert_eq!(rules("a.mf", write(&lines[..1]).as_bytes()).unwrap(), []);
}

#[test]
fn what_is_read_may_be_spelt_otherwise_and_that_is_told() {
    let (digest, upper) = (ABC[0].1, ABC[0].1.to_uppercase());
    let sha256 = ABC[1].1;
    let refused = "Invalid OVF checksum algorithm";
    for (text, expected, effect) in [
        (format!("SHA256 (a) = {sha256}\n"), line(ABC[1], "a"), refused),
        (format!("SHA256(a) ={sha256}\n"), line(ABC[1], "a"), refused),
        (format!("SHA2-256(a)= {sha256}\n"), line(ABC[1], "a"), refused),
        (format!("sha256(a)= {sha256}\n"), line(ABC[1], "a"), refused),
        (format!("SHA256(a)= {}\n", sha256.to_uppercase()), line(ABC[1], "a"), "strict importers"),
        (format!("SHA256(a)= {sha256}\r\n"), line(ABC[1], "a"), "strict importers"),
        (format!("SHA256(a)={sha256}\n"), line(ABC[1], "a"), "strict importers"),
        (format!("SHA1(a)= {digest}\n"), line(ABC[0], "a"), "newer ESXi"),
        (format!("\u{feff}SHA1(a)= {upper}"), line(ABC[0], "a"), "newer ESXi"),
        (format!("SHA512(a)= {}\n", ABC[2].1), line(ABC[2], "a"), "virt-v2v"),
    ] {
        assert_eq!(read(text.as_bytes()).unwrap(), [expected], "{text}");
        let found = rules("a.mf", text.as_bytes()).unwrap();
        assert!(found.iter().any(|finding| finding.effect.contains(effect)), "{text}: {found:?}");
        assert!(found.iter().all(|finding| finding.place == "a.mf" && !finding.broken), "{found:?}");
    }
}

/// ovftool 4.0 takes lines out by writing blanks over them.
#[test]
fn blanks_in_place_of_lines_are_nothing() {
    assert_eq!(read(&[b' '; 68]).unwrap(), []);
    assert_eq!(read(b"").unwrap(), []);
    assert_eq!(rules("a.mf", &[b' '; 68]).unwrap().len(), 1);
    let padded = format!("SHA256(a)= {}\n\n   \t\r\n{}", ABC[1].1, " ".repeat(60));
    assert_eq!(read(padded.as_bytes()).unwrap(), [line(ABC[1], "a")]);
    assert_eq!(rules("a.mf", padded.as_bytes()).unwrap(), []);
}

#[test]
fn names_may_hold_what_separates() {
    for name in ["a (1).vmdk", "a)= b", "a=b", "(", "ä"] {
        let lines = [line(ABC[1], name)];
        assert_eq!(read(write(&lines).as_bytes()).unwrap(), lines);
    }
}

#[test]
fn what_is_no_manifest_is_an_error_with_the_line() {
    let good = format!("SHA1(a)= {}\n", ABC[0].1);
    for (bad, kind) in [
        ("SHA1(b)= a9993e364706816aba3e25717850c26c9cd0d89", ErrorKind::Corrupt),
        ("SHA1(b)= g9993e364706816aba3e25717850c26c9cd0d89d", ErrorKind::Corrupt),
        ("SHA256(b)= a9993e364706816aba3e25717850c26c9cd0d89d", ErrorKind::Corrupt),
        ("SHA1()= a9993e364706816aba3e25717850c26c9cd0d89d", ErrorKind::Corrupt),
        ("SHA1(b)x= a9993e364706816aba3e25717850c26c9cd0d89d", ErrorKind::Corrupt),
        ("SHA1(b= a9993e364706816aba3e25717850c26c9cd0d89d", ErrorKind::Corrupt),
        ("SHA1(\u{1b}b)= a9993e364706816aba3e25717850c26c9cd0d89d", ErrorKind::Corrupt),
        ("a9993e364706816aba3e25717850c26c9cd0d89d  b", ErrorKind::Corrupt),
        ("SHA1(a)= a9993e364706816aba3e25717850c26c9cd0d89d", ErrorKind::Corrupt),
        ("MD5(b)= 900150983cd24fb0d6963f7d28e17f72", ErrorKind::Unsupported),
        ("SHA384(b)= 00", ErrorKind::Unsupported),
        ("(b)= 00", ErrorKind::Unsupported),
    ] {
        let error = read(format!("{good}{bad}\n").as_bytes()).unwrap_err();
        assert_eq!(error.kind(), kind, "{bad}: {error}");
        assert!(error.message().starts_with("line 2 "), "{bad}: {error}");
    }
    let error = read(&[good.as_bytes(), b"SHA1(\xff)= 00\n"].concat()).unwrap_err();
    assert!(error.message().starts_with("line 2 "), "{error}");
}

#[test]
fn algorithms_have_names() {
    for name in ["sha1", "sha256", "sha512"] {
        assert_eq!(name.parse::<Algorithm>().unwrap().to_string(), name);
    }
    assert_eq!(Algorithm::default(), Algorithm::Sha256);
    let error = "md5".parse::<Algorithm>().unwrap_err();
    assert_eq!((error.kind(), error.hint()), (ErrorKind::Usage, Some("there are: sha1, sha256, sha512")));
}
