//! The descriptor of a disk that is written, in the order and the words that every reader takes.

use super::Names;
use crate::digest::ContentDigest;
use crate::error::Result;
use crate::formats::vmdk::descriptor::{Access, Descriptor, ExtentKind, ExtentLine, Line, NO_PARENT};
use crate::formats::vmdk::options::{AdapterType, WriteOptions};
use crate::io::Outputs;

use std::fmt::Write as _;

/// What identifies a disk: `longContentID`, whose last four bytes are the CID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextIdentity([u8; 16]);

impl TextIdentity {
    /// From the content, so that the same disk gets the same identity; or from the `capacity` in bytes, where the descriptor is
    /// written before the content is known.
    pub(super) fn of(content: Option<&ContentDigest>, capacity: u64, options: &WriteOptions) -> Self {
        let mut nothing = [0; 32];
        nothing[..8].copy_from_slice(&capacity.to_le_bytes());
        let derived = content.unwrap_or(&ContentDigest(nothing)).derive(&format!("vmdk {}", options.subformat));
        let candidates = derived.as_chunks::<16>().0;
        let mut id = candidates.iter().find(|id| is_usable(id)).copied().unwrap_or([1; 16]);
        if let Some(cid) = options.cid {
            id[12..].copy_from_slice(&cid.to_be_bytes());
        }
        TextIdentity(id)
    }

    fn cid(&self) -> String {
        self.0[12..].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn long(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether the CID is one: 0xffffffff stands for no parent, and 0xfffffffe is what VMware's tools take for none yet.
fn is_usable(id: &[u8; 16]) -> bool {
    id[12..] < [0xff, 0xff, 0xff, 0xfe][..]
}

/// An extent of so many bytes.
pub(super) fn extent(kind: ExtentKind, bytes: u64, file: String) -> ExtentLine {
    let offset = (kind == ExtentKind::Flat).then_some(0);
    ExtentLine { access: Access::ReadWrite, sectors: bytes / 512, kind, file: Some(file), offset }
}

/// The descriptor of a disk of `capacity` bytes in `extents`.
pub(super) fn descriptor(
    capacity: u64,
    extents: Vec<ExtentLine>,
    identity: TextIdentity,
    options: &WriteOptions,
) -> Descriptor {
    let (cylinders, heads, sectors) = geometry(capacity / 512, options.adapter_type);
    let other = |text: &str| Line::Other(text.into());
    let field = |key: &str, value: &str| Line::Field { key: key.into(), value: value.into() };
    let number = |key, value: u64| field(key, &value.to_string());
    let mut lines = vec![
        other("# Disk DescriptorFile"),
        field("version", "1"),
        field("encoding", "UTF-8"),
        field("CID", &identity.cid()),
        field("parentCID", &format!("{NO_PARENT:08x}")),
        field("createType", options.subformat.name()),
        other(""),
        other("# Extent description"),
    ];
    lines.extend(extents.into_iter().map(Line::Extent));
    lines.extend([
        other(""),
        other("# The Disk Data Base"),
        other("#DDB"),
        other(""),
        field("ddb.adapterType", options.adapter_type.word()),
        number("ddb.geometry.cylinders", cylinders),
        number("ddb.geometry.heads", heads),
        number("ddb.geometry.sectors", sectors),
        field("ddb.longContentID", &identity.long()),
        field("ddb.toolsInstallType", "4"),
        field("ddb.toolsVersion", &options.tools_version),
        field("ddb.virtualHWVersion", &options.hardware_version),
    ]);
    for (key, value) in &options.database {
        let same = |line: &&mut Line| matches!(line, Line::Field { key: there, .. } if there.eq_ignore_ascii_case(key));
        match lines.iter_mut().find(same) {
            Some(line) => *line = field(key, value),
            None => lines.push(field(key, value)),
        }
    }
    Descriptor { lines }
}

/// Cylinders, heads and sectors of a disk of so many sectors: IDE's as the ATA standard bounds them, SCSI's as VMware's
/// BIOS has them, with smaller heads below 1 GiB.
fn geometry(sectors: u64, adapter: AdapterType) -> (u64, u64, u64) {
    let (heads, per_track, most) = match adapter {
        AdapterType::Ide => (16, 63, 16_383),
        _ if sectors < 1 << 21 => (64, 32, 65_535),
        _ => (255, 63, 65_535),
    };
    ((sectors / (heads * per_track)).clamp(1, most), heads, per_track)
}

/// Writes the descriptor as the disk's main file, behind its extents: with it the disk is complete.
pub(super) fn write_main(names: &Names, descriptor: &Descriptor, outputs: &Outputs) -> Result<()> {
    let mut text = String::new();
    let _ = write!(text, "{descriptor}");
    let mut file = outputs.create_in_order(&names.main)?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_by_size_and_adapter() {
        assert_eq!(geometry(16_777_216, AdapterType::LsiLogic), (1044, 255, 63));
        assert_eq!(geometry(16_777_216, AdapterType::Ide), (16_383, 16, 63));
        assert_eq!(geometry(204_800, AdapterType::BusLogic), (100, 64, 32));
        assert_eq!(geometry(1, AdapterType::Ide), (1, 16, 63));
    }

    #[test]
    fn the_identity_is_never_a_reserved_one() {
        let options = WriteOptions::default();
        let content = |byte| ContentDigest([byte; 32]);
        let one = TextIdentity::of(Some(&content(1)), 512, &options);
        assert_ne!(one, TextIdentity::of(Some(&content(2)), 512, &options));
        assert_eq!(one, TextIdentity::of(Some(&content(1)), 512, &options));
        assert!(one.long().ends_with(&one.cid()) && one.cid().len() == 8);
    }
}
