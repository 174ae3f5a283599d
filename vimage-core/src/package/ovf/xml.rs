//! From XML to a tree of bounded size.
//!
//! There are no document types here and so no entities but the five of XML itself: what a text expands to is never longer
//! than the text. Everything that could grow has a limit, and going over one is an error with its line.

use super::text;
use super::tree::{Attribute, Element, Place, Space};
use crate::error::{Error, Result};
use crate::limits::ovf::{DEEPEST_ELEMENT, MOST_ATTRIBUTES, MOST_ATTRIBUTES_IN_ALL, MOST_ELEMENTS, MOST_NAMESPACES};
use quick_xml::XmlVersion;
use quick_xml::events::attributes::{AttrError, Attribute as RawAttribute};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, QName, ResolveResult};
use quick_xml::reader::NsReader;

/// The element that is the document `bytes`.
///
/// # Errors
/// `Corrupt` with line and column where it is not well-formed or past a limit, `Refused` where it has a document type,
/// `Unsupported` for an encoding other than UTF-8, UTF-16 and Latin-1.
pub(super) fn parse(bytes: &[u8]) -> Result<Element> {
    let text = text::decode(bytes)?;
    Builder::new(&text).build()
}

/// A tree being made.
struct Builder<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    /// Where the piece of the document begins that is being looked at, in bytes.
    start: usize,
    walked: Walked,
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    attributes: usize,
}

