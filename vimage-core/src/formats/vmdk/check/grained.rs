//! The tables and grains of an extent of any kind: within the file, none upon another, and packed ones inflated.

use super::places::{Slots, Spans};
use super::{Part, found};
use crate::codec::deflate::{Wrapping, inflate};
use crate::error::{Error, Result};
use crate::formats::vmdk::grains::{Form, Grain, GrainedExtent};
use crate::formats::vmdk::layout::{MARKER, SECTOR};
use crate::formats::{Findings, Severity};
use crate::io::ReadAt;
use crate::zero::is_zero;
use std::ops::Range;

/// VirtualBox has this many bytes more than a grain for its marker and its packed data.
const SPARE: u64 = 512;

/// A packed grain and what it inflates to.
type Buffers = (Vec<u8>, Vec<u8>);

/// An extent being checked.
pub(super) struct Check<'a> {
    pub(super) part: &'a Part<'a>,
    pub(super) extent: &'a GrainedExtent,
    pub(super) findings: &'a mut Findings,
    /// What is neither table nor grain: header, descriptor, directories.
    fixed: Vec<(Range<u64>, &'static str)>,
    /// All tables, those of a redundant directory too.
    pub(super) tables: Slots,
    pub(super) grains: Slots,
    packed: Spans,
    /// Packed grains whose markers agree with the tables.
    pub(super) marked: u64,
    /// The byte from which on grains are expected, and what else lies behind it.
    origin: u64,
    used: u64,
}

