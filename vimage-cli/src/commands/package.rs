//! `vimage info` of a package.

use crate::output;
use crate::output::shown;
use crate::size::Size;
use serde::Serialize;
use std::borrow::Cow;
use std::path::Path;
use vimage_core::io::ReadAt;
use vimage_core::operations::{OpenPackage, PackageDisk, PackageKind};
use vimage_core::package::descriptor::{Descriptor, Item, System, Version};
use vimage_core::{Error, Result};

/// CIM's resource types of what is told.
const PROCESSORS: u16 = 3;
const MEMORY: u16 = 4;
const NETWORK_CARD: u16 = 10;

/// Names that are listed in one row.
const MOST_NAMED: usize = 8;

/// Tells what the package is.
pub(super) fn tell(package: &OpenPackage, json: bool) -> Result<()> {
    let disks = package.disks()?;
    if json { output::json("info", &Report::new(package, &disks)) } else { output::line(&text(package, &disks)) }
}

fn parsed(package: &OpenPackage) -> Option<&Descriptor> {
    package.descriptor.as_ref()?.parsed.as_ref().ok()
}

/// The files that are there, opened or not.
fn files(package: &OpenPackage) -> impl Iterator<Item = FileReport<'_>> {
    let members = package.members.iter();
    let members =
        members.map(|member| FileReport { filename: &member.name, size: member.file.size(), offset: member.offset });
    let beside = package.beside.iter().map(|file| FileReport { filename: &file.name, size: file.size, offset: None });
    members.chain(beside)
}

/// Rows of a name and what is told of it.
#[derive(Default)]
struct Rows(Vec<(&'static str, String)>);

impl Rows {
    fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    fn maybe(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
            self.add(name, shown(value));
        }
    }

    fn list<'a>(&mut self, name: &'static str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<_> = values.map(shown).collect();
        let more = values.len().saturating_sub(MOST_NAMED);
        let named = values.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        match (values.is_empty(), more) {
            (true, _) => {}
            (false, 0) => self.add(name, named),
            (false, more) => self.add(name, format!("{named} and {more} more")),
        }
    }
}

fn text(package: &OpenPackage, disks: &[PackageDisk<'_>]) -> String {
    let mut rows = Rows::default();
    rows.add("package", package.path.display().to_string());
    rows.add("kind", kind_text(package));
    if let Some(descriptor) = &package.descriptor {
        match &descriptor.parsed {
            Ok(parsed) => describe(&mut rows, parsed),
            Err(error) => rows.add("descriptor", shown(&format!("cannot be understood: {}", error.message()))),
        }
    }
    if let Some(metadata) = &package.metadata {
        rows.add("box", box_text(metadata));
    }
    rows.maybe("manifest", package.manifest.as_ref().map(|(name, _)| name.as_str()));
    rows.maybe("signature", package.certificate.as_ref().map(|(name, _)| name.as_str()));
    let width = rows.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines: Vec<_> = rows.0.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    lines.push(format!("{:width$}  {}", "disks", disks.len()));
    let table: Vec<_> = disks.iter().map(disk_row).collect();
    lines.extend(aligned(&table));
    lines.push(format!("{:width$}  {}", "files", files(package).count() + package.missing.len()));
    let there = files(package).map(|file| [shown(file.filename), Size(file.size).to_string()]);
    let missing =
        package.missing.iter().map(|(name, error)| [shown(name), format!("missing: {}", shown(error.message()))]);
    let table: Vec<_> = there.chain(missing).map(Vec::from).collect();
    lines.extend(aligned(&table));
    lines.join("\n")
}

fn describe(rows: &mut Rows, descriptor: &Descriptor) {
    for (index, system) in descriptor.systems.iter().enumerate() {
        if descriptor.systems.len() > 1 {
            rows.add("machine", format!("{} of {}", index + 1, descriptor.systems.len()));
        }
        let configuration = descriptor.configurations.first().map(String::as_str);
        let item = |kind| item_of(system, kind, configuration);
        rows.maybe("name", system.name.as_deref().or(Some(&system.id)));
        rows.maybe("product", system.product.as_deref());
        rows.maybe("vendor", system.vendor.as_deref());
        rows.maybe("version", system.product_version.as_deref());
        rows.maybe("guest", system.os.as_ref().map(|(_, name)| name.as_str()));
        if let Some(count) = item(PROCESSORS).and_then(|item| item.quantity) {
            rows.add("processors", count.to_string());
        }
        if let Some(bytes) = item(MEMORY).and_then(|item| item.quantity) {
            rows.add("memory", Size(bytes).to_string());
        }
        rows.add("firmware", if system.efi { "UEFI" } else { "BIOS" });
        rows.list("hardware", system.hardware.iter().map(String::as_str));
        let cards: Vec<_> = system.items.iter().filter(|item| item.kind == NETWORK_CARD).map(card_text).collect();
        rows.list("network cards", cards.iter().map(String::as_str));
        rows.list("properties", system.properties.iter().map(String::as_str));
        if !system.eulas.is_empty() {
            rows.add("licences", format!("{} to agree to", system.eulas.len()));
        }
    }
    rows.list("networks", descriptor.networks.iter().map(String::as_str));
    rows.list("variants", descriptor.configurations.iter().map(String::as_str));
}

/// The first item of that kind that the default variant has.
fn item_of<'a>(system: &'a System, kind: u16, configuration: Option<&str>) -> Option<&'a Item> {
    let has = |item: &&Item| match configuration {
        Some(wanted) => item.configurations.is_empty() || item.configurations.iter().any(|name| name == wanted),
        None => true,
    };
    system.items.iter().filter(|item| item.kind == kind).find(has)
}

