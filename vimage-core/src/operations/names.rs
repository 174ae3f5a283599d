//! Names that others gave to the files of a package.

use crate::error::{Error, Result};
use crate::io::neighbors::quote;
use crate::limits::archives::{DEEPEST_FOLDER, LONGEST_PATH};
use std::collections::BTreeMap;

/// The name `name` as a path inside a folder: plain names with `/` between them. A `./` in front is left out, as is one inside.
///
/// # Errors
/// `Refused` where it would lead elsewhere, or cannot be a file's.
pub(crate) fn plain_path(name: &str) -> Result<String> {
    let refused = |why: &str| {
        Error::refused(format!("the package names a file {}, {why}", quote(name)))
            .with_hint("a package only holds files that lie inside its own folder")
    };
    if name.starts_with('/') {
        return Err(refused("which is an absolute path"));
    }
    if name.contains('\\') || name.chars().any(char::is_control) {
        return Err(refused("with a character that no name is made of"));
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(refused("which leads out of it"));
    }
    // On other systems this is another disk.
    if parts.first().is_some_and(|first| first.as_bytes().get(1) == Some(&b':')) {
        return Err(refused("which is an absolute path"));
    }
    if parts.is_empty() || name.ends_with('/') {
        return Err(refused("which is not a file's"));
    }
    if name.len() > LONGEST_PATH || parts.len() > DEEPEST_FOLDER {
        return Err(refused("which is too long"));
    }
    Ok(parts.join("/"))
}

/// The names of a package, none of which is in the way of another.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, bool>);

impl Names {
    /// Adds a [plain path](plain_path).
    ///
    /// # Errors
    /// `Refused` where a file, or a folder, has this name already; letters may be large or small, as not all file systems tell
    /// them apart.
    pub(crate) fn add(&mut self, name: &str) -> Result<()> {
        let folded = name.to_lowercase();
        let taken = || Error::refused(format!("the package has two files that cannot both be {}", quote(name)));
        for (end, _) in folded.match_indices('/') {
            if !*self.0.entry(folded[..end].to_owned()).or_insert(true) {
                return Err(taken());
            }
        }
        match self.0.insert(folded, false) {
            None => Ok(()),
            Some(_) => Err(taken()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn plain_names_stay_and_what_leads_elsewhere_is_refused() {
        for (name, plain) in [("a.vmdk", "a.vmdk"), ("./a", "a"), ("b/./a b.ovf", "b/a b.ovf"), ("..a", "..a")] {
            assert_eq!(plain_path(name).unwrap(), plain);
        }
        let long = "x".repeat(LONGEST_PATH + 1);
        for name in
            ["", ".", "/", "..", "../a", "a/../b", "a/..", "/etc/x", "a\\b", "C:\\x", "C:x", "a\nb", "a\0", "a/", &long]
        {
            assert_eq!(plain_path(name).unwrap_err().kind(), ErrorKind::Refused, "{name:?}");
        }
        assert_eq!(plain_path("a/a/a/a/a/a/a/a/a").unwrap_err().kind(), ErrorKind::Refused);
    }

    #[test]
    fn no_name_is_in_the_way_of_another() {
        for (one, two, fit) in [
            ("a", "b", true),
            ("f/a", "f/b", true),
            ("a", "a", false),
            ("a", "A", false),
            ("f", "f/a", false),
            ("f/a", "f", false),
            ("f/g/a", "F/G", false),
        ] {
            let mut names = Names::default();
            names.add(one).unwrap();
            assert_eq!(names.add(two).is_ok(), fit, "{one} and {two}");
        }
    }
}
