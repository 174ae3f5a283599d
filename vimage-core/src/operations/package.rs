//! Packages opened as a whole, for looking at, verifying and unpacking: nothing is written.

use crate::error::{Error, ErrorKind, Result};
use crate::formats::{DiskFile, disks, probe};
use crate::image::ImageInfo;
use crate::io::locks::Locks;
use crate::io::pieces::{chunk_name, chunk_of};
use crate::io::tar::{self, Listing};
use crate::io::unpacked::is_gzip;
use crate::io::{Archive, FileId, FileReader, Neighbors, ReadAt};
use crate::limits::archives::{LONGEST_TEXT, MOST_MEMBERS, MOST_TO_INFLATE};
use crate::limits::check_size;
use crate::limits::ovf::LONGEST_DESCRIPTOR;
use crate::package::descriptor::{self, Descriptor};
use crate::package::ovf;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What sort of package it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageKind {
    /// A tar with a descriptor.
    Ova,
    /// A descriptor with its files beside it.
    Folder,
    /// A Vagrant box: a tar, as a rule gzip-compressed, with `metadata.json`.
    Box,
    /// A tar with neither.
    Tar,
}

/// A package, with every file of it open unless it was only [described](describe_package).
pub struct OpenPackage {
    /// Its path: that of the archive, or of the descriptor.
    pub path: PathBuf,
    /// What sort of package it is.
    pub kind: PackageKind,
    /// Its files in the order of the archive; of a folder the descriptor, the manifest, the certificate, and then the files that the
    /// descriptor names, in its order.
    pub members: Vec<PackageMember>,
    /// Files of a folder that were not opened; see [`describe_package`].
    pub beside: Vec<Beside>,
    /// Files that the descriptor names and that cannot be opened, with the reason: absent, or no plain name.
    pub missing: Vec<(String, Error)>,
    /// What the tar says.
    pub listing: Option<Listing>,
    /// The descriptor.
    pub descriptor: Option<PackageDescriptor>,
    /// The manifest: its name and its bytes; those are left out where it was not opened.
    pub manifest: Option<(String, Vec<u8>)>,
    /// The manifest's signature, with the certificate: its name and its bytes, as for the manifest.
    pub certificate: Option<(String, Vec<u8>)>,
    /// The bytes of a box's `metadata.json`.
    pub metadata: Option<Vec<u8>>,
    archive: Option<Arc<Archive>>,
    /// The files in the folder of a descriptor; none of an archive.
    pub(super) neighbors: Neighbors,
    /// The members by their names.
    named: BTreeMap<String, usize>,
    /// The members that are chunks, by the name of the file that they make.
    chunks: BTreeMap<String, Vec<usize>>,
}

/// A file of a package.
pub struct PackageMember {
    /// Its name within the package.
    pub name: String,
    /// Its path, as errors name it and as [`open`](crate::open) takes it: `appliance.ova:disk.vmdk`.
    pub path: PathBuf,
    /// Its bytes.
    pub file: Arc<FileReader>,
    /// The byte of the archive at which they begin, unless the archive was inflated.
    pub offset: Option<u64>,
}

/// A file beside a package's descriptor, as the folder tells of it.
pub struct Beside {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

/// A package's descriptor.
pub struct PackageDescriptor {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
    /// What it says, where it can be understood.
    pub parsed: Result<Descriptor>,
}

/// A disk of a package.
pub struct PackageDisk<'a> {
    /// Its file's name within the package; none for an empty disk.
    pub file: Option<String>,
    /// What the descriptor says of it.
    pub declared: Option<&'a descriptor::Disk>,
    /// Bytes that it takes in the package, where it is there.
    pub stored: Option<u64>,
    /// Whether it begins as gzip does.
    pub packed: bool,
    /// What the descriptor says that its file is compressed with.
    pub compression: Option<&'a str>,
    /// What the image says of itself; none where it is not there, was told of already, or would have to be inflated at length.
    pub info: Option<Result<ImageInfo>>,
}

/// Whether the file at `path` is a package rather than an image, as its name or its first bytes tell.
pub fn is_package(path: &Path) -> bool {
    let Ok(file) = FileReader::open(path) else { return false };
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if name.ends_with(".ovf") || tar::is_named(path) && !name.ends_with(".tar") {
        return true;
    }
    if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
        return is_gzip(&file).unwrap_or(false);
    }
    name.ends_with(".tar")
        && tar::is_tar(&file, path).unwrap_or(false)
        && head(&file).is_some_and(|head| probe(&head).name() == "raw")
}