fn card_text(item: &Item) -> String {
    let model = item.subkind.as_deref().unwrap_or("of any model");
    match item.connections.is_empty() {
        true => model.to_owned(),
        false => format!("{model} on {}", item.connections.join(", ")),
    }
}

fn kind_text(package: &OpenPackage) -> String {
    let kind = match package.kind {
        PackageKind::Ova => "OVA",
        PackageKind::Folder => "OVF folder",
        PackageKind::Box => "Vagrant box",
        PackageKind::Tar => "tar archive",
    };
    match parsed(package) {
        Some(parsed) => format!("{kind}, OVF {}", version(parsed.version)),
        None => kind.into(),
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::V0 => "0.9",
        Version::V1 => "1.x",
        Version::V2 => "2.x",
    }
}

fn box_text(metadata: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(metadata) else {
        return "its metadata.json is no JSON".into();
    };
    let word = |key: &str| value.get(key).and_then(serde_json::Value::as_str).map(shown);
    let provider = word("provider").map_or("for no provider".into(), |provider| format!("for {provider}"));
    match word("architecture") {
        Some(architecture) => format!("{provider}, {architecture}"),
        None => provider,
    }
}

fn disk_row(disk: &PackageDisk<'_>) -> Vec<String> {
    let name = disk.file.as_deref().map_or("(empty)".into(), shown);
    let capacity = disk.declared.and_then(|declared| declared.capacity);
    let (what, capacity) = match &disk.info {
        Some(Ok(info)) => {
            let kind = info.subformat.as_deref().map_or(String::new(), |kind| format!(" {}", shown(kind)));
            let differs = capacity.filter(|&declared| declared != info.virtual_size);
            let note = differs.map_or(String::new(), |declared| format!(", declared as {}", Size(declared)));
            (format!("{}{kind}", info.format), format!("{} disk{note}", Size(info.virtual_size)))
        }
        Some(Err(error)) => ("cannot be read".into(), shown(error.message())),
        None => {
            let what = match (&disk.file, disk.stored) {
                (None, _) => "no file",
                (Some(_), None) => "missing",
                (Some(_), Some(_)) => "not looked into",
            };
            (what.into(), capacity.map_or(String::new(), |capacity| format!("{} disk", Size(capacity))))
        }
    };
    let stored = disk.stored.map_or(String::new(), |stored| format!("in {}", Size(stored)));
    vec![name, what, capacity, stored]
}

/// Rows with their columns beneath each other.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("  {cell:width$}"));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    filename: Cow<'a, str>,
    /// ova, folder, box or tar.
    package: &'static str,
    descriptor: Option<DescriptorReport<'a>>,
    manifest: Option<&'a str>,
    certificate: Option<&'a str>,
    /// A box's metadata.json, where it is JSON.
    metadata: Option<serde_json::Value>,
    systems: Vec<SystemReport<'a>>,
    networks: &'a [String],
    /// The variants, the default first.
    configurations: &'a [String],
    disks: Vec<DiskReport<'a>>,
    files: Vec<FileReport<'a>>,
    missing: Vec<MissingReport<'a>>,
}

#[derive(Serialize)]
struct DescriptorReport<'a> {
    filename: &'a str,
    version: Option<&'static str>,
    /// Why it cannot be understood.
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SystemReport<'a> {
    id: &'a str,
    name: Option<&'a str>,
    product: Option<&'a str>,
    vendor: Option<&'a str>,
    product_version: Option<&'a str>,
    annotation: Option<&'a str>,
    guest_os: Option<&'a str>,
    /// CIM's number of it.
    guest_os_id: Option<u16>,
    processors: Option<u64>,
    /// Bytes.
    memory: Option<u64>,
    firmware: &'static str,
    hardware: &'a [String],
    network_cards: Vec<CardReport<'a>>,
    properties: &'a [String],
    eulas: usize,
}

