//! Signatures of manifests: OpenSSL verifies what is signed here, and what OpenSSL signs is verified here.

#![cfg(feature = "signature")]
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;

use left_out::left_out;
use std::fs;
use std::process::Command;
use tempfile::TempDir;
use vimage_core::ErrorKind;
use vimage_core::package::manifest::Algorithm;
use vimage_core::package::signature::{Signer, verify};

const MANIFEST: &[u8] = b"SHA256(a.ovf)= ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";

/// A folder in which OpenSSL works.
struct OpenSsl(TempDir);

impl OpenSsl {
    /// None where it is not installed, which is told in the name of `test`.
    fn new(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            left_out(test, "openssl is not installed");
            return None;
        }
        let here = OpenSsl(tempfile::tempdir().unwrap());
        fs::write(here.0.path().join("a.mf"), MANIFEST).unwrap();
        Some(here)
    }

    /// Runs it with the words of `line`; tells whether it said yes.
    fn says(&self, line: &str) -> bool {
        let run = Command::new("openssl").args(line.split_whitespace()).current_dir(self.0.path()).output().unwrap();
        run.status.success()
    }

    fn run(&self, line: &str) {
        assert!(self.says(line), "openssl {line}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    /// A key of `bits` in `NAME.key`, and its own certificate in `NAME.pem`.
    fn make(&self, name: &str, bits: u32) {
        self.run(&format!("genrsa -out {name}.key {bits}"));
        self.run(&format!("req -x509 -new -key {name}.key -out {name}.pem -days 30 -subj /O=Test/CN={name}"));
    }
}

/// The line in front of the certificates, and the bytes that it gives.
fn first_line(file: &str) -> (String, Vec<u8>) {
    let (line, _) = file.split_once('\n').unwrap();
    let (start, digits) = line.split_once("= ").unwrap();
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    (start.into(), bytes)
}

#[test]
fn openssl_verifies_what_is_signed() {
    let Some(openssl) = OpenSsl::new("openssl_verifies_what_is_signed") else { return };
    for bits in [2048, 3072, 4096] {
        openssl.make("me", bits);
        openssl.run("pkey -in me.pem -in me.key -traditional -out pkcs1.key");
        openssl.run("pkcs8 -topk8 -nocrypt -in me.key -out pkcs8.key");
        openssl.run("x509 -in me.pem -pubkey -noout -out me.pub");
        assert!(openssl.read("pkcs1.key").starts_with(b"-----BEGIN RSA PRIVATE KEY"));
        assert!(openssl.read("pkcs8.key").starts_with(b"-----BEGIN PRIVATE KEY"));
        for (key, algorithm, word) in
            [("pkcs1.key", Algorithm::Sha256, "sha256"), ("pkcs8.key", Algorithm::Sha512, "sha512")]
        {
            let signer = Signer::new(&openssl.read(key), &openssl.read("me.pem")).unwrap();
            assert!(!signer.is_external());
            assert_eq!(signer.signature_len() as u32, bits / 8);
            let length = signer.certificate_file_len("a.mf", algorithm);
            let signature = signer.sign(MANIFEST, algorithm).unwrap();
            let file = signer.certificate_file("a.mf", MANIFEST, algorithm, &signature).unwrap();
            assert_eq!(file.len() as u64, length);
            let (start, bytes) = first_line(&file);
            assert_eq!(start, format!("{}(a.mf)", word.to_uppercase()));
            openssl.write("a.sig", bytes);
            openssl.run(&format!("dgst -{word} -verify me.pub -signature a.sig a.mf"));
            // The certificate behind it is the one that was given.
            openssl.write("a.cert", &file);
            openssl.run("x509 -in a.cert -out again.pem");
            assert_eq!(openssl.read("again.pem"), openssl.read("me.pem"));
            // The same bytes each time.
            let again = signer.sign(MANIFEST, algorithm).unwrap();
            assert_eq!(signer.certificate_file("a.mf", MANIFEST, algorithm, &again).unwrap(), file);
        }
    }
}

#[test]
fn what_openssl_signs_verifies() {
    let Some(openssl) = OpenSsl::new("what_openssl_signs_verifies") else { return };
    for bits in [1024, 2048, 3072, 4096] {
        openssl.make("them", bits);
        for (algorithm, word) in
            [(Algorithm::Sha1, "sha1"), (Algorithm::Sha256, "sha256"), (Algorithm::Sha512, "sha512")]
        {
            openssl.run(&format!("dgst -{word} -sign them.key -out a.sig a.mf"));
            let signature = openssl.read("a.sig");
            let signer = Signer::external(&openssl.read("them.pem")).unwrap();
            assert!(signer.is_external());
            assert!(signer.sign(MANIFEST, algorithm).is_err());
            let file = signer.certificate_file("a.mf", MANIFEST, algorithm, &signature).unwrap();
            assert_eq!(file.len() as u64, signer.certificate_file_len("a.mf", algorithm));
            let signed = verify(file.as_bytes(), MANIFEST, "a.mf").unwrap();
            assert_eq!((signed.holds, signed.algorithm, signed.file.as_str()), (true, algorithm, "a.mf"));
            assert_eq!(signed.signer.key_bits, Some(bits as usize));
            assert_eq!(signed.signer.subject, "O=Test, CN=them");
            assert_eq!(signed.signer.issuer, "O=Test, CN=them");
            assert!(signed.signer.self_signed);
            assert_eq!(signed.signer.not_after - signed.signer.not_before, 30 * 86_400);
            assert_eq!((signed.chain.len(), signed.chained), (0, None));
            // As OpenSSL 3 calls digests, in upper case, with blanks, as Windows ends lines, and padded.
            let (line, rest) = file.split_once('\n').unwrap();
            let (start, digits) = line.split_once("= ").unwrap();
            let other = format!(
                "{} = {}\r\n{rest}{}",
                start.replace("SHA2", "SHA2-2"),
                digits.to_uppercase(),
                " ".repeat(9999)
            );
            let other = other.replacen("(a.mf)", " (a.mf)", 1);
            assert!(verify(other.as_bytes(), MANIFEST, "a.mf").unwrap().holds, "{start}");
        }
    }
}

#[test]
fn one_bit_of_the_manifest_or_of_the_signature_breaks_it() {
    let Some(openssl) = OpenSsl::new("one_bit_of_the_manifest_or_of_the_signature_breaks_it") else { return };
    openssl.make("me", 2048);
    openssl.make("you", 2048);
    let signer = Signer::new(&openssl.read("me.key"), &openssl.read("me.pem")).unwrap();
    let signature = signer.sign(MANIFEST, Algorithm::Sha256).unwrap();
    let file = signer.certificate_file("a.mf", MANIFEST, Algorithm::Sha256, &signature).unwrap();
    assert!(verify(file.as_bytes(), MANIFEST, "a.mf").unwrap().holds);
    for bit in (0..MANIFEST.len() * 8).step_by(61) {
        let mut changed = MANIFEST.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(file.as_bytes(), &changed, "a.mf").unwrap().holds, "bit {bit} of the manifest");
        let error = signer.certificate_file("a.mf", &changed, Algorithm::Sha256, &signature).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    let digits = file.find("= ").unwrap() + 2;
    for at in (0..512).step_by(37) {
        let mut changed = file.clone().into_bytes();
        changed[digits + at] = if changed[digits + at] == b'0' { b'1' } else { b'0' };
        assert!(!verify(&changed, MANIFEST, "a.mf").unwrap().holds, "digit {at} of the signature");
    }
    // Of another manifest, by another digest, of another length, by another key.
    assert!(!verify(file.as_bytes(), MANIFEST, "b.mf").unwrap().holds);
    assert!(!verify(file.replacen("SHA256", "SHA512", 1).as_bytes(), MANIFEST, "a.mf").unwrap().holds);
    assert!(!verify(file.replacen("= ", "= 00", 1).as_bytes(), MANIFEST, "a.mf").unwrap().holds);
    let (line, _) = file.split_once('\n').unwrap();
    let foreign = [line.as_bytes(), b"\n", &openssl.read("you.pem")].concat();
    assert!(!verify(&foreign, MANIFEST, "a.mf").unwrap().holds);
}

#[test]
fn keys_that_cannot_sign_are_refused_with_the_reason() {
    let Some(openssl) = OpenSsl::new("keys_that_cannot_sign_are_refused_with_the_reason") else { return };
    openssl.make("me", 2048);
    openssl.make("you", 2048);
    openssl.make("small", 1024);
    openssl.run("pkcs8 -topk8 -passout pass:secret -in me.key -out encrypted8.key");
    openssl.run("rsa -aes128 -traditional -passout pass:secret -in me.key -out encrypted1.key");
    openssl.run("ecparam -genkey -name prime256v1 -noout -out curve1.key");
    openssl.run("pkcs8 -topk8 -nocrypt -in curve1.key -out curve8.key");
    openssl.run("req -x509 -new -key curve1.key -out curve1.pem -days 30 -subj /CN=curve");
    openssl.write("none", "nothing");
    openssl.write("broken", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    openssl.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (key, certificate, reason) in [
        ("you.key", "me.pem", "is not the one that the certificate is for"),
        ("small.key", "small.pem", "fewer than 2048 bits"),
        ("encrypted8.key", "me.pem", "is encrypted"),
        ("encrypted1.key", "me.pem", "is encrypted"),
        ("curve1.key", "curve1.pem", "not of RSA"),
        ("curve8.key", "curve1.pem", "not of RSA"),
        ("me.key", "curve1.pem", "not for a key of RSA"),
        ("none", "me.pem", "no private key"),
        ("me.pem", "me.pem", "no private key"),
        ("broken", "me.pem", "is damaged"),
        ("me.key", "none", "no certificate"),
        ("me.key", "me.key", "no certificate"),
        ("me.key", "broken.pem", "cannot be read"),
    ] {
        let error = Signer::new(&openssl.read(key), &openssl.read(certificate)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage, "{key} {certificate}: {error}");
        assert!(error.message().contains(reason), "{key} {certificate}: {error}");
    }
    let signer = Signer::new(&openssl.read("me.key"), &openssl.read("me.pem")).unwrap();
    let error = signer.sign(MANIFEST, Algorithm::Sha1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.hint().is_some_and(|hint| hint.contains("SHA-256")), "{error}");
    let error = signer.certificate_file("a.mf", MANIFEST, Algorithm::Sha256, b"-----BEGIN").unwrap_err();
    assert!(error.message().contains("256 bytes"), "{error}");
}

/// A signer whom another vouches for, as signers of products have it.
#[test]
fn chains_are_told_and_checked() {
    let Some(openssl) = OpenSsl::new("chains_are_told_and_checked") else { return };
    openssl.make("root", 2048);
    openssl.make("other", 2048);
    openssl.run("genrsa -out me.key 2048");
    openssl.run("req -new -key me.key -out me.csr -subj /CN=me");
    for digest in ["sha1", "sha256", "sha384", "sha512"] {
        openssl.run(&format!(
            "x509 -req -in me.csr -CA root.pem -CAkey root.key -CAcreateserial -days 7 -{digest} -out me.pem"
        ));
        let file = |above: &str| {
            let certificates = [openssl.read("me.pem"), openssl.read(above)].concat();
            let signer = Signer::new(&openssl.read("me.key"), &certificates).unwrap();
            let signature = signer.sign(MANIFEST, Algorithm::Sha256).unwrap();
            signer.certificate_file("a.mf", MANIFEST, Algorithm::Sha256, &signature).unwrap()
        };
        let signed = verify(file("root.pem").as_bytes(), MANIFEST, "a.mf").unwrap();
        assert!(signed.holds && !signed.signer.self_signed);
        assert_eq!((signed.signer.subject.as_str(), signed.signer.issuer.as_str()), ("CN=me", "O=Test, CN=root"));
        assert_eq!((signed.chain.len(), signed.chained), (1, Some(true)), "{digest}");
        assert!(signed.chain[0].self_signed);
        let signed = verify(file("other.pem").as_bytes(), MANIFEST, "a.mf").unwrap();
        assert_eq!((signed.holds, signed.chained), (true, Some(false)));
    }
    // Above the key's own certificate there is none of its own.
    let upside_down = [openssl.read("root.pem"), openssl.read("me.pem")].concat();
    let error = Signer::new(&openssl.read("me.key"), &upside_down).err().unwrap();
    assert!(error.hint().is_some_and(|hint| hint.contains("first")), "{error}");
}

#[test]
fn what_is_no_signature_is_corrupt() {
    let Some(openssl) = OpenSsl::new("what_is_no_signature_is_corrupt") else { return };
    openssl.make("me", 2048);
    openssl.run("ecparam -genkey -name prime256v1 -noout -out curve.key");
    openssl.run("req -x509 -new -key curve.key -out curve.pem -days 30 -subj /CN=curve");
    let pem = openssl.read("me.pem");
    for line in [
        "",
        "\n\n",
        "SHA256(a.mf)= \n",
        "SHA256(a.mf)= 0\n",
        "SHA256(a.mf)= xy\n",
        "SHA256 a.mf 00\n",
        "MD5(a.mf)= 00\n",
    ] {
        let error = verify(&[line.as_bytes(), &pem].concat(), MANIFEST, "a.mf").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{line:?}: {error}");
    }
    let line = b"SHA256(a.mf)= 00\n";
    assert!(!verify(&[&line[..], &pem].concat(), MANIFEST, "a.mf").unwrap().holds);
    for rest in [&b""[..], b"-----BEGIN CERTIFICATE-----\n", &pem[..pem.len() / 2], b"\xff\xfe"] {
        let error = verify(&[&line[..], rest].concat(), MANIFEST, "a.mf").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    let error = verify(&[&line[..], &openssl.read("curve.pem")].concat(), MANIFEST, "a.mf").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    // No byte of a certificate that is changed makes anything but an answer or an error.
    let signer = Signer::new(&openssl.read("me.key"), &pem).unwrap();
    let signature = signer.sign(MANIFEST, Algorithm::Sha256).unwrap();
    let file = signer.certificate_file("a.mf", MANIFEST, Algorithm::Sha256, &signature).unwrap().into_bytes();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] = changed[at].wrapping_add(1);
        let _ = verify(&changed, MANIFEST, "a.mf");
        let _ = verify(&file[..at], MANIFEST, "a.mf");
    }
}
