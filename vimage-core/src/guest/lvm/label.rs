//! What is written on each physical volume: its label, its header, and the areas that hold the group's metadata.
//!
//! LVM2's lib/label/label.h and lib/format_text/layout.h. Little-endian throughout.

use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use crate::limits::guests::LONGEST_LVM_TEXT;
use crc::{Algorithm, Crc, Table};
use std::ops::Range;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

const SECTOR: usize = 512;

/// The sectors in which a label can be.
const SECTORS: u64 = 4;

/// Bytes at the start of a physical volume that are never of its extents.
pub(super) const LABELS: u64 = SECTORS * SECTOR as u64;

/// The most areas with metadata that LVM makes on a physical volume: at its start and at its end.
const MOST_AREAS: usize = 2;

/// A place of a text that is not kept up to date.
const IGNORED: u32 = 1;

/// The first sectors' CRC-32, from LVM's own initial value (0xf597a6cf, here with its bits in the other order) and without
/// a last complement.
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&Algorithm {
    width: 32,
    poly: 0x04c1_1db7,
    init: 0xf365_e9af,
    refin: true,
    refout: true,
    xorout: 0,
    check: 0x4991_cf02,
    residue: 0,
});

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Label {
    mark: [u8; 8],
    sector: U64,
    crc: U32,
    header: U32,
    kind: [u8; 8],
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct AreaHeader {
    crc: U32,
    mark: [u8; 16],
    version: U32,
    start: U64,
    size: U64,
    /// What holds, and what is to hold next.
    texts: [TextPlace; 2],
}

#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TextPlace {
    offset: U64,
    size: U64,
    crc: U32,
    flags: U32,
}

/// What a physical volume says of itself.
pub(super) struct Physical {
    /// Its identifier.
    pub(super) id: [u8; 32],
    /// Bytes that are the group's tables, or a boot loader's.
    pub(super) areas: Vec<Range<u64>>,
}

/// Whether one of the first sectors carries the mark.
pub(super) fn recognise(volume: &Volume<'_>) -> Result<bool> {
    Ok(!labels(volume)?.is_empty())
}

/// The sectors that carry the mark.
fn labels(volume: &Volume<'_>) -> Result<Vec<(u64, Vec<u8>)>> {
    let mut found = Vec::new();
    for index in (0..SECTORS).take_while(|index| (index + 1) * SECTOR as u64 <= volume.size()) {
        let sector = volume.read(index * SECTOR as u64, SECTOR)?;
        let is_label = Label::ref_from_prefix(&sector)
            .is_ok_and(|(label, _)| label.mark == *b"LABELONE" && label.kind == *b"LVM2 001");
        if is_label {
            found.push((index, sector));
        }
    }
    Ok(found)
}

/// Reads label and header: what they say, and the areas with metadata.
///
/// # Errors
/// `Corrupt` and `Unsupported` where the label does not tell what volume it is; those of reading.
pub(super) fn read(volume: &Volume<'_>) -> Result<(Physical, Vec<Range<u64>>)> {
    let (index, sector) = match &labels(volume)?[..] {
        [(index, sector)] => (*index, sector.clone()),
        found => return Err(Error::corrupt(format!("has {} labels", found.len()))),
    };
    let at = volume.disk_offset(index * SECTOR as u64);
    header(index, &sector, volume.size()).map_err(|error| error.at_offset(at))
}

