//! Unpacking with every disk in another format.

use super::digests::Digests;
use super::job::Job;
use super::{UnpackOptions, Unpacked, digests_of, extract};
use crate::error::{Error, Result};
use crate::formats::{DiskFile, OpenImage, OpenOptions, by_extension, by_name, open};
use crate::image::Image;
use crate::io::neighbors::quote;
use crate::io::outputs::TemporaryFolder;
use crate::io::pieces::chunk_of;
use crate::io::row::Row;
use crate::io::{Compression, FileId, FileReader, Neighbors, ReadAt, folder_of};
use crate::observer::{Observer, PartOf, Phase};
use crate::operations::archive::SevenZip;
use crate::operations::convert::{ConvertOptions, write};
use crate::operations::package::{OpenPackage, open_package};
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
    let (digests, sources) = (digests_of(package)?, package.files());
    package.check_sizes(options.max_size)?;
    let disks = disks_of(package)?;
    let others = package.members.iter().map(|member| Other {
        name: member.name.clone(),
        path: member.path.clone(),
        file: member.file.clone(),
    });
    let plan = Plan { folder, sources, digests, files: others.collect(), disks, format };
    let made = run(plan, options, observer);
    made.map_err(|error| error.at_path(&package.path))
}

/// A disk to be converted.
struct Disk {
    /// Its name in the package.
    name: String,
    file: DiskFile,
    /// Its length in bytes, as the descriptor has it.
    capacity: Option<u64>,
}

impl Disk {
    /// Opens it; it must be as long as the descriptor says.
    fn open(&self, max_size: Option<u64>) -> Result<OpenImage> {
        let image = self.file.open(max_size)?;
        match self.capacity {
            Some(capacity) if image.size() < capacity => Err(Error::corrupt(format!(
                "has {} bytes, and the descriptor says that the disk has {capacity}",
                image.size()
            ))
            .at_path(self.file.path())
            .with_hint("the package is damaged, or the disk in a format that is not known: unpack it as it is")),
            _ => Ok(image),
        }
    }
}

/// Unpacks a 7z archive into a folder that is removed again, and converts from there: nothing in it can be read by position.
pub(super) fn archive(
    archive: &SevenZip,
    folder: &Path,
    format: &str,
    options: &UnpackOptions,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let beside = folder_of(folder);
    let between = TemporaryFolder::new(beside, "unpacked");
    let between = between.map_err(|cause| Error::io("cannot make a folder to unpack into", cause).at_path(beside))?;
    let as_it_is = UnpackOptions { flush: false, max_size: options.max_size, ..UnpackOptions::default() };
    let extracted = extract(archive, &between.path().join("package"), &as_it_is, observer)?;
    let name = |path: &Path| path.strip_prefix(&extracted.folder).unwrap_or(path).to_string_lossy().into_owned();
    let (mut others, mut sources) = (Vec::new(), archive.files().to_vec());
    for file in &extracted.files {
        let reader = Arc::new(FileReader::open(&file.path)?);
        sources.push(reader.id());
        others.push(Other { name: name(&file.path), path: file.path.clone(), file: reader });
    }
    let disks = match others.iter().find(|file| is(&file.path, "ovf")) {
        Some(descriptor) => {
            let package = open_package(&descriptor.path)?;
            digests_of(&package)?;
            let disks = disks_of(&package)?;
            disks.into_iter().map(|disk| Disk { name: name(&disk.file.path()), ..disk }).collect()
        }
        None => {
            let alone = |path: PathBuf| {
                let neighbors = Neighbors::of(&path);
                let first = Arc::new(neighbors.open_own(&path)?);
                let file = DiskFile::File { first, neighbors, first_path: path.clone(), path: path.clone() };
                Ok(Disk { name: name(&path), file, capacity: None })
            };
            disks_among(&others).into_iter().map(alone).collect::<Result<_>>()?
        }
    };
    // Compared they are already.
    let plan = Plan { folder, sources, digests: Digests::none(), files: others, disks, format };
    let mut made = run(plan, options, observer)?;
    (made.manifest, made.verified, made.uncovered) = (extracted.manifest, extracted.verified, extracted.uncovered);
    Ok(made)
}

