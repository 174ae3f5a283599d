//! Texts: what XML can hold, and what is of one line.

use super::{Checked, Fault, Key};
use crate::package::appliance::{Appliance, is_plain};
use crate::package::xml::held;

/// Characters of the longest name that vCenter takes for a machine.
const LONGEST_NAME: usize = 80;

/// The texts of the appliance and of what it is as a product.
pub(super) fn check(appliance: &Appliance) -> Checked {
    name(Key::of("name"), &appliance.name)?;
    if let Err(error) = appliance.stem() {
        return Err(Fault::new(Key::of("name"), error.message()).with_hint(error.hint().unwrap_or_default()));
    }
    let product = Key::of("product");
    let fields = [
        ("name", &appliance.product.name),
        ("vendor", &appliance.product.vendor),
        ("version", &appliance.product.version),
        ("full-version", &appliance.product.full_version),
        ("product-url", &appliance.product.product_url),
        ("vendor-url", &appliance.product.vendor_url),
        ("app-url", &appliance.product.app_url),
    ];
    for (key, text) in fields {
        optional_line(product.then(key), text.as_deref())?;
    }
    if let Some(annotation) = &appliance.annotation {
        many_lines(Key::of("annotation"), annotation)?;
    }
    for (index, eula) in appliance.eulas.iter().enumerate() {
        many_lines(Key::of("eula").nth(index), eula)?;
    }
    if let Some(readme) = &appliance.readme {
        word(Key::of("readme"), &readme.name)?;
    }
    Ok(())
}

/// A name for people: one line, and not too long for vCenter.
pub(super) fn name(key: Key, text: &str) -> Checked {
    line(key.clone(), text)?;
    let length = text.chars().count();
    if length > LONGEST_NAME {
        return Err(Fault::new(key, format!("has {length} characters, and vCenter takes {LONGEST_NAME}")));
    }
    Ok(())
}

/// One line that says something.
pub(super) fn line(key: Key, text: &str) -> Checked {
    if text.trim().is_empty() {
        return Err(Fault::new(key, "is empty"));
    }
    match text.chars().find(|&c| c.is_control() || !held(c)) {
        Some(c) => Err(Fault::new(key, format!("has U+{:04X} in it, and is one line of text", u32::from(c)))),
        None => Ok(()),
    }
}

/// As [`line`], where it is there.
pub(super) fn optional_line(key: Key, text: Option<&str>) -> Checked {
    text.map_or(Ok(()), |text| line(key, text))
}

/// Text of any number of lines.
pub(super) fn many_lines(key: Key, text: &str) -> Checked {
    if text.trim().is_empty() {
        return Err(Fault::new(key, "is empty").with_hint("leave the key out where there is nothing to say"));
    }
    match unfit(text) {
        Some((_, c)) => Err(Fault::new(key, format!("has U+{:04X} in it, which XML cannot hold", u32::from(c)))),
        None => Ok(()),
    }
}

/// A name for programs and file systems: `[A-Za-z0-9._-]`, and no dot in front.
pub(super) fn word(key: Key, text: &str) -> Checked {
    if text.is_empty() || text.starts_with('.') || !text.chars().all(is_plain) {
        return Err(Fault::new(key, format!("{text:?} is not of letters, digits, \".\", \"_\" and \"-\" alone"))
            .with_hint("names of files and identifiers are of these characters, as some importers take no others"));
    }
    Ok(())
}

/// The first character that XML has no way to hold, and its line.
pub(crate) fn unfit(text: &str) -> Option<(usize, char)> {
    let (at, c) = text.char_indices().find(|&(_, c)| !held(c))?;
    let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
    Some((line, c))
}
