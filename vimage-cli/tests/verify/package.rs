//! Packages laid by hand, each of its parts to be changed: they share no code with the library.

use super::support::VIMAGE;
use std::fs;
use std::process::Command;

/// Where disks of this kind are specified, and the kind.
const STREAM: &str = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";

/// A member of an archive.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// The type that its header says.
    pub(crate) kind: u8,
}

impl Entry {
    pub(crate) fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Entry { name: name.into(), bytes: bytes.as_ref().to_vec(), kind: b'0' }
    }
}

/// A package in the making.
pub(crate) struct Package {
    pub(crate) entries: Vec<Entry>,
    /// What the archive ends with.
    pub(crate) end: Vec<u8>,
}

impl Package {
    /// One with a disk of 4 MiB, complete and as every importer takes it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk: Vec<u8> = (0..4_u32 << 20).map(|at| if at % 65_536 < 9000 { (at % 251) as u8 } else { 0 }).collect();
        fs::write(folder.path().join("disk.raw"), disk).unwrap();
        let words = "convert -q -t unsafe disk.raw disk.vmdk -c".split(' ');
        assert!(Command::new(VIMAGE).args(words).current_dir(folder.path()).status().unwrap().success());
        let disk = fs::read(folder.path().join("disk.vmdk")).unwrap();
        let descriptor = descriptor(disk.len() as u64, 4);
        let entries = vec![Entry::new("a.ovf", descriptor), Entry::new("a.mf", ""), Entry::new("a-disk1.vmdk", disk)];
        let mut package = Package { entries, end: vec![0; 1024] };
        package.seal("SHA256");
        package
    }

    pub(crate) fn entry(&mut self, name: &str) -> &mut Entry {
        self.entries.iter_mut().find(|entry| entry.name == name).unwrap()
    }

    /// Changes the text of a member.
    pub(crate) fn edit(&mut self, name: &str, from: &str, to: &str) {
        let entry = self.entry(name);
        let text = String::from_utf8(entry.bytes.clone()).unwrap();
        assert!(text.contains(from), "no {from:?} in {text}");
        entry.bytes = text.replace(from, to).into_bytes();
    }

    /// Makes the manifest right again: with the digests that coreutils make of every other file.
    pub(crate) fn seal(&mut self, word: &str) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let tool = format!("{}sum", word.to_lowercase());
        let lines = self.entries.iter().filter(|entry| !entry.name.ends_with(".mf") && !entry.name.ends_with(".cert"));
        let lines = lines.map(|entry| {
            fs::write(&file, &entry.bytes).unwrap();
            let output = Command::new(&tool).arg(&file).output().unwrap().stdout;
            let digest = String::from_utf8(output).unwrap();
            format!("{word}({})= {}\n", entry.name, digest.split_whitespace().next().unwrap())
        });
        let text: String = lines.collect();
        self.entry("a.mf").bytes = text.into_bytes();
    }

    /// The archive: ustar, with nothing of the machine in it.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            bytes.extend(header(&entry.name, entry.bytes.len(), entry.kind));
            bytes.extend(&entry.bytes);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.extend(&self.end);
        bytes
    }
}

/// POSIX.1-1988, ustar: name, mode, owner, length, time, sum, type, magic.
fn header(name: &str, size: usize, kind: u8) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(257, "ustar\x0000");
    block[156] = kind;
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A descriptor of a machine with one disk: its file is `size` bytes long, and the disk has `mebibytes`.
fn descriptor(size: u64, mebibytes: u64) -> String {
    let schema = "http://schemas.dmtf.org";
    let item = |number: u32, kind: u32, name: &str, rest: [&str; 3]| {
        let [front, middle, back] = rest;
        format!(
            "<Item>{front}<rasd:ElementName>{name}</rasd:ElementName>{middle}<rasd:InstanceID>{number}</rasd:InstanceID>{back}\
             <rasd:ResourceType>{kind}</rasd:ResourceType>"
        )
    };
    let quantity = |number: u32| format!("<rasd:VirtualQuantity>{number}</rasd:VirtualQuantity></Item>\n");
    let items = [
        item(1, 3, "cpu", ["<rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits>", "", ""]) + &quantity(1),
        item(2, 4, "memory", ["<rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>", "", ""]) + &quantity(512),
        item(3, 6, "scsi", ["<rasd:Address>0</rasd:Address>", "", ""])
            .replace("<rasd:ResourceType>", "<rasd:ResourceSubType>lsilogic</rasd:ResourceSubType><rasd:ResourceType>")
            + "</Item>\n",
        item(
            4,
            17,
            "disk",
            [
                "<rasd:AddressOnParent>0</rasd:AddressOnParent>",
                "<rasd:HostResource>ovf:/disk/disk1</rasd:HostResource>",
                "<rasd:Parent>3</rasd:Parent>",
            ],
        ) + "</Item>\n",
    ];
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="{schema}/ovf/envelope/1" xmlns:ovf="{schema}/ovf/envelope/1" ovf:version="1.0" xml:lang="en-US"
 xmlns:rasd="{schema}/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vssd="{schema}/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
<References><File ovf:id="file1" ovf:href="a-disk1.vmdk" ovf:size="{size}"/></References>
<DiskSection><Info>disks</Info><Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="{mebibytes}"
 ovf:capacityAllocationUnits="byte * 2^20" ovf:format="{STREAM}"/></DiskSection>
<VirtualSystem ovf:id="a"><Info>machine</Info><Name>a</Name>
<OperatingSystemSection ovf:id="102"><Info>guest</Info></OperatingSystemSection>
<VirtualHardwareSection><Info>hardware</Info>
<System><vssd:ElementName>hardware</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
<vssd:VirtualSystemIdentifier>a</vssd:VirtualSystemIdentifier><vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType></System>
{}</VirtualHardwareSection></VirtualSystem></Envelope>
"#,
        items.concat()
    )
}
