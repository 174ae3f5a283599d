//! Opening an image: its pieces joined, its format probed, its parents laid beneath it.

use super::{Format, HEAD, Source, by_name, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::extent::Extent;
use crate::image::{Image, ImageInfo, Parent};
use crate::io::pieces::{piece_name, stem_of_first};
use crate::io::{FileId, FileReader, Neighbors, Pieces, ReadAt};
use crate::layers::Overlay;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most images that may lie beneath each other.
pub(super) const DEEPEST_CHAIN: usize = 200;

/// How to open an image.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The format that it must have; otherwise it is probed.
    pub format: Option<String>,
}

/// An image with everything beneath it.
pub struct OpenImage {
    image: Box<dyn Image>,
    info: ImageInfo,
    path: PathBuf,
    files: Vec<FileId>,
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

    fn files(&self) -> Vec<FileId> {
        self.files.clone()
    }
}

/// What an image says of itself, and how much storage its main file takes. Opens no other file but the pieces of the one
/// named.
///
/// # Errors
/// As [`open`].
pub fn describe(path: impl AsRef<Path>, options: &OpenOptions) -> Result<(ImageInfo, u64)> {
    let path = path.as_ref();
    let main = MainFile::open(path)?;
    let source = main.source(path);
    let info = format_of(&source, options)?.describe(&source);
    Ok((info.map_err(|error| error.at_path(path))?, main.allocated))
}

/// Opens the image at `path` for reading, with all the files and parents that it consists of. They must lie in its own
/// folder.
///
/// # Errors
/// `Io` when a file is missing or cannot be read; `Corrupt` and `Unsupported` as the format has them; `Refused` when the
/// image refers to a file elsewhere.
pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<OpenImage> {
    let path = path.as_ref();
    let main = MainFile::open(path)?;
    let source = main.source(path);
    let format = format_of(&source, options)?;
    let opened = (|| {
        let info = format.describe(&source)?;
        let image = format.open(&source)?;
        Ok((over_parents(image, info.parent.clone(), main.id, &main.neighbors)?, info))
    })();
    let (image, info) = opened.map_err(|error: Error| error.at_path(path))?;
    let files = main.neighbors.opened();
    Ok(OpenImage { image, info, path: path.to_owned(), files, allocated: main.allocated })
}

/// The file that a user named, with the pieces that follow it.
struct MainFile {
    file: Arc<dyn ReadAt>,
    id: FileId,
    allocated: u64,
    neighbors: Neighbors,
}

impl MainFile {
    fn open(path: &Path) -> Result<Self> {
        let neighbors = Neighbors::of(path);
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
        neighbors.note(id);
        let Some(stem) =
            stem_of_first(path).filter(|stem| [2, 3].iter().any(|&number| neighbors.exists(&piece_name(stem, number))))
        else {
            if let Some(stem) = stem_of_later(path).filter(|stem| neighbors.exists(&piece_name(stem, 1))) {
                let first = piece_name(stem, 1);
                return Err(Error::unsupported("is one piece of several")
                    .at_path(path)
                    .with_hint(format!("name the first, {first}: the others are joined to it")));
            }
            return Ok(MainFile { file: first, id, allocated, neighbors });
        };
        let pieces = Pieces::join(first, stem, &neighbors).map_err(|error| error.at_path(path))?;
        let allocated = pieces.allocated();
        Ok(MainFile { file: Arc::new(pieces), id, allocated, neighbors })
    }

    fn source(&self, path: &Path) -> Source<'_> {
        Source { file: Arc::clone(&self.file), path: path.to_owned(), neighbors: &self.neighbors }
    }
}

/// The stem of a later piece's name: `disk.raw` for `disk.raw.002`.
fn stem_of_later(path: &Path) -> Option<&str> {
    let (stem, number) = path.file_name()?.to_str()?.rsplit_once('.')?;
    (number.len() >= 3 && number.bytes().all(|digit| digit.is_ascii_digit()) && number != "001").then_some(stem)
}

fn format_of(source: &Source<'_>, options: &OpenOptions) -> Result<&'static dyn Format> {
    if let Some(name) = &options.format {
        return by_name(name);
    }
    let mut head = vec![0; HEAD.min(usize::try_from(source.file.size()).unwrap_or(HEAD))];
    let read = source.file.read_exact_at(&mut head, 0);
    read.map_err(|cause| Error::io("cannot read", cause).at_path(&source.path).at_offset(0))?;
    Ok(probe(&head))
}

/// Lays `image`, whose file is `id`, over the chain that begins with `parent`.
fn over_parents(
    image: Box<dyn Image>,
    mut parent: Option<Parent>,
    id: FileId,
    neighbors: &Neighbors,
) -> Result<Box<dyn Image>> {
    let mut chain = vec![image];
    let mut seen = vec![id];
    while let Some(Parent { name, id: wanted }) = parent {
        let (file, path) = neighbors.open(&name)?;
        if seen.contains(&file.id()) {
            return Err(Error::corrupt(format!("its chain of parents comes back to {}", path.display())));
        }
        if chain.len() >= DEEPEST_CHAIN {
            return Err(Error::unsupported(format!("more than {DEEPEST_CHAIN} images lie beneath each other")));
        }
        seen.push(file.id());
        let source = Source { file, path, neighbors };
        let opened = (|| {
            let format = format_of(&source, &OpenOptions::default())?;
            let info = format.describe(&source)?;
            check_identity(wanted.as_deref(), info.id.as_deref())?;
            Ok((format.open(&source)?, info.parent))
        })();
        let (image, next) = opened.map_err(|error: Error| error.at_path(&source.path))?;
        chain.push(image);
        parent = next;
    }
    let lay = |base: Box<dyn Image>, top: Box<dyn Image>| Box::new(Overlay::new(top, base)) as Box<dyn Image>;
    chain.into_iter().rev().reduce(lay).ok_or_else(|| Error::new(ErrorKind::Usage, "no image"))
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
