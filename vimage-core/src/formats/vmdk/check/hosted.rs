//! Hosted sparse extents: the header, the footer, and the two directories.

use super::grained::Check;
use super::{Part, found, opened, stream};
use crate::error::Result;
use crate::formats::vmdk::grains::Form;
use crate::formats::vmdk::hosted::{Hosted, find_footer, header_at, read_entries};
use crate::formats::vmdk::layout::{GD_AT_END, SECTOR, SparseHeader, flags};
use crate::formats::{Findings, Severity};
use std::sync::Arc;

/// The smallest grain, in sectors, that VirtualBox takes.
const SMALLEST_GRAIN: u64 = 8;

/// Checks the extent in `part`, whose header is `hosted`.
pub(super) fn check(hosted: Hosted, part: &Part<'_>, findings: &mut Findings) -> Result<()> {
    let file = part.file.as_ref();
    let first = header_at(file, 0)?;
    header(&hosted, &first, findings);
    // Where the directories are is in the footer when it is not in the header.
    let footer = (first.gd_offset.get() == GD_AT_END).then(|| find_footer(file)).transpose()?;
    let last = footer.map(|at| header_at(file, at)).transpose()?;
    if let (Some(at), Some(last)) = (footer, &last) {
        same_header(&first, last, at, findings);
    }
    let directories = last.unwrap_or(first);

    let extent = hosted.clone().open(Arc::clone(&part.file), part.path.clone(), part.size);
    let Some(extent) = opened(extent, findings)? else { return Ok(()) };
    let origin = first.over_head.get().saturating_mul(SECTOR).min(file.size());
    let mut check = Check::new(part, &extent, origin, findings);
    check.fix("the header", 0..SECTOR);
    if let Some((at, len)) = hosted.descriptor {
        check.fix("the descriptor", at..at.saturating_add(len));
    }
    if let Some(at) = footer {
        check.fix("the footer", at..at + SECTOR);
    }
    let primary =
        Directory::read(&mut check, "the grain directory", directories.gd_offset.get(), Severity::Corruption)?;
    // Streams are known that have one and do not say so.
    let redundant = (flags::REDUNDANT_GD & first.flags.get() != 0 || hosted.form != Form::Plain)
        .then_some(directories.rgd_offset.get())
        .filter(|&sector| sector != 0);
    let redundant = match redundant {
        Some(sector) => Directory::read(&mut check, "the redundant grain directory", sector, Severity::Risk)?,
        None => None,
    };
    if let Some(primary) = &primary {
        primary.take_tables(&mut check, "a grain table", Severity::Corruption);
        if hosted.form == Form::Plain {
            primary.gaps(&mut check);
        }
    }
    if let Some(redundant) = &redundant {
        redundant.take_tables(&mut check, "a redundant grain table", Severity::Risk);
    }
    check.follow()?;
    if let (Some(primary), Some(redundant)) = (&primary, &redundant) {
        compare(&mut check, primary, redundant)?;
    }
    match hosted.form {
        Form::Plain => check.unused(),
        Form::Marked => stream::walk(&mut check, origin, &first)?,
        Form::Bare => check.risk(8, "its compressed grains have no markers: importers refuse it"),
    }
    Ok(())
}

fn header(hosted: &Hosted, header: &SparseHeader, findings: &mut Findings) {
    let mut risk = |offset: u64, message: String| findings.add(Severity::Risk, offset, message);
    if header.unclean_shutdown != 0 {
        risk(0x48, "it was not closed properly: what was written last may be missing".into());
    }
    let version = header.version.get();
    match hosted.form {
        Form::Plain if version == 2 => risk(4, "a header of version 2: VirtualBox refuses it".into()),
        Form::Marked if version < 3 => risk(4, format!("a compressed extent of version {version}: ESXi wants 3")),
        _ => {}
    }
    let grain = header.grain_size.get();
    if grain < SMALLEST_GRAIN {
        risk(0x14, format!("a grain of {grain} sectors: VirtualBox takes no less than {SMALLEST_GRAIN}"));
    }
}

