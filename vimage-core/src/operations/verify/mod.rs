//! Whether a package is whole, whose it is, and who will not take it.

mod contents;
mod digests;
mod disks;
mod layout;
mod made_of;
mod references;
mod report;
mod signer;
mod stage;

pub use report::{Member, Outcome, Report};

use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::operations::archive::SevenZip;
use crate::operations::package::{OpenPackage, PackageKind, open_package};
use crate::package::manifest::{self, Line};
use crate::package::signature::{self, Signed};
use crate::package::{Finding, ovf};
use disks::is_of_the_system;
use report::{broken, from_error, strict};
use stage::Stages;
use std::collections::BTreeMap;
use std::path::Path;

/// How a package is verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Whether the disks are not gone through: what they are is compared with the descriptor all the same, and their digests are.
    pub quick: bool,
    /// The time in seconds since 1970, by which certificates are held; without it their dates are not looked at.
    pub now: Option<i64>,
    /// The largest virtual size in bytes that a disk may have, by the descriptor or by itself; no bound by default.
    pub max_size: Option<u64>,
}

/// Verifies the package at `path`: an OVA, a Vagrant box or another tar, or an OVF descriptor with its files beside it. Digests,
/// signature, descriptor, archive and disks are looked at; everything that is wrong or that an importer stumbles over is a
/// finding, and so is what keeps the package from being read at all.
///
/// # Errors
/// `Io`, `Usage`, `Cancelled`; `Unsupported` for a 7z archive; `Refused` for disks that are larger than they may be.
pub fn verify(path: impl AsRef<Path>, options: &VerifyOptions, observer: &dyn Observer) -> Result<Report> {
    let path = path.as_ref();
    if SevenZip::is_at(path)? {
        return Err(Error::unsupported("is a 7z archive, which is verified only by taking it apart")
            .at_path(path)
            .with_hint("vimage unpack checks it, and the package in it, on the way"));
    }
    let package = match open_package(path) {
        Err(error) if is_of_the_system(&error) => return Err(error),
        Err(error) => return Ok(unreadable(path, &error)),
        Ok(package) => package,
    };
    let mut findings = layout::look(&package);
    let lines = lines(&package, &mut findings);
    let disks = package.disks()?;
    disks.iter().try_for_each(|disk| package.check_disk_size(disk, options.max_size))?;
    let work = disks.iter().filter(|_| !options.quick).filter_map(|disk| disk.stored).fold(0, u64::saturating_add);
    findings.extend(contents::look(&package, &disks));
    let candidates = digests::candidates(&package, &lines);
    let stages = Stages::new(observer, work.saturating_add(digests::work(&candidates)));
    let (mut members, found) = digests::compare(&package, &candidates, &lines, &stages)?;
    findings.extend(found);
    findings.extend(references::look(&package, &mut members));
    let signature = signature(&package, options.now, &mut findings);
    findings.extend(descriptor(&package));
    let first = disks.iter().filter(|disk| disk.info.is_some());
    let first: BTreeMap<_, _> = first.filter_map(|disk| Some((disk.file.as_deref()?, disk))).collect();
    for disk in &disks {
        let first = disk.file.as_deref().and_then(|name| first.get(name)).copied();
        findings.extend(disks::compare(&package, disk, first, &lines));
        if !options.quick {
            findings.extend(disks::check(&package, disk, &stages)?);
        }
    }
    Ok(Report { kind: Some(package.kind), members, signature, findings })
}

fn unreadable(path: &Path, error: &Error) -> Report {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    Report { kind: None, members: Vec::new(), signature: None, findings: vec![from_error(&name, error)] }
}

/// The lines of the manifest.
fn lines(package: &OpenPackage, findings: &mut Vec<Finding>) -> Vec<Line> {
    let Some((name, text)) = &package.manifest else {
        if let (Some(descriptor), PackageKind::Ova | PackageKind::Folder) = (&package.descriptor, package.kind) {
            let effect = "importers take it, and nobody can tell whether it is whole";
            findings.push(strict(&descriptor.name, "the package has no manifest", effect));
        }
        return Vec::new();
    };
    match manifest::read(text).and_then(|lines| Ok((lines, manifest::rules(name, text)?))) {
        Ok((lines, found)) => {
            findings.extend(found);
            lines
        }
        Err(error) => {
            findings.push(from_error(name, &error));
            Vec::new()
        }
    }
}

/// The signature, and what is wrong with it.
fn signature(package: &OpenPackage, now: Option<i64>, findings: &mut Vec<Finding>) -> Option<Signed> {
    let (name, text) = package.certificate.as_ref()?;
    let Some((manifest, bytes)) = &package.manifest else {
        findings.push(broken(name, "there is no manifest for it to sign", "importers refuse it"));
        return None;
    };
    let signed = match signature::verify(text, bytes, manifest) {
        Ok(signed) => signed,
        Err(error) => {
            findings.push(from_error(name, &error));
            return None;
        }
    };
    if signed.file != *manifest {
        let message = format!("it signs {:?}, and the manifest is {manifest:?}", signed.file);
        findings.push(broken(name, message, "vCenter and ovftool refuse the package"));
    } else if !signed.holds {
        let message = "the signature is not the signer's over this manifest: one of them was changed";
        findings.push(broken(name, message, "vCenter and ovftool refuse the package"));
    }
    if signed.chained == Some(false) {
        let message = "its certificates are not signed each by the next";
        findings.push(strict(name, message, "importers cannot follow them up to one that they trust, and warn"));
    }
    findings.extend(signer::look(name, &signed, now));
    Some(signed)
}

/// What importers refuse in the descriptor by itself.
fn descriptor(package: &OpenPackage) -> Vec<Finding> {
    let Some(descriptor) = &package.descriptor else { return Vec::new() };
    match &descriptor.parsed {
        Err(error) => vec![from_error(&descriptor.name, error)],
        Ok(_) => ovf::rules(&descriptor.text).unwrap_or_else(|error| vec![from_error(&descriptor.name, &error)]),
    }
}
