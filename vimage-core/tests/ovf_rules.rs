//! Which descriptors importers stumble over: by changes of a well-made one, by the validator of the specification's schema,
//! and by the corpus of VMware's own tests.
//!
//! `VIMAGE_SCHEMA` names a folder with DSP8023 1.1.1 and what it imports; `VIMAGE_SAMPLES` one of descriptors.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;
#[path = "ovf/made.rs"]
mod made;
#[path = "ovf/samples.rs"]
mod samples;

use left_out::{left_out, say};
use made::{MADE, made_with};
use samples::{Sample, samples};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vimage_core::package::Finding;
use vimage_core::package::ovf::rules;

/// Whom a change is wrong for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wrong {
    /// The schema, and so the specification.
    Schema,
    /// The specification in ways that no schema tells.
    Broken,
    /// Some importer.
    Refused,
}
use Wrong::{Broken, Refused, Schema};

/// Changes of the well-made descriptor, and what is found of each.
#[rustfmt::skip]
const CHANGES: &[(Wrong, &str, &str, &str)] = &[
    (Schema, "<References>", "<Referenzen>", "there is no References"),
    (Schema, "xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" ", "", "it is in no namespace"),
    (Broken, "ovf:version=\"1.0\"", "ovf:version=\"1.3\"", "the version \"1.3\" is not one of the namespace"),
    (Schema, "<Info>Disks</Info>", "", "it has no Info"),
    (Schema, "<Info>A machine</Info>", "", "it has no Info"),
    (Schema, " ovf:id=\"tool\"", "", "it has no ovf:id"),
    (Schema, "</VirtualSystem>", "</VirtualSystem><VirtualSystem ovf:id=\"b\"><Info/></VirtualSystem>", "a second VirtualSystem"),
    (Schema, "<VirtualSystem ovf:id=\"tool\">\n    <Info>A machine</Info>", "<Strings xml:lang=\"de\"/><VirtualSystem ovf:id=\"tool\">\n    <Info>A machine</Info>", "VirtualSystem comes behind Strings"),
    (Broken, "<EulaSection>", "<NetworkSection><Info/></NetworkSection><EulaSection>", "a NetworkSection does not belong in VirtualSystem"),
    (Broken, "<EulaSection>", "<StartupSection><Info/></StartupSection><EulaSection>", "a StartupSection does not belong in VirtualSystem"),
    (Schema, "<EulaSection>", "<OurSection><Info/></OurSection><EulaSection>", "\"OurSection\" is no section of OVF"),
    (Schema, "<Network ovf:name", "<Netz/><Network ovf:name", "\"Netz\" is not known in a NetworkSection"),
    (Schema, "ovf:id=\"96\"", "ovf:id=\"Debian\"", "its ovf:id \"Debian\" is no number of CIM"),
    (Schema, " ovf:href=\"tool-disk1.vmdk\"", "", "it has no ovf:href"),
    (Broken, "<File ovf", "<File ovf:id=\"file1\" ovf:href=\"b.vmdk\"/><File ovf", "the identifier \"file1\" is that of line"),
    (Refused, "<File ovf", "<File ovf:id=\"b\" ovf:href=\"tool-disk1.vmdk\"/><File ovf", "the file \"tool-disk1.vmdk\" is that of line"),
    (Schema, "ovf:size=\"123456\"", "ovf:size=\"-2\"", "ovf:size is \"-2\""),
    (Broken, "ovf:href=\"", "ovf:href=\"../", "\"../tool-disk1.vmdk\" lies outside"),
    (Broken, "ovf:href=\"", "ovf:href=\"/etc/", "\"/etc/tool-disk1.vmdk\" lies outside"),
    (Broken, "ovf:href=\"", "ovf:href=\"file:///", "lies outside"),
    (Broken, "ovf:href=\"", "ovf:href=\"C:\\", "lies outside"),
    (Refused, "ovf:href=\"", "ovf:href=\"https://example.org/", "is not in the package"),
    (Refused, "ovf:href=\"", "ovf:href=\"disks/", "is in a folder"),
    (Refused, "tool-disk1.vmdk", "tool%20disk.vmdk", "has characters other than"),
    (Refused, "tool-disk1.vmdk", "disk", "has no ending"),
    (Refused, "ovf:size=", "ovf:compression=\"gzip\" ovf:size=", "it is compressed with gzip"),
    (Refused, "ovf:size=", "ovf:chunkSize=\"65536\" ovf:size=", "it is kept in pieces"),
    (Refused, "<File ovf", "<File ovf:id=\"b\" ovf:href=\"tool.nvram\"/><File ovf", "holds a machine's NVRAM"),
    (Schema, " ovf:diskId=\"disk2\"", "", "it has no ovf:diskId"),
    (Schema, "ovf:capacity=\"100\" ", "", "it has no ovf:capacity"),
    (Broken, "ovf:diskId=\"disk2\"", "ovf:diskId=\"disk1\"", "the identifier \"disk1\" is that of line"),
    (Broken, "ovf:fileRef=\"file1\"", "ovf:fileRef=\"file2\"", "no file has the identifier \"file2\""),
    (Broken, "ovf:diskId=\"disk2\"", "ovf:diskId=\"disk2\" ovf:parentRef=\"disk0\"", "no disk has the identifier \"disk0\""),
    (Broken, "ovf:diskId=\"disk2\"", "ovf:diskId=\"disk2\" ovf:parentRef=\"disk2\"", "go round in a circle"),
    (Broken, "ovf:capacity=\"100\"", "ovf:capacity=\"99999999999999\"", "is no number of bytes"),
    (Broken, "ovf:capacity=\"100\"", "ovf:capacity=\"many\"", "is no number of bytes"),
    (Broken, "byte * 2^30", "byte * two", "its unit of capacity \"byte * two\" is not known"),
    (Refused, "Units=\"byte * 2^20\" ovf:diskId", "Units=\"byte\" ovf:diskId", "its unit of capacity is \"byte\""),
    (Refused, "ovf:capacity=\"100\"", "ovf:capacity=\"${size}\"", "its capacity is a property's"),
    (Broken, "ovf:capacity=\"100\"", "ovf:capacity=\"${sise}\"", "which is not there"),
    (Refused, "vmdk.html#streamOptimized", "vmdk.html#", "does not say which kind"),
    (Refused, "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized", "http://example.org/qcow2", "its format is"),
    (Refused, " ovf:format=\"http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized\"/>", "/>", "it has no ovf:format"),
    (Schema, "<rasd:InstanceID>7</rasd:InstanceID>", "", "it has no InstanceID"),
    (Schema, "<rasd:ElementName>Video</rasd:ElementName>", "", "it has no ElementName"),
    (Broken, "<rasd:ResourceType>24</rasd:ResourceType>", "", "it has no ResourceType"),
    (Schema, "<rasd:InstanceID>7</rasd:InstanceID>", "<rasd:InstanceId>7</rasd:InstanceId>", "written InstanceId"),
    (Schema, "<rasd:VirtualQuantity>2048<", "<rasd:VirtualQuantity>two<", "its VirtualQuantity \"two\" is no number"),
    (Schema, "<rasd:ResourceType>24<", "<rasd:ResourceType>video<", "its ResourceType \"video\" is no number"),
    (Schema, "<rasd:ResourceType>24</rasd:ResourceType>", "<rasd:ResourceType>24</rasd:ResourceType><rasd:Caption>V</rasd:Caption>", "Caption comes behind ResourceType"),
    (Schema, "<rasd:ElementName>Video", "<rasd:Colour>1</rasd:Colour><rasd:ElementName>Video", "\"Colour\" is no setting of CIM"),
    (Broken, "<Item ovf:required=\"false\">", "<Item ovf:required=\"false\" ovf:configuration=\"big\">", "no Configuration has the identifier \"big\""),
    (Refused, "<rasd:AllocationUnits>byte * 2^20", "<rasd:AllocationUnits>byte * 2^30", "its unit is \"byte * 2^30\""),
    (Broken, "<rasd:AllocationUnits>byte * 2^20", "<rasd:AllocationUnits>pages", "its unit \"pages\" is not one of memory"),
    (Broken, "<rasd:VirtualQuantity>2048<", "<rasd:VirtualQuantity>18446744073709551615<", "its memory is over 2^64 bytes"),
    (Refused, "<rasd:VirtualQuantity>2<", "<rasd:VirtualQuantity>0<", "its VirtualQuantity is 0"),
    (Broken, "<rasd:InstanceID>7<", "<rasd:InstanceID>6<", "its InstanceID is that of line"),
    (Broken, "<rasd:Parent>3<", "<rasd:Parent>9<", "no item has the InstanceID \"9\""),
    (Refused, "<rasd:Parent>3<", "<rasd:Parent>2<", "which is of type 4, no controller"),
    (Broken, "ovf:/disk/disk2", "ovf:/disk/disk3", "there is no \"ovf:/disk/disk3\""),
    (Refused, "ovf:/disk/disk2", "/disk/disk2", "does not begin with \"ovf:/\""),
    (Broken, "<rasd:Connection>VM Network", "<rasd:Connection>bridged", "its network \"bridged\" is not in the NetworkSection"),
    (Refused, "<rasd:AddressOnParent>1</rasd:AddressOnParent>", "", "it has no AddressOnParent"),
    (Refused, "<rasd:AddressOnParent>1<", "<rasd:AddressOnParent>0<", "it is at the place \"0\" of \"3\""),
    (Refused, "vmx-11 vmx-13", "virtualbox-2.2", "none of VMware's"),
    (Refused, "vmx-11 vmx-13", "vmx-99", "its hardware is \"vmx-99\""),
    (Refused, "lsilogic</rasd:ResourceSubType>\n        <rasd:ResourceType>6<", "PIIX4</rasd:ResourceSubType>\n        <rasd:ResourceType>5<", "its ResourceSubType is PIIX4"),
    (Refused, "lsilogic</rasd:ResourceSubType>\n        <rasd:ResourceType>6<", "vmware.nvme.controller</rasd:ResourceSubType>\n        <rasd:ResourceType>20<", "a controller of the kind"),
    (Refused, "<rasd:ResourceType>24<", "<rasd:ResourceType>6<", "one SCSI controller more than 1"),
    (Refused, "<rasd:ResourceType>24<", "<rasd:ResourceType>4<", "a second item of memory"),
    (Refused, "<Item ovf:required=\"false\">", "<Item>", "a device of type 24 must not be left out"),
    (Refused, "<vmw:Config ovf:required=\"false\"", "<vmw:Config", "the setting \"firmware\" must not be left out"),
    (Refused, "vmw:key=\"firmware\"", "vmw:key=\"nvram\"", "it names a file of NVRAM"),
    (Broken, "ovf:key=\"size\"", "ovf:key=\"hostname\"", "its key is that of line"),
    (Broken, "ovf:key=\"size\"", "ovf:key=\"disk.size\"", "has a \".\" or \":\" in it"),
    (Schema, " ovf:type=\"uint32\"", "", "it has no ovf:type"),
    (Refused, "ovf:type=\"uint32\"", "ovf:type=\"color\"", "its type \"color\" is not one of OVF"),
];

fn found(text: &[u8]) -> Vec<Finding> {
    rules(text).unwrap()
}

/// The folder of schemas, where there is one and a validator.
fn schema(test: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("VIMAGE_SCHEMA").filter(|folder| !folder.is_empty()).map(PathBuf::from) else {
        left_out(test, "VIMAGE_SCHEMA names no folder");
        return None;
    };
    if Command::new("xmllint").arg("--version").output().is_err() {
        left_out(test, "xmllint is not installed");
        return None;
    }
    Some(folder)
}

/// What xmllint says of a document that the schema in `folder` refuses.
fn refusals(folder: &Path, text: &[u8]) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("a.ovf");
    fs::write(&file, text).unwrap();
    let mut xmllint = Command::new("xmllint");
    let schema = folder.join("dsp8023_1.1.1.xsd");
    let output = xmllint.args(["--nonet", "--noout", "--schema"]).arg(schema).arg(file).output().unwrap();
    // 3 and 4 are for documents, the others for schemas and for xmllint itself.
    assert!(matches!(output.status.code(), Some(0 | 1 | 3 | 4)), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<String> = said.lines().filter(|line| line.contains("error")).map(str::to_owned).collect();
    assert_eq!(errors.is_empty(), output.status.success());
    errors
}

#[test]
fn well_made_descriptors_have_no_findings() {
    assert_eq!(found(MADE.as_bytes()), []);
    let Some(folder) = schema("well-made") else { return };
    assert_eq!(refusals(&folder, MADE.as_bytes()), [""; 0]);
    let sample = fs::read(folder.join("sample.ovf")).unwrap();
    assert_eq!(refusals(&folder, &sample), [""; 0]);
    assert_eq!(found(&sample), []);
}

#[test]
fn one_change_is_found_and_told_by_its_line() {
    for (wrong, old, new, message) in CHANGES {
        let text = made_with(old, new)
            .replace("</References>", if *old == "<References>" { "</Referenzen>" } else { "</References>" });
        let list = found(text.as_bytes());
        let found = list.iter().find(|finding| finding.message.contains(message));
        let Some(found) = found else { panic!("{new}: {list:#?}") };
        // The spelling of 0.9 is wrong by the schema, and taken all the same.
        let lax = *message == "written InstanceId";
        assert_eq!(found.broken, *wrong != Refused && !lax, "{new}: {found:?}");
        assert!(found.place.contains("(line ") && !found.effect.is_empty(), "{found:?}");
        assert!(list.len() <= 4, "{new}: too much follows from one change: {list:#?}");
    }
}

#[test]
fn changes_are_as_wrong_as_the_schema_has_them() {
    let Some(folder) = schema("changes") else { return };
    for (wrong, old, new, _) in CHANGES.iter().filter(|(_, old, ..)| *old != "<References>") {
        let errors = refusals(&folder, made_with(old, new).as_bytes());
        assert_eq!(!errors.is_empty(), *wrong == Schema, "{new}: {errors:?}");
    }
}

/// What the schema refuses and importers take: sections and elements of other namespaces, and 0.9's spelling of InstanceID.
const EXTENSIONS: [&str; 9] = [
    "}InstanceId",
    "{http://www.vmware.com/",
    "{http://www.virtualbox.org/ovf/machine}",
    "{http://www.google.ns.com/knud}",
    "{http://schemas.dmtf.org/ovf/envelope/2}",
    // What says that it may be left out.
    "UserDefinedSectionToAllowExtensibility",
    "UnknownElement",
    // Nothing in a System that is there.
    "}System': Missing child element(s)",
    // Names with characters that no URI has.
    "of the atomic type 'xs:anyURI'",
];

#[test]
fn other_tools_descriptors_are_as_wrong_as_the_schema_has_them() {
    let Some(folder) = schema("samples by the schema") else { return };
    let (mut faults, mut valid, mut invalid) = (Vec::new(), 0, 0);
    for sample in samples("samples by the schema").iter().filter(|sample| sample.note("ns") == Some("1.x")) {
        let list = found(&sample.bytes);
        let errors = refusals(&folder, &sample.bytes);
        let strict = list.iter().find(|finding| finding.broken && finding.effect.contains("does not validate"));
        let meant = |error: &&String| !EXTENSIONS.iter().any(|known| error.contains(known));
        match (errors.is_empty(), strict) {
            (true, Some(finding)) => faults.push(format!("{}: valid, but {finding:?}", sample.name)),
            (true, None) => valid += 1,
            (false, _) => {
                invalid += 1;
                let missed = errors.iter().find(meant).filter(|_| !list.iter().any(|finding| finding.broken));
                faults.extend(missed.map(|error| format!("{}: nothing found, but {error}", sample.name)));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    say("samples by the schema", &format!("{valid} valid, {invalid} not"));
}

/// What nobody can tell from a descriptor, or what one class of the corpus has and another has too, with the reason.
const UNTOLD: [(&str, &str); 11] = [
    ("sunVHW-DiskTypes-invalid.ovf", "the disks' files are wrong"),
    ("DiskSection/Neg/invalid_createType_disk.ovf", "the disk's file is wrong"),
    ("DiskSection_1_0/Neg/invalid_createType_disk.ovf", "the disk's file is wrong"),
    ("Envelope/Neg/invalid_vmdk.ovf", "the disk's file is wrong"),
    ("Envelope_1_0/Neg/invalid_vmdk.ovf", "the disk's file is wrong"),
    ("HttpLocators/Neg/valid_no_disk.ovf", "the disk's file is not there"),
    ("Envelope/Neg/invalid_ref_size_null.ovf", "no length is said, which need not be"),
    ("Envelope_1_0/Neg/invalid_ref_size_null.ovf", "no length is said, which need not be"),
    ("Envelope/Neg/identity_compression.ovf", "the same as one of POS but for a prefix"),
    ("VirtualHardware/Neg/empty_system.ovf", "the same as one of POS but for a prefix"),
    ("ganeti-corrupted_resources.ovf.zst", "the disk's file is not there"),
];

/// With a prefix that is nowhere declared, and so no XML with namespaces.
const UNDECLARED: &str = "VirtualHardware_1_0/Pos/item_msgid.ovf";

/// What is wrong by the specification though its class is POS, with the reason.
fn is_known_wrong(sample: &Sample, finding: &Finding) -> bool {
    // All of the corpus has its disks in a folder elsewhere.
    finding.message.contains("lies outside of the package")
        // A length below zero stands for one that is not known.
        || sample.is_one_of(&["valid_vmdk_neg_size.ovf"]) && finding.message.contains("ovf:size is \"-2\"")
        // What VMware takes when it is told to be lax: VirtualBox's own order of settings.
        || sample.name.contains("/LaxMode/Pos/") && finding.message.contains(" comes behind ")
}

/// What is in most of the corpus, whatever its class, and says nothing about what is tested there.
const IN_ALL: [&str; 6] = [
    "lies outside of the package",
    "its unit of capacity is \"byte\"",
    "it is of version 0.9",
    "does not begin with \"ovf:/\"",
    "its number is written InstanceId",
    "it is a collection of machines",
];

#[test]
fn what_vmwares_tests_refuse_is_found_and_what_they_take_is_not() {
    let (mut faults, mut told, mut untold, mut taken) = (Vec::new(), 0, 0, 0);
    for sample in samples("VMware's tests") {
        let list = rules(&sample.bytes);
        if !sample.sound {
            let own = |finding: &&Finding| !IN_ALL.iter().any(|part| finding.message.contains(part));
            let found = list.as_ref().map_or(1, |list| list.iter().filter(own).count());
            match UNTOLD.iter().find(|(name, _)| sample.name.ends_with(name)) {
                None if found == 0 => faults.push(format!("{}: nothing was found", sample.name)),
                None => told += 1,
                Some(_) if found == 0 => untold += 1,
                Some((_, reason)) => faults.push(format!("{}: {list:?}, though {reason}", sample.name)),
            }
        } else if sample.class.ends_with("POS") && !sample.is_one_of(&[UNDECLARED]) {
            taken += 1;
            let list = list.unwrap();
            let wrong = list.iter().filter(|finding| finding.broken && !is_known_wrong(&sample, finding));
            faults.extend(wrong.map(|finding| format!("{}: {finding:?}", sample.name)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    say("VMware's tests", &format!("{told} wrong and found, {untold} for no reason that is in them, {taken} taken"));
}

#[test]
fn findings_end_somewhere() {
    let item = "<Item ovf:required=\"false\"><rasd:Colour>1</rasd:Colour></Item>";
    let text = made_with("<Item>", &format!("{}<Item>", item.repeat(30_000)));
    let list = found(text.as_bytes());
    assert_eq!(list.len(), 1000);
    assert!(list.iter().map(|finding| finding.message.len() + finding.place.len()).max() < Some(500));
}
