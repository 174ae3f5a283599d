//! Packing an appliance: its disks go through the pipeline into their places in the package, digests are made on the way, and
//! the descriptor's figures come from what was written.

mod archive;
mod container;
mod disks;
mod facts;
mod machine;
mod notes;
mod open_virtualization;
mod single;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::io::outputs::Published;
use crate::io::{FileId, Outputs, SharedFlow};
use crate::observer::Observer;
use crate::package::appliance::Appliance;
use crate::package::manifest::Algorithm;
use crate::package::ovf::Host;
use crate::package::signature::Signer;
use crate::package::vagrant::Provider;
use container::{Container, Folder, Nowhere, TarFile, TarPipe};
use disks::Disks;
use std::path::Path;
use std::sync::Arc;

pub use facts::PackedDisk;
pub(super) use notes::notes;
pub(super) use single::SingleOva;

use super::Trim;

/// What an appliance is packed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// One file: a tar of descriptor, manifest and streamOptimized VMDKs.
    Ova,
    /// The same files in a folder.
    Ovf,
    /// A folder with a `.vmx` and VMDKs in extents.
    Vmx,
    /// A folder with a libvirt domain and qcow2 images.
    Libvirt,
    /// A Vagrant box.
    Vagrant(Provider),
    /// A 7z archive of a folder.
    SevenZip(Contents),
}

/// What a 7z archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// What [`Package::Vmx`] is.
    Vmx,
    /// What [`Package::Ovf`] is.
    Ovf,
    /// What [`Package::Libvirt`] is.
    Libvirt,
}

/// How an appliance is packed.
#[derive(Clone)]
pub struct PackOptions {
    /// What it is packed as.
    pub package: Package,
    /// Whom an OVF is for.
    pub host: Host,
    /// The digests of a manifest.
    pub digest: Algorithm,
    /// Who signs the manifest.
    pub signing: Option<Arc<Signing>>,
    /// Leave out what the guests do not use.
    pub trim: Trim,
    /// How hard to compress, as a format's own default where it is not said.
    pub level: Option<u32>,
    /// Bytes under which each extent of a VMDK in a folder stays; of an archive's volumes, the bytes of each.
    pub split: Option<u64>,
    /// The time that files in archives bear: seconds since 1970.
    pub time: u64,
    /// Files that the appliance was described by, which are not replaced either.
    pub sources: Vec<FileId>,
    /// Replace files that are in the way.
    pub replace: bool,
    /// Flush the files to the disk before they get their names.
    pub flush: bool,
    /// Open whatever files the images name.
    pub allow_external: bool,
    /// Read images that another program writes to, as [`OpenOptions`](crate::OpenOptions) have it.
    pub force_share: bool,
    /// The largest virtual size in bytes that a disk may have, as [`OpenOptions`](crate::OpenOptions) have it.
    pub max_size: Option<u64>,
}

impl PackOptions {
    /// As `package`, with all else by default.
    pub fn new(package: Package) -> Self {
        PackOptions {
            package,
            host: Host::Any,
            digest: Algorithm::default(),
            signing: None,
            trim: Trim::No,
            level: None,
            split: None,
            time: 0,
            sources: Vec::new(),
            replace: false,
            flush: true,
            allow_external: false,
            force_share: false,
            max_size: None,
        }
    }
}

/// Who signs a manifest, and how.
pub struct Signing {
    /// The certificate, and the key where it is at hand.
    pub signer: Signer,
    /// Makes the signature of a manifest where the key is not at hand.
    pub external: Option<External>,
}

/// Gives the raw RSA signature (PKCS #1 version 1.5) of a manifest's bytes, over the digest that its lines have.
pub type External = Box<dyn Fn(&[u8], Algorithm) -> Result<Vec<u8>> + Send + Sync>;

impl Signing {
    /// The `.cert` file for `manifest`, the bytes of the file `name`.
    fn certificate_file(&self, name: &str, manifest: &[u8], algorithm: Algorithm) -> Result<String> {
        let signature = match &self.external {
            Some(external) => external(manifest, algorithm)?,
            None => self.signer.sign(manifest, algorithm)?,
        };
        self.signer.certificate_file(name, manifest, algorithm, &signature)
    }
}

/// An appliance that was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedAppliance {
    /// The files; none where they went through a pipe.
    pub files: Vec<Published>,
    /// The disks, in their order.
    pub disks: Vec<PackedDisk>,
    /// What the package has no way to say of the appliance.
    pub notes: Vec<String>,
}

