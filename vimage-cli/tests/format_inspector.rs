//! OpenStack's services look at the images of strangers with the format inspector of oslo.utils before they use them. It and vimage have
//! to agree on what is safe, which for vimage is what it reads without `--allow-external`; where they do not, the reason is told here.
//!
//! The inspector looks at heads, for qemu-img, which opens whatever an image names; vimage opens what it reads, by rules of its own. So
//! each refuses something that the other does not.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use support::hostile::descriptor;
use support::samples::{index, root, with_neighbors};
use support::{Folder, disk, left_out};
use vimage_fixtures::vmdk::{cowd, delta, hosted, stream};
use vimage_fixtures::{Fill, Run, qcow2, vdi, vmdk};

/// The disk that is in the images.
const DISK: &str = "odd-capacity";

/// Samples that are longer take the inspector, which reads all of a raw disk, more time than they are worth.
const LONGEST: u64 = 4 << 20;

/// Why the two differ, and on what. Samples go by their files' names.
struct Difference {
    why: &'static str,
    cases: &'static [&'static str],
}

/// What the inspector refuses and vimage reads.
static READ: [Difference; 8] = [
    Difference {
        why: "A file that an image names by a plain name in its own folder belongs to it. The inspector's callers have one file alone.",
        cases: &[
            "qcow2 over a file of its folder",
            "qcow2 with its data in its folder",
            "monolithicFlat",
            "twoGbMaxExtentSparse",
            "vmfsSparse",
            "backing-chain-1.qcow2",
            "qcow2_raw-raw-relative.qcow2",
            "datafile.qcow2",
            "monolithicFlat.vmdk",
            "twoGbMaxExtentSparse.vmdk",
            "twoGbMaxExtentFlat.vmdk",
            "4.vmdk",
            "vmfs_thick.vmdk",
            "mono_flat.vmdk",
            "ext2.vmdk",
        ],
    },
    Difference {
        why: "Extended L2 entries name no file. The inspector knows the features up to that before them.",
        cases: &["qcow2 with subclusters", "bwl-cs65536_cp-off_l2-on.qcow2", "bwl-cs65536_cp-on_l2-on.qcow2"],
    },
    Difference {
        why: "The name in an embedded descriptor is not opened: the extent is the file that it is in.",
        cases: &["monolithicSparse whose descriptor names a file elsewhere"],
    },
    Difference {
        why: "A qcow2 image is one, whatever lies in its clusters: what it is read as does not depend on that.",
        cases: &["qcow2 with the mark of ISO 9660"],
    },
    Difference {
        why: "A raw disk is its bytes. Its partitions are looked at to trim it alone, and a table that contradicts itself is kept whole then.",
        cases: &["MBR with a boot flag that is none", "MBR without partitions", "GPT with a partition beside it"],
    },
    Difference {
        why: "A disk that is to start from a DVD and from a stick begins as both, and is raw.",
        cases: &["ISO 9660 with an MBR"],
    },
    Difference {
        why: "A LUKS volume is raw: it is copied and not opened. The inspector knows version 1.",
        cases: &["LUKS 2"],
    },
    Difference {
        why: "Of a format that is not known no reference is followed: it is raw. qemu-img would follow it.",
        cases: &["QED"],
    },
];

/// What the inspector lets pass and vimage refuses.
static REFUSED: [Difference; 6] = [
    Difference {
        why: "What begins as an image and is cut off is a broken one, never a raw disk. The inspector wants whole headers to know a format.",
        cases: &["qcow2 cut off in its header", "VDI cut off in its header"],
    },
    Difference { why: "The inspector looks at no table.", cases: &["qcow2 with a table past the end"] },
    Difference {
        why: "There is no way to give a key, so an encrypted disk cannot be read.",
        cases: &["qcow2 that is encrypted"],
    },
    Difference {
        why: "The inspector does not look at the parent that a VMDK names. qemu-img opens it.",
        cases: &["VMDK delta over a file elsewhere"],
    },
    Difference {
        why: "A differencing VDI without its parent is half a disk; it names no file, so it is safe, but there is nothing to read.",
        cases: &["VDI over a parent that is not there"],
    },
    Difference {
        why: "An extent alone is no disk. The inspector takes what begins as COWD for raw.",
        cases: &["COWD extent alone"],
    },
];

/// An image, the main file of it in a folder.
struct Case {
    name: String,
    folder: Folder,
    file: String,
}

impl Case {
    /// Of one file with these bytes.
    fn of(name: &str, file: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::with(name, file, bytes, &[])
    }

    /// The same with others beside it.
    fn with(name: &str, file: &str, bytes: impl AsRef<[u8]>, others: &[(&str, &[u8])]) -> Self {
        let folder = Folder::new();
        folder.put(file, bytes);
        others.iter().for_each(|(name, bytes)| folder.put(name, bytes));
        Case { name: name.into(), folder, file: file.into() }
    }