#[derive(Serialize)]
struct CardReport<'a> {
    model: Option<&'a str>,
    networks: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct DiskReport<'a> {
    filename: Option<&'a str>,
    /// What the image is, where it could be looked into.
    format: Option<&'static str>,
    subformat: Option<&'a str>,
    virtual_size: Option<u64>,
    /// Bytes that it takes in the package.
    stored_size: Option<u64>,
    declared_size: Option<u64>,
    declared_format: Option<&'a str>,
    error: Option<String>,
}

#[derive(Serialize)]
struct FileReport<'a> {
    filename: &'a str,
    size: u64,
    /// Where it begins in the archive.
    offset: Option<u64>,
}

#[derive(Serialize)]
struct MissingReport<'a> {
    filename: &'a str,
    reason: String,
}

impl<'a> Report<'a> {
    fn new(package: &'a OpenPackage, disks: &'a [PackageDisk<'a>]) -> Self {
        let parsed = parsed(package);
        let configuration = parsed.and_then(|parsed| parsed.configurations.first());
        let system = |system: &'a System| SystemReport::new(system, configuration.map(String::as_str));
        Report {
            filename: Path::to_string_lossy(&package.path),
            package: match package.kind {
                PackageKind::Ova => "ova",
                PackageKind::Folder => "folder",
                PackageKind::Box => "box",
                PackageKind::Tar => "tar",
            },
            descriptor: package.descriptor.as_ref().map(|descriptor| DescriptorReport {
                filename: &descriptor.name,
                version: parsed.map(|parsed| version(parsed.version)),
                error: descriptor.parsed.as_ref().err().map(Error::to_string),
            }),
            manifest: package.manifest.as_ref().map(|(name, _)| name.as_str()),
            certificate: package.certificate.as_ref().map(|(name, _)| name.as_str()),
            metadata: package.metadata.as_ref().and_then(|text| serde_json::from_slice(text).ok()),
            systems: parsed.into_iter().flat_map(|parsed| &parsed.systems).map(system).collect(),
            networks: parsed.map_or(&[], |parsed| &parsed.networks),
            configurations: parsed.map_or(&[], |parsed| &parsed.configurations),
            disks: disks.iter().map(DiskReport::new).collect(),
            files: files(package).collect(),
            missing: package
                .missing
                .iter()
                .map(|(name, error)| MissingReport { filename: name, reason: error.to_string() })
                .collect(),
        }
    }
}

impl<'a> SystemReport<'a> {
    fn new(system: &'a System, configuration: Option<&str>) -> Self {
        let quantity = |kind| item_of(system, kind, configuration).and_then(|item| item.quantity);
        let cards = system.items.iter().filter(|item| item.kind == NETWORK_CARD);
        SystemReport {
            id: &system.id,
            name: system.name.as_deref(),
            product: system.product.as_deref(),
            vendor: system.vendor.as_deref(),
            product_version: system.product_version.as_deref(),
            annotation: system.annotation.as_deref(),
            guest_os: system.os.as_ref().map(|(_, name)| name.as_str()),
            guest_os_id: system.os.as_ref().map(|(id, _)| *id),
            processors: quantity(PROCESSORS),
            memory: quantity(MEMORY),
            firmware: if system.efi { "efi" } else { "bios" },
            hardware: &system.hardware,
            network_cards: cards
                .map(|item| CardReport { model: item.subkind.as_deref(), networks: &item.connections })
                .collect(),
            properties: &system.properties,
            eulas: system.eulas.len(),
        }
    }
}

impl<'a> DiskReport<'a> {
    fn new(disk: &'a PackageDisk<'a>) -> Self {
        let info = disk.info.as_ref().and_then(|info| info.as_ref().ok());
        DiskReport {
            filename: disk.file.as_deref(),
            format: info.map(|info| info.format),
            subformat: info.and_then(|info| info.subformat.as_deref()),
            virtual_size: info.map(|info| info.virtual_size),
            stored_size: disk.stored,
            declared_size: disk.declared.and_then(|declared| declared.capacity),
            declared_format: disk.declared.and_then(|declared| declared.format.as_deref()),
            error: disk.info.as_ref().and_then(|info| info.as_ref().err()).map(Error::to_string),
        }
    }
}
