//! Whether there is what makes an archive a package: a descriptor, or a box's `metadata.json` and its disks.

use super::report::{broken, strict};
use crate::operations::package::{OpenPackage, PackageDisk, PackageKind};
use crate::package::Finding;

const NO_BOX: &str = "Vagrant does not add the box";

/// What a package must have and this has not; nothing of OVAs and folders, which the descriptor tells of.
pub(super) fn look(package: &OpenPackage, disks: &[PackageDisk<'_>]) -> Vec<Finding> {
    let archive = package.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    match package.kind {
        PackageKind::Ova | PackageKind::Folder => Vec::new(),
        PackageKind::Tar => {
            let message = "it has neither a descriptor nor metadata.json";
            vec![broken(&archive, message, "it is no package: nothing imports it")]
        }
        PackageKind::Box => {
            let none = disks.is_empty() && package.descriptor.is_none();
            let none = none.then(|| broken(&archive, "it has neither a disk nor a descriptor", NO_BOX));
            metadata(package, &archive).into_iter().chain(none).collect()
        }
    }
}

/// What is wrong with a box's `metadata.json` (Vagrant's documentation, "Box File Format").
fn metadata(package: &OpenPackage, archive: &str) -> Option<Finding> {
    let Some(text) = &package.metadata else {
        let message = "it has no metadata.json";
        // Boxes of Vagrant 1.0 have none.
        return Some(match package.descriptor {
            Some(_) => strict(archive, message, "Vagrant takes it for a box of its first version, for VirtualBox"),
            None => broken(archive, message, NO_BOX),
        });
    };
    let message = match serde_json::from_slice::<serde_json::Value>(text) {
        Err(cause) => format!("it is not JSON: {cause}"),
        Ok(value) => match value.get("provider").and_then(|provider| provider.as_str()) {
            Some(provider) if !provider.is_empty() => return None,
            _ => "it names no provider".to_owned(),
        },
    };
    Some(broken("metadata.json", message, NO_BOX))
}
