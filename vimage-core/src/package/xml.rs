//! XML being written, of what XML can hold.

use crate::error::{Error, Result};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// An attribute: its name and its value.
pub(super) type Attribute<'a> = (&'a str, &'a str);

/// A document that grows at its end.
pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document that says it is UTF-8.
    pub(super) fn new() -> Result<Self> {
        let mut xml = Xml(Writer::new_with_indent(Vec::new(), b' ', 2));
        xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(xml)
    }

    /// One without that line: a part of another document, or what is read by a parser that wants none.
    pub(super) fn bare() -> Self {
        Xml(Writer::new_with_indent(Vec::new(), b' ', 2))
    }

    /// An element with what `inner` writes in it.
    ///
    /// # Errors
    /// `Usage` for a character that XML has no way to write; and those of `inner`.
    pub(super) fn element(
        &mut self,
        name: &str,
        attributes: &[Attribute<'_>],
        inner: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.event(Event::Start(start(name, attributes)?))?;
        inner(self)?;
        self.event(Event::End(BytesEnd::new(name)))
    }

    /// An element with nothing in it.
    pub(super) fn empty(&mut self, name: &str, attributes: &[Attribute<'_>]) -> Result<()> {
        self.event(Event::Empty(start(name, attributes)?))
    }

    /// An element with text in it.
    pub(super) fn text(&mut self, name: &str, text: &str) -> Result<()> {
        self.text_with(name, &[], text)
    }

    /// An element with attributes, and text in it.
    pub(super) fn text_with(&mut self, name: &str, attributes: &[Attribute<'_>], text: &str) -> Result<()> {
        writable(text)?;
        self.event(Event::Start(start(name, attributes)?))?;
        self.event(Event::Text(BytesText::new(text)))?;
        self.event(Event::End(BytesEnd::new(name)))
    }

    /// An element with text in it, where there is a text.
    pub(super) fn text_if(&mut self, name: &str, text: Option<&str>) -> Result<()> {
        text.map_or(Ok(()), |text| self.text(name, text))
    }

    /// The document.
    pub(super) fn finish(self) -> Result<String> {
        let mut bytes = self.0.into_inner();
        bytes.push(b'\n');
        String::from_utf8(bytes).map_err(|error| Error::usage(error.to_string()))
    }

    fn event(&mut self, event: Event<'_>) -> Result<()> {
        self.0.write_event(event).map_err(|cause| Error::io("cannot write XML", cause))
    }
}

fn start<'a>(name: &'a str, attributes: &[Attribute<'a>]) -> Result<BytesStart<'a>> {
    attributes.iter().try_for_each(|(_, value)| writable(value))?;
    Ok(BytesStart::new(name).with_attributes(attributes.iter().copied()))
}

/// Whether XML 1.0 can hold `c` (its section 2.2, Char): not most control characters, and not U+FFFE and U+FFFF.
pub(super) fn held(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Checks that XML 1.0 has all characters of `text`: not even references can bring in the others.
fn writable(text: &str) -> Result<()> {
    let bad = text.chars().find(|&c| !held(c));
    bad.map_or(Ok(()), |bad| {
        Err(Error::usage(format!("XML cannot hold the character U+{:04X} of {text:?}", u32::from(bad)))
            .with_hint("take it out of the appliance's description"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_a_parser_would_change_is_escaped() {
        let mut xml = Xml::bare();
        xml.text_with("a", &[("b", "<\"'&\r\n\t>")], "<\"'&\r\n\t>").unwrap();
        let expected = "<a b=\"&lt;&quot;&apos;&amp;&#13;&#10;&#9;&gt;\">&lt;&quot;&apos;&amp;&#13;\n\t&gt;</a>\n";
        assert_eq!(xml.finish().unwrap(), expected);
    }

    #[test]
    fn what_xml_cannot_hold_is_an_error() {
        for text in ["\0", "a\u{1b}[0m", "\u{fffe}", "\u{1f}"] {
            let mut xml = Xml::bare();
            assert_eq!(xml.text("a", text).unwrap_err().kind(), ErrorKind::Usage);
            assert_eq!(xml.empty("a", &[("b", text)]).unwrap_err().kind(), ErrorKind::Usage);
        }
        for text in ["", "\t\n\r", "\u{7f}", "\u{85}", "\u{fffd}", "虚拟机 \u{1f600}"] {
            Xml::bare().text("a", text).unwrap();
        }
    }
}