    /// Of what `write` puts into a folder.
    fn written(name: &str, file: &str, write: impl FnOnce(&Path) -> std::io::Result<std::path::PathBuf>) -> Self {
        let folder = Folder::new();
        write(&folder.path("")).unwrap();
        folder.names().iter().for_each(|name| folder.expect(&[name]));
        Case { name: name.into(), folder, file: file.into() }
    }

    /// Whether vimage reads all of it.
    fn is_read(&self) -> bool {
        let outcome = self.folder.run(&format!("digest {}", self.file));
        let status = outcome.status.code().unwrap_or(-1);
        let outcome = outcome.ends(if status == 0 { 0 } else { 2 });
        self.folder.check();
        outcome.status.success()
    }
}

/// The raw bytes of the disk.
fn raw() -> Vec<u8> {
    let mut bytes = vec![0; disk(DISK).size as usize];
    disk(DISK).read_at(&mut bytes, 0);
    bytes
}

fn laid(options: qcow2::Options<'_>) -> Vec<u8> {
    qcow2::lay(&disk(DISK), &options).bytes
}

fn over(name: &str) -> Vec<u8> {
    laid(qcow2::Options {
        parent: Some(qcow2::Parent { disk: Some(&disk(DISK)), name, format: Some("raw") }),
        ..Default::default()
    })
}

fn data_in(name: &str) -> Vec<u8> {
    laid(qcow2::Options { data_file: Some(name), ..Default::default() })
}

/// `bytes` with `patch` at byte `at`.
fn patched(mut bytes: Vec<u8>, at: usize, patch: &[u8]) -> Vec<u8> {
    bytes[at..at + patch.len()].copy_from_slice(patch);
    bytes
}

fn of_qcow2() -> Vec<Case> {
    let plain = || laid(qcow2::Options::default());
    let feature = |bit: u32| patched(plain(), 72, &(1_u64 << bit).to_be_bytes());
    let raw = raw();
    let beside = raw.as_slice();
    vec![
        Case::of("qcow2", "d.qcow2", plain()),
        Case::of("qcow2 of version 2", "d.qcow2", laid(qcow2::Options { version: 2, ..Default::default() })),
        Case::of("qcow2, compressed", "d.qcow2", laid(qcow2::Options { compressed: true, ..Default::default() })),
        Case::of("qcow2 with subclusters", "d.qcow2", laid(qcow2::Options { extended: true, ..Default::default() })),
        Case::of(
            "qcow2 with snapshots",
            "d.qcow2",
            laid(qcow2::Options { snapshots: &[("1", "before")], ..Default::default() }),
        ),
        Case::of("qcow2 that was not closed", "d.qcow2", feature(0)),
        Case::with("qcow2 over a file of its folder", "d.qcow2", over("base.raw"), &[("base.raw", beside)]),
        Case::of("qcow2 over a file elsewhere", "d.qcow2", over("/etc/passwd")),
        Case::of("qcow2 over a file up the folders", "d.qcow2", over("../../../../../etc/passwd")),
        Case::of("qcow2 over a device of the network", "d.qcow2", over("nbd://127.0.0.1:10809/disk")),
        Case::of("qcow2 over what JSON tells", "d.qcow2", over("json:{\"driver\":\"null-co\",\"size\":\"4194304\"}")),
        Case::with("qcow2 with its data in its folder", "d.qcow2", data_in("data.raw"), &[("data.raw", beside)]),
        Case::of("qcow2 with its data elsewhere", "d.qcow2", data_in("/etc/passwd")),
        Case::of("qcow2 with a feature that nobody knows", "d.qcow2", feature(5)),
        Case::of("qcow2 with another such feature", "d.qcow2", feature(40)),
        Case::of("qcow2 of version 1", "d.qcow2", patched(plain(), 4, &1_u32.to_be_bytes())),
        Case::of("qcow2 that is encrypted", "d.qcow2", patched(plain(), 32, &1_u32.to_be_bytes())),
        Case::of("qcow2 cut off in its header", "d.qcow2", &plain()[..100]),
        Case::of("qcow2 with a table past the end", "d.qcow2", patched(plain(), 40, &(1_u64 << 40).to_be_bytes())),
        Case::of("qcow2 with the mark of ISO 9660", "d.qcow2", patched(plain(), 0x8001, b"CD001")),
        Case::of("raw disk in which a guest wrote a qcow2 image", "d.raw", over("/etc/passwd")),
    ]
}

