//! The values of a section, by name and kind.

use super::text::{Section, Value};
use crate::error::{Error, Result};

/// Bytes of what LVM counts in.
const SECTOR: u64 = 512;

/// A fault of the metadata, which `what`.
pub(super) fn bad(what: &str) -> Error {
    Error::corrupt(format!("LVM's metadata {what}"))
}

/// The sections in a section, with their names.
pub(super) fn sections<'s, 't>(section: &'s Section<'t>) -> impl Iterator<Item = (&'t str, &'s Section<'t>)> {
    section.iter().filter_map(|(name, value)| match value {
        Value::Section(inner) => Some((*name, inner)),
        _ => None,
    })
}

/// The section of a name; none where there is none.
pub(super) fn section<'s, 't>(section: &'s Section<'t>, name: &str) -> Option<&'s Section<'t>> {
    match section.get(name) {
        Some(Value::Section(inner)) => Some(inner),
        _ => None,
    }
}

/// A string that must be there.
pub(super) fn string<'t>(section: &Section<'t>, name: &str) -> Result<&'t str> {
    match section.get(name) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(bad(&format!("does not say {name}"))),
    }
}

/// A number that must be there.
pub(super) fn number(section: &Section<'_>, name: &str) -> Result<u64> {
    match section.get(name) {
        Some(Value::Number(number)) => Ok(*number),
        _ => Err(bad(&format!("does not say {name}"))),
    }
}

/// A number of sectors, in bytes.
pub(super) fn sectors(section: &Section<'_>, name: &str) -> Result<u64> {
    number(section, name)?.checked_mul(SECTOR).ok_or_else(|| bad(&format!("has no sensible {name}")))
}

/// A list of strings; none where there is no list.
pub(super) fn strings<'t>(section: &Section<'t>, name: &str) -> Result<Vec<&'t str>> {
    let list = match section.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::List(list)) => list,
        Some(_) => return Err(bad(&format!("has no list as {name}"))),
    };
    let text = |value: &Value<'t>| match value {
        Value::Text(text) => Ok(*text),
        _ => Err(bad(&format!("has a list as {name} that is not of names"))),
    };
    list.iter().map(text).collect()
}

/// Makes sure that a list has nothing but what is `known`.
pub(super) fn only(section: &Section<'_>, name: &str, known: &[&str], whose: &str) -> Result<()> {
    match strings(section, name)?.iter().find(|text| !known.contains(text)) {
        Some(text) => Err(Error::unsupported(format!("{whose} is {}", text.to_lowercase()))),
        None => Ok(()),
    }
}

/// All strings within a value.
pub(super) fn texts<'t>(value: &Value<'t>, found: &mut Vec<&'t str>) {
    match value {
        Value::Text(text) => found.push(text),
        Value::List(list) => list.iter().for_each(|value| texts(value, found)),
        Value::Section(section) => section.values().for_each(|value| texts(value, found)),
        Value::Number(_) | Value::Other => {}
    }
}
