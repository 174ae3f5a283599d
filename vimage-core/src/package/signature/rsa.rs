//! Keys, certificates and signatures, by aws-lc-rs and x509-parser.

use super::Certificate;
use crate::error::{Error, Result};
use crate::package::manifest::Algorithm;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{self, KeyPair as _, RsaEncoding, RsaParameters, VerificationAlgorithm as _};
use pem::{EncodeConfig, LineEnding, Pem};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{self as oid, Oid};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as AnyPublicKey;

/// A private key.
pub(super) struct Key(KeyPair);

impl Key {
    /// The first key of a text in PEM.
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let blocks = blocks(text).map_err(|_| no_key())?;
        let block = blocks.iter().find(|block| block.tag().ends_with("PRIVATE KEY")).ok_or_else(no_key)?;
        let encrypted = block.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"));
        let read = match block.tag() {
            "ENCRYPTED PRIVATE KEY" => return Err(is_encrypted()),
            _ if encrypted => return Err(is_encrypted()),
            "RSA PRIVATE KEY" => KeyPair::from_der(block.contents()),
            "PRIVATE KEY" => KeyPair::from_pkcs8(block.contents()),
            _ => return Err(not_rsa()),
        };
        read.map(Key).map_err(|fault| match fault.to_string().as_str() {
            "TooSmall" => {
                Error::usage("the key has fewer than 2048 bits").with_hint("nobody takes such signatures any more")
            }
            "TooLarge" => Error::usage("the key has more than 8192 bits"),
            "WrongAlgorithm" => not_rsa(),
            _ => Error::usage("the key is damaged"),
        })
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }

    pub(super) fn sign(&self, message: &[u8], algorithm: Algorithm) -> Result<Vec<u8>> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            Algorithm::Sha256 => &signature::RSA_PKCS1_SHA256,
            Algorithm::Sha512 => &signature::RSA_PKCS1_SHA512,
            Algorithm::Sha1 => {
                return Err(Error::usage("nothing is signed with SHA-1 in here: it is broken")
                    .with_hint("take SHA-256, or have another program sign"));
            }
        };
        let mut bytes = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(encoding, &SystemRandom::new(), message, &mut bytes)
            .map_err(|_| Error::usage("the key does not sign"))?;
        Ok(bytes)
    }
}

fn no_key() -> Error {
    Error::usage("there is no private key in PEM").with_hint("it begins with a line like -----BEGIN PRIVATE KEY-----")
}

fn is_encrypted() -> Error {
    Error::usage("the key is encrypted")
        .with_hint("take the passphrase off (openssl pkey -in KEY -out PLAIN), or have another program sign")
}

fn not_rsa() -> Error {
    Error::usage("the key is not of RSA").with_hint("packages are signed with RSA alone")
}

/// A public key: the DER of an `RSAPublicKey` (RFC 8017, A.1.1).
#[derive(PartialEq, Eq)]
pub(super) struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Bits of the modulus; a signature has as many, in whole bytes.
    pub(super) fn bits(&self) -> usize {
        let parsed = x509_parser::public_key::RSAPublicKey::from_der(&self.0);
        parsed.map_or(0, |(_, key)| bits(key.modulus))
    }

    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.verifies_by(by_digest(algorithm), message, signature)
    }

    fn verifies_by(&self, parameters: &RsaParameters, message: &[u8], signature: &[u8]) -> bool {
        parameters.verify_sig(&self.0, message, signature).is_ok()
    }
}

/// How signatures over a digest are verified: keys of 1024 bits and SHA-1 too, for there are old packages.
fn by_digest(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::Sha1 => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha256 => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha512 => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    }
}

/// How certificates are verified that say that they are signed by `oid`.
fn by_oid(algorithm: &Oid<'_>) -> Option<&'static RsaParameters> {
    let known: [(Oid<'_>, &'static RsaParameters); 4] = [
        (oid::OID_PKCS1_SHA1WITHRSA, by_digest(Algorithm::Sha1)),
        (oid::OID_PKCS1_SHA256WITHRSA, by_digest(Algorithm::Sha256)),
        (oid::OID_PKCS1_SHA384WITHRSA, &signature::RSA_PKCS1_2048_8192_SHA384),
        (oid::OID_PKCS1_SHA512WITHRSA, by_digest(Algorithm::Sha512)),
    ];
    known.into_iter().find(|(oid, _)| oid == algorithm).map(|(_, parameters)| parameters)
}

/// Bits of a big-endian number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - first
}

/// The certificates of a file.
pub(super) struct Certificates {
    /// All of them in PEM, as they came, and nothing else.
    pub(super) pem: String,
    /// The first one's key; none where that is not of RSA.
    pub(super) key: Option<PublicKey>,
    /// The first one.
    pub(super) signer: Certificate,
    /// The others.
    pub(super) chain: Vec<Certificate>,
    /// Whether each is signed by the next.
    pub(super) chained: Option<bool>,
}

/// Reads the certificates of a text in PEM, whatever else is there.
pub(super) fn certificates(text: &[u8]) -> Result<Certificates> {
    let mut blocks = blocks(text)?;
    blocks.retain(|block| block.tag() == "CERTIFICATE");
    let parsed = blocks.iter().map(|block| match X509Certificate::from_der(block.contents()) {
        Ok((_, certificate)) => Ok(certificate),
        Err(fault) => Err(Error::corrupt(format!("the certificate cannot be read: {fault}"))),
    });
    let parsed = parsed.collect::<Result<Vec<_>>>()?;
    let [first, chain @ ..] = parsed.as_slice() else {
        return Err(Error::corrupt("there is no certificate in PEM"));
    };
    let style = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Ok(Certificates {
        pem: blocks.iter().map(|block| pem::encode_config(&Pem::new(block.tag(), block.contents()), style)).collect(),
        key: rsa_key(first),
        signer: describe(first),
        chain: chain.iter().map(describe).collect(),
        chained: chained(&parsed),
    })
}

fn blocks(text: &[u8]) -> Result<Vec<Pem>> {
    pem::parse_many(text).map_err(|fault| Error::corrupt(format!("the PEM cannot be read: {fault}")))
}

fn describe(certificate: &X509Certificate<'_>) -> Certificate {
    Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        key_bits: rsa_key(certificate).map(|key| key.bits()),
    }
}

fn rsa_key(certificate: &X509Certificate<'_>) -> Option<PublicKey> {
    let key = certificate.public_key();
    matches!(key.parsed(), Ok(AnyPublicKey::RSA(_))).then(|| PublicKey(key.subject_public_key.data.to_vec()))
}

/// Whether each certificate names the next one as its issuer, and is signed by it.
fn chained(certificates: &[X509Certificate<'_>]) -> Option<bool> {
    let links = certificates.iter().zip(certificates.iter().skip(1)).map(|(below, above)| {
        let parameters = by_oid(&below.signature_algorithm.algorithm)?;
        let named = below.issuer().as_raw() == above.subject().as_raw();
        let signed =
            |key: PublicKey| key.verifies_by(parameters, below.tbs_certificate.as_ref(), &below.signature_value.data);
        Some(named && signed(rsa_key(above)?))
    });
    let links = links.collect::<Option<Vec<_>>>()?;
    (!links.is_empty()).then(|| links.into_iter().all(|holds| holds))
}
