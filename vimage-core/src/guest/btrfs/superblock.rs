//! The superblock: what kind of btrfs this is, whether it may be looked into, and where it begins.

use super::checksum::Checksum;
use super::layout::{LEVELS, MAGIC, MIRRORS, RawSuperblock, SUPERBLOCK, SUPERBLOCK_AT};
use super::tree::Pointer;
use crate::error::{Error, Result};
use crate::guest::volume::Volume;
use zerocopy::FromBytes;

/// Features that change nothing of how space is told. The profiles of several devices are looked for in each chunk.
mod fine {
    /// Mixed back references, the default subvolume, mixed groups, LZO, Zstandard, big metadata, extended inode references,
    /// RAID5 and 6, skinny metadata, no holes, the metadata UUID, RAID1C3 and 1C4; simple quotas.
    pub(super) const INCOMPAT: u64 = 0xfff | 1 << 16;
    /// The free space tree and that it is valid, verity, the block group tree.
    pub(super) const COMPAT_RO: u64 = 0xf;
    /// Written, and relocated.
    pub(super) const FLAGS: u64 = 0x3;
}

const MIXED_BACKREF: u64 = 1;
const METADATA_UUID: u64 = 1 << 10;
const GROUP_TREE: u64 = 1 << 3;

const REFUSED_FEATURES: [(u64, &str); 5] = [
    (1 << 12, "is zoned"),
    (1 << 13, "has the feature extent-tree-v2"),
    (1 << 14, "has the feature raid-stripe-tree"),
    (1 << 15, "is encrypted"),
    (1 << 17, "has the feature remap-tree"),
];

const REFUSED_FLAGS: [(u64, &str); 6] = [
    (1 << 2, "has noted errors in itself"),
    (1 << 32, "is the seed of other file systems"),
    (0x3 << 33, "is a dump of metadata only"),
    (0x3 << 35, "is in the middle of a change of its UUID"),
    (1 << 38, "is in the middle of a change of its block group tree"),
    (0x3 << 39, "is in the middle of a change of its checksums"),
];

/// What the superblock tells.
#[derive(Debug)]
pub(super) struct Superblock {
    pub(super) checksum: Checksum,
    /// The UUID that tree blocks carry.
    pub(super) uuid: [u8; 16],
    pub(super) generation: u64,
    pub(super) root: Pointer,
    pub(super) chunk_root: Pointer,
    /// Bytes of all extents.
    pub(super) bytes_used: u64,
    pub(super) sector_size: u64,
    pub(super) node_size: u64,
    pub(super) has_group_tree: bool,
    pub(super) device: Device,
    /// Keys and chunks by turns: those that the chunk tree is in.
    pub(super) system_chunks: Vec<u8>,
}

/// The one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) id: u64,
    pub(super) size: u64,
    pub(super) uuid: [u8; 16],
}

impl Superblock {
    /// # Errors
    /// `Corrupt`, `Unsupported`; those of reading.
    pub(super) fn read(volume: &Volume<'_>) -> Result<Self> {
        let bytes = volume.read(SUPERBLOCK_AT, SUPERBLOCK)?;
        let superblock =
            Self::parse(&bytes, volume.size()).map_err(|error| error.at_offset(volume.disk_offset(SUPERBLOCK_AT)))?;
        for at in MIRRORS {
            superblock.compare_mirror(volume, at, &bytes)?;
        }
        Ok(superblock)
    }

