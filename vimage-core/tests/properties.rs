//! What holds for any disk and any options, drawn at random.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use support::{Source, conforms, disk_of};
use vimage_core::formats::vmdk::Descriptor;
use vimage_core::{Comparison, ConvertOptions, check, compare, convert, digest, open};

const MIB: u64 = 1 << 20;

/// Runs of a disk: where, how long, of what.
fn runs() -> impl Strategy<Value = Vec<(u64, u64, u8)>> {
    vec((0..40 * MIB, prop_oneof![1..2000_u64, 60_000..70_000_u64, Just(MIB)], any::<u8>()), 0..12)
}

fn options() -> impl Strategy<Value = ConvertOptions> {
    let vmdk = |name: &'static str| ConvertOptions::to("vmdk").with("subformat", name);
    let split = prop_oneof![MIB..4 * MIB, 16 * MIB..20 * MIB];
    prop_oneof![
        Just(ConvertOptions::to("raw")),
        Just(vmdk("monolithicSparse")),
        Just(vmdk("monolithicFlat")),
        (0..=12_u32).prop_map(move |level| vmdk("streamOptimized").level(level)),
        (split.clone(), any::<bool>()).prop_map(move |(split, flat)| {
            vmdk(if flat { "twoGbMaxExtentFlat" } else { "twoGbMaxExtentSparse" }).split(split)
        }),
        split.prop_map(|split| ConvertOptions::to("raw").split(split)),
        (1..=9_u32, any::<bool>()).prop_map(|(level, checksum)| {
            ConvertOptions::to("raw.zst").with("checksum", if checksum { "on" } else { "off" }).level(level)
        }),
        any::<bool>().prop_map(|fixed| ConvertOptions::to("vdi").with("static", if fixed { "on" } else { "off" })),
        qcow2(),
        qcow2(),
    ]
}

/// Formats are known by their first bytes, but for the one that is known by its name.
fn name(options: &ConvertOptions) -> &'static str {
    if options.format == "raw.zst" { "d.zst" } else { "d.img" }
}

fn qcow2() -> impl Strategy<Value = ConvertOptions> {
    (9..=21_u32, 0..=6_u32, any::<bool>(), prop::option::of(any::<bool>())).prop_map(
        |(cluster, width, extended, packed)| {
            let options = ConvertOptions::to("qcow2")
                .with("cluster_size", &(1_u32 << cluster).to_string())
                .with("refcount_bits", &(1_u32 << width).to_string())
                .with("extended_l2", if extended && cluster >= 14 { "on" } else { "off" });
            match packed {
                None => options,
                Some(true) => options.with("compression_type", "zstd").level(1),
                Some(false) => options.level(1),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_disk_comes_back_from_any_layout(size in 1..40 * MIB, runs in runs(), options in options()) {
        let disk = disk_of(size, &runs);
        let folder = tempfile::tempdir().unwrap();
        let source = Source(disk.clone());
        let made = convert(&source, folder.path().join(name(&options)), &options, &()).unwrap();
        let main = if options.format == "raw" { made.files.first() } else { made.files.last() };
        if let Some(split) = options.create.split {
            prop_assert!(made.files.iter().all(|file| file.size <= split));
        }
        let image = open(&main.unwrap().path, &Default::default()).unwrap();
        conforms(&image, &disk, if options.format.starts_with("raw") { 1 } else { 512 }, &format!("{options:?}"));
        prop_assert!(check(&main.unwrap().path, &Default::default(), &()).unwrap().is_clean());
        prop_assert_eq!(compare(&image, &source, &()).unwrap(), Comparison::Identical);
        let digests = [&image as &dyn vimage_core::Image, &source].map(|image| digest(image, Default::default(), &()).unwrap());
        prop_assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn one_changed_byte_is_found_where_it_is(size in 1..10 * MIB, runs in runs(), at in any::<u64>()) {
        let (at, disk) = (at % size, disk_of(size, &runs));
        let mut byte = [0];
        disk.read_at(&mut byte, at);
        let fill = vimage_fixtures::Fill::Byte(byte[0] ^ 1);
        let changed = disk.overwritten("changed", vimage_fixtures::Run { offset: at, len: 1, fill });
        let (one, two) = (Source(disk), Source(changed));
        prop_assert_eq!(compare(&one, &two, &()).unwrap(), Comparison::DiffersAt(at));
        prop_assert_ne!(digest(&one, Default::default(), &()).unwrap(), digest(&two, Default::default(), &()).unwrap());
    }

    #[test]
    fn a_descriptor_that_is_read_is_written_as_it_means(text in "([a-zA-Z.#= \"0-9-]{0,30}\n|RW [0-9]{1,9} (FLAT|SPARSE) \"[a-z .]{1,9}\"( [0-9]{1,5})?\n){0,9}") {
        if let Ok(descriptor) = Descriptor::parse(&text) {
            prop_assert_eq!(Descriptor::parse(&descriptor.to_string()).unwrap(), descriptor);
        }
    }
}
