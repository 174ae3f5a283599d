//! The options that make a VMDK like a given one.

use super::descriptor::{Descriptor, ExtentKind, Line};
use super::reader::{Main, bytes_of, parent};
use super::subformat::Subformat;
use super::writer::{self, GRAIN};
use crate::error::{Error, Result};
use crate::formats::{CreateOptions, Settings, Source};
use crate::io::ReadAt;

/// The most bytes of lines that are taken over: an embedded descriptor has little room.
const MOST_TEXT: usize = 4 << 10;

/// How the disk was made: its sub-format, the sizes of its extents, its identifiers, and all that its data base says.
pub(super) fn alike(source: &Source<'_>) -> Result<CreateOptions> {
    let main = Main::read(source)?;
    let (Main::Sparse(_, descriptor) | Main::Text(descriptor)) = &main;
    if parent(descriptor)?.is_some() {
        return Err(Error::unsupported("holds only what differs from its parent, and such images are not written")
            .with_hint("vimage convert makes a whole disk of it"));
    }
    let kind = descriptor.create_type().unwrap_or("nameless");
    let not_written = |what: String| {
        Err(Error::unsupported(what).with_hint("vimage convert --trim makes a disk of another kind of it"))
    };
    let Some(subformat) = Subformat::from_name(kind) else {
        return not_written(format!("is a {kind} VMDK, and such are not written"));
    };
    let mut split = None;
    match (&main, subformat) {
        (Main::Sparse(hosted, _), Subformat::MonolithicSparse | Subformat::StreamOptimized) => {
            if hosted.grain != GRAIN {
                return not_written(format!("has grains of {} bytes, and only {GRAIN} are written", hosted.grain));
            }
        }
        (Main::Text(_), Subformat::MonolithicFlat) => {
            let sizes = sizes(source, descriptor, ExtentKind::Flat)?;
            if sizes.len() != 1 {
                return not_written(format!("has {} flat extents instead of one", sizes.len()));
            }
        }
        (Main::Text(_), Subformat::TwoGbMaxExtentSparse) => {
            split = split_like(&sizes(source, descriptor, ExtentKind::Sparse)?, subformat)?;
        }
        (Main::Text(_), Subformat::TwoGbMaxExtentFlat) => {
            split = split_like(&sizes(source, descriptor, ExtentKind::Flat)?, subformat)?;
        }
        _ => return not_written(format!("calls itself {kind}, but is made otherwise")),
    }
    let mut settings = Settings::default().with("subformat", subformat.name());
    if let Some(cid) = descriptor.cid()? {
        settings = settings.with("cid", format!("{cid:08x}"));
    }
    let mut room = MOST_TEXT;
    for line in &descriptor.lines {
        if let Line::Field { key, value } = line
            && key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("ddb."))
        {
            room = room
                .checked_sub(key.len() + value.len())
                .ok_or_else(|| Error::unsupported(format!("has more than {MOST_TEXT} bytes in its disk data base")))?;
            settings = settings.with(format!("ddb.{}", &key[4..]), value);
        }
    }
    Ok(CreateOptions { settings, split, ..CreateOptions::default() })
}

fn uneven() -> Error {
    Error::unsupported("its extents are not of one kind and size and alone in their files, as they are written")
        .with_hint("vimage convert --trim --split makes a disk with even extents")
}

/// The bytes of the disk in each extent, all of which must be of one kind.
fn sizes(source: &Source<'_>, descriptor: &Descriptor, kind: ExtentKind) -> Result<Vec<u64>> {
    let mut sizes = Vec::new();
    for line in descriptor.extents() {
        let size = bytes_of(line)?;
        let name =
            line.file.as_ref().filter(|_| line.kind == kind && line.offset.unwrap_or(0) == 0).ok_or_else(uneven)?;
        // What a file holds around its extent would be lost.
        if kind == ExtentKind::Flat && source.neighbors.open(name)?.0.size() != size {
            return Err(uneven());
        }
        sizes.push(size);
    }
    Ok(sizes)
}

/// The size that makes the writer cut the disk into extents of `sizes`; none where it does so by itself.
fn split_like(sizes: &[u64], subformat: Subformat) -> Result<Option<u64>> {
    let capacity = sizes.iter().try_fold(0_u64, |sum, size| sum.checked_add(*size)).ok_or_else(uneven)?;
    let makes_same = |split: u64| writer::extent_sizes(subformat, capacity, split).is_ok_and(|same| same == sizes);
    if makes_same(writer::DEFAULT_SPLIT) {
        return Ok(None);
    }
    let first = sizes.first().copied().unwrap_or(0);
    // The writer cuts at whole MiB, which a disk in a single extent need not fill.
    let candidates = [first, first.next_multiple_of(1 << 20)].map(|each| writer::longest_file(subformat, each) + 1);
    candidates.into_iter().find(|split| makes_same(*split)).map(Some).ok_or_else(uneven)
}
