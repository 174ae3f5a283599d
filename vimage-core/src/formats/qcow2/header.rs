//! The header, every field checked; limits are QEMU's own, so that what it takes is taken here.

use super::extensions::Extensions;
use super::layout::{HEADER_V2, HEADER_V3, LAZY_REFCOUNTS, MAGIC, RawHeader, SUBCLUSTERS, autoclear, incompatible};
use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::io::ReadAt;
use crate::io::neighbors::quote;
use crate::limits::qcow2::LARGEST_L1;
use zerocopy::{FromZeros, IntoBytes};

/// The longest name of a backing file, in bytes.
const LONGEST_NAME: u64 = 1023;

/// A header whose every field was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) cluster_bits: u32,
    /// The virtual size in bytes: whole sectors.
    pub(super) size: u64,
    pub(super) encryption: u32,
    pub(super) l1_entries: u64,
    pub(super) l1_offset: u64,
    pub(super) refcount_table: u64,
    pub(super) refcount_table_clusters: u64,
    pub(super) refcount_bits: u32,
    pub(super) snapshots: u32,
    pub(super) snapshots_offset: u64,
    pub(super) incompatible: u64,
    pub(super) compatible: u64,
    pub(super) autoclear: u64,
    pub(super) codec: Codec,
    pub(super) length: u64,
    /// The backing file's name.
    pub(super) backing: Option<String>,
    pub(super) extensions: Extensions,
}

