//! What a caller wants of an output, in the words that qemu-img uses.

use crate::error::{Error, Result};
use crate::target::Target;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How an output is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Settings of the format: `-o`.
    pub settings: Settings,
    /// Compress: `-c`.
    pub compress: bool,
    /// The level of compression, where the target compresses. With one, every unit is compressed anew; without, those of the source
    /// that the target can share stay as they are.
    pub level: Option<u32>,
    /// The size in bytes that no file of the output may pass: `--split`.
    pub split: Option<u64>,
    /// The file beneath the output, which then holds only what differs from it: `-B` and `-F`.
    pub backing: Option<Backing>,
}

/// The image beneath an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backing {
    /// Its name as the output is to write it: relative to the output's folder.
    pub name: String,
    /// Its format.
    pub format: String,
}

/// The smallest size of the files that an output is split into.
pub const SMALLEST_SPLIT: u64 = 1 << 20;

impl CreateOptions {
    /// The size that files may have.
    ///
    /// # Errors
    /// `Usage` when it is under [`SMALLEST_SPLIT`].
    pub fn split(&self) -> Result<Option<u64>> {
        match self.split {
            Some(size) if size < SMALLEST_SPLIT => {
                Err(Error::usage(format!("cannot split into files of {size} bytes: the least is 1M")))
            }
            split => Ok(split),
        }
    }

    /// `target`, which takes over no unit of another level than is asked for.
    pub(crate) fn at_level(&self, mut target: Target) -> Target {
        if self.level.is_some() {
            target.units.takes = None;
        }
        target
    }

    /// Checks that no backing file is asked for.
    ///
    /// # Errors
    /// `Usage`, as `format` is not written over one.
    pub fn no_backing(&self, format: &str) -> Result<()> {
        match self.backing {
            None => Ok(()),
            Some(_) => Err(Error::usage(format!("{format} images are not written over a backing file"))
                .with_hint("-O qcow2 is written over one")),
        }
    }
}

/// A format's own settings, as `key=value`.
///
/// A format takes out those that it knows; what is left is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Sets `key` to `value`; a later value replaces an earlier one.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Settings) {
        self.0.extend(other.0);
    }

    /// All whose key begins with `prefix`, by key.
    pub fn beginning<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter(move |(key, _)| key.starts_with(prefix)).map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Checks that there are no settings but those of `known`, of which one that ends in a dot stands for all that begin so.
    ///
    /// # Errors
    /// `Usage`, with the keys that `format` has.
    pub fn only(&self, format: &str, known: &[&str]) -> Result<()> {
        let knows =
            |key: &str| known.iter().any(|known| *known == key || known.ends_with('.') && key.starts_with(known));
        match self.0.keys().find(|key| !knows(key)) {
            None => Ok(()),
            Some(key) if known.is_empty() => {
                Err(Error::usage(format!("{format} has no options, so no \"{key}\" either")))
            }
            Some(key) => Err(Error::usage(format!("{format} has no option \"{key}\""))
                .with_hint(format!("options of {format} are: {}", known.join(", ")))),
        }
    }
}

impl FromStr for Settings {
    type Err = Error;

    /// Reads `key=value,key=value`. A comma within a value is written twice, as for qemu-img.
    fn from_str(text: &str) -> Result<Self> {
        const COMMA: char = '\u{1}';
        let mut settings = Settings::default();
        for part in text.replace(",,", &COMMA.to_string()).split(',').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| {
                Error::usage(format!("\"{part}\" is not an option"))
                    .with_hint("options are written key=value,key=value")
            })?;
            settings = settings.with(key.trim(), value.replace(COMMA, ","));
        }
        Ok(settings)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (key, value) in &self.0 {
            write!(f, "{separator}{key}={}", value.replace(',', ",,"))?;
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_written() {
        let settings: Settings = "subformat=streamOptimized,adapter_type=ide,note=a,,b".parse().unwrap();
        assert_eq!(settings.get("note"), Some("a,b"));
        assert_eq!(settings.to_string().parse::<Settings>().unwrap(), settings);
        assert!("subformat".parse::<Settings>().is_err());
        assert!(settings.only("vmdk", &["subformat", "adapter_type", "note"]).is_ok());
        let error = settings.only("vmdk", &["subformat", "note"]).unwrap_err();
        assert_eq!(error.to_string(), "vmdk has no option \"adapter_type\"");
    }
}
