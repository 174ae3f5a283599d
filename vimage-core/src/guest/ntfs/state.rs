//! `$Volume`: the version, and whether the volume is in use.

#![allow(dead_code, reason = "not all that structures on disk hold is wanted")]

use super::layout::{kind, number};
use super::mft::{Mft, Value};
use super::{CHECK, SHUT_DOWN};
use crate::error::{Error, Result};
use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The value of `$VOLUME_INFORMATION`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Information {
    /*  0 */ reserved: [u8; 8],
    /*  8 */ major: u8,
    /*  9 */ minor: u8,
    /* 10 */ flags: U16,
}

/// Bits of its flags.
mod flag {
    pub(super) const DIRTY: u16 = 0x0001;
    /// To be upgraded when it is next mounted; mounted by Windows NT 4; without short names; once repaired. None of them says
    /// that anything is unfinished now.
    pub(super) const HARMLESS: u16 = 0x0004 | 0x0008 | 0x0080 | 0x8000;
}

/// Checks that the volume is of a known version and not in use.
///
/// # Errors
/// `Unsupported` where that is not so.
pub(super) fn check(mft: &Mft<'_>) -> Result<()> {
    let at = mft.stream.place(mft.geometry, number::VOLUME * mft.geometry.record).unwrap_or_default();
    let place = |error: Error| error.at_offset(mft.volume.disk_offset(at));
    let value = match mft.attribute(number::VOLUME, kind::VOLUME_INFORMATION, "")? {
        Some(Value::Resident(value)) => value,
        _ => return Err(place(Error::corrupt("does not tell its version")).with_hint(CHECK)),
    };
    let Ok((information, _)) = Information::read_from_prefix(&value) else {
        return Err(place(Error::corrupt("does not tell its version")).with_hint(CHECK));
    };
    let Information { major, minor, .. } = information;
    if !matches!((major, minor), (1, 2) | (3, 0) | (3, 1)) {
        return Err(place(Error::unsupported(format!("is NTFS of version {major}.{minor}"))));
    }
    let flags = information.flags.get();
    if flags & flag::DIRTY != 0 {
        return Err(
            place(Error::unsupported("is marked as in use or faulty")).with_hint(format!("{SHUT_DOWN}, or {CHECK}"))
        );
    }
    if flags & !flag::HARMLESS != 0 {
        let what = format!("is marked for work that is not done: {flags:#06x}");
        return Err(place(Error::unsupported(what)).with_hint(SHUT_DOWN));
    }
    Ok(())
}