impl Header {
    /// Reads and checks the header of `file`, with its extensions. Reads one cluster at most.
    ///
    /// # Errors
    /// `Corrupt` when a field cannot be, `Unsupported` for versions and features that are not known, `Io`.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self> {
        let raw = read_raw(file)?;
        let mut header = Self::check(&raw, file)?;
        let cluster = header.cluster();
        let backing_at = raw.backing_file_offset.get();
        let end = if backing_at == 0 { cluster } else { backing_at.min(cluster) };
        header.extensions = Extensions::read(file, header.length, end.min(file.size()))?;
        // Named features make a better refusal.
        let unknown = header.incompatible & !incompatible::KNOWN;
        if unknown != 0 {
            let names: Vec<_> = (0..64)
                .filter(|bit| unknown >> bit & 1 == 1)
                .map(|bit| match header.extensions.feature_name(0, bit) {
                    Some(name) => format!("{bit} ({})", quote(name)),
                    None => bit.to_string(),
                })
                .collect();
            return Err(Error::unsupported(format!("needs features that are not known: bits {}", names.join(", ")))
                .at_offset(72));
        }
        if backing_at != 0 {
            let len = u64::from(raw.backing_file_size.get());
            if len > LONGEST_NAME || backing_at.checked_add(len).is_none_or(|end| end > cluster) {
                return Err(Error::corrupt(format!(
                    "the backing file's name, {len} bytes from byte {backing_at} on, is not within the first cluster, \
                     or longer than {LONGEST_NAME}"
                ))
                .at_offset(8));
            }
            let mut name = vec![0; len as usize];
            let read = file.read_exact_at(&mut name, backing_at);
            read.map_err(|cause| Error::io("cannot read the backing file's name", cause).at_offset(backing_at))?;
            let name = String::from_utf8(name)
                .map_err(|_| Error::unsupported("the backing file's name is not UTF-8").at_offset(backing_at))?;
            header.backing = (!name.is_empty()).then_some(name);
        }
        Ok(header)
    }

    fn check(raw: &RawHeader, file: &dyn ReadAt) -> Result<Self> {
        let corrupt = |offset, message: String| Err(Error::corrupt(message).at_offset(offset));
        if raw.magic != MAGIC {
            return corrupt(0, "is no qcow2 image: it does not begin with \"QFI\" and 0xfb".into());
        }
        let version = raw.version.get();
        if !(2..=3).contains(&version) {
            return Err(Error::unsupported(format!("qcow version {version}: 2 and 3 are known")).at_offset(4));
        }
        let cluster_bits = raw.cluster_bits.get();
        if !(9..=21).contains(&cluster_bits) {
            return corrupt(20, format!("clusters of 2^{cluster_bits} bytes: they have 2^9 to 2^21"));
        }
        let cluster = 1_u64 << cluster_bits;
        let length = if version == 2 { HEADER_V2 as u64 } else { u64::from(raw.header_length.get()) };
        if version == 3 && !(HEADER_V3 as u64..=cluster).contains(&length) {
            return corrupt(100, format!("a header of {length} bytes: it has {HEADER_V3} to {cluster}"));
        }
        let order = raw.refcount_order.get();
        if order > 6 {
            return corrupt(96, format!("refcounts of 2^{order} bits: they have 64 at most"));
        }
        let (incompatible, compatible, autoclear) =
            (raw.incompatible_features.get(), raw.compatible_features.get(), raw.autoclear_features.get());
        let extended = incompatible & incompatible::EXTENDED_L2 != 0;
        if extended && cluster < SUBCLUSTERS * 512 {
            return corrupt(20, format!("extended L2 entries with clusters of {cluster} bytes: they need 16384"));
        }
        let has_type = incompatible & incompatible::COMPRESSION != 0;
        let codec = match raw.compression_type {
            0 if !has_type => Codec::Deflate,
            1 if has_type => Codec::Zstd,
            0 | 1 => {
                return corrupt(104, "the compression type and the feature bit for it contradict each other".into());
            }
            other => return Err(Error::unsupported(format!("compression type {other}")).at_offset(104)),
        };
        let size = raw.size.get() / 512 * 512;
        if i64::try_from(size).is_err() {
            return corrupt(24, format!("a disk of {size} bytes: it has less than 2^63"));
        }
        let l1_entries = u64::from(raw.l1_size.get());
        let header = Header {
            version,
            cluster_bits,
            size,
            encryption: raw.crypt_method.get(),
            l1_entries,
            l1_offset: raw.l1_table_offset.get(),
            refcount_table: raw.refcount_table_offset.get(),
            refcount_table_clusters: u64::from(raw.refcount_table_clusters.get()),
            refcount_bits: 1 << order,
            snapshots: raw.nb_snapshots.get(),
            snapshots_offset: raw.snapshots_offset.get(),
            incompatible,
            compatible,
            autoclear,
            codec,
            length,
            backing: None,
            extensions: Extensions::default(),
        };
        header.check_table("the L1 table", 36, header.l1_offset, l1_entries * 8, LARGEST_L1, file)?;
        let needed = size.div_ceil(header.table_span());
        if l1_entries < needed {
            return corrupt(36, format!("an L1 table of {l1_entries} entries: the disk's size needs {needed}"));
        }
        if !header.snapshots_offset.is_multiple_of(cluster) && header.snapshots > 0 {
            return corrupt(64, "the snapshot table does not begin at a cluster".into());
        }
        Ok(header)
    }

    /// Checks that a table is within the file, begins at a cluster and is no larger than `most`, before it is read.
    pub(super) fn check_table(
        &self,
        what: &str,
        field: u64,
        offset: u64,
        bytes: u64,
        most: u64,
        file: &dyn ReadAt,
    ) -> Result<()> {
        if bytes > most {
            let message = format!("{what} has {bytes} bytes: {most} is the most");
            return Err(Error::corrupt(message).at_offset(field));
        }
        if bytes > 0 && !offset.is_multiple_of(self.cluster()) {
            return Err(Error::corrupt(format!("{what} begins at byte {offset}, within a cluster")).at_offset(field));
        }
        let size = file.size();
        if offset.checked_add(bytes).is_none_or(|end| end > size) {
            return Err(Error::corrupt(format!(
                "{what}, {bytes} bytes from byte {offset} on, reaches past the end of the file, which has {size} bytes"
            ))
            .at_offset(field)
            .with_hint("the file was cut off, or its header is damaged"));
        }
        Ok(())
    }

    /// Bytes of a cluster.
    pub(super) fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Whether L2 entries are extended.
    pub(super) fn extended(&self) -> bool {
        self.incompatible & incompatible::EXTENDED_L2 != 0
    }

    /// Whether the guest's data are in another file.
    pub(super) fn external(&self) -> bool {
        self.incompatible & incompatible::DATA_FILE != 0
    }

    /// Whether the other file holds the disk byte for byte.
    pub(super) fn raw_external(&self) -> bool {
        self.external() && self.autoclear & autoclear::RAW_DATA_FILE != 0
    }

    pub(super) fn lazy_refcounts(&self) -> bool {
        self.compatible & LAZY_REFCOUNTS != 0
    }

    /// Bytes of an L2 entry.
    pub(super) fn entry_len(&self) -> u64 {
        if self.extended() { 16 } else { 8 }
    }

    /// Bytes of the disk that an L2 table covers.
    pub(super) fn table_span(&self) -> u64 {
        self.cluster() / self.entry_len() * self.cluster()
    }
}

fn read_raw(file: &dyn ReadAt) -> Result<RawHeader> {
    let mut raw = RawHeader::new_zeroed();
    let there = file.size().min(raw.as_bytes().len() as u64) as usize;
    if there < HEADER_V2 {
        return Err(Error::corrupt(format!("is cut off: a qcow2 header has {HEADER_V2} bytes, the file has {there}")));
    }
    let read = file.read_exact_at(&mut raw.as_mut_bytes()[..there], 0);
    read.map_err(|cause| Error::io("cannot read the header", cause).at_offset(0))?;
    if raw.version.get() == 2 {
        // What lies behind the shorter header is something else, and means the defaults.
        raw.as_mut_bytes()[HEADER_V2..].fill(0);
        raw.refcount_order.set(4);
    } else if there < HEADER_V3 {
        return Err(Error::corrupt(format!("is cut off: the header has {HEADER_V3} bytes, the file has {there}")));
    } else if (raw.header_length.get() as usize) <= HEADER_V3 {
        raw.compression_type = 0;
    }
    Ok(raw)
}
