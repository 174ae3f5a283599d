//! `hiberfil.sys`: whether a Windows sleeps on the volume. What it has in its memory is then newer than what is on the disk.

use super::CHECK;
use super::boot::Geometry;
use super::layout::{IndexEntry, IndexHeader, kind, number, record_of};
use super::mft::{Mft, Value};
use super::record::restore;
use super::runs::Stream;
use crate::error::{Error, Result};
use crate::guest::sleep;
use crate::limits::guests::MOST_NTFS_ROOT;
use zerocopy::FromBytes;

/// The file's name, in UTF-16.
const NAME: [u8; 24] = *b"h\0i\0b\0e\0r\0f\0i\0l\0.\0s\0y\0s\0";

/// The name of a directory's index.
const INDEX: &str = "$I30";

/// Where the head of the entries is, in an index's root and in its blocks.
const HEAD_IN_ROOT: usize = 16;
const HEAD_IN_BLOCK: usize = 24;

/// Where in a file's name, as entries have it, its length and its letters are.
const NAME_LEN: usize = 64;
const LETTERS: usize = 66;

/// Bit of an entry's flags: it is the last, and has no name.
const LAST: u16 = 2;

/// Why the system is taken to sleep, if it is.
///
/// # Errors
/// `Corrupt` where the root directory cannot be read.
pub(super) fn asleep(mft: &Mft<'_>) -> Result<Option<Error>> {
    let Some(number) = find(mft)? else { return Ok(None) };
    let (mut at, mut head) = (mft.stream.place(mft.geometry, number.saturating_mul(mft.geometry.record)), Vec::new());
    if let Some(Value::Stream(stream)) = mft.attribute(number, kind::DATA, "")? {
        if stream.size >= sleep::HEAD && !stream.coded {
            head = stream.read(mft.volume, mft.geometry, 0, sleep::HEAD as usize)?;
        }
        at = stream.place(mft.geometry, 0).or(at);
    }
    if sleep::is_awake(&head) {
        return Ok(None);
    }
    Ok(Some(sleep::windows(mft.volume.disk_offset(at.unwrap_or_default()))))
}

/// The number of the file's record, if it is in the root directory. All blocks of the index that are in use are looked
/// through: no order need be trusted.
fn find(mft: &Mft<'_>) -> Result<Option<u64>> {
    let at = mft.stream.place(mft.geometry, number::ROOT * mft.geometry.record).unwrap_or_default();
    let damaged =
        |at: u64| Error::corrupt("has a damaged root directory").at_offset(mft.volume.disk_offset(at)).with_hint(CHECK);
    let root = match mft.attribute(number::ROOT, kind::INDEX_ROOT, INDEX)? {
        Some(Value::Resident(root)) => root,
        _ => return Err(damaged(at)),
    };
    let found = entries(&root, HEAD_IN_ROOT).ok_or_else(|| damaged(at))?;
    if found.is_some() {
        return Ok(found);
    }
    let blocks = match mft.attribute(number::ROOT, kind::INDEX_ALLOCATION, INDEX)? {
        Some(Value::Stream(blocks)) => blocks,
        None => return Ok(None),
        Some(Value::Resident(_)) => return Err(damaged(at)),
    };
    let size = root.get(8..12).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    if !matches!(size, 512..=65_536) || !size.is_power_of_two() || blocks.coded || blocks.is_sparse() {
        return Err(damaged(at));
    }
    if blocks.size > MOST_NTFS_ROOT {
        return Err(Error::unsupported("has a root directory that is too large to be looked through")
            .at_offset(mft.volume.disk_offset(at)));
    }
    let in_use = match mft.attribute(number::ROOT, kind::BITMAP, INDEX)? {
        Some(Value::Resident(bits)) => bits,
        Some(Value::Stream(bits)) => bits.read(mft.volume, mft.geometry, 0, (MOST_NTFS_ROOT / 512 / 8) as usize)?,
        None => return Err(damaged(at)),
    };
    for index in 0..blocks.size / u64::from(size) {
        // A block that the bits do not reach is looked at too.
        if in_use.get((index / 8) as usize).is_some_and(|byte| byte >> (index % 8) & 1 == 0) {
            continue;
        }
        let from = index * u64::from(size);
        let place = blocks.place(mft.geometry, from).unwrap_or(at);
        let found = block(mft, &blocks, from, size, mft.geometry)?.ok_or_else(|| damaged(place))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Looks through the block at byte `from`: none where it is damaged.
fn block(mft: &Mft<'_>, blocks: &Stream, from: u64, size: u32, geometry: &Geometry) -> Result<Option<Option<u64>>> {
    let mut bytes = blocks.read(mft.volume, geometry, from, size as usize)?;
    // A block knows its place, in clusters, or where they are larger than blocks, in units of 512 bytes.
    let unit = if geometry.cluster <= u64::from(size) { geometry.cluster } else { 512 };
    let knows = bytes.get(16..24).and_then(|place| place.try_into().ok()).map(u64::from_le_bytes);
    let is_right = bytes.len() == size as usize && restore(&mut bytes, b"INDX") && knows == Some(from / unit);
    Ok(if is_right { entries(&bytes, HEAD_IN_BLOCK) } else { None })
}

/// Looks through entries whose head is at `head`: the outer none where they are damaged.
fn entries(bytes: &[u8], head: usize) -> Option<Option<u64>> {
    let bytes = bytes.get(head..)?;
    let (header, _) = IndexHeader::read_from_prefix(bytes).ok()?;
    let mut rest = bytes.get(header.entries.get() as usize..header.len.get() as usize)?;
    let mut found = None;
    loop {
        let (entry, _) = IndexEntry::read_from_prefix(rest).ok()?;
        if entry.flags.get() & LAST != 0 {
            return Some(found);
        }
        let len = usize::from(entry.len.get());
        let key = rest.get(size_of::<IndexEntry>()..len)?.get(..usize::from(entry.key_len.get()))?;
        let letters = 2 * usize::from(*key.get(NAME_LEN)?);
        if key.get(LETTERS..LETTERS + letters)?.eq_ignore_ascii_case(&NAME) {
            found = Some(record_of(entry.record));
        }
        rest = rest.get(len..)?;
    }
}