/// Packs `appliance` at `path`: a file, or a folder that is made where there is none.
///
/// # Errors
/// `Usage` for an appliance that the package has no way to say; `Exists` when a file is in the way; `Refused` when it would
/// overwrite its own source; `Cancelled`; and the faults of opening, reading and writing.
pub fn pack(
    appliance: &Appliance,
    path: impl AsRef<Path>,
    options: &PackOptions,
    observer: &dyn Observer,
) -> Result<PackedAppliance> {
    let path = path.as_ref();
    appliance.check()?;
    check_readme(appliance)?;
    let mut disks = Disks::open(appliance, options, observer)?;
    let sources = options.sources.iter().copied().chain(disks.files()).collect();
    let outputs = Outputs::new(options.replace, sources);
    let outputs = if options.flush { outputs } else { outputs.unflushed() };
    if let Package::SevenZip(contents) = options.package {
        drop(disks);
        return archive::pack_archive(appliance, path, contents, options, &outputs, observer);
    }
    let mut container: Box<dyn Container> = match options.package {
        Package::Ova | Package::Vagrant(_) => Box::new(TarFile::new(outputs.create(path)?, options.time)),
        _ => {
            if !path.is_dir() {
                outputs.create_folder(path)?;
            }
            outputs.known_by(&path.join(known_by(appliance, options.package)?));
            if options.replace {
                supersede(path, appliance, options, disks.facts.len(), &outputs)?;
            }
            Box::new(Folder::new(path, &outputs))
        }
    };
    disks.begin(1);
    put(appliance, &mut disks, options, container.as_mut())?;
    container.finish()?;
    if observer.cancelled() {
        return Err(Error::cancelled());
    }
    Ok(PackedAppliance { files: outputs.publish()?, disks: disks.facts.packed, notes: notes(appliance, options) })
}

/// Packs `appliance` as an OVA into `flow`. A tar says how long its members are before they come, and so all is done twice: once to
/// know it, once to write it.
///
/// # Errors
/// As [`pack`]; `Usage` for other packages than an OVA.
pub fn pack_into(
    appliance: &Appliance,
    flow: SharedFlow,
    options: &PackOptions,
    observer: &dyn Observer,
) -> Result<PackedAppliance> {
    appliance.check()?;
    push(appliance, Disks::open(appliance, options, observer)?, flow, options)
}

/// The same for an `appliance` of one disk, which is `image`, wherever the appliance says that its disk lies.
///
/// # Errors
/// As [`pack_into`].
pub fn pack_image_into(
    image: &dyn Image,
    appliance: &Appliance,
    flow: SharedFlow,
    options: &PackOptions,
    observer: &dyn Observer,
) -> Result<PackedAppliance> {
    appliance.check()?;
    push(appliance, Disks::given(image, appliance, options, observer)?, flow, options)
}

fn push(
    appliance: &Appliance,
    mut disks: Disks<'_>,
    flow: SharedFlow,
    options: &PackOptions,
) -> Result<PackedAppliance> {
    if options.package != Package::Ova {
        return Err(Error::usage("only an OVA goes through a pipe").with_hint("name a file or folder"));
    }
    disks.begin(2);
    let mut known = Nowhere::default();
    put(appliance, &mut disks, options, &mut known)?;
    disks.facts.again();
    let mut pipe = TarPipe::new(flow, options.time, known.texts, known.images);
    put(appliance, &mut disks, options, &mut pipe)?;
    Box::new(pipe).finish()?;
    Ok(PackedAppliance { files: Vec::new(), disks: disks.facts.packed, notes: notes(appliance, options) })
}

fn put(
    appliance: &Appliance,
    disks: &mut Disks<'_>,
    options: &PackOptions,
    container: &mut dyn Container,
) -> Result<()> {
    match options.package {
        Package::Ova | Package::Ovf | Package::Vagrant(Provider::VirtualBox) => {
            open_virtualization::put(appliance, disks, options, container)
        }
        _ => machine::put(appliance, disks, options, container),
    }
}

/// The file by which a package that is a folder is known.
fn known_by(appliance: &Appliance, package: Package) -> Result<String> {
    let extension = match package {
        Package::Vmx => "vmx",
        Package::Libvirt => "xml",
        _ => "ovf",
    };
    Ok(format!("{}.{extension}", appliance.stem()?))
}

/// Marks what an older package of more disks, or a signed one, left in the folder `path`.
fn supersede(path: &Path, appliance: &Appliance, options: &PackOptions, disks: usize, outputs: &Outputs) -> Result<()> {
    let stem = appliance.stem()?;
    let cannot = |cause| Error::io("cannot read this folder", cause).at_path(path);
    for entry in path.read_dir().map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&stem)) else { continue };
        let number = rest.strip_prefix("-disk").map(|rest| rest.split(['-', '.']).next().unwrap_or_default());
        let surplus = number.and_then(|number| number.parse::<usize>().ok()).is_some_and(|number| number > disks);
        if surplus {
            outputs.supersede(&path.join(&name))?;
        }
    }
    match options.signing {
        None => outputs.supersede(&path.join(format!("{stem}.cert"))),
        Some(_) => Ok(()),
    }
}

/// A README is no part of what the machine is made of.
fn check_readme(appliance: &Appliance) -> Result<()> {
    let Some(readme) = &appliance.readme else { return Ok(()) };
    let name = readme.name.to_ascii_lowercase();
    match [".ovf", ".mf", ".cert", ".vmdk", ".qcow2", ".vmx", ".xml"].iter().find(|ending| name.ends_with(**ending)) {
        Some(ending) => {
            Err(Error::usage(format!("a README cannot be called {}: files of packages end in {ending}", readme.name)))
        }
        None => Ok(()),
    }
}

/// The text that goes with packages that are folders.
fn readme(appliance: &Appliance) -> Option<(String, Vec<u8>)> {
    appliance.readme.as_ref().map(|readme| (readme.name.clone(), readme.text.clone()))
}
