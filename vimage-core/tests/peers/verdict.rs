//! Whether what readers say of an image is right, where some are known to be wrong.

use super::ALL;
use super::sum::Sum;

/// A reader known to read some images wrongly.
pub(crate) struct Fault {
    /// The reader's name.
    pub(crate) peer: &'static str,
    /// The kinds and the disks: each of these kinds of each of these disks.
    pub(crate) kinds: &'static [&'static str],
    pub(crate) disks: &'static [&'static str],
    /// Which version does what instead.
    pub(crate) evidence: &'static str,
}

/// A kind of image of a disk.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) kind: &'a str,
    pub(crate) disk: &'a str,
}

/// What a reader made of an image.
pub(crate) struct Reading {
    pub(crate) peer: &'static str,
    pub(crate) read: Result<Sum, String>,
}

/// What there is to say against `readings` of the image `cell`, whose bytes have the sum `expected`.
///
/// All have to be right but those that `faults` knows in this cell. These have to be wrong still, and where one is, two
/// others have to be right, if all readers were asked.
pub(crate) fn complaints(readings: &[Reading], expected: &Sum, cell: Cell<'_>, faults: &[Fault]) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut right, mut wrong) = (0, 0);
    for Reading { peer, read } in readings {
        let known = faults.iter().find(|fault| fault.covers(peer, cell));
        match (read.as_ref() == Ok(expected), known) {
            (true, None) => right += 1,
            (false, Some(_)) => wrong += 1,
            (false, None) => complaints.push(format!("{peer}: {read:?}, not {expected:?}")),
            (true, Some(fault)) => {
                complaints.push(format!("{peer} is right now, so take it off the list: \"{}\"", fault.evidence));
            }
        }
    }
    if wrong > 0 && right < 2 && readings.len() == ALL.len() {
        complaints.push(format!("{wrong} readers are known to be wrong, and only {right} others were right"));
    }
    complaints.iter().map(|complaint| format!("{} of {}: {complaint}", cell.kind, cell.disk)).collect()
}

impl Fault {
    fn covers(&self, peer: &str, cell: Cell<'_>) -> bool {
        self.peer == peer && self.kinds.contains(&cell.kind) && self.disks.contains(&cell.disk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: &[Fault] = &[
        Fault { peer: "a", kinds: &["flat", "split"], disks: &["sparse"], evidence: "1.0 gives zeros" },
        Fault { peer: "b", kinds: &["split"], disks: &["sparse"], evidence: "2.0 fails" },
        Fault { peer: "c", kinds: &["split"], disks: &["sparse"], evidence: "3.0 fails" },
        Fault { peer: "d", kinds: &["split"], disks: &["sparse"], evidence: "4.0 fails" },
    ];

    fn sum(sha256: &str) -> Sum {
        Sum { size: 512, sha256: sha256.into() }
    }

    /// What is said of readings by five readers, of which the letters in `right` are right.
    fn said(kind: &str, right: &str) -> Vec<String> {
        let read = |peer: &str| if right.contains(peer) { Ok(sum("right")) } else { Ok(sum("wrong")) };
        let readings = ["a", "b", "c", "d", "e"].map(|peer| Reading { peer, read: read(peer) });
        complaints(&readings, &sum("right"), Cell { kind, disk: "sparse" }, FAULTS)
    }

    #[test]
    fn all_are_right_but_the_ones_known() {
        assert!(said("other", "abcde").is_empty());
        assert!(said("flat", "bcde").is_empty());
        assert_eq!(said("other", "bcde").len(), 1);
        assert_eq!(said("flat", "bcd").len(), 1);
    }

    #[test]
    fn a_reader_that_is_right_again_is_told() {
        assert!(said("flat", "abcde")[0].contains("off the list"));
    }

    #[test]
    fn two_others_have_to_agree() {
        assert!(said("split", "e")[0].contains("only 1"));
    }

    #[test]
    fn size_and_failure_count() {
        let short = Ok(Sum { size: 0, ..sum("right") });
        for read in [short, Err("cannot".into())] {
            let readings = [Reading { peer: "e", read }];
            assert_eq!(complaints(&readings, &sum("right"), Cell { kind: "flat", disk: "sparse" }, FAULTS).len(), 1);
        }
    }
}