fn of_vmdk() -> Vec<Case> {
    let base = disk(DISK);
    let child = base.overwritten("child", Run { offset: 0, len: 512, fill: Fill::Byte(7) });
    let alone = |folder: &Path| hosted::write(&base, folder, &hosted::Options::default());
    let sectors = base.size / 512;
    let flat = |name: &str, kind: &str| descriptor(&format!("RW {sectors} FLAT \"{name}\" 0")).replace("custom", kind);
    let over = |hint| {
        let (base, child) = (&base, &child);
        move |folder: &Path| delta::write(base, child, folder, &delta::Options { hint, ..Default::default() })
    };
    // The name of the only extent, which has as many letters as another.
    let elsewhere =
        Case::written("monolithicSparse whose descriptor names a file elsewhere", "odd-capacity.vmdk", alone);
    let bytes = elsewhere.folder.read("odd-capacity.vmdk");
    let name = b"SPARSE \"odd-capacity.vmdk\"";
    let at = bytes.windows(name.len()).position(|found| found == name).unwrap();
    elsewhere.folder.put("odd-capacity.vmdk", patched(bytes, at, b"SPARSE \"../../etc//passwd\""));
    let cowd = |folder: &Path| cowd::write(&base, folder, &cowd::Options::default());
    let unknown = Case::written("VMDK of a version that nobody knows", "odd-capacity.vmdk", alone);
    unknown.folder.poke("odd-capacity.vmdk", 4, &9_u32.to_le_bytes());
    vec![
        Case::written("monolithicSparse", "odd-capacity.vmdk", alone),
        Case::written("streamOptimized", "odd-capacity.vmdk", |folder| {
            stream::write(&base, folder, &stream::Options::default())
        }),
        Case::written("monolithicFlat", "odd-capacity.vmdk", |folder| {
            vmdk::descriptor::write(&base, folder, &vmdk::descriptor::Options::default())
        }),
        Case::written("twoGbMaxExtentSparse", "odd-capacity.vmdk", |folder| {
            hosted::write(&base, folder, &hosted::Options { embedded_descriptor: false, ..Default::default() })
        }),
        Case::written("vmfsSparse", "odd-capacity.vmdk", cowd),
        Case::written("COWD extent alone", "odd-capacity-delta.vmdk", cowd),
        Case::of("monolithicFlat of a file elsewhere", "d.vmdk", flat("/etc/passwd", "monolithicFlat")),
        Case::of(
            "streamOptimized that is a text with a file elsewhere",
            "d.vmdk",
            flat("/etc/passwd", "streamOptimized"),
        ),
        Case::of("fullDevice", "d.vmdk", flat("/dev/sda", "fullDevice")),
        elsewhere,
        unknown,
        Case::written("VMDK delta over one of its folder", "child.vmdk", over(None)),
        Case::written("VMDK delta over a file elsewhere", "child.vmdk", over(Some("/etc/passwd"))),
    ]
}

fn of_vdi() -> Vec<Case> {
    let ids = [[0x41; 16], [0x42; 16]];
    let lay = |options: vdi::Options<'_>| vdi::lay(&disk(DISK), &options).bytes;
    let base = lay(vdi::Options { ids, ..Default::default() });
    let child = lay(vdi::Options { parent: Some(vdi::Parent { disk: &disk(DISK), ids }), ..Default::default() });
    vec![
        Case::of("VDI", "d.vdi", &base),
        Case::of("VDI, fixed", "d.vdi", lay(vdi::Options { fixed: true, ..Default::default() })),
        Case::with("VDI over a parent of its folder", "d.vdi", &child, &[("base.vdi", base.as_slice())]),
        Case::of("VDI over a parent that is not there", "d.vdi", &child),
        Case::of("VDI cut off in its header", "d.vdi", &base[..300]),
    ]
}

/// A raw disk with the signature of an MBR and these entries of 16 bytes: flag, three bytes of where it starts, type, three of where it
/// ends, then the first sector and how many, in little endian ("UEFI Specification", 5.2).
fn mbr(entries: &[[u8; 16]]) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    for (number, entry) in entries.iter().enumerate() {
        bytes[446 + 16 * number..][..16].copy_from_slice(entry);
    }
    patched(bytes, 510, &[0x55, 0xaa])
}

