//! The readers behind the programs of `fixtures/peers`, which have one face.

use super::run::{output, succeeds};
use super::sum::Sum;
use super::{Peer, RangePeer};
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the interpreter whose modules are to be used, if it is not the first python3 of the path.
const PYTHON: &str = "VIMAGE_PYTHON";

/// Names the built `peer-read`.
const PEER_READ: &str = "VIMAGE_PEER_READ";

/// libvmdk, of the libyal project.
pub(crate) struct Libvmdk;

/// libqcow, of the libyal project.
pub(crate) struct Libqcow;

/// dissect.hypervisor, with the module for Zstandard that it needs.
pub(crate) struct Dissect;

/// The crate imago.
pub(crate) struct Imago;

/// The crate qcow2-rs.
pub(crate) struct Qcow2Rs;

/// The crate vmdk-core.
pub(crate) struct VmdkCore;

impl Peer for Libvmdk {
    fn name(&self) -> &'static str {
        "libvmdk"
    }

    fn available(&self) -> bool {
        succeeds(python().args(["-c", "import pyvmdk"]))
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        whole(script().arg("libvmdk"), image)
    }
}

impl RangePeer for Libvmdk {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        parts(script().arg("libvmdk"), image, ranges)
    }
}

impl Peer for Libqcow {
    fn name(&self) -> &'static str {
        "libqcow"
    }

    fn available(&self) -> bool {
        succeeds(python().args(["-c", "import pyqcow"]))
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        whole(script().arg("libqcow"), image)
    }
}

impl RangePeer for Libqcow {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        parts(script().arg("libqcow"), image, ranges)
    }
}

impl Peer for Dissect {
    fn name(&self) -> &'static str {
        "dissect"
    }

    fn available(&self) -> bool {
        succeeds(python().args(["-c", "import dissect.hypervisor.disk.qcow2 as q; assert q.HAS_ZSTD"]))
    }

    fn missing(&self) -> String {
        "dissect is not installed, or without backports.zstd".into()
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        whole(script().arg("dissect"), image)
    }
}

impl RangePeer for Dissect {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        parts(script().arg("dissect"), image, ranges)
    }
}

impl Peer for Imago {
    fn name(&self) -> &'static str {
        "imago"
    }

    fn available(&self) -> bool {
        is_built()
    }

    fn missing(&self) -> String {
        not_built("imago")
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        whole(peer_read().arg("imago"), image)
    }
}

impl RangePeer for Imago {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        parts(peer_read().arg("imago"), image, ranges)
    }
}

impl Peer for Qcow2Rs {
    fn name(&self) -> &'static str {
        "qcow2-rs"
    }

    fn available(&self) -> bool {
        is_built()
    }

    fn missing(&self) -> String {
        not_built("qcow2-rs")
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        whole(peer_read().arg("qcow2-rs"), image)
    }
}

impl RangePeer for Qcow2Rs {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        parts(peer_read().arg("qcow2-rs"), image, ranges)
    }
}

impl Peer for VmdkCore {
    fn name(&self) -> &'static str {
        "vmdk-core"
    }

    fn available(&self) -> bool {
        is_built()
    }

    fn missing(&self) -> String {
        not_built("vmdk-core")
    }

    fn sha256(&self, image: &Path) -> Result<Sum, String> {
        whole(peer_read().arg("vmdk-core"), image)
    }
}

impl RangePeer for VmdkCore {
    fn ranges(&self, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
        parts(peer_read().arg("vmdk-core"), image, ranges)
    }
}

fn is_built() -> bool {
    env::var_os(PEER_READ).is_some_and(|program| Path::new(&program).is_file())
}

fn not_built(name: &str) -> String {
    format!("{name} is not built: {PEER_READ} does not name its peer-read")
}

fn python() -> Command {
    Command::new(env::var_os(PYTHON).filter(|name| !name.is_empty()).unwrap_or_else(|| "python3".into()))
}

fn script() -> Command {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "fixtures", "peers", "read_image.py"].iter().collect();
    let mut command = python();
    command.arg(script);
    command
}

fn peer_read() -> Command {
    Command::new(env::var_os(PEER_READ).unwrap_or_else(|| OsString::from("peer-read")))
}

/// Asks for the sum of the whole disk.
fn whole(reader: &mut Command, image: &Path) -> Result<Sum, String> {
    let said = output(reader.arg(image).arg("--sha256"))?;
    let words: Vec<_> = said.split_whitespace().collect();
    match words[..] {
        [size, sha256] => {
            let size = size.parse().map_err(|_| format!("not a size: {size}"))?;
            Ok(Sum { size, sha256: sha256.to_owned() })
        }
        _ => Err(format!("not SIZE SHA256: {said}")),
    }
}

/// Asks for the sums of parts.
fn parts(reader: &mut Command, image: &Path, ranges: &[Range<u64>]) -> Result<(u64, Vec<String>), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let list = folder.path().join("ranges");
    let mut lines = String::new();
    for range in ranges {
        let _ = writeln!(lines, "{} {}", range.start, range.end - range.start);
    }
    fs::write(&list, lines).map_err(|error| error.to_string())?;
    let said = output(reader.arg(image).arg("--ranges").arg(&list))?;
    let mut lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let size = match lines.next().as_deref() {
        Some(["size", size]) => size.parse().map_err(|_| format!("not a size: {size}"))?,
        _ => return Err(format!("not size SIZE: {said}")),
    };
    let sums: Vec<_> = lines.filter_map(|words| words.get(2).map(|sha256| (*sha256).to_owned())).collect();
    if sums.len() == ranges.len() { Ok((size, sums)) } else { Err(format!("not a sum of each range: {said}")) }
}
