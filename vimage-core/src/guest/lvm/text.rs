//! The text in which LVM keeps its metadata: names and values, in sections within sections.
//!
//! The grammar is that of lvm.conf(5), as far as metadata uses it.

use crate::error::{Error, Result};
use crate::limits::guests::{DEEPEST_LVM_SECTION, MOST_LVM_VALUES};
use std::collections::BTreeMap;

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'t> {
    Number(u64),
    /// A string as it is written, with its escapes.
    Text(&'t str),
    List(Vec<Value<'t>>),
    Section(Section<'t>),
    /// A number that is negative or has a fraction.
    Other,
}

/// The names of a section and what they stand for.
pub(super) type Section<'t> = BTreeMap<&'t str, Value<'t>>;

/// Takes a text apart.
///
/// # Errors
/// `Corrupt` where it does not follow the grammar, `Unsupported` where it has more values than any group.
pub(super) fn parse(text: &str) -> Result<Section<'_>> {
    let mut parser = Parser { text, at: 0, values: 0 };
    let section = parser.section(0)?;
    match parser.peek() {
        None => Ok(section),
        Some(_) => Err(parser.fault("a section ends that has not begun")),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    values: usize,
}

impl<'t> Parser<'t> {
    fn fault(&self, what: &str) -> Error {
        Error::corrupt(format!("LVM's metadata: {what} at byte {} of the text", self.at))
    }

    /// The next byte that is neither white space nor comment, without taking it.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'#' => {
                    let rest = &bytes[self.at..];
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Takes the next byte if it is `wanted`.
    fn takes(&mut self, wanted: u8) -> bool {
        let is = self.peek() == Some(wanted);
        self.at += usize::from(is);
        is
    }

    /// Reads up to the brace that ends the section, or to the end of the text.
    fn section(&mut self, depth: usize) -> Result<Section<'t>> {
        let mut section = Section::new();
        loop {
            let name = match self.peek() {
                None | Some(b'}') => return Ok(section),
                Some(b'"') => self.string()?,
                Some(_) => self.bare()?,
            };
            let value = if self.takes(b'=') {
                self.value(depth)?
            } else if self.takes(b'{') && depth < DEEPEST_LVM_SECTION {
                let inner = self.section(depth + 1)?;
                if !self.takes(b'}') {
                    return Err(self.fault("a section has no end"));
                }
                self.count()?;
                Value::Section(inner)
            } else {
                return Err(self.fault("a name stands for nothing"));
            };
            if section.insert(name, value).is_some() {
                return Err(self.fault("a name stands for two things"));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'t>> {
        self.count()?;
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'[') if depth < DEEPEST_LVM_SECTION => {
                self.at += 1;
                let mut list = Vec::new();
                while !self.takes(b']') {
                    list.push(self.value(depth + 1)?);
                    if !self.takes(b',') && self.peek() != Some(b']') {
                        return Err(self.fault("a list has no end"));
                    }
                }
                Ok(Value::List(list))
            }
            Some(b'+' | b'-' | b'.' | b'0'..=b'9') => Ok(self.bare()?.parse().map_or(Value::Other, Value::Number)),
            _ => Err(self.fault("there is no value")),
        }
    }

    fn count(&mut self) -> Result<()> {
        self.values += 1;
        match self.values <= MOST_LVM_VALUES {
            true => Ok(()),
            false => Err(Error::unsupported(format!("LVM's metadata has more than {MOST_LVM_VALUES} values"))),
        }
    }

    /// What stands between quotes.
    fn string(&mut self) -> Result<&'t str> {
        let start = self.at + 1;
        let mut escaped = false;
        for (index, byte) in self.text.as_bytes()[start..].iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at = start + index + 1;
                    // Both ends are at bytes of ASCII.
                    return Ok(&self.text[start..start + index]);
                }
                _ => {}
            }
        }
        Err(self.fault("a string has no end"))
    }

    /// A name or a number.
    fn bare(&mut self) -> Result<&'t str> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.+-/@".contains(byte);
        let rest = &self.text.as_bytes()[self.at..];
        let len = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        if len == 0 {
            return Err(self.fault("something that is no name"));
        }
        let start = self.at;
        self.at += len;
        Ok(&self.text[start..self.at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_text_is_taken_apart() {
        let text = "# made by hand\nvg-0.a {\n\tid = \"a\\\"b\"\n\tlist = [\"x\", 7, -1]\n\tempty = []\n\tin { n = 1 }\n}\nv = 1\n";
        let section = parse(text).unwrap();
        let Value::Section(group) = &section["vg-0.a"] else { panic!("{section:?}") };
        assert_eq!(group["id"], Value::Text("a\\\"b"));
        assert_eq!(group["list"], Value::List(vec![Value::Text("x"), Value::Number(7), Value::Other]));
        assert_eq!(group["empty"], Value::List(vec![]));
        assert_eq!(group["in"], Value::Section([("n", Value::Number(1))].into()));
        assert_eq!(section["v"], Value::Number(1));
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        for text in
            ["a", "a =", "a = [", "a = [1 2]", "a = \"x", "a {", "a { }}", "}", "= 1", "a = 1 a = 2", "a = @", "ü = 1"]
        {
            assert_eq!(parse(text).map_err(|error| error.kind()), Err(ErrorKind::Corrupt), "{text}");
        }
        let deep = |open: &str, close: &str| format!("a {}{}", open.repeat(100_000), close.repeat(100_000));
        assert!(parse(&deep("{ a ", "}")).is_err());
        assert!(parse(&deep("= [", "]")).is_err());
        assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
        let many = format!("a = [{}]", "1,".repeat(MOST_LVM_VALUES));
        assert_eq!(parse(&many).map_err(|error| error.kind()), Err(ErrorKind::Unsupported));
    }
}
