//! Packages that other products made, each against what other tools say of it.
//!
//! `VIMAGE_SAMPLES` names a folder of them, compressed with zstd. Expected is what Python's tarfile and hashlib, and OpenSSL, found of
//! each.

use super::support::{VIMAGE, left_out};
use super::{findings, outcomes};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Its files, compressed; what becomes of each file; what is to be found; what must not be.
struct Sample {
    package: &'static str,
    with: &'static [&'static str],
    outcomes: &'static [&'static str],
    found: &'static [&'static str],
    not_found: &'static [&'static str],
}

const NO_MANIFEST: &str = "the package has no manifest";

const SAMPLES: [Sample; 13] = [
    Sample {
        package: "ova/tdAppliance1-t1.ova",
        with: &[],
        outcomes: &["not covered tdAppliance1-t1.ovf", "exempt tdAppliance1-t1.mf"],
        found: &[
            "tdAppliance1-t1.mf: it has no digest of any file",
            "tdAppliance1-t1.ovf: the manifest has no digest of it",
        ],
        not_found: &["SHA-1"],
    },
    Sample {
        package: "ova/tdAppliance1-t2.ova",
        with: &[],
        outcomes: &["not covered tdAppliance1-t2.ovf", "exempt tdAppliance1-t2.mf", "ok tdAppliance1-t2-disk1.vmdk"],
        found: &["tdAppliance1-t2.ovf: the manifest has no digest of it", "tdAppliance1-t2.mf: its digests are SHA-1"],
        not_found: &["line 1"],
    },
    Sample {
        package: "ova/tdAppliance1-t3-ovftool-4.1.0.ova",
        with: &[],
        outcomes: &[
            "ok tdAppliance1-t3-ovftool-4.1.0.ovf",
            "exempt tdAppliance1-t3-ovftool-4.1.0.mf",
            "ok tdAppliance1-t3-ovftool-4.1.0-disk1.vmdk.gz",
        ],
        found: &[],
        not_found: &[".mf: ", "the disk has", "bytes long"],
    },
    Sample {
        package: "ova/tdAppliance1-t4-ovftool-4.1.0.ova",
        with: &[],
        outcomes: &[
            "ok tdAppliance1-t4-ovftool-4.1.0.ovf",
            "exempt tdAppliance1-t4-ovftool-4.1.0.mf",
            "exempt tdAppliance1-t4-ovftool-4.1.0.cert",
            "ok tdAppliance1-t4-ovftool-4.1.0-disk1.vmdk.gz",
            "ok tdAppliance1-t4-ovftool-4.1.0-disk2.vmdk.gz",
        ],
        found: &[
            "tdAppliance1-t4-ovftool-4.1.0.cert: the manifest is signed by its SHA-1 digest",
            "CN=beispiel.example.org has 1024 bits alone",
        ],
        not_found: &[".mf: ", "the signature is not", "the disk has", "bytes long"],
    },
    Sample {
        package: "ova/tdAppliance1-t5.ova",
        with: &[],
        outcomes: &[
            "not covered tdAppliance1-t5.ovf",
            "exempt tdAppliance1-t5.mf",
            "exempt tdAppliance1-t5.cert",
            "ok tdAppliance1-t5-disk1.vmdk.gz",
        ],
        found: &["tdAppliance1-t5.ovf: the manifest has no digest of it", "tdAppliance1-t5.mf: its digests are SHA-1"],
        not_found: &["the signature is not", "the disk has", "bytes long"],
    },
    Sample {
        package: "ova/harvester-test.ova",
        with: &[],
        outcomes: &["ok ubuntu.2.0-disk1.vmdk", "ok ubuntu.2.0.ovf", "exempt ubuntu.2.0.mf", "not covered README.md"],
        found: &[
            "ubuntu.2.0.ovf: it is not the first file",
            "README.md: the descriptor does not name it",
            "README.md: the manifest has no digest of it",
        ],
        not_found: &["pax"],
    },
    Sample {
        package: "ova/glance-testserver.ova",
        with: &[],
        outcomes: &["not covered testserver.ovf", "not covered testserver-disk1.vmdk"],
        found: &[NO_MANIFEST, "testserver-disk1.vmdk: it is no disk image"],
        not_found: &["no digest"],
    },
    Sample {
        package: "ova/glance-testserver-no-disk.ova",
        with: &[],
        outcomes: &["not covered testserver.ovf", "absent testserver-disk1.vmdk"],
        found: &[NO_MANIFEST, "testserver-disk1.vmdk: the descriptor names it, and it is not there"],
        not_found: &[],
    },
    Sample {
        package: "ova/glance-not-tar.ova",
        with: &[],
        outcomes: &[],
        found: &["glance-not-tar.ova: is no tar archive"],
        not_found: &[],
    },
    Sample {
        package: "ova/cdi-fake.ova",
        with: &[],
        outcomes: &["not covered fake.ovf", "ok disk1.vmdk", "exempt disk1.mf"],
        found: &[
            "disk1.vmdk: it is vmdk monolithicSparse, and the descriptor says streamOptimized",
            "disk1.vmdk: it is 65536 bytes long, and the descriptor says 7804077568",
            "disk1.vmdk: the disk has 10240 bytes, and the descriptor says 53687091200",
            "disk1.mf: it is not called like the descriptor",
        ],
        not_found: &[],
    },
    Sample {
        package: "ovf/cot-input/input.ovf",
        with: &[
            "ovf/cot-input/input.mf",
            "ovf/cot-input/input.vmdk",
            "ovf/cot-input/input.iso",
            "ovf/cot-input/sample_cfg.txt",
        ],
        outcomes: &["ok input.ovf", "exempt input.mf", "ok input.vmdk", "ok input.iso", "ok sample_cfg.txt"],
        found: &["input.mf: its digests are SHA-1"],
        not_found: &["no digest", "the disk has", "bytes long"],
    },
    Sample {
        package: "ovf/ganeti-virtualbox/virtualbox.ovf",
        with: &["ovf/ganeti-virtualbox/new_disk.vmdk", "ovf/ganeti-virtualbox/second_disk.vmdk"],
        outcomes: &["not covered virtualbox.ovf", "not covered new_disk.vmdk", "not covered second_disk.vmdk"],
        found: &[NO_MANIFEST],
        not_found: &["no digest"],
    },
    Sample {
        package: "ovf/pve-Win10-Liz/Win10-Liz.ovf",
        with: &["ovf/pve-Win10-Liz/Win10-Liz-disk1.vmdk"],
        outcomes: &["not covered Win10-Liz.ovf", "not covered Win10-Liz-disk1.vmdk"],
        found: &[
            NO_MANIFEST,
            "Win10-Liz-disk1.vmdk: the disk has 2048 bytes",
            "Win10-Liz-disk1.vmdk: it is 65536 bytes long",
        ],
        not_found: &["no digest"],
    },
];

