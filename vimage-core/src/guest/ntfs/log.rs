//! `$LogFile`: whether it was closed in order.

use super::SHUT_DOWN;
use super::layout::{RestartArea, RestartPage, kind, number};
use super::mft::Mft;
use super::record::restore;
use super::runs::Stream;
use crate::error::{Error, Result};
use zerocopy::FromBytes;

/// What a log that was wiped is filled with. It had been closed.
const WIPED: u8 = 0xFF;

/// Bytes in which a log that is not wiped has its two restart pages.
const HEAD: u64 = 128 << 10;

/// In the place of a client: there is none.
const NO_CLIENT: u16 = 0xFFFF;

/// The version of a log that is, or will be, in use.
const KEPT: (u16, u16) = (2, 0);

/// Bit of a restart area's flags: unmounted in order.
const CLEAN: u16 = 2;

/// Why the system is taken to sleep: from Windows 8 on, the log has another version while the volume is mounted, and when
/// Windows keeps it over a hibernation or a fast startup.
///
/// # Errors
/// Those of finding and reading the log.
pub(super) fn asleep(mft: &Mft<'_>) -> Result<Option<Error>> {
    let log = mft.system(number::LOG, kind::DATA, "")?;
    let Some(first) = page(mft, &log, 0)? else { return Ok(None) };
    let second = page(mft, &log, first.len)?;
    let newest = second.as_ref().map_or(first.current, |second| second.current.max(first.current));
    let mut pages = [Some(first), second].into_iter().flatten();
    let is_kept = pages.any(|page| page.current == newest && page.version == KEPT);
    let at = log.place(mft.geometry, 0).unwrap_or_default();
    Ok(is_kept.then(|| {
        Error::unsupported("is kept by a Windows that was not shut down in full")
            .at_offset(mft.volume.disk_offset(at))
            .with_hint(SHUT_DOWN)
    }))
}

/// Checks that the log was closed in order: wiped, or with a last restart page that says so.
///
/// # Errors
/// `Unsupported` where it was not.
pub(super) fn check(mft: &Mft<'_>) -> Result<()> {
    let log = mft.system(number::LOG, kind::DATA, "")?;
    let at = log.place(mft.geometry, 0).unwrap_or_default();
    let fault =
        |message: &str| Err(Error::unsupported(message).at_offset(mft.volume.disk_offset(at)).with_hint(SHUT_DOWN));
    if is_wiped(mft, &log)? {
        return Ok(());
    }
    let Some(first) = page(mft, &log, 0)? else { return fault("has a log that cannot be read") };
    let Some(second) = page(mft, &log, first.len)? else { return fault("has a log that cannot be read") };
    let newest = first.current.max(second.current);
    for page in [first, second].into_iter().filter(|page| page.current == newest) {
        match page.version {
            (1, 1) if page.is_clean => {}
            (1, 1) => return fault("has a log that was not closed: it was not unmounted"),
            _ => return fault("has a log of an unknown version"),
        }
    }
    Ok(())
}

/// What a restart page tells.
struct Page {
    len: u64,
    version: (u16, u16),
    current: i64,
    is_clean: bool,
}

/// The restart page at byte `at` of the log, if it is whole.
fn page(mft: &Mft<'_>, log: &Stream, at: u64) -> Result<Option<Page>> {
    let head = log.read(mft.volume, mft.geometry, at, size_of::<RestartPage>())?;
    let Ok(head) = RestartPage::read_from_bytes(&head) else { return Ok(None) };
    let len = head.system_page.get();
    if !matches!(len, 512..=65_536) || !len.is_power_of_two() {
        return Ok(None);
    }
    let mut bytes = log.read(mft.volume, mft.geometry, at, len as usize)?;
    if !restore(&mut bytes, b"RSTR") {
        return Ok(None);
    }
    let area = bytes.get(usize::from(head.area.get())..).and_then(|area| RestartArea::read_from_prefix(area).ok());
    Ok(area.map(|(area, _)| Page {
        len: len.into(),
        version: (head.major.get(), head.minor.get()),
        current: area.current.get() as i64,
        is_clean: area.in_use_list.get() == NO_CLIENT || area.flags.get() & CLEAN != 0,
    }))
}

/// Whether the log is wiped: where restart pages would be, and wherever else a page of any size could start first.
fn is_wiped(mft: &Mft<'_>, log: &Stream) -> Result<bool> {
    let wiped = |at: u64, len: u64| -> Result<bool> {
        Ok(log.read(mft.volume, mft.geometry, at, len as usize)?.iter().all(|byte| *byte == WIPED))
    };
    let mut at = HEAD;
    let mut all = log.size > 0 && wiped(0, HEAD)?;
    while all && at < log.size {
        all = wiped(at, 512)?;
        at = at.saturating_mul(2);
    }
    Ok(all)
}
