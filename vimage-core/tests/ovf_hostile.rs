//! Descriptors that nobody should have written: each is an error, soon, and of the right kind.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "ovf/made.rs"]
#[expect(dead_code, reason = "only the descriptor is wanted here")]
mod made;

use made::MADE;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use vimage_core::ErrorKind;
use vimage_core::package::ovf::{read, rules};

/// How long any of these may take, unoptimised and on a busy machine.
const LONGEST: Duration = Duration::from_secs(5);

/// The kind and message of the error that `text` is.
fn error(text: &[u8]) -> (ErrorKind, String) {
    let start = Instant::now();
    let error = read(text).unwrap_err();
    assert_eq!(rules(text).unwrap_err().to_string(), error.to_string());
    assert!(start.elapsed() < LONGEST, "{:?}: {error}", start.elapsed());
    (error.kind(), error.to_string())
}

/// It is wrong, and the message says `what` and in which line and column.
fn corrupt(text: &str, what: &str) {
    let (kind, message) = error(text.as_bytes());
    assert_eq!(kind, ErrorKind::Corrupt, "{message}");
    assert!(message.contains(what) && message.starts_with("line "), "{message:?} has no {what:?}");
}

#[test]
fn document_types_are_refused_unread() {
    let laughs: String = (1..30).map(|n| format!("<!ENTITY l{n} \"&l{};&l{};\">", n - 1, n - 1)).collect();
    for text in [
        format!("<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY l0 \"ha\">{laughs}]><Envelope>&l29;</Envelope>"),
        "<!DOCTYPE foo [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Envelope>&x;</Envelope>".into(),
        "<!DOCTYPE Envelope SYSTEM \"http://example.org/a.dtd\"><Envelope/>".into(),
    ] {
        let (kind, message) = error(text.as_bytes());
        assert_eq!(kind, ErrorKind::Refused);
        assert!(message.starts_with("line ") && message.contains("a document type"), "{message}");
    }
    corrupt("<Envelope>&external;</Envelope>", "there is no entity &external;");
    corrupt("<Envelope a=\"&external;\"/>", "external");
    corrupt("<Envelope>&#0;</Envelope>", "there is no entity");
    corrupt("<Envelope>&#x1;</Envelope>", "there is no entity");
    corrupt("<Envelope a=\"&#x1;\"/>", "character");
}

#[test]
fn what_could_grow_has_a_limit() {
    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    corrupt(&deep(65), "within each other");
    corrupt(&deep(1_000_000), "within each other");
    let attributes = |n: usize| (0..n).map(|n| format!(" a{n}=\"\"")).collect::<String>();
    corrupt(&format!("<Envelope{}/>", attributes(65)), "more than 64 attributes");
    corrupt(&format!("<Envelope{}/>", attributes(65_536)), "more than 64 attributes");
    corrupt(&format!("<Envelope>{}</Envelope>", "<a/>".repeat(100_000)), "more than 100000 elements");
    let full = format!("<a{}/>", attributes(64));
    corrupt(&format!("<Envelope>{}</Envelope>", full.repeat(6_300)), "more than 400000 attributes");
    let spaces: String = (0..64).map(|n| format!(" xmlns:a{n}=\"b\"")).collect();
    corrupt(&format!("<a{spaces}><b{spaces}/></a>"), "namespace");
    let (kind, message) = error(&vec![b' '; (16 << 20) + 1]);
    assert_eq!((kind, message.contains("is longer than")), (ErrorKind::Corrupt, true), "{message}");
}

#[test]
fn what_is_repeated_cannot_outgrow_the_text() {
    let properties = "<Property ovf:key=\"a\"/>".repeat(50_000);
    let class = "x".repeat(1 << 20);
    let product = format!("<ProductSection ovf:class=\"{class}\"><Info/>{properties}</ProductSection><EulaSection>");
    corrupt(&MADE.replacen("<EulaSection>", &product, 1), "ovf:class is longer than 1024 bytes");
    // A short class many times over.
    let properties: String = (0..40_000).map(|number| format!("<Property ovf:key=\"p{number}\"/>")).collect();
    let class = "x".repeat(1000);
    let product = format!("<ProductSection ovf:class=\"{class}\"><Info/>{properties}</ProductSection><EulaSection>");
    corrupt(&MADE.replacen("<EulaSection>", &product, 1), "classes of properties come to more than");

    let eulas = "<EulaSection><Info/><License ovf:msgid=\"a\"/></EulaSection>".repeat(20_000);
    let strings = format!("<Strings><Msg ovf:msgid=\"a\">{}</Msg></Strings></Envelope>", "x".repeat(1 << 20));
    let text = MADE.replacen("<EulaSection>", &format!("{eulas}<EulaSection>"), 1).replace("</Envelope>", &strings);
    let error = read(text.as_bytes()).unwrap_err();
    assert!(error.message().contains("named more than once"), "{error}");
}