fn head(file: &dyn ReadAt) -> Option<[u8; 512]> {
    let mut head = [0; 512];
    file.read_exact_at(&mut head, 0).ok().map(|()| head)
}

/// Opens the package at `path`: an OVA, a Vagrant box or another tar, or an OVF descriptor with its files beside it.
///
/// # Errors
/// `Corrupt` where it is damaged or has two descriptors; `Refused` for members that no package must have; `InUse` where another
/// program writes to it; `Unsupported` where it is no package, or past a limit; `Io`. A descriptor that cannot be understood is no error here: see
/// [`PackageDescriptor::parsed`].
pub fn open_package(path: impl AsRef<Path>) -> Result<OpenPackage> {
    opened(path.as_ref(), OpenPackage::of_folder)
}

/// Opens the package at `path` to tell of it, and no other file: of what lies beside a descriptor, only names and lengths are asked for,
/// and are in [`OpenPackage::beside`].
///
/// # Errors
/// As [`open_package`].
pub fn describe_package(path: impl AsRef<Path>) -> Result<OpenPackage> {
    opened(path.as_ref(), OpenPackage::of_descriptor)
}

fn opened(path: &Path, of_folder: impl FnOnce(&Path) -> Result<OpenPackage>) -> Result<OpenPackage> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ovf")) {
        return of_folder(path);
    }
    let file = Arc::new(FileReader::open(path)?);
    Locks::default().read(&file, path)?;
    let mut package = match Archive::open(&file, path)? {
        Some(archive) => OpenPackage::of_archive(archive)?,
        None => return Err(no_package(&file, path)),
    };
    package.kind = match () {
        () if named(path, ".box") => PackageKind::Box,
        // A member more must not take it out of the rules that importers of OVAs have.
        () if package.descriptor.is_some() || named(path, ".ova") => PackageKind::Ova,
        () if package.metadata.is_some() => PackageKind::Box,
        () => PackageKind::Tar,
    };
    Ok(package)
}

fn no_package(file: &FileReader, path: &Path) -> Error {
    let zip = head(file).is_some_and(|head| head.starts_with(b"PK\x03\x04"));
    let error = match zip {
        true => Error::unsupported("is a zip archive, which is not read as a package")
            .with_hint("unpack it, and pack its files with tar"),
        false => Error::corrupt("is no tar archive, so no package")
            .with_hint("it is damaged or something else: vimage info -f raw takes it for a raw disk"),
    };
    error.at_path(path)
}

impl OpenPackage {
    fn empty(path: &Path, kind: PackageKind) -> Self {
        OpenPackage {
            path: path.to_owned(),
            kind,
            members: Vec::new(),
            beside: Vec::new(),
            missing: Vec::new(),
            listing: None,
            descriptor: None,
            manifest: None,
            certificate: None,
            metadata: None,
            archive: None,
            neighbors: Neighbors::none(),
            named: BTreeMap::new(),
            chunks: BTreeMap::new(),
        }
    }

    fn of_archive(archive: Arc<Archive>) -> Result<Self> {
        let mut package = Self::empty(archive.path(), PackageKind::Tar);
        for member in &archive.listing().members {
            let reader = archive.member(&member.name)?;
            let offset = Some(member.offset).filter(|_| !archive.is_packed());
            package.add(member.name.clone(), archive.path_of(&member.name), Arc::new(reader), offset);
        }
        let descriptors: Vec<_> = package.ending(".ovf").map(|member| member.name.clone()).collect();
        if let [one, other, ..] = descriptors.as_slice() {
            return Err(Error::corrupt(format!("has two descriptors, {one} and {other}"))
                .at_path(&package.path)
                .with_hint("a package describes one appliance: nobody can tell which is meant"));
        }
        let stem = descriptors.first().and_then(|name| name.rsplit_once('.')).map(|(stem, _)| stem.to_owned());
        package.descriptor = descriptors.first().map(|name| package.read_descriptor(name)).transpose()?;
        package.manifest = package.read_text(".mf", stem.as_deref())?;
        package.certificate = package.read_text(".cert", stem.as_deref())?;
        package.metadata = package.member("metadata.json").map(|member| member.text(LONGEST_TEXT)).transpose()?;
        if let Some(Ok(parsed)) = package.descriptor.as_ref().map(|descriptor| &descriptor.parsed) {
            let absent = |file: &&descriptor::File| {
                package.member(&file.href).is_none() && package.member(&chunk_name(&file.href, 0)).is_none()
            };
            let gone = |file: &descriptor::File| {
                let what = "the descriptor names a file that is not in the archive";
                (file.href.clone(), Error::new(ErrorKind::Corrupt, what).at_path(archive.path_of(&file.href)))
            };
            package.missing = parsed.files.iter().filter(absent).map(gone).collect();
        }
        package.listing = Some(archive.listing().clone());
        package.archive = Some(archive);
        Ok(package)
    }

