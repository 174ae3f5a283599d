//! Disks that lie in an archive are read where they lie, by every command; packages are told as a whole.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use support::{Folder, hostile::descriptor, left_out};

/// An entry of a tar: a ustar header and the bytes, as POSIX.1-1988 has them.
fn entry(name: &str, flag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend_from_slice(bytes);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<u8> = members.iter().flat_map(|(name, bytes)| entry(name, b'0', bytes)).collect();
    [entries, vec![0; 1024]].concat()
}

impl Folder {
    /// Packs these files of the folder into `archive`, and takes them away.
    fn pack(&self, archive: &str, names: &[&str]) {
        let files: Vec<_> = names.iter().map(|name| (*name, self.read(name))).collect();
        let members: Vec<_> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        self.put(archive, tar(&members));
        names.iter().for_each(|name| self.remove(name));
    }

    /// `gzip FILE`; false where there is none.
    fn gzip(&self, name: &str) -> bool {
        let done =
            Command::new("gzip").args(["-n", "-f"]).arg(self.path(name)).status().is_ok_and(|done| done.success());
        if done {
            self.forget(&[name]);
            self.expect(&[&format!("{name}.gz")]);
        } else {
            left_out("gzip is not installed");
        }
        done
    }
}

/// A descriptor as small as it may be, of one disk.
const OVF: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References><File ovf:id="f1" ovf:href="disk.vmdk"/></References>
  <DiskSection><Info>Disks</Info><Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="67108864"
    ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/></DiskSection>
  <NetworkSection><Info>Networks</Info><Network ovf:name="VM Network"/></NetworkSection>
  <VirtualSystem ovf:id="web"><Info>A machine</Info><Name>Web server</Name>
    <OperatingSystemSection ovf:id="96"><Info>Guest</Info><Description>Debian 64</Description></OperatingSystemSection>
    <ProductSection><Info>Product</Info><Product>Web</Product><Vendor>Example Ltd</Vendor><Version>1.2</Version></ProductSection>
    <VirtualHardwareSection><Info>Hardware</Info>
      <System><vssd:ElementName>x</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType></System>
      <Item><rasd:ElementName>cpu</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID>
        <rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>ram</rasd:ElementName>
        <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>512</rasd:VirtualQuantity></Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"#;

/// A folder with `sparse.raw`, and `a.ova` with a descriptor and the same disk as a stream.
fn appliance() -> Folder {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert sparse.raw disk.vmdk -c -q", &["disk.vmdk"]);
    folder.put("web.ovf", OVF);
    folder.pack("a.ova", &["web.ovf", "disk.vmdk"]);
    folder
}

#[test]
fn every_command_reads_a_disk_where_it_lies() {
    let folder = appliance();
    let digest = folder.run("digest sparse.raw").succeeds().stdout;
    for image in ["a.ova", "a.ova:disk.vmdk"] {
        folder.run(&format!("digest {image}")).succeeds().says(&[&digest[..64]]);
        folder.same(image, "sparse.raw");
        folder.run(&format!("check {image}")).succeeds();
        folder.run(&format!("info --chain {image}")).succeeds().says(&["streamOptimized", "64 MiB"]);
        let map = |image: &str| {
            let runs: Value =
                serde_json::from_str(&folder.run(&format!("map --json {image}")).succeeds().stdout).unwrap();
            let data = runs.as_array().unwrap().iter().filter(|run| run["data"] == true);
            data.map(|run| run["length"].as_u64().unwrap()).sum::<u64>()
        };
        assert!(map(image) >= map("sparse.raw"), "whole grains are data");
        folder.run(&format!("measure {image} -O raw")).succeeds();
        folder.run(&format!("convert {image} out.qcow2 -q")).succeeds();
        folder.expect(&["out.qcow2"]);
        folder.same("out.qcow2", "sparse.raw");
        folder.remove("out.qcow2");
    }
    let info = folder.run("info --json a.ova:disk.vmdk").succeeds().json("info");
    assert_eq!((&info["filename"], &info["format"]), (&json!("a.ova:disk.vmdk"), &json!("vmdk")));
    let whole = folder.run("info --json a.ova").succeeds().json("info");
    assert_eq!(info["actual-size"], whole["files"][1]["size"]);
}

