//! OVF: descriptor, manifest, certificate, and the disks as streamOptimized VMDKs.

use super::container::{Container, Place, Stored};
use super::disks::Disks;
use super::facts::Facts;
use super::{PackOptions, Package, readme};
use crate::error::Result;
use crate::operations::ConvertOptions;
use crate::package::appliance::Appliance;
use crate::package::manifest::{self, Line};
use crate::package::ovf::{self, Host, Packed};
use crate::package::tar;
use crate::package::vagrant;

/// Writes `appliance` with its `disks` into `container`.
pub(super) fn put(
    appliance: &Appliance,
    disks: &mut Disks<'_>,
    options: &PackOptions,
    container: &mut dyn Container,
) -> Result<()> {
    let begun = Begun::new(appliance, &disks.facts, options, container)?;
    let mut stored = Vec::new();
    for index in 0..disks.facts.len() {
        if disks.facts.is_scratch(index) {
            stored.push(None);
            continue;
        }
        let (path, outputs) = begun.image(index, options, container)?;
        disks.write(index, &conversion(&disks.facts, index), &path, &outputs)?;
        stored.push(Some(container.end(&begun.names.disk(index))?));
    }
    begun.finish(appliance, &disks.facts, stored, options, container)
}

/// A package in which there is room for the texts, while its disks are written.
pub(in crate::operations) struct Begun {
    names: Names,
    /// Bytes that the descriptor takes at most.
    room: u64,
}

impl Begun {
    /// Keeps room in `container` for the texts of `appliance`.
    pub(in crate::operations) fn new(
        appliance: &Appliance,
        disks: &Facts<'_>,
        options: &PackOptions,
        container: &mut dyn Container,
    ) -> Result<Self> {
        let names = Names::of(appliance, options)?;
        // Room for the largest figures that there can be.
        let widest: Vec<Packed> = (0..disks.len()).map(|index| names.packed(disks, index, None)).collect();
        let descriptor = ovf::write(&names.appliance, &widest, names.host)?;
        let room = descriptor.len() as u64;
        for (name, text) in names.beside(appliance, &widest)? {
            container.reserve(&name, text.len() as u64)?;
        }
        container.reserve(&names.descriptor, room)?;
        let listed: Vec<Stored> = names.listed(disks);
        if let Some(name) = &names.manifest {
            container.reserve(name, manifest_of(options, &listed).len() as u64)?;
            if let (Some(signing), Some(certificate)) = (&options.signing, &names.certificate) {
                container.reserve(certificate, signing.signer.certificate_file_len(name, options.digest))?;
            }
        }
        let images = (0..disks.len()).filter(|&index| !disks.is_scratch(index));
        images.map(|index| names.disk(index)).try_for_each(|name| container.check(&name))?;
        Ok(Begun { names, room })
    }

    /// Where disk `index` is to be written.
    pub(in crate::operations) fn image(
        &self,
        index: usize,
        options: &PackOptions,
        container: &mut dyn Container,
    ) -> Result<Place> {
        container.begin(&self.names.disk(index), Some(options.digest))
    }

    /// The name of disk `index`.
    pub(in crate::operations) fn disk(&self, index: usize) -> String {
        self.names.disk(index)
    }

    /// Writes the texts, when the disks are `stored`: none for one that comes empty.
    pub(in crate::operations) fn finish(
        self,
        appliance: &Appliance,
        disks: &Facts<'_>,
        stored: Vec<Option<Stored>>,
        options: &PackOptions,
        container: &mut dyn Container,
    ) -> Result<()> {
        if !container.wants_texts() {
            return Ok(());
        }
        let Begun { names, room } = self;
        let packed: Vec<Packed> =
            stored.iter().enumerate().map(|(index, stored)| names.packed(disks, index, stored.as_ref())).collect();
        for (name, text) in names.beside(appliance, &packed)? {
            container.fill(&name, &text)?;
        }
        let descriptor = filled_up(ovf::write(&names.appliance, &packed, names.host)?, room);
        container.fill(&names.descriptor, descriptor.as_bytes())?;
        let Some(name) = &names.manifest else { return Ok(()) };
        let mut listed = vec![Stored {
            name: names.descriptor.clone(),
            size: descriptor.len() as u64,
            digest: Some(digest_of(options, descriptor.as_bytes())),
        }];
        listed.extend(stored.into_iter().flatten());
        let text = manifest_of(options, &listed);
        container.fill(name, text.as_bytes())?;
        if let (Some(signing), Some(certificate)) = (&options.signing, &names.certificate) {
            container.fill(certificate, signing.certificate_file(name, text.as_bytes(), options.digest)?.as_bytes())?;
        }
        Ok(())
    }
}

