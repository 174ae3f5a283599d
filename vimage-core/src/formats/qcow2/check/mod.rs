//! Checking a qcow2 image: every reference is followed once, and the refcounts compared with what was found.
//!
//! What `qemu-img check` verifies is verified: reserved bits, alignment, references past the end, the copied flags,
//! refcounts and leaks; and that no table lies where something else does.

mod counts;

use super::header::Header;
use super::layout::{autoclear, entry, incompatible};
use super::snapshots;
use super::tables::{Cluster, Entries, read_words};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::cache::TableCache;
use crate::formats::{Findings, Severity, Source};
use crate::io::{self, ReadAt};
use crate::limits::qcow2::{LARGEST_DIRECTORY, LARGEST_REFCOUNT_TABLE};
use crate::observer::Observer;
use crate::zero::is_zero;
use counts::{Counts, Stored};
use std::collections::{BTreeMap, BTreeSet};

/// Refcounts have their low 9 bits reserved in the table that names their blocks.
const BLOCK_OFFSET: u64 = !0x1ff;

/// Checks the image's own file.
pub(super) fn check(source: &Source<'_>, observer: &dyn Observer) -> Result<Findings> {
    let file = source.file.as_ref();
    let header = Header::read(file)?;
    let mut check = Check {
        file,
        cluster: header.cluster(),
        clusters: file.size().div_ceil(header.cluster()),
        header: &header,
        counts: Counts::default(),
        tables: BTreeSet::new(),
        findings: Findings::default(),
        observer,
    };
    check.run()?;
    Ok(check.findings)
}

struct Check<'a> {
    file: &'a dyn ReadAt,
    header: &'a Header,
    cluster: u64,
    /// Clusters of the file; the last may be cut.
    clusters: u64,
    counts: Counts,
    /// Clusters that hold tables.
    tables: BTreeSet<u64>,
    findings: Findings,
    observer: &'a dyn Observer,
}

/// How an L2 table is referred to.
#[derive(Default)]
struct Use {
    times: u32,
    /// Whether the present state uses it: only there do the copied flags count.
    active: bool,
}

impl<'a> Check<'a> {
    fn run(&mut self) -> Result<()> {
        for (bit, message) in [
            (incompatible::CORRUPT, "the image is marked as corrupt: QEMU opens it for reading only"),
            (incompatible::DIRTY, "the image is marked as dirty: it was not closed"),
        ] {
            if self.header.incompatible & bit != 0 {
                self.findings.add(Severity::Risk, 72, message);
            }
        }
        self.table("the header", 0, self.cluster);
        let stored = self.refcount_blocks()?;
        let mut l2 = BTreeMap::new();
        let header = self.header;
        self.l1("the L1 table", header.l1_offset, header.l1_entries, Some(&stored), &mut l2)?;
        self.snapshots(&mut l2)?;
        for (at, used) in l2 {
            self.l2(at, &used, &stored)?;
        }
        if let Some((at, len)) = header.extensions.encryption {
            self.table("the LUKS header", at, len);
        }
        if header.autoclear & autoclear::BITMAPS != 0 {
            self.bitmaps()?;
        }
        self.compare(&stored)
    }

    fn corrupt(&mut self, offset: u64, message: impl Into<String>) {
        self.findings.add(Severity::Corruption, offset, message);
    }

    fn go_on(&self) -> Result<()> {
        if self.observer.cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Counts a table of `len` bytes at `at`; tells whether it is within the file and nothing else is there.
    fn table(&mut self, what: &str, at: u64, len: u64) -> bool {
        if !at.is_multiple_of(self.cluster) {
            self.corrupt(at, format!("{what} does not begin at a cluster"));
            return false;
        }
        if at.checked_add(len).is_none_or(|end| end > self.clusters * self.cluster) {
            self.corrupt(at, format!("{what} lies past the end of the file"));
            return false;
        }
        for number in at / self.cluster..(at + len).div_ceil(self.cluster) {
            self.tables.insert(number);
            // Told of once: what many tables share would take time without end.
            if self.counts.add(number, 1) > 0 {
                self.corrupt(number * self.cluster, format!("{what} lies where something else is"));
                return false;
            }
        }
        true
    }

    /// Reads the refcount table and counts its blocks.
    fn refcount_blocks(&mut self) -> Result<Stored<'a>> {
        let header = self.header;
        let bytes = header.refcount_table_clusters.saturating_mul(self.cluster);
        let mut stored = Stored {
            file: self.file,
            cluster: self.cluster,
            bits: header.refcount_bits,
            blocks: Vec::new(),
            kept: TableCache::default(),
        };
        let at = header.refcount_table;
        let checked = header.check_table("the refcount table", 48, at, bytes, LARGEST_REFCOUNT_TABLE, self.file);
        if let Err(error) = checked {
            self.findings.add_error(&error);
            return Ok(stored);
        }
        if bytes == 0 {
            self.corrupt(56, "there is no refcount table");
            return Ok(stored);
        }
        self.table("the refcount table", at, bytes);
        let words = read_words(self.file, "the refcount table", at, bytes / 8)?;
        for (index, word) in (0_u64..).zip(words) {
            let (block, entry) = (word & BLOCK_OFFSET, at + index * 8);
            if word & !BLOCK_OFFSET != 0 {
                self.corrupt(entry, format!("refcount table entry {word:#018x} has reserved bits set"));
            }
            // A block that is somewhere else too is told of once, and not read.
            let usable = block != 0 && self.table("a refcount block", block, self.cluster);
            stored.blocks.push(if usable && block + self.cluster <= self.file.size() { block } else { 0 });
        }
        Ok(stored)
    }