#[test]
fn who_says_raw_gets_the_archive_itself() {
    let folder = appliance();
    fs::copy(folder.path("a.ova"), folder.path("copy.bin")).unwrap();
    folder.expect(&["copy.bin"]);
    folder.run("compare --strict -f raw -F raw a.ova copy.bin").succeeds();
    // And of a member, its own bytes.
    let length = folder.run("info --json -f raw a.ova:disk.vmdk").succeeds().json("info")["virtual-size"].clone();
    let size = folder.run("info --json a.ova").succeeds().json("info")["files"][1]["size"].clone();
    assert_eq!(length, size);
}

#[test]
fn a_file_of_the_whole_name_is_meant_first() {
    let folder = appliance();
    folder.put("a.ova:disk.vmdk", [7; 1024]);
    let info = folder.run("info --json a.ova:disk.vmdk").succeeds().json("info");
    assert_eq!((&info["format"], &info["virtual-size"]), (&json!("raw"), &json!(1024)));
}

#[test]
fn which_disk_has_to_be_clear() {
    let folder = Folder::with(&["one-sector"]);
    let disk = folder.read("one-sector.raw");
    folder.put("two.ova", tar(&[("x.ovf", b"<x/>"), ("one.raw", &disk), ("sub/two.img", &disk)]));
    for command in ["map", "digest", "check", "measure -O raw", "compare one-sector.raw", "convert -O qcow2"] {
        folder
            .fails(&format!("{command} two.ova"), &["two.ova: holds 2 disks", "two.ova:one.raw, two.ova:sub/two.img"]);
    }
    folder.same("two.ova:sub/two.img", "one-sector.raw");
    folder.put("none.ova", tar(&[("x.ovf", b"<x/>"), ("readme", b"hello")]));
    folder.fails("digest none.ova", &["none.ova: holds no disk", "x.ovf, readme"]);
    folder.fails("digest two.ova:three.raw", &["two.ova:three.raw", "no member", "vimage info two.ova"]);
    folder.fails("digest one-sector.raw:x", &["one-sector.raw:x", "no tar archive"]);
    folder.fails("digest nowhere.ova:x", &["cannot open"]);
    // What begins as a disk is one, whatever its name.
    folder.makes("convert one-sector.raw d.qcow2 -q", &["d.qcow2"]);
    folder.put("odd.tar", tar(&[("readme", b"hello"), ("payload", &folder.read("d.qcow2"))]));
    folder.same("odd.tar", "one-sector.raw");
}