    fn parse(bytes: &[u8], room: u64) -> Result<Self> {
        let raw =
            RawSuperblock::ref_from_bytes(bytes).map_err(|_| Error::corrupt("has a superblock that is cut off"))?;
        let number = raw.checksum_kind.get();
        let checksum = Checksum::numbered(number)
            .ok_or_else(|| Error::unsupported(format!("has checksums of the unknown kind {number}")))?;
        if !checksum.holds(bytes) {
            return Err(Error::corrupt("has a superblock with a wrong checksum"));
        }
        if raw.at.get() != SUPERBLOCK_AT || raw.magic != MAGIC {
            return Err(Error::corrupt(format!("has the superblock of byte {} in this place", raw.at.get())));
        }
        features(raw)?;
        if raw.devices.get() != 1 {
            return Err(Error::unsupported(format!("lies on {} devices", raw.devices.get())));
        }
        if raw.log_root.get() != 0 {
            return Err(Error::unsupported("has a tree log that is not replayed")
                .with_hint("mount and unmount it once, which replays its log"));
        }
        let (sector_size, node_size) = (raw.sector_size.get(), raw.node_size.get());
        let is_size = |size: u32| size.is_power_of_two() && (4096..=65536).contains(&size);
        if !is_size(sector_size) || !is_size(node_size) || sector_size > node_size {
            return Err(Error::corrupt(format!("has sectors of {sector_size} bytes and nodes of {node_size}")));
        }
        let size = raw.device.total_bytes.get();
        if size > room {
            return Err(Error::corrupt(format!("holds its device for {size} bytes, of which only {room} are there")));
        }
        let system_chunks = raw
            .system_chunks
            .get(..raw.system_chunks_size.get() as usize)
            .ok_or_else(|| Error::corrupt("has a superblock with more chunks than fit"))?;
        let generation = raw.generation.get();
        let root = Pointer { logical: raw.root.get(), generation, level: raw.root_level };
        let chunk_root = Pointer {
            logical: raw.chunk_root.get(),
            generation: raw.chunk_root_generation.get(),
            level: raw.chunk_root_level,
        };
        if root.level >= LEVELS || chunk_root.level >= LEVELS || chunk_root.generation > generation {
            return Err(Error::corrupt("has a superblock with an impossible root"));
        }
        Ok(Superblock {
            checksum,
            uuid: if raw.incompat.get() & METADATA_UUID != 0 { raw.metadata_uuid } else { raw.fsid },
            generation,
            root,
            chunk_root,
            bytes_used: raw.bytes_used.get(),
            sector_size: sector_size.into(),
            node_size: node_size.into(),
            has_group_tree: raw.compat_ro.get() & GROUP_TREE != 0,
            device: Device { id: raw.device.id.get(), size, uuid: raw.device.uuid },
            system_chunks: system_chunks.to_vec(),
        })
    }

    /// A mirror is written after the superblock: one that is older is none the worse, one that is newer tells that something
    /// is amiss. What is no whole mirror of this file system tells nothing.
    fn compare_mirror(&self, volume: &Volume<'_>, at: u64, primary: &[u8]) -> Result<()> {
        if self.device.size < at + SUPERBLOCK as u64 {
            return Ok(());
        }
        let bytes = volume.read(at, SUPERBLOCK)?;
        let (Ok(mirror), Ok(primary)) = (RawSuperblock::ref_from_bytes(&bytes), RawSuperblock::ref_from_bytes(primary))
        else {
            return Ok(());
        };
        let is_mirror = mirror.magic == MAGIC
            && mirror.at.get() == at
            && mirror.fsid == primary.fsid
            && self.checksum.holds(&bytes);
        match mirror.generation.get() {
            newer if is_mirror && newer > self.generation => Err(Error::unsupported(format!(
                "has a mirror of the superblock that is newer: generation {newer} against {}",
                self.generation
            ))
            .with_hint("mount and unmount it once")
            .at_offset(volume.disk_offset(at))),
            _ => Ok(()),
        }
    }
}

/// Refuses what is not known to leave the telling of space alone.
fn features(raw: &RawSuperblock) -> Result<()> {
    let (flags, incompat) = (raw.flags.get(), raw.incompat.get());
    let named = |bits: u64, names: &[(u64, &'static str)]| {
        names.iter().find(|(bit, _)| bits & bit != 0).map_or(Ok(()), |(_, name)| Err(Error::unsupported(*name)))
    };
    named(flags, &REFUSED_FLAGS)?;
    named(incompat, &REFUSED_FEATURES)?;
    let unknown = [
        ("incompat", incompat & !fine::INCOMPAT),
        ("compat_ro", raw.compat_ro.get() & !fine::COMPAT_RO),
        ("compat", raw.compat.get()),
        ("superblock", flags & !fine::FLAGS),
    ];
    if let Some((set, bits)) = unknown.iter().find(|(_, bits)| *bits != 0) {
        return Err(Error::unsupported(format!("has unknown {set} flags {bits:#x}")));
    }
    if incompat & MIXED_BACKREF == 0 {
        return Err(Error::unsupported("has back references of the kind before Linux 2.6.31"));
    }
    Ok(())
}
