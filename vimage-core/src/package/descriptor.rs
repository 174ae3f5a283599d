//! What a package says of itself: the values of an OVF descriptor of any version, as they were read.

/// A version of OVF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 0.9, of 2007.
    V0,
    /// 1.0 and 1.1.
    V1,
    /// 2.0 and 2.1.
    V2,
}

/// An OVF descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its version.
    pub version: Version,
    /// The files that it names.
    pub files: Vec<File>,
    /// The disks.
    pub disks: Vec<Disk>,
    /// The networks' names.
    pub networks: Vec<String>,
    /// The identifiers of the variants, the default first.
    pub configurations: Vec<String>,
    /// The machines.
    pub systems: Vec<System>,
    /// Whether they are in a collection.
    pub collection: bool,
}

/// A file that a descriptor names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// Its identifier.
    pub id: String,
    /// Its name, or where it lies.
    pub href: String,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// What it is compressed with: `gzip`; none for `identity` too.
    pub compression: Option<String>,
    /// Bytes of each of the pieces that it is kept in, named `href.000000000` and on.
    pub chunk_size: Option<u64>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// Its identifier.
    pub id: String,
    /// The identifier of its file; none for an empty disk.
    pub file: Option<String>,
    /// Bytes that the guest sees, where that can be told.
    pub capacity: Option<u64>,
    /// The URI of its format.
    pub format: Option<String>,
    /// Bytes of it that are not zero.
    pub populated: Option<u64>,
    /// The identifier of the disk beneath it.
    pub parent: Option<String>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// Its identifier.
    pub id: String,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its product, vendor and version.
    pub product: Option<String>,
    /// Who makes that.
    pub vendor: Option<String>,
    /// In which version.
    pub product_version: Option<String>,
    /// What the descriptor says of it.
    pub annotation: Option<String>,
    /// The guest: CIM's number, and what describes it best.
    pub os: Option<(u16, String)>,
    /// The families of virtual hardware: `vmx-13`, `virtualbox-2.2`.
    pub hardware: Vec<String>,
    /// Whether it starts by UEFI.
    pub efi: bool,
    /// The devices.
    pub items: Vec<Item>,
    /// The keys of the properties, whole: class, key, instance.
    pub properties: Vec<String>,
    /// The texts that have to be agreed to.
    pub eulas: Vec<String>,
}

/// A device, processors or memory: an item of virtual hardware.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// Its number.
    pub instance: String,
    /// What it is: CIM's resource type.
    pub kind: u16,
    /// Of which kind.
    pub subkind: Option<String>,
    /// Its name, for people.
    pub name: String,
    /// How many or how much, in its own units: bytes for memory.
    pub quantity: Option<u64>,
    /// What it hangs on: another item's number.
    pub parent: Option<String>,
    /// Its place there.
    pub address_on_parent: Option<String>,
    /// What of the host it is made of: `ovf:/disk/ID`.
    pub host_resource: Option<String>,
    /// The networks that it is on.
    pub connections: Vec<String>,
    /// The variants that have it; all, where there is none.
    pub configurations: Vec<String>,
    /// Whether an importer may leave it out.
    pub optional: bool,
}
