//! Unpacking with every disk in another format.

use super::digests::Digests;
use super::job::Job;
use super::{UnpackOptions, Unpacked, digests_of, extract};
use crate::error::{Error, Result};
use crate::formats::{OpenImage, OpenOptions, by_extension, by_name, open};
use crate::image::Image;
use crate::io::outputs::TEMPORARY_SUFFIX;
use crate::io::pieces::chunk_of;
use crate::io::{FileId, FileReader, ReadAt};
use crate::observer::Observer;
use crate::operations::archive::SevenZip;
use crate::operations::convert::{ConvertOptions, write};
use crate::operations::package::{OpenPackage, PackageKind, open_package};
use crate::operations::row::Row;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Copies the files of a package, its disks in `format`. A disk is read twice: for its digest, and for what is in it.
pub(super) fn package(
    package: &OpenPackage,
    folder: &Path,
    format: &str,
    options: &UnpackOptions,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let job = Job::new(folder, package.files(), digests_of(package)?, options, observer)?;
    let mut disks: Vec<(String, PathBuf)> = Vec::new();
    for name in package.disks()?.into_iter().filter_map(|disk| disk.file) {
        if disks.iter().all(|(known, _)| *known != name) {
            disks.push((name.clone(), path_of(package, &name)));
        }
    }
    let others = package.members.iter().map(|member| Other {
        name: member.name.clone(),
        path: member.path.clone(),
        file: Arc::clone(&member.file),
    });
    let made = run(job, others.collect(), disks, format, options, observer);
    made.map_err(|error| error.at_path(&package.path))
}

/// How [`open`] takes the file `name` of a package, also where it is kept in chunks.
fn path_of(package: &OpenPackage, name: &str) -> PathBuf {
    match (package.member(name), package.kind) {
        (Some(member), _) => member.path.clone(),
        (None, PackageKind::Folder) => package.path.with_file_name(name),
        (None, _) => {
            let mut path = package.path.clone().into_os_string();
            path.push(":");
            path.push(name);
            path.into()
        }
    }
}

/// Unpacks a 7z archive into a folder that is removed again, and converts from there: nothing in it can be read by position.
pub(super) fn archive(
    archive: &SevenZip,
    source: FileId,
    folder: &Path,
    format: &str,
    options: &UnpackOptions,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let between = tempfile::Builder::new().prefix(".unpacked.").suffix(TEMPORARY_SUFFIX).tempdir_in(beside);
    let between = between.map_err(|cause| Error::io("cannot make a folder to unpack into", cause).at_path(beside))?;
    let as_it_is = UnpackOptions { flush: false, ..UnpackOptions::default() };
    let extracted = extract(archive, source, &between.path().join("package"), &as_it_is, observer)?;
    let name = |path: &Path| path.strip_prefix(&extracted.folder).unwrap_or(path).to_string_lossy().into_owned();
    let mut others = Vec::new();
    for file in &extracted.files {
        let reader = Arc::new(FileReader::open(&file.path)?);
        others.push(Other { name: name(&file.path), path: file.path.clone(), file: reader });
    }
    let disks = match others.iter().find(|file| is(&file.path, "ovf")) {
        Some(descriptor) => disks_of(&open_package(&descriptor.path)?)?,
        None => disks_among(&others),
    };
    let disks = disks.into_iter().map(|path| (name(&path), path)).collect();
    // Compared they are already.
    let job = Job::new(folder, Vec::new(), Digests::none(), options, observer)?;
    let mut made = run(job, others, disks, format, options, observer)?;
    (made.manifest, made.verified, made.uncovered) = (extracted.manifest, extracted.verified, extracted.uncovered);
    Ok(made)
}

/// The disks that a descriptor names.
fn disks_of(package: &OpenPackage) -> Result<Vec<PathBuf>> {
    digests_of(package)?;
    let mut paths: Vec<_> =
        package.disks()?.into_iter().filter_map(|disk| disk.file).map(|name| path_of(package, &name)).collect();
    paths.dedup();
    Ok(paths)
}

