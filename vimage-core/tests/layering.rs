//! Imports point down: the order of the rooms is held here.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rooms of the library from the lowest to the highest; those of one row do not import each other, but for what a
/// row's note says.
const ROWS: [&[&str]; 6] = [
    &["error"],
    &["limits"],
    &["io", "zero", "ranges"],
    // An extent is a part of what an image is; a target's identifiers derive from a digest.
    &["image", "extent", "codec", "digest", "target", "observer", "stream"],
    // Layers are images, and so what formats open as.
    &["layers", "formats", "pipeline", "guest", "package"],
    &["operations"],
];

/// Imports within a row that are meant.
const WITHIN: [(&str, &str); 10] = [
    ("extent", "image"),
    ("extent", "observer"),
    ("image", "extent"),
    ("image", "codec"),
    ("stream", "image"),
    ("stream", "observer"),
    ("target", "digest"),
    ("target", "image"),
    ("formats", "layers"),
    ("pipeline", "layers"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file without its tests, which may import what they like.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap().lines().filter(|line| !line.trim_start().starts_with("//")).collect()
}

/// Every `crate::a::b` in the code, as its segments; a group after `crate::` counts as each of its members.
fn imports(code: &str) -> Vec<Vec<String>> {
    let segment = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        assert!(!rest.starts_with('{'), "write imports from the crate one room a line: crate::{}", segment(&rest[1..]));
        let mut path = vec![segment(rest)];
        let mut rest = &rest[path[0].len()..];
        while let Some(next) = rest.strip_prefix("::").map(segment).filter(|next| !next.is_empty()) {
            rest = &rest[2 + next.len()..];
            path.push(next);
        }
        found.push(path);
    }
    found
}

#[test]
fn imports_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    let rows: BTreeMap<_, _> =
        ROWS.iter().enumerate().flat_map(|(row, rooms)| rooms.iter().map(move |room| (*room, row))).collect();
    let mut checked = 0;
    for path in found.iter().filter(|path| !path.ends_with("src/lib.rs")) {
        let inside = path.strip_prefix(&source).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let from = rows.get(room).unwrap_or_else(|| panic!("{} is in a room without a row", inside.display()));
        for import in imports(&code(path)) {
            let to =
                rows.get(import[0].as_str()).unwrap_or_else(|| panic!("{}: crate::{}", inside.display(), import[0]));
            let meant = WITHIN.contains(&(room, import[0].as_str()));
            assert!(room == import[0] || to < from || to == from && meant, "{} imports {import:?}", inside.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} imports were found: the test reads them wrongly");
}

#[test]
fn formats_do_not_know_each_other() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats");
    let formats = ["raw", "vmdk", "qcow2", "vdi", "zst"];
    for format in formats {
        let mut found = Vec::new();
        match source.join(format) {
            folder if folder.is_dir() => files(&folder, &mut found),
            file => found.push(file.with_extension("rs")),
        }
        assert!(!found.is_empty());
        for path in found {
            for import in imports(&code(&path)).iter().filter(|import| import[0] == "formats") {
                let other = import.get(1).is_some_and(|name| name != format && formats.contains(&name.as_str()));
                assert!(!other, "{} imports {import:?}", path.display());
            }
        }
    }
}
