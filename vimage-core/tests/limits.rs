//! docs/limits.md tells every bound that the library has on what an input may cost, and the number is the one that is held.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::path::Path;

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The constants in the source, by their names with the modules that they are in.
fn constants() -> BTreeMap<String, u64> {
    let source = text("src/limits.rs");
    let mut found = BTreeMap::new();
    let mut module = String::new();
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("pub mod ") {
            module = format!("{}::", name.trim_end_matches(" {"));
        } else if line == "}" {
            module.clear();
        } else if let Some(rest) = line.trim_start().strip_prefix("pub const ") {
            let (name, rest) = rest.split_once(": ").unwrap();
            let (_, value) = rest.trim_end_matches(';').split_once(" = ").unwrap();
            let number = |text: &str| found.get(&format!("{module}{text}")).copied().unwrap_or_else(|| literal(text));
            let value = match (value.split_once(" << "), value.split_once(" * ")) {
                (Some((one, by)), _) => number(one) << number(by),
                (_, Some((one, other))) => number(one) * number(other),
                _ => number(value),
            };
            assert!(found.insert(format!("{module}{name}"), value).is_none(), "{name} is there twice");
        }
    }
    found
}

fn literal(text: &str) -> u64 {
    let digits = text.replace('_', "");
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    }
    .unwrap_or_else(|_| panic!("not a number: {text}"))
}

/// What a cell of the table says: a number, with or without a unit that multiplies it.
fn told(cell: &str) -> u64 {
    let mut words = cell.split_whitespace();
    let number: u64 = words.next().unwrap().replace(',', "").parse().unwrap_or_else(|_| panic!("no number: {cell}"));
    let power = match words.next() {
        Some("Ki" | "KiB") => 10,
        Some("Mi" | "MiB") => 20,
        Some("GiB") => 30,
        Some("TiB") => 40,
        _ => 0,
    };
    number << power
}

#[test]
fn the_table_has_every_bound_and_its_number() {
    let mut constants = constants();
    assert!(constants.len() > 50, "only {} were found: the test reads them wrongly", constants.len());
    // What is counted in KiB is not counted in bytes.
    *constants.get_mut("unpacking::MOST_XZ_MEMORY").unwrap() <<= 10;
    let table = text("../docs/limits.md");
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [what, limit, _, constant] = cells[..] else { return None };
        Some((constant.strip_prefix('`')?.strip_suffix('`')?.to_owned(), (what.to_owned(), told(limit))))
    });
    let rows: BTreeMap<_, _> = rows.collect();
    for (name, value) in &constants {
        let (what, told) = rows.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(told, value, "{what}: {name}");
    }
    let unknown: Vec<_> = rows.keys().filter(|name| !constants.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "there are no such constants: {unknown:?}");
}
