//! Members' names: what is unpacked or opened by them must stay where it is put.

use crate::error::{Error, Result};
use crate::io::neighbors::quote;
use crate::limits::archives::LONGEST_NAME;

/// A name's bytes as text.
pub(super) fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        Error::unsupported(format!("the name of its member {} is not UTF-8", quote(&String::from_utf8_lossy(bytes))))
    })
}

/// The name without a `./` in front, if nothing is wrong with it. A folder's may end in `/`, and may be the archive's own: `./`.
pub(super) fn check(written: &str, folder: bool) -> Result<String> {
    let refused = |rule: &str| {
        Error::refused(format!("its member {} {rule}", quote(written))).with_hint("pack the files under plain names")
    };
    let mut name = written.strip_prefix("./").unwrap_or(written);
    if folder {
        name = name.trim_end_matches('/');
        if matches!(name, "" | ".") && written.starts_with('.') {
            return Ok(String::new());
        }
    }
    if name.is_empty() {
        return Err(refused("has an empty name"));
    }
    if name.starts_with('/') || written.starts_with('/') {
        return Err(refused("has an absolute name"));
    }
    if name.contains('\\') {
        return Err(refused("has a backslash in its name, which leads elsewhere on some systems"));
    }
    if name.chars().any(char::is_control) {
        return Err(refused("has a control character in its name"));
    }
    if name.len() > LONGEST_NAME {
        return Err(refused(&format!("has a name of more than {LONGEST_NAME} bytes")));
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(refused("has a name with an empty part, \".\" or \"..\" in it"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn names_stay_in_their_folder() {
        assert_eq!(check("disk.vmdk", false).unwrap(), "disk.vmdk");
        assert_eq!(check("./disk.vmdk", false).unwrap(), "disk.vmdk");
        assert_eq!(check("Virtual Hard Disks/a.vhdx", false).unwrap(), "Virtual Hard Disks/a.vhdx");
        assert_eq!(check("./", true).unwrap(), "");
        assert_eq!(check(".", true).unwrap(), "");
        assert_eq!(check("./sub/", true).unwrap(), "sub");
        for bad in ["", "./", "..", "../x", "a/../b", "a/..", "/x", ".//x", "a//b", "a/./b", "a\\b", "a\0", "a\nb", "."]
        {
            assert_eq!(check(bad, false).unwrap_err().kind(), ErrorKind::Refused, "{bad:?}");
        }
        for bad in ["", "/", "../", "a/../", "/etc/"] {
            assert_eq!(check(bad, true).unwrap_err().kind(), ErrorKind::Refused, "{bad:?}");
        }
        assert!(check(&"x".repeat(255), false).is_ok());
        assert!(check(&"x".repeat(256), false).is_err());
    }
}
