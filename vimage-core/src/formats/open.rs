//! Opening an image: its pieces joined, its format probed, its parents laid beneath it.

use super::main_file::{MainFile, as_finding};
use super::members;
use super::parents::Parents;
use super::{CreateOptions, Findings};
use crate::error::{Error, ErrorKind, Result};
use crate::extent::Extent;
use crate::image::{Image, ImageInfo, Packing};
use crate::io::in_use::check_vmware;
use crate::io::locks::Locks;
use crate::io::neighbors::quote;
use crate::io::outputs::Unpublished;
use crate::io::{Archive, Compression, FileId, FileReader, Neighbors};
use crate::layers::Overlay;
use crate::limits::check_size;
use crate::observer::Observer;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// The format that it must have; otherwise it is probed.
    pub format: Option<String>,
    /// The snapshot to show instead of the present state, by its id or name.
    pub snapshot: Option<String>,
    /// Open any file that the image names, not only plain files in its own folder. For images that are trusted.
    pub allow_external: bool,
    /// Read files that another program writes to, and keep nobody from writing to them meanwhile; otherwise QEMU's locks are heeded
    /// and taken, as long as the image is open.
    pub force_share: bool,
    /// The largest virtual size in bytes that an image may have, and each one beneath it; no bound by default. For images from strangers,
    /// who can claim disks of exabytes in little room: most of what is done with an image takes time by its size. What an image says
    /// of itself is told whatever its size, where nothing has to be unpacked for that.
    pub max_size: Option<u64>,
}

/// An image with everything beneath it.
pub struct OpenImage {
    image: Box<dyn Image>,
    info: ImageInfo,
    path: PathBuf,
    files: Vec<(FileId, PathBuf)>,
    /// How many of them are the topmost image's own; they come first.
    own: usize,
    allocated: u64,
    archive: Option<PathBuf>,
    packed: Option<Compression>,
    locks: Locks,
}

impl OpenImage {
    /// What the topmost image says of itself.
    pub fn info(&self) -> &ImageInfo {
        &self.info
    }

    /// The topmost image's main file, as it was named; with the member where it lies in an archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same image, which comes from `files` too, called `path`.
    #[must_use]
    pub(super) fn also_of(mut self, files: &[FileId], path: &Path) -> Self {
        self.files.extend(files.iter().map(|id| (*id, path.to_owned())));
        self
    }

    /// Bytes of storage that the image's main file takes, all its pieces together.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// The archive that it lies in.
    pub fn archive(&self) -> Option<&Path> {
        self.archive.as_deref()
    }

    /// What its main file is compressed with as a whole, so that it had to be unpacked to be read.
    pub fn packed(&self) -> Option<Compression> {
        self.packed
    }

    /// Keeps everybody else from using the topmost image's own files, as long as it is open.
    ///
    /// # Errors
    /// `InUse` when another program uses one.
    pub(crate) fn lock_to_write(&self) -> Result<()> {
        self.own_files().iter().try_for_each(|(_, path)| check_vmware(path))?;
        self.locks.write(self.own_files())
    }

    /// The files that hold the topmost image's own bytes, each with its path.
    pub fn own_files(&self) -> &[(FileId, PathBuf)] {
        &self.files[..self.own]
    }
}

impl OpenImage {
    /// Bounds are checked once, at the top: what lies beneath may rely on them.
    fn within(&self, offset: u64, len: u64) -> Result<()> {
        match offset.checked_add(len).filter(|&end| end <= self.image.size()) {
            Some(_) => Ok(()),
            None => {
                let size = self.image.size();
                Err(Error::usage(format!("{len} bytes from {offset} on are not all on a disk of {size}"))
                    .at_path(&self.path))
            }
        }
    }
}

impl Image for OpenImage {
    fn size(&self) -> u64 {
        self.image.size()
    }

    fn extent_at(&self, offset: u64) -> Result<Extent> {
        self.within(offset, 1)?;
        self.image.extent_at(offset)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.within(offset, buf.len() as u64)?;
        self.image.read_exact_at(buf, offset)
    }

    fn packing(&self) -> Option<Packing> {
        self.image.packing()
    }

    fn read_packed(&self, offset: u64, out: &mut Vec<u8>) -> Result<bool> {
        self.within(offset, 1)?;
        self.image.read_packed(offset, out)
    }

    fn files(&self) -> Vec<FileId> {
        self.files.iter().map(|(id, _)| id.whole()).collect()
    }
}

/// What an image says of itself, and how much storage its main file takes. Opens no other file but the pieces of the one
/// named.
///
/// # Errors
/// As [`open`].
pub fn describe(path: impl AsRef<Path>, options: &OpenOptions) -> Result<(ImageInfo, u64)> {
    MainFile::open(path.as_ref(), options)?.describe(options)
}

