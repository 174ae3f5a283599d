//! Signatures of manifests: the `.cert` file of a package.
//!
//! DSP0243, "Distribution of OVF packages", has it: `SHA256(NAME.mf)= ` and the hexadecimal digits of an RSA signature (PKCS#1 v1.5)
//! of the manifest's bytes, then the signer's X.509 certificate in PEM, and those above it. Nobody is trusted in here: it is told
//! who signed, and whether the signature holds.
//!
//! Without the cargo feature `signature` everything in here that needs cryptography is an `Unsupported` error.

#[cfg(feature = "signature")]
mod rsa;
#[cfg(not(feature = "signature"))]
#[path = "signature/without.rs"]
mod rsa;

use crate::error::{Error, ErrorKind, Result};
use crate::io::hash::hexadecimal;
use crate::package::manifest::{self, Algorithm};
use rsa::{Key, PublicKey};

/// Who signs a package.
pub struct Signer {
    /// None where another program has it.
    key: Option<Key>,
    public: PublicKey,
    /// The certificates in PEM, the signer's first.
    certificates: String,
}

impl Signer {
    /// One with the private key `key`, RSA in PKCS#1 or PKCS#8, and the certificate `certificate` of it, followed by those above it
    /// where an importer needs them; both in PEM.
    ///
    /// # Errors
    /// `Usage` where the key is encrypted, not of RSA or of less than 2048 bits, where it is not the certificate's, or where
    /// either is none.
    pub fn new(key: &[u8], certificate: &[u8]) -> Result<Self> {
        let key = Key::read(key)?;
        let mut signer = Self::external(certificate)?;
        if key.public() != signer.public {
            return Err(Error::usage("the key is not the one that the certificate is for")
                .with_hint("in a file of several certificates the signer's own comes first"));
        }
        signer.key = Some(key);
        Ok(signer)
    }

    /// One whose key another program has: see [`Signer::certificate_file`].
    ///
    /// # Errors
    /// `Usage` where `certificate` is none in PEM, or not for a key of RSA.
    pub fn external(certificate: &[u8]) -> Result<Self> {
        // What the caller gave is at fault, not a package.
        let usage =
            |error: Error| if error.kind() == ErrorKind::Corrupt { Error::usage(error.message()) } else { error };
        let read = rsa::certificates(certificate).map_err(usage)?;
        let public = read.key.ok_or_else(|| Error::usage("the certificate is not for a key of RSA"))?;
        Ok(Signer { key: None, public, certificates: read.pem })
    }

    /// Whether another program has the key.
    pub fn is_external(&self) -> bool {
        self.key.is_none()
    }

    /// Bytes of a signature: as many as the key has.
    pub fn signature_len(&self) -> usize {
        self.public.bits().div_ceil(8)
    }

    /// The signature of `manifest`.
    ///
    /// # Errors
    /// `Usage` for SHA-1, or where the key is elsewhere.
    pub fn sign(&self, manifest: &[u8], algorithm: Algorithm) -> Result<Vec<u8>> {
        let key = self.key.as_ref().ok_or_else(|| Error::usage("there is no key to sign with"))?;
        key.sign(manifest, algorithm)
    }

    /// The length in bytes of what [`Signer::certificate_file`] gives for the manifest `name`: known before the manifest is.
    pub fn certificate_file_len(&self, name: &str, algorithm: Algorithm) -> u64 {
        let line = line(name, algorithm, &vec![0; self.signature_len()]);
        (line.len() + self.certificates.len()) as u64
    }

    /// The `.cert` file for the manifest called `name`, of the bytes `manifest`, with their `signature`: [`Signer::sign`]'s, or
    /// another program's.
    ///
    /// # Errors
    /// `Usage` where the signature is not what the certificate's key makes of these bytes.
    pub fn certificate_file(
        &self,
        name: &str,
        manifest: &[u8],
        algorithm: Algorithm,
        signature: &[u8],
    ) -> Result<String> {
        let (length, found) = (self.signature_len(), signature.len());
        if found != length {
            return Err(Error::usage(format!("a signature of {length} bytes was expected, and {found} came"))
                .with_hint("it has to be the bare bytes of an RSA signature (PKCS#1 v1.5), not text"));
        }
        if !self.public.verifies(algorithm, manifest, signature) {
            return Err(Error::usage("the signature does not verify with the certificate").with_hint(format!(
                "it has to be made over the manifest's bytes with {}, PKCS#1 v1.5 and the certificate's key",
                algorithm.word()
            )));
        }
        Ok(line(name, algorithm, signature) + &self.certificates)
    }
}

/// The line with the signature.
fn line(name: &str, algorithm: Algorithm, signature: &[u8]) -> String {
    manifest::write(&[manifest::Line { algorithm, file: name.into(), digest: hexadecimal(signature) }])
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// From when it holds, in seconds since 1970.
    pub not_before: i64,
    /// Until when it holds, in seconds since 1970.
    pub not_after: i64,
    /// Whether its subject issued it.
    pub self_signed: bool,
    /// Bits of its key; none where that is not of RSA.
    pub key_bits: Option<usize>,
}

/// A signed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The digest that was signed.
    pub algorithm: Algorithm,
    /// The name of the file that was signed, as the signature has it.
    pub file: String,
    /// Whether that file is the manifest, and the signature the signer's over its bytes.
    pub holds: bool,
    /// The signer.
    pub signer: Certificate,
    /// The certificates above it, as the file has them.
    pub chain: Vec<Certificate>,
    /// Whether each certificate is signed by the next one; none where that cannot be told, or there is no next one.
    pub chained: Option<bool>,
}

/// Looks at the signature `text`, a `.cert` file, of the manifest called `name` with the bytes `manifest`.
///
/// # Errors
/// `Corrupt` where it holds no signature or no certificate; `Unsupported` where the signer's key is not of RSA.
pub fn verify(text: &[u8], manifest: &[u8], name: &str) -> Result<Signed> {
    let (algorithm, file, signature) = signature(text)?;
    let read = rsa::certificates(text)?;
    let key = read.key.as_ref().ok_or_else(|| Error::unsupported("the signer's key is not of RSA"))?;
    let holds = file == name && key.verifies(algorithm, manifest, &signature);
    Ok(Signed { algorithm, file, holds, chained: read.chained, signer: read.signer, chain: read.chain })
}

/// The line in front of the certificates.
fn signature(text: &[u8]) -> Result<(Algorithm, String, Vec<u8>)> {
    let none = || Error::corrupt("the signature does not begin with a line like SHA256(NAME.mf)= 0123…");
    let mut rows = text.split(|byte| *byte == b'\n').take_while(|row| !row.starts_with(b"-----BEGIN"));
    let row = rows.find(|row| !row.trim_ascii().is_empty()).ok_or_else(none)?;
    let row = std::str::from_utf8(row).map_err(|_| none())?;
    let row = manifest::Row::parse(row).map_err(|_| none())?;
    let algorithm = row.algorithm().map_err(|_| none())?;
    let bytes = bytes(row.digest.trim()).ok_or_else(none)?;
    Ok((algorithm, row.file.into(), bytes))
}

/// The bytes of which `digits` are the hexadecimal ones.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect()
}
