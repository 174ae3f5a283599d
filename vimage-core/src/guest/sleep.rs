//! `hiberfil.sys`, in which a Windows keeps its memory while it sleeps: on NTFS, and with old ones on FAT.

use crate::error::Error;

/// Bytes of the file's head. A shorter file is that of a volume that the sleeping Windows is not on, but has mounted.
pub(super) const HEAD: u64 = 4096;

/// Whether a file that starts so is no longer needed: its Windows was woken, which leaves it as it was but for this word, or
/// wiped it. Of a file without a head that is not known.
pub(super) fn is_awake(head: &[u8]) -> bool {
    head.starts_with(b"wake") || head.starts_with(b"WAKE") || !head.is_empty() && head.iter().all(|byte| *byte == 0)
}

/// The reason to keep all of the disk, for what is at the disk's byte `at`.
pub(super) fn windows(at: u64) -> Error {
    Error::unsupported("holds a hibernated Windows, or one that starts fast")
        .at_offset(at)
        .with_hint("start it and shut it down in full (shutdown /s /t 0, without fast startup)")
}
