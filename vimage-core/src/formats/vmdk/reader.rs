//! A VMDK as an image: its descriptor found, its extents opened and laid end to end.

use super::descriptor::{Access, Descriptor, ExtentKind, ExtentLine};
use super::grains::Form;
use super::hosted::Hosted;
use super::layout::{COWD_MAGIC, HOSTED_MAGIC, SECTOR, SESPARSE_MAGIC};
use super::{cowd, sesparse};
use crate::error::{Error, Result};
use crate::formats::Source;
use crate::image::{Image, ImageInfo, Parent, Part};
use crate::io::ReadAt;
use crate::io::neighbors::quote;
use crate::layers::{Concat, Flat, Zeros};
use crate::limits::vmdk::{LONGEST_DESCRIPTOR, MOST_TABLES};
use std::sync::Arc;

/// Kinds of disk that are a host's devices.
pub(super) const DEVICES: [&str; 5] = ["fullDevice", "partitionedDevice", "vmfsRDM", "vmfsRDMP", "vmfsRaw"];

/// Whether a file that begins with `head` is a VMDK or a part of one.
pub(super) fn probe(head: &[u8]) -> bool {
    head.starts_with(&HOSTED_MAGIC)
        || head.starts_with(&COWD_MAGIC)
        || head.starts_with(&SESPARSE_MAGIC.to_le_bytes())
        || is_descriptor(head)
}

/// VMware's first line in the ways it is found, or, as for QEMU, a version behind comments.
fn is_descriptor(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.trim_ascii());
    let squeezed = |line: &[u8]| -> Vec<u8> {
        line.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect()
    };
    let first = lines.clone().find(|line| !line.is_empty());
    first.is_some_and(|line| squeezed(line) == b"#diskdescriptorfile")
        || first.is_some_and(|line| line.starts_with(b"#"))
            && lines
                .find(|line| !line.is_empty() && !line.starts_with(b"#"))
                .is_some_and(|line| matches!(squeezed(line).as_slice(), b"version=1" | b"version=2" | b"version=3"))
}

/// A VMDK's main file.
pub(super) enum Main {
    /// One sparse file with its descriptor inside.
    Sparse(Box<Hosted>, Descriptor),
    /// A descriptor that names the files.
    Text(Descriptor),
}

impl Main {
    pub(super) fn read(source: &Source<'_>) -> Result<Self> {
        let file = source.file.as_ref();
        let mut head = [0; 8];
        let len = head.len().min(usize::try_from(file.size()).unwrap_or(usize::MAX));
        let read = file.read_exact_at(&mut head[..len], 0);
        read.map_err(|cause| Error::io("cannot read", cause).at_offset(0))?;
        if head.starts_with(&COWD_MAGIC) || head == SESPARSE_MAGIC.to_le_bytes() {
            // By itself it would show what its parent holds as zeros.
            return Err(Error::unsupported("is one extent of a delta disk, without its descriptor")
                .with_hint("name the text file that describes the disk: it ends in .vmdk and names this one"));
        }
        if !head.starts_with(&HOSTED_MAGIC) {
            let descriptor = Descriptor::parse(&read_text(file, 0, file.size())?)?;
            if descriptor.extents().next().is_none() {
                return Err(Error::corrupt("the descriptor names no extent"));
            }
            return Ok(Main::Text(descriptor));
        }
        let hosted = Hosted::read(file)?;
        let descriptor = embedded(&hosted, file)?;
        Ok(Main::Sparse(Box::new(hosted), descriptor))
    }

    fn descriptor(&self) -> &Descriptor {
        match self {
            Main::Sparse(_, descriptor) | Main::Text(descriptor) => descriptor,
        }
    }
}

