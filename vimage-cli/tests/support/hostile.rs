//! Images to be damaged: laid by hand by the fixtures, then poked, or descriptors written out.

use super::{Folder, MIB, disk};
use std::os::unix::fs::FileExt;
use vimage_fixtures::vmdk::{hosted, stream};

/// Offsets of the fields of a sparse header, as "Virtual Disk Format 5.0" has them.
pub(crate) mod field {
    pub(crate) const VERSION: u64 = 4;
    pub(crate) const FLAGS: u64 = 8;
    pub(crate) const CAPACITY: u64 = 12;
    pub(crate) const GRAIN_SIZE: u64 = 20;
    pub(crate) const ENTRIES: u64 = 44;
    pub(crate) const DIRECTORY: u64 = 56;
    pub(crate) const ALGORITHM: u64 = 77;
}

/// The disk that is in the images to be damaged: it holds data at 1 MiB and at its end.
const DISK: &str = "odd-capacity";

/// The name of its images.
pub(crate) const IMAGE: &str = "odd-capacity.vmdk";

/// The first grain of it that holds data.
pub(crate) const GRAIN: u64 = MIB / 65_536;

impl Folder {
    /// Lays a sparse image with one directory, so that nothing can be had from a redundant one.
    pub(crate) fn lay_sparse(&self) {
        let options = hosted::Options { directories: hosted::Directories::Primary, ..hosted::Options::default() };
        hosted::write(&disk(DISK), self.path("").as_path(), &options).unwrap();
        self.expect(&[IMAGE]);
    }

    /// Lays a stream with a footer.
    pub(crate) fn lay_stream(&self) {
        stream::write(&disk(DISK), self.path("").as_path(), &stream::Options::default()).unwrap();
        self.expect(&[IMAGE]);
    }

    /// Lays a stream with its tables in front, behind which bytes may follow.
    pub(crate) fn lay_front_stream(&self) {
        let options = stream::Options { layout: stream::Layout::Front, ..stream::Options::default() };
        stream::write(&disk(DISK), self.path("").as_path(), &options).unwrap();
        self.expect(&[IMAGE]);
    }

    pub(crate) fn poke(&self, name: &str, offset: u64, bytes: &[u8]) {
        let file = std::fs::File::options().write(true).open(self.path(name)).unwrap();
        file.write_all_at(bytes, offset).unwrap();
    }

    pub(crate) fn poke_u32(&self, offset: u64, value: u32) {
        self.poke(IMAGE, offset, &value.to_le_bytes());
    }

    pub(crate) fn poke_u64(&self, offset: u64, value: u64) {
        self.poke(IMAGE, offset, &value.to_le_bytes());
    }

    pub(crate) fn u32_at(&self, offset: u64) -> u64 {
        let bytes = self.read(IMAGE)[offset as usize..][..4].try_into().unwrap();
        u32::from_le_bytes(bytes).into()
    }

    pub(crate) fn u64_at(&self, offset: u64) -> u64 {
        u64::from_le_bytes(self.read(IMAGE)[offset as usize..][..8].try_into().unwrap())
    }

    /// Where the grain directory is: the header knows, or the footer, whose header is the last sector but one.
    pub(crate) fn directory(&self) -> u64 {
        match self.u64_at(field::DIRECTORY) {
            u64::MAX => self.u64_at(self.footer() + field::DIRECTORY) * 512,
            sector => sector * 512,
        }
    }

    pub(crate) fn footer(&self) -> u64 {
        self.read(IMAGE).len() as u64 - 1024
    }

    /// Where the table entry of the first grain with data is.
    pub(crate) fn entry(&self) -> u64 {
        self.u32_at(self.directory()) * 512 + 4 * GRAIN
    }

    /// Where that grain is; in a stream its marker.
    pub(crate) fn grain(&self) -> u64 {
        self.u32_at(self.entry()) * 512
    }

    /// Every command must refuse `image` within little time and memory, name `file` and the cause in `words`, and leave
    /// nothing behind. Only `info`, which reads no more than the head of an image, may find nothing wrong.
    #[track_caller]
    pub(crate) fn refuses(&self, image: &str, file: &str, words: &[&str]) {
        let words: Vec<&str> = words.iter().copied().chain([file]).collect();
        for line in [
            format!("convert {image} out.raw"),
            format!("convert {image} out.vmdk --split 1M"),
            format!("digest {image}"),
            format!("compare {image} {image}"),
        ] {
            self.run_tight(&line).fails(&words);
            self.check();
        }
        let info = self.run_tight(&format!("info {image}"));
        let status = info.status.code().unwrap_or(-1);
        info.ends(if status == 0 { 0 } else { 2 });
    }

    /// Writes a descriptor of these lines, a disk without a parent.
    pub(crate) fn describe(&self, name: &str, lines: &str) {
        self.put(name, descriptor(lines));
    }
}

/// The text of a descriptor; `lines` may replace what stands before them.
pub(crate) fn descriptor(lines: &str) -> String {
    format!(
        "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\ncreateType=\"custom\"\n{lines}\n\
         ddb.adapterType = \"lsilogic\"\n"
    )
}
