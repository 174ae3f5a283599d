//! XFS made by its own tools, and what they say of it.
#![allow(unreachable_pub, reason = "of a test, nothing is reachable")]
#![allow(clippy::unwrap_used, reason = "a test may")]

mod kept;
mod layout;

pub use layout::{Layout, Seal};

use crate::guest::{only, run, survey_of};
use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;
use vimage_core::guest::{Kept, Survey};

pub const MIB: u64 = 1 << 20;

pub const TOOLS: [&str; 3] = ["mkfs.xfs", "xfs_repair", "xfs_db"];

/// Makes a file system. The variables let mkfs.xfs make one of under 300 MB, as it does for its own tests.
pub fn make(disk: &Path, options: &[&str]) {
    let mut arguments: Vec<&dyn AsRef<OsStr>> =
        vec![&"TEST_DIR=1", &"TEST_DEV=1", &"QA_CHECK_FS=1", &"mkfs.xfs", &"-q"];
    arguments.extend(options.iter().map(|option| option as &dyn AsRef<OsStr>));
    arguments.push(&disk);
    run("env", &arguments);
}

/// The real checker must find nothing.
pub fn check(disk: &Path) {
    run("xfs_repair", &[&"-n", &"-f", &disk]);
}

/// What xfs_db prints for `command` at `place`.
pub fn db(disk: &Path, place: &str, command: &str) -> String {
    run("xfs_db", &[&"-r", &"-f", &"-c", &place, &"-c", &command, &disk])
}

/// A field as xfs_db prints it.
pub fn field(disk: &Path, place: &str, name: &str) -> u64 {
    let printed = db(disk, place, &format!("print {name}"));
    let value = printed.trim().rsplit(' ').next().unwrap();
    let parsed = value.strip_prefix("0x").map_or_else(|| value.parse(), |digits| u64::from_str_radix(digits, 16));
    parsed.unwrap_or_else(|_| panic!("{place} {name}: {printed}"))
}

/// What the file system's own tool says is free.
pub struct Told {
    /// Bytes of free extents, merged.
    pub free: Vec<Range<u64>>,
    pub bytes: u64,
}

impl Told {
    pub fn of(disk: &Path) -> Self {
        let name = |name: &str| field(disk, "sb 0", name);
        let (block, group_blocks, groups) = (name("blocksize"), name("agblocks"), name("agcount"));
        let mut free: Vec<Range<u64>> = Vec::new();
        let (mut in_trees, mut bytes) = (0, 0);
        for group in 0..groups {
            let agf = |name: &str| field(disk, &format!("agf {group}"), name);
            let dump = db(disk, "sb 0", &format!("freesp -d -a {group}"));
            let rows = dump.lines().filter_map(|line| {
                let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
                (numbers.len() == 3 && line.split_whitespace().count() == 3).then_some(numbers)
            });
            let rows: Vec<_> = rows.collect();
            // The blocks of the list come first, one by one; they are set aside and not free.
            let listed = agf("flcount") as usize;
            assert!(rows[..listed].iter().all(|row| row[2] == 1), "{dump}");
            for row in &rows[listed..] {
                assert_eq!(row[0], group);
                let start = (group * group_blocks + row[1]) * block;
                let end = start + row[2] * block;
                bytes += end - start;
                match free.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => free.push(start..end),
                }
            }
            in_trees += listed as u64 + agf("btreeblks");
        }
        // The superblock counts as free what the lists and the trees would give back, too.
        assert_eq!(name("fdblocks"), bytes / block + in_trees, "xfs_db agrees with itself");
        Told { free, bytes }
    }

    pub fn is(&self, survey: &Survey) {
        let region = only(survey);
        assert_eq!((region.kind, &region.kept, region.free), (Some("xfs"), &None, Some(self.bytes)));
        assert_eq!(survey.unused.iter().cloned().collect::<Vec<_>>(), self.free);
    }
}

/// Why a disk is kept whole.
fn kept(disk: &Path) -> Kept {
    let survey = survey_of(disk);
    assert!(survey.unused.is_empty());
    let region = only(&survey);
    assert_eq!((region.kind, region.free, region.dropped), (Some("xfs"), None, 0));
    region.kept.clone().unwrap_or_else(|| panic!("not kept: {survey:?}"))
}

/// The disk must be kept whole, for a reason in which `why` stands.
#[track_caller]
pub fn is_kept(disk: &Path, why: &str) -> Kept {
    let kept = kept(disk);
    assert!(kept.fault && kept.reason.contains(why), "{why}: {kept:?}");
    kept
}