impl<'a> Check<'a> {
    /// Grains begin at byte `origin` and lie in step with it.
    pub(super) fn new(
        part: &'a Part<'a>,
        extent: &'a GrainedExtent,
        origin: u64,
        findings: &'a mut Findings,
    ) -> Check<'a> {
        let table = (extent.tables.entries() * extent.tables.entry_len()) as u64;
        let first = (0..extent.tables.count()).find_map(|index| extent.tables.table_at(index));
        Check {
            part,
            extent,
            findings,
            fixed: Vec::new(),
            tables: Slots::new(table, first.unwrap_or(0)),
            grains: Slots::new(extent.grain, origin),
            packed: Spans::default(),
            marked: 0,
            origin,
            used: 0,
        }
    }

    pub(super) fn file(&self) -> &'a dyn ReadAt {
        self.part.file.as_ref()
    }

    /// Bytes of a table.
    pub(super) fn table_len(&self) -> u64 {
        (self.extent.tables.entries() * self.extent.tables.entry_len()) as u64
    }

    pub(super) fn corrupt(&mut self, offset: u64, message: impl Into<String>) {
        self.findings.add(Severity::Corruption, offset, message);
    }

    pub(super) fn risk(&mut self, offset: u64, message: impl Into<String>) {
        self.findings.add(Severity::Risk, offset, message);
    }

    /// Takes `range` for `what`.
    pub(super) fn fix(&mut self, what: &'static str, range: Range<u64>) {
        if range.end > self.file().size() {
            self.corrupt(range.start, format!("{what} reaches past the end of the file"));
        }
        if let Some(other) = self.fixed_at(&range) {
            self.corrupt(range.start, format!("{what} lies where {other} is"));
        }
        self.count_used(&range);
        self.fixed.push((range, what));
    }

    fn fixed_at(&self, range: &Range<u64>) -> Option<&'static str> {
        let meets = |other: &Range<u64>| other.start < range.end && range.start < other.end;
        let met = self.fixed.iter().filter(|(other, _)| meets(other));
        met.min_by_key(|(other, _)| other.start).map(|(_, what)| *what)
    }

    /// The end of what is fixed at `at` and begins there.
    pub(super) fn fixed_from(&self, at: u64) -> Option<u64> {
        self.fixed.iter().find(|(range, _)| range.start == at && range.end > at).map(|(range, _)| range.end)
    }

    /// Takes the table at `at`, which the directory's entry at byte `entry` names as `what`.
    pub(super) fn take_table(&mut self, what: &str, entry: u64, at: u64, severity: Severity) -> bool {
        let range = at..at.saturating_add(self.table_len());
        if range.end > self.file().size() {
            self.findings.add(severity, entry, format!("{what} lies past the end of the file, at byte {at}"));
            return false;
        }
        if let Some(other) = self.fixed_at(&range) {
            self.corrupt(entry, format!("{what} lies where {other} is, at byte {at}"));
            return false;
        }
        if let Some(other) = self.tables.add(at) {
            let other = if other == at { "is another's too".into() } else { format!("lies upon that at byte {other}") };
            self.corrupt(entry, format!("{what} at byte {at} {other}"));
            return false;
        }
        self.count_used(&range);
        true
    }

    /// Follows every table that could be taken, each once.
    pub(super) fn follow(&mut self) -> Result<()> {
        let (extent, count) = (self.extent, self.extent.tables.count());
        let first = (0..count).find_map(|index| extent.tables.table_at(index));
        let mut followed = Slots::new(self.table_len(), first.unwrap_or(0));
        let mut buffers = (Vec::new(), vec![0; if extent.form == Form::Plain { 0 } else { extent.grain as usize }]);
        let span = extent.grain * extent.tables.entries() as u64;
        for index in 0..count {
            let start = index as u64 * span;
            if index % 1024 == 0 {
                self.part.go_on()?;
            }
            let Some(at) = extent.tables.table_at(index) else { continue };
            if self.tables.has(at) && followed.add(at).is_none() {
                self.part.go_on()?;
                self.follow_table(index, at, start, &mut buffers)?;
                self.part.observer.reached(self.part.start + (start + span).min(extent.size));
            }
        }
        let unkept = self.grains.unkept() + self.tables.unkept();
        if unkept > 0 {
            let message =
                format!("{unkept} grains and tables lie out of step: whether others lie upon them is not known");
            self.findings.add(Severity::Risk, None, message);
        }
        Ok(())
    }

    /// Follows table `index`, which covers the extent from byte `start` on.
    fn follow_table(&mut self, index: usize, at: u64, start: u64, buffers: &mut Buffers) -> Result<()> {
        let extent = self.extent;
        let Some(Some(table)) = found(extent.table(index), Severity::Corruption, self.findings)? else { return Ok(()) };
        if is_zero(&table) {
            return Ok(());
        }
        for entry in 0..extent.tables.entries() {
            let place = at + (entry * extent.tables.entry_len()) as u64;
            let grain = start + entry as u64 * extent.grain;
            let found = match extent.entry(&table, entry) {
                Ok(found) => found,
                Err(error) => {
                    self.corrupt(place, error.message());
                    continue;
                }
            };
            match found {
                Grain::At(at) if grain >= extent.size => {
                    let message = format!("an entry behind the end of the disk names a grain, at byte {at}");
                    self.findings.add(Severity::Leak, place, message);
                }
                Grain::At(at) if extent.form == Form::Plain => self.plain(place, grain, at),
                Grain::At(at) => self.pack(place, grain, at, buffers)?,
                Grain::Absent | Grain::Zero => {}
            }
        }
        Ok(())
    }

    /// Takes the plain grain at `at`, which the entry at `place` names for the extent's byte `grain`.
    fn plain(&mut self, place: u64, grain: u64, at: u64) {
        // The disk's last grain may be as short as the disk.
        let needed = self.extent.grain.min(self.extent.size - grain);
        if !self.inside(place, at, needed) || !self.off_the_map(place, at..at.saturating_add(self.extent.grain)) {
            return;
        }
        if let Some(other) = self.grains.add(at) {
            self.upon(place, at, other);
        } else if self.origin > 0 && !self.grains.in_step(at) {
            self.risk(place, format!("the grain at byte {at} is out of step with the others"));
        }
    }

    fn inside(&mut self, place: u64, at: u64, len: u64) -> bool {
        let inside = at.checked_add(len).is_some_and(|end| end <= self.file().size());
        if !inside {
            self.corrupt(place, format!("a grain lies past the end of the file, at byte {at}"));
        }
        inside
    }

    /// Checks that no table, and nothing of the header's, lies in a grain's `range`.
    fn off_the_map(&mut self, place: u64, range: Range<u64>) -> bool {
        let table = self.tables.meets(&range).map(|_| "a grain table");
        let Some(what) = self.fixed_at(&range).or(table) else { return true };
        self.corrupt(place, format!("a grain lies where {what} is, at byte {}", range.start));
        false
    }

    fn upon(&mut self, place: u64, at: u64, other: u64) {
        self.corrupt(
            place,
            match other == at {
                true => format!("the grain at byte {at} is another entry's too"),
                false => format!("the grain at byte {at} lies upon what begins at byte {other}"),
            },
        );
    }

    /// Inflates the packed grain at `at`.
    fn pack(&mut self, place: u64, grain: u64, at: u64, (packed, whole): &mut Buffers) -> Result<()> {
        self.part.go_on()?;
        if !self.inside(place, at, if self.extent.form == Form::Marked { MARKER as u64 } else { 1 }) {
            return Ok(());
        }
        let fetched = found(self.extent.fetch_packed(packed, grain, at, None), Severity::Corruption, self.findings)?;
        let Some(packed) = fetched else { return Ok(()) };
        let len = if self.extent.form == Form::Marked { (MARKER + packed.len()) as u64 } else { SECTOR };
        let range = at..at + len.next_multiple_of(SECTOR);
        if !self.off_the_map(place, range.clone()) {
            return Ok(());
        }
        if let Some(other) = self.packed.add(range) {
            self.upon(place, at, other);
            return Ok(());
        }
        let wanted = self.extent.grain.min(self.extent.size - grain);
        match inflate(packed, Wrapping::Zlib, whole) {
            Err(error) => self.corrupt(at, format!("a grain is {}", error.message())),
            Ok(got) if (got as u64) < wanted => {
                self.corrupt(at, format!("a grain inflates to {got} bytes instead of {wanted}"));
            }
            Ok(got) if got < whole.len() => {
                let message =
                    format!("the last grain inflates to {got} bytes, not to a whole grain: VirtualBox refuses it");
                self.risk(at, message);
            }
            Ok(_) if self.extent.form == Form::Marked && len > self.extent.grain + SPARE => {
                self.risk(
                    at,
                    format!("a grain is packed in {len} bytes, its marker too: VirtualBox has no room for it"),
                );
            }
            Ok(_) => {}
        }
        self.marked += 1;
        Ok(())
    }

    /// Tells of bytes behind the tables that no grain uses, where they would hold one.
    pub(super) fn unused(&mut self) {
        let used = self.used + self.grains.count() * self.extent.grain;
        let unused = self.file().size().saturating_sub(self.origin).saturating_sub(used);
        if unused >= self.extent.grain {
            self.findings.add(Severity::Leak, None, format!("{unused} bytes of the file hold nothing of the disk"));
        }
    }

    /// Counts what of the file lies among the grains and is none.
    fn count_used(&mut self, range: &Range<u64>) {
        if range.start >= self.origin {
            let end = range.end.min(self.file().size());
            self.used += end.saturating_sub(range.start).next_multiple_of(SECTOR);
        }
    }

    /// Fills `buf` from byte `at` of the file on.
    pub(super) fn read(&self, buf: &mut [u8], at: u64) -> Result<()> {
        let read = self.file().read_exact_at(buf, at);
        read.map_err(|cause| Error::io("cannot read", cause).at_path(&self.part.path).at_offset(at))
    }
}
