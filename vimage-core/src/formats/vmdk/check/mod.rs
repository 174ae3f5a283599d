//! Checking a VMDK: its descriptor, the files that it names, and in each every table and every grain.
//!
//! Tables are followed once, and compressed grains inflated once, one at a time. Which bytes of a file are taken is kept
//! in [`places`], whose size what the tables really name bounds.

mod esx;
mod extents;
mod grained;
mod hosted;
mod places;
mod stream;
mod text;

use super::grains::GrainedExtent;
use super::reader::Main;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::{Findings, Severity, Source};
use crate::io::ReadAt;
use crate::observer::{Observer, Phase};
use std::path::PathBuf;
use std::sync::Arc;

/// Checks the disk's own files.
pub(super) fn check(source: &Source<'_>, observer: &dyn Observer) -> Result<Findings> {
    let mut findings = Findings::default();
    match Main::read(source)? {
        Main::Sparse(hosted, descriptor) => {
            let place = hosted.descriptor.unwrap_or_default();
            text::check(source.file.as_ref(), place, &descriptor, &mut findings)?;
            text::embedded(&hosted, &descriptor, place.0, &mut findings);
            observer.begin(Phase::Work, Some(hosted.capacity));
            let (file, path, size) = (Arc::clone(&source.file), source.path.clone(), hosted.capacity);
            let part = Part { file, path, size, start: 0, observer };
            hosted::check(*hosted, &part, &mut findings)?;
        }
        Main::Text(descriptor) => {
            let place = (0, source.file.size());
            text::check(source.file.as_ref(), place, &descriptor, &mut findings)?;
            extents::check(source, &descriptor, &mut findings, observer)?;
        }
    }
    Ok(findings)
}

/// An extent to be checked.
struct Part<'a> {
    file: Arc<dyn ReadAt>,
    path: PathBuf,
    /// Bytes of the disk in it.
    size: u64,
    /// The disk's byte at which it starts.
    start: u64,
    observer: &'a dyn Observer,
}

impl Part<'_> {
    fn go_on(&self) -> Result<()> {
        if self.observer.cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}

/// What was opened; none where a fault, which is then a finding, keeps it from being looked into.
fn opened(opened: Result<GrainedExtent>, findings: &mut Findings) -> Result<Option<GrainedExtent>> {
    found(opened, Severity::Corruption, findings)
}

/// What was had; none where the image is at fault, which is then a finding.
fn found<T>(result: Result<T>, severity: Severity, findings: &mut Findings) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            findings.add(severity, error.offset(), error.message());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
