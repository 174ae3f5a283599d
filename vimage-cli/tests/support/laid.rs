//! Images of qcow2 and VDI to be damaged: laid by hand by the fixtures, then poked.

use super::{Folder, disk};
use vimage_fixtures::{qcow2, vdi};

/// The disk that is in them: it holds data behind 1 MiB and up to its end, at no cluster's bound.
pub(crate) const DISK: &str = "odd-capacity";

pub(crate) const QCOW2: &str = "disk.qcow2";
pub(crate) const VDI: &str = "disk.vdi";

/// The first cluster of 64 KiB of it that holds data.
pub(crate) const CLUSTER: u64 = 16;

/// A folder with a qcow2 image.
pub(crate) fn qcow2(options: &qcow2::Options<'_>) -> (Folder, qcow2::Image) {
    let (folder, image) = (Folder::new(), qcow2::lay(&disk(DISK), options));
    folder.put(QCOW2, &image.bytes);
    (folder, image)
}

/// A folder with a VDI.
pub(crate) fn vdi(options: &vdi::Options<'_>) -> (Folder, vdi::Image) {
    let (folder, image) = (Folder::new(), vdi::lay(&disk(DISK), options));
    folder.put(VDI, &image.bytes);
    (folder, image)
}

impl Folder {
    /// Pokes a number of qcow2.
    pub(crate) fn big_u32(&self, offset: u64, value: u32) {
        self.poke(QCOW2, offset, &value.to_be_bytes());
    }

    /// Pokes a number of qcow2.
    pub(crate) fn big_u64(&self, offset: u64, value: u64) {
        self.poke(QCOW2, offset, &value.to_be_bytes());
    }

    /// A number of the qcow2.
    pub(crate) fn big_at(&self, offset: u64) -> u64 {
        u64::from_be_bytes(self.read(QCOW2)[offset as usize..][..8].try_into().unwrap())
    }

    /// Makes a file longer, without storing anything.
    pub(crate) fn stretch(&self, name: &str, len: u64) {
        std::fs::File::options().write(true).open(self.path(name)).unwrap().set_len(len).unwrap();
    }

    /// The image contradicts itself: no command may read it, and `check` must list it among what it finds.
    #[track_caller]
    pub(crate) fn corrupt(&self, image: &str, words: &[&str]) {
        self.refuses(image, image, words);
        self.quiet_otherwise(image);
        self.finds(image, words);
    }

    /// The image needs what is not known: every command must say so, `check` too.
    #[track_caller]
    pub(crate) fn unsupported(&self, image: &str, words: &[&str]) {
        self.refuses(image, image, words);
        self.quiet_otherwise(image);
        let words: Vec<&str> = words.iter().copied().chain([image]).collect();
        self.run_tight(&format!("check {image}")).fails(&words);
    }

    /// A check must end with findings, one of which has all of `words`, on one line and in JSON.
    #[track_caller]
    pub(crate) fn finds(&self, image: &str, words: &[&str]) {
        let outcome = self.run_tight(&format!("check {image}")).ends(1).says(&["found"]);
        let holds = |text: &str| words.iter().all(|word| text.contains(word));
        assert!(outcome.stdout.lines().any(holds), "no line with all of {words:?}: {outcome}");
        let document = self.run_tight(&format!("check --json {image}")).ends(1).json("check");
        let findings = document["findings"].as_array().unwrap();
        // The same words as on the line for people.
        let line = |finding: &serde_json::Value| {
            let (severity, message) = (finding["severity"].as_str().unwrap(), finding["message"].as_str().unwrap());
            let place = finding["offset"].as_u64().map_or(String::new(), |at| format!(" (at byte {at})"));
            format!("{severity}: {message}{place}")
        };
        assert!(findings.iter().any(|finding| holds(&line(finding))), "none with all of {words:?}: {document}");
        self.check();
    }

    /// A check must find nothing.
    #[track_caller]
    pub(crate) fn is_clean(&self, image: &str) {
        self.run_tight(&format!("check {image}")).succeeds().says(&["No faults"]);
    }

    /// Commands that need not read the bytes end well or with an error, and no other way.
    #[track_caller]
    fn quiet_otherwise(&self, image: &str) {
        for line in ["map", "map --json", "measure -O qcow2", "measure -c -O vmdk", "info --json", "info --chain"] {
            let outcome = self.run_tight(&format!("{line} {image}"));
            let status = outcome.status.code().unwrap_or(-1);
            outcome.ends(if status == 0 { 0 } else { 2 });
        }
        self.check();
    }
}
