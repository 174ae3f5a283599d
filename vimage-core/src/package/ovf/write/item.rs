//! One item of virtual hardware.

use super::OPTIONAL;
use crate::error::Result;
use crate::package::xml::Xml;

/// Resource types of CIM_ResourceAllocationSettingData.
pub(super) mod kind {
    pub(in super::super) const PROCESSOR: u16 = 3;
    pub(in super::super) const MEMORY: u16 = 4;
    pub(in super::super) const IDE: u16 = 5;
    pub(in super::super) const SCSI: u16 = 6;
    pub(in super::super) const ETHERNET: u16 = 10;
    pub(in super::super) const CD: u16 = 15;
    pub(in super::super) const DISK: u16 = 17;
    /// SATA and NVMe.
    pub(in super::super) const OTHER_STORAGE: u16 = 20;
}

/// An item: what it says, in the order in which it is written.
///
/// The elements are in alphabetical order, which is the schema's, and which VMware's products insist on.
#[derive(Default)]
pub(super) struct Item<'a> {
    /// Whether an importer may leave it out.
    pub(super) optional: bool,
    /// The variants that have it; all where there is none.
    pub(super) configuration: Option<String>,
    pub(super) address: Option<u32>,
    pub(super) address_on_parent: Option<u32>,
    pub(super) units: Option<&'a str>,
    pub(super) automatic: Option<bool>,
    /// Its name, for people.
    pub(super) name: String,
    pub(super) connection: Option<&'a str>,
    pub(super) host_resource: Option<String>,
    /// Its number, of which there is one of each.
    pub(super) instance: u32,
    pub(super) parent: Option<u32>,
    pub(super) subkind: Option<&'a str>,
    pub(super) kind: u16,
    pub(super) quantity: Option<u64>,
    pub(super) cores_per_socket: Option<u32>,
}

impl Item<'_> {
    pub(super) fn write(&self, xml: &mut Xml) -> Result<()> {
        let mut attributes = Vec::new();
        attributes.extend(self.configuration.as_deref().map(|ids| ("ovf:configuration", ids)));
        attributes.extend(self.optional.then_some(OPTIONAL));
        let text = |number: Option<u32>| number.map(|number| number.to_string());
        xml.element("Item", &attributes, |xml| {
            xml.text_if("rasd:Address", text(self.address).as_deref())?;
            xml.text_if("rasd:AddressOnParent", text(self.address_on_parent).as_deref())?;
            xml.text_if("rasd:AllocationUnits", self.units)?;
            xml.text_if("rasd:AutomaticAllocation", self.automatic.map(|yes| if yes { "true" } else { "false" }))?;
            xml.text("rasd:Caption", &self.name)?;
            xml.text_if("rasd:Connection", self.connection)?;
            xml.text("rasd:ElementName", &self.name)?;
            xml.text_if("rasd:HostResource", self.host_resource.as_deref())?;
            xml.text("rasd:InstanceID", &self.instance.to_string())?;
            xml.text_if("rasd:Parent", text(self.parent).as_deref())?;
            xml.text_if("rasd:ResourceSubType", self.subkind)?;
            xml.text("rasd:ResourceType", &self.kind.to_string())?;
            xml.text_if("rasd:VirtualQuantity", self.quantity.map(|quantity| quantity.to_string()).as_deref())?;
            match self.cores_per_socket {
                Some(cores) => xml.text_with("vmw:CoresPerSocket", &[OPTIONAL], &cores.to_string()),
                None => Ok(()),
            }
        })
    }
}
