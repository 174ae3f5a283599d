//! Unpacking 7z archives, in which a package may lie: its descriptor and its manifest are read first.

use super::digests::Digests;
use super::job::{Job, unreadable};
use super::{UnpackOptions, Unpacked, not_understood};
use crate::error::{Error, Result};
use crate::io::neighbors::quote;
use crate::io::pieces::chunk_name;
use crate::limits::archives::LONGEST_TEXT;
use crate::limits::check_size;
use crate::limits::ovf::LONGEST_DESCRIPTOR;
use crate::observer::{Observer, Phase};
use crate::operations::archive::{Member, SevenZip};
use crate::package::ovf;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

/// Unpacks the files of a 7z archive.
pub(super) fn extract(
    archive: &SevenZip,
    folder: &Path,
    options: &UnpackOptions,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let members = archive.members();
    observer.begin(Phase::Work, Some(members.iter().fold(0, |sum, member| sum.saturating_add(member.size))));
    check_descriptor(archive, options.max_size).map_err(|error| error.at_path(archive.path()))?;
    let manifest = match ending(archive, ".mf").next() {
        Some(member) => Some((member.name.as_str(), text(archive, member, LONGEST_TEXT)?)),
        None => None,
    };
    let named = manifest.as_ref().map(|(name, text)| (*name, text.as_slice()));
    let digests = Digests::new(named, members.iter().map(|member| member.name.as_str()));
    let digests = digests.map_err(|error| error.at_path(archive.path()))?;
    let mut job = Job::new(folder, archive.files().to_vec(), digests, options, observer)?;
    archive.unpack(|member, bytes| job.store(&member.name, bytes).map(|()| true))?;
    job.publish().map_err(|error| error.at_path(archive.path()))
}

/// There is one descriptor at most; it can be understood, the files that it names are there, and no disk is larger than it may be.
fn check_descriptor(archive: &SevenZip, max_size: Option<u64>) -> Result<()> {
    let mut descriptors = ending(archive, ".ovf");
    let (Some(descriptor), other) = (descriptors.next(), descriptors.next()) else { return Ok(()) };
    let name = &descriptor.name;
    if let Some(other) = other {
        return Err(Error::corrupt(format!("has two descriptors, {} and {}", quote(name), quote(&other.name)))
            .with_hint("a package describes one appliance: nobody can tell which is meant"));
    }
    let text = text(archive, descriptor, LONGEST_DESCRIPTOR as u64)?;
    let parsed = ovf::read(&text).map_err(|error| not_understood(name, &error))?;
    parsed.disks.iter().filter_map(|disk| disk.capacity).try_for_each(|size| check_size(size, max_size))?;
    // It names the files of its own folder.
    let folder = name.rfind('/').map_or("", |end| &name[..=end]);
    let there: BTreeSet<_> = archive.members().iter().map(|member| member.name.as_str()).collect();
    let gone = parsed.files.iter().find(|file| {
        let whole = format!("{folder}{}", file.href);
        !there.contains(whole.as_str()) && !there.contains(chunk_name(&whole, 0).as_str())
    });
    match gone {
        None => Ok(()),
        Some(file) => Err(Error::corrupt(format!(
            "the descriptor {} names {}, which is not in the package",
            quote(name),
            quote(&file.href)
        ))
        .with_hint("a file was lost on the way: fetch the package again")),
    }
}

fn ending<'a>(archive: &'a SevenZip, ending: &'a str) -> impl Iterator<Item = &'a Member> {
    archive.members().iter().filter(move |member| member.name.to_ascii_lowercase().ends_with(ending))
}

/// The text of a member: what is packed in front of it has to be unpacked for that, where it is packed with it.
fn text(archive: &SevenZip, wanted: &Member, most: u64) -> Result<Vec<u8>> {
    if wanted.size > most {
        return Err(
            Error::unsupported(format!("{} is longer than {most} bytes", quote(&wanted.name))).at_path(archive.path())
        );
    }
    let mut text = Vec::new();
    archive.unpack(|member, bytes| {
        if member != wanted {
            return Ok(true);
        }
        let read = bytes.take(most).read_to_end(&mut text);
        read.map_err(|cause| unreadable(&member.name, cause)).map(|_| false)
    })?;
    Ok(text)
}
