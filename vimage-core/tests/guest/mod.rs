//! What the tests of guests share: disks made by the real tools, filled, read back and compared.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../peers/left_out.rs"]
mod left_out;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use vimage_core::guest::{Region, Survey, survey};
use vimage_core::layers::Masked;
use vimage_core::{ConvertOptions, OpenOptions, convert, open};
use vimage_fixtures::Fill;

#[allow(unused_imports, reason = "each test uses its own part of this")]
pub(crate) use left_out::{left_out, say};

/// The folders of system tools, which are not on every user's path.
const SYSTEM: &str = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin";

/// Whether all of `tools` are installed. Says by name what is not; where everything is required, that fails the test.
pub fn have(test: &str, tools: &[&str]) -> bool {
    let there = |tool: &&&str| SYSTEM.split(':').any(|folder| Path::new(folder).join(tool).exists());
    let missing: Vec<_> = tools.iter().filter(|tool| !there(tool)).collect();
    if !missing.is_empty() {
        left_out(test, &format!("{missing:?} not installed"));
    }
    missing.is_empty()
}

/// Runs a tool, without its language and its questions.
pub fn output(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(AsRef::as_ref)).env("PATH", SYSTEM).env("LC_ALL", "C").stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Runs a tool that must succeed, and gives what it prints.
pub fn run(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> String {
    let output = output(program, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// A sparse file of `size` bytes in a folder of its own.
pub struct Scratch {
    pub folder: tempfile::TempDir,
    pub disk: PathBuf,
}

impl Scratch {
    pub fn of(size: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk.raw");
        File::create(&disk).unwrap().set_len(size).unwrap();
        Scratch { folder, disk }
    }

    /// A path beside the disk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A file system mounted while this lives.
pub struct Mounted {
    pub folder: PathBuf,
}

impl Mounted {
    /// Mounts `disk` from byte `offset` on at `folder`, which is made. None where the machine does not let one: said by
    /// name, and a failure where everything is required.
    pub fn new(test: &str, disk: &Path, offset: u64, folder: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let options = format!("loop,offset={offset}{}{options}", if options.is_empty() { "" } else { "," });
        let output = output("mount", &[&"-o", &options, &disk, &folder]);
        if !output.status.success() {
            left_out(test, &format!("mount: {}", String::from_utf8_lossy(&output.stderr)));
            return None;
        }
        Some(Mounted { folder: folder.to_owned() })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for _ in 0..50 {
            if output("umount", &[&self.folder]).status.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

/// Bytes that do not compress and are not zero, told by `seed`.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Fill::Noise(seed).read_at(&mut bytes, 0);
    bytes
}

/// Fills `folder` with files of many sizes, some in deep folders, some sparse; about `bytes` of data in all.
pub fn fill(folder: &Path, seed: u64, bytes: u64) {
    let mut written = 0;
    let mut number = 0;
    while written < bytes {
        let len = [37, 4096, 70_000, 700, 300_000, 12_345, 1_500_000][number % 7];
        let inside = folder.join(format!("s{seed}")).join(format!("f{}", number % 13)).join(format!("g{}", number % 3));
        fs::create_dir_all(&inside).unwrap();
        let mut file = File::create(inside.join(format!("file-{number}"))).unwrap();
        file.write_all(&noise(seed * 1_000_003 + number as u64, len)).unwrap();
        written += len as u64;
        number += 1;
    }
}

/// Fills `folder` with `kept` bytes of files that stay between files that are deleted again, written through to the disk
/// before they are: their blocks are left full of garbage.
pub fn fill_and_delete(folder: &Path, kept: u64, deleted: u64) {
    for part in 0..4 {
        fill(folder, 10 + part, kept / 4);
        fill(folder, 20 + part, deleted / 4);
    }
    run("sync", &[&"-f", &folder]);
    for part in 0..4 {
        fs::remove_dir_all(folder.join(format!("s{}", 20 + part))).unwrap();
    }
    run("sync", &[&"-f", &folder]);
}

/// The digest of every file under `folder`, and where every link leads.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(top: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(top).unwrap().to_owned();
            let kind = entry.file_type().unwrap();
            let held = match () {
                () if kind.is_dir() => {
                    walk(top, &path, found);
                    continue;
                }
                () if kind.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
                () if kind.is_file() => blake3::hash(&fs::read(&path).unwrap()).to_string(),
                () => "special".to_owned(),
            };
            found.insert(name, held);
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    assert!(!found.is_empty(), "{}: no files", folder.display());
    found
}

/// What is found on the disk at `path`.
pub fn survey_of(path: &Path) -> Survey {
    let options = OpenOptions { format: Some("raw".into()), ..OpenOptions::default() };
    survey(&open(path, &options).unwrap(), &()).unwrap()
}

/// Writes `from` without what its guest does not use to `to`, raw, and gives what was found.
pub fn compacted(from: &Path, to: &Path) -> Survey {
    let options = OpenOptions { format: Some("raw".into()), ..OpenOptions::default() };
    let image = open(from, &options).unwrap();
    let found = survey(&image, &()).unwrap();
    let masked = Masked::new(&image, &found.unused);
    convert(&masked, to, &ConvertOptions::to("raw"), &()).unwrap();
    found
}

/// The only region of a survey.
pub fn only(survey: &Survey) -> &Region {
    assert_eq!(survey.regions.len(), 1, "{survey:?}");
    &survey.regions[0]
}

/// Overwrites bytes of a file.
pub fn poke(path: &Path, offset: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    File::options().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

/// Reads bytes of a file.
pub fn peek(path: &Path, offset: u64, len: usize) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; len];
    File::open(path).unwrap().read_exact_at(&mut bytes, offset).unwrap();
    bytes
}

/// Fills everything that the survey calls unused with garbage: a guest that needs any of it will show it.
pub fn spoil(path: &Path, survey: &Survey) {
    for range in survey.unused.iter() {
        let mut at = range.start;
        while at < range.end {
            let len = (range.end - at).min(1 << 20);
            poke(path, at, &noise(at, len as usize));
            at += len;
        }
    }
}