#[test]
fn what_is_slow_elsewhere_is_not_here() {
    // As much as the limits let through: all names looked up among all namespaces, and all lines and columns counted.
    let spaces: String = (0..63).map(|n| format!(" xmlns:a{n}=\"b\"")).collect();
    let element = format!("<a0:a{}/>", (0..4).map(|n| format!(" a0:b{n}=\"\"")).collect::<String>());
    let text = format!(
        "<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\"{spaces}>{}<a>{}</a></Envelope>",
        element.repeat(90_000),
        "x".repeat(12 << 20),
    );
    let start = Instant::now();
    assert_eq!(read(text.as_bytes()).unwrap().systems, []);
    assert!(!rules(text.as_bytes()).unwrap().is_empty());
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());

    // Disks over each other, in a long row and in a circle.
    let disk = |n: u32, over: u32| format!("<Disk ovf:diskId=\"{n}\" ovf:parentRef=\"{over}\"/>");
    let mut disks: String = (0..30_000).map(|n| disk(n, n + 1)).collect();
    disks.extend((50_000..80_000).map(|n| disk(n, 50_000 + (n + 1) % 30_000)));
    let text = MADE.replacen("<Disk ovf", &format!("{disks}<Disk ovf"), 1);
    let start = Instant::now();
    assert_eq!(read(text.as_bytes()).unwrap().disks.len(), 60_002);
    assert_eq!(rules(text.as_bytes()).unwrap().len(), 1000);
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
}

#[test]
fn what_is_not_well_formed_is_told_with_its_place() {
    for (text, what) in [
        ("", "there is no element"),
        ("\n\n", "there is no element"),
        ("<Envelope>", "has no end"),
        ("<Envelope></Envelop>", "Envelop"),
        ("<Envelope/><Envelope/>", "a second element"),
        ("<Envelope/>text", "outside of all elements"),
        ("text<Envelope/>", "outside of all elements"),
        (" <?xml version=\"1.0\"?><Envelope/>", "not at the beginning"),
        ("<Envelope a=\"1\" a=\"2\"/>", "there twice"),
        (
            "<Envelope xmlns:a=\"http://www.vmware.com/schema/ovf\" xmlns:b=\"http://www.vmware.com/schema/ovf\" a:c=\"\" b:c=\"\"/>",
            "there twice",
        ),
        ("<Envelope a/>", "no \"=\""),
        ("<Envelope a=1/>", "not in quotes"),
        ("<Envelope a=\"<\"/>", "\"<\" is in the value"),
        ("<a:Envelope/>", "no namespace is declared"),
        ("<Envelope a:b=\"\"/>", "no namespace is declared"),
        ("<1Envelope/>", "is no name"),
        ("<Envelope><!-- a -- b --></Envelope>", "--"),
        ("<Envelope>\u{1}</Envelope>", "U+0001"),
        ("<Disks/>", "is \"Disks\", not Envelope"),
        ("<Envelope xmlns=\"http://example.org/\"/>", "no version of OVF that is known"),
        ("<Envelope/>", "no version of OVF that is known"),
    ] {
        corrupt(text, what);
    }
    let (_, message) = error("<Envelope>\n  é<a>\n  </b>\n</Envelope>".as_bytes());
    assert!(message.starts_with("line 3, column 3: "), "{message}");
    let (kind, message) = error(b"<Envelope>\n\xff</Envelope>");
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(message.starts_with("line 2, column 1: "), "{message}");
    // An OVA, a ZIP and a disk are none.
    for bytes in
        [&b"PK\x03\x04"[..], b"KDMV\x01\x00\x00\x00", b"tool.ovf\0\0\0", &[0xff, 0xfe, 0x3c], &[0xfe, 0xff, 0xd8, 0x00]]
    {
        assert_eq!(error(bytes).0, ErrorKind::Corrupt);
    }
}

#[test]
fn a_descriptor_that_ends_early_is_an_error() {
    let whole = MADE.trim_end().len();
    for end in 0..whole {
        let Some(text) = MADE.as_bytes().get(..end) else { panic!("{end}") };
        let message = read(text).unwrap_err().to_string();
        assert!(message.starts_with("line "), "{end}: {message}");
    }
    assert!(read(&MADE.as_bytes()[..whole]).is_ok());
}

/// Bytes that mean something in XML, or nothing anywhere.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"<".to_vec()),
        Just(b"</".to_vec()),
        Just(b">".to_vec()),
        Just(b"&#".to_vec()),
        Just(b"<![CDATA[".to_vec()),
        Just(b"]]>".to_vec()),
        Just(b"<!--".to_vec()),
        Just(b"xmlns=\"".to_vec()),
        Just(b"99999999999999999999".to_vec()),
        Just(b"${".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn changed_descriptors_are_read_or_refused_by_both(at in 0..MADE.len(), len in 0usize..200, new in bytes()) {
        let end = MADE.len().min(at + len);
        let text = [&MADE.as_bytes()[..at], &new, &MADE.as_bytes()[end..]].concat();
        let start = Instant::now();
        prop_assert_eq!(read(&text).is_ok(), rules(&text).is_ok());
        prop_assert!(start.elapsed() < LONGEST);
    }
}
