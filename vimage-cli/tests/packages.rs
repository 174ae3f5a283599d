//! Boxes, folders and archives: what the tools that take them say.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Folder, left_out};

const ONE: &str = "name = \"machine\"\nreadme = \"README.md\"\n[system]\nos = \"debian12-64\"\nmemory = \"2G\"\ncpus = 2\n[[disk]]\nimage = \"sparse.raw\"\n";
const MORE: &str = "[[disk]]\nrole = \"scratch\"\nsize = \"10G\"\n[[disk]]\nrole = \"data\"\nimage = \"dense.raw\"\n\
                    [[network]]\nname = \"net\"\nkind = \"nat\"\n[[network.forward]]\nname = \"web\"\nhost = 8080\nguest = 80\n";

fn ground(description: &str) -> Folder {
    let folder = Folder::with(&["sparse", "dense"]);
    folder.put("README.md", "Read this.\n");
    folder.put("appliance.toml", description);
    folder
}

/// What a tool prints, which must succeed; none where it is not there.
#[track_caller]
fn tool(folder: &Path, command: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(command[0]).args(&command[1..]).env("LC_ALL", "C").current_dir(folder).output()
    else {
        left_out(&format!("there is no {}", command[0]));
        return None;
    };
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    Some(printed)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The disk in `image` is that of `source`, as qemu-img sees both.
fn same_disk(folder: &Path, format: &str, image: &str, source: &Path) {
    let compare = ["qemu-img", "compare", "-f", "raw", "-F", format, source.to_str().unwrap(), image];
    if let Some(printed) = tool(folder, &compare) {
        assert!(printed.contains("identical"), "{image}: {printed}");
    }
}

fn remove(folder: &Folder, name: &str) {
    fs::remove_dir_all(folder.path(name)).unwrap();
    folder.forget(&[name]);
}

#[test]
fn vagrant_adds_every_box() {
    for provider in ["virtualbox", "libvirt", "vmware_desktop"] {
        for (disks, description) in [(1, ONE.to_owned()), (3, format!("{ONE}{MORE}"))] {
            let folder = ground(&description);
            folder.makes(&format!("pack appliance.toml -O vagrant --provider {provider}"), &["machine.box"]);
            let inside = tempfile::tempdir().unwrap();
            tool(inside.path(), &["tar", "xf", folder.path("machine.box").to_str().unwrap()]);
            let metadata: Value =
                serde_json::from_slice(&fs::read(inside.path().join("metadata.json")).unwrap()).unwrap();
            assert_eq!(metadata["provider"], provider);
            if provider == "libvirt" {
                match disks {
                    // 64 MiB are one gigabyte, rounded up.
                    1 => assert_eq!((&metadata["virtual_size"], &metadata["format"]), (&json!(1), &json!("qcow2"))),
                    _ => assert_eq!(metadata["disks"].as_array().unwrap().len(), disks),
                }
                let image = if disks == 1 { "box.img" } else { "box_0.img" };
                same_disk(inside.path(), "qcow2", image, &folder.path("sparse.raw"));
                tool(inside.path(), &["qemu-img", "check", "-f", "qcow2", image]);
            } else {
                let image = if provider == "virtualbox" { "box-disk1.vmdk" } else { "machine-disk1.vmdk" };
                same_disk(inside.path(), "vmdk", image, &folder.path("sparse.raw"));
            }
            let home = tempfile::tempdir().unwrap();
            let mut vagrant = Command::new("vagrant");
            vagrant.args(["box", "add", "--name", "machine", "machine.box"]).current_dir(folder.path(""));
            match vagrant.env("VAGRANT_HOME", home.path()).output() {
                Err(_) => left_out("there is no vagrant"),
                Ok(output) => {
                    let printed = String::from_utf8_lossy(&output.stdout);
                    let added = format!("Successfully added box 'machine' (v0) for '{provider}'");
                    assert!(output.status.success() && printed.contains(&added), "{printed}");
                }
            }
        }
    }
}

#[test]
fn a_box_for_virtualbox_has_no_manifest_and_a_descriptor_by_the_name_that_vagrant_wants() {
    let folder = ground(ONE);
    folder.makes("pack appliance.toml -O vagrant", &["machine.box"]);
    let listed = tool(&folder.path(""), &["tar", "tf", "machine.box"]).unwrap();
    assert_eq!(listed, "metadata.json\nVagrantfile\nbox.ovf\nbox-disk1.vmdk\n");
    let ovf = tool(&folder.path(""), &["tar", "xOf", "machine.box", "box.ovf"]).unwrap();
    let file = tool(&folder.path(""), &["tar", "xOf", "machine.box", "Vagrantfile"]).unwrap();
    let mac = ovf.split("MACAddress=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(mac.starts_with("080027") && mac.len() == 12, "{mac}");
    assert!(file.contains(&format!("config.vm.base_mac = '{mac}'")), "{file}");
}

#[test]
fn a_folder_for_vmware() {
    let folder = ground(&format!("{ONE}{MORE}"));
    folder.makes("pack appliance.toml -O vmx", &["machine"]);
    let inside = folder.path("machine");
    assert_eq!(
        names(&inside),
        [
            "README.md",
            "machine-disk1-s001.vmdk",
            "machine-disk1.vmdk",
            "machine-disk2-s001.vmdk",
            "machine-disk2-s002.vmdk",
            "machine-disk2-s003.vmdk",
            "machine-disk2-s004.vmdk",
            "machine-disk2-s005.vmdk",
            "machine-disk2-s006.vmdk",
            "machine-disk2.vmdk",
            "machine-disk3-s001.vmdk",
            "machine-disk3.vmdk",
            "machine.vmx",
        ]
    );
    let vmx = fs::read_to_string(inside.join("machine.vmx")).unwrap();
    for line in ["scsi0:0.fileName = \"machine-disk1.vmdk\"", "memsize = \"2048\"", "numvcpus = \"2\""] {
        assert!(vmx.lines().any(|found| found == line), "{line} is not in {vmx}");
    }
    same_disk(&inside, "vmdk", "machine-disk1.vmdk", &folder.path("sparse.raw"));
    same_disk(&inside, "vmdk", "machine-disk3.vmdk", &folder.path("dense.raw"));
    assert_eq!(fs::read(inside.join("README.md")).unwrap(), b"Read this.\n");
    remove(&folder, "machine");
}

#[test]
fn a_folder_for_libvirt() {
    let folder = ground(&format!("{ONE}{MORE}"));
    folder.makes("pack appliance.toml -O libvirt", &["machine"]);
    let inside = folder.path("machine");
    assert_eq!(
        names(&inside),
        ["README.md", "machine-disk1.qcow2", "machine-disk2.qcow2", "machine-disk3.qcow2", "machine.xml"]
    );
    tool(&inside, &["virt-xml-validate", "machine.xml", "domain"]);
    same_disk(&inside, "qcow2", "machine-disk1.qcow2", &folder.path("sparse.raw"));
    remove(&folder, "machine");
}

#[test]
fn archives_that_7zip_tests_and_takes_out() {
    let folder = ground(&format!("{ONE}{MORE}"));
    folder.makes("pack appliance.toml -O 7z", &["machine.7z"]);
    let Some(printed) = tool(&folder.path(""), &["7zz", "t", "machine.7z"]) else { return };
    assert!(printed.contains("Everything is Ok"), "{printed}");
    folder.makes("pack appliance.toml split.7z --of ovf --split 4M", &["split.7z.001", "split.7z.002"]);
    let printed = tool(&folder.path(""), &["7zz", "t", "split.7z.001"]).unwrap();
    assert!(printed.contains("Everything is Ok"), "{printed}");
    let inside = tempfile::tempdir().unwrap();
    tool(inside.path(), &["7zz", "x", folder.path("machine.7z").to_str().unwrap()]);
    same_disk(&inside.path().join("machine"), "vmdk", "machine-disk1.vmdk", &folder.path("sparse.raw"));
    assert!(inside.path().join("machine/README.md").exists());
}

#[test]
fn what_a_package_cannot_say_is_told() {
    let folder = ground(&format!("{ONE}{MORE}"));
    folder.makes("pack appliance.toml", &["machine.ova"]).says(&["note: ports are not forwarded"]);
    let made = folder.makes("pack appliance.toml other.ova --json", &["other.ova"]).json("pack");
    let notes: Vec<&str> = made["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes.len() == 2 && notes[0].contains("ports") && notes[1].contains("README"), "{notes:?}");
    assert_eq!(made["disks"][1], json!({"file": null, "virtual-size": 10_u64 << 30, "populated": 0, "guest": null}));
    assert_eq!(made["disks"][0]["file"], "machine-disk1.vmdk");
    assert_eq!(made["files"][0]["filename"], "other.ova");
    let quiet = folder.makes("pack appliance.toml third.ova --for virtualbox -q", &["third.ova"]);
    assert_eq!(quiet.stdout, "");
}

/// A description to start from is one that packs.
#[test]
fn a_description_for_a_given_disk() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("pack --init sparse.raw", &["appliance.toml"]).says(&["vimage pack appliance.toml"]);
    folder.makes("pack appliance.toml", &["sparse.ova"]);
    folder.fails("pack --init sparse.raw", &["appliance.toml", "exists"]);
    fs::create_dir(folder.path("elsewhere")).unwrap();
    folder.expect(&["elsewhere"]);
    folder.run("pack --init sparse.raw elsewhere/appliance.toml").succeeds();
    folder.makes("pack elsewhere/appliance.toml other.ova", &["other.ova"]);
    assert!(folder.read("sparse.ova") == folder.read("other.ova"));
    remove(&folder, "elsewhere");
}
