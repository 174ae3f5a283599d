//! How a qcow2 image is to be written: typed, and from qemu-img's words.

use super::layout::SUBCLUSTERS;
use crate::codec::{deflate, zstd};
use crate::error::{Error, Result};
use crate::formats::{Backing, CreateOptions};

/// How a qcow2 image is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// The version of the format.
    pub version: Version,
    /// Bytes of a cluster: a power of two from 512 to 2 MiB.
    pub cluster_size: u64,
    /// What clusters are compressed with, here or by who writes to the image later.
    pub compression: Compression,
    /// Whether clusters are compressed.
    pub compress: bool,
    /// Whether L2 entries have subclusters.
    pub extended_l2: bool,
    /// Bits of a refcount: a power of two up to 64.
    pub refcount_bits: u32,
    /// Whether who writes to the image later may write refcounts late.
    pub lazy_refcounts: bool,
    /// The file beneath it.
    pub backing: Option<Backing>,
}

/// The versions of the format, in qemu-img's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Version 2: read by everything.
    V0_10,
    /// Version 3, since QEMU 1.1.
    V1_1,
}

/// What clusters are compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Deflate, which every reader knows.
    Zlib {
        /// The level.
        level: deflate::Level,
        /// Whether distances stay within 4 KiB, as those of QEMU's own streams do.
        near: bool,
    },
    /// Zstandard: faster; unknown to 7-Zip, UTM and others.
    Zstd {
        /// The level.
        level: zstd::Level,
    },
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions {
            version: Version::V1_1,
            cluster_size: 64 << 10,
            compression: Compression::Zlib { level: deflate::Level::LIGHT, near: false },
            compress: false,
            extended_l2: false,
            refcount_bits: 16,
            lazy_refcounts: false,
            backing: None,
        }
    }
}

impl WriteOptions {
    /// The settings of `-o`.
    pub const KEYS: [&'static str; 10] = [
        "compat",
        "cluster_size",
        "compression_type",
        "window",
        "extended_l2",
        "refcount_bits",
        "lazy_refcounts",
        "preallocation",
        "backing_file",
        "backing_fmt",
    ];

    /// Reads qemu-img's words.
    ///
    /// # Errors
    /// `Usage` for what is unknown or does not go together.
    pub fn from_words(words: &CreateOptions) -> Result<Self> {
        let settings = &words.settings;
        settings.only("qcow2", &Self::KEYS)?;
        if words.split.is_some() {
            return Err(Error::usage("a qcow2 image is one file and cannot be split")
                .with_hint("-O vmdk --split and -O raw --split write several"));
        }
        let defaults = WriteOptions::default();
        let version = match settings.get("compat") {
            None | Some("1.1" | "v3") => Version::V1_1,
            Some("0.10" | "v2") => Version::V0_10,
            Some(word) => return Err(Error::usage(format!("there is no compat \"{word}\": there are 0.10 and 1.1"))),
        };
        let near = match settings.get("window") {
            None | Some("15") => false,
            Some("12") => true,
            Some(word) => {
                return Err(Error::usage(format!("window is 15 (bits, the default) or 12, not \"{word}\"")));
            }
        };
        let compression = match settings.get("compression_type") {
            None | Some("zlib") => {
                let usual = if near { deflate::Level::default() } else { deflate::Level::LIGHT };
                let level = words.level.map(deflate::Level::new).transpose()?.unwrap_or(usual);
                Compression::Zlib { level, near }
            }
            Some("zstd") if near => return Err(Error::usage("window goes with zlib, not with zstd")),
            Some("zstd") => {
                Compression::Zstd { level: words.level.map(zstd::Level::new).transpose()?.unwrap_or_default() }
            }
            Some(word) => {
                return Err(Error::usage(format!("there is no compression_type \"{word}\": there are zlib and zstd")));
            }
        };
        if let Some(word) = settings.get("preallocation").filter(|word| *word != "off") {
            return Err(Error::usage(format!("preallocation={word} is not known: only off is, as zeros are left out")));
        }
        let options = WriteOptions {
            version,
            cluster_size: settings.get("cluster_size").map_or(Ok(defaults.cluster_size), size)?,
            compression,
            compress: words.compress || words.level.is_some(),
            extended_l2: switch(settings.get("extended_l2"), "extended_l2")?,
            refcount_bits: settings.get("refcount_bits").map_or(Ok(defaults.refcount_bits), number)?,
            lazy_refcounts: switch(settings.get("lazy_refcounts"), "lazy_refcounts")?,
            backing: backing(words)?,
        };
        options.check()?;
        Ok(options)
    }

