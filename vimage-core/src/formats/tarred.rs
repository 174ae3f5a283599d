//! The disk in a tar that comes once: an OVA through a pipe.

use super::members;
use super::raw::Length;
use super::streams::{Part, StreamOptions, is_disk, open_disk};
use super::{HEAD, SPOOL};
use crate::error::{Error, Result};
use crate::image::Packing;
use crate::io::tar::{Bytes, End, Lister, Step};
use crate::io::{FileId, Incoming, Stop};
use crate::observer::Observer;
use crate::stream::{DiskStream, Stretch};
use std::path::{Path, PathBuf};

/// Bytes of a tar's block.
const BLOCK: u64 = 512;

/// The disk that is a member of an archive. All of the archive is read, to its end.
pub(super) struct IncomingMember {
    disk: Box<dyn Part>,
    name: String,
    /// Whether the caller said which member it is.
    chosen: bool,
    /// None when the archive has ended.
    lister: Option<Lister>,
}

impl IncomingMember {
    /// Reads to the disk.
    pub(super) fn open(mut incoming: Incoming, options: &StreamOptions, observer: &dyn Observer) -> Result<Self> {
        let stop = || observer.cancelled();
        let mut lister = Lister::default();
        let label = incoming.label().to_owned();
        let wanted = options.member.as_deref();
        let Some((name, size)) = next_disk(&mut lister, &mut incoming, wanted, &stop)? else {
            let listing = end(lister, &mut incoming, &stop)?;
            return Err(match wanted {
                Some(wanted) => Error::io("has no member of this name", std::io::ErrorKind::NotFound.into())
                    .at_path(path_of(&label, wanted)),
                None => Error::usage("holds no disk").at_path(&label),
            }
            .with_hint(format!("its members: {}", members::names(&listing))));
        };
        if let Some(told) = options.size {
            return Err(Error::usage(format!("--size {told} is for a raw disk that is no member of an archive"))
                .at_path(path_of(&label, &name)));
        }
        incoming.enter(size, path_of(&label, &name));
        let disk = open_disk(incoming, Length::Told(size), options.format.as_deref(), observer)?;
        Ok(IncomingMember { disk, name, chosen: wanted.is_some(), lister: Some(lister) })
    }

    /// Reads what follows the disk: there must be no other, unless the caller said which.
    fn rest(&mut self, stop: Stop<'_>) -> Result<()> {
        let Some(mut lister) = self.lister.take() else { return Ok(()) };
        let incoming = self.disk.incoming();
        incoming.leave();
        // One that was chosen is not looked for again.
        let wanted = self.chosen.then_some("");
        if let Some((other, _)) = next_disk(&mut lister, incoming, wanted, stop)? {
            return Err(Error::usage("holds several disks")
                .at_path(incoming.label())
                .with_hint(format!("say which: {} or {other}", self.name)));
        }
        end(lister, incoming, stop).map(drop)
    }
}

/// How a member is written as a path.
fn path_of(archive: &Path, member: &str) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(":");
    path.push(member);
    path.into()
}

/// Reads up to the bytes of the next disk, or of the member that is `wanted`; its name and length.
fn next_disk(
    lister: &mut Lister,
    incoming: &mut Incoming,
    wanted: Option<&str>,
    stop: Stop<'_>,
) -> Result<Option<(String, u64)>> {
    let label = incoming.label().to_owned();
    loop {
        let step = lister.step(&mut Passing { incoming, stop }).map_err(|error| error.at_path(&label))?;
        match (step, lister.found().members.last()) {
            (Step::Member, Some(member)) => {
                // The lister has read to where its bytes begin.
                let len = HEAD.min(usize::try_from(member.size).unwrap_or(HEAD));
                if incoming.peek(len, stop)?.len() < len {
                    return Err(incoming.cut("the archive"));
                }
                let head = incoming.peek(len, stop)?;
                let found = match wanted {
                    None => is_disk(&member.name, head),
                    Some(wanted) if wanted == member.name => is_disk(&member.name, head).map(|_| true),
                    Some(_) => Ok(false),
                };
                if found.map_err(|error| error.at_path(&label))? {
                    return Ok(Some((member.name.clone(), member.size)));
                }
            }
            (Step::End, _) => return Ok(None),
            _ => {}
        }
    }
}

/// Reads the end of an archive whose first block of zeros was read, and all behind it: who writes it waits for that.
fn end(lister: Lister, incoming: &mut Incoming, stop: Stop<'_>) -> Result<crate::io::tar::Listing> {
    let mut block = [0; BLOCK as usize];
    incoming.take(&mut block, "the archive's end: two blocks of zeros", stop)?;
    if block.iter().any(|&byte| byte != 0) {
        let error = Error::corrupt("has one block of zeros where two end an archive");
        return Err(error.at_path(incoming.label()).at_offset(lister.at()).with_hint(SPOOL));
    }
    if !incoming.drain(stop)?.is_multiple_of(BLOCK) {
        return Err(incoming.cut("a block behind the archive's end"));
    }
    lister.ended(End::Marked).map_err(|error| error.at_path(incoming.label()))
}

/// An archive's bytes, of which those between are passed.
struct Passing<'a> {
    incoming: &'a mut Incoming,
    stop: Stop<'a>,
}

impl Bytes for Passing<'_> {
    fn size(&self) -> Option<u64> {
        None
    }

    fn read(&mut self, buf: &mut [u8], at: u64) -> Result<()> {
        let gap = at.checked_sub(self.incoming.taken());
        let gap = gap.ok_or_else(|| Error::usage("an archive that comes once was to be read twice"))?;
        self.incoming.skip(gap, "the archive", self.stop)?;
        self.incoming.take(buf, "the archive", self.stop)
    }
}

impl DiskStream for IncomingMember {
    fn size(&self) -> Option<u64> {
        self.disk.size()
    }

    fn find_size(&mut self, observer: &dyn Observer) -> Result<Option<u64>> {
        self.disk.find_size(observer)
    }

    fn packing(&self) -> Option<Packing> {
        self.disk.packing()
    }

    fn next(&mut self, slab: usize, observer: &dyn Observer) -> Result<Option<Stretch>> {
        let stretch = self.disk.next(slab, observer)?;
        if stretch.is_none() {
            self.rest(&|| observer.cancelled())?;
        }
        Ok(stretch)
    }

    fn files(&self) -> Vec<FileId> {
        self.disk.files()
    }
}
