//! How a VMDK is to be written: typed, and from qemu-img's words.

use super::subformat::Subformat;
use crate::codec::deflate::Level;
use crate::error::{Error, Result};
use crate::formats::CreateOptions;

/// How a VMDK is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// The kind.
    pub subformat: Subformat,
    /// The controller that the disk says it is for.
    pub adapter_type: AdapterType,
    /// The virtual hardware version, a number; every product takes 4, the oldest.
    pub hardware_version: String,
    /// The version of the guest's tools; 2147483647 stands for tools that the guest's own packages keep up to date, and
    /// so spares a warning that they are too old.
    pub tools_version: String,
    /// The level of compression, for streamOptimized.
    pub level: Level,
    /// The size in bytes that every file stays under, for the split kinds; 2 GiB unless given, which makes VMware's own
    /// extents of 2047 MiB.
    pub split: Option<u64>,
    /// The identifier of the content; derived from it unless given.
    pub cid: Option<u32>,
    /// More lines of the disk data base, `ddb.…`, or others than would be written: key and value, by key.
    pub database: Vec<(String, String)>,
}

/// The controllers that VMware's products know in a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdapterType {
    /// IDE.
    Ide,
    /// SCSI, BusLogic.
    BusLogic,
    /// SCSI, LSI Logic; also what disks on newer controllers say.
    LsiLogic,
    /// SCSI, of old ESX servers.
    LegacyEsx,
}

impl AdapterType {
    /// Every one and its word, as QEMU spells them.
    pub const WORDS: [(AdapterType, &str); 4] = [
        (AdapterType::Ide, "ide"),
        (AdapterType::BusLogic, "buslogic"),
        (AdapterType::LsiLogic, "lsilogic"),
        (AdapterType::LegacyEsx, "legacyESX"),
    ];

    /// The word in the descriptor.
    pub fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(adapter, _)| *adapter == self).map_or("", |(_, word)| word)
    }
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions {
            subformat: Subformat::MonolithicSparse,
            // ESXi attaches no disk that says ide to a SCSI controller; the other products do not mind.
            adapter_type: AdapterType::LsiLogic,
            hardware_version: "4".into(),
            tools_version: "2147483647".into(),
            level: Level::default(),
            split: None,
            cid: None,
            database: Vec::new(),
        }
    }
}

