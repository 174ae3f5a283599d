//! The header, every field checked.

use super::layout::{RawHeader, SHORTEST_HEADER, SIGNATURE, VERSION, kind};
use super::uuid;
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::limits::vdi::{LARGEST_BLOCK, MOST_BLOCKS, MOST_EXTRA};
use zerocopy::{FromZeros, IntoBytes};

/// A header whose every field was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u32,
    /// The virtual size in bytes: whole sectors.
    pub(super) size: u64,
    pub(super) block: u64,
    /// Bytes before each block that are not the disk's.
    pub(super) extra: u64,
    pub(super) blocks: u32,
    pub(super) allocated: u32,
    pub(super) map: u64,
    pub(super) data: u64,
    pub(super) created: [u8; 16],
    pub(super) modified: [u8; 16],
    pub(super) parent: [u8; 16],
    pub(super) parent_modified: [u8; 16],
}

impl Header {
    /// Reads and checks the header of `file`.
    ///
    /// # Errors
    /// `Corrupt` when a field cannot be, `Unsupported` for other versions and kinds, `Io`.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self> {
        let mut raw = RawHeader::new_zeroed();
        let there = file.size();
        if there < raw.as_bytes().len() as u64 {
            return Err(Error::corrupt(format!("is cut off: a VDI's header has 512 bytes, the file has {there}")));
        }
        let read = file.read_exact_at(raw.as_mut_bytes(), 0);
        read.map_err(|cause| Error::io("cannot read the header", cause).at_offset(0))?;
        Self::check(&raw, there)
    }

    fn check(raw: &RawHeader, there: u64) -> Result<Self> {
        let corrupt = |offset, message: String| Err(Error::corrupt(message).at_offset(offset));
        if raw.signature != SIGNATURE {
            return corrupt(0x40, "is no VDI: the signature 0xbeda107f is missing".into());
        }
        let version = raw.version.get();
        if version != VERSION {
            return Err(Error::unsupported(format!(
                "VDI version {}.{}: 1.1 is known",
                version >> 16,
                version & 0xffff
            ))
            .at_offset(0x44)
            .with_hint("VirtualBox converts old images: VBoxManage clonemedium"));
        }
        let header_size = raw.header_size.get();
        if header_size < SHORTEST_HEADER {
            return corrupt(0x48, format!("a header of {header_size} bytes: it has {SHORTEST_HEADER} or more"));
        }
        let kind = raw.kind.get();
        match kind {
            kind::DYNAMIC | kind::FIXED | kind::DIFFERENCING => {}
            kind::UNDO => return Err(Error::unsupported("is an undo image").at_offset(0x4c)),
            other => return corrupt(0x4c, format!("is of kind {other}, which there is not")),
        }
        let block = u64::from(raw.block_size.get());
        if !block.is_power_of_two() || !(512..=LARGEST_BLOCK).contains(&block) {
            return corrupt(0x178, format!("blocks of {block} bytes: a power of two from 512 to {LARGEST_BLOCK} is"));
        }
        let extra = u64::from(raw.block_extra.get());
        if extra > MOST_EXTRA {
            return corrupt(0x17c, format!("{extra} extra bytes before each block: {MOST_EXTRA} is the most"));
        }
        if !matches!(raw.sector_size.get(), 0 | 512) {
            return Err(Error::unsupported(format!("sectors of {} bytes", raw.sector_size.get())).at_offset(0x168));
        }
        // VirtualBox rounds down, QEMU up; both write whole sectors.
        let size = raw.disk_size.get();
        if i64::try_from(size).is_err() {
            return corrupt(0x170, format!("a disk of {size} bytes: it has less than 2^63"));
        }
        let size = size.next_multiple_of(512);
        let blocks = raw.blocks.get();
        if size.div_ceil(block) > u64::from(blocks) {
            return corrupt(0x180, format!("{blocks} blocks of {block} bytes do not hold a disk of {size} bytes"));
        }
        let (map, data) = (u64::from(raw.map_offset.get()), u64::from(raw.data_offset.get()));
        let (head_end, map_end) = (u64::from(header_size) + 0x48, map + u64::from(blocks) * 4);
        if map < head_end {
            return corrupt(
                0x154,
                format!("the map, at byte {map}, lies in the header, which ends at byte {head_end}"),
            );
        }
        if map_end > there {
            return Err(Error::corrupt(format!(
                "a map of {blocks} blocks ends at byte {map_end}, the file has {there} bytes"
            ))
            .at_offset(0x180)
            .with_hint("the file was cut off, or its header is damaged"));
        }
        if blocks > MOST_BLOCKS {
            return Err(Error::unsupported(format!("{blocks} blocks: {MOST_BLOCKS} is the most")).at_offset(0x180));
        }
        if data < map_end {
            return corrupt(0x158, format!("the blocks, from byte {data} on, lie in the map, which ends at {map_end}"));
        }
        if kind == kind::DIFFERENCING && raw.parent == [0; 16] {
            return corrupt(0x1a8, "holds only what differs from its parent, and names none".into());
        }
        Ok(Header {
            kind,
            size,
            block,
            extra,
            blocks,
            allocated: raw.allocated.get(),
            map,
            data,
            created: raw.created,
            modified: raw.modified,
            parent: raw.parent,
            parent_modified: raw.parent_modified,
        })
    }

    /// The byte of the file at which block `number` of it starts.
    pub(super) fn place(&self, number: u32) -> u64 {
        self.data + u64::from(number) * (self.extra + self.block) + self.extra
    }

    /// The identifier of this image's content: of its making and its last change.
    pub(super) fn id(&self) -> String {
        format!("{} as of {}", uuid::text(&self.created), uuid::text(&self.modified))
    }

    /// The identifier that the parent must have.
    pub(super) fn parent_id(&self) -> Option<String> {
        let named = self.kind == kind::DIFFERENCING;
        named.then(|| format!("{} as of {}", uuid::text(&self.parent), uuid::text(&self.parent_modified)))
    }
}
