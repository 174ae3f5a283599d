//! The disks of a package: against what the descriptor says of them, and by themselves.

use super::made_of;
use super::report::{broken, from_error, strict};
use super::stage::Stages;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::{self, Severity};
use crate::image::ImageInfo;
use crate::operations::package::{OpenPackage, PackageDisk};
use crate::package::manifest::Line;
use crate::package::{Finding, descriptor};

/// The most findings of one disk that are listed; the rest is counted.
const MOST: usize = 20;

/// Formats that are known when they are seen.
const KNOWN: [&str; 3] = ["vmdk", "qcow2", "vdi"];

/// Everything that is wrong with a disk as the descriptor has it. Of several disks of one file, `first` is the one that was looked into.
pub(super) fn compare(
    package: &OpenPackage,
    disk: &PackageDisk<'_>,
    first: Option<&PackageDisk<'_>>,
    lines: &[Line],
) -> Vec<Finding> {
    let Some(name) = &disk.file else { return Vec::new() };
    let mut found: Vec<_> = compression(name, disk).into_iter().collect();
    let info = disk.info.as_ref().or(first.and_then(|first| first.info.as_ref()));
    match (info, disk.declared) {
        (Some(Ok(info)), declared) => {
            let declared = declared.into_iter();
            found.extend(
                declared.flat_map(|declared| [format(name, declared, info), capacity(name, declared, info)]).flatten(),
            );
            if disk.info.is_some() {
                found.extend(made_of::look(package, name, info, lines));
            }
        }
        (Some(Err(error)), _) if disk.info.is_some() => found.push(from_error(name, error)),
        (None, _) if disk.stored.is_some() => found.push(strict(
            name,
            "it was not looked into, as it would have to be inflated at length",
            "nobody has seen whether it is the disk that the descriptor tells of: inflate it and verify that",
        )),
        _ => {}
    }
    found
}

/// How a disk's file begins, against what the descriptor says that it is compressed with.
fn compression(name: &str, disk: &PackageDisk<'_>) -> Option<Finding> {
    disk.declared?;
    disk.stored?;
    let said = disk.compression.is_some_and(|compression| compression.eq_ignore_ascii_case("gzip"));
    let message = match (disk.packed, said) {
        (true, false) => "it is compressed with gzip, and the descriptor does not say so",
        (false, true) => "the descriptor says that it is compressed with gzip, and it is not",
        _ => return None,
    };
    Some(broken(name, message, "importers take its bytes for another disk, or refuse it"))
}

/// What a disk is, against the URI of what it is to be.
fn format(name: &str, declared: &descriptor::Disk, info: &ImageInfo) -> Option<Finding> {
    let uri = declared.format.as_ref()?;
    let (meant, subformat) = meant(uri)?;
    let is = info.subformat.as_deref();
    if info.format == meant && subformat.is_none_or(|subformat| is == Some(subformat)) {
        return None;
    }
    // What nobody here knows looks raw.
    if info.format == "raw" && !KNOWN.contains(&meant) {
        return None;
    }
    let is = match (info.format, is) {
        ("raw", _) => "no disk image of a known format".to_owned(),
        (format, None) => format.to_owned(),
        (format, Some(subformat)) => format!("{format} {subformat}"),
    };
    Some(broken(
        name,
        format!("it is {is}, and the descriptor says {}", subformat.unwrap_or(meant)),
        "ESXi and vCenter refuse it: Unsupported or invalid disk type",
    ))
}

/// The format that a URI means, and its kind where it says that.
fn meant(uri: &str) -> Option<(&'static str, Option<&'static str>)> {
    let uri = uri.to_ascii_lowercase();
    let has = |part: &str| uri.contains(part);
    match () {
        () if has("vmdk") && uri.ends_with("#streamoptimized") => Some(("vmdk", Some("streamOptimized"))),
        () if has("vmdk") => Some(("vmdk", None)),
        () if has("qcow") => Some(("qcow2", None)),
        // Microsoft's specification of VHD.
        () if has("linkid=137171") => Some(("vhd", None)),
        () => None,
    }
}

fn capacity(name: &str, declared: &descriptor::Disk, info: &ImageInfo) -> Option<Finding> {
    let (is, said) = (info.virtual_size, declared.capacity?);
    let message = format!("the disk has {is} bytes, and the descriptor says {said}");
    match is.cmp(&said) {
        std::cmp::Ordering::Greater => {
            Some(broken(name, message, "VMware refuses it: Capacity of uploaded disk is larger than requested"))
        }
        std::cmp::Ordering::Less => {
            Some(broken(name, message, "the guest finds a disk of another size than it was made with"))
        }
        std::cmp::Ordering::Equal => None,
    }
}

/// Checks the disk itself: every table and grain, as `check` does.
///
/// # Errors
/// `Io`, `Cancelled`.
pub(super) fn check(package: &OpenPackage, disk: &PackageDisk<'_>, stages: &Stages<'_>) -> Result<Vec<Finding>> {
    let (Some(name), Some(stored)) = (&disk.file, disk.stored) else { return Ok(Vec::new()) };
    let known = matches!(&disk.info, Some(Ok(info)) if KNOWN.contains(&info.format));
    let watching = stages.watching(stored);
    let found = package.disk_file(name).filter(|_| known).map(|file| file.check(&watching)).transpose();
    watching.finish();
    let found = match found {
        Ok(found) => found.unwrap_or_default(),
        Err(error) if is_of_the_system(&error) => return Err(error),
        Err(error) => return Ok(vec![from_error(name, &error)]),
    };
    let kept: Vec<_> = found.list.iter().filter(|finding| finding.severity != Severity::Leak).collect();
    let mut findings: Vec<_> = kept.iter().take(MOST).map(|finding| told(name, finding)).collect();
    let all = found.count(Severity::Corruption) + found.count(Severity::Risk);
    let more = all - findings.len() as u64;
    if more > 0 {
        findings.push(strict(
            name,
            format!("{more} more findings of this disk are not listed"),
            "vimage check lists them",
        ));
    }
    Ok(findings)
}

fn told(name: &str, finding: &formats::Finding) -> Finding {
    let offset = finding.offset.map_or(String::new(), |offset| format!(" (at byte {offset})"));
    let message = format!("{}{offset}", finding.message);
    match finding.severity {
        Severity::Corruption => broken(name, message, "the disk cannot be read in whole, or reads otherwise elsewhere"),
        Severity::Risk | Severity::Leak => strict(name, message, "readers that are stricter than others refuse it"),
    }
}

/// Whether an error tells of the machine rather than of the package.
pub(super) fn is_of_the_system(error: &Error) -> bool {
    use ErrorKind::{Cancelled, Exists, InUse, Io, Usage};
    matches!(error.kind(), Io | InUse | Usage | Exists | Cancelled)
}
