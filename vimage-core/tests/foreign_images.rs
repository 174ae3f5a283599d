//! VMDKs laid by hand from the format's description, and so by no code of vimage's writer, are read to the right bytes,
//! or refused where there is nothing right to read.

#![allow(clippy::unwrap_used)]

#[path = "peers/guest.rs"]
mod guest;

use vimage_core::{ErrorKind, OpenOptions, open};
use vimage_fixtures::vmdk::{Variant, variants};

/// How the names of each test's images begin.
const GROUPS: [&[&str]; 4] = [&["hosted-"], &["stream-"], &["cowd-", "sesparse-"], &["descriptor-", "delta-"]];

fn in_group(variant: &Variant, group: &[&str]) -> bool {
    group.iter().any(|prefix| variant.name.starts_with(prefix))
}

/// Whether vimage is to read the image.
fn readable(variant: &Variant) -> bool {
    // Nothing may follow the end of a stream whose directory only its footer places, and other readers give up on such
    // an image. It lacks nothing, though: the footer stands before the zeros, whole and marked as one. vimage looks for
    // it there rather than lose a disk to a length that something rounded up.
    variant.sound || variant.name.starts_with("stream-footer-zeros")
}

fn check(variant: &Variant) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = variant.write(folder.path()).unwrap();
    let opened = open(&path, &OpenOptions::default());
    match (opened, readable(variant)) {
        (Ok(image), true) if image.info().format != "vmdk" => Err(format!("opened as {}", image.info().format)),
        (Ok(image), true) => guest::check(&image, &variant.disk),
        (Err(error), false) if error.kind() == ErrorKind::Corrupt => Ok(()),
        (Err(error), _) => Err(format!("{:?}: {}", error.kind(), guest::words(&error))),
        (Ok(_), false) => Err("opened, but is not sound".into()),
    }
}

fn check_group(group: &[&str]) {
    let variants: Vec<_> = variants().into_iter().filter(|variant| in_group(variant, group)).collect();
    assert!(!variants.is_empty());
    let fault = |variant: &Variant| check(variant).err().map(|fault| format!("{}: {fault}", variant.name));
    let faults: Vec<_> = variants.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn hosted_sparse_images() {
    check_group(GROUPS[0]);
}

#[test]
fn streams() {
    check_group(GROUPS[1]);
}

#[test]
fn images_of_esx() {
    check_group(GROUPS[2]);
}

#[test]
fn descriptors_and_deltas() {
    check_group(GROUPS[3]);
}

#[test]
fn every_image_is_in_one_group() {
    for variant in variants() {
        let groups = GROUPS.iter().filter(|group| in_group(&variant, group)).count();
        assert_eq!(groups, 1, "{}", variant.name);
    }
}
