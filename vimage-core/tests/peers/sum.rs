//! The size and the SHA-256 of a disk's bytes, however they come.

use sha2::{Digest, Sha256};

/// Bytes held at a time.
pub(crate) const PIECE: usize = 1 << 20;

/// What identifies a disk's bytes: how many there are, and their SHA-256 in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// A sum that grows.
#[derive(Default)]
pub(crate) struct Summer {
    size: u64,
    hasher: Sha256,
}

impl Summer {
    /// Adds `bytes` at the end.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    /// The sum of all that was added.
    pub(crate) fn finish(self) -> Sum {
        let sha256 = self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Sum { size: self.size, sha256 }
    }
}
