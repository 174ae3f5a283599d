//! Properties: what a person is asked when an appliance is deployed (DSP0243 1.1, 9.5).

use super::{Checked, Fault, Key, qualifiers, texts};
use crate::package::appliance::Property;
use std::collections::BTreeSet;

/// The types that values have.
const KINDS: [&str; 12] = [
    "string", "boolean", "uint8", "uint16", "uint32", "uint64", "sint8", "sint16", "sint32", "sint64", "real32",
    "real64",
];

/// All of them.
pub(super) fn check(properties: &[Property]) -> Checked {
    let mut known = BTreeSet::new();
    for (index, property) in properties.iter().enumerate() {
        let key = Key::of("property").nth(index);
        names(&key, property)?;
        // As the guest sees it.
        let parts = [property.class.as_deref(), Some(property.key.as_str()), property.instance.as_deref()];
        let whole = parts.into_iter().flatten().collect::<Vec<_>>().join(".");
        if !known.insert(whole) {
            let message = format!("{:?} is the key of another one too", property.key);
            return Err(Fault::new(key.then("key"), message).with_hint("give one of them another class or instance"));
        }
        value(&key, property)?;
        texts::optional_line(key.then("category"), property.category.as_deref())?;
        texts::optional_line(key.then("label"), property.label.as_deref())?;
        if let Some(description) = &property.description {
            texts::many_lines(key.then("description"), description)?;
        }
    }
    Ok(())
}

/// Neither a key nor an instance has a dot or a colon, as the guest sees them joined by dots.
fn names(key: &Key, property: &Property) -> Checked {
    let parts = [("key", Some(&property.key)), ("instance", property.instance.as_ref())];
    for (name, text) in parts.into_iter().filter_map(|(name, text)| text.map(|text| (name, text))) {
        let key = key.then(name);
        texts::line(key.clone(), text)?;
        if let Some(c) = text.chars().find(|&c| matches!(c, '.' | ':') || c.is_whitespace()) {
            let fault = Fault::new(key, format!("OVF allows no {c:?} in it"));
            let hint = "what is in front of the last dot is a class: class = \"guestinfo\", key = \"hostname\"";
            return Err(if c == '.' { fault.with_hint(hint) } else { fault });
        }
    }
    if let Some(class) = &property.class {
        let key = key.then("class");
        texts::line(key.clone(), class)?;
        if let Some(c) = class.chars().find(|&c| c == ':' || c.is_whitespace()) {
            return Err(Fault::new(key, format!("OVF allows no {c:?} in it")));
        }
    }
    Ok(())
}

/// The type, what it is restricted to, and the default.
fn value(key: &Key, property: &Property) -> Checked {
    if !KINDS.contains(&property.kind.as_str()) {
        let message = format!("OVF has no type {:?} ({})", property.kind, KINDS.join(", "));
        return Err(Fault::new(key.then("type"), message));
    }
    if property.password && property.kind != "string" {
        return Err(Fault::new(key.then("password"), format!("a password is a string, not {}", property.kind)));
    }
    texts::optional_line(key.then("qualifiers"), property.qualifiers.as_deref())?;
    let limits = property.qualifiers.as_deref().map(|text| qualifiers::read(text, &property.kind)).transpose();
    let limits = limits.map_err(|message| Fault::new(key.then("qualifiers"), message))?;
    let Some(default) = &property.default else {
        if !property.user_configurable {
            let message = "nobody is asked, and there is no default: the property would never have a value";
            return Err(Fault::new(key.then("user-configurable"), message));
        }
        return Ok(());
    };
    let key = key.then("default");
    if property.password {
        return Err(Fault::new(key, "a password that is shipped is known to everybody")
            .with_hint("leave the default out, so that whoever deploys the appliance chooses one"));
    }
    if let Some((_, c)) = texts::unfit(default) {
        return Err(Fault::new(key, format!("has U+{:04X} in it, which XML cannot hold", u32::from(c))));
    }
    if !fits(default, &property.kind) {
        return Err(Fault::new(key, format!("{default:?} is not of the type {}", property.kind)));
    }
    match limits.unwrap_or_default().into_iter().find(|limit| !limit.allows(default)) {
        Some(limit) => Err(Fault::new(key, format!("{default:?} is not what {limit} allows"))),
        None => Ok(()),
    }
}

/// Whether `text` is a value of the type `kind`, as XML Schema writes them.
fn fits(text: &str, kind: &str) -> bool {
    match kind {
        "string" => true,
        "boolean" => matches!(text, "true" | "false"),
        "real32" | "real64" => text.parse().is_ok_and(f64::is_finite),
        "uint8" => text.parse::<u8>().is_ok(),
        "uint16" => text.parse::<u16>().is_ok(),
        "uint32" => text.parse::<u32>().is_ok(),
        "uint64" => text.parse::<u64>().is_ok(),
        "sint8" => text.parse::<i8>().is_ok(),
        "sint16" => text.parse::<i16>().is_ok(),
        "sint32" => text.parse::<i32>().is_ok(),
        "sint64" => text.parse::<i64>().is_ok(),
        _ => false,
    }
}
