//! The outline of a descriptor: its parts and their order (DSP0243, section 7).

use super::case::{Case, Findings, STRICT, UNCLEAR, called, twice};
use crate::package::descriptor::Version;
use crate::package::ovf::sections::{is_content, kind};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::{Element, Space};

/// There is exactly one machine or collection at the top (section 7.2).
pub(super) fn no_machine(case: &Case<'_>, found: &mut Findings) {
    let mut top = case.envelope.children.iter().filter(|child| is_content(child));
    if top.next().is_none() {
        found.broken(case.envelope, "there is no VirtualSystem and no VirtualSystemCollection", "nothing to import");
    }
    if let Some(second) = top.next() {
        let message = format!("a second {} beside the first", called(second));
        found.broken(second, message, "VMware and virt-v2v: refused; several machines belong in a collection");
    }
}

/// What the version says is what the namespace says.
pub(super) fn version_that_contradicts(case: &Case<'_>, found: &mut Findings) {
    let Some(said) = case.envelope.attribute("version").map(str::trim) else { return };
    let known = match case.version {
        Version::V0 => said == "0.9",
        Version::V1 => matches!(said, "1" | "1.0" | "1.0.0" | "1.1" | "1.1.0" | "1.1.1"),
        Version::V2 => matches!(said, "2" | "2.0" | "2.0.0" | "2.0.1" | "2.1" | "2.1.0" | "2.1.1"),
    };
    if !known {
        let message = format!("the version {} is not one of the namespace", quoted(said));
        found.broken(case.envelope, message, STRICT);
    }
}

/// OVF's elements are in its namespace from 1.0 on.
pub(super) fn element_in_no_namespace(case: &Case<'_>, found: &mut Findings) {
    let inside = case.contents.iter().flat_map(|content| &content.children);
    let mut all = std::iter::once(case.envelope).chain(&case.envelope.children).chain(inside);
    if let Some(element) = all.find(|element| case.is_of_dmtf() && element.space == Space::None) {
        found.broken(element, "it is in no namespace", STRICT);
    }
}

/// The list of files is there, even if it is empty (section 7.1).
pub(super) fn no_references(case: &Case<'_>, found: &mut Findings) {
    if case.envelope.child("References").is_none() {
        found.broken(case.envelope, "there is no References", STRICT);
    }
}

/// References, then sections, then the machine or collection, then texts (DSP8023: EnvelopeType).
pub(super) fn parts_out_of_order(case: &Case<'_>, found: &mut Findings) {
    let rank = |child: &Element| match kind(child) {
        "References" => 0,
        "Strings" => 3,
        _ if is_content(child) => 2,
        _ => 1,
    };
    let mut highest = (0, case.envelope);
    for child in case.envelope.children.iter().filter(|child| child.is_ovf()) {
        if rank(child) < highest.0 {
            let message = format!("{} comes behind {}", called(child), called(highest.1));
            found.broken(child, message, STRICT);
        } else {
            highest = (rank(child), child);
        }
    }
}

/// Sections, machines and collections begin with Info (DSP8023: Section_Type, Content_Type).
pub(super) fn missing_info(case: &Case<'_>, found: &mut Findings) {
    let tops = case.envelope.children.iter();
    let deeper = case.contents.iter().flat_map(|content| &content.children);
    let with_info =
        |element: &&Element| element.is_ovf() && (kind(element).ends_with("Section") || is_content(element));
    for element in tops.chain(deeper).filter(with_info) {
        match element.children.iter().position(|child| child.is("Info")) {
            Some(0) => {}
            Some(_) => found.broken(element, "its Info is not the first in it", STRICT),
            None => found.broken(element, "it has no Info", STRICT),
        }
    }
}

/// The name of a machine stands right behind its Info (DSP8023: Content_Type).
pub(super) fn name_out_of_place(case: &Case<'_>, found: &mut Findings) {
    for content in &case.contents {
        if content.children.iter().skip(2).any(|child| child.is("Name")) {
            found.broken(content, "its Name is not right behind its Info", STRICT);
        }
    }
}

/// Machines and collections have identifiers (section 7.2).
pub(super) fn machine_without_identifier(case: &Case<'_>, found: &mut Findings) {
    for content in &case.contents {
        if content.attribute("id").is_none_or(str::is_empty) {
            found.broken(content, "it has no ovf:id", STRICT);
        }
    }
}

/// Identifiers of machines and collections tell them apart in the whole package (section 7.2).
pub(super) fn machines_of_one_identifier(case: &Case<'_>, found: &mut Findings) {
    // A collection may be called as a machine in it is.
    let machines: Vec<&Element> =
        case.contents.iter().copied().filter(|content| kind(content) == "VirtualSystem").collect();
    twice(
        &machines,
        |content| content.attribute("id"),
        |content, id, first| {
            let message = format!("the identifier {} is that of line {} too", quoted(id), first.place.line);
            found.broken(content, message, UNCLEAR);
        },
    );
}

/// Whether `element` says that it may be left out.
pub(super) fn is_optional(element: &Element) -> bool {
    matches!(element.attribute("required"), Some("false" | "0"))
}

/// Whether `element` is of another namespace than OVF's, and so an extension.
pub(super) fn is_extension(element: &Element) -> bool {
    !element.is_ovf() && element.space != Space::Rasd && element.space != Space::Vssd
}
