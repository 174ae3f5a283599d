//! How a package lies in its archive: what DSP0243 ("Distribution of OVF packages") asks for, and what importers do not read.

use super::references::named_files;
use super::report::{broken, strict};
use crate::io::tar::{Dialect, End, Listing};
use crate::operations::package::{OpenPackage, PackageKind};
use crate::package::Finding;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that importers stumble over in the archive of `package`; nothing of a folder.
pub(super) fn look(package: &OpenPackage) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(listing) = &package.listing {
        let archive = package.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        findings.extend(tar(&archive, listing));
        if package.kind == PackageKind::Ova {
            let packed = package.members.first().is_some_and(|member| member.offset.is_none());
            findings.extend(packed.then(|| {
                broken(
                    &archive,
                    "it is compressed as a whole",
                    "no importer of OVAs reads it: its disks lie in it in place",
                )
            }));
            findings.extend(order(package));
            findings.extend(foreign(package));
        }
    }
    findings.extend(manifest_name(package));
    findings
}

/// What importers do not read in any tar.
fn tar(archive: &str, listing: &Listing) -> Vec<Finding> {
    let pax = listing.members.iter().find(|member| member.dialect == Dialect::Pax);
    let old = listing.members.iter().find(|member| member.dialect == Dialect::Old);
    let first_pax = pax.map_or(String::new(), |member| format!(", the first for {:?}", member.name));
    let rows = [
        (
            listing.pax_headers > 0,
            format!("it has pax headers ({}{first_pax})", listing.pax_headers),
            "vSphere and VirtualBox refuse it: pack it with GNU tar's --format=ustar, or gnu for files from 8 GiB on",
        ),
        (
            listing.long_names > 0,
            format!("it has headers with long names ({})", listing.long_names),
            "importers read names of at most 100 bytes",
        ),
        (
            old.is_some(),
            format!("the header of {:?} is no ustar header", old.map_or("", |member| &member.name)),
            "importers look for ustar's mark",
        ),
        (
            !listing.folders.is_empty(),
            format!("it has entries of folders ({})", listing.folders.len()),
            "an OVA has files alone: VirtualBox refuses others",
        ),
        (
            listing.dotted > 0,
            format!("it has names that begin with \"./\" ({})", listing.dotted),
            "virt-v2v and ovftool do not find the files by their names",
        ),
        (
            listing.end != End::Marked,
            "it does not end with two blocks of zeros".to_owned(),
            "strict readers take it for an archive that was cut short",
        ),
        (
            listing.trailing.is_some(),
            format!("something lies behind its end, at byte {}", listing.trailing.unwrap_or_default()),
            "no importer reads it, and nobody sees what it is",
        ),
    ];
    let odd = rows.into_iter().filter(|(odd, ..)| *odd);
    odd.map(|(_, message, effect)| strict(archive, message, effect)).collect()
}

/// Files that do not stand where streaming importers want them: the descriptor, the manifest, its signature, and then the
/// files in the order in which the descriptor names them. Manifest and signature may come last, too.
fn order(package: &OpenPackage) -> Vec<Finding> {
    let place = |name: &str| package.members.iter().position(|member| member.name == name);
    let Some(descriptor) = &package.descriptor else {
        let name = package.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        return vec![broken(&name, "it has no descriptor, no file that ends in .ovf", "nobody can import it")];
    };
    let mut findings = Vec::new();
    if place(&descriptor.name) != Some(0) {
        findings.push(strict(
            &descriptor.name,
            "it is not the first file of the archive",
            "ovftool and Workstation refuse it: Did not find an .ovf file at the beginning",
        ));
    }
    let texts = [&package.manifest, &package.certificate];
    let texts: Vec<_> = texts.into_iter().flatten().filter_map(|(name, _)| Some((name, place(name)?))).collect();
    for (at, (name, found)) in texts.iter().enumerate() {
        let last = package.members.len() - texts.len() + at;
        if *found != 1 + at && *found != last {
            findings.push(strict(
                name,
                "it stands neither behind the descriptor nor at the end",
                "importers that read the archive as it comes do not look for it there",
            ));
        }
    }
    let files: Vec<_> = named_files(package).filter_map(|(name, members)| Some((name, *members.first()?))).collect();
    let late = files.iter().zip(files.iter().skip(1)).find(|((_, one), (_, next))| one > next);
    findings.extend(late.map(|((name, _), (next, _))| {
        strict(
            name,
            format!("it stands behind {next}, and the descriptor names it first"),
            "importers that read the archive as it comes expect the descriptor's order",
        )
    }));
    findings
}

/// Files that the descriptor does not name.
fn foreign(package: &OpenPackage) -> Vec<Finding> {
    let parsed = package.descriptor.as_ref().filter(|descriptor| descriptor.parsed.is_ok());
    let Some(descriptor) = parsed else { return Vec::new() };
    // A file is looked up once, however often it is named.
    let names: BTreeMap<_, _> = named_files(package).collect();
    let named: BTreeSet<_> = names.into_values().flatten().collect();
    let texts = [&package.manifest, &package.certificate].map(|text| text.as_ref().map(|(name, _)| name.as_str()));
    let foreign = package.members.iter().enumerate().filter(|(index, member)| {
        !named.contains(index) && member.name != descriptor.name && !texts.contains(&Some(member.name.as_str()))
    });
    foreign
        .map(|(_, member)| {
            strict(
                &member.name,
                "the descriptor does not name it",
                "an OVA has no other files than those that its descriptor names: strict importers refuse it, others leave it out",
            )
        })
        .collect()
}

/// The manifest and its signature are called like the descriptor.
fn manifest_name(package: &OpenPackage) -> Vec<Finding> {
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let Some(descriptor) = &package.descriptor else { return Vec::new() };
    let wanted = stem(&descriptor.name);
    let texts = [&package.manifest, &package.certificate].into_iter().flatten();
    let odd = texts.filter(|(name, _)| stem(name) != wanted);
    odd.map(|(name, _)| {
        strict(name, format!("it is not called like the descriptor, {}", descriptor.name), "importers do not find it")
    })
    .collect()
}
