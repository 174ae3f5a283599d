//! The text that describes a VMDK, as values: every line is kept, those that nobody knows too.
//!
//! "Virtual Disk Format 5.0", section "The Descriptor File".

use super::parse;
use crate::error::{Error, Result};
use crate::io::neighbors::quote;
use std::fmt;

/// The parentCID of a disk without a parent.
pub(super) const NO_PARENT: u32 = u32::MAX;

/// A descriptor: its lines, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// Every line.
    pub lines: Vec<Line>,
}

/// One line of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `key = value`; the value without its quotes.
    Field {
        /// As written.
        key: String,
        /// Without quotes.
        value: String,
    },
    /// Where a stretch of the disk is kept.
    Extent(ExtentLine),
    /// A comment, a blank line, or one that is not understood.
    Other(String),
}

/// What may be done with an extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and written.
    ReadWrite,
    /// Read.
    ReadOnly,
    /// Neither.
    None,
}

/// What keeps an extent's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtentKind {
    /// A file of plain bytes.
    Flat,
    /// A hosted sparse file.
    Sparse,
    /// Nothing: zeros.
    Zero,
    /// A file of plain bytes on an ESX server.
    Vmfs,
    /// An ESX delta: COWD.
    VmfsSparse,
    /// An ESXi space-efficient delta.
    SeSparse,
    /// A mapping of a host's device.
    VmfsRdm,
    /// A host's device.
    VmfsRaw,
}

impl ExtentKind {
    /// Each kind and its word.
    pub const WORDS: [(ExtentKind, &str); 8] = [
        (ExtentKind::Flat, "FLAT"),
        (ExtentKind::Sparse, "SPARSE"),
        (ExtentKind::Zero, "ZERO"),
        (ExtentKind::Vmfs, "VMFS"),
        (ExtentKind::VmfsSparse, "VMFSSPARSE"),
        (ExtentKind::SeSparse, "SESPARSE"),
        (ExtentKind::VmfsRdm, "VMFSRDM"),
        (ExtentKind::VmfsRaw, "VMFSRAW"),
    ];

    /// The word in the descriptor.
    pub fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

/// One extent: `RW 4192256 SPARSE "disk-s001.vmdk"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentLine {
    /// What may be done with it.
    pub access: Access,
    /// Its length.
    pub sectors: u64,
    /// What keeps it.
    pub kind: ExtentKind,
    /// The file; none for zeros.
    pub file: Option<String>,
    /// The sector of the file at which it starts.
    pub offset: Option<u64>,
}

impl Descriptor {
    /// Reads a descriptor's text.
    ///
    /// # Errors
    /// `Corrupt` when a line begins as an extent and is none: leaving it out would shift the disk's data.
    pub fn parse(text: &str) -> Result<Self> {
        parse::descriptor(text)
    }

    /// The value of `key`, whatever the key's case; the last one where there are several.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().rev().find_map(|line| match line {
            Line::Field { key: found, value } if found.eq_ignore_ascii_case(key) => Some(value.as_str()),
            _ => None,
        })
    }

    /// The extents, in the disk's order.
    pub fn extents(&self) -> impl Iterator<Item = &ExtentLine> {
        self.lines.iter().filter_map(|line| match line {
            Line::Extent(extent) => Some(extent),
            _ => None,
        })
    }

    /// The kind of disk, as written.
    pub fn create_type(&self) -> Option<&str> {
        self.get("createType")
    }

    /// What identifies the content.
    ///
    /// # Errors
    /// `Corrupt` when it is no hexadecimal number of up to 8 digits.
    pub fn cid(&self) -> Result<Option<u32>> {
        self.hex("CID")
    }

    /// What the parent's content must be identified by; none for a disk without a parent.
    ///
    /// # Errors
    /// As [`cid`](Self::cid).
    pub fn parent_cid(&self) -> Result<Option<u32>> {
        Ok(self.hex("parentCID")?.filter(|&cid| cid != NO_PARENT))
    }

    fn hex(&self, key: &str) -> Result<Option<u32>> {
        let number = |value| {
            u32::from_str_radix(value, 16).map_err(|_| {
                Error::corrupt(format!("the descriptor's {key} is {}, not a hexadecimal number", quote(value)))
            })
        };
        self.get(key).map(number).transpose()
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Readers differ in what they take: QEMU wants these without quotes and blanks, the data base with both.
            Line::Field { key, value }
                if ["version", "CID", "parentCID"].contains(&key.as_str())
                    && !value.contains('"')
                    && value.trim() == value =>
            {
                write!(f, "{key}={value}")
            }
            Line::Field { key, value } if key.starts_with("ddb.") => write!(f, "{key} = \"{value}\""),
            Line::Field { key, value } => write!(f, "{key}=\"{value}\""),
            Line::Extent(extent) => extent.fmt(f),
            Line::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::ReadWrite => "RW",
            Access::ReadOnly => "RDONLY",
            Access::None => "NOACCESS",
        })
    }
}

impl fmt::Display for ExtentLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Single blanks: VirtualBox takes no others.
        write!(f, "{} {} {}", self.access, self.sectors, self.kind.word())?;
        if let Some(file) = &self.file {
            write!(f, " \"{file}\"")?;
        }
        self.offset.map_or(Ok(()), |offset| write!(f, " {offset}"))
    }
}
