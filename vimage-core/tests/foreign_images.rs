//! VMDKs laid by hand from the format's description, and so by no code of vimage's writer, are read to the right bytes,
//! or refused where there is nothing right to read.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use support::conforms;
use vimage_core::{ErrorKind, Image, OpenOptions, open};
use vimage_fixtures::Disk;
use vimage_fixtures::vmdk::{Variant, variants};

/// How the names of each test's images begin.
const GROUPS: [&[&str]; 4] = [&["hosted-"], &["stream-"], &["cowd-", "sesparse-"], &["descriptor-", "delta-"]];

/// Lengths of reads that no sector, grain or table divides.
const ODD: [usize; 8] = [1, 511, 513, 4097, 65_535, 65_537, 131_071, 1_000_003];

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

/// Opens the image and reads it in every way; a panic says what is wrong.
fn check(variant: &Variant) {
    let name = &variant.name;
    let folder = tempfile::tempdir().unwrap();
    let path = variant.write(folder.path()).unwrap();
    let opened = open(&path, &OpenOptions::default());
    if !readable(variant) {
        let error = opened.err().unwrap_or_else(|| panic!("{name}: opened, but there is nothing right to read"));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}: {error:?}");
        return;
    }
    let image = opened.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(image.info().format, "vmdk", "{name}");
    conforms(&image, &variant.disk, 512, name);
    whole_in_odd_pieces(&image, &variant.disk, name);
}

fn whole_in_odd_pieces(image: &dyn Image, disk: &Disk, name: &str) {
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    let mut at = 0;
    for len in ODD.into_iter().cycle() {
        let len = usize::try_from(image.size() - at).map_or(len, |left| left.min(len));
        if len == 0 {
            return;
        }
        // Not zeros: a reader that leaves its buffer as it is must be found out.
        found.clear();
        found.resize(len, 0xa5);
        expected.resize(len, 0);
        image.read_exact_at(&mut found, at).unwrap_or_else(|error| panic!("{name}: {len} bytes at {at}: {error:?}"));
        disk.read_at(&mut expected, at);
        assert!(found == expected, "{name}: {len} bytes at {at}");
        at += len as u64;
    }
}

/// Checks all images of a group, to the last one even if one fails.
fn check_group(group: &[&str]) {
    let variants: Vec<_> = variants().into_iter().filter(|variant| in_group(variant, group)).collect();
    assert!(!variants.is_empty());
    let fails = |variant: &&Variant| catch_unwind(AssertUnwindSafe(|| check(variant))).is_err();
    let failed: Vec<_> = variants.iter().filter(fails).map(|variant| &variant.name).collect();
    assert!(failed.is_empty(), "of {} images, these: {failed:#?}", variants.len());
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
