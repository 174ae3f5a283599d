//! The first cluster: header, extensions and the backing file's name.

use crate::error::{Error, Result};
use crate::formats::qcow2::layout::{HEADER_V2, HEADER_V3, LAZY_REFCOUNTS, MAGIC, RawHeader, extension, incompatible};
use crate::formats::qcow2::options::{Compression, Version, WriteOptions};
use zerocopy::{FromZeros, IntoBytes};

/// The longest name of a backing file, in bytes.
const LONGEST_NAME: usize = 1023;

/// What the first cluster holds, but for where the tables are.
pub(super) struct Template {
    header: RawHeader,
    len: usize,
    /// What follows the header.
    rest: Vec<u8>,
}

impl Template {
    /// For an image made so.
    ///
    /// # Errors
    /// `Usage` when the backing file's name does not fit.
    pub(super) fn new(options: &WriteOptions) -> Result<Self> {
        let mut header = RawHeader::new_zeroed();
        header.magic = MAGIC;
        header.cluster_bits.set(options.cluster_size.ilog2());
        let mut len = HEADER_V2;
        header.version.set(2);
        if options.version == Version::V1_1 {
            let zstd = matches!(options.compression, Compression::Zstd { .. });
            // Old readers know the short header only; the longer one is needed to name the compression.
            len = if zstd { size_of::<RawHeader>() } else { HEADER_V3 };
            header.version.set(3);
            let mut features = 0;
            if zstd {
                header.compression_type = 1;
                features |= incompatible::COMPRESSION;
            }
            if options.extended_l2 {
                features |= incompatible::EXTENDED_L2;
            }
            header.incompatible_features.set(features);
            header.compatible_features.set(if options.lazy_refcounts { LAZY_REFCOUNTS } else { 0 });
            header.refcount_order.set(options.refcount_bits.ilog2());
            header.header_length.set(len as u32);
        }
        let mut rest = Vec::new();
        if let Some(backing) = &options.backing {
            let format = backing.format.as_bytes();
            rest.extend_from_slice(&extension::BACKING_FORMAT.to_be_bytes());
            rest.extend_from_slice(&(format.len() as u32).to_be_bytes());
            rest.extend_from_slice(format);
            rest.resize(rest.len().next_multiple_of(8), 0);
        }
        rest.extend_from_slice(&[0; 8]);
        if let Some(backing) = &options.backing {
            let (name, at) = (backing.name.as_bytes(), len + rest.len());
            let room = (options.cluster_size as usize).saturating_sub(at).min(LONGEST_NAME);
            if name.is_empty() || name.len() > room {
                return Err(Error::usage(format!(
                    "the backing file's name has {} bytes: there is room for 1 to {room}",
                    name.len()
                )));
            }
            header.backing_file_offset.set(at as u64);
            header.backing_file_size.set(name.len() as u32);
            rest.extend_from_slice(name);
        }
        Ok(Template { header, len, rest })
    }

    /// The bytes, for a disk of `capacity` bytes, with an L1 table of so many entries at `l1`, and a refcount table of so many clusters
    /// at `refcounts`.
    pub(super) fn bytes(
        mut self,
        capacity: u64,
        (l1, l1_entries): (u64, u32),
        (refcounts, refcount_clusters): (u64, u32),
    ) -> Vec<u8> {
        self.header.size.set(capacity);
        self.header.l1_table_offset.set(l1);
        self.header.l1_size.set(l1_entries);
        self.header.refcount_table_offset.set(refcounts);
        self.header.refcount_table_clusters.set(refcount_clusters);
        let mut bytes = self.header.as_bytes()[..self.len].to_vec();
        bytes.extend_from_slice(&self.rest);
        bytes
    }
}
