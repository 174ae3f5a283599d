//! The images that lie beneath one.

use super::main_file::format_of;
use super::{Format, Source, by_name};
use crate::error::{Error, Result};
use crate::image::{ImageInfo, Parent};
use crate::io::{FileId, FileReader, Neighbors};
use crate::limits::{DEEPEST_CHAIN, MOST_CANDIDATES, check_size};
use std::path::PathBuf;
use std::sync::Arc;

/// The images beneath one, opened from the top down.
pub(super) struct Parents {
    next: Option<Parent>,
    /// The format of the image above.
    format: &'static str,
    neighbors: Neighbors,
    seen: Vec<FileId>,
    /// The largest virtual size that each may have.
    max_size: Option<u64>,
}

impl Parents {
    /// Of the image in the file `id`, which says `info` of itself and may name `neighbors`; none is larger than `max_size`.
    pub(super) fn of(id: FileId, neighbors: &Neighbors, info: &ImageInfo, max_size: Option<u64>) -> Self {
        let (next, seen) = (info.parent.clone(), vec![id]);
        Parents { next, format: info.format, neighbors: neighbors.clone(), seen, max_size }
    }

    /// Opens the next, with its path, what it says of itself and the storage that it takes; none when there is no further.
    pub(super) fn next<T>(
        &mut self,
        open: impl FnOnce(&dyn Format, &Source<'_>) -> Result<T>,
    ) -> Result<Option<(T, PathBuf, ImageInfo, u64)>> {
        let Some(Parent { name, format, id: wanted }) = self.next.take() else { return Ok(None) };
        let (file, path, neighbors) = match (&name, &wanted) {
            (Some(name), _) => self.neighbors.open_image(name)?,
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
        let source = Source { file, path, neighbors: &neighbors, snapshot: None };
        let opened = (|| {
            let format = format_of(&source, format.as_deref())?;
            let info = format.describe(&source)?;
            check_identity(wanted.as_deref(), info.id.as_deref())?;
            check_size(info.virtual_size, self.max_size)?;
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
    fn find(&self, id: &str) -> Result<(Arc<FileReader>, PathBuf, Neighbors)> {
        let format = by_name(self.format)?;
        // It is told by its making; what follows says as of when.
        let made = |id: &str| id.split(" as of ").next().map(str::to_owned);
        let mut changed = None;
        for name in self.neighbors.ending(format.extension(), MOST_CANDIDATES)? {
            // What cannot be opened or is something else is not the one.
            let Ok((file, path, neighbors)) = self.neighbors.open_image(&name) else { continue };
            let source = Source { file: Arc::clone(&file) as _, path, neighbors: &neighbors, snapshot: None };
            let found = format.describe(&source).ok().and_then(|info| info.id);
            if found.as_deref() == Some(id) {
                return Ok((file, source.path, neighbors));
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
