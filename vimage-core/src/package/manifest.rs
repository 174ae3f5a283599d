//! Manifests: the digests of a package's files, as OVF has them.
//!
//! DSP0243, "Distribution of OVF packages", has the grammar: `SHA256(disk.vmdk)= ` and lower-case hexadecimal digits, a line a
//! file. [`write()`] writes nothing else, [`read`] takes what other tools write too, and [`rules`] tells who stumbles over that.

use crate::error::{Error, Result};
use crate::io::hash::Hash;
use crate::package::Finding;

pub use crate::io::hash::Hasher;

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// A digest that manifests know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// SHA-1: for vSphere 5.5 and older.
    Sha1,
    /// SHA-256: what importers of today take.
    #[default]
    Sha256,
    /// SHA-512: VirtualBox and recent ovftool.
    Sha512,
}

impl Algorithm {
    /// Every one, with its name on a command line and in a manifest.
    const NAMES: [(Algorithm, &str, &str); 3] = [
        (Algorithm::Sha1, "sha1", "SHA1"),
        (Algorithm::Sha256, "sha256", "SHA256"),
        (Algorithm::Sha512, "sha512", "SHA512"),
    ];

    /// How manifests call it: `SHA256`.
    pub fn word(self) -> &'static str {
        Self::NAMES.into_iter().find(|(known, ..)| *known == self).map_or("", |(.., word)| word)
    }

    /// The hexadecimal digits of its digests.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Sha1 => 40,
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }

    /// The one that a manifest means by `word`: in any case, and `SHA2-256` as OpenSSL 3 calls it.
    fn meant(word: &str) -> Option<Self> {
        let known = Self::NAMES.into_iter().find(|(.., known)| known.eq_ignore_ascii_case(word));
        match known {
            Some((algorithm, ..)) => Some(algorithm),
            None if word.eq_ignore_ascii_case("SHA2-256") => Some(Algorithm::Sha256),
            None if word.eq_ignore_ascii_case("SHA2-512") => Some(Algorithm::Sha512),
            None => None,
        }
    }
}

impl From<Algorithm> for Hash {
    fn from(algorithm: Algorithm) -> Hash {
        match algorithm {
            Algorithm::Sha1 => Hash::Sha1,
            Algorithm::Sha256 => Hash::Sha256,
            Algorithm::Sha512 => Hash::Sha512,
        }
    }
}

impl fmt::Display for Algorithm {
    /// The name on a command line: `sha256`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.into_iter().find(|(known, ..)| known == self).map_or("", |(_, name, _)| name))
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::NAMES.into_iter().find(|(_, known, _)| *known == name).map(|(algorithm, ..)| algorithm);
        found.ok_or_else(|| {
            Error::usage(format!("manifests know no digest \"{name}\""))
                .with_hint(format!("there are: {}", Self::NAMES.map(|(_, name, _)| name).join(", ")))
        })
    }
}

/// A line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The digest's kind.
    pub algorithm: Algorithm,
    /// The file's name.
    pub file: String,
    /// The digest, in lower-case hexadecimal digits.
    pub digest: String,
}

/// A manifest of `lines`, in their order.
pub fn write(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{}({})= {}\n", line.algorithm.word(), line.file, line.digest)).collect()
}

