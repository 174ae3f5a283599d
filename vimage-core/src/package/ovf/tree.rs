//! XML as a tree, with its namespaces resolved.

use crate::package::descriptor::Version;
use std::fmt;

/// A namespace, as far as it means anything to a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// None.
    None,
    /// OVF's own.
    Ovf(Version),
    /// CIM's settings of a resource: rasd, and 2.x's sasd and epasd.
    Rasd,
    /// CIM's settings of a system.
    Vssd,
    /// VMware's additions.
    Vmware,
    /// VirtualBox's additions.
    VirtualBox,
    /// Instances of XML schemas: `xsi:type`.
    Schema,
    /// Any other.
    Other,
}

impl Space {
    /// The one of `uri`: as DSP0243 (section 5.1), the CIM schemas and the tools themselves write them.
    pub(super) fn of(uri: &str) -> Self {
        match uri {
            "http://www.vmware.com/schema/ovf/1/envelope" => Space::Ovf(Version::V0),
            "http://schemas.dmtf.org/ovf/envelope/1" => Space::Ovf(Version::V1),
            "http://schemas.dmtf.org/ovf/envelope/2" => Space::Ovf(Version::V2),
            "http://www.vmware.com/schema/ovf" => Space::Vmware,
            "http://www.virtualbox.org/ovf/machine" => Space::VirtualBox,
            "http://www.w3.org/2001/XMLSchema-instance" => Space::Schema,
            _ => match uri.strip_prefix("http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_") {
                // 2.x has ".xsd" behind some of them.
                Some(class) => match class.trim_end_matches(".xsd") {
                    "VirtualSystemSettingData" => Space::Vssd,
                    "ResourceAllocationSettingData"
                    | "StorageAllocationSettingData"
                    | "EthernetPortAllocationSettingData" => Space::Rasd,
                    _ => Space::Other,
                },
                None => Space::Other,
            },
        }
    }
}

/// A place in a text: both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// An attribute. Declarations of namespaces are none.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) space: Space,
    /// Its name without a prefix.
    pub(super) name: String,
    pub(super) value: String,
}

/// An element with all that is in it.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) space: Space,
    /// Its name without a prefix.
    pub(super) name: String,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Element>,
    /// All of its own text, pieces end to end.
    pub(super) text: String,
    pub(super) place: Place,
}

impl Element {
    /// Whether it is one of OVF's, by the name `name`. Old tools write OVF's own elements without any namespace.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name && self.is_ovf()
    }

    /// Whether it is one of OVF's.
    pub(super) fn is_ovf(&self) -> bool {
        matches!(self.space, Space::Ovf(_) | Space::None)
    }

    /// OVF's attribute `name`, with or without a prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let of_ovf = |attribute: &&Attribute| matches!(attribute.space, Space::Ovf(_)) && attribute.name == name;
        let found = self.attributes.iter().find(of_ovf);
        found.map(|attribute| attribute.value.as_str()).or_else(|| self.attribute_in(Space::None, name))
    }

    /// The attribute `name` of a namespace.
    pub(super) fn attribute_in(&self, space: Space, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.space == space && attribute.name == name);
        found.map(|attribute| attribute.value.as_str())
    }

    /// Those of its children that are OVF's and called `name`.
    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.is(name))
    }

    /// The first of them.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.is(name))
    }

    /// Its text without white space around it.
    pub(super) fn trimmed(&self) -> &str {
        self.text.trim()
    }
}