/// How far lines and columns have been counted.
struct Walked {
    to: usize,
    place: Place,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().check_comments = true;
        reader.resolver_mut().set_max_namespace_bindings(MOST_NAMESPACES);
        let walked = Walked { to: 0, place: Place { line: 1, column: 1 } };
        Builder { text, reader, start: 0, walked, open: Vec::new(), root: None, elements: 0, attributes: 0 }
    }

    fn build(mut self) -> Result<Element> {
        loop {
            self.start = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            match self.reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(event) => self.take(event)?,
                Err(error) => {
                    let at = usize::try_from(self.reader.error_position()).unwrap_or(usize::MAX);
                    self.start = self.start.max(at);
                    return Err(self.fault(&error.to_string()));
                }
            }
        }
        if let Some(open) = self.open.last() {
            let what = format!("the element {} of {} has no end", text::quoted(&open.name), open.place);
            return Err(self.fault(&what));
        }
        match self.root.take() {
            Some(root) => Ok(root),
            None => Err(self.fault("there is no element")),
        }
    }

    fn take(&mut self, event: Event<'a>) -> Result<()> {
        match event {
            Event::Start(start) | Event::Empty(start) => self.open(&start),
            Event::End(_) => {
                self.close();
                Ok(())
            }
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let text = self.reference(&reference)?;
                self.text(text.encode_utf8(&mut [0; 4]))
            }
            Event::DocType(_) => {
                let place = self.place();
                Err(Error::refused(format!("{place}: a document type, which descriptors have no use for"))
                    .with_hint("entities can name other files or grow without end: remove the <!DOCTYPE ...>"))
            }
            Event::Decl(_) if self.start > 0 => Err(self.fault("the XML declaration is not at the beginning")),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<()> {
        self.elements += 1;
        if self.elements > MOST_ELEMENTS {
            return Err(self.fault(&format!("there are more than {MOST_ELEMENTS} elements")));
        }
        if self.open.len() >= DEEPEST_ELEMENT {
            return Err(self.fault(&format!("elements are within each other more than {DEEPEST_ELEMENT} deep")));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.fault("there is a second element behind the first"));
        }
        let name = start.name();
        let space = self.space(name, true)?;
        let attributes = self.read_attributes(start)?;
        let (name, place) = (name.local_name().as_ref().to_owned(), self.place());
        self.open.push(Element { space, name, attributes, children: Vec::new(), text: String::new(), place });
        Ok(())
    }

    /// The namespace of `name`, which is an element's or an attribute's.
    fn space(&mut self, name: QName<'_>, element: bool) -> Result<Space> {
        let well_named = |part: &str| {
            let starts = part.starts_with(|c: char| c.is_alphabetic() || c == '_');
            starts && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{b7}'))
        };
        let (local, prefix) = name.decompose();
        if !well_named(local.as_ref()) || prefix.is_some_and(|prefix| !well_named(prefix.as_ref())) {
            return Err(self.fault(&format!("{} is no name", text::quoted(name.as_ref()))));
        }
        let resolver = self.reader.resolver();
        let resolved = if element { resolver.resolve_element(name) } else { resolver.resolve_attribute(name) };
        match resolved.0 {
            ResolveResult::Unbound => Ok(Space::None),
            ResolveResult::Bound(uri) => Ok(Space::of(uri.as_ref())),
            ResolveResult::Unknown(prefix) => {
                let prefix = text::quoted(&prefix);
                Err(self.fault(&format!("no namespace is declared for the prefix {prefix}")))
            }
        }
    }

    fn read_attributes(&mut self, start: &BytesStart<'_>) -> Result<Vec<Attribute>> {
        let mut found: Vec<Attribute> = Vec::new();
        for (number, attribute) in start.attributes().enumerate() {
            if number >= MOST_ATTRIBUTES {
                return Err(self.fault(&format!("an element has more than {MOST_ATTRIBUTES} attributes")));
            }
            let attribute = attribute.map_err(|error| self.fault(&attribute_fault(&error)))?;
            let value = self.attribute_value(&attribute)?;
            if is_declaration(attribute.key) {
                continue;
            }
            let (space, name) = (self.space(attribute.key, false)?, attribute.key.local_name());
            // Two prefixes may stand for one namespace. Of the others only the same prefix counts.
            let same = |other: &Attribute| space != Space::Other && other.space == space && other.name == name.as_ref();
            if found.iter().any(same) {
                let name = text::quoted(name.as_ref());
                return Err(self.fault(&format!("the attribute {name} is there twice")));
            }
            found.push(Attribute { space, name: name.as_ref().to_owned(), value });
        }
        self.attributes += found.len();
        if self.attributes > MOST_ATTRIBUTES_IN_ALL {
            return Err(self.fault(&format!("there are more than {MOST_ATTRIBUTES_IN_ALL} attributes")));
        }
        Ok(found)
    }

    fn attribute_value(&mut self, attribute: &RawAttribute<'_>) -> Result<String> {
        if attribute.value.contains('<') {
            return Err(self.fault("a \"<\" is in the value of an attribute"));
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| self.fault(&error.to_string()))?;
        match value.chars().find(|c| !text::is_allowed(*c)) {
            Some(_) => Err(self.fault("a reference stands for a character that XML does not allow")),
            None => Ok(value.into_owned()),
        }
    }

    /// The character that a reference in a text stands for.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<char> {
        match reference.as_ref() {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            other => match reference.resolve_char_ref() {
                Ok(Some(c)) if text::is_allowed(c) => Ok(c),
                _ => Err(self.fault(&format!("there is no entity &{};", text::shortened(other)))),
            },
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        match self.open.last_mut() {
            Some(open) => open.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(self.fault("there is text outside of all elements")),
        }
        Ok(())
    }

    fn close(&mut self) {
        let Some(mut closed) = self.open.pop() else { return };
        closed.text.shrink_to_fit();
        match self.open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => self.root = Some(closed),
        }
    }

    /// Where the piece begins that is being looked at. Each character is passed once, however often this is asked.
    fn place(&mut self) -> Place {
        let Walked { to, place } = &mut self.walked;
        let passed = self.text.get(*to..self.start).unwrap_or_default();
        for c in passed.chars() {
            *place = match c {
                '\n' => Place { line: place.line.saturating_add(1), column: 1 },
                _ => Place { column: place.column.saturating_add(1), ..*place },
            };
        }
        *to = self.start.max(*to);
        *place
    }

    fn fault(&mut self, what: &str) -> Error {
        Error::corrupt(format!("{}: {what}", self.place()))
    }
}

/// Whether `name` is `xmlns` or `xmlns:…`.
fn is_declaration(name: QName<'_>) -> bool {
    matches!(name.as_namespace_binding(), Some(PrefixDeclaration::Default | PrefixDeclaration::Named(_)))
}

/// What is wrong with an attribute. The positions within an element that the parser gives are left out.
fn attribute_fault(error: &AttrError) -> String {
    match error {
        AttrError::Duplicated(..) => "an attribute is there twice",
        AttrError::ExpectedEq(_) => "an attribute has no \"=\"",
        AttrError::ExpectedValue(_) => "an attribute has no value",
        AttrError::UnquotedValue(_) => "an attribute's value is not in quotes",
        AttrError::ExpectedQuote(..) => "an attribute's value has no closing quote",
    }
    .to_owned()
}
