//! Appliances: disks with a description of the machine that they belong to, in the packages that hypervisors take.
//!
//! Everything in here is values and text: no file is opened and no disk is read. [`appliance`] is what a person describes,
//! [`descriptor`] what a package says of itself; the other rooms turn one into text, and text into the other.

pub mod appliance;
mod check;
mod defaults;
pub mod description;
pub mod descriptor;
pub mod guests;
pub mod libvirt;
pub mod manifest;
pub mod ovf;
mod places;
pub mod signature;
pub mod tar;
pub mod vagrant;
pub mod vmx;
mod xml;

/// Something in a package that an importer stumbles over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The member, or the place in a descriptor.
    pub place: String,
    /// What was found.
    pub message: String,
    /// Which importer does what about it.
    pub effect: String,
    /// Whether the package is broken, rather than refused by some.
    pub broken: bool,
}
