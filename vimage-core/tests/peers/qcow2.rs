//! The ways in which a qcow2 image can be written, and which reader does not know which.

use std::fmt;
use vimage_core::ConvertOptions;

/// How clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Zlib,
    /// With distances of no more than 4 KiB, as QEMU writes them.
    ZlibNear,
    Zstd,
}

/// A way to write a qcow2 image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) cluster: u64,
    pub(crate) packing: Packing,
    pub(crate) extended: bool,
    pub(crate) refcount_bits: u32,
    pub(crate) version2: bool,
    pub(crate) lazy: bool,
}

pub(crate) const DEFAULT: Way =
    Way { cluster: 64 << 10, packing: Packing::None, extended: false, refcount_bits: 16, version2: false, lazy: false };

const CLUSTERS: [u64; 4] = [512, 4 << 10, 64 << 10, 2 << 20];
const PACKINGS: [Packing; 4] = [Packing::None, Packing::Zlib, Packing::ZlibNear, Packing::Zstd];

/// Every cluster size with everything that is compressed with, in version 3, with and without subclusters, and in version
/// 2; every width of refcounts with small and usual clusters.
pub(crate) fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for cluster in CLUSTERS {
        for packing in PACKINGS {
            let way = Way { cluster, packing, ..DEFAULT };
            ways.push(way);
            if cluster >= 16 << 10 {
                ways.push(Way { extended: true, ..way });
            }
            if packing != Packing::Zstd {
                ways.push(Way { version2: true, ..way });
            }
        }
        for refcount_bits in [1, 2, 4, 8, 32, 64] {
            ways.push(Way { cluster, refcount_bits, ..DEFAULT });
        }
    }
    // Compressed clusters that share a cluster of the file make it count more than one bit holds.
    for refcount_bits in [1, 2, 8, 64] {
        ways.push(Way { refcount_bits, packing: Packing::Zlib, ..DEFAULT });
    }
    // The smallest clusters that subclusters fit in.
    ways.push(Way { cluster: 16 << 10, extended: true, ..DEFAULT });
    ways.push(Way { lazy: true, ..DEFAULT });
    ways
}

impl Way {
    /// The settings that differ from the usual, in qemu-img's words.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![("cluster_size", self.cluster.to_string())];
        let mut set = |wanted: bool, key, value: &str| settings.extend(wanted.then(|| (key, value.to_owned())));
        set(self.packing == Packing::Zstd, "compression_type", "zstd");
        set(self.extended, "extended_l2", "on");
        set(self.refcount_bits != 16, "refcount_bits", &self.refcount_bits.to_string());
        set(self.version2, "compat", "0.10");
        set(self.lazy, "lazy_refcounts", "on");
        settings
    }

    /// How vimage is to write it.
    pub(crate) fn options(&self) -> ConvertOptions {
        let mut options = ConvertOptions::to("qcow2");
        for (key, value) in self.settings() {
            options = options.with(key, &value);
        }
        if self.packing == Packing::ZlibNear {
            options = options.with("window", "12");
        }
        options.create.compress = self.is_packed();
        options
    }

    /// The same for qemu-img: what follows `-o`. It compresses with `-c` besides.
    pub(crate) fn words(&self) -> String {
        let words: Vec<_> = self.settings().iter().map(|(key, value)| format!("{key}={value}")).collect();
        words.join(",")
    }

    pub(crate) fn is_packed(&self) -> bool {
        self.packing != Packing::None
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.words(), self.packing)
    }
}

/// What a reader makes of what it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An error or other bytes, always: it is asked, to see whether this is still so.
    Wrong,
    /// It depends on the bytes, so it is not asked.
    Chance,
    /// It does not end, so it is not asked.
    Endless,
}

/// What a reader cannot read of what is right.
pub(crate) struct Limit {
    pub(crate) peer: &'static str,
    pub(crate) when: fn(&Way) -> bool,
    pub(crate) outcome: Outcome,
    /// Which version does what instead. It does the same with what qemu-img writes.
    pub(crate) evidence: &'static str,
}