fn of_raw() -> Vec<Case> {
    let linux: [u8; 16] = [0x80, 1, 1, 0, 0x83, 0xfe, 0xff, 0xff, 0, 1, 0, 0, 0, 4, 0, 0];
    let odd = patched(linux.to_vec(), 0, &[0x42]).try_into().unwrap();
    let protective = [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 7, 0, 0];
    let iso = |bytes| patched(bytes, 32 << 10, b"\x01CD001\x01");
    vec![
        Case::of("raw", "d.raw", raw()),
        Case::of("zeros", "d.raw", vec![0; 1 << 20]),
        Case::of("MBR", "d.raw", mbr(&[linux])),
        Case::of("MBR with a boot flag that is none", "d.raw", mbr(&[odd])),
        Case::of("MBR without partitions", "d.raw", mbr(&[])),
        Case::of("GPT", "d.raw", mbr(&[protective])),
        Case::of("GPT with a partition beside it", "d.raw", mbr(&[protective, linux])),
        Case::of("ISO 9660", "d.iso", iso(vec![0; 1 << 20])),
        Case::of("ISO 9660 with an MBR", "d.iso", iso(mbr(&[linux]))),
        Case::of("LUKS 1", "d.raw", patched(vec![0; 1 << 20], 0, b"LUKS\xba\xbe\0\x01")),
        Case::of("LUKS 2", "d.raw", patched(vec![0; 1 << 20], 0, b"LUKS\xba\xbe\0\x02")),
        Case::of("QED", "d.qed", patched(vec![0; 1 << 20], 0, b"QED\0")),
        Case::of("VHD", "d.vhd", patched(vec![0; 1 << 20], 0, b"conectix")),
    ]
}

/// The samples that are one image each, with what lies beside them.
fn of_samples() -> Vec<Case> {
    const FORMATS: [&str; 8] = ["raw", "qcow2", "vmdk", "vdi", "vhd", "parallels", "dmg", "bochs"];
    let Some(root) = root() else { return Vec::new() };
    let rows = index(&root);
    let fits = |row: &&Vec<String>| {
        FORMATS.contains(&row[1].as_str()) && !row[0].contains('#') && row[13].parse::<u64>().unwrap() <= LONGEST
    };
    let case = |row: &Vec<String>| {
        let (folder, file) = with_neighbors(&root, row);
        Case { name: file.clone(), folder, file }
    };
    rows.iter().filter(fits).map(case).collect()
}

/// Whether the inspector holds each for safe, with its words; none where it is not there.
fn inspected(cases: &[Case]) -> Option<Vec<(bool, String)>> {
    let python = std::env::var_os("VIMAGE_PYTHON").unwrap_or_else(|| "python3".into());
    let import = Command::new(&python).args(["-c", "import oslo_utils.imageutils.format_inspector"]).output();
    if !import.is_ok_and(|import| import.status.success()) {
        left_out("VIMAGE_PYTHON names no Python with oslo.utils and cryptography");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format_inspector.py");
    let paths = cases.iter().map(|case| case.folder.path(&case.file));
    let output = Command::new(&python).arg(script).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let verdicts = printed.lines().map(|line| {
        let (_, verdict) = line.split_once('\t').unwrap();
        (verdict.starts_with("safe\t"), verdict.replace('\t', " "))
    });
    Some(verdicts.collect())
}

/// Why the two may differ on what is called `name`.
fn reason(differences: &[Difference], name: &str) -> Option<&'static str> {
    differences.iter().find(|difference| difference.cases.contains(&name)).map(|difference| difference.why)
}

#[test]
fn what_is_safe_is_read_and_what_is_not_is_refused_or_it_is_told_why() {
    let mut cases: Vec<_> = [of_qcow2(), of_vmdk(), of_vdi(), of_raw()].into_iter().flatten().collect();
    let names: BTreeSet<_> = cases.iter().map(|case| case.name.clone()).collect();
    assert_eq!(names.len(), cases.len(), "two have one name");
    cases.extend(of_samples());
    let Some(verdicts) = inspected(&cases) else { return };
    assert_eq!(verdicts.len(), cases.len());
    let mut complaints = Vec::new();
    for (case, (safe, words)) in cases.iter().zip(&verdicts) {
        let name = case.name.as_str();
        let read = case.is_read();
        match (*safe, read, reason(&READ, name), reason(&REFUSED, name)) {
            (true, true, None, None)
            | (false, false, None, None)
            | (false, true, Some(_), None)
            | (true, false, None, Some(_)) => {}
            (false, true, ..) => complaints.push(format!("{name}: vimage reads it, and the inspector says {words}")),
            (true, false, ..) => complaints.push(format!("{name}: vimage refuses it, and the inspector says {words}")),
            (_, _, Some(why), _) | (_, _, _, Some(why)) => {
                complaints.push(format!("{name}: they agree now, so take it off the list: \"{why}\""));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let known: BTreeSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
    let all = READ.iter().chain(&REFUSED).flat_map(|difference| difference.cases);
    let unknown: Vec<_> = all.filter(|name| !known.contains(*name)).collect();
    // Those of samples are there where the samples are.
    let samples = std::env::var_os("VIMAGE_SAMPLES").is_some_and(|root| !root.is_empty());
    assert!(!samples || unknown.is_empty(), "the list has what is not there: {unknown:?}");
}
