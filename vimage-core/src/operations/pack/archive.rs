//! A 7z archive of a package that is a folder.
//!
//! Images in a folder are not written from front to back, and an archive takes its files in no other way. So the folder is made
//! beside the archive first, under a temporary name, and goes again.

use super::{Contents, PackOptions, Package, PackedAppliance, pack};
use crate::error::{Error, Result};
use crate::io::outputs::TemporaryFolder;
use crate::io::pieces::piece_name;
use crate::io::{Outputs, folder_of};
use crate::observer::Observer;
use crate::operations::archive::{Entry, write_7z};
use crate::package::appliance::Appliance;
use std::path::{Path, PathBuf};

/// Packs `appliance` as an archive of `contents` at `path`.
pub(super) fn pack_archive(
    appliance: &Appliance,
    path: &Path,
    contents: Contents,
    options: &PackOptions,
    outputs: &Outputs,
    observer: &dyn Observer,
) -> Result<PackedAppliance> {
    let first: Option<PathBuf> = options.split.map(|_| piece_name(&path.to_string_lossy(), 1).into());
    outputs.check(first.as_deref().unwrap_or(path))?;
    let stem = appliance.stem()?;
    let beside = folder_of(path);
    let staging = TemporaryFolder::new(beside, &stem);
    let staging = staging.map_err(|cause| Error::io("cannot make a folder here", cause).at_path(beside))?;
    let package = match contents {
        Contents::Vmx => Package::Vmx,
        Contents::Ovf => Package::Ovf,
        Contents::Libvirt => Package::Libvirt,
    };
    let inner = PackOptions { package, split: None, flush: false, replace: false, ..options.clone() };
    let folder = pack(appliance, staging.path().join(&stem), &inner, observer)?;
    let entry =
        |path: &Path| Entry::file(format!("{stem}/{}", path.file_name().unwrap_or_default().to_string_lossy()), path);
    let entries = folder.files.iter().map(|file| entry(&file.path)).collect::<Result<Vec<_>>>()?;
    write_7z(entries, path, options.split, rayon::current_num_threads(), outputs, observer)?;
    if observer.cancelled() {
        return Err(Error::cancelled());
    }
    Ok(PackedAppliance { files: outputs.publish()?, ..folder })
}