    fn of_folder(path: &Path) -> Result<Self> {
        let (mut package, stem) = Self::alone(path)?;
        for ending in [".mf", ".cert"] {
            if let Some(text) = called(&package.neighbors, &stem, ending)? {
                let (file, path) = package.neighbors.open(&text)?;
                package.add(text, path, file, None);
            }
        }
        package.manifest = package.read_text(".mf", Some(&stem))?;
        package.certificate = package.read_text(".cert", Some(&stem))?;
        for name in package.named_files() {
            match package.neighbors.open(&name) {
                Ok((file, path)) => package.add(name, path, file, None),
                Err(error) if error.kind() == ErrorKind::InUse => return Err(error),
                Err(error) => package.add_missing(name, error),
            }
        }
        Ok(package)
    }

    fn of_descriptor(path: &Path) -> Result<Self> {
        let (mut package, stem) = Self::alone(path)?;
        let text = |package: &mut Self, ending| {
            let Some(name) = called(&package.neighbors, &stem, ending)? else { return Ok(None) };
            let size = package.neighbors.size_of(&name)?;
            package.beside.push(Beside { name: name.clone(), size });
            Ok(Some((name, Vec::new())))
        };
        package.manifest = text(&mut package, ".mf")?;
        package.certificate = text(&mut package, ".cert")?;
        for name in package.named_files() {
            match package.neighbors.size_of(&name) {
                // The texts, which come first, may be named too.
                _ if package.beside.iter().take(2).any(|file| file.name == name) => {}
                Ok(size) => package.beside.push(Beside { name, size }),
                Err(error) => package.add_missing(name, error),
            }
        }
        Ok(package)
    }

    /// With the descriptor at `path` alone, and the stem of the names of its manifest and its signature.
    fn alone(path: &Path) -> Result<(Self, String)> {
        let mut package = Self { neighbors: Neighbors::of(path), ..Self::empty(path, PackageKind::Folder) };
        let file = Arc::new(package.neighbors.open_own(path)?);
        package.neighbors.locks().read(&file, path)?;
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = name.ok_or_else(|| {
            Error::unsupported("its name is not UTF-8, so its manifest cannot be told by it")
                .at_path(path)
                .with_hint("rename it, with its manifest and its signature")
        })?;
        let stem = name.get(..name.len().saturating_sub(4)).unwrap_or_default().to_owned();
        package.add(name.clone(), path.to_owned(), file, None);
        package.descriptor = Some(package.read_descriptor(&name)?);
        Ok((package, stem))
    }

    /// The files that the descriptor names and that are not among the members: each with the chunks that it is kept in.
    fn named_files(&mut self) -> Vec<String> {
        let parsed = self.descriptor.as_ref().and_then(|descriptor| descriptor.parsed.as_ref().ok());
        let hrefs: Vec<_> = parsed.into_iter().flat_map(|parsed| &parsed.files).map(|file| file.href.clone()).collect();
        let (mut named, mut seen) = (Vec::new(), BTreeSet::new());
        for href in hrefs {
            if self.member(&href).is_some() || !seen.insert(href.clone()) {
                continue;
            }
            let there = |name: &String| self.neighbors.exists(name);
            if there(&href) || !there(&chunk_name(&href, 0)) {
                named.push(href);
                continue;
            }
            let chunks = (0..).map(|number| chunk_name(&href, number)).take_while(there);
            let chunks: Vec<_> = chunks.take(MOST_MEMBERS + 1).collect();
            if chunks.len() <= MOST_MEMBERS {
                named.extend(chunks);
                continue;
            }
            let what = format!("is kept in more than {MOST_MEMBERS} chunks, which is the most that is read");
            let path = self.path.with_file_name(&href);
            self.missing.push((href, Error::unsupported(what).at_path(path)));
        }
        named
    }

