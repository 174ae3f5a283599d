//! What the entries of the tables mean.

use super::header::Header;
use super::layout::{SECTOR, SUBCLUSTERS, entry};
use crate::error::{Error, Result};
use crate::extent::Content;
use crate::io::ReadAt;
use crate::zero::is_zero;

/// Bytes of entries that are looked at together.
const AT_ONCE: usize = 256;

/// Where a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cluster {
    /// Nowhere: what lies beneath, or zero.
    Absent,
    /// Known to be zero; it may keep a place in the file.
    Zero(Option<u64>),
    /// At this byte of the file.
    At(u64),
    /// Compressed, in at most so many bytes from this one of the file on.
    Packed(u64, u64),
    /// In part: at this byte of the file, if anywhere, with a bit for each subcluster that is there, and for each that is
    /// zero.
    Parts(Option<u64>, u32, u32),
}

/// A part of a cluster that is one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) content: Content,
    /// The byte of the file at which it starts, where it is stored byte for byte.
    pub(super) at: Option<u64>,
    /// The byte of the cluster before which it ends.
    pub(super) end: u64,
}

/// How to read L2 entries; what it needs of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entries {
    version: u32,
    cluster_bits: u32,
    extended: bool,
    external: bool,
}

impl Entries {
    pub(super) fn of(header: &Header) -> Self {
        Entries {
            version: header.version,
            cluster_bits: header.cluster_bits,
            extended: header.extended(),
            external: header.external(),
        }
    }

    /// Bytes of an entry.
    pub(super) fn len(&self) -> usize {
        if self.extended { 16 } else { 8 }
    }

    fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Entry `index` of `table`: its first word, and its bitmap, which is 0 where there is none.
    pub(super) fn words(&self, table: &[u8], index: usize) -> (u64, u64) {
        let word = |at: usize| table[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let at = index * self.len();
        (word(at), if self.extended { word(at + 8) } else { 0 })
    }

    /// How many entries of `table` from `index` on are of no cluster at all: zero, in every kind of image. Looked at many at a time,
    /// for nearly all entries of a vast disk are.
    pub(super) fn absent(&self, table: &[u8], index: usize) -> usize {
        let rest = table.get(index * self.len()..).unwrap_or_default();
        let many = rest.as_chunks::<AT_ONCE>().0.iter().take_while(|entries| is_zero(*entries)).count();
        let each = rest[many * AT_ONCE..].chunks_exact(self.len()).take_while(|entry| is_zero(entry)).count();
        many * AT_ONCE / self.len() + each
    }

    /// What entry `index` of `table` says.
    ///
    /// # Errors
    /// `Corrupt` when it cannot be.
    pub(super) fn cluster_at(&self, table: &[u8], index: usize) -> Result<Cluster> {
        let (word, bitmap) = self.words(table, index);
        self.decode(word, bitmap)
    }

    fn decode(&self, word: u64, bitmap: u64) -> Result<Cluster> {
        let corrupt = |what: &str| Err(Error::corrupt(format!("an L2 entry {word:#018x} {what}")));
        if word & entry::COMPRESSED != 0 {
            if self.external {
                return corrupt("is compressed, which clusters in a data file are not");
            }
            if bitmap != 0 {
                return corrupt("is compressed and has subclusters");
            }
            // The number of further sectors stands above the offset, and takes as many bits as a cluster has sectors.
            let bits = 62 - (self.cluster_bits - 8);
            let at = word & ((1 << bits) - 1);
            let sectors = (word & !(entry::COPIED | entry::COMPRESSED)) >> bits;
            return Ok(Cluster::Packed(at, (sectors + 1) * SECTOR - at % SECTOR));
        }
        let at = word & entry::OFFSET;
        if !at.is_multiple_of(self.cluster()) {
            return corrupt("points into the middle of a cluster");
        }
        // A data file's first cluster is one like any other, told from none by the bit.
        let there = (at != 0 || self.external && word & entry::COPIED != 0).then_some(at);
        if self.extended {
            let (allocated, zero) = (bitmap as u32, (bitmap >> 32) as u32);
            return match (there, allocated, zero) {
                _ if allocated & zero != 0 => corrupt("has subclusters that are both stored and zero"),
                (None, 1.., _) => corrupt("has subclusters that are stored nowhere"),
                (None, 0, 0) => Ok(Cluster::Absent),
                (_, 0, u32::MAX) => Ok(Cluster::Zero(there)),
                (Some(at), u32::MAX, 0) => Ok(Cluster::At(at)),
                _ => Ok(Cluster::Parts(there, allocated, zero)),
            };
        }
        match there {
            _ if word & entry::ZERO != 0 && self.version < 3 => corrupt("is a zero cluster, which version 2 has not"),
            _ if word & entry::ZERO != 0 => Ok(Cluster::Zero(there)),
            None => Ok(Cluster::Absent),
            Some(at) => Ok(Cluster::At(at)),
        }
    }

    /// The piece of `cluster` that holds its byte `within`.
    pub(super) fn piece(&self, cluster: Cluster, within: u64) -> Piece {
        let size = self.cluster();
        let whole = |content, at: Option<u64>| Piece { content, at: at.map(|at| at + within), end: size };
        match cluster {
            Cluster::Absent => whole(Content::Hole, None),
            Cluster::Zero(_) => whole(Content::Zero, None),
            Cluster::At(at) => whole(Content::Data, Some(at)),
            Cluster::Packed(..) => whole(Content::Packed, None),
            Cluster::Parts(at, allocated, zero) => {
                let sub = size / SUBCLUSTERS;
                let state = |index: u64| match (allocated >> index & 1, zero >> index & 1) {
                    (1, _) => Content::Data,
                    (_, 1) => Content::Zero,
                    _ => Content::Hole,
                };
                let first = within / sub;
                let content = state(first);
                let end = (first..SUBCLUSTERS).find(|&index| state(index) != content).unwrap_or(SUBCLUSTERS) * sub;
                let at = at.filter(|_| content == Content::Data).map(|at| at + within);
                Piece { content, at, end }
            }
        }
    }
}

/// Reads `count` big-endian words from byte `at` on; that they are in the file was checked.
pub(super) fn read_words(file: &dyn ReadAt, what: &str, at: u64, count: u64) -> Result<Vec<u64>> {
    let mut bytes = vec![0; count as usize * 8];
    let read = file.read_exact_at(&mut bytes, at);
    read.map_err(|cause| Error::io(format!("cannot read {what}"), cause).at_offset(at))?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word)).collect())
}
