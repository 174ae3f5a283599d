//! Images that other people's products made, read to the bytes that other people's readers give.
//!
//! `VIMAGE_SAMPLES` names a folder of them: compressed with zstd, and listed in `INDEX.tsv` with a heading and, for each,
//! file, format, size, SHA-256 of the guest's bytes and what to expect, among other things. Without it this is left out.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;
#[path = "peers/sum.rs"]
mod sum;

use left_out::left_out;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use sum::{PIECE, Sum, Summer};
use vimage_core::operations::open_package;
use vimage_core::{Extents, Image, OpenOptions, check, open};

/// Names the folder of samples.
const SAMPLES: &str = "VIMAGE_SAMPLES";

/// Formats that are read.
const FORMATS: [&str; 4] = ["raw", "qcow2", "vmdk", "vdi"];

/// A file that is not an image is found out before anything long is done with it.
const LONGEST_REFUSAL: Duration = Duration::from_secs(1);

/// One line of the index.
#[derive(Debug)]
struct Sample {
    /// Relative to the folder of samples, with the ending `.zst`.
    file: PathBuf,
    /// The member, where the file is a package.
    member: Option<String>,
    format: String,
    /// What its guest sees; nothing if there is nothing to read.
    guest: Option<Sum>,
    /// Whether it is broken where the guest does not look: a check has to find that.
    faulty: bool,
}

impl Sample {
    fn parse(line: &str) -> Result<Self, String> {
        let columns: Vec<_> = line.split('\t').collect();
        let [file, format, _, size, sha256, _, _, _, _, expect, ..] = columns[..] else {
            return Err(format!("not ten columns: {line}"));
        };
        let sum = || {
            let size = size.parse().map_err(|_| format!("{file}: not a size: {size}"))?;
            Ok::<_, String>(Some(Sum { size, sha256: sha256.into() }))
        };
        let (guest, faulty) = match expect {
            "ok" => (sum()?, false),
            "error/limited" if sha256 == "-" => (None, false),
            // Other readers find the guest's bytes all the same.
            "error/limited" => (sum()?, true),
            _ => return Err(format!("{file}: expects \"{expect}\"")),
        };
        let (file, member) =
            file.split_once('#').map_or((file, None), |(file, member)| (file, Some(member.to_owned())));
        Ok(Sample { file: file.into(), member, format: format.into(), guest, faulty })
    }

    /// Checks what vimage makes of it, unpacked in `folder`.
    fn check(&self, folder: &Path) -> Result<(), String> {
        let mut path = folder.join(self.file.file_stem().unwrap());
        if !path.is_file() {
            return Err("is not there".into());
        }
        if let Some(member) = &self.member {
            path = format!("{}:{member}", path.display()).into();
        }
        let start = Instant::now();
        if self.faulty && check(&path, &OpenOptions::default(), &()).is_ok_and(|found| found.is_clean()) {
            return Err("nothing was found in a check".into());
        }
        match (open(path, &OpenOptions::default()), &self.guest) {
            (Err(_), None) if start.elapsed() < LONGEST_REFUSAL => Ok(()),
            (Err(error), None) => Err(format!("refused after {:?}: {error}", start.elapsed())),
            (Err(error), Some(_)) => Err(format!("{error}")),
            (Ok(_), None) => Err("opened, but is not sound".into()),
            (Ok(image), Some(_)) if image.info().format != self.format => Err(format!("is {}", image.info().format)),
            (Ok(image), Some(guest)) => {
                let found = sum_of(&image)?;
                if found == *guest { Ok(()) } else { Err(format!("{found:?}, not {guest:?}")) }
            }
        }
    }
}

/// The sum of all bytes, read where the map calls them empty too: that is checked on the way.
fn sum_of(image: &dyn Image) -> Result<Sum, String> {
    static ZEROS: [u8; PIECE] = [0; PIECE];
    let mut summer = Summer::default();
    let mut piece = vec![0; PIECE];
    for extent in Extents::of(image) {
        let extent = extent.map_err(|error| error.to_string())?;
        for offset in extent.range.clone().step_by(PIECE) {
            let len = usize::try_from(extent.range.end - offset).map_or(PIECE, |left| left.min(PIECE));
            let piece = &mut piece[..len];
            image.read_exact_at(piece, offset).map_err(|error| error.to_string())?;
            if !extent.content.is_data() && *piece != ZEROS[..len] {
                return Err(format!("the map calls {extent:?} empty"));
            }
            summer.add(piece);
        }
    }
    Ok(summer.finish())
}