    /// Adds a file that the descriptor names and that cannot be opened, or looked up, because of `error`.
    fn add_missing(&mut self, name: String, error: Error) {
        let absent = error.kind() == ErrorKind::Io && !self.neighbors.exists(&name);
        let error = if absent {
            let what = "the descriptor names a file that is not there";
            Error::new(ErrorKind::Io, what).at_path(self.path.with_file_name(&name))
        } else {
            error
        };
        self.missing.push((name, error));
    }

    fn add(&mut self, name: String, path: PathBuf, file: Arc<FileReader>, offset: Option<u64>) {
        let index = self.members.len();
        self.named.entry(name.clone()).or_insert(index);
        if let Some((stem, _)) = chunk_of(&name) {
            self.chunks.entry(stem.to_owned()).or_default().push(index);
        }
        self.members.push(PackageMember { name, path, file, offset });
    }

    /// The member called `name`.
    pub fn member(&self, name: &str) -> Option<&PackageMember> {
        self.named.get(name).and_then(|index| self.members.get(*index))
    }

    /// Where among the members the file called `name` is: one of that name, or the chunks that it is kept in.
    pub(super) fn kept_in(&self, name: &str) -> &[usize] {
        match self.named.get(name) {
            Some(index) => std::slice::from_ref(index),
            None => self.chunks.get(name).map_or(&[], Vec::as_slice),
        }
    }

    /// The disk called `name`, as a member or in chunks; none where no file of that name is open. It is read from the package as it was
    /// opened: its path may by now mean another file, and one called `appliance.ova:disk.vmdk` is none of this package.
    pub fn disk_file(&self, name: &str) -> Option<DiskFile> {
        let first = self.member(name).or_else(|| self.member(&chunk_name(name, 0)))?;
        Some(match &self.archive {
            Some(archive) => DiskFile::Member(Arc::clone(archive), name.to_owned()),
            None => DiskFile::File {
                first: Arc::clone(&first.file),
                neighbors: self.neighbors.clone(),
                first_path: first.path.clone(),
                path: if first.name == name { first.path.clone() } else { self.path.with_file_name(name) },
            },
        })
    }

    /// The files that hold it, none of which may be written to while it is read.
    pub fn files(&self) -> Vec<FileId> {
        self.members.iter().map(|member| member.file.id().whole()).collect()
    }

    fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a PackageMember> {
        self.members.iter().filter(move |member| named(Path::new(&member.name), ending))
    }

    fn read_descriptor(&self, name: &str) -> Result<PackageDescriptor> {
        let text = self.member(name).map_or(Ok(Vec::new()), |member| member.text(LONGEST_DESCRIPTOR as u64))?;
        let path = self.member(name).map_or(self.path.as_path(), |member| &member.path);
        let parsed = ovf::read(&text).and_then(|parsed| match parsed.files.len().max(parsed.disks.len()) {
            0..=MOST_MEMBERS => Ok(parsed),
            many => Err(Error::unsupported(format!(
                "names {many} files or disks, and {MOST_MEMBERS} is the most that is read"
            ))),
        });
        let parsed = parsed.map_err(|error| error.at_path(path));
        Ok(PackageDescriptor { name: name.to_owned(), text, parsed })
    }

    /// The text that ends in `ending`: the one called like the descriptor, `stem`, or else the first.
    fn read_text(&self, ending: &str, stem: Option<&str>) -> Result<Option<(String, Vec<u8>)>> {
        let wanted = stem.and_then(|stem| self.member(&format!("{stem}{ending}")));
        let Some(member) = wanted.or_else(|| self.ending(ending).next()) else { return Ok(None) };
        Ok(Some((member.name.clone(), member.text(LONGEST_TEXT)?)))
    }

