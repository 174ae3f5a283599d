//! What the rules look at, and what they tell.

use crate::package::Finding;
use crate::package::descriptor::Version;
use crate::package::ovf::sections::{self, kind};
use crate::package::ovf::system::{items, setting};
use crate::package::ovf::text::{quoted, shortened};
use crate::package::ovf::tree::Element;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Findings that are told; one mistake in a program that writes descriptors is in all that it writes.
const MOST: usize = 1000;

/// What is made of a descriptor that is wrong by the schema.
pub(super) const STRICT: &str = "VMware: the descriptor does not validate";
/// What is made of one that contradicts itself.
pub(super) const UNCLEAR: &str = "importers refuse it, or each makes something else of it";

/// A descriptor, by its parts.
pub(super) struct Case<'a> {
    pub(super) envelope: &'a Element,
    pub(super) version: Version,
    pub(super) files: Vec<&'a Element>,
    pub(super) disks: Vec<&'a Element>,
    pub(super) networks: Vec<&'a Element>,
    pub(super) configurations: Vec<&'a Element>,
    /// Machines and collections.
    pub(super) contents: Vec<&'a Element>,
    /// Sections of hardware.
    pub(super) hardware: Vec<&'a Element>,
    /// The items of each.
    pub(super) items: Vec<Vec<&'a Element>>,
}

impl<'a> Case<'a> {
    pub(super) fn new(envelope: &'a Element, version: Version) -> Self {
        let contents = sections::contents(envelope);
        let in_sections = |section: &'static str, name: &'static str| {
            sections::those(envelope, section).flat_map(|section| section.children(name)).collect()
        };
        let of_content = |content: &&'a Element| sections::those(content, "VirtualHardwareSection");
        let hardware: Vec<_> = contents.iter().flat_map(of_content).collect();
        Case {
            envelope,
            version,
            files: envelope.children("References").flat_map(|list| list.children("File")).collect(),
            disks: in_sections("DiskSection", "Disk"),
            networks: in_sections("NetworkSection", "Network"),
            configurations: in_sections("DeploymentOptionSection", "Configuration"),
            contents,
            items: hardware.iter().map(|section| items(section).collect()).collect(),
            hardware,
        }
    }

    /// The items of all sections of hardware.
    pub(super) fn all_items(&self) -> impl Iterator<Item = &'a Element> {
        self.items.iter().flatten().copied()
    }

    /// Whether rules of 1.x and 2.x hold: 0.9 has a schema of its own.
    pub(super) fn is_of_dmtf(&self) -> bool {
        self.version != Version::V0
    }
}

/// What was found.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
}

impl Findings {
    /// `at` is wrong by the specification.
    pub(super) fn broken(&mut self, at: &Element, message: impl Into<String>, effect: impl Into<String>) {
        self.add(at, message.into(), effect.into(), true);
    }

    /// `at` is right, and refused by some.
    pub(super) fn refused(&mut self, at: &Element, message: impl Into<String>, effect: impl Into<String>) {
        self.add(at, message.into(), effect.into(), false);
    }

    fn add(&mut self, at: &Element, message: String, effect: String, broken: bool) {
        if self.list.len() < MOST {
            self.list.push(Finding { place: place(at), message, effect, broken });
        }
    }
}

/// Tells of each of `elements` whose `key` one before it has already; none has no key.
pub(super) fn twice<'a>(
    elements: &[&'a Element],
    key: impl Fn(&'a Element) -> Option<&'a str>,
    mut tell: impl FnMut(&'a Element, &str, &'a Element),
) {
    let mut seen: BTreeMap<&str, &Element> = BTreeMap::new();
    for element in elements {
        let Some(key) = key(element) else { continue };
        match seen.get(key) {
            Some(first) => tell(element, key, first),
            None => {
                seen.insert(key, element);
            }
        }
    }
}

/// An element by its kind, by what it is called where it is called something, and its line.
fn place(element: &Element) -> String {
    let named = ["id", "diskId", "name", "key", "class"].iter().find_map(|name| element.attribute(name));
    let name = named.or_else(|| setting(element, "InstanceID")).map(quoted).unwrap_or_default();
    let space = if name.is_empty() { "" } else { " " };
    format!("{}{space}{name} (line {})", called(element), element.place.line)
}

/// What an element is called in messages: by its kind where its name says nothing.
pub(super) fn called(element: &Element) -> Cow<'_, str> {
    match kind(element) {
        "" => shortened(&element.name),
        kind => shortened(kind),
    }
}
