//! The features that a volume has, and which of them leave a block bitmap with its plain meaning.

use super::layout::{RawSuper, compat, incompat, ro_compat};
use crate::error::{Error, Result};

/// The flags of the three sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Features {
    compat: u32,
    incompat: u32,
    ro_compat: u32,
}

/// Flags of one set of which it is known what they mean for free blocks.
struct Known {
    set: &'static str,
    /// Those that are looked into: the bitmaps alone say what is free.
    looked_into: &'static [u32],
    /// Those that are not, by name.
    handed_off: &'static [(u32, &'static str)],
}

const COMPAT: Known = Known {
    set: "compatible",
    looked_into: &[
        0x1, // dir_prealloc
        0x2, // imagic_inodes
        compat::HAS_JOURNAL,
        0x8, // ext_attr
        compat::RESIZE_INODE,
        0x20, // dir_index
        compat::SPARSE_SUPER2,
        0x400,  // fast_commit
        0x800,  // stable_inodes
        0x1000, // orphan_file
    ],
    handed_off: &[(0x40, "lazy_bg"), (0x80, "exclude_inode"), (0x100, "exclude_bitmap")],
};

const INCOMPAT: Known = Known {
    set: "incompatible",
    looked_into: &[
        incompat::FILETYPE,
        incompat::RECOVER,
        incompat::META_BG,
        0x40, // extents
        incompat::BITS_64,
        incompat::MMP,
        incompat::FLEX_BG,
        0x400, // ea_inode
        incompat::CSUM_SEED,
        0x4000,  // largedir
        0x8000,  // inline_data
        0x10000, // encrypt
        0x20000, // casefold
    ],
    handed_off: &[(0x1, "compression"), (incompat::JOURNAL_DEV, "journal_dev"), (0x1000, "dirdata")],
};

const RO_COMPAT: Known = Known {
    set: "read-only compatible",
    looked_into: &[
        ro_compat::SPARSE_SUPER,
        ro_compat::LARGE_FILE,
        ro_compat::BTREE_DIR,
        0x8, // huge_file
        ro_compat::GDT_CSUM,
        0x20,  // dir_nlink
        0x40,  // extra_isize
        0x100, // quota
        ro_compat::BIGALLOC,
        ro_compat::METADATA_CSUM,
        0x1000, // read-only
        0x2000, // project
        0x4000, // shared_blocks
        0x8000, // verity
        ro_compat::ORPHAN_PRESENT,
    ],
    handed_off: &[(0x80, "has_snapshot"), (0x800, "replica")],
};

impl Features {
    /// Those of a superblock.
    pub(super) fn of(raw: &RawSuper) -> Self {
        Features { compat: raw.compat.get(), incompat: raw.incompat.get(), ro_compat: raw.ro_compat.get() }
    }

    /// Whether it has the compatible feature `flag`.
    pub(super) fn compat(&self, flag: u32) -> bool {
        self.compat & flag != 0
    }

    /// Whether it has the incompatible feature `flag`.
    pub(super) fn incompat(&self, flag: u32) -> bool {
        self.incompat & flag != 0
    }

    /// Whether it has the read-only compatible feature `flag`.
    pub(super) fn ro_compat(&self, flag: u32) -> bool {
        self.ro_compat & flag != 0
    }

    /// Whether it has any at all.
    pub(super) fn any(&self) -> bool {
        self.compat | self.incompat | self.ro_compat != 0
    }

    /// What people call a volume that has them.
    pub(super) fn name(&self) -> &'static str {
        let old = incompat::FILETYPE | incompat::RECOVER | incompat::META_BG;
        let old_ro = ro_compat::SPARSE_SUPER | ro_compat::LARGE_FILE | ro_compat::BTREE_DIR;
        if self.incompat(incompat::JOURNAL_DEV) {
            "ext journal"
        } else if self.incompat(!old) || self.ro_compat(!old_ro) {
            "ext4"
        } else if self.compat(compat::HAS_JOURNAL) {
            "ext3"
        } else {
            "ext2"
        }
    }

    /// Checks that all of them are looked into.
    ///
    /// # Errors
    /// `Unsupported`, with the names or the bits of those that are not.
    pub(super) fn judge(&self) -> Result<()> {
        if self.incompat(incompat::JOURNAL_DEV) {
            return Err(Error::unsupported("is the journal of another volume"));
        }
        let mut strange = Vec::new();
        for (held, known) in [(self.compat, COMPAT), (self.incompat, INCOMPAT), (self.ro_compat, RO_COMPAT)] {
            let looked_into: u32 = known.looked_into.iter().fold(0, |all, flag| all | flag);
            let rest = held & !looked_into;
            strange.extend((0..32).filter(|bit| rest >> bit & 1 == 1).map(|bit| {
                let named = known.handed_off.iter().find(|(flag, _)| *flag == 1 << bit);
                named.map_or_else(|| format!("bit {bit} of the {} ones", known.set), |(_, name)| (*name).to_owned())
            }));
        }
        if strange.is_empty() {
            return Ok(());
        }
        Err(Error::unsupported(format!("has features that are not looked into: {}", strange.join(", "))))
    }
}
