//! Valid files, which `seeds.sh` puts into `bases`: what edits are made on.

use crate::edits::{self, Edit};
use crate::sums;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that are taken together where it is asked whether there is anything to change.
const SECTOR: usize = 512;

/// The bases of one kind, by name.
pub struct Bases(Vec<Base>);

/// One or several files that belong together.
pub struct Base {
    /// Each with its name. The first is the main one: it has the shortest name.
    files: Vec<(String, Vec<u8>)>,
    /// Where anything but zeros is: the file and the byte in it.
    held: Vec<(usize, usize)>,
}

impl Bases {
    /// Those of the folder `kind`: each is a folder.
    ///
    /// # Panics
    /// Where `seeds.sh` has not been run.
    pub fn of(kind: &str) -> Self {
        let folders = entries(&Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/bases")).join(kind));
        assert!(!folders.is_empty(), "seeds.sh makes the bases");
        Bases(folders.iter().map(|folder| Base::load(folder)).collect())
    }

    /// The files that `input` asks for: one of the bases with edits, and then with the checksums that belong to what is there now.
    pub fn edited(&self, input: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        let (which, edits) = edits::decode(input)?;
        let mut files = self.0[which % self.0.len()].edited(&edits);
        files.iter_mut().for_each(|(_, bytes)| sums::mend(bytes));
        Some(files)
    }
}

impl Base {
    fn load(folder: &Path) -> Self {
        let mut paths = entries(folder);
        paths.sort_by_key(|path| path.as_os_str().len());
        let name = |path: &PathBuf| path.file_name().expect("a file").to_string_lossy().into_owned();
        let files: Vec<_> = paths.iter().map(|path| (name(path), fs::read(path).expect("readable"))).collect();
        let mut held = Vec::new();
        for (file, (_, bytes)) in files.iter().enumerate() {
            let sectors = bytes.chunks(SECTOR).enumerate().filter(|(_, sector)| sector.iter().any(|&byte| byte != 0));
            held.extend(sectors.map(|(index, _)| (file, index * SECTOR)));
        }
        Base { files, held }
    }

    fn edited(&self, edits: &[Edit<'_>]) -> Vec<(String, Vec<u8>)> {
        let mut files = self.files.clone();
        for edit in edits {
            let place = edit.place as usize % (self.held.len() * SECTOR);
            let (file, sector) = self.held[place / SECTOR];
            let at = sector + place % SECTOR;
            let bytes = &mut files[file].1;
            match edit.bytes {
                [] => bytes.truncate(at),
                new => bytes.iter_mut().skip(at).zip(new).for_each(|(to, byte)| *to = *byte),
            }
        }
        files
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).expect("seeds.sh makes the bases");
    let mut paths: Vec<_> = found.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}