    /// The disks: those of the descriptor, in its order, and then others that it does not tell of.
    ///
    /// # Errors
    /// `Io`. What is wrong with a disk is told in [`PackageDisk::info`].
    pub fn disks(&self) -> Result<Vec<PackageDisk<'_>>> {
        let parsed = self.descriptor.as_ref().and_then(|descriptor| descriptor.parsed.as_ref().ok());
        let mut found: Vec<PackageDisk<'_>> = Vec::new();
        let mut names = BTreeSet::new();
        let mut to_inflate = MOST_TO_INFLATE;
        for disk in parsed.into_iter().flat_map(|parsed| &parsed.disks) {
            let file = disk.file.as_ref().and_then(|id| parsed?.files.iter().find(|file| &file.id == id));
            let name = file.map(|file| file.href.clone());
            // Two disks of one file are looked into once.
            let first = name.as_ref().is_none_or(|name| names.insert(name.clone()));
            let told = self.disk(name, Some(disk), first.then_some(&mut to_inflate));
            found.push(PackageDisk { compression: file.and_then(|file| file.compression.as_deref()), ..told });
        }
        for name in self.archive.as_ref().map(disks).transpose()?.unwrap_or_default() {
            if names.insert(name.clone()) {
                found.push(self.disk(Some(name), None, Some(&mut to_inflate)));
            }
        }
        Ok(found)
    }

    /// Checks that no disk has more bytes than it may, by the descriptor or by itself.
    ///
    /// # Errors
    /// `Refused`; `Io`.
    pub(super) fn check_sizes(&self, max_size: Option<u64>) -> Result<()> {
        match max_size {
            None => Ok(()),
            _ => self.disks()?.iter().try_for_each(|disk| self.check_disk_size(disk, max_size)),
        }
    }

    /// The same of one of the disks.
    pub(super) fn check_disk_size(&self, disk: &PackageDisk<'_>, max_size: Option<u64>) -> Result<()> {
        let declared = disk.declared.and_then(|declared| declared.capacity);
        let own = disk.info.as_ref().and_then(|info| info.as_ref().ok()).map(|info| info.virtual_size);
        let member = disk.file.as_ref().and_then(|name| self.member(name));
        let path = member.map_or(self.path.as_path(), |member| &member.path);
        check_size(declared.max(own).unwrap_or(0), max_size).map_err(|error| error.at_path(path))
    }

    /// One of the disks; looked into only with a bound on what may be inflated for that.
    fn disk<'a>(
        &'a self,
        file: Option<String>,
        declared: Option<&'a descriptor::Disk>,
        to_inflate: Option<&mut u64>,
    ) -> PackageDisk<'a> {
        let name = file.as_deref().unwrap_or_default();
        let mut members = self.kept_in(name).iter().filter_map(|index| self.members.get(*index)).peekable();
        let first = members.peek().copied();
        let is_part = |file: &&Beside| file.name == name || chunk_of(&file.name).is_some_and(|(stem, _)| stem == name);
        let beside = self.beside.iter().filter(is_part).map(|file| file.size);
        let stored = members.map(|member| member.file.size()).chain(beside).reduce(u64::saturating_add);
        let packed = first.is_some_and(|first| is_gzip(first.file.as_ref()).unwrap_or(false));
        let looked_into = to_inflate.is_some_and(|left| {
            let after = left.checked_sub(if packed { stored.unwrap_or(0) } else { 0 });
            *left = after.unwrap_or(*left);
            // Files of a folder are not inflated.
            after.is_some() && (self.archive.is_some() || !packed)
        });
        let info = first.filter(|_| looked_into).and_then(|_| self.disk_file(name)).map(|disk| disk.describe());
        PackageDisk {
            info: info.map(|described| described.map(|(info, _)| info)),
            file,
            declared,
            stored,
            packed,
            compression: None,
        }
    }
}

impl PackageMember {
    /// All of it, which is a text.
    fn text(&self, most: u64) -> Result<Vec<u8>> {
        let size = self.file.size();
        if size > most {
            return Err(Error::unsupported(format!("is {size} bytes long, and {most} is the most for a text"))
                .at_path(&self.path));
        }
        let mut text = vec![0; size as usize];
        let read = self.file.read_exact_at(&mut text, 0);
        read.map_err(|cause| Error::io("cannot read", cause).at_path(&self.path))?;
        Ok(text)
    }
}

/// The file of the folder that is called `stem` and `ending`, the ending in letters of whichever case.
fn called(neighbors: &Neighbors, stem: &str, ending: &str) -> Result<Option<String>> {
    let exact = format!("{stem}{ending}");
    if neighbors.exists(&exact) {
        return Ok(Some(exact));
    }
    let names = neighbors.ending(ending.trim_start_matches('.'), MOST_MEMBERS)?;
    Ok(names.into_iter().find(|name| name.eq_ignore_ascii_case(&exact)))
}

fn named(path: &Path, ending: &str) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| name.ends_with(ending))
}
