//! Products and their properties (DSP0243, section 9.5).

use super::case::{Case, Findings, STRICT, UNCLEAR};
use crate::package::ovf::sections::{kind, property_key, those};
use crate::package::ovf::text::quoted;
use crate::package::ovf::tree::Element;
use std::collections::BTreeMap;

/// The types of table 6, and those that VMware adds.
const TYPES: [&str; 14] = [
    "string", "boolean", "uint8", "uint16", "uint32", "uint64", "sint8", "sint16", "sint32", "sint64", "real32",
    "real64", "int", "password",
];

/// Class and instance tell the products of a machine apart, and keys the properties of a product.
pub(super) fn properties_that_are_not_told_apart(case: &Case<'_>, found: &mut Findings) {
    for content in &case.contents {
        let mut products = BTreeMap::new();
        let mut keys = BTreeMap::new();
        for section in those(content, "ProductSection") {
            let named = ["class", "instance"].map(|name| section.attribute(name).unwrap_or_default());
            let first: &Element = products.entry(named).or_insert(section);
            if !std::ptr::eq(first, section) {
                let message = format!("its class and instance are those of line {} too", first.place.line);
                found.broken(section, message, UNCLEAR);
            }
            for property in section.children("Property") {
                look_at(property, found);
                let first: &Element = keys.entry(property_key(section, property)).or_insert(property);
                if !std::ptr::eq(first, property) {
                    let message = format!("its key is that of line {} too", first.place.line);
                    found.broken(property, message, UNCLEAR);
                }
            }
        }
    }
    let top = case.envelope.children.iter().filter(|child| kind(child) == "ProductSection");
    for section in top {
        found.refused(section, "it is about no machine", "importers do not see it");
    }
}

/// A property has a key without the characters that keys are put together with, and a type.
fn look_at(property: &Element, found: &mut Findings) {
    let key = property.attribute("key").unwrap_or_default();
    if key.is_empty() {
        found.broken(property, "it has no ovf:key", STRICT);
    } else if key.contains(['.', ':']) {
        let message = format!("its key {} has a \".\" or \":\" in it", quoted(key));
        found.broken(property, message, "govc: refused; the guest may take it for a property of another product");
    }
    match property.attribute("type") {
        None => found.broken(property, "it has no ovf:type", STRICT),
        Some(said) if !is_known(said) => {
            found.refused(
                property,
                format!("its type {} is not one of OVF", quoted(said)),
                "VMware: refused, or taken for text",
            );
        }
        Some(_) => {}
    }
}

/// Whether a type is known: VMware writes limits behind it, `string(1..63)`, and kinds of addresses, `ip:network`.
fn is_known(said: &str) -> bool {
    let word = said.split(['(', '[', ':']).next().unwrap_or_default().trim().to_ascii_lowercase();
    TYPES.contains(&word.as_str()) || matches!(word.as_str(), "ip" | "expression" | "float" | "real")
}