const fn wrong(peer: &'static str, when: fn(&Way) -> bool, evidence: &'static str) -> Limit {
    Limit { peer, when, outcome: Outcome::Wrong, evidence }
}

const ZSTD: fn(&Way) -> bool = |way| way.packing == Packing::Zstd;
const EXTENDED: fn(&Way) -> bool = |way| way.extended;
/// With refcounts of one bit each compressed cluster begins a cluster of the file, and so at an even byte.
const ODD_BYTES: fn(&Way) -> bool = |way| way.is_packed() && !way.version2 && way.refcount_bits > 1;

const FEW_ODD_BYTES: fn(&Way) -> bool = |way| ODD_BYTES(way) && way.cluster == 2 << 20;
const ODD: &str = "20260703 takes a compressed cluster at an odd byte for zeros, in version 3";

pub(crate) const LIMITS: &[Limit] = &[
    wrong("7zz", ZSTD, "26.02 does not know Zstandard"),
    wrong("7zz", EXTENDED, "26.02 does not know extended L2 entries"),
    wrong("libqcow", ZSTD, "20260703 refuses Zstandard"),
    wrong("libqcow", EXTENDED, "20260703 refuses extended L2 entries"),
    // Of few clusters, all can begin at even bytes.
    Limit { peer: "libqcow", when: FEW_ODD_BYTES, outcome: Outcome::Chance, evidence: ODD },
    wrong("libqcow", ODD_BYTES, ODD),
    Limit {
        peer: "dissect",
        when: EXTENDED,
        outcome: Outcome::Endless,
        evidence: "3.21 runs for ever on extended L2 entries",
    },
    Limit {
        peer: "dissect",
        when: |way| way.packing == Packing::Zlib,
        outcome: Outcome::Chance,
        evidence: "3.21 inflates with a window of 4 KiB, which refuses distances that QEMU takes",
    },
    wrong("imago", ZSTD, "0.2.6 refuses Zstandard"),
    wrong("imago", EXTENDED, "0.2.6 refuses extended L2 entries"),
    wrong("qcow2-rs", ZSTD, "0.1.6 refuses Zstandard"),
    wrong("qcow2-rs", EXTENDED, "0.1.6 refuses extended L2 entries"),
    wrong("qcow2-rs", |way| way.cluster < 4 << 10, "0.1.6 panics on clusters under 4 KiB"),
];

/// What is known to keep `peer` from reading what is written this way.
pub(crate) fn limit(peer: &str, way: &Way) -> Option<&'static Limit> {
    LIMITS.iter().find(|limit| limit.peer == peer && (limit.when)(way))
}

/// Whether `peer` reads an overlay written this way, over a base of `format` that is `shorter` or not.
pub(crate) fn reads_overlay(peer: &str, way: &Way, format: &str, shorter: bool) -> bool {
    match peer {
        "qemu-img" => true,
        // 26.02 does not read images that lie over others.
        "7zz" => false,
        // 20260703 takes only qcow2 beneath, and takes zero clusters of version 3 for ones that are not there.
        "libqcow" => format == "qcow2" && !shorter && way.version2,
        // 3.21 reads what is beneath as raw when it is not qcow2, and ends with it. In version 2, it takes the name of the
        // format beneath for feature bits.
        "dissect" => matches!(format, "raw" | "qcow2") && !shorter && !way.version2,
        // 0.2.6 refuses other formats beneath.
        "imago" => matches!(format, "raw" | "qcow2"),
        // 0.1.6 takes everything beneath for qcow2, and errs behind its end. In version 2, it does not find where the
        // header's extensions end.
        "qcow2-rs" => format == "qcow2" && !shorter && !way.version2,
        _ => unreachable!("a reader that is not listed"),
    }
}