/// The disks of a package, each file once.
fn disks_of(package: &OpenPackage) -> Result<Vec<Disk>> {
    let mut disks: Vec<Disk> = Vec::new();
    for disk in package.disks()? {
        let Some(name) = disk.file else { continue };
        let capacity = disk.declared.and_then(|declared| declared.capacity);
        if let Some(known) = disks.iter_mut().find(|known| known.name == name) {
            known.capacity = known.capacity.max(capacity);
            continue;
        }
        let file = package.disk_file(&name).ok_or_else(|| missing(package, &name))?;
        disks.push(Disk { name, file, capacity });
    }
    Ok(disks)
}

fn missing(package: &OpenPackage, name: &str) -> Error {
    let error = Error::corrupt(format!("the descriptor names the disk {}, which cannot be opened", quote(name)));
    match package.missing.iter().find(|(known, _)| known == name) {
        Some((_, why)) => error.with_hint(why.to_string()),
        None => error,
    }
    .at_path(&package.path)
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

/// What is to be done.
struct Plan<'a> {
    folder: &'a Path,
    /// The files that hold the package.
    sources: Vec<FileId>,
    digests: Digests,
    files: Vec<Other>,
    disks: Vec<Disk>,
    format: &'a str,
}

/// Converts the disks of a package, and copies those of its files that no disk is made of.
fn run(plan: Plan<'_>, options: &UnpackOptions, observer: &dyn Observer) -> Result<Unpacked> {
    let Plan { folder, mut sources, digests, files, disks, format } = plan;
    let format = by_name(format)?;
    let images: Vec<OpenImage> = disks.iter().map(|disk| disk.open(options.max_size)).collect::<Result<_>>()?;
    images.iter().try_for_each(|image| of_the_package(image, &sources))?;
    sources.extend(images.iter().flat_map(Image::files));
    let mut job = Job::new(folder, sources, digests, options, observer)?;
    let stored = files.iter().map(|file| file.file.size());
    observer.begin(Phase::Work, Some(stored.chain(images.iter().map(Image::size)).fold(0, u64::saturating_add)));
    let is_part = |file: &Other| {
        let chunk_of_disk = chunk_of(&file.name).is_some_and(|(stem, _)| disks.iter().any(|disk| disk.name == stem));
        let disk = disks.iter().any(|disk| disk.name == file.name);
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
    for (Disk { name, .. }, image) in disks.iter().zip(&images) {
        let path = job.place(&converted_name(name, format.extension()))?;
        let stage = PartOf { whole: observer, before };
        write(image, None, &path, &conversion, job.outputs(), &stage)?;
        before = before.saturating_add(image.size());
    }
    job.publish()
}

/// A disk is made of files of its package alone: the manifest says nothing of others.
fn of_the_package(image: &OpenImage, package: &[FileId]) -> Result<()> {
    let foreign = |id: &FileId| !package.contains(&id.whole());
    let named = image.own_files().iter().find(|(id, _)| foreign(id)).map(|(_, path)| path.as_path());
    if named.is_none() && !image.files().iter().any(foreign) {
        return Ok(());
    }
    let name = named.and_then(Path::file_name).map(|name| quote(&name.to_string_lossy()));
    Err(Error::corrupt(format!(
        "the disk is made of {} too, which the descriptor does not name",
        name.as_deref().unwrap_or("its parent")
    ))
    .at_path(image.path())
    .with_hint("nobody can tell whether that belongs to the package: convert the disk by itself if you trust it"))
}

/// What a disk is called when it is converted: `disk.qcow2` for `disk.vmdk` and for `disk.vmdk.gz` or `.zst`.
fn converted_name(name: &str, extension: &str) -> String {
    let path = Path::new(name);
    let path = if Compression::named(path).is_some() { path.with_extension("") } else { path.to_owned() };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converted_disks_are_named_after_the_disk() {
        for (name, converted) in [
            ("d.vmdk", "d.raw"),
            ("f/d.vmdk.GZ", "f/d.raw"),
            ("d.raw.zst", "d.raw"),
            ("box.img", "box.raw"),
            ("d", "d.raw"),
        ] {
            assert_eq!(converted_name(name, "raw"), converted);
        }
    }
}
