//! Digests of files, by name: what `sha256sum` and its relatives compute.

use crate::error::{Error, Result};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::str::FromStr;

/// A digest of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-1 (FIPS 180-4), as `sha1sum` prints it.
    Sha1,
    /// SHA-256 (FIPS 180-4), as `sha256sum` prints it.
    Sha256,
    /// SHA-512 (FIPS 180-4), as `sha512sum` prints it.
    Sha512,
    /// BLAKE3, as `b3sum` prints it.
    Blake3,
}

impl Hash {
    /// Every one and its name, which is also how files of such digests end.
    pub const NAMES: [(Hash, &str); 4] =
        [(Hash::Sha1, "sha1"), (Hash::Sha256, "sha256"), (Hash::Sha512, "sha512"), (Hash::Blake3, "blake3")];

    /// Its name: `sha256`.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Hash {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(hash, _)| hash);
        found.ok_or_else(|| {
            Error::usage(format!("there is no digest \"{name}\""))
                .with_hint(format!("there are: {}", Self::NAMES.map(|(_, name)| name).join(", ")))
        })
    }
}

/// A digest being made.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// A new one.
    pub fn new(hash: impl Into<Hash>) -> Self {
        Hasher(match hash.into() {
            Hash::Sha1 => State::Sha1(Sha1::new()),
            Hash::Sha256 => State::Sha256(Sha256::new()),
            Hash::Sha512 => State::Sha512(Sha512::new()),
            Hash::Blake3 => State::Blake3(Box::default()),
        })
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha1(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
            State::Blake3(state) => drop(state.update(bytes)),
        }
    }

    /// Takes `count` zeros.
    pub fn zeros(&mut self, mut count: u64) {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while count > 0 {
            let take = count.min(ZEROS.len() as u64);
            self.update(&ZEROS[..take as usize]);
            count -= take;
        }
    }

    /// The digest, in lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        match self.0 {
            State::Sha1(state) => hexadecimal(&state.finalize()),
            State::Sha256(state) => hexadecimal(&state.finalize()),
            State::Sha512(state) => hexadecimal(&state.finalize()),
            State::Blake3(state) => hexadecimal(state.finalize().as_bytes()),
        }
    }
}

/// `bytes` in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The line that `sha256sum -c` and `b3sum -c` read: the digest of the file `name`. A name that would not be one line is escaped as they
/// escape it, with a backslash in front of the line.
pub fn checksum_line(digest: &str, name: &[u8]) -> Vec<u8> {
    let escaped = name.iter().flat_map(|byte| match byte {
        b'\\' => b"\\\\",
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        byte => std::slice::from_ref(byte),
    });
    let escaped: Vec<u8> = escaped.copied().collect();
    let mark: &[u8] = if escaped == name { b"" } else { b"\\" };
    [mark, digest.as_bytes(), b"  ", &escaped, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests of "abc" in FIPS 180-4's examples, and in BLAKE3's own paper for the empty input.
    #[test]
    fn known_answers() {
        let digest = |hash, bytes: &[u8]| {
            let mut hasher = Hasher::new(hash);
            hasher.update(bytes);
            hasher.finish()
        };
        assert_eq!(digest(Hash::Sha1, b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(digest(Hash::Sha256, b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(digest(Hash::Sha512, b"abc").starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(digest(Hash::Blake3, b""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        for (hash, name) in Hash::NAMES {
            let mut zeros = Hasher::new(hash);
            zeros.zeros(100_000);
            assert_eq!(zeros.finish(), digest(hash, &[0; 100_000]));
            assert_eq!(name.parse::<Hash>().unwrap(), hash);
        }
        assert!("md5".parse::<Hash>().is_err());
    }

    #[test]
    fn names_that_need_it_are_escaped() {
        assert_eq!(checksum_line("ab", b"disk\xff.raw"), b"ab  disk\xff.raw\n");
        assert_eq!(checksum_line("ab", b"a\\b\nc"), b"\\ab  a\\\\b\\nc\n");
    }
}
