//! The extents of a disk in several files: each there, long enough, and what its line says.

use super::places::Spans;
use super::{Part, esx, found, hosted, opened};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::vmdk::descriptor::{Access, Descriptor, ExtentKind, ExtentLine};
use crate::formats::vmdk::hosted::Hosted;
use crate::formats::vmdk::layout::SECTOR;
use crate::formats::vmdk::reader::{DEVICES, bytes_of};
use crate::formats::vmdk::{cowd, sesparse};
use crate::formats::{Findings, Severity, Source};
use crate::io::neighbors::quote;
use crate::io::{FileId, ReadAt};
use crate::observer::{Observer, Phase};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Checks every extent that `descriptor` names.
pub(super) fn check(
    source: &Source<'_>,
    descriptor: &Descriptor,
    findings: &mut Findings,
    observer: &dyn Observer,
) -> Result<()> {
    let total = total(descriptor)?;
    observer.begin(Phase::Work, Some(total));
    let (mut files, mut start) = (Files::default(), 0);
    for line in descriptor.extents() {
        let size = bytes_of(line)?;
        if line.kind != ExtentKind::Zero && line.access != Access::None {
            extent(line, size, start, source, &mut files, findings, observer)?;
        }
        start += size;
        observer.reached(start);
    }
    files.ends(findings);
    Ok(())
}

/// The bytes of all extents, none of which may be a host's device.
fn total(descriptor: &Descriptor) -> Result<u64> {
    let is = |kind: &&str| descriptor.create_type().is_some_and(|found| found.eq_ignore_ascii_case(kind));
    if let Some(device) = DEVICES.into_iter().find(is) {
        return Err(Error::refused(format!("is a mapping of a host's device ({device}), not a disk image")));
    }
    descriptor.extents().try_fold(0_u64, |total, line| {
        if matches!(line.kind, ExtentKind::VmfsRdm | ExtentKind::VmfsRaw) {
            return Err(Error::refused(format!("an extent is a host's device: {}", quote(&line.to_string()))));
        }
        let sum = total.checked_add(bytes_of(line)?).filter(|&sum| i64::try_from(sum).is_ok());
        sum.ok_or_else(|| Error::corrupt("the extents add up to more than 2^63 bytes"))
    })
}

/// Checks the extent of `line`, which holds `size` bytes of the disk from byte `start` on.
fn extent(
    line: &ExtentLine,
    size: u64,
    start: u64,
    source: &Source<'_>,
    files: &mut Files,
    findings: &mut Findings,
    observer: &dyn Observer,
) -> Result<()> {
    let Some(name) = &line.file else {
        findings.add(Severity::Corruption, None, format!("an extent names no file: {line}"));
        return Ok(());
    };
    // What is there and may not be opened is an error: it is no fault of the image that can be told of.
    let (file, path) = match source.neighbors.open(name) {
        Err(error) if error.kind() == ErrorKind::Io && !source.neighbors.exists(name) => {
            let message = format!("the file of an extent is missing: {}", quote(name));
            findings.add(Severity::Corruption, None, message);
            return Ok(());
        }
        opened => opened?,
    };
    let mut own = Findings::default();
    let there = file.size();
    let plain = matches!(line.kind, ExtentKind::Flat | ExtentKind::Vmfs);
    // A file of grains is one extent's alone.
    let range = if plain { stretch(line, size)? } else { 0..there };
    if let Some(other) = files.take(file.id(), &path, there, &range) {
        own.add(Severity::Corruption, other, "two extents use the same bytes of the file");
    } else if plain && range.end > there {
        let message = format!("is too short: {size} bytes from byte {} on are wanted, it has {there}", range.start);
        own.add(Severity::Corruption, there, message);
    } else if !plain {
        let part = Part { file, path: path.clone(), size, start, observer };
        grained(line.kind, &part, &mut own).map_err(|error| error.at_path(&path))?;
    }
    findings.extend(own, &path);
    Ok(())
}

/// Checks an extent of grains.
fn grained(kind: ExtentKind, part: &Part<'_>, findings: &mut Findings) -> Result<()> {
    let file = || Arc::clone(&part.file);
    if kind == ExtentKind::Sparse {
        let hosted = Hosted::read(part.file.as_ref());
        let Some(hosted) = found(hosted, Severity::Corruption, findings)? else { return Ok(()) };
        if hosted.capacity > part.size {
            let (held, wanted) = (hosted.capacity, part.size);
            let message =
                format!("its header says {held} bytes of disk, the descriptor {wanted}: readers go by either");
            findings.add(Severity::Risk, 0xc, message);
        }
        return hosted::check(hosted, part, findings);
    }
    let extent = match kind {
        ExtentKind::VmfsSparse => cowd::open(file(), part.path.clone(), part.size),
        _ => sesparse::open(file(), part.path.clone(), part.size),
    };
    match (opened(extent, findings)?, kind) {
        (Some(extent), ExtentKind::VmfsSparse) => esx::cowd(part, &extent, findings),
        (Some(extent), _) => esx::sesparse(part, &extent, findings),
        (None, _) => Ok(()),
    }
}

/// The bytes of a plain file that the line means.
fn stretch(line: &ExtentLine, size: u64) -> Result<Range<u64>> {
    let start = line.offset.unwrap_or(0).checked_mul(SECTOR);
    let range = start.and_then(|start| Some(start..start.checked_add(size)?));
    range.ok_or_else(|| Error::corrupt(format!("an extent starts past 2^64 bytes: {line}")))
}

/// The files of extents, in the order in which they were met.
#[derive(Default)]
struct Files {
    numbers: HashMap<FileId, usize>,
    list: Vec<Used>,
}

/// A file, its length, and what extents use of it.
struct Used {
    path: PathBuf,
    there: u64,
    spans: Spans,
    end: u64,
}

impl Files {
    /// Takes a stretch of a file; gives the first byte of what another extent uses instead, if it does.
    fn take(&mut self, id: FileId, path: &Path, there: u64, range: &Range<u64>) -> Option<u64> {
        let number = *self.numbers.entry(id).or_insert_with(|| {
            self.list.push(Used { path: path.to_owned(), there, spans: Spans::default(), end: 0 });
            self.list.len() - 1
        });
        let used = &mut self.list[number];
        used.end = used.end.max(range.end);
        if range.is_empty() { None } else { used.spans.add(range.clone()) }
    }

    /// Tells of files that go on behind all that is used.
    fn ends(self, findings: &mut Findings) {
        for Used { path, there, end, .. } in self.list {
            if there > end {
                let mut own = Findings::default();
                own.add(Severity::Leak, end, format!("{} bytes behind all that the extents use", there - end));
                findings.extend(own, &path);
            }
        }
    }
}
