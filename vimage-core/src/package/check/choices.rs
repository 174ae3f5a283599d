//! What a person chooses, and what goes to VMware as it is.

use super::{Checked, Fault, Key, machine, texts};
use crate::package::appliance::{Appliance, Configuration};
use std::collections::BTreeSet;

/// Settings of a .vmx that the description has keys of its own for.
const DESCRIBED: [(&str, &str); 11] = [
    (".encoding", "nothing: it is fixed"),
    ("config.version", "nothing: it is fixed"),
    ("cpuid.corespersocket", "system.cores-per-socket"),
    ("displayname", "name"),
    ("annotation", "annotation"),
    ("firmware", "system.firmware"),
    ("guestos", "system.os"),
    ("memsize", "system.memory"),
    ("numvcpus", "system.cpus"),
    ("uefi.secureboot.enabled", "system.secure-boot"),
    ("virtualhw.version", "system.hardware"),
];

/// Transports, variants and further settings.
pub(super) fn check(appliance: &Appliance) -> Checked {
    let transport = &appliance.transport;
    for (index, one) in transport.iter().enumerate() {
        if transport.iter().take(index).any(|other| other == one) {
            return Err(Fault::new(Key::of("transport").nth(index), "is there twice"));
        }
    }
    let mut known = BTreeSet::new();
    for (index, configuration) in appliance.configurations.iter().enumerate() {
        let key = Key::of("configuration").nth(index);
        variant(&key, configuration, appliance)?;
        if !known.insert(configuration.id.as_str()) {
            return Err(Fault::new(key.then("id"), format!("{:?} is the id of another one too", configuration.id)));
        }
    }
    let mut known = BTreeSet::new();
    for (name, value) in &appliance.extra {
        let key = Key::of("extra").then(name.clone());
        setting(key.clone(), name, value)?;
        if !known.insert(name.to_ascii_lowercase()) {
            return Err(Fault::new(key, "is there twice, as VMware does not tell upper from lower case"));
        }
    }
    Ok(())
}

/// A variant of the appliance.
fn variant(key: &Key, own: &Configuration, appliance: &Appliance) -> Checked {
    texts::word(key.then("id"), &own.id)?;
    texts::line(key.then("label"), &own.label)?;
    texts::many_lines(key.then("description"), &own.description)?;
    if let Some(cpus) = own.cpus {
        machine::cpus(key.then("cpus"), cpus)?;
        if let Some(cores) = appliance.cores_per_socket {
            machine::whole_sockets(key.then("cpus"), cpus, cores)?;
        }
    }
    if let Some(memory) = own.memory {
        machine::memory(key.then("memory"), memory)?;
        if appliance.minimum_memory.is_some_and(|minimum| memory < minimum) {
            return Err(Fault::new(key.then("memory"), "is less than system.minimum-memory"));
        }
    }
    Ok(())
}

/// A further setting.
fn setting(key: Key, name: &str, value: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(Fault::new(key, "a setting's name is of letters, digits, \".\", \"_\", \"-\" and \":\""));
    }
    if let Some((_, own)) = DESCRIBED.iter().find(|(described, _)| name.eq_ignore_ascii_case(described)) {
        return Err(Fault::new(key, format!("is told by {own}")));
    }

    // A .vmx is a setting a line.
    match value.chars().find(|c| c.is_control()).or(texts::unfit(value).map(|(_, c)| c)) {
        Some(c) => Err(Fault::new(key, format!("has U+{:04X} in it, and is one line of text", u32::from(c)))),
        None => Ok(()),
    }
}
