//! Making an image smaller in its own format.

use super::convert::{ConvertOptions, Converted, open_base, outputs, write};
use super::trim::Trim;
use crate::error::{Error, Result};
use crate::formats::{OpenImage, OpenOptions, alike, open};
use crate::image::Image;
use crate::io::Outputs;
use crate::io::archive::split_member;
use crate::io::in_use::Unchanged;
use crate::io::outputs::settle_beside;
use crate::observer::Observer;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How an image is to be compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactOptions {
    /// How it is opened.
    pub open: OpenOptions,
    /// Where the result goes; in the place of the image unless given.
    pub output: Option<PathBuf>,
    /// Whether what the guest does not use is left out.
    pub trim: Trim,
    /// Whether snapshots may be lost: only the present state is kept.
    pub drop_snapshots: bool,
    /// Replace files that are in the way of `output`.
    pub replace: bool,
    /// Flush the result to the disk before it gets its name.
    pub flush: bool,
    /// Write nothing: only tell what would come out.
    pub dry_run: bool,
}

impl Default for CompactOptions {
    /// In place, without what the guest does not use.
    fn default() -> Self {
        CompactOptions {
            open: OpenOptions::default(),
            output: None,
            trim: Trim::Yes,
            drop_snapshots: false,
            replace: false,
            flush: true,
            dry_run: false,
        }
    }
}

/// An image that was compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// Its files as they are now, or would be, and what was left out.
    pub made: Converted,
    /// The length of its files in bytes before.
    pub size_before: u64,
    /// Bytes of storage that they took before.
    pub allocated_before: u64,
    /// The virtual size in bytes.
    pub virtual_size: u64,
}

/// Writes the image at `path` anew, as it is but for what is zero or not used by its guest: beside it, and then in its place.
/// A crash leaves the old image or the new one; one of several files may be away then, and comes back when it is compacted again.
/// Sub-format, split, cluster size, compression and identifiers stay.
///
/// # Errors
/// `Unsupported` for images of a kind that is not written, or with something in them that would be lost; `InUse` when another
/// program uses it; `Refused` when it has snapshots, or changed meanwhile; and those of [`convert`](super::convert()).
pub fn compact(path: impl AsRef<Path>, options: &CompactOptions, observer: &dyn Observer) -> Result<Compacted> {
    let named = path.as_ref();
    let in_place = options.output.is_none();
    if let Some((archive, _)) = split_member(named) {
        return Err(in_archive(named, &archive));
    }
    if in_place && !options.dry_run {
        // A run that died may have it half replaced; a link may lead to it.
        settle_beside(&named.read_link().map_or_else(|_| named.to_owned(), |to| named.with_file_name(to)));
    }
    // Renaming onto a link would leave what it points to as it was. Where there is nothing, opening it says so.
    let resolved = named.canonicalize().ok().filter(|_| in_place).unwrap_or_else(|| named.to_owned());
    if in_place && !options.flush && !options.dry_run {
        return Err(Error::usage("what comes in the place of an image has to be on the disk first")
            .with_hint("-t unsafe goes with -o"));
    }
    if in_place && !options.dry_run {
        check_own(&options.open)?;
    }
    if options.open.snapshot.is_some() {
        return Err(
            Error::usage("a snapshot cannot be compacted by itself").with_hint("vimage convert -l makes a disk of it")
        );
    }
    let image = open(&resolved, &options.open)?;
    check_place(&image)?;
    check_snapshots(&image, options)?;
    let (format, create) = alike(&resolved, &options.open)?;
    let conversion = ConvertOptions {
        create,
        replace: in_place || options.replace,
        flush: options.flush,
        allow_external: options.open.allow_external,
        max_size: options.open.max_size,
        trim: options.trim,
        ..ConvertOptions::to(format)
    };
    let target = options.output.as_deref().unwrap_or(&resolved);
    let backing = conversion.create.backing.as_ref();
    let base = open_base(target, backing, conversion.allow_external, conversion.max_size)?;
    let mut outputs = if options.dry_run { Outputs::measuring() } else { outputs(&image, base.as_ref(), &conversion) };
    if in_place {
        outputs = outputs.in_place_of(image.own_files().iter().map(|(id, _)| *id).collect());
    }
    if in_place && !options.dry_run {
        check_names(&image)?;
        image.lock_to_write()?;
    }
    let unchanged = Unchanged::of(image.own_files())?;
    let (size_before, allocated_before) = unchanged.sizes();
    let written = write(&image, base.as_ref(), target, &conversion, &outputs, observer)?;
    let files = if options.dry_run {
        outputs.measured()
    } else {
        // A guest that ran meanwhile has written to what would be replaced.
        unchanged.check()?;
        outputs.publish()?
    };
    Ok(Compacted { made: written.published(files), size_before, allocated_before, virtual_size: image.size() })
}

/// Refuses to change an image that others are to be let at.
pub(super) fn check_own(opening: &OpenOptions) -> Result<()> {
    match opening.force_share {
        true => Err(Error::usage("an image is not changed while another program writes to it")
            .with_hint("--force-share goes with --dry-run or -o")),
        false => Ok(()),
    }
}

/// Checks that no file has another name, under which it would stay as it is.
fn check_names(image: &OpenImage) -> Result<()> {
    for (_, path) in image.own_files() {
        let names = path.metadata().map_or(1, |held| held.nlink());
        if names > 1 {
            return Err(Error::refused(format!(
                "has {names} names (hard links), and the others would keep what it is now"
            ))
            .at_path(path)
            .with_hint("write the result elsewhere: -o"));
        }
    }
    Ok(())
}

/// Refuses an image that lies in an archive or is compressed as a whole, of which no part can be made smaller by itself.
pub(super) fn check_place(image: &OpenImage) -> Result<()> {
    if let Some(compression) = image.packed() {
        return Err(Error::refused(format!(
            "is compressed with {} as a whole: it cannot be made smaller",
            compression.name()
        ))
        .at_path(image.path())
        .with_hint("vimage convert --trim makes a smaller disk of it"));
    }
    image.archive().map_or(Ok(()), |archive| Err(in_archive(image.path(), archive)))
}

fn in_archive(image: &Path, archive: &Path) -> Error {
    Error::refused(format!("lies within {}, where it cannot be made smaller", archive.display()))
        .at_path(image)
        .with_hint("vimage convert --trim makes a smaller disk of it")
}

fn check_snapshots(image: &OpenImage, options: &CompactOptions) -> Result<()> {
    let snapshots = &image.info().snapshots;
    if snapshots.is_empty() || options.drop_snapshots {
        return Ok(());
    }
    let names: Vec<_> = snapshots.iter().take(5).map(|snapshot| snapshot.name.as_str()).collect();
    let more = if snapshots.len() > 5 { ", …" } else { "" };
    Err(Error::refused(format!("has {} snapshots ({}{more}), which would be lost", snapshots.len(), names.join(", ")))
        .at_path(image.path())
        .with_hint("--drop-snapshots keeps the present state alone"))
}
