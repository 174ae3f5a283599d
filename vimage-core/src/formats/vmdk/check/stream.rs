//! Compressed extents as importers read them: from front to back, from marker to marker.

use super::found;
use super::grained::Check;
use super::hosted::same_header;
use crate::error::Result;
use crate::formats::Severity;
use crate::formats::vmdk::grains::Grain;
use crate::formats::vmdk::hosted::{header_at, marker_kind};
use crate::formats::vmdk::layout::{GD_AT_END, MARKER, Marker, SECTOR, SparseHeader, marker};
use crate::limits::vmdk::MOST_PACKED;
use zerocopy::FromBytes;

/// A marker of vSphere's exports that tells how far they are.
const PROGRESS: u32 = 4;

/// Goes from marker to marker, from byte `start` on.
pub(super) fn walk(check: &mut Check<'_>, start: u64, header: &SparseHeader) -> Result<()> {
    let size = check.file().size();
    let mut walk = Walk { at: start, last: None, grains: 0, pending: false };
    while walk.at.checked_add(SECTOR).is_some_and(|end| end <= size) {
        check.part.go_on()?;
        let mut sector = [0; SECTOR as usize];
        check.read(&mut sector, walk.at)?;
        // A table that no marker announced would be taken for one.
        if let Some(end) = table_end(check, walk.at) {
            if !walk.pending {
                check.risk(walk.at, "a table has no marker before it: importers lose their way");
            }
            walk.at = end;
            continue;
        }
        walk.pending = false;
        match marker_kind(&sector) {
            None => {
                if !walk.grain(check, &sector)? {
                    let message = "there is neither a grain nor another marker here: importers lose their way";
                    check.risk(walk.at, message);
                    return Ok(());
                }
            }
            Some(marker::END_OF_STREAM) => return walk.end(check, size),
            Some(kind) => walk.marker(check, kind, &sector, header)?,
        }
    }
    check.risk(size, "no end-of-stream marker ends the file: importers refuse it");
    Ok(())
}

struct Walk {
    at: u64,
    /// The sector of the disk of the last grain.
    last: Option<u64>,
    /// Grains that the tables name too.
    grains: u64,
    /// Whether a marker announced tables without saying how many.
    pending: bool,
}

impl Walk {
    /// Passes the grain whose marker is in `sector`; tells whether it can be one.
    fn grain(&mut self, check: &mut Check<'_>, sector: &[u8]) -> Result<bool> {
        let Ok((found, _)) = Marker::read_from_prefix(sector) else { return Ok(false) };
        let (lba, size) = (found.value.get(), u64::from(found.size.get()));
        let next = (self.at + MARKER as u64 + size).next_multiple_of(SECTOR);
        if size > check.extent.grain * MOST_PACKED || next > check.file().size() {
            return Ok(false);
        }
        if self.last.is_some_and(|last| lba <= last) {
            check.risk(self.at, format!("the grain of sector {lba} comes too late: importers want them in order"));
        }
        self.last = Some(lba);
        if named(check, lba)? == Some(self.at) {
            self.grains += 1;
        } else {
            check.risk(self.at, format!("a grain says that it is sector {lba}, and no table has it so"));
        }
        self.at = next;
        Ok(true)
    }

    /// Passes a marker and what it announces.
    fn marker(&mut self, check: &mut Check<'_>, kind: u32, sector: &[u8], header: &SparseHeader) -> Result<()> {
        let Ok((found, _)) = Marker::read_from_prefix(sector) else { return Ok(()) };
        let (at, count, body) = (self.at, found.value.get(), self.at + SECTOR);
        // No further than the file: a marker may count any number.
        let counted = body.saturating_add(count.saturating_mul(SECTOR)).min(check.file().size());
        let (name, end) = match kind {
            marker::GRAIN_TABLE => ("grain table", table_end(check, body)),
            marker::GRAIN_DIRECTORY => ("grain directory", check.fixed_from(body)),
            marker::FOOTER => ("footer", Some(body + SECTOR)),
            PROGRESS => ("progress", Some(counted)),
            _ => {
                check.risk(at, format!("a marker of unknown kind {kind}"));
                ("", Some(counted))
            }
        };
        let Some(end) = end.map(|end| end.next_multiple_of(SECTOR)) else {
            check.risk(at, format!("a {name} marker, and what follows is none that is in use"));
            self.at = counted;
            return Ok(());
        };
        if counted != end {
            let is = (end - body) / SECTOR;
            check.risk(at, format!("a {name} marker counts {count} sectors, and {is} follow"));
        }
        if kind == marker::FOOTER && header.gd_offset.get() != GD_AT_END {
            footer(check, header, body)?;
        }
        // What counts none is known to announce all tables at once.
        self.pending = count == 0 && kind == marker::GRAIN_TABLE;
        self.at = end;
        Ok(())
    }

    /// The end-of-stream marker was reached.
    fn end(&self, check: &mut Check<'_>, size: u64) -> Result<()> {
        let behind = size - self.at - SECTOR;
        if behind > 0 {
            let message = format!("{behind} bytes follow the end-of-stream marker: importers refuse them");
            check.risk(self.at + SECTOR, message);
        }
        if self.grains < check.marked {
            let missed = check.marked - self.grains;
            check.risk(self.at, format!("the stream ends here, and {missed} grains of the tables are not in it"));
        }
        Ok(())
    }
}

/// A footer that the header can do without.
fn footer(check: &mut Check<'_>, header: &SparseHeader, at: u64) -> Result<()> {
    if let Some(footer) = found(header_at(check.file(), at), Severity::Risk, check.findings)? {
        same_header(header, &footer, at, check.findings);
        if footer.gd_offset != header.gd_offset {
            let message = "the footer names another grain directory than the header";
            check.findings.add(Severity::Corruption, at + 0x38, message);
        }
    }
    Ok(())
}

/// The end of the table that begins at `at`.
fn table_end(check: &Check<'_>, at: u64) -> Option<u64> {
    check.tables.has(at).then(|| (at + check.table_len()).next_multiple_of(SECTOR))
}

/// Where the tables have the grain of the disk's sector `lba`.
fn named(check: &mut Check<'_>, lba: u64) -> Result<Option<u64>> {
    let extent = check.extent;
    let Some(offset) = lba.checked_mul(SECTOR).filter(|&at| at < extent.size && at.is_multiple_of(extent.grain)) else {
        return Ok(None);
    };
    // A table that cannot be read has been told of.
    Ok(match extent.locate(offset) {
        Ok((Grain::At(at), _)) => Some(at),
        Ok(_) | Err(_) => None,
    })
}