/// The files that are called like a disk, where no descriptor tells. An extent is no disk, but its descriptor's.
fn disks_among(files: &[Other]) -> Vec<PathBuf> {
    let mut disks: Vec<_> =
        files.iter().map(|file| file.path.clone()).filter(|path| by_extension(path).is_some()).collect();
    let images = disks.iter().filter_map(|path| open(path, &OpenOptions::default()).ok().map(|image| (path, image)));
    let parts: Vec<PathBuf> = images
        .flat_map(|(path, image)| {
            image.own_files().iter().map(|(_, part)| part.clone()).filter(|part| part != path).collect::<Vec<_>>()
        })
        .collect();
    disks.retain(|path| !parts.contains(path));
    disks
}

/// A file of a package.
struct Other {
    name: String,
    path: PathBuf,
    file: Arc<dyn ReadAt>,
}

/// Converts `disks`, by name and path, and copies those of `files` that no disk is made of.
fn run(
    mut job: Job<'_>,
    files: Vec<Other>,
    disks: Vec<(String, PathBuf)>,
    format: &str,
    options: &UnpackOptions,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let format = by_name(format)?;
    let images: Vec<OpenImage> =
        disks.iter().map(|(_, path)| open(path, &OpenOptions::default())).collect::<Result<_>>()?;
    let stored = files.iter().map(|file| file.file.size());
    observer.begin(stored.chain(images.iter().map(Image::size)).fold(0, u64::saturating_add));
    let is_part = |file: &Other| {
        let chunk_of_disk = chunk_of(&file.name).is_some_and(|(stem, _)| disks.iter().any(|(name, _)| name == stem));
        let disk = disks.iter().any(|(name, _)| *name == file.name);
        disk || chunk_of_disk || images.iter().flat_map(OpenImage::own_files).any(|(_, path)| *path == file.path)
    };
    for file in &files {
        let bytes = &mut Row::new(&*file.file);
        let done = match () {
            () if is_part(file) => job.verify(&file.name, bytes),
            () if describes_disks(&file.name) => {
                job.leave_out(&file.name);
                job.verify(&file.name, bytes)
            }
            () => job.store(&file.name, bytes),
        };
        done.map_err(|error| error.at_path(&file.path))?;
    }
    let mut conversion = ConvertOptions { create: options.create.clone(), ..ConvertOptions::to(format.name()) };
    conversion.flush = options.flush;
    let mut before = job.done();
    for ((name, _), image) in disks.iter().zip(&images) {
        let path = job.place(&converted_name(name, format.extension()))?;
        let stage = Stage { observer, before };
        write(image, None, &path, &conversion, job.outputs(), &stage)?;
        before = before.saturating_add(image.size());
    }
    job.publish()
}

/// What a disk is called when it is converted: `disk.qcow2` for `disk.vmdk` and for `disk.vmdk.gz`.
fn converted_name(name: &str, extension: &str) -> String {
    let path = Path::new(name);
    let path = if is(path, "gz") { path.with_extension("") } else { path.to_owned() };
    path.with_extension(extension).to_string_lossy().into_owned()
}

/// Whether the file `name` says something of disks that is not so when they are converted, or of files that do.
fn describes_disks(name: &str) -> bool {
    let path = Path::new(name);
    ["ovf", "mf", "cert"].iter().any(|ending| is(path, ending))
        || path.file_name().is_some_and(|name| name == "metadata.json")
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// A part of a longer work.
struct Stage<'a> {
    observer: &'a dyn Observer,
    /// What was reached before it.
    before: u64,
}

impl Observer for Stage<'_> {
    fn reached(&self, position: u64) {
        self.observer.reached(self.before.saturating_add(position));
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converted_disks_are_named_after_the_disk() {
        for (name, converted) in
            [("d.vmdk", "d.raw"), ("f/d.vmdk.GZ", "f/d.raw"), ("box.img", "box.raw"), ("d", "d.raw")]
        {
            assert_eq!(converted_name(name, "raw"), converted);
        }
    }
}