    /// Checks that the options go together.
    ///
    /// # Errors
    /// `Usage`.
    pub fn check(&self) -> Result<()> {
        let cluster = self.cluster_size;
        if !cluster.is_power_of_two() || !(512..=2 << 20).contains(&cluster) {
            return Err(Error::usage(format!("a cluster of {cluster} bytes: it is a power of two from 512 to 2M")));
        }
        if !self.refcount_bits.is_power_of_two() || self.refcount_bits > 64 {
            let bits = self.refcount_bits;
            return Err(Error::usage(format!("refcounts of {bits} bits: they have 1, 2, 4, 8, 16, 32 or 64")));
        }
        if self.extended_l2 && cluster < SUBCLUSTERS * 512 {
            return Err(Error::usage(format!("extended_l2 needs clusters of at least 16K, not {cluster} bytes"))
                .with_hint("add cluster_size=128k, which it is meant for"));
        }
        if self.version == Version::V0_10 {
            let newer = match () {
                () if self.extended_l2 => "extended_l2",
                () if self.lazy_refcounts => "lazy_refcounts",
                () if self.refcount_bits != 16 => "refcount_bits",
                () if matches!(self.compression, Compression::Zstd { .. }) => "compression_type=zstd",
                () => return Ok(()),
            };
            return Err(Error::usage(format!("compat=0.10 has no {newer}: it came with compat=1.1")));
        }
        Ok(())
    }
}

/// The backing file, which `-o` names too.
fn backing(words: &CreateOptions) -> Result<Option<Backing>> {
    let settings = &words.settings;
    match (&words.backing, settings.get("backing_file"), settings.get("backing_fmt")) {
        (Some(backing), ..) if backing.format == "raw.zst" => {
            Err(Error::usage("QEMU opens no raw.zst beneath a qcow2").with_hint("unpack it first: zstd -d"))
        }
        (Some(backing), None, None) => Ok(Some(backing.clone())),
        (None, None, None) => Ok(None),
        _ => Err(Error::usage("a backing file is named by -B and its format by -F, not by -o")),
    }
}

fn switch(word: Option<&str>, key: &str) -> Result<bool> {
    match word {
        Some("on" | "true" | "yes") => Ok(true),
        None | Some("off" | "false" | "no") => Ok(false),
        Some(word) => Err(Error::usage(format!("{key} is on or off, not \"{word}\""))),
    }
}

fn number(word: &str) -> Result<u32> {
    word.parse().map_err(|_| Error::usage(format!("\"{word}\" is not a number")))
}

/// A size as qemu-img writes it: 65536, 64k, 2M.
fn size(word: &str) -> Result<u64> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &word[digits.len()..] {
        "" | "b" | "B" => Some(1_u64),
        "k" | "K" | "KiB" => Some(1 << 10),
        "M" | "m" | "MiB" => Some(1 << 20),
        _ => None,
    };
    let size = unit.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit));
    size.ok_or_else(|| Error::usage(format!("\"{word}\" is not a size")).with_hint("write 65536, 64k or 2M"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(settings: &str) -> Result<WriteOptions> {
        WriteOptions::from_words(&CreateOptions { settings: settings.parse()?, ..CreateOptions::default() })
    }

    #[test]
    fn qemus_words_are_understood() {
        let options = words("cluster_size=2M,compat=v3,compression_type=zstd,refcount_bits=1,extended_l2=on").unwrap();
        assert_eq!((options.cluster_size, options.refcount_bits, options.extended_l2), (2 << 20, 1, true));
        assert!(matches!(options.compression, Compression::Zstd { .. }));
        assert_eq!(words("cluster_size=4k").unwrap().cluster_size, 4096);
        assert_eq!(words("").unwrap(), WriteOptions::default());
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for settings in [
            "cluster_size=3k",
            "cluster_size=4M",
            "cluster_size=256",
            "refcount_bits=3",
            "refcount_bits=128",
            "extended_l2=on,cluster_size=8k",
            "compat=0.10,refcount_bits=8",
            "compat=0.10,compression_type=zstd",
            "compat=0.10,extended_l2=on",
            "compat=1.0",
            "compression_type=lz4",
            "compression_type=zstd,window=12",
            "window=13",
            "preallocation=full",
            "extended_l2=maybe",
            "backing_file=x",
            "subformat=sparse",
        ] {
            assert_eq!(words(settings).unwrap_err().kind(), crate::ErrorKind::Usage, "{settings}");
        }
    }
}
