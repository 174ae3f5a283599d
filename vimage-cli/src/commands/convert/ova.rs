//! The machine around a disk that is converted to an OVA: nothing but defaults.

use crate::args::ConvertArgs;
use crate::commands::pack::{source_date_epoch, starts_by_efi};
use std::path::{Path, PathBuf};
use vimage_core::package::appliance::{Appliance, Firmware};
use vimage_core::{Image, PackOptions, Package, Result};

/// Characters of a name at most: vCenter takes no more.
const LONGEST_NAME: usize = 80;

/// What a machine that nobody named is called: as its package, or as its disk.
pub(super) fn name(package: Option<&Path>, disk: &Path) -> String {
    let stems = [package.and_then(Path::file_stem), Some(disk.as_os_str())].into_iter().flatten();
    let mut names =
        stems.map(|stem| stem.to_string_lossy().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect());
    names.find(|name: &String| Appliance::new(name).stem().is_ok()).unwrap_or_else(|| "appliance".into())
}

/// What the package of a machine called so is called.
pub(super) fn file_name(name: &str) -> Result<String> {
    Ok(Appliance::new(name).stem()? + ".ova")
}

/// The machine called `name` around `disk`, where that can be looked at before.
pub(super) fn appliance(name: String, disk: Option<&dyn Image>) -> Result<Appliance> {
    let mut appliance = Appliance::new(name).with_image(PathBuf::from("disk"));
    if disk.map_or(Ok(false), starts_by_efi)? {
        appliance.firmware = Firmware::Efi { secure_boot: false };
    }
    Ok(appliance)
}

/// How it is packed.
pub(super) fn options(args: &ConvertArgs, level: Option<u32>) -> Result<PackOptions> {
    let mut options = PackOptions::new(Package::Ova);
    options.time = source_date_epoch()?;
    options.level = level;
    options.trim = args.output.trim.map_or(options.trim, crate::args::TrimArg::trim);
    Ok(options)
}