/// What is written, and what its files are called.
struct Names {
    /// The appliance as the descriptor tells of it, and whom it is for.
    appliance: Appliance,
    host: Host,
    stem: String,
    descriptor: String,
    manifest: Option<String>,
    certificate: Option<String>,
    package: Package,
}

impl Names {
    fn of(appliance: &Appliance, options: &PackOptions) -> Result<Self> {
        let (package, mut appliance) = (options.package, appliance.clone());
        let stem = appliance.stem()?;
        Ok(match package {
            // Vagrant wants this name, knows no manifest, and forwards ports by itself.
            Package::Vagrant(_) => {
                appliance.networks.iter_mut().for_each(|network| network.forwards.clear());
                let (stem, descriptor) = ("box".into(), "box.ovf".into());
                let host = Host::VirtualBox;
                Names { appliance, host, stem, descriptor, manifest: None, certificate: None, package }
            }
            _ => Names {
                appliance,
                host: options.host,
                descriptor: format!("{stem}.ovf"),
                manifest: Some(format!("{stem}.mf")),
                certificate: Some(format!("{stem}.cert")),
                stem,
                package,
            },
        })
    }

    fn disk(&self, index: usize) -> String {
        format!("{}-disk{}.vmdk", self.stem, index + 1)
    }

    /// Disk `index` as the descriptor tells of it: as it was `stored`, or with the largest figures that there can be.
    fn packed(&self, disks: &Facts<'_>, index: usize, stored: Option<&Stored>) -> Packed {
        let disk = &disks.packed[index];
        let file =
            (!disks.is_scratch(index)).then(|| (self.disk(index), stored.map_or(u64::MAX, |stored| stored.size)));
        let populated = if disk.file.is_some() { disk.populated } else { disk.capacity };
        let digest = stored.and_then(|stored| stored.digest.as_deref()).unwrap_or_default();
        Packed { file, capacity: disk.capacity, populated, uuid: disks.uuid(index, digest) }
    }

    /// The files that a manifest lists, with digests of the right length.
    fn listed(&self, disks: &Facts<'_>) -> Vec<Stored> {
        let images = (0..disks.len()).filter(|&index| !disks.is_scratch(index)).map(|index| self.disk(index));
        std::iter::once(self.descriptor.clone())
            .chain(images)
            .map(|name| Stored { name, size: 0, digest: None })
            .collect()
    }

    /// The texts that come before the descriptor: of `appliance`, with all that its description says.
    fn beside(&self, appliance: &Appliance, disks: &[Packed]) -> Result<Vec<(String, Vec<u8>)>> {
        match self.package {
            Package::Vagrant(provider) => {
                let capacities: Vec<u64> = disks.iter().map(|disk| disk.capacity).collect();
                let metadata = vagrant::metadata(provider, &capacities)?;
                let file = vagrant::vagrantfile(appliance, provider, disks);
                Ok(vec![("metadata.json".into(), metadata.into_bytes()), ("Vagrantfile".into(), file.into_bytes())])
            }
            Package::Ovf => Ok(readme(appliance).into_iter().collect()),
            _ => Ok(Vec::new()),
        }
    }
}

/// How disk `index` is written.
pub(in crate::operations) fn conversion(disks: &Facts<'_>, index: usize) -> ConvertOptions {
    let [a, b, c, d, ..] = disks.uuid(index, "");
    // The last two stand for no disk.
    let id = u32::from_be_bytes([a, b, c, d]).min(0xffff_fffd);
    disks.conversion("vmdk").with("subformat", "streamOptimized").with("cid", &format!("{id:08x}"))
}

/// The descriptor, with line ends behind it so that it takes the blocks that were kept for it.
fn filled_up(mut descriptor: String, room: u64) -> String {
    let least = tar::room(room).saturating_sub(tar::BLOCK) + 1;
    while (descriptor.len() as u64) < least {
        descriptor.push('\n');
    }
    descriptor
}

fn digest_of(options: &PackOptions, bytes: &[u8]) -> String {
    let mut hasher = manifest::Hasher::new(options.digest);
    hasher.update(bytes);
    hasher.finish()
}

/// The manifest of `files`; where their digests are not known yet, with others of the same length.
fn manifest_of(options: &PackOptions, files: &[Stored]) -> String {
    let lines: Vec<Line> = files
        .iter()
        .map(|file| Line {
            algorithm: options.digest,
            file: file.name.clone(),
            digest: file.digest.clone().unwrap_or_else(|| digest_of(options, b"")),
        })
        .collect();
    manifest::write(&lines)
}