#[test]
fn members_may_name_each_other() {
    let folder = Folder::with(&["dense"]);
    folder.run("convert dense.raw out.vmdk --split 2M -q").succeeds();
    let mut names: Vec<_> = folder.names().into_iter().filter(|name| name.ends_with(".vmdk")).collect();
    folder.expect(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(names.len() > 3);
    names.sort_by_key(|name| name.as_str() == "out.vmdk");
    folder.pack("split.tar", &names.iter().map(String::as_str).collect::<Vec<_>>());
    folder.same("split.tar", "dense.raw");
    folder.run("check split.tar").succeeds();

    folder.makes("convert dense.raw base.qcow2 -q", &["base.qcow2"]);
    folder.makes("convert dense.raw over.qcow2 -B base.qcow2 -F qcow2 -q", &["over.qcow2"]);
    folder.pack("chain.tar", &["base.qcow2", "over.qcow2"]);
    folder.same("chain.tar", "dense.raw");
    let chain = folder.run("info --json --chain chain.tar").succeeds().json("info");
    let files: Vec<_> = chain["images"].as_array().unwrap().iter().map(|image| &image["filename"]).collect();
    assert_eq!(files, ["chain.tar:over.qcow2", "chain.tar:base.qcow2"]);

    folder.run("convert dense.raw p.raw --split 3M -q").succeeds();
    let pieces = ["p.raw.001", "p.raw.002", "p.raw.003"];
    folder.expect(&pieces);
    folder.pack("pieces.tar", &pieces);
    folder.same("pieces.tar", "dense.raw");
}

/// As an OVF package keeps a file whose `chunkSize` is given: nine digits, from nought on.
#[test]
fn chunks_are_joined() {
    let folder = Folder::with(&["dense"]);
    folder.makes("convert dense.raw d.vmdk -c -q", &["d.vmdk"]);
    let disk = folder.read("d.vmdk");
    let chunks: Vec<_> = disk.chunks(1 << 20).enumerate().map(|(n, bytes)| (format!("d.vmdk.{n:09}"), bytes)).collect();
    let members: Vec<_> = chunks.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    assert!(members.len() > 2);
    folder.put("c.ova", tar(&members));
    folder.same("c.ova", "dense.raw");
    folder.same("c.ova:d.vmdk", "dense.raw");
    folder.put("c.ova", tar(&[members[0], members[2]]));
    folder.fails("digest c.ova", &["d.vmdk.000000001 is missing"]);
}

#[test]
fn nothing_outside_the_archive_is_opened_for_a_member() {
    let folder = Folder::with(&["one-sector"]);
    for (extent, words) in [
        ("RW 1 FLAT \"/etc/hostname\" 0", ["/etc/hostname", "members beside it"]),
        ("RW 1 FLAT \"../one-sector.raw\" 0", ["../one-sector.raw", "members beside it"]),
        ("RW 1 FLAT \"one-sector.raw\" 0", ["e.tar:one-sector.raw", "missing"]),
    ] {
        folder.put("e.tar", tar(&[("d.vmdk", descriptor(extent).as_bytes())]));
        for trust in ["", "--allow-external"] {
            folder.fails(&format!("digest e.tar {trust}"), &words);
        }
    }
    // A link beside the member that it names is one to refuse, and so is a loop.
    folder.makes("convert one-sector.raw a.qcow2 -q", &["a.qcow2"]);
    folder.makes("convert one-sector.raw b.qcow2 -B a.qcow2 -F qcow2 -q", &["b.qcow2"]);
    let b = folder.read("b.qcow2");
    folder.put("loop.tar", tar(&[("b.qcow2", &b), ("a.qcow2", &b)]));
    folder.fails("digest loop.tar:b.qcow2", &["comes back to loop.tar:a.qcow2"]);
}

#[test]
fn compressed_members_are_inflated() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert sparse.raw disk.vmdk -c -q", &["disk.vmdk"]);
    if !folder.gzip("disk.vmdk") {
        return;
    }
    let packed = folder.read("disk.vmdk.gz");
    folder.pack("z.ova", &["disk.vmdk.gz"]);
    folder.same("z.ova", "sparse.raw");
    folder.same("z.ova:disk.vmdk.gz", "sparse.raw");
    // Compressed, though its name does not say so: the descriptor would.
    folder.put("n.ova", tar(&[("disk.vmdk", &packed)]));
    folder.same("n.ova", "sparse.raw");
    folder.run("info z.ova").succeeds().says(&["disk.vmdk.gz", "streamOptimized", "64 MiB"]);
    folder.put("cut.ova", tar(&[("disk.vmdk.gz", &packed[..packed.len() / 2])]));
    folder.fails("digest cut.ova", &["cut.ova:disk.vmdk.gz", "gzip"]);
    // What is made of it lies beside the archive and is named after the disk.
    folder.makes("convert z.ova:disk.vmdk.gz -O qcow2 -q", &["disk.qcow2"]);
}

