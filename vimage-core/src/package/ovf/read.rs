//! An OVF descriptor's values.

use super::sections;
use super::system::system;
use super::tree::Element;
use super::units::{bytes_of, whole};
use crate::error::{Error, Result};
use crate::limits::ovf::LONGEST_DESCRIPTOR;
use crate::package::descriptor::{Descriptor, Disk, File};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Reads a descriptor of any version: 0.9, 1.x and 2.x, of UTF-8, UTF-16 or Latin-1, of at most 16 MiB.
///
/// What is there is read, and what is missing or cannot be understood is left out: an unreadable number is none, a missing
/// identifier is empty. [`rules`](super::rules) tells of these.
///
/// # Errors
/// `Corrupt` with line and column where it is not well-formed, no OVF, or past a limit (64 elements within each other,
/// 100,000 elements, 64 attributes of an element); `Refused` where it has a document type; `Unsupported` for another encoding.
pub fn read(text: &[u8]) -> Result<Descriptor> {
    let (envelope, version) = sections::envelope(text)?;
    let texts = Texts::of(&envelope);
    let properties = defaults(&envelope);
    let disks = sections::those(&envelope, "DiskSection").flat_map(|section| section.children("Disk"));
    let networks = sections::those(&envelope, "NetworkSection").flat_map(|section| section.children("Network"));
    let found = Descriptor {
        version,
        files: envelope.children("References").flat_map(|list| list.children("File")).map(file).collect(),
        disks: disks.map(|element| disk(element, &properties)).collect(),
        networks: networks.filter_map(|network| owned(network, "name")).collect(),
        configurations: configurations(&envelope),
        systems: sections::systems(&envelope).into_iter().map(|element| system(element, &texts)).collect(),
        collection: sections::those(&envelope, "VirtualSystemCollection").next().is_some(),
    };
    texts.check().map(|()| found)
}

/// The texts that stand elsewhere in the descriptor, by their identifiers (DSP0243, section 10).
pub(super) struct Texts<'a> {
    by_identifier: BTreeMap<&'a str, &'a str>,
    /// Bytes that may still be taken from there: one text can be named often.
    left: Cell<Option<usize>>,
}

impl<'a> Texts<'a> {
    /// Those of the first language of `envelope`.
    fn of(envelope: &'a Element) -> Self {
        let messages = envelope.child("Strings").into_iter().flat_map(|strings| strings.children("Msg"));
        let named = messages.filter_map(|message| Some((message.attribute("msgid")?, message.trimmed())));
        Texts { by_identifier: named.collect(), left: Cell::new(Some(LONGEST_DESCRIPTOR)) }
    }

    /// The text of `element`: what is in it, or what it names.
    pub(super) fn text(&self, element: &'a Element) -> Option<String> {
        let own = element.trimmed();
        if !own.is_empty() {
            return Some(own.to_owned());
        }
        let named = self.by_identifier.get(element.attribute("msgid")?)?;
        self.left.set(self.left.get()?.checked_sub(named.len()));
        self.left.get().map(|_| (*named).to_owned())
    }

    /// That not more was taken than may be.
    fn check(&self) -> Result<()> {
        let taken = || {
            Error::corrupt(format!(
                "line 1: texts that are named more than once are over {LONGEST_DESCRIPTOR} bytes in all"
            ))
        };
        self.left.get().map(|_| ()).ok_or_else(taken)
    }
}

fn file(element: &Element) -> File {
    let compression = owned(element, "compression");
    File {
        id: owned(element, "id").unwrap_or_default(),
        href: owned(element, "href").unwrap_or_default(),
        size: element.attribute("size").and_then(whole),
        compression: compression.filter(|kind| !kind.is_empty() && kind != "identity"),
        chunk_size: element.attribute("chunkSize").and_then(whole).filter(|size| *size > 0),
    }
}

fn disk(element: &Element, properties: &BTreeMap<String, String>) -> Disk {
    Disk {
        id: owned(element, "diskId").unwrap_or_default(),
        file: owned(element, "fileRef").filter(|file| !file.is_empty()),
        capacity: capacity(element, properties),
        format: owned(element, "format"),
        populated: element.attribute("populatedSize").and_then(whole),
        parent: owned(element, "parentRef").filter(|parent| !parent.is_empty()),
    }
}

/// Bytes of a disk (DSP0243, section 9.1): a number of units, which a property may give.
fn capacity(disk: &Element, properties: &BTreeMap<String, String>) -> Option<u64> {
    let said = disk.attribute("capacity")?.trim();
    let number = match property_named(said) {
        Some(key) => whole(properties.get(key)?.trim())?,
        None => whole(said)?,
    };
    number.checked_mul(disk.attribute("capacityAllocationUnits").map_or(Some(1), bytes_of)?)
}

/// The key in `${key}`.
pub(super) fn property_named(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}')
}

/// What properties are where nobody says otherwise, by their whole keys and by their own alone; the first of a name counts.
fn defaults(envelope: &Element) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for content in sections::contents(envelope) {
        for section in sections::those(content, "ProductSection") {
            for property in section.children("Property") {
                let of_child = || property.child("Value")?.attribute("value");
                let own = property.attribute("value").filter(|value| !value.is_empty());
                if let (Some(key), Some(value)) = (owned(property, "key"), own.or_else(of_child)) {
                    found.entry(sections::property_key(section, property)).or_insert_with(|| value.to_owned());
                    found.entry(key).or_insert_with(|| value.to_owned());
                }
            }
        }
    }
    found
}

/// The variants' identifiers, the default first: the one that says so, or else the first (DSP0243, section 9.8).
fn configurations(envelope: &Element) -> Vec<String> {
    let sections = sections::those(envelope, "DeploymentOptionSection");
    let listed: Vec<&Element> = sections.flat_map(|section| section.children("Configuration")).collect();
    let is_default = |element: &&&Element| matches!(element.attribute("default"), Some("true" | "1"));
    let default = listed.iter().find(is_default).copied();
    let others =
        listed.iter().copied().filter(|element| default.is_none_or(|default| !std::ptr::eq(*element, default)));
    default.into_iter().chain(others).filter_map(|element| owned(element, "id")).collect()
}

/// An attribute's value.
pub(super) fn owned(element: &Element, name: &str) -> Option<String> {
    element.attribute(name).map(str::to_owned)
}