/// The descriptor within `file`, an extent that begins with `hosted`.
///
/// # Errors
/// `Unsupported` when there is none, as in the extents of a split disk; `Corrupt` when it cannot be understood.
pub(super) fn embedded(hosted: &Hosted, file: &dyn ReadAt) -> Result<Descriptor> {
    let text = hosted.descriptor.map(|(offset, size)| read_text(file, offset, size)).transpose()?;
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Err(Error::unsupported("is one extent of a split disk, without its descriptor")
            .with_hint("name the text file that describes the disk, such as disk.vmdk for disk-s001.vmdk"));
    };
    Descriptor::parse(&text)
}

/// Checks that an embedded descriptor names no more than the one extent that there is.
///
/// # Errors
/// `Unsupported`.
pub(super) fn one_extent(descriptor: &Descriptor) -> Result<()> {
    match descriptor.extents().count() {
        0 | 1 => Ok(()),
        extents => Err(Error::unsupported(format!("its embedded descriptor names {extents} extents instead of one"))),
    }
}

/// The text in `size` bytes from `offset` on, up to the first NUL.
fn read_text(file: &dyn ReadAt, offset: u64, size: u64) -> Result<String> {
    // Other encodings than UTF-8 matter only in names, and a name that is not there says so.
    Ok(String::from_utf8_lossy(&read_bytes(file, offset, size)?).into_owned())
}

/// The bytes of that text.
pub(super) fn read_bytes(file: &dyn ReadAt, offset: u64, size: u64) -> Result<Vec<u8>> {
    let there = file.size().saturating_sub(offset).min(size);
    if there < size {
        return Err(Error::corrupt("the descriptor reaches past the end of the file").at_offset(offset));
    }
    let mut bytes = vec![0; there.min(LONGEST_DESCRIPTOR) as usize];
    let read = file.read_exact_at(&mut bytes, offset);
    read.map_err(|cause| Error::io("cannot read the descriptor", cause).at_offset(offset))?;
    match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => bytes.truncate(end),
        None if there > LONGEST_DESCRIPTOR => {
            return Err(Error::unsupported(format!("a descriptor of {there} bytes: {LONGEST_DESCRIPTOR} is the most"))
                .at_offset(offset));
        }
        None => {}
    }
    Ok(bytes)
}

/// What the VMDK says of itself.
pub(super) fn describe(source: &Source<'_>) -> Result<ImageInfo> {
    let main = Main::read(source)?;
    let descriptor = main.descriptor();
    let mut info = ImageInfo {
        format: "vmdk",
        subformat: descriptor.create_type().map(str::to_owned),
        id: descriptor.cid()?.map(|cid| format!("{cid:08x}")),
        parent: parent(descriptor)?,
        details: details(descriptor),
        ..ImageInfo::default()
    };
    match &main {
        Main::Sparse(hosted, _) => {
            info.virtual_size = hosted.capacity;
            info.unit = Some(hosted.grain);
            info.compressed = hosted.form != Form::Plain;
            info.details.push(("header-version", hosted.version.to_string()));
            if hosted.form != Form::Plain {
                info.details
                    .push(("grain-directory", if hosted.footer { "at the end" } else { "at the start" }.into()));
            }
            if hosted.unclean {
                info.details.push(("unclean-shutdown", "yes".into()));
            }
        }
        Main::Text(descriptor) => {
            for line in descriptor.extents() {
                let size = bytes_of(line)?;
                info.virtual_size = info
                    .virtual_size
                    .checked_add(size)
                    .filter(|&size| i64::try_from(size).is_ok())
                    .ok_or_else(|| Error::corrupt("the extents add up to more than 2^63 bytes"))?;
                info.parts.push(Part { file: line.file.clone(), kind: line.kind.word().to_owned(), size });
            }
        }
    }
    Ok(info)
}