/// One image of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its main file.
    pub path: PathBuf,
    /// What it says of itself.
    pub info: ImageInfo,
    /// Bytes of storage that its main file takes.
    pub allocated: u64,
}

/// What an image and all those beneath it say of themselves, the topmost first.
///
/// # Errors
/// As [`open`].
pub fn describe_chain(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Vec<Link>> {
    let main = MainFile::open(path.as_ref(), options)?;
    let (path, source) = (main.path.as_path(), main.source(options));
    let info = main.described(main.format(options)?, &source).map_err(|error| error.at_path(path))?;
    let mut links = Vec::new();
    let mut parents = Parents::of(main.id, &main.neighbors, &info, None);
    links.push(Link { path: path.to_owned(), info, allocated: main.allocated });
    while let Some((_, path, info, allocated)) =
        parents.next(|_, _| Ok(())).map_err(|error| main.fault(error, options))?
    {
        links.push(Link { path, info, allocated });
    }
    Ok(links)
}

/// Opens the image at `path` for reading, with all the files and parents that it consists of. They must lie in its own
/// folder, unless the caller allows others.
///
/// # Errors
/// `Io` when a file is missing or cannot be read; `Corrupt` and `Unsupported` as the format has them; `Refused` when the
/// image refers to a file elsewhere, or is larger than it may be; `InUse` when another program writes to a file; `Usage` when there is no
/// such snapshot.
pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<OpenImage> {
    opened(&MainFile::open(path.as_ref(), options)?, options)
}

/// Opens the image whose main file will be at `path`, made of `files` that are finished but have not their names yet; with `member`,
/// that member of the archive that it is.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_unpublished(
    path: &Path,
    member: Option<&str>,
    files: &[Unpublished],
    options: &OpenOptions,
) -> Result<OpenImage> {
    let missing = || Error::new(ErrorKind::Io, "was not made").at_path(path);
    let first = files.iter().find(|file| file.path == path).ok_or_else(missing)?;
    let first = Arc::new(FileReader::open(&first.temporary)?);
    let main = match member {
        Some(member) => {
            let archive = Archive::open(&first, path)?.ok_or_else(|| Error::corrupt("is no archive").at_path(path))?;
            MainFile::of_member(&archive, member, options)?
        }
        None => {
            let neighbors = Neighbors::of(path).allow_external(options.allow_external).standing_in(files);
            MainFile::of_file(first, path, neighbors)?
        }
    };
    opened(&main, options)
}

/// Opens the image in `file`, which is open already and may have no name: errors call it `label`. It is of any format, or a tar whose
/// only disk, or whose `member`, is meant. No other file is opened for it.
///
/// # Errors
/// As [`open`]; `Refused` where it names another file; `Usage` where it is no tar and a `member` is wanted, or one without a disk or with
/// several.
pub fn open_file(file: File, label: &Path, member: Option<&str>, options: &OpenOptions) -> Result<OpenImage> {
    let first = Arc::new(FileReader::from_file(file).map_err(|error| error.at_path(label))?);
    Locks::new(options.force_share).read(&first, label)?;
    let main = match members::within(&first, label, options.format.as_deref() == Some("raw"))? {
        Some(archive) => {
            let only = || members::only_of(&archive);
            MainFile::of_member(&archive, &member.map_or_else(only, |member| Ok(member.to_owned()))?, options)?
        }
        None if member.is_some() => {
            return Err(Error::usage("is no tar archive that could have a member").at_path(label));
        }
        None => MainFile::of_file(first, label, Neighbors::none())?,
    };
    opened(&main, options)
}

fn opened(main: &MainFile, options: &OpenOptions) -> Result<OpenImage> {
    let (path, source) = (main.path.as_path(), main.source(options));
    let format = main.format(options)?;
    let opened = (|| {
        let mut info = main.described(format, &source)?;
        match &options.snapshot {
            Some(wanted) => check_snapshot(&info, wanted)?,
            // Before its tables are read.
            None => check_size(info.virtual_size, options.max_size)?,
        }
        let image = format.open(&source)?;
        let own = main.neighbors.opened().len();
        info.virtual_size = image.size();
        check_size(info.virtual_size, options.max_size)?;
        let mut chain = vec![image];
        let mut parents = Parents::of(main.id, &main.neighbors, &info, options.max_size);
        while let Some((image, ..)) = parents.next(|format, source| format.open(source))? {
            chain.push(image);
        }
        Ok((chain, info, own))
    })();
    let (chain, info, own) = opened.map_err(|error: Error| main.fault(error, options))?;
    let lay = |base: Box<dyn Image>, top: Box<dyn Image>| Box::new(Overlay::new(top, base)) as Box<dyn Image>;
    let image = chain.into_iter().rev().reduce(lay).ok_or_else(|| Error::new(ErrorKind::Usage, "no image"))?;
    let files = main.neighbors.opened();
    let archive = main.archive.as_ref().map(|archive| archive.path().to_owned());
    let (allocated, packed, locks) = (main.allocated, main.packed, main.neighbors.locks().clone());
    Ok(OpenImage { image, info, path: path.to_owned(), files, own, allocated, archive, packed, locks })
}