impl WriteOptions {
    /// The settings of `-o`.
    pub const KEYS: [&'static str; 6] = ["subformat", "adapter_type", "hwversion", "toolsversion", "cid", "ddb."];

    /// Reads qemu-img's words.
    ///
    /// # Errors
    /// `Usage` for what is unknown or does not go together.
    pub fn from_words(words: &CreateOptions) -> Result<Self> {
        words.no_backing("vmdk")?;
        let settings = &words.settings;
        settings.only("vmdk", &Self::KEYS)?;
        let mut options = WriteOptions { split: words.split()?, ..WriteOptions::default() };
        let asked = settings.get("subformat").map(subformat).transpose()?;
        options.subformat = asked.unwrap_or(match (options.split, words.compress || words.level.is_some()) {
            (Some(_), _) => Subformat::TwoGbMaxExtentSparse,
            (None, true) => Subformat::StreamOptimized,
            (None, false) => Subformat::MonolithicSparse,
        });
        if let Some(word) = settings.get("adapter_type") {
            options.adapter_type = adapter_type(word)?;
        }
        if let Some(version) = settings.get("hwversion") {
            options.hardware_version = number("hwversion", version)?;
        }
        if let Some(version) = settings.get("toolsversion") {
            options.tools_version = number("toolsversion", version)?;
        }
        options.cid = settings.get("cid").map(cid).transpose()?;
        options.database = settings.beginning("ddb.").map(entry).collect::<Result<_>>()?;
        options.level = words.level.map(Level::new).transpose()?.unwrap_or_default();
        let subformat = options.subformat;
        if words.compress && words.split.is_some() {
            return Err(Error::usage("a compressed VMDK (streamOptimized) is one file and cannot be split")
                .with_hint("leave out -c or --split"));
        }
        if (words.compress || words.level.is_some()) && subformat != Subformat::StreamOptimized {
            return Err(Error::usage(format!("a {subformat} VMDK is not compressed"))
                .with_hint("-o subformat=streamOptimized is the compressed kind, and is one file"));
        }
        if options.split.is_some() {
            options.subformat = match subformat {
                Subformat::TwoGbMaxExtentSparse | Subformat::TwoGbMaxExtentFlat => subformat,
                Subformat::MonolithicSparse | Subformat::MonolithicFlat | Subformat::StreamOptimized => {
                    return Err(Error::usage(format!("a {subformat} VMDK cannot be split")).with_hint(
                        "twoGbMaxExtentSparse (the default with --split) and twoGbMaxExtentFlat are the kinds that can",
                    ));
                }
            };
        }
        Ok(options)
    }
}

fn cid(word: &str) -> Result<u32> {
    u32::from_str_radix(word, 16)
        .ok()
        .filter(|_| word.len() == 8 && !word.starts_with('+'))
        .ok_or_else(|| Error::usage(format!("cid is a number of 8 hexadecimal digits, not \"{word}\"")))
}

/// A line of the data base. Values stand between quotes, so they can hold none.
fn entry((key, value): (&str, &str)) -> Result<(String, String)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !key.chars().all(plain) || value.contains(['"', '\\']) || value.contains(char::is_control) {
        return Err(Error::usage(format!("\"{key}\" = \"{value}\" cannot be written in a VMDK's descriptor")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn subformat(word: &str) -> Result<Subformat> {
    Subformat::from_name(word).ok_or_else(|| {
        let known: Vec<_> = Subformat::ALL.iter().map(|subformat| subformat.name()).collect();
        Error::usage(format!("there is no VMDK subformat \"{word}\""))
            .with_hint(format!("there are: {}", known.join(", ")))
    })
}

fn adapter_type(word: &str) -> Result<AdapterType> {
    let found = AdapterType::WORDS.into_iter().find(|(_, known)| known.eq_ignore_ascii_case(word));
    found.map(|(adapter, _)| adapter).ok_or_else(|| {
        let known = AdapterType::WORDS.map(|(_, word)| word).join(", ");
        Error::usage(format!("there is no adapter_type \"{word}\"")).with_hint(format!("there are: {known}"))
    })
}

/// A value that goes into the descriptor between quotes, so it must be what it is said to be.
fn number(key: &str, value: &str) -> Result<String> {
    match value.parse::<u32>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(Error::usage(format!("{key} is a number, not \"{value}\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(settings: &str, compress: bool, split: Option<u64>) -> Result<WriteOptions> {
        let settings = settings.parse()?;
        WriteOptions::from_words(&CreateOptions { settings, compress, split, ..CreateOptions::default() })
    }

    #[test]
    fn the_subformat_follows_from_what_is_asked() {
        let subformat =
            |settings, compress, split| words(settings, compress, split).map(|options| options.subformat).ok();
        assert_eq!(subformat("", false, None), Some(Subformat::MonolithicSparse));
        assert_eq!(subformat("", true, None), Some(Subformat::StreamOptimized));
        assert_eq!(subformat("", false, Some(2 << 30)), Some(Subformat::TwoGbMaxExtentSparse));
        assert_eq!(
            subformat("subformat=twogbmaxextentflat", false, Some(2 << 30)),
            Some(Subformat::TwoGbMaxExtentFlat)
        );
        assert_eq!(subformat("subformat=streamOptimized", false, Some(2 << 30)), None);
        assert_eq!(subformat("subformat=monolithicFlat", true, None), None);
        assert_eq!(subformat("", true, Some(2 << 30)), None);
        assert_eq!(subformat("subformat=2gb", false, None), None);
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(words("adapter_type=LEGACYesx,hwversion=13", false, None).unwrap().adapter_type.word(), "legacyESX");
        assert!(words("adapter_type=sata", false, None).is_err());
        assert!(words("hwversion=4\"\n", false, None).is_err());
        assert!(words("zeroed_grain=on", false, None).is_err());
    }
}