/// Opens the VMDK's own extents.
pub(super) fn open(source: &Source<'_>) -> Result<Box<dyn Image>> {
    match Main::read(source)? {
        Main::Sparse(hosted, descriptor) => {
            // The names in an embedded descriptor are often another file's, and there is only the one file.
            one_extent(&descriptor)?;
            let size = hosted.capacity;
            Ok(Box::new(hosted.open(Arc::clone(&source.file), source.path.clone(), size)?))
        }
        Main::Text(descriptor) => {
            if let Some(device) = DEVICES
                .into_iter()
                .find(|kind| descriptor.create_type().is_some_and(|found| found.eq_ignore_ascii_case(kind)))
            {
                return Err(Error::refused(format!("is a mapping of a host's device ({device}), not a disk image")));
            }
            let mut tables = 0;
            let extents = descriptor.extents().map(|line| open_extent(line, source, &mut tables));
            Ok(Box::new(Concat::new(extents.collect::<Result<_>>()?)?))
        }
    }
}

/// Opens what one line of a descriptor names; `tables` counts the grain tables of all lines, which name any file as often
/// as they like.
fn open_extent(line: &ExtentLine, source: &Source<'_>, tables: &mut usize) -> Result<Box<dyn Image>> {
    let size = bytes_of(line)?;
    if line.kind == ExtentKind::Zero {
        return Ok(Box::new(Zeros(size)));
    }
    if line.access == Access::None {
        return Err(Error::unsupported(format!("an extent may not be read: {line}")));
    }
    let Some(name) = &line.file else {
        return Err(Error::corrupt(format!("an extent names no file: {line}")));
    };
    if matches!(line.kind, ExtentKind::VmfsRdm | ExtentKind::VmfsRaw) {
        return Err(Error::refused(format!("an extent is a host's device: {}", quote(&line.to_string()))));
    }
    let (file, path) = source.neighbors.open(name)?;
    let grained = match line.kind {
        ExtentKind::Sparse => {
            let hosted = Hosted::read(file.as_ref()).map_err(|error| error.at_path(&path))?;
            hosted.open(file, path, size)?
        }
        ExtentKind::VmfsSparse => cowd::open(file, path, size)?,
        ExtentKind::SeSparse => sesparse::open(file, path, size)?,
        _ => {
            let start = line.offset.unwrap_or(0).checked_mul(SECTOR);
            let start = start.ok_or_else(|| Error::corrupt(format!("an extent starts past 2^64 bytes: {line}")))?;
            return Ok(Box::new(Flat::new(file, path, start, size)?));
        }
    };
    *tables += grained.tables.count();
    if *tables as u64 > MOST_TABLES {
        return Err(Error::unsupported(format!("its extents have more than {MOST_TABLES} grain tables together")));
    }
    Ok(Box::new(grained))
}

/// The bytes of the disk that an extent holds.
pub(super) fn bytes_of(line: &ExtentLine) -> Result<u64> {
    let bytes = line.sectors.checked_mul(SECTOR).filter(|&bytes| i64::try_from(bytes).is_ok());
    bytes.ok_or_else(|| Error::corrupt(format!("an extent of {} sectors: no disk has 2^63 bytes", line.sectors)))
}

pub(super) fn parent(descriptor: &Descriptor) -> Result<Option<Parent>> {
    let Some(cid) = descriptor.parent_cid()? else { return Ok(None) };
    let Some(name) = descriptor.get("parentFileNameHint") else {
        return Err(Error::corrupt(format!("has a parent, whose CID is {cid:08x}, but does not name it"))
            .with_hint("without its parent the disk is not complete"));
    };
    Ok(Some(Parent { name: Some(name.to_owned()), format: None, id: Some(format!("{cid:08x}")) }))
}

fn details(descriptor: &Descriptor) -> Vec<(&'static str, String)> {
    let keys = [
        ("cid", "CID"),
        ("parent-cid", "parentCID"),
        ("adapter-type", "ddb.adapterType"),
        ("hardware-version", "ddb.virtualHWVersion"),
        ("tools-version", "ddb.toolsVersion"),
    ];
    let detail = |(name, key): (&'static str, &str)| descriptor.get(key).map(|value| (name, value.to_owned()));
    keys.into_iter()
        .filter_map(detail)
        .filter(|(name, value)| *name != "parent-cid" || !value.eq_ignore_ascii_case("ffffffff"))
        .collect()
}