/// The lines of a manifest, as other tools write them too: in upper case, with blanks anywhere between the words, with lines
/// ended as Windows does, and with blanks in place of lines that were taken out. None is a manifest too.
///
/// # Errors
/// `Corrupt`, with the line, where it is none or names a file twice; `Unsupported` for digests other than [`Algorithm`]'s.
pub fn read(text: &[u8]) -> Result<Vec<Line>> {
    let mut files = HashSet::new();
    let mut lines = Vec::new();
    for (number, row) in rows(text)? {
        let row = Row::parse(row).map_err(|fault| fault.at_line(number))?;
        let line = row.line().map_err(|fault| fault.at_line(number))?;
        if !files.insert(line.file.clone()) {
            return Err(Error::corrupt(format!(
                "line {number} of the manifest gives a digest of {:?} again",
                line.file
            )));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// The lines that are not blank, with their numbers.
fn rows(text: &[u8]) -> Result<impl Iterator<Item = (usize, &str)>> {
    // What some editors put in front of every text.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let text = std::str::from_utf8(text).map_err(|fault| {
        let line = text.iter().take(fault.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        Error::corrupt(format!("line {line} of the manifest is no text in UTF-8"))
    })?;
    let lines = text.split('\n').zip(1..).map(|(row, number)| (number, row));
    Ok(lines.filter(|(_, row)| !row.trim_matches(BLANK).is_empty()))
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What stands between words and at the ends of lines.
const BLANK: [char; 3] = [' ', '\t', '\r'];

/// The parts of a line as they stand there: `word` `(` file `)` `=` digest.
pub(super) struct Row<'a> {
    word: &'a str,
    pub(super) file: &'a str,
    /// What stands between `)` and `=`.
    gap: &'a str,
    /// What stands behind `=`, blanks and all.
    pub(super) digest: &'a str,
}

/// What is wrong with a line, and how grave that is.
pub(super) struct Fault(Error);

impl Fault {
    fn corrupt(what: impl fmt::Display) -> Self {
        Fault(Error::corrupt(what.to_string()))
    }

    fn at_line(self, number: usize) -> Error {
        Error::new(self.0.kind(), format!("line {number} of the manifest {}", self.0.message()))
    }
}

impl<'a> Row<'a> {
    pub(super) fn parse(row: &'a str) -> Result<Self, Fault> {
        let no_line = || Fault::corrupt(format!("is no digest of a file: {:?}", shortened(row)));
        // Names may hold parentheses and even `=`; digests cannot.
        let (left, digest) = row.rsplit_once('=').ok_or_else(no_line)?;
        let (word, rest) = left.split_once('(').ok_or_else(no_line)?;
        let (file, gap) = rest.rsplit_once(')').ok_or_else(no_line)?;
        if file.is_empty() || file.contains(char::is_control) || !gap.trim_matches(BLANK).is_empty() {
            return Err(no_line());
        }
        Ok(Row { word, file, gap, digest })
    }

    pub(super) fn algorithm(&self) -> Result<Algorithm, Fault> {
        Algorithm::meant(self.word.trim_matches(BLANK)).ok_or_else(|| {
            let what = format!("has the digest {:?}, not SHA1, SHA256 or SHA512", shortened(self.word));
            Fault(Error::unsupported(what))
        })
    }

    fn line(&self) -> Result<Line, Fault> {
        let algorithm = self.algorithm()?;
        let digest = self.digest.trim_matches(BLANK).to_ascii_lowercase();
        if digest.len() != algorithm.digits() || !digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let (word, digits) = (algorithm.word(), algorithm.digits());
            return Err(Fault::corrupt(format!(
                "does not give the {digits} hexadecimal digits of {word}: {:?}",
                shortened(&digest)
            )));
        }
        Ok(Line { algorithm, file: self.file.into(), digest })
    }
}

/// As much of `text` as a message takes.
fn shortened(text: &str) -> String {
    text.trim_matches(BLANK).chars().take(80).collect()
}

/// Everything in the manifest `text` of the file `name` that an importer stumbles over.
///
/// # Errors
/// As [`read`].
pub fn rules(name: &str, text: &[u8]) -> Result<Vec<Finding>> {
    let lines = read(text)?;
    let rows: Vec<_> = rows(text)?.filter_map(|(number, row)| Some((number, Row::parse(row).ok()?))).collect();
    let has = |algorithm, what: &str| lines.iter().any(|line| line.algorithm == algorithm).then(|| what.to_owned());
    let odd = [
        (
            lines.is_empty().then(|| "it has no digest of any file".to_owned()),
            "nobody can tell whether the package is whole",
        ),
        (
            first(&rows, Row::has_blanks, "has a blank before the file's name or before the equals sign"),
            "vSphere refuses it: Invalid OVF checksum algorithm",
        ),
        (
            first(&rows, Row::has_another_word, "does not call its digest SHA1, SHA256 or SHA512"),
            "vSphere refuses it: Invalid OVF checksum algorithm",
        ),
        (has(Algorithm::Sha1, "its digests are SHA-1"), "the web client of newer ESXi refuses it"),
        (
            has(Algorithm::Sha512, "its digests are SHA-512"),
            "virt-v2v warns and compares nothing, and older VMware products refuse it",
        ),
        (
            first(&rows, Row::has_another_digest, "does not end in one blank, lower-case digits and a line feed"),
            "OVF's grammar has no other way to write it: strict importers may refuse it",
        ),
    ];
    let finding = |(message, effect): (Option<String>, &str)| {
        Some(Finding { place: name.into(), message: message?, effect: effect.into(), broken: false })
    };
    Ok(odd.into_iter().filter_map(finding).collect())
}

/// The first of the rows that is `odd`, and `what` about it.
fn first<'a>(rows: &[(usize, Row<'a>)], odd: fn(&Row<'a>) -> bool, what: &str) -> Option<String> {
    let (number, _) = rows.iter().find(|(_, row)| odd(row))?;
    Some(format!("line {number} {what}"))
}

impl Row<'_> {
    fn has_blanks(&self) -> bool {
        self.word != self.word.trim_matches(BLANK) || !self.gap.is_empty()
    }

    fn has_another_word(&self) -> bool {
        let word = self.word.trim_matches(BLANK);
        Algorithm::meant(word).is_some_and(|algorithm| algorithm.word() != word)
    }

    /// Blanks at the end are ovftool's own, and no importer minds them.
    fn has_another_digest(&self) -> bool {
        let digits = self.digest.strip_prefix(' ').map(|rest| rest.trim_end_matches(' '));
        !digits.is_some_and(|digits| digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
    }
}
