//! Where in the text a key is, and which key is at a place of the text.

use super::at_line;
use super::nearest::nearest;
use crate::error::{Error, Result};
use crate::package::check::{Fault, Key, Step};
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

/// A description's text, as TOML.
pub(super) struct Source<'a> {
    text: &'a str,
    tree: Spanned<DeTable<'a>>,
}

impl<'a> Source<'a> {
    /// Reads the text as TOML.
    ///
    /// # Errors
    /// `Usage`, with the line.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        match DeTable::parse(text) {
            Ok(tree) => Ok(Source { text, tree }),
            Err(error) => Err(not_toml(text, &error)),
        }
    }

    /// The values of its keys.
    ///
    /// # Errors
    /// `Usage`, with line and key, for keys that are unknown or missing and for values of another type.
    pub(super) fn fields<T: Deserialize<'a>>(&self) -> Result<T> {
        T::deserialize(Deserializer::from(self.tree.clone())).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let Reworded { below, message, hint } = reworded(error.message());
            let mut key = self.key_at(&span);
            key.extend(below);
            let place = if key.is_empty() { String::new() } else { key.join(".") + ": " };
            at_line(line(self.text, span.start), place + &message)
                .with_hint(hint.unwrap_or_else(|| "docs/appliance.md has all keys".into()))
        })
    }

    /// The error for a fault of one of its keys.
    pub(super) fn error(&self, fault: Fault) -> Error {
        let line = line(self.text, self.offset(&fault.key));
        let error = at_line(line, format!("{}: {}", fault.key.names(), fault.message));
        match fault.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Where `key` is, or what is around it where it is not there.
    fn offset(&self, key: &Key) -> usize {
        let mut offset = 0;
        let mut table = Some(self.tree.get_ref());
        let mut array: Option<&DeArray<'a>> = None;
        for step in &key.0 {
            let found = match step {
                Step::Name(name) => table.and_then(|table| entry(table, name)),
                Step::Nth(index) => array.and_then(|array| array.get(*index)).map(|value| (value.span().start, value)),
            };
            let Some((start, value)) = found else { break };
            offset = start;
            table = value.get_ref().as_table();
            array = value.get_ref().as_array();
        }
        offset
    }

    /// The names on the way to the key whose name or value is at `span`; none where there is no such key.
    fn key_at(&self, span: &Range<usize>) -> Vec<String> {
        let mut rest: Vec<(Vec<String>, &DeValue<'a>)> = Vec::new();
        let mut next = Some((Vec::new(), Some(self.tree.get_ref()), None));
        while let Some((names, table, array)) = next {
            for (key, value) in table.into_iter().flatten() {
                let names = [names.as_slice(), &[key.get_ref().to_string()]].concat();
                if key.span() == *span || value.span() == *span {
                    return names;
                }
                rest.push((names, value.get_ref()));
            }
            for value in array.into_iter().flat_map(|array: &DeArray<'a>| array.iter()) {
                if value.span() == *span {
                    return names;
                }
                rest.push((names.clone(), value.get_ref()));
            }
            next = rest.pop().map(|(names, value)| (names, value.as_table(), value.as_array()));
        }
        Vec::new()
    }
}

/// What is called `name` in a table, and where.
fn entry<'t, 'a>(table: &'t DeTable<'a>, name: &str) -> Option<(usize, &'t Spanned<DeValue<'a>>)> {
    let found = table.iter().find(|(key, _)| key.get_ref() == name);
    found.map(|(key, value)| (key.span().start, value))
}

/// The line, from one, of the byte at `offset`.
fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

/// The error for a text that is not TOML.
fn not_toml(text: &str, error: &toml::de::Error) -> Error {
    let span = error.span().unwrap_or(0..0);
    // What is wrong is shown where that is a word, such as a key that is there twice.
    let shown = text
        .get(span.clone())
        .filter(|shown| !shown.is_empty() && shown.len() <= LONGEST_SHOWN && !shown.contains('\n'));
    let what = shown.map(|shown| format!("{shown}: ")).unwrap_or_default();
    at_line(line(text, span.start), format!("{what}{}", error.message().replace('\n', " ")))
        .with_hint("a description is written in TOML: key = \"text\", key = 2, [table], [[list of tables]]")
}

/// Bytes of the longest piece of a description that an error shows.
const LONGEST_SHOWN: usize = 60;

/// What serde says, in words for people.
struct Reworded {
    /// A key that is not there, below the one at the error's place.
    below: Option<String>,
    message: String,
    hint: Option<String>,
}

/// What serde says of a key, in words for people.
fn reworded(message: &str) -> Reworded {
    let name = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
    let plain = |message: String| Reworded { below: None, message, hint: None };
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let (own, known) = rest.split_once(", expected ").unwrap_or((rest, ""));
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let near = nearest(&name(own), known.iter().copied());
        let hint = (!near.is_empty()).then(|| format!("the nearest: {}", near.join(", ")));
        return Reworded { hint, ..plain(format!("there is no such key ({})", known.join(", "))) };
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return Reworded { below: Some(name(rest)), ..plain("is missing".into()) };
    }
    let Some((found, wanted)) = message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    else {
        return plain(message.replace('\n', " "));
    };
    let wanted = match wanted {
        "a string" => "text in quotes",
        "a boolean" => "true or false",
        "i64" => "a whole number",
        "a sequence" => "a list",
        wanted if wanted.starts_with("struct ") || wanted == "a map" => "a table",
        wanted => wanted,
    };
    let found = match found {
        "map" if wanted == "a list" => "a table".into(),
        // Dates are maps to serde.
        "map" => "a table or a date".into(),
        "sequence" => "a list".into(),
        found => found.replace('`', ""),
    };
    let hint = match (wanted, found.as_str()) {
        ("a list", "a table") => Some("a list of tables has two brackets on each side: [[disk]]".into()),
        ("a list", _) => Some("a list is in brackets: [\"one\", \"two\"]".into()),
        _ => None,
    };
    Reworded { hint, ..plain(format!("has to be {wanted}, not {found}")) }
}