/// The label's sector, and the areas with metadata.
fn header(index: u64, sector: &[u8], size: u64) -> Result<(Physical, Vec<Range<u64>>)> {
    let bad = |what: &str| Error::corrupt(format!("the label {what}"));
    let (label, _) = Label::ref_from_prefix(sector).map_err(|_| bad("is cut short"))?;
    if label.sector.get() != index || label.crc.get() != CRC.checksum(&sector[20..]) {
        return Err(bad("is not whole"));
    }
    let mut rest = sector.get(label.header.get() as usize..).ok_or_else(|| bad("points past its sector"))?;
    let (id, _) = <[u8; 32]>::read_from_prefix(rest).map_err(|_| bad("is cut short"))?;
    rest = &rest[32..];
    let device = number(&mut rest).ok_or_else(|| bad("is cut short"))?;
    if device > size {
        return Err(bad(&format!("is of a volume of {device} bytes, and this has {size}")));
    }
    let mut lists = Vec::new();
    for _ in 0..2 {
        lists.push(list(&mut rest).ok_or_else(|| bad("has a list of areas without an end"))?);
    }
    // Labels of older versions end here.
    let mut others = Vec::new();
    if number(&mut rest).is_some_and(|extension| extension as u32 != 0) {
        others = list(&mut rest).ok_or_else(|| bad("has a list of areas without an end"))?;
    }
    let ranges = |list: &[(u64, u64)]| -> Result<Vec<_>> {
        let range =
            |&(start, len): &(u64, u64)| start.checked_add(len).filter(|end| *end <= size).map(|end| start..end);
        list.iter().map(|area| range(area).ok_or_else(|| bad("has an area past the volume's end"))).collect()
    };
    if lists[1].len() > MOST_AREAS {
        return Err(Error::unsupported(format!("has {} areas with LVM's metadata", lists[1].len())));
    }
    let metadata = ranges(&lists[1])?;
    let areas = [metadata.clone(), ranges(&others)?].concat();
    Ok((Physical { id, areas }, metadata))
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (number, after) = U64::read_from_prefix(rest).ok()?;
    *rest = after;
    Some(number.get())
}

/// Places and sizes, up to a place of zero.
fn list(rest: &mut &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    loop {
        match (number(rest)?, number(rest)?) {
            (0, _) => return Some(found),
            area => found.push(area),
        }
    }
}

/// The text in a metadata area, where it has one that counts.
///
/// # Errors
/// `Corrupt` and `Unsupported` where it is damaged or in the middle of a change; those of reading.
pub(super) fn text(volume: &Volume<'_>, area: &Range<u64>) -> Result<Option<String>> {
    let at = volume.disk_offset(area.start);
    let bad = |what: &str| Error::corrupt(format!("a metadata area {what}")).at_offset(at);
    let len = area.end - area.start;
    if len <= SECTOR as u64 {
        return Err(bad("has no room"));
    }
    let sector = volume.read(area.start, SECTOR)?;
    let (header, _) = AreaHeader::ref_from_prefix(&sector).map_err(|_| bad("is cut short"))?;
    if header.crc.get() != CRC.checksum(&sector[4..]) || header.mark != *b" LVM2 x[5A%r0N*>" {
        return Err(bad("has a header that is not whole"));
    }
    if header.version.get() != 1 {
        return Err(Error::unsupported("a metadata area is of another version than 1").at_offset(at));
    }
    if header.start.get() != area.start || header.size.get() != len {
        return Err(bad("is not where the label says"));
    }
    let [place, next] = &header.texts;
    if next.offset.get() != 0 {
        return Err(Error::unsupported("LVM was in the middle of a change")
            .at_offset(at)
            .with_hint("start the guest and run vgck --updatemetadata in it"));
    }
    match (place.offset.get(), place.flags.get()) {
        (0, _) | (_, IGNORED) => return Ok(None),
        (_, 0) => {}
        _ => return Err(Error::unsupported("a metadata area has unknown flags").at_offset(at)),
    }
    let (start, size) = (place.offset.get(), place.size.get());
    if start < SECTOR as u64 || start >= len || size > len - SECTOR as u64 {
        return Err(bad("points out of itself"));
    }
    if size > LONGEST_LVM_TEXT {
        return Err(Error::unsupported(format!("LVM's metadata has {size} bytes")).at_offset(at));
    }
    // The text goes on behind the header where the area ends.
    let before = size.min(len - start);
    let mut bytes = volume.read(area.start + start, before as usize)?;
    bytes.extend(volume.read(area.start + SECTOR as u64, (size - before) as usize)?);
    if CRC.checksum(&bytes) != place.crc.get() {
        return Err(bad("has a text that is not whole"));
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    // Descriptions alone can hold what is not UTF-8, and they are not looked at.
    Ok(Some(String::from_utf8_lossy(&bytes[..end]).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_its_definition() {
        let bitwise = |bytes: &[u8]| {
            bytes.iter().fold(0xf597_a6cf_u32, |sum, byte| {
                (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
            })
        };
        for bytes in [&b""[..], b"123456789", &[0; 1000]] {
            assert_eq!(CRC.checksum(bytes), bitwise(bytes));
        }
    }
}
