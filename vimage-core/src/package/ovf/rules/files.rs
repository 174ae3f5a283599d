//! The files that a descriptor names (DSP0243, section 7.1).

use super::case::{Case, Findings, STRICT, UNCLEAR, twice};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::Element;
use crate::package::ovf::units::whole;

/// Files have identifiers and names.
pub(super) fn file_without_identifier_or_name(case: &Case<'_>, found: &mut Findings) {
    for file in &case.files {
        for name in ["id", "href"] {
            if file.attribute(name).is_none_or(str::is_empty) {
                let message = format!("it has no ovf:{name}");
                found.broken(file, message, "every importer: refused, or the file is not found");
            }
        }
    }
}

/// Identifiers tell files apart.
pub(super) fn files_of_one_identifier(case: &Case<'_>, found: &mut Findings) {
    twice(
        &case.files,
        |file| file.attribute("id"),
        |file, id, first| {
            let message = format!("the identifier {} is that of line {} too", quoted(id), first.place.line);
            found.broken(file, message, UNCLEAR);
        },
    );
}

/// One file is listed once.
pub(super) fn files_of_one_name(case: &Case<'_>, found: &mut Findings) {
    twice(
        &case.files,
        |file| file.attribute("href"),
        |file, name, first| {
            let message = format!("the file {} is that of line {} too", quoted(name), first.place.line);
            found.refused(file, message, "VMware: refused");
        },
    );
}

/// Lengths and pieces are numbers of bytes.
pub(super) fn length_that_is_no_number(case: &Case<'_>, found: &mut Findings) {
    for file in &case.files {
        for name in ["size", "chunkSize"] {
            let Some(said) = file.attribute(name) else { continue };
            let number = whole(said.trim());
            if number.is_none() || name == "chunkSize" && number == Some(0) {
                let message = format!("ovf:{name} is {}, no number of bytes", quoted(said));
                found.broken(file, message, STRICT);
            }
        }
    }
}

/// Files lie beside the descriptor or beneath its folder: no way leads upwards.
pub(super) fn name_that_leaves_the_folder(case: &Case<'_>, found: &mut Findings) {
    for (file, name) in names(case) {
        if leaves(name) {
            let message = format!("{} lies outside of the package", quoted(name));
            found.broken(file, message, "every careful importer: refused; others open what lies there");
        }
    }
}

/// Whether a name leads out of the descriptor's folder.
fn leaves(name: &str) -> bool {
    let absolute = name.starts_with(['/', '\\']) || name.get(1..2) == Some(":") || scheme(name) == Some("file");
    absolute || name.split(['/', '\\']).any(|part| part == "..")
}

/// Files elsewhere on a network are allowed, and hardly fetched.
pub(super) fn file_elsewhere(case: &Case<'_>, found: &mut Findings) {
    for (file, name) in names(case) {
        if scheme(name).is_some_and(|scheme| scheme != "file") {
            let message = format!("{} is not in the package", quoted(name));
            found.refused(file, message, "VirtualBox, virt-v2v, Proxmox: the file is not found");
        }
    }
}

/// Some importers take few characters, no folders, and want an ending.
pub(super) fn name_that_importers_refuse(case: &Case<'_>, found: &mut Findings) {
    for (file, name) in names(case).filter(|(_, name)| scheme(name).is_none() && !leaves(name)) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.contains(['/', '\\']) {
            let message = format!("{} is in a folder", quoted(name));
            found.refused(
                file,
                message,
                "Proxmox: refused; in an OVA every importer looks for files beside the descriptor",
            );
        } else if !name.chars().all(plain) {
            let message = format!("{} has characters other than A-Z, a-z, 0-9, \".\", \"_\" and \"-\"", quoted(name));
            found.refused(file, message, "Proxmox, virt-v2v: the file is left out or refused");
        } else if !name.contains('.') {
            let message = format!("{} has no ending", quoted(name));
            found.refused(file, message, "VirtualBox: the kind of disk is not known");
        }
    }
}

/// Files compressed once more are not read by all.
pub(super) fn compressed_file(case: &Case<'_>, found: &mut Findings) {
    for file in &case.files {
        match file.attribute("compression").unwrap_or_default() {
            "" | "identity" => {}
            "gzip" => found.refused(file, "it is compressed with gzip", "Proxmox: not read"),
            other => {
                let message = format!("it is compressed with {}", quoted(other));
                found.refused(file, message, "VMware, VirtualBox, virt-v2v and Proxmox: not read");
            }
        }
    }
}

/// Files in pieces are not read by all.
pub(super) fn file_in_pieces(case: &Case<'_>, found: &mut Findings) {
    for file in case.files.iter().filter(|file| file.attribute("chunkSize").is_some()) {
        let effect = "virt-v2v up to 2.11: only the last piece is taken; VirtualBox, Proxmox: the file is not found";
        found.refused(file, "it is kept in pieces", effect);
    }
}

/// A machine's NVRAM belongs to the product that wrote it.
pub(super) fn file_of_nvram(case: &Case<'_>, found: &mut Findings) {
    for (file, name) in names(case) {
        if name.to_ascii_lowercase().ends_with(".nvram") {
            let effect = "vCenter, ESXi: deploying by their interfaces fails with \"405 Method Not Allowed\"";
            found.refused(file, format!("{} holds a machine's NVRAM", quoted(name)), effect);
        }
    }
}

/// Files with their names.
fn names<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Element, &'a str)> {
    case.files.iter().filter_map(|file| Some((*file, file.attribute("href")?)))
}

/// The scheme of a URI: `http`.
fn scheme(name: &str) -> Option<&str> {
    let (scheme, _) = name.split_once(':')?;
    let word = scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    word.then_some(scheme)
}