/// How an image like the one at `path` is made: its format's name, and the options. Parents are asked only for their formats.
///
/// # Errors
/// As [`open`], and `Unsupported` where images of its kind are not written, or something in it would be lost.
pub fn alike(path: impl AsRef<Path>, options: &OpenOptions) -> Result<(&'static str, CreateOptions)> {
    let main = MainFile::open(path.as_ref(), options)?;
    let (path, source) = (main.path.as_path(), main.source(options));
    if let Some(compression) = main.packed {
        return Err(Error::unsupported(format!(
            "is compressed with {} as a whole, and is not written so",
            compression.name()
        ))
        .at_path(path)
        .with_hint("vimage convert makes an image of it; -O raw.zst is compressed as a whole, too"));
    }
    let format = main.format(options)?;
    let mut create = format.alike(&source).map_err(|error| error.at_path(path))?;
    if let Some(backing) = create.backing.as_mut().filter(|backing| backing.format.is_empty()) {
        let beneath = describe_chain(path, options)?;
        backing.format = beneath.get(1).map_or("raw", |link| link.info.format).to_owned();
    }
    if let Some(piece) = main.piece {
        if format.name() != "raw" || piece % 512 != 0 {
            return Err(Error::unsupported("is kept in numbered pieces, in a way that is not written")
                .at_path(path)
                .with_hint("join the pieces into one file first: cat disk.001 disk.002 … > disk"));
        }
        create.split = Some(piece);
    }
    Ok((format.name(), create))
}

fn check_snapshot(info: &ImageInfo, wanted: &str) -> Result<()> {
    if info.snapshots.iter().any(|snapshot| snapshot.id == wanted || snapshot.name == wanted) {
        return Ok(());
    }
    let there: Vec<_> = info.snapshots.iter().take(20).map(|snapshot| quote(&snapshot.name)).collect();
    let error = Error::usage(format!("has no snapshot {}", quote(wanted)));
    Err(match there.is_empty() {
        true => error.with_hint("it has none at all"),
        false => error.with_hint(format!("it has: {}", there.join(", "))),
    })
}

/// Looks for faults in the image at `path`: in its own files, not in its parents. A fault that keeps it from being opened
/// is a finding like any other.
///
/// # Errors
/// `Io`, `Unsupported`, `Refused` (also when it is larger than it may be), `Cancelled`.
pub fn check(path: impl AsRef<Path>, options: &OpenOptions, observer: &dyn Observer) -> Result<Findings> {
    let main = MainFile::named(path.as_ref(), options)?;
    let path = main.path.clone();
    match main.unpacked(options) {
        Ok(main) => main.check(options, observer),
        Err(error) => as_finding(error).map_err(|error| error.at_path(path)),
    }
}

/// A disk of a package that is open: it is read from what is held of it, and never looked up by its path again.
#[derive(Debug, Clone)]
pub enum DiskFile {
    /// The member of an archive, or the name without numbers of those that are its chunks.
    Member(Arc<Archive>, String),
    /// A file, or the first of several.
    File {
        /// The open file.
        first: Arc<FileReader>,
        /// The files beside it.
        neighbors: Neighbors,
        /// Where that lies.
        first_path: PathBuf,
        /// What the disk is called: the same, or for a disk in an OVF package's chunks the path without their numbers.
        path: PathBuf,
    },
}

impl DiskFile {
    /// The disk's path, as errors name it.
    pub fn path(&self) -> PathBuf {
        match self {
            DiskFile::Member(archive, name) => archive.path_of(name),
            DiskFile::File { path, .. } => path.clone(),
        }
    }

    /// Opens it, as [`open`] does, whatever its bytes begin with: a disk of a package is no package. It may have `max_size` bytes, as
    /// [`OpenOptions`] have it.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(&self, max_size: Option<u64>) -> Result<OpenImage> {
        let options = OpenOptions { max_size, ..OpenOptions::default() };
        opened(&MainFile::of_disk(self, &options)?, &options)
    }

    /// What it says of itself, and how many bytes it takes.
    ///
    /// # Errors
    /// As [`open`].
    pub fn describe(&self) -> Result<(ImageInfo, u64)> {
        let options = OpenOptions::default();
        MainFile::of_disk(self, &options)?.describe(&options)
    }

    /// Looks for faults in it, as [`check`] does.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check(&self, observer: &dyn Observer) -> Result<Findings> {
        let options = OpenOptions::default();
        MainFile::of_disk(self, &options)?.check(&options, observer)
    }
}