/// Unpacks the sample `name` into `folder`.
fn unpack(samples: &Path, name: &str, folder: &Path) -> PathBuf {
    let target = folder.join(Path::new(name).file_name().unwrap());
    if samples.join(name).is_file() {
        fs::copy(samples.join(name), &target).unwrap();
        return target;
    }
    let packed = samples.join(format!("{name}.zst"));
    assert!(packed.is_file(), "{name} is not among the samples");
    let output = Command::new("zstd").arg("-qdc").arg(packed).output().unwrap();
    assert!(output.status.success());
    fs::write(&target, output.stdout).unwrap();
    target
}

fn verify(package: &Path) -> Value {
    let output = Command::new(VIMAGE).args(["verify", "--json"]).arg(package).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}: {output:?}", package.display());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["clean"], output.status.code() == Some(0), "{report:#}");
    report
}

#[test]
fn packages_of_other_products_are_told_as_other_tools_find_them() {
    let Some(samples) = env::var_os("VIMAGE_SAMPLES").map(PathBuf::from) else {
        return left_out("VIMAGE_SAMPLES names no folder of samples");
    };
    if Command::new("zstd").arg("--version").output().is_err() {
        return left_out("zstd is not installed");
    }
    for sample in &SAMPLES {
        let folder = tempfile::tempdir().unwrap();
        let package = unpack(&samples, sample.package, folder.path());
        for name in sample.with {
            unpack(&samples, name, folder.path());
        }
        let report = verify(&package);
        let (name, found) = (sample.package, findings(&report));
        assert_eq!(outcomes(&report), sample.outcomes, "{name}");
        for words in sample.found {
            assert!(found.iter().any(|finding| finding.contains(words)), "{name}: no {words:?} in {found:#?}");
        }
        for words in sample.not_found {
            assert!(!found.iter().any(|finding| finding.contains(words)), "{name}: {words:?} in {found:#?}");
        }
        signature(name, &report["signature"]);
    }
}

/// Signers, as `openssl x509 -subject -dates` prints them.
fn signature(name: &str, signature: &Value) {
    let expected = match name {
        "ova/tdAppliance1-t4-ovftool-4.1.0.ova" => ("CN=beispiel.example.org", true, "2016-02-01", "2046-01-24", false),
        "ova/tdAppliance1-t5.ova" => ("CN=Knut Stange Osmundsen", false, "2015-05-14", "2018-08-11", true),
        _ => return assert!(signature.is_null(), "{name}"),
    };
    let signer = &signature["certificates"][0];
    let text = |key: &str| signer[key].as_str().unwrap().to_owned();
    assert!(text("subject").ends_with(expected.0), "{name}: {signer}");
    assert_eq!((&signature["holds"], &signature["algorithm"]), (&true.into(), &"sha1".into()), "{name}");
    assert_eq!(
        (signer["self-signed"].as_bool(), text("not-before").as_str()),
        (Some(expected.1), expected.2),
        "{name}"
    );
    assert_eq!((text("not-after").as_str(), signer["expired"].as_bool()), (expected.3, Some(expected.4)), "{name}");
}