    /// Follows an L1 table into `l2`; with `stored`, its copied flags are checked.
    fn l1(
        &mut self,
        what: &str,
        at: u64,
        entries: u64,
        stored: Option<&Stored<'_>>,
        l2: &mut BTreeMap<u64, Use>,
    ) -> Result<()> {
        if entries == 0 {
            return Ok(());
        }
        // A snapshot's own table is nowhere else; the present state's is followed in any case.
        if !self.table(what, at, entries * 8) && stored.is_none() {
            return self.go_on();
        }
        let words = read_words(self.file, what, at, entries)?;
        let mut own = BTreeSet::new();
        for (index, word) in (0_u64..).zip(words) {
            let (table, place) = (word & entry::OFFSET, at + index * 8);
            if word & entry::L1_RESERVED != 0 {
                self.corrupt(place, format!("L1 entry {word:#018x} has reserved bits set"));
            }
            if table == 0 {
                continue;
            }
            if !table.is_multiple_of(self.cluster) || table + self.cluster > self.file.size() {
                self.corrupt(place, format!("L1 entry {word:#018x} does not point to a table within the file"));
                continue;
            }
            if !own.insert(table) {
                self.corrupt(place, format!("{what} refers twice to the L2 table at byte {table}"));
            }
            let used = l2.entry(table).or_default();
            used.times += 1;
            if let Some(stored) = stored {
                used.active = true;
                self.copied(word, table / self.cluster, place, stored)?;
            }
        }
        self.go_on()
    }

    /// The copied flag says that the refcount is one.
    fn copied(&mut self, word: u64, cluster: u64, place: u64, stored: &Stored<'_>) -> Result<()> {
        let refcount = stored.get(cluster)?;
        if (word & entry::COPIED != 0) != (refcount == 1) {
            let (flag, at) = (if word & entry::COPIED != 0 { "set" } else { "not set" }, cluster * self.cluster);
            self.corrupt(place, format!("the copied flag is {flag}, with a refcount of {refcount} for byte {at}"));
        }
        Ok(())
    }

