//! Opening an image: its pieces joined, its format probed, its parents laid beneath it.

use super::{CreateOptions, Findings, Format, HEAD, Source, by_name, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::extent::Extent;
use crate::image::{Image, ImageInfo, Packing, Parent};
use crate::io::neighbors::quote;
use crate::io::pieces::{piece_name, stem_of_first};
use crate::io::{FileId, FileReader, Neighbors, Pieces, ReadAt};
use crate::layers::Overlay;
use crate::observer::Observer;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most images that may lie beneath each other.
pub(super) const DEEPEST_CHAIN: usize = 200;

/// The most files of a folder among which a parent is looked for.
const MOST_CANDIDATES: usize = 1000;

/// How to open an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// The format that it must have; otherwise it is probed.
    pub format: Option<String>,
    /// The snapshot to show instead of the present state, by its id or name.
    pub snapshot: Option<String>,
    /// Open any file that the image names, not only plain files in its own folder. For images that are trusted.
    pub allow_external: bool,
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
}

impl OpenImage {
    /// What the topmost image says of itself.
    pub fn info(&self) -> &ImageInfo {
        &self.info
    }

    /// The topmost image's main file, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of storage that the image's main file takes, all its pieces together.
    pub fn allocated(&self) -> u64 {
        self.allocated
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

    fn content_id(&self) -> Option<[u8; 16]> {
        self.image.content_id()
    }

    fn files(&self) -> Vec<FileId> {
        self.files.iter().map(|(id, _)| *id).collect()
    }
}

/// What an image says of itself, and how much storage its main file takes. Opens no other file but the pieces of the one
/// named.
///
/// # Errors
/// As [`open`].
pub fn describe(path: impl AsRef<Path>, options: &OpenOptions) -> Result<(ImageInfo, u64)> {
    let path = path.as_ref();
    let main = MainFile::open(path, options)?;
    let source = main.source(path, options);
    let info = format_of(&source, options.format.as_deref())?.describe(&source);
    Ok((info.map_err(|error| error.at_path(path))?, main.allocated))
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
    let path = path.as_ref();
    let main = MainFile::open(path, options)?;
    let source = main.source(path, options);
    let info = format_of(&source, options.format.as_deref())?.describe(&source);
    let info = info.map_err(|error| error.at_path(path))?;
    let mut links = Vec::new();
    let mut parents = Parents::of(&main, path, &info);
    links.push(Link { path: path.to_owned(), info, allocated: main.allocated });
    while let Some((_, path, info, allocated)) = parents.next(|_, _| Ok(())).map_err(|error| error.at_path(path))? {
        links.push(Link { path, info, allocated });
    }
    Ok(links)
}

/// Opens the image at `path` for reading, with all the files and parents that it consists of. They must lie in its own
/// folder, unless the caller allows others.
///
/// # Errors
/// `Io` when a file is missing or cannot be read; `Corrupt` and `Unsupported` as the format has them; `Refused` when the
/// image refers to a file elsewhere; `Usage` when there is no such snapshot.
pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<OpenImage> {
    let path = path.as_ref();
    let main = MainFile::open(path, options)?;
    let source = main.source(path, options);
    let format = format_of(&source, options.format.as_deref())?;
    let opened = (|| {
        let mut info = format.describe(&source)?;
        if let Some(wanted) = &options.snapshot {
            check_snapshot(&info, wanted)?;
        }
        let image = format.open(&source)?;
        let own = main.neighbors.opened().len();
        info.virtual_size = image.size();
        let mut chain = vec![image];
        let mut parents = Parents::of(&main, path, &info);
        while let Some((image, ..)) = parents.next(|format, source| format.open(source))? {
            chain.push(image);
        }
        Ok((chain, info, own))
    })();
    let (chain, info, own) = opened.map_err(|error: Error| error.at_path(path))?;
    let lay = |base: Box<dyn Image>, top: Box<dyn Image>| Box::new(Overlay::new(top, base)) as Box<dyn Image>;
    let image = chain.into_iter().rev().reduce(lay).ok_or_else(|| Error::new(ErrorKind::Usage, "no image"))?;
    let files = main.neighbors.opened();
    Ok(OpenImage { image, info, path: path.to_owned(), files, own, allocated: main.allocated })
}

/// How an image like the one at `path` is made: its format's name, and the options. Parents are asked only for their formats.
///
/// # Errors
/// As [`open`], and `Unsupported` where images of its kind are not written, or something in it would be lost.
pub fn alike(path: impl AsRef<Path>, options: &OpenOptions) -> Result<(&'static str, CreateOptions)> {
    let path = path.as_ref();
    let main = MainFile::open(path, options)?;
    let source = main.source(path, options);
    let format = format_of(&source, options.format.as_deref())?;
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
/// `Io`, `Unsupported`, `Refused`, `Cancelled`.
pub fn check(path: impl AsRef<Path>, options: &OpenOptions, observer: &dyn Observer) -> Result<Findings> {
    let path = path.as_ref();
    let main = MainFile::open(path, options)?;
    let source = main.source(path, options);
    match format_of(&source, options.format.as_deref())?.check(&source, observer) {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let mut findings = Findings::default();
            findings.add_error(&error);
            Ok(findings)
        }
        checked => checked.map_err(|error| error.at_path(path)),
    }
}

/// The file that a user named, with the pieces that follow it.
struct MainFile {
    file: Arc<dyn ReadAt>,
    id: FileId,
    allocated: u64,
    /// The length of the first of several pieces.
    piece: Option<u64>,
    neighbors: Neighbors,
}

impl MainFile {
    fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let neighbors = Neighbors::of(path).allow_external(options.allow_external);
        let first =
            Arc::new(FileReader::open(path).map_err(
                |error| match path.file_name().and_then(|name| name.to_str()) {
                    Some(name) if neighbors.exists(&piece_name(name, 1)) => {
                        error.with_hint(format!("it is there in pieces: name the first, {}", piece_name(name, 1)))
                    }
                    _ => error,
                },
            )?);
        let (id, allocated) = (first.id(), first.allocated());
        neighbors.note(id, path);
        let Some(stem) =
            stem_of_first(path).filter(|stem| [2, 3].iter().any(|&number| neighbors.exists(&piece_name(stem, number))))
        else {
            if let Some(stem) = stem_of_later(path).filter(|stem| neighbors.exists(&piece_name(stem, 1))) {
                let first = piece_name(stem, 1);
                return Err(Error::unsupported("is one piece of several")
                    .at_path(path)
                    .with_hint(format!("name the first, {first}: the others are joined to it")));
            }
            return Ok(MainFile { file: first, id, allocated, piece: None, neighbors });
        };
        let piece = Some(first.size());
        let pieces = Pieces::join(first, stem, &neighbors).map_err(|error| error.at_path(path))?;
        let allocated = pieces.allocated();
        Ok(MainFile { file: Arc::new(pieces), id, allocated, piece, neighbors })
    }

