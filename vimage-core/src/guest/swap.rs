//! Swap space of Linux: everything behind its header is free while the guest is off.
//!
//! The header is `union swap_header` of Linux's include/linux/swap.h: it fills one page, of the size that the guest's machine
//! has, and its mark is the page's last ten bytes.

use super::free::Free;
use super::volume::Volume;
use super::{FileSystem, SHUT_DOWN};
use crate::error::{Error, Result};

/// What it is called.
pub(super) const NAME: &str = "swap";

/// Swap space.
pub(super) struct Swap;

/// The sizes of pages that there are.
const PAGES: [u64; 5] = [4096, 8192, 16384, 32768, 65536];

/// Where the mark stands before the end of the page.
const MARK_BEFORE_END: u64 = 10;

/// Of swap space in use.
const MARK: &[u8; 10] = b"SWAPSPACE2";

/// Of the first version, which no Linux since 2.6 takes.
const OLD_MARK: &[u8; 10] = b"SWAP-SPACE";

/// What stands in the mark's place while a system sleeps in the swap space: of Linux and its user-space tools, of older ones,
/// of LinHib, and of TuxOnIce.
const SLEEPING: [&[u8]; 5] = [b"S1SUSPEND", b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001", TUX_ON_ICE];

/// TuxOnIce puts its mark at the start of the volume, and leaves that of swap space.
const TUX_ON_ICE: &[u8] = &[0xed, 0xc3, 0x02, 0xe9, 0x98, 0x56, 0xe5, 0x0c];

/// Where version, last page and number of bad pages stand, and behind a name and padding the list of bad pages.
const VERSION_AT: usize = 1024;
const LAST_PAGE_AT: usize = 1028;
const BAD_PAGES_AT: usize = 1032;
const BAD_LIST_AT: usize = 1536;

impl FileSystem for Swap {
    fn recognise(&self, volume: &Volume<'_>) -> Result<Option<&'static str>> {
        Ok(marks(volume)?.first().map(|_| NAME))
    }

    fn asleep(&self, volume: &Volume<'_>) -> Result<Option<Error>> {
        let asleep = marks(volume)?.into_iter().find(|(_, mark)| is_sleeping(mark));
        Ok(asleep.map(|(at, _)| {
            Error::unsupported("holds a hibernated system").at_offset(volume.disk_offset(at)).with_hint(SHUT_DOWN)
        }))
    }

    fn survey(&self, volume: &Volume<'_>, free: &mut Free) -> Result<()> {
        let [(at, mark)] = marks(volume)?[..] else {
            return Err(Error::unsupported("has marks of pages of several sizes"));
        };
        if mark == *OLD_MARK {
            return Err(Error::unsupported("is swap space of the first version").at_offset(volume.disk_offset(at)));
        }
        let page = at + MARK_BEFORE_END;
        pages(volume, page, free).map_err(|error| error.at_offset(volume.disk_offset(VERSION_AT as u64)))
    }
}

/// The marks, and where they stand.
fn marks(volume: &Volume<'_>) -> Result<Vec<(u64, [u8; 10])>> {
    let mut found = Vec::new();
    let ends = PAGES.into_iter().take_while(|page| *page <= volume.size()).map(|page| page - MARK_BEFORE_END);
    for at in (volume.size() >= PAGES[0]).then_some(0).into_iter().chain(ends) {
        let mut mark = [0; 10];
        volume.read_into(&mut mark, at)?;
        let is_mark = match at {
            0 => mark.starts_with(TUX_ON_ICE),
            _ => mark == *MARK || mark == *OLD_MARK || is_sleeping(&mark),
        };
        if is_mark {
            found.push((at, mark));
        }
    }
    Ok(found)
}

fn is_sleeping(mark: &[u8; 10]) -> bool {
    SLEEPING.iter().any(|sleeping| mark.starts_with(sleeping))
}

/// Puts into `free` all pages but the header and the bad ones.
fn pages(volume: &Volume<'_>, page: u64, free: &mut Free) -> Result<()> {
    let header = volume.read(0, page as usize)?;
    let raw = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let little = match raw(VERSION_AT) {
        [1, 0, 0, 0] => true,
        [0, 0, 0, 1] => false,
        other => return Err(Error::corrupt(format!("has a header of version {}", u32::from_le_bytes(other)))),
    };
    let number = |at| u64::from(if little { u32::from_le_bytes(raw(at)) } else { u32::from_be_bytes(raw(at)) });
    let last = number(LAST_PAGE_AT);
    let end = (last + 1) * page;
    if last == 0 || end > volume.size() {
        let size = volume.size();
        return Err(Error::corrupt(format!("has {} pages of {page} bytes in a volume of {size}", last + 1)));
    }
    let room = (page - MARK_BEFORE_END - BAD_LIST_AT as u64) / 4;
    let count = number(BAD_PAGES_AT);
    if count > room {
        return Err(Error::corrupt(format!("lists {count} bad pages where {room} have room")));
    }
    let mut bad: Vec<_> = (0..count as usize).map(|index| number(BAD_LIST_AT + 4 * index)).collect();
    bad.sort_unstable();
    if let Some(wrong) = bad.iter().find(|number| **number == 0 || **number > last) {
        return Err(Error::corrupt(format!("calls page {wrong} of {} bad", last + 1)));
    }
    let mut from = page;
    for number in bad {
        // The same page twice leaves nothing between.
        if from < number * page {
            free.push(from..number * page)?;
        }
        from = (number + 1) * page;
    }
    free.push(from..end)
}