    fn snapshots(&mut self, l2: &mut BTreeMap<u64, Use>) -> Result<()> {
        if self.header.snapshots == 0 {
            return Ok(());
        }
        let (entries, bytes) = match snapshots::read(self.file, self.header) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.findings.add_error(&error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.table("the snapshot table", self.header.snapshots_offset, bytes);
        for entry in entries {
            match entry.check(self.file, self.header) {
                Ok(()) => self.l1("a snapshot's L1 table", entry.l1_offset, entry.l1_entries, None, l2)?,
                Err(error) => self.findings.add_error(&error),
            }
        }
        Ok(())
    }

    /// Follows the L2 table at `at` once, however often it is used.
    fn l2(&mut self, at: u64, used: &Use, stored: &Stored<'_>) -> Result<()> {
        self.go_on()?;
        let number = at / self.cluster;
        if self.counts.add(number, used.times) > 0 {
            self.corrupt(at, "an L2 table lies where something else is");
        }
        self.tables.insert(number);
        let mut table = vec![0; self.cluster as usize];
        let read = self.file.read_exact_at(&mut table, at);
        read.map_err(|cause| Error::io("cannot read an L2 table", cause).at_offset(at))?;
        if is_zero(&table) {
            return Ok(());
        }
        let entries = Entries::of(self.header);
        for index in 0..table.len() / entries.len() {
            let (word, bitmap) = entries.words(&table, index);
            if word == 0 && bitmap == 0 {
                continue;
            }
            let place = at + (index * entries.len()) as u64;
            match entries.cluster_at(&table, index) {
                Ok(cluster) => self.data(cluster, word, place, used, stored)?,
                Err(error) => self.corrupt(place, error.message()),
            }
        }
        Ok(())
    }

    /// Counts the cluster that an L2 entry refers to.
    fn data(&mut self, cluster: Cluster, word: u64, place: u64, used: &Use, stored: &Stored<'_>) -> Result<()> {
        if let Cluster::Packed(at, len) = cluster {
            self.packed(at, len, word, place, used);
            return Ok(());
        }
        if word & entry::L2_RESERVED != 0 {
            self.corrupt(place, format!("L2 entry {word:#018x} has reserved bits set"));
        }
        let at = match cluster {
            Cluster::At(at) | Cluster::Zero(Some(at)) | Cluster::Parts(Some(at), ..) => at,
            _ => return Ok(()),
        };
        // What lies in a data file has no refcounts.
        if self.header.external() {
            return Ok(());
        }
        if at >= self.clusters * self.cluster {
            self.corrupt(place, format!("a cluster lies past the end of the file, at byte {at}"));
            return Ok(());
        }
        self.count(at / self.cluster, place, used);
        if used.active { self.copied(word, at / self.cluster, place, stored) } else { Ok(()) }
    }

    /// Counts the clusters of the file that a compressed one touches.
    fn packed(&mut self, at: u64, len: u64, word: u64, place: u64, used: &Use) {
        if word & entry::COPIED != 0 {
            self.corrupt(place, "a compressed cluster has the copied flag");
        }
        if at >= self.file.size() {
            self.corrupt(place, format!("a compressed cluster lies past the end of the file, at byte {at}"));
            return;
        }
        // Its last sector may be cut off where the file ends with it.
        let last = at.saturating_add(len - 1).min(self.clusters * self.cluster - 1);
        for number in at / self.cluster..=last / self.cluster {
            self.count(number, place, used);
        }
    }

    fn count(&mut self, number: u64, place: u64, used: &Use) {
        self.counts.add(number, used.times);
        if self.tables.contains(&number) {
            let at = number * self.cluster;
            self.corrupt(place, format!("the disk's data lie where a table is, at byte {at}"));
        }
    }

    /// Counts what the bitmaps take: their directory, the table of each and what that points to.
    fn bitmaps(&mut self) -> Result<()> {
        let Some((count, size, at)) = self.header.extensions.bitmaps else { return Ok(()) };
        let checked = self.header.check_table("the bitmap directory", at, at, size, LARGEST_DIRECTORY, self.file);
        if let Err(error) = checked {
            self.findings.add_error(&error);
            return Ok(());
        }
        self.table("the bitmap directory", at, size);
        let mut directory = vec![0; size as usize];
        let read = self.file.read_exact_at(&mut directory, at);
        read.map_err(|cause| Error::io("cannot read the bitmap directory", cause).at_offset(at))?;
        let mut rest = directory.as_slice();
        for _ in 0..count {
            self.go_on()?;
            let place = at + size - rest.len() as u64;
            // The table's offset and entries, flags, type, granularity, the lengths of the name and of extra data.
            let Some(fixed) = rest.first_chunk::<24>() else {
                self.corrupt(place, "the bitmap directory is shorter than its bitmaps");
                return Ok(());
            };
            let number =
                |range: std::ops::Range<usize>| fixed[range].iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
            let (table, entries) = (number(0..8), number(8..12));
            let len = (24 + number(18..20) + number(20..24)).next_multiple_of(8);
            let checked =
                self.header.check_table("a bitmap's table", place, table, entries * 8, LARGEST_DIRECTORY, self.file);
            match checked {
                Ok(()) if entries > 0 && self.table("a bitmap's table", table, entries * 8) => {
                    for word in read_words(self.file, "a bitmap's table", table, entries)? {
                        if word & entry::OFFSET != 0 {
                            self.table("a bitmap's data", word & entry::OFFSET, self.cluster);
                        }
                    }
                }
                Ok(()) => {}
                Err(error) => self.findings.add_error(&error),
            }
            rest = rest.get(len as usize..).unwrap_or_default();
        }
        Ok(())
    }

    /// Compares the refcounts in the file with what was counted.
    fn compare(&mut self, stored: &Stored<'_>) -> Result<()> {
        let per_block = stored.per_block();
        for (index, &at) in (0_u64..).zip(&stored.blocks) {
            let range = index * per_block..(index + 1) * per_block;
            if at == 0 {
                continue;
            }
            self.go_on()?;
            // Blocks that hold nothing are passed over: there may be millions of them in a file of holes.
            let hole = matches!(self.file.stored_at(at), Ok((io::Stored::Hole, end)) if end >= at + self.cluster);
            let block = if hole { Vec::new() } else { stored.read_block(at)? };
            if is_zero(&block) {
                let counted: Vec<_> = self.counts.within(range).collect();
                counted.into_iter().for_each(|(number, count)| self.differ(number, 0, u64::from(count)));
                continue;
            }
            for number in range {
                let (is, should) = (stored.counter(&block, number % per_block), u64::from(self.counts.get(number)));
                self.differ(number, is, should);
            }
        }
        // What has no block has no refcount.
        let without: Vec<_> = self
            .counts
            .within(0..u64::MAX)
            .filter(|(number, _)| stored.blocks.get((number / per_block) as usize).is_none_or(|&at| at == 0))
            .collect();
        without.into_iter().for_each(|(number, count)| self.differ(number, 0, u64::from(count)));
        Ok(())
    }

    fn differ(&mut self, number: u64, is: u64, should: u64) {
        // A count for what the file does not even have wastes nothing.
        if is == should || should == 0 && number >= self.clusters {
            return;
        }
        let at = number * self.cluster;
        let message = format!("the cluster's refcount is {is}, it is used {should} times");
        let severity = if is > should { Severity::Leak } else { Severity::Corruption };
        self.findings.add(severity, at, message);
    }
}
