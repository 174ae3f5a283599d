//! The text of a descriptor: from its bytes, and into messages.

use crate::error::{Error, Result};
use crate::limits::ovf::LONGEST_DESCRIPTOR;
use std::borrow::Cow;

/// Characters of a descriptor that a message repeats at most.
const LONGEST_QUOTE: usize = 80;

/// The text of a document: UTF-8, UTF-16 or, where the document says so, Latin-1.
///
/// # Errors
/// `Corrupt` where the bytes are none of these or hold characters that XML does not allow, `Unsupported` where the
/// document names another encoding.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>> {
    if bytes.len() > LONGEST_DESCRIPTOR {
        return Err(Error::corrupt(format!(
            "a descriptor of {} bytes is longer than {LONGEST_DESCRIPTOR}",
            bytes.len()
        )));
    }
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        [b'<', 0, ..] => Cow::Owned(utf16(bytes, u16::from_le_bytes)?),
        [0, b'<', ..] => Cow::Owned(utf16(bytes, u16::from_be_bytes)?),
        _ => declared(bytes)?,
    };
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        None => Ok(text),
        Some((at, c)) => {
            let before = text.get(..at).unwrap_or_default();
            let what = format!("the character U+{:04X}, which XML does not allow", u32::from(c));
            Err(Error::corrupt(format!("{}: {what}", place_behind(before))))
        }
    }
}

/// Whether a document may hold `c`: XML 1.0, section 2.2.
pub(super) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// `text` in quotes for a message, its beginning where it is long.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

/// `text`, its beginning where it is long.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_QUOTE) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", text.get(..end).unwrap_or_default())),
    }
}

/// The text in the encoding that its declaration names, which is in ASCII.
fn declared(bytes: &[u8]) -> Result<Cow<'_, str>> {
    let Some(name) = declared_name(bytes) else { return utf8(bytes) };
    match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => utf8(bytes),
        "iso-8859-1" | "latin1" | "latin-1" => Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())),
        _ => Err(Error::unsupported(format!("line 1: the descriptor is in the encoding {}", quoted(&name)))
            .with_hint("write it in UTF-8, with iconv for instance")),
    }
}

/// What the declaration at the beginning calls the encoding: `<?xml version="1.0" encoding="UTF-8"?>`.
fn declared_name(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes));
    let declaration = head.strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value.get(1..)?.split(quote).next().map(str::to_owned)
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let place = place_behind(&String::from_utf8_lossy(before));
        Error::corrupt(format!("{place}: bytes that are no UTF-8")).with_hint("name the encoding, or write it in UTF-8")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match c {
            Ok(c) => text.push(c),
            Err(_) => return Err(Error::corrupt(format!("{}: half a character of UTF-16", place_behind(&text)))),
        }
    }
    if !rest.is_empty() {
        return Err(Error::corrupt(format!("{}: half a unit of UTF-16", place_behind(&text))));
    }
    Ok(text)
}

/// The place behind `text`, for messages.
fn place_behind(text: &str) -> String {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}")
}
