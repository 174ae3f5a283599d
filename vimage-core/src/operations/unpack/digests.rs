//! The digests that a package's files have to have.

use crate::error::{Error, Result};
use crate::io::neighbors::quote;
use crate::package::manifest::{Hasher, Line, read};
use std::collections::BTreeMap;

/// What a manifest says, if there is one.
pub(super) struct Digests {
    manifest: Option<String>,
    lines: BTreeMap<String, Line>,
    /// Files that have the digest that they have to have.
    verified: Vec<String>,
    uncovered: Vec<String>,
}

impl Digests {
    /// Of the manifest of this name and text, in a package that has the files `names`.
    ///
    /// # Errors
    /// `Corrupt` where it is none, or gives a digest of a file that is not there; `Unsupported` for digests that are not known.
    pub(super) fn new<'a>(
        manifest: Option<(&str, &[u8])>,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Self> {
        let mut digests = Self::none();
        let Some((manifest, text)) = manifest else { return Ok(digests) };
        // It names the files of its own folder.
        let folder = manifest.rfind('/').map_or("", |end| &manifest[..=end]);
        for line in read(text)? {
            let name = format!("{folder}{}", line.file);
            if names.clone().all(|there| there != name) {
                return Err(Error::corrupt(format!(
                    "the manifest {manifest} gives a digest of {}, which is not in the package",
                    quote(&line.file)
                ))
                .with_hint("a file was lost on the way: fetch the package again"));
            }
            digests.lines.insert(name, line);
        }
        let signature = manifest.rsplit_once('.').map_or(manifest, |(stem, _)| stem).to_owned() + ".cert";
        let signed = |name: &str| name == manifest || name.eq_ignore_ascii_case(&signature);
        let uncovered = names.filter(|name| !digests.lines.contains_key(*name) && !signed(name));
        digests.uncovered = uncovered.map(str::to_owned).collect();
        digests.manifest = Some(manifest.to_owned());
        Ok(digests)
    }

    /// Where there is no manifest.
    pub(super) fn none() -> Self {
        Digests { manifest: None, lines: BTreeMap::new(), verified: Vec::new(), uncovered: Vec::new() }
    }

    /// What makes the digest of the file `name`, where it has to have one.
    pub(super) fn hasher(&self, name: &str) -> Option<Hasher> {
        self.lines.get(name).map(|line| Hasher::new(line.algorithm))
    }

    /// Compares the digest of the file `name`.
    ///
    /// # Errors
    /// `Corrupt` where it has another.
    pub(super) fn compare(&mut self, name: &str, made: Option<Hasher>) -> Result<()> {
        let (Some(line), Some(made)) = (self.lines.get(name), made) else { return Ok(()) };
        let found = made.finish();
        if found != line.digest {
            return Err(Error::corrupt(format!(
                "{} has another {} digest than the manifest says: {found}, not {}",
                quote(name),
                line.algorithm.word(),
                line.digest
            ))
            .with_hint("it was damaged or changed: fetch the package again. Nothing was unpacked"));
        }
        self.verified.push(name.to_owned());
        Ok(())
    }

    /// The manifest's name, the files verified, and those that it does not know.
    pub(super) fn told(self) -> (Option<String>, Vec<String>, Vec<String>) {
        (self.manifest, self.verified, self.uncovered)
    }
}
