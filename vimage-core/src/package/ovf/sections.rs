//! The sections of a descriptor, and what they are in: the same in all versions, however they are spelt.

use super::text::quoted;
use super::tree::{Element, Space};
use super::units::whole;
use super::xml;
use crate::error::{Error, Result};
use crate::limits::ovf::{LONGEST_CLASS, MOST_CLASSES};
use crate::package::descriptor::Version;

/// What a section or content is, as 1.x calls it. In 0.9 it is the `xsi:type` of a `Section` or `Content`:
/// `ovf:DiskSection_Type`.
pub(super) fn kind(element: &Element) -> &str {
    if !element.is_ovf() {
        return "";
    }
    let typed = matches!(element.name.as_str(), "Section" | "Content" | "EntityContent" | "EntitySection");
    let name = match element.attribute_in(Space::Schema, "type") {
        Some(kind) if typed => {
            let local = kind.trim().rsplit(':').next().unwrap_or_default();
            local.strip_suffix("_Type").unwrap_or(local)
        }
        _ => element.name.as_str(),
    };
    match name {
        "VirtualDiskSection" => "DiskSection",
        _ => name,
    }
}

/// Those of the children of `element` that are a `wanted` section or content.
pub(super) fn those<'a>(element: &'a Element, wanted: &'a str) -> impl Iterator<Item = &'a Element> {
    element.children.iter().filter(move |child| kind(child) == wanted)
}

/// Whether `element` is a machine or a collection of them.
pub(super) fn is_content(element: &Element) -> bool {
    matches!(kind(element), "VirtualSystem" | "VirtualSystemCollection")
}

/// The machines in `envelope`, in their order, those of collections within collections too.
pub(super) fn systems(envelope: &Element) -> Vec<&Element> {
    contents(envelope).into_iter().filter(|content| kind(content) == "VirtualSystem").collect()
}

/// The machines and collections in `envelope`, in their order, each collection before what is in it.
pub(super) fn contents(envelope: &Element) -> Vec<&Element> {
    let mut found = Vec::new();
    let mut left: Vec<&Element> = envelope.children.iter().rev().collect();
    while let Some(element) = left.pop() {
        if is_content(element) {
            found.push(element);
            left.extend(element.children.iter().rev());
        }
    }
    found
}

/// The envelope that is the document `bytes`, and its version: by its namespace or, where it has none, by what it says or
/// by that of the attributes in it.
///
/// # Errors
/// As [`xml::parse`]; `Corrupt` where it is no envelope of OVF, or past a limit.
pub(super) fn envelope(bytes: &[u8]) -> Result<(Element, Version)> {
    let envelope = xml::parse(bytes)?;
    let place = envelope.place;
    if envelope.name != "Envelope" {
        let name = quoted(&envelope.name);
        return Err(Error::corrupt(format!("{place}: the outermost element is {name}, not Envelope"))
            .with_hint("a descriptor of OVF is wanted"));
    }
    let said = envelope.attribute("version").unwrap_or_default();
    let version = match (envelope.space, said.split('.').next().and_then(whole)) {
        (Space::Ovf(version), _) => Some(version),
        (Space::None, Some(0)) => Some(Version::V0),
        (Space::None, Some(1)) => Some(Version::V1),
        (Space::None, Some(2)) => Some(Version::V2),
        (Space::None, None) => version_of_files(&envelope),
        _ => None,
    };
    check_classes(&envelope)?;
    match version {
        Some(version) => Ok((envelope, version)),
        None => Err(Error::corrupt(format!("{place}: the Envelope is of no version of OVF that is known"))
            .with_hint("its namespace should be http://schemas.dmtf.org/ovf/envelope/1")),
    }
}

/// That classes and instances, which the whole key of each property repeats, are short.
fn check_classes(envelope: &Element) -> Result<()> {
    let mut whole = 0_usize;
    for section in contents(envelope).into_iter().flat_map(|content| those(content, "ProductSection")) {
        for name in ["class", "instance"] {
            if section.attribute(name).is_some_and(|value| value.len() > LONGEST_CLASS) {
                let what = format!("ovf:{name} is longer than {LONGEST_CLASS} bytes");
                return Err(Error::corrupt(format!("{}: {what}", section.place)));
            }
        }
        let parts = ["class", "instance"].map(|name| section.attribute(name).map_or(0, str::len));
        whole = parts.iter().sum::<usize>().saturating_mul(section.children("Property").count()).saturating_add(whole);
        if whole > MOST_CLASSES {
            let what = format!("classes of properties come to more than {MOST_CLASSES} bytes");
            return Err(Error::corrupt(format!("{}: {what}", section.place)));
        }
    }
    Ok(())
}

/// The version that the attributes of the files are of.
fn version_of_files(envelope: &Element) -> Option<Version> {
    let files = envelope.children("References").flat_map(|references| references.children("File"));
    files.flat_map(|file| &file.attributes).find_map(|attribute| match attribute.space {
        Space::Ovf(version) => Some(version),
        _ => None,
    })
}

/// The whole key of a property in `section`: class, key and instance, with points between (DSP0243, section 9.5).
pub(super) fn property_key(section: &Element, property: &Element) -> String {
    let part = |element: &Element, name| element.attribute(name).unwrap_or_default().to_owned();
    let parts = [part(section, "class"), part(property, "key"), part(section, "instance")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}
