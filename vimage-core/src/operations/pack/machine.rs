//! Packages that a hypervisor runs from as they are: a folder or box with a machine's own file and its disks.

use super::container::Container;
use super::disks::Disks;
use super::facts::Facts;
use super::{PackOptions, Package, readme};
use crate::error::Result;
use crate::operations::ConvertOptions;
use crate::package::appliance::Appliance;
use crate::package::ovf::Packed;
use crate::package::vagrant::{self, Provider};
use crate::package::{libvirt, vmx};

/// Bytes under which VMDK extents stay where nothing else is said: VMware's own size.
const SPLIT: u64 = 2 << 30;

/// Writes `appliance` with its `disks` into `container`.
pub(super) fn put(
    appliance: &Appliance,
    disks: &mut Disks<'_>,
    options: &PackOptions,
    container: &mut dyn Container,
) -> Result<()> {
    let stem = appliance.stem()?;
    let names = images(&stem, options.package, disks.facts.len());
    let texts = texts(appliance, &stem, &disks.facts, options.package, &names)?;
    for (name, text) in &texts {
        container.reserve(name, text.len() as u64)?;
    }
    names.iter().try_for_each(|name| container.check(name))?;
    for (index, name) in names.iter().enumerate() {
        let (path, outputs) = container.begin(name, None)?;
        disks.write(index, &conversion(&disks.facts, options), &path, &outputs)?;
        container.end(name)?;
    }
    texts.iter().try_for_each(|(name, text)| container.fill(name, text))
}

/// What the images are called.
fn images(stem: &str, package: Package, count: usize) -> Vec<String> {
    let own = match package {
        Package::Vagrant(provider) => provider.images(count),
        _ => None,
    };
    let extension = if package == Package::Libvirt { "qcow2" } else { "vmdk" };
    own.unwrap_or_else(|| (1..=count).map(|number| format!("{stem}-disk{number}.{extension}")).collect())
}

/// How the images are written.
fn conversion(disks: &Facts<'_>, options: &PackOptions) -> ConvertOptions {
    match options.package {
        Package::Vagrant(Provider::VmwareDesktop) => disks.conversion("vmdk").with("subformat", "monolithicSparse"),
        Package::Libvirt | Package::Vagrant(_) => {
            let mut conversion = disks.conversion("qcow2");
            conversion.create.compress = true;
            conversion
        }
        _ => disks.conversion("vmdk").split(options.split.unwrap_or(SPLIT)),
    }
}

/// The texts beside the images.
fn texts(
    appliance: &Appliance,
    stem: &str,
    disks: &Facts<'_>,
    package: Package,
    images: &[String],
) -> Result<Vec<(String, Vec<u8>)>> {
    let mut texts = Vec::new();
    match package {
        Package::Vagrant(provider) => {
            let capacities: Vec<u64> = disks.packed.iter().map(|disk| disk.capacity).collect();
            let packed = |(index, capacity): (usize, &u64)| Packed {
                file: None,
                capacity: *capacity,
                populated: 0,
                uuid: disks.uuid(index, ""),
            };
            let packed: Vec<Packed> = capacities.iter().enumerate().map(packed).collect();
            texts.push(("metadata.json".into(), vagrant::metadata(provider, &capacities)?.into_bytes()));
            texts.push(("Vagrantfile".into(), vagrant::vagrantfile(appliance, provider, &packed).into_bytes()));
            if provider == Provider::VmwareDesktop {
                texts.push((format!("{stem}.vmx"), vmx::write(appliance, images)?.into_bytes()));
            }
        }
        Package::Libvirt => {
            texts.push((format!("{stem}.xml"), libvirt::write(appliance, images, libvirt::FOLDER)?.into_bytes()));
            texts.extend(readme(appliance));
        }
        _ => {
            texts.push((format!("{stem}.vmx"), vmx::write(appliance, images)?.into_bytes()));
            texts.extend(readme(appliance));
        }
    }
    Ok(texts)
}
