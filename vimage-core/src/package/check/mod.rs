//! What must hold of an appliance, whoever described it.
//!
//! The limits are those within which every target can be written. What a single target cannot take is for its writer to say.

mod choices;
mod disks;
mod machine;
mod networks;
mod properties;
mod qualifiers;
mod texts;

use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use std::borrow::Cow;
use std::fmt;

pub(crate) use machine::{CORES, CPUS, HARDWARE, within};
pub(crate) use texts::unfit;

/// What is wrong, and at which key of a description.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The key.
    pub(crate) key: Key,
    /// What was found.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// A fault, or none.
pub(crate) type Checked<T = ()> = std::result::Result<T, Fault>;

impl Fault {
    /// What is wrong at `key`.
    pub(crate) fn new(key: Key, message: impl Into<String>) -> Self {
        Fault { key, message: message.into(), hint: None }
    }

    /// Says what to do about it.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A key of a description: `disk.controller`, and of which disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) Vec<Step>);

/// A step on the way to a key's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// What is called so in a table.
    Name(Cow<'static, str>),
    /// This one of a list, from zero.
    Nth(usize),
}

impl Key {
    /// A key of the outermost table.
    pub(crate) fn of(name: &'static str) -> Self {
        Key(vec![Step::Name(name.into())])
    }

    /// This one of a list.
    pub(crate) fn nth(&self, index: usize) -> Self {
        self.step(Step::Nth(index))
    }

    /// What is called `name` in it.
    pub(crate) fn then(&self, name: impl Into<Cow<'static, str>>) -> Self {
        self.step(Step::Name(name.into()))
    }

    fn step(&self, step: Step) -> Self {
        Key(self.0.iter().cloned().chain([step]).collect())
    }

    /// The names alone, for where a line tells which of a list it is: `disk.controller`.
    pub(crate) fn names(&self) -> String {
        let names = self.0.iter().filter_map(|step| match step {
            Step::Name(name) => Some(name.as_ref()),
            Step::Nth(_) => None,
        });
        names.collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for Key {
    /// All of it, counted from zero: `disk[1].controller`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if index == 0 => f.write_str(name)?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Nth(nth) => write!(f, "[{nth}]")?,
            }
        }
        Ok(())
    }
}

impl Appliance {
    /// Whether a package can be made of it: its numbers are within the limits, its parts agree, and its texts can be held
    /// by XML. The first fault is told, by the key that it has in a description: `disk[1].size`.
    ///
    /// # Errors
    /// `Usage`.
    pub fn check(&self) -> Result<()> {
        appliance(self).map_err(|fault| {
            let error = Error::usage(format!("{}: {}", fault.key, fault.message));
            match fault.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })
    }
}

/// The first fault of `appliance`.
pub(crate) fn appliance(appliance: &Appliance) -> Checked {
    texts::check(appliance)?;
    machine::check(appliance)?;
    disks::check(&appliance.disks, appliance.hardware)?;
    networks::check(&appliance.networks)?;
    properties::check(&appliance.properties)?;
    choices::check(appliance)
}