    fn source<'a>(&'a self, path: &Path, options: &'a OpenOptions) -> Source<'a> {
        Source {
            file: Arc::clone(&self.file),
            path: path.to_owned(),
            neighbors: &self.neighbors,
            snapshot: options.snapshot.as_deref(),
        }
    }
}

/// The stem of a later piece's name: `disk.raw` for `disk.raw.002`.
fn stem_of_later(path: &Path) -> Option<&str> {
    let (stem, number) = path.file_name()?.to_str()?.rsplit_once('.')?;
    (number.len() >= 3 && number.bytes().all(|digit| digit.is_ascii_digit()) && number != "001").then_some(stem)
}

fn format_of(source: &Source<'_>, named: Option<&str>) -> Result<&'static dyn Format> {
    if let Some(name) = named {
        return by_name(name);
    }
    let mut head = vec![0; HEAD.min(usize::try_from(source.file.size()).unwrap_or(HEAD))];
    let read = source.file.read_exact_at(&mut head, 0);
    read.map_err(|cause| Error::io("cannot read", cause).at_path(&source.path).at_offset(0))?;
    Ok(probe(&head))
}

/// The images beneath one, opened from the top down.
struct Parents {
    next: Option<Parent>,
    /// The format of the image above.
    format: &'static str,
    neighbors: Neighbors,
    seen: Vec<FileId>,
}

impl Parents {
    /// Of the image in `main` at `path`, which says `info` of itself.
    fn of(main: &MainFile, path: &Path, info: &ImageInfo) -> Self {
        let neighbors = main.neighbors.beside(path);
        Parents { next: info.parent.clone(), format: info.format, neighbors, seen: vec![main.id] }
    }

    /// Opens the next, with its path, what it says of itself and the storage that it takes; none when there is no further.
    fn next<T>(
        &mut self,
        open: impl FnOnce(&dyn Format, &Source<'_>) -> Result<T>,
    ) -> Result<Option<(T, PathBuf, ImageInfo, u64)>> {
        let Some(Parent { name, format, id: wanted }) = self.next.take() else { return Ok(None) };
        let (file, path) = match (&name, &wanted) {
            (Some(name), _) => self.neighbors.open(name)?,
            (None, Some(id)) => self.find(id)?,
            (None, None) => return Err(Error::corrupt("has a parent, but does not say which")),
        };
        if self.seen.contains(&file.id()) {
            return Err(Error::corrupt(format!("its chain of parents comes back to {}", path.display())));
        }
        if self.seen.len() >= DEEPEST_CHAIN {
            return Err(Error::unsupported(format!("more than {DEEPEST_CHAIN} images lie beneath each other")));
        }
        self.seen.push(file.id());
        let allocated = file.allocated();
        let neighbors = self.neighbors.beside(&path);
        let source = Source { file, path, neighbors: &neighbors, snapshot: None };
        let opened = (|| {
            let format = format_of(&source, format.as_deref())?;
            let info = format.describe(&source)?;
            check_identity(wanted.as_deref(), info.id.as_deref())?;
            Ok((open(format, &source)?, info))
        })();
        let (opened, info) = opened.map_err(|error: Error| error.at_path(&source.path))?;
        let path = source.path;
        self.next = info.parent.clone();
        self.format = info.format;
        self.neighbors = neighbors;
        Ok(Some((opened, path, info, allocated)))
    }

    /// The file in the same folder that holds the image of identifier `id`, for formats that name no file.
    fn find(&self, id: &str) -> Result<(Arc<FileReader>, PathBuf)> {
        let format = by_name(self.format)?;
        // It is told by its making; what follows says as of when.
        let made = |id: &str| id.split(" as of ").next().map(str::to_owned);
        let mut changed = None;
        for name in self.neighbors.ending(format.extension(), MOST_CANDIDATES)? {
            // What cannot be opened or is something else is not the one.
            let Ok((file, path)) = self.neighbors.open(&name) else { continue };
            let source = Source { file: Arc::clone(&file) as _, path, neighbors: &self.neighbors, snapshot: None };
            let found = format.describe(&source).ok().and_then(|info| info.id);
            if found.as_deref() == Some(id) {
                return Ok((file, source.path));
            }
            if found.is_some_and(|found| made(&found) == made(id)) {
                changed.get_or_insert(source.path);
            }
        }
        if let Some(path) = changed {
            let path = path.display();
            return Err(Error::corrupt(format!("its parent {path} was changed since it was made over it, as {id}"))
                .with_hint("find the parent as it was when the child was made; over any other the disk is garbage"));
        }
        Err(Error::corrupt(format!(
            "holds only what differs from its parent, and no .{} file in its folder is that parent: {id}",
            format.extension()
        ))
        .with_hint("copy all images of the disk into one folder; without its parent the disk is not complete"))
    }
}

/// A child says which content its parent had when it was made; over any other it shows garbage.
fn check_identity(wanted: Option<&str>, found: Option<&str>) -> Result<()> {
    match wanted {
        Some(wanted) if found != Some(wanted) => Err(Error::corrupt(format!(
            "is not the parent that its child was made over: the child wants {wanted}, this is {}",
            found.unwrap_or("without an identifier")
        ))
        .with_hint("the parent was changed, or replaced by another; find the one that the child was made over")),
        _ => Ok(()),
    }
}