#[test]
fn a_compressed_archive_is_inflated() {
    let folder = Folder::with(&["sparse"]);
    folder.makes("convert sparse.raw box.img -O qcow2 -q", &["box.img"]);
    folder.put("metadata.json", r#"{"provider":"libvirt","format":"qcow2","virtual_size":1}"#);
    folder.pack("plain.box", &["metadata.json", "box.img"]);
    fs::copy(folder.path("plain.box"), folder.path("b.box")).unwrap();
    folder.expect(&["b.box"]);
    if !folder.gzip("b.box") {
        return;
    }
    fs::rename(folder.path("b.box.gz"), folder.path("packed.box")).unwrap();
    folder.forget(&["b.box.gz"]);
    folder.expect(&["packed.box"]);
    for archive in ["plain.box", "packed.box"] {
        folder.same(archive, "sparse.raw");
        folder.run(&format!("info {archive}")).succeeds().says(&[
            "Vagrant box",
            "for libvirt",
            "box.img",
            "qcow2",
            "64 MiB",
        ]);
        let info = folder.run(&format!("info --json {archive}")).succeeds().json("info");
        assert_eq!((&info["package"], &info["metadata"]["provider"]), (&json!("box"), &json!("libvirt")));
        assert_eq!(info["files"][0]["offset"], if archive == "plain.box" { json!(512) } else { Value::Null });
    }
    folder.makes("convert packed.box:box.img -O raw -q", &["box.raw"]);
    folder.same("box.raw", "sparse.raw");
}

#[test]
fn an_archive_is_never_written_to() {
    let folder = appliance();
    let before = folder.read("a.ova");
    for line in ["convert a.ova a.ova -O raw --force", "convert a.ova:disk.vmdk a.ova -O raw --force"] {
        folder.fails(line, &["a.ova"]);
    }
    for image in ["a.ova", "a.ova:disk.vmdk"] {
        for how in ["", "-o small.vmdk", "--dry-run", "--punch"] {
            let said = folder.run(&format!("compact {image} {how}")).ends(2).stderr;
            assert!(said.contains("lies within a.ova") || said.contains("lies within /"), "{image} {how}: {said}");
            folder.check();
        }
    }
    assert!(folder.read("a.ova") == before);
}

#[test]
fn hostile_archives_are_refused_by_every_command() {
    let folder = Folder::with(&["one-sector"]);
    let link = [entry("disk.raw", b'2', b""), vec![0; 1024]].concat();
    let whole = tar(&[("disk.raw", &[1; 2048])]);
    for (bytes, words) in [
        (tar(&[("disk.raw", b"x"), ("../x", b"")]), ["../x", "empty part"]),
        (tar(&[("/disk.raw", b"x")]), ["/disk.raw", "absolute"]),
        (tar(&[("disk.raw", b"x"), ("disk.raw", b"y")]), ["disk.raw", "two members"]),
        (link, ["disk.raw", "symbolic link"]),
        (whole[..1024].to_vec(), ["disk.raw", "cut short"]),
    ] {
        folder.put("h.ova", bytes);
        for command in ["info", "map", "digest", "check", "measure -O raw", "compare one-sector.raw", "convert -O vmdk"]
        {
            let outcome = folder.run_tight(&format!("{command} h.ova")).fails(&words);
            assert!(outcome.stderr.starts_with("vimage: h.ova: "), "{outcome}");
            folder.check();
        }
    }
    folder.put("h.ova", b"\x89PNG\r\n not a tar at all".repeat(100));
    folder.fails("info h.ova", &["h.ova", "no tar archive"]);
    folder.fails("digest h.ova", &["h.ova", "no tar archive", "-f raw"]);
    folder.run("digest -f raw h.ova").succeeds();
    folder.put("h.box", b"PK\x03\x04 and so on".repeat(100));
    folder.fails("info h.box", &["h.box", "zip"]);
}

#[test]
fn what_info_says_of_a_package() {
    let folder = appliance();
    folder.run("info a.ova").succeeds().says(&[
        "OVA, OVF 1.x",
        "Web server",
        "Example Ltd",
        "1.2",
        "512 MiB",
        "vmx-13",
        "VM Network",
        "streamOptimized",
        "web.ovf",
    ]);
    let info = folder.run("info --json a.ova").succeeds().json("info");
    let size = info["files"][1]["size"].clone();
    assert_eq!(
        info,
        json!({
            "version": 1,
            "command": "info",
            "filename": "a.ova",
            "package": "ova",
            "descriptor": { "filename": "web.ovf", "version": "1.x", "error": null },
            "manifest": null,
            "certificate": null,
            "metadata": null,
            "systems": [{
                "id": "web",
                "name": "Web server",
                "product": "Web",
                "vendor": "Example Ltd",
                "product-version": "1.2",
                "annotation": null,
                "guest-os": "Debian 64",
                "guest-os-id": 96,
                "processors": 2,
                "memory": 512 << 20,
                "firmware": "bios",
                "hardware": ["vmx-13"],
                "network-cards": [],
                "properties": [],
                "eulas": 0,
            }],
            "networks": ["VM Network"],
            "configurations": [],
            "disks": [{
                "filename": "disk.vmdk",
                "format": "vmdk",
                "subformat": "streamOptimized",
                "virtual-size": 64 << 20,
                "stored-size": size,
                "declared-size": 64 << 20,
                "declared-format": "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized",
                "error": null,
            }],
            "files": [
                { "filename": "web.ovf", "size": OVF.len(), "offset": 512 },
                { "filename": "disk.vmdk", "size": size, "offset": 1024 + OVF.len().next_multiple_of(512) },
            ],
            "missing": [],
        })
    );
}

#[test]
fn what_info_says_of_a_folder() {
    let folder = Folder::with(&["sparse"]);
    folder.put("web.ovf", OVF);
    let info = folder.run("info --json web.ovf").succeeds().json("info");
    assert_eq!((&info["package"], &info["missing"][0]["filename"]), (&json!("folder"), &json!("disk.vmdk")));
    folder.run("info web.ovf").succeeds().says(&["OVF folder", "missing", "64 MiB disk"]);
    folder.makes("convert sparse.raw disk.vmdk -c -q", &["disk.vmdk"]);
    folder.put("web.mf", "");
    let info = folder.run("info --json web.ovf").succeeds().json("info");
    assert_eq!((&info["missing"], &info["manifest"]), (&json!([]), &json!("web.mf")));
    assert_eq!(
        info["files"][2],
        json!({ "filename": "disk.vmdk", "size": folder.read("disk.vmdk").len(), "offset": null })
    );
    // The disk itself is not opened.
    let disk = &info["disks"][0];
    let sizes = (&disk["virtual-size"], &disk["declared-size"], &disk["stored-size"]);
    assert_eq!(sizes, (&json!(null), &json!(64 << 20), &info["files"][2]["size"]));
    folder.run("info web.ovf").succeeds().says(&["not looked into", "64 MiB disk"]);
    // A descriptor leads to no file elsewhere.
    for href in ["../disk.vmdk", "/etc/hostname", "http://example.com/disk.vmdk"] {
        folder.put("web.ovf", OVF.replace("disk.vmdk", href));
        let info = folder.run("info --json web.ovf").succeeds().json("info");
        assert_eq!(
            (&info["missing"][0]["filename"], &info["disks"][0]["format"]),
            (&json!(href), &Value::Null),
            "{href}"
        );
    }
}

#[test]
fn a_descriptor_that_cannot_be_understood_hides_no_member() {
    let folder = Folder::with(&["one-sector"]);
    let disk = folder.read("one-sector.raw");
    for bad in ["", "no XML", "<Envelope>", "<!DOCTYPE x [<!ENTITY a \"b\">]><Envelope/>", "\x1b[2J"] {
        folder.put("b.ova", tar(&[("x.ovf", bad.as_bytes()), ("d.raw", &disk)]));
        let told = folder.run("info b.ova").succeeds().says(&["cannot be understood", "d.raw", "512 B disk"]);
        assert!(!told.stdout.contains('\x1b'), "{told}");
        let info = folder.run("info --json b.ova").succeeds().json("info");
        assert!(info["descriptor"]["error"].is_string() && info["files"][1]["filename"] == "d.raw");
    }
    folder.put("b.ova", tar(&[("x.ovf", OVF.as_bytes()), ("y.ovf", OVF.as_bytes())]));
    folder.fails("info b.ova", &["b.ova", "two descriptors", "x.ovf", "y.ovf"]);
    folder.put("b.ova", tar(&[("x.ovf", OVF.as_bytes()), ("x.mf", &vec![b' '; (1 << 20) + 1])]));
    folder.fails("info b.ova", &["b.ova:x.mf", "1048577"]);
}

/// A descriptor names disks and is none: read as raw bytes it would make a disk of text.
#[test]
fn a_descriptor_is_no_disk() {
    let folder = Folder::new();
    folder.put("x.ovf", OVF);
    folder.fails("convert x.ovf out.raw", &["x.ovf", "OVF descriptor", "vimage info"]);
    folder.makes("convert -f raw x.ovf out.raw", &["out.raw"]);
}

/// A file that lies beside the package and is called as a member is written is none of the package.
#[test]
fn a_package_is_read_from_itself_alone() {
    let folder = appliance();
    let before = folder.run("verify a.ova");
    folder.put("a.ova:disk.vmdk", "# Disk DescriptorFile\nno more of it");
    let after = folder.run("verify a.ova");
    assert_eq!((after.stdout, after.stderr), (before.stdout, before.stderr));
    folder.run("unpack a.ova out -O raw -q").succeeds();
    folder.expect(&["out"]);
    assert!(folder.read("out/disk.raw") == folder.read("sparse.raw"));
}

/// A guest writes the first sectors of its disk as it likes.
#[test]
fn a_raw_disk_that_begins_as_a_tar_does_is_a_raw_disk() {
    let folder = Folder::with(&["one-sector"]);
    folder.makes("convert one-sector.raw in.vmdk -q", &["in.vmdk"]);
    let mut guest = tar(&[("in.vmdk", &folder.read("in.vmdk"))]);
    guest.resize(1 << 20, 0);
    folder.put("guest.raw", &guest);
    folder.put("guest", &guest);
    for name in ["guest.raw", "guest"] {
        let info = folder.run(&format!("info --json {name}")).succeeds().json("info");
        assert_eq!((&info["format"], &info["virtual-size"]), (&json!("raw"), &json!(1 << 20)), "{name}");
        folder.makes(&format!("convert {name} g2.raw -q"), &["g2.raw"]);
        assert!(folder.read("g2.raw") == guest, "{name}");
        folder.remove("g2.raw");
        // Who names the member means it.
        folder.same(&format!("{name}:in.vmdk"), "one-sector.raw");
    }
}

/// An OVF folder's descriptor, of a raw disk.
fn raw_disk(name: &str, capacity: usize) -> String {
    let text = OVF.replace("disk.vmdk", name).replace("67108864", &capacity.to_string());
    text.replace("http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized", "raw")
}

#[test]
fn a_disk_of_a_folder_is_no_package() {
    let folder = Folder::with(&["one-sector"]);
    let disk = tar(&[("in.raw", &folder.read("one-sector.raw"))]);
    folder.put("disk.tar", &disk);
    folder.put("web.ovf", raw_disk("disk.tar", disk.len()));
    folder.run("unpack web.ovf out -O raw -q").succeeds();
    folder.expect(&["out"]);
    assert!(folder.read("out/disk.raw") == disk);
}

#[test]
fn a_folder_may_keep_its_disk_in_chunks() {
    let folder = Folder::with(&["dense"]);
    let disk = folder.read("dense.raw");
    for (number, bytes) in disk.chunks(1 << 20).enumerate() {
        folder.put(&format!("d.raw.{number:09}"), bytes);
    }
    folder.put("web.ovf", raw_disk("d.raw", disk.len()));
    folder.run("unpack web.ovf out -O raw -q").succeeds();
    folder.expect(&["out"]);
    assert!(folder.read("out/d.raw") == disk);
}

#[test]
fn a_disk_that_is_not_all_there_is_not_converted() {
    let folder = Folder::with(&["one-sector"]);
    let (name, chunk) = (|number| format!("d.raw.{number:09}"), vec![1; 1 << 20]);
    let descriptor = raw_disk("d.raw", 4 << 20);
    let ovf = ("web.ovf", descriptor.as_bytes());
    folder.put("gap.ova", tar(&[ovf, (&name(0), &chunk), (&name(3), &chunk)]));
    folder.fails("digest gap.ova:d.raw", &["d.raw.000000001 is missing", "d.raw.000000003 is there"]);
    folder.fails("unpack gap.ova out -O raw", &["gap.ova"]);
    // And where it is only shorter than the descriptor says.
    folder.put("short.ova", tar(&[ovf, ("d.raw", &chunk)]));
    folder.fails("unpack short.ova out -O raw", &["short.ova:d.raw", "1048576", "4194304"]);
}