/// The footer is the header again, but for where the directories are.
pub(super) fn same_header(header: &SparseHeader, footer: &SparseHeader, at: u64, findings: &mut Findings) {
    let fields = |header: &SparseHeader| {
        [
            (0x0c, "capacity", header.capacity.get()),
            (0x14, "grain size", header.grain_size.get()),
            (0x2c, "grain table size", header.num_gtes_per_gt.get().into()),
            (0x04, "version", header.version.get().into()),
            (0x08, "flags", header.flags.get().into()),
            (0x1c, "descriptor offset", header.descriptor_offset.get()),
            (0x24, "descriptor size", header.descriptor_size.get()),
            (0x40, "overhead", header.over_head.get()),
            (0x4d, "compression", header.compress_algorithm.get().into()),
        ]
    };
    for ((_, name, first), (offset, _, last)) in fields(header).into_iter().zip(fields(footer)) {
        if first != last {
            // The first three say where things are: readers of either see another disk.
            let severity = if [0x0c, 0x14, 0x2c].contains(&offset) { Severity::Corruption } else { Severity::Risk };
            findings.add(severity, at + offset, format!("the footer's {name} is {last:#x}, the header's {first:#x}"));
        }
    }
}

/// A directory as it is in the file.
struct Directory {
    at: u64,
    entries: Vec<u32>,
}

impl Directory {
    /// The directory at `sector`; none where it is not all there, which is then a finding.
    fn read(check: &mut Check<'_>, what: &'static str, sector: u64, severity: Severity) -> Result<Option<Self>> {
        let at = sector.saturating_mul(SECTOR);
        let count = check.extent.tables.count() as u64;
        let Some(entries) = found(read_entries(check.file(), sector, count), severity, check.findings)? else {
            return Ok(None);
        };
        check.fix(what, at..at + count * 4);
        Ok(Some(Directory { at, entries }))
    }

    /// The place of each entry that names a table, and where the table is.
    fn tables(&self) -> impl Iterator<Item = (u64, u64)> {
        let all = self.entries.iter().zip((self.at..).step_by(4));
        all.filter(|(sector, _)| **sector != 0).map(|(sector, place)| (place, u64::from(*sector) * SECTOR))
    }

    fn take_tables(&self, check: &mut Check<'_>, what: &str, severity: Severity) {
        self.tables().for_each(|(place, at)| {
            check.take_table(what, place, at, severity);
        });
    }

    /// VMware's products want all tables of an extent that grows.
    fn gaps(&self, check: &mut Check<'_>) {
        let missing = self.entries.iter().filter(|&&sector| sector == 0).count();
        if let Some(first) = self.entries.iter().position(|&sector| sector == 0) {
            let (all, place) = (self.entries.len(), self.at + first as u64 * 4);
            check.risk(place, format!("{missing} of {all} grain tables are not there: VMware's products want all"));
        }
    }
}

/// Compares the redundant tables with the primary ones.
fn compare(check: &mut Check<'_>, primary: &Directory, redundant: &Directory) -> Result<()> {
    let (len, size) = (check.table_len(), check.file().size());
    let inside = |at: u64| at + len <= size;
    let (mut first, mut second) = (vec![0; len as usize], vec![0; len as usize]);
    for (index, (&one, &two)) in primary.entries.iter().zip(&redundant.entries).enumerate() {
        let place = redundant.at + index as u64 * 4;
        if (one == 0) != (two == 0) {
            check.risk(place, format!("only one of the two grain directories has a table {index}"));
        }
        let (one, two) = (u64::from(one) * SECTOR, u64::from(two) * SECTOR);
        // Those that lie outside have been told of, and so has one that is shared.
        if one == 0 || two == 0 || one == two || !inside(one) || !inside(two) {
            continue;
        }
        if index % 64 == 0 {
            check.part.go_on()?;
        }
        check.read(&mut first, one)?;
        check.read(&mut second, two)?;
        if let Some(byte) = first.iter().zip(&second).position(|(one, two)| one != two) {
            let at = two + byte as u64 / 4 * 4;
            check.risk(at, format!("the redundant grain table {index} differs from the primary one"));
        }
    }
    Ok(())
}