/// The samples, by their folder. Descriptors in tar archives have no disks.
fn index(samples: &Path) -> BTreeMap<PathBuf, Vec<Sample>> {
    let text = fs::read_to_string(samples.join("INDEX.tsv")).unwrap();
    let mut folders = BTreeMap::<_, Vec<_>>::new();
    for line in text.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(file), Some(format)) = (columns.next(), columns.next()) else { panic!("not an entry: {line}") };
        if FORMATS.contains(&format) {
            let folder = Path::new(file).parent().unwrap();
            folders.entry(folder.to_owned()).or_default().push(Sample::parse(line).unwrap());
        }
    }
    folders
}

/// The packages: each with its members, as other readers of tar list them, or none where it is no tar.
fn packages(samples: &Path) -> Vec<(PathBuf, Option<Vec<String>>)> {
    let text = fs::read_to_string(samples.join("INDEX.tsv")).unwrap();
    let lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let members = |what: &str| Some(what.split_once("members: ")?.1.split(", ").map(str::to_owned).collect());
    lines.filter(|columns| columns[1] == "ova").map(|columns| (columns[0].into(), members(columns[2]))).collect()
}

/// Unpacks all files of the folder `from` into `to`.
fn unpack(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let packed = entry.unwrap().path();
        if packed.extension().is_some_and(|extension| extension == "zst") {
            let mut zstd = Command::new("zstd");
            zstd.args(["-d", "-q", "--sparse", "-o"]).arg(to.join(packed.file_stem().unwrap())).arg(&packed);
            assert!(zstd.status().unwrap().success(), "{}", packed.display());
        }
    }
}

/// The folder of samples, where there is one and they can be unpacked.
fn samples() -> Option<PathBuf> {
    let Some(samples) = std::env::var_os(SAMPLES).filter(|folder| !folder.is_empty()).map(PathBuf::from) else {
        left_out("samples", &format!("{SAMPLES} names no folder"));
        return None;
    };
    if Command::new("zstd").args(["--version", "-q"]).output().is_err() {
        left_out("samples", "zstd is not installed");
        return None;
    }
    Some(samples)
}

#[test]
fn samples_are_read_or_refused() {
    let Some(samples) = samples() else { return };
    let folders = index(&samples);

    let check_folder = |(folder, list): (&PathBuf, &Vec<Sample>)| {
        let unpacked = tempfile::tempdir().unwrap();
        unpack(&samples.join(folder), unpacked.path());
        let fault = |sample: &Sample| {
            sample.check(unpacked.path()).err().map(|fault| format!("{}: {fault}", sample.file.display()))
        };
        list.par_iter().filter_map(fault).collect::<Vec<_>>()
    };
    let faults: Vec<_> = folders.par_iter().flat_map_iter(check_folder).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));

    // A list that lost its lines would pass all the same.
    let all: Vec<_> = folders.values().flatten().collect();
    for format in FORMATS {
        assert!(all.iter().any(|sample| sample.format == format && sample.guest.is_some()), "no {format} was read");
    }
    assert!(all.iter().any(|sample| sample.guest.is_none()), "none was refused");
    assert!(all.iter().any(|sample| sample.member.is_some()), "no package was opened");
}

#[test]
fn packages_hold_what_other_readers_list() {
    let Some(samples) = samples() else { return };
    let list = packages(&samples);
    let unpacked = tempfile::tempdir().unwrap();
    let folder = list[0].0.parent().unwrap();
    unpack(&samples.join(folder), unpacked.path());
    let disks = index(&samples).remove(folder).unwrap();
    for (file, members) in &list {
        let path = unpacked.path().join(file.file_stem().unwrap());
        let (package, members) = match (open_package(&path), members) {
            (Ok(package), Some(members)) => (package, members),
            (Err(_), None) => continue,
            (package, _) => panic!("{}: {:?}", file.display(), package.err()),
        };
        let names: Vec<_> = package.members.iter().map(|member| &member.name).collect();
        assert_eq!(names, members.iter().collect::<Vec<_>>(), "{}", file.display());
        let found = package.disks().unwrap();
        // Each with its size, and with no other beside it.
        for disk in disks.iter().filter(|disk| &disk.file == file) {
            let found = found.iter().find(|found| found.file == disk.member).expect("a disk is not listed");
            let info = found.info.as_ref().unwrap().as_ref().unwrap();
            assert_eq!(Some(info.virtual_size), disk.guest.as_ref().map(|guest| guest.size), "{}", file.display());
        }
    }
    assert!(list.iter().filter(|(_, members)| members.is_some()).count() > 5, "hardly any was opened");
}
