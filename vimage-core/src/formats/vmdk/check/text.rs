//! The descriptor: what the readers of the field want of its words.

use crate::error::{Error, Result};
use crate::formats::vmdk::descriptor::{Access, Descriptor, ExtentKind, Line, NO_PARENT};
use crate::formats::vmdk::grains::Form;
use crate::formats::vmdk::hosted::Hosted;
use crate::formats::vmdk::options::AdapterType;
use crate::formats::vmdk::reader::{parent, read_bytes};
use crate::formats::{Findings, Severity};
use crate::io::ReadAt;
use crate::io::neighbors::quote;

/// The first lines that VirtualBox takes.
const FIRST_LINES: [&[u8]; 4] =
    [b"# Disk DescriptorFile", b"# Disk Descriptor File", b"#Disk DescriptorFile", b"#Disk Descriptor File"];

/// Keys that QEMU knows in this case alone.
const KEYS: [&str; 5] = ["version", "CID", "parentCID", "createType", "parentFileNameHint"];

/// Each kind of disk and what its extents are; none for any.
const TYPES: [(&str, Option<ExtentKind>); 17] = [
    ("monolithicSparse", Some(ExtentKind::Sparse)),
    ("monolithicFlat", Some(ExtentKind::Flat)),
    ("twoGbMaxExtentSparse", Some(ExtentKind::Sparse)),
    ("twoGbMaxExtentFlat", Some(ExtentKind::Flat)),
    ("streamOptimized", Some(ExtentKind::Sparse)),
    ("vmfs", Some(ExtentKind::Vmfs)),
    ("vmfsPreallocated", Some(ExtentKind::Vmfs)),
    ("vmfsEagerZeroedThick", Some(ExtentKind::Vmfs)),
    ("vmfsThin", Some(ExtentKind::Vmfs)),
    ("vmfsThick", Some(ExtentKind::Vmfs)),
    ("vmfsSparse", Some(ExtentKind::VmfsSparse)),
    ("seSparse", Some(ExtentKind::SeSparse)),
    ("vmfsSeSparse", Some(ExtentKind::SeSparse)),
    ("custom", None),
    ("vmfsRDM", Some(ExtentKind::VmfsRdm)),
    ("vmfsRDMP", Some(ExtentKind::VmfsRdm)),
    ("vmfsRaw", Some(ExtentKind::VmfsRaw)),
];

/// Kinds of disk that are one file with the descriptor inside.
const EMBEDDED: [&str; 2] = ["monolithicSparse", "streamOptimized"];

/// Checks `descriptor`, whose text is in the `place.1` bytes from byte `place.0` of `file` on.
pub(super) fn check(
    file: &dyn ReadAt,
    place: (u64, u64),
    descriptor: &Descriptor,
    findings: &mut Findings,
) -> Result<()> {
    let bytes = read_bytes(file, place.0, place.1)?;
    let mut words = Words { findings, start: place.0 };
    words.lines(&bytes, descriptor);
    words.identity(descriptor);
    words.kind(descriptor);
    words.adapter(descriptor);
    Ok(())
}

struct Words<'a> {
    findings: &'a mut Findings,
    /// The byte at which the descriptor starts.
    start: u64,
}

