//! What stands in where the crate is built without cryptography: it says so.

use super::Certificate;
use crate::error::{Error, Result};
use crate::package::manifest::Algorithm;

fn without<T>() -> Result<T> {
    Err(Error::unsupported("this build knows nothing of signatures")
        .with_hint("build it with the feature \"signature\""))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Never {}

/// There is none.
pub(super) struct Key(Never);

impl Key {
    pub(super) fn read(_: &[u8]) -> Result<Self> {
        without()
    }

    pub(super) fn public(&self) -> PublicKey {
        match self.0 {}
    }

    pub(super) fn sign(&self, _: &[u8], _: Algorithm) -> Result<Vec<u8>> {
        match self.0 {}
    }
}

/// There is none.
#[derive(PartialEq, Eq)]
pub(super) struct PublicKey(Never);

impl PublicKey {
    pub(super) fn bits(&self) -> usize {
        match self.0 {}
    }

    pub(super) fn verifies(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
        match self.0 {}
    }
}

/// As the real ones.
pub(super) struct Certificates {
    pub(super) pem: String,
    pub(super) key: Option<PublicKey>,
    pub(super) signer: Certificate,
    pub(super) chain: Vec<Certificate>,
    pub(super) chained: Option<bool>,
}

pub(super) fn certificates(_: &[u8]) -> Result<Certificates> {
    without()
}