impl Words<'_> {
    fn risk(&mut self, at: u64, message: impl Into<String>) {
        self.findings.add(Severity::Risk, at, message);
    }

    fn fault(&mut self, error: &Error) {
        self.findings.add(Severity::Corruption, self.start, error.message());
    }

    /// Each line as it is written beside what it was read as.
    fn lines(&mut self, bytes: &[u8], descriptor: &Descriptor) {
        let mut at = self.start;
        let mut seen = [false; KEYS.len()];
        for (raw, line) in bytes.split(|&byte| byte == b'\n').zip(&descriptor.lines) {
            let text = raw.strip_suffix(b"\r").unwrap_or(raw);
            if at == self.start && !FIRST_LINES.contains(&text) {
                self.risk(at, "the first line is not \"# Disk DescriptorFile\": VirtualBox refuses it");
            }
            match line {
                Line::Extent(extent) => {
                    let strict = extent.to_string();
                    if text.trim_ascii_end() != strict.as_bytes() {
                        self.risk(
                            at,
                            format!("an extent is not written as strict readers want it: {}", quote(&strict)),
                        );
                    }
                    self.extent(at, extent.access, extent.kind, extent.sectors, extent.offset);
                }
                Line::Field { key, .. } => {
                    if let Some(known) = KEYS.iter().position(|known| known.eq_ignore_ascii_case(key)) {
                        let name = KEYS[known];
                        if name != key {
                            self.risk(at, format!("{name} is written {key}: QEMU does not know it so"));
                        }
                        if std::mem::replace(&mut seen[known], true) {
                            self.risk(at, format!("{name} is there twice: readers differ in which counts"));
                        }
                    }
                }
                Line::Other(_) => {}
            }
            at += raw.len() as u64 + 1;
        }
    }

    fn extent(&mut self, at: u64, access: Access, kind: ExtentKind, sectors: u64, offset: Option<u64>) {
        match (access, kind) {
            (Access::None, _) => self.risk(at, "an extent may not be read: no reader shows its bytes"),
            (Access::ReadOnly, _) => {
                self.risk(at, "QEMU leaves out an extent that is RDONLY: what follows it is shifted");
            }
            (_, ExtentKind::Zero) => self.risk(at, "QEMU leaves out an extent of ZERO: what follows it is shifted"),
            (_, ExtentKind::Flat) if offset.is_none() => {
                self.risk(at, "a FLAT extent without an offset: QEMU refuses it");
            }
            (_, ExtentKind::Vmfs) if offset.is_some() => self.risk(at, "a VMFS extent with an offset: QEMU refuses it"),
            _ => {}
        }
        if sectors == 0 {
            self.risk(at, "an extent of no sectors");
        }
    }

    /// Version, CID and parent.
    fn identity(&mut self, descriptor: &Descriptor) {
        match descriptor.get("version") {
            Some("1") => {}
            Some(version) => {
                self.risk(self.start, format!("the descriptor's version is {}: VirtualBox wants 1", quote(version)));
            }
            None => self.risk(self.start, "the descriptor has no version: VirtualBox wants 1"),
        }
        match descriptor.cid() {
            Err(error) => self.fault(&error),
            Ok(None) => self.risk(self.start, "the descriptor has no CID: QEMU refuses it"),
            Ok(Some(cid)) if cid >= NO_PARENT - 1 => {
                self.risk(self.start, format!("the CID is {cid:08x}, which stands for none"));
            }
            Ok(Some(_)) => {}
        }
        match parent(descriptor) {
            Err(error) => self.fault(&error),
            Ok(None) if descriptor.get("parentFileNameHint").is_some() => {
                self.risk(self.start, "it names a parent, and its parentCID says that it has none");
            }
            Ok(_) => {}
        }
    }

    /// The createType, and whether the extents are of it.
    fn kind(&mut self, descriptor: &Descriptor) {
        let Some(found) = descriptor.create_type() else {
            return self.risk(self.start, "the descriptor has no createType: QEMU refuses it");
        };
        let Some((name, wanted)) = TYPES.into_iter().find(|(name, _)| *name == found) else {
            if !DEVICES_TOO.contains(&found) {
                self.risk(self.start, format!("the createType {} is not known", quote(found)));
            }
            return;
        };
        let Some(wanted) = wanted else { return };
        let mut kinds = descriptor.extents().map(|extent| extent.kind).filter(|&kind| kind != ExtentKind::Zero);
        if let Some(other) = kinds.find(|&kind| kind != wanted) {
            let message = format!("the createType {name} contradicts an extent of {}", other.word());
            self.findings.add(Severity::Corruption, self.start, message);
        } else if name == "monolithicFlat" && descriptor.extents().count() > 1 {
            self.findings.add(
                Severity::Corruption,
                self.start,
                "the createType monolithicFlat contradicts several extents",
            );
        }
        if self.start == 0 && EMBEDDED.contains(&name) {
            self.findings.add(
                Severity::Corruption,
                0,
                format!("the createType {name} contradicts a descriptor in a file of its own"),
            );
        }
    }

    /// A child has its parent's adapter.
    fn adapter(&mut self, descriptor: &Descriptor) {
        let known = |word: &str| AdapterType::WORDS.iter().any(|(_, known)| known.eq_ignore_ascii_case(word));
        match descriptor.get("ddb.adapterType") {
            Some(word) if !known(word) => {
                self.risk(self.start, format!("the adapterType {} is not known", quote(word)));
            }
            None if !matches!(parent(descriptor), Ok(Some(_))) => {
                self.risk(self.start, "the descriptor has no ddb.adapterType: VMware's products want one");
            }
            _ => {}
        }
    }
}

/// Kinds that are refused elsewhere.
const DEVICES_TOO: [&str; 2] = ["fullDevice", "partitionedDevice"];

/// What a descriptor says of the file that it is in, at byte `start`.
pub(super) fn embedded(hosted: &Hosted, descriptor: &Descriptor, start: u64, findings: &mut Findings) {
    let mut lines = descriptor.extents();
    let (line, more) = (lines.next(), lines.count());
    let mut add = |severity, at, message: String| findings.add(severity, at, message);
    match line {
        None => add(Severity::Risk, start, "the embedded descriptor names no extent: VirtualBox refuses it".into()),
        Some(_) if more > 0 => {
            add(
                Severity::Corruption,
                start,
                format!("the embedded descriptor names {} extents: there is one file", more + 1),
            );
        }
        Some(line) if line.sectors.checked_mul(512) != Some(hosted.capacity) => {
            let (sectors, capacity) = (line.sectors, hosted.capacity / 512);
            let message = format!("the header's capacity is {capacity} sectors, the descriptor's extent has {sectors}");
            add(Severity::Corruption, 0xc, message);
        }
        Some(_) => {}
    }
    let Some(name) = descriptor.create_type() else { return };
    if TYPES.iter().any(|(known, _)| *known == name) && !EMBEDDED.contains(&name) && name != "custom" {
        let message = format!("the createType {name} contradicts an embedded descriptor");
        add(Severity::Corruption, start, message);
    }
    let packed = hosted.form != Form::Plain;
    if EMBEDDED.contains(&name) && (name == "streamOptimized") != packed {
        let grains = if packed { "compressed" } else { "plain" };
        add(Severity::Risk, start, format!("the createType {name} contradicts grains that are {grains}"));
    }
}
