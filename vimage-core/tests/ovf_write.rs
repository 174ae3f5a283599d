//! Descriptors as they are written, looked at by readers of other projects: libxml2 with DMTF's schema, and Python's parser.
//!
//! `VIMAGE_SCHEMA` names the folder with `dsp8023_1.1.1.xsd` and what it imports. Without that, xmllint or Python the tests say
//! what they leave out.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod appliances;
#[path = "peers/left_out.rs"]
mod left_out;

use appliances::*;
use left_out::left_out;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use vimage_core::ErrorKind;
use vimage_core::package::appliance::{Appliance, Configuration, Controller, NetworkKind, NetworkModel};
use vimage_core::package::ovf::{Host, mac_address, read, write};

/// Names the folder of DMTF's schemas.
const SCHEMA: &str = "VIMAGE_SCHEMA";

/// What the descriptors that are looked at lie in, and their paths.
struct Written {
    folder: TempDir,
    paths: Vec<PathBuf>,
}

impl Written {
    fn new() -> Self {
        Written { folder: tempfile::tempdir().unwrap(), paths: Vec::new() }
    }

    fn add(&mut self, name: &str, text: &str) {
        let path = self.folder.path().join(format!("{name}.ovf"));
        std::fs::write(&path, text).unwrap();
        self.paths.push(path);
    }
}

fn ovf(appliance: &Appliance, host: Host) -> String {
    write(appliance, &packed(appliance), host).unwrap()
}

/// Every appliance for every host that has it, and which these are.
fn every() -> Vec<(String, String)> {
    let mut written = Vec::new();
    for (name, appliance) in all() {
        for host in HOSTS {
            match write(&appliance, &packed(&appliance), host) {
                Ok(text) => written.push((format!("{name}-{host:?}"), text)),
                Err(error) => assert_eq!((error.kind(), host != Host::Vmware), (ErrorKind::Usage, true), "{name}"),
            }
        }
    }
    written
}

/// Without VirtualBox's own element, for which DMTF's schema has no place.
fn without_machine(text: &str) -> String {
    match (text.split_once("<vbox:Machine "), text.split_once("</vbox:Machine>")) {
        (Some((before, _)), Some((_, after))) => format!("{before}{after}"),
        _ => text.to_owned(),
    }
}

/// What Python's parser finds in the descriptors at `paths`, all of which have to keep the rules.
fn facts(paths: &[PathBuf]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliances/descriptor.py");
    printed(Command::new("python3").arg(script).args(paths)).lines().map(str::to_owned).collect()
}

/// The facts of one descriptor that begin with one of `words`; none where there is no Python.
fn facts_of(test: &str, text: &str, words: &[&str]) -> Option<Vec<String>> {
    if !runs("python3") {
        left_out(test, "there is no python3");
        return None;
    }
    let mut written = Written::new();
    written.add("one", text);
    let mut facts = facts(&written.paths);
    facts.retain(|fact| words.contains(&fact.split('\t').next().unwrap()));
    Some(facts.iter().map(|fact| fact.replace('\t', " ")).collect())
}

#[test]
fn every_descriptor_is_valid_by_dmtf_s_schema() {
    let test = "every_descriptor_is_valid_by_dmtf_s_schema";
    let Some(schema) = std::env::var_os(SCHEMA).map(|folder| Path::new(&folder).join("dsp8023_1.1.1.xsd")) else {
        return left_out(test, &format!("{SCHEMA} is not set"));
    };
    if !runs("xmllint") {
        return left_out(test, "there is no xmllint");
    }
    let mut written = Written::new();
    every().iter().for_each(|(name, text)| written.add(name, &without_machine(text)));
    assert!(written.paths.len() > 50, "only {} descriptors", written.paths.len());
    let xmllint = || {
        let mut command = Command::new("xmllint");
        command.args(["--noout", "--nonet", "--schema"]).arg(&schema);
        command
    };
    printed(xmllint().args(&written.paths));

    // The schema is really asked: it refuses elements out of their order.
    let text = ovf(&with_disks(1, Controller::LsiLogic), Host::Any);
    written.add("swapped", &text.replace("rasd:Caption>", "rasd:Weight>"));
    assert!(!xmllint().arg(written.paths.last().unwrap()).output().unwrap().status.success());
}

#[test]
fn every_descriptor_keeps_the_rules_of_importers() {
    let test = "every_descriptor_keeps_the_rules_of_importers";
    if !runs("python3") {
        return left_out(test, "there is no python3");
    }
    let mut written = Written::new();
    every().iter().for_each(|(name, text)| written.add(name, text));
    let facts = facts(&written.paths);
    assert_eq!(facts.iter().filter(|fact| fact.starts_with("=\t")).count(), written.paths.len());
}

#[test]
fn disks_come_behind_their_controllers_in_the_units_of_importers() {
    let test = "disks_come_behind_their_controllers_in_the_units_of_importers";
    let text = ovf(&and_scratch(with_disks(2, Controller::Sata)), Host::Any);
    let Some(facts) = facts_of(test, &text, &["file", "disk", "item", "system"]) else { return };
    let expected = [
        "file demo-disk1.vmdk 2323968",
        "file demo-disk2.vmdk 2323968",
        "disk vmdisk1 demo-disk1.vmdk 104857600 7864320",
        "disk vmdisk2 demo-disk2.vmdk 104857600 7864320",
        "disk vmdisk3 - 3221225472",
        "system vmx-13",
        "item 3 count=1",
        "item 4 count=1024",
        "item 20 sub=vmware.sata.ahci",
        "item 6 sub=lsilogic",
        "item 17 on=20 at=0 disk=ovf:/disk/vmdisk1",
        "item 17 on=20 at=1 disk=ovf:/disk/vmdisk2",
        "item 17 on=6 at=0 disk=ovf:/disk/vmdisk3",
        "item 10 sub=E1000 net=VM Network",
    ];
    assert_eq!(facts, expected);
}

/// Importers compare it with the VMDK's own: it is never rounded.
#[test]
fn a_capacity_is_exact() {
    for (capacity, told) in [
        (1 << 20, "ovf:capacity=\"1\" ovf:capacityAllocationUnits=\"byte * 2^20\""),
        (5 << 40, "ovf:capacity=\"5242880\" ovf:capacityAllocationUnits=\"byte * 2^20\""),
        ((1 << 20) + 1024, "ovf:capacity=\"1025\" ovf:capacityAllocationUnits=\"byte * 2^10\""),
        (10_485_760 + 512, "ovf:capacity=\"20481\" ovf:capacityAllocationUnits=\"byte * 2^9\""),
    ] {
        let appliance = with_disks(1, Controller::LsiLogic);
        let mut disks = packed(&appliance);
        disks[0].capacity = capacity;
        let text = write(&appliance, &disks, Host::Any).unwrap();
        assert!(text.contains(told), "{capacity}: {text}");
    }
}

#[test]
fn cards_are_what_the_host_has() {
    let test = "cards_are_what_the_host_has";
    // In the order of the models: E1000, E1000e, vmxnet3, virtio, PCnet.
    for (host, expected) in [
        (Host::Any, ["E1000", "E1000", "E1000", "E1000", "PCNet32"]),
        (Host::Vmware, ["E1000", "E1000e", "VmxNet3", "E1000", "PCNet32"]),
        (Host::VirtualBox, ["E1000", "E1000", "E1000", "virtio", "PCNet32"]),
    ] {
        let Some(facts) = facts_of(test, &ovf(&every_card(), host), &["item"]) else { return };
        let cards: Vec<_> = facts.iter().filter_map(|fact| fact.strip_prefix("item 10 sub=")).collect();
        let cards: Vec<_> = cards.iter().map(|card| card.split(' ').next().unwrap()).collect();
        assert_eq!(cards, expected, "{host:?}");
    }
}

#[test]
fn networks_are_listed_once_and_named_as_the_host_takes_them() {
    let test = "networks_are_listed_once_and_named_as_the_host_takes_them";
    for (host, expected) in [
        (Host::Any, ["network Inside", "network Outside", "network Between"]),
        (Host::VirtualBox, ["network NAT", "network Bridged", "network HostOnly"]),
    ] {
        let Some(facts) = facts_of(test, &ovf(&networked(), host), &["network"]) else { return };
        assert_eq!(facts, expected);
    }
}

#[test]
fn firmware_is_a_setting_that_nobody_has_to_know() {
    let test = "firmware_is_a_setting_that_nobody_has_to_know";
    let bios = with_disks(1, Controller::LsiLogic);
    for (appliance, expected) in [
        (bios, vec!["Config firmware bios"]),
        (efi(false), vec!["Config firmware efi", "Config bootOptions.efiSecureBootEnabled false"]),
        (efi(true), vec!["Config firmware efi", "Config bootOptions.efiSecureBootEnabled true"]),
    ] {
        let Some(facts) = facts_of(test, &ovf(&appliance, Host::Any), &["Config"]) else { return };
        assert_eq!(facts, expected);
    }
}

#[test]
fn variants_have_items_of_their_own_but_for_virtualbox() {
    let test = "variants_have_items_of_their_own_but_for_virtualbox";
    let quantities = |host| {
        let facts = facts_of(test, &ovf(&with_configurations(), host), &["item"])?;
        Some(facts.into_iter().filter(|fact| fact.contains("count=")).collect::<Vec<_>>())
    };
    for host in [Host::Any, Host::Vmware] {
        let Some(found) = quantities(host) else { return };
        let expected = [
            "item 3 count=4 variants=middle",
            "item 3 count=2 variants=small",
            "item 3 count=8 variants=large wide",
            "item 4 count=2048 variants=middle small wide",
            "item 4 count=16384 variants=large",
        ];
        assert_eq!(found, expected);
    }
    assert_eq!(quantities(Host::VirtualBox).unwrap(), ["item 3 count=4", "item 4 count=2048"]);
}

#[test]
fn people_are_told_and_asked_everything() {
    let test = "people_are_told_and_asked_everything";
    let words = ["transport", "product", "property", "Product", "Category", "Annotation", "License", "FullVersion"];
    let Some(facts) = facts_of(test, &ovf(&with_properties(), Host::Any), &words) else { return };
    let odd = ODD.replace('\\', "\\\\");
    let mut expected = vec![
        "transport com.vmware.guestInfo iso".to_owned(),
        "product |".into(),
        format!("Product {odd}"),
        "FullVersion 1.0.0-3".into(),
    ];
    let plain = ["string", "boolean", "uint8", "uint16", "uint32", "uint64"];
    let more = ["sint8", "sint16", "sint32", "sint64", "real32", "real64"];
    for kind in plain.iter().chain(&more) {
        expected.push(format!("property key=of-{kind} type={kind} userConfigurable=true"));
    }
    expected.extend([
        "Category Network".to_owned(),
        format!(
            "property key=hostname qualifiers=MinLen(1) MaxLen(64) type=string userConfigurable=true value={odd} \
             Label=Name Description=two\\nlines"
        ),
        "property key=address type=string userConfigurable=true".into(),
        "Category Users".into(),
        "property key=secret password=true type=string userConfigurable=true".into(),
        "product org.example|1".into(),
        "property key=fixed type=string userConfigurable=false value=".into(),
        "Annotation two\\nlines\\n\\nIt needs at least 512 MiB of memory.".into(),
        "License first & last".into(),
        format!("License {odd}"),
    ]);
    assert_eq!(facts, expected);
}

#[test]
fn odd_texts_come_back_as_they_were() {
    let test = "odd_texts_come_back_as_they_were";
    let Some(facts) = facts_of(test, &ovf(&odd(), Host::Any), &["name", "network", "ExtraConfig"]) else { return };
    let odd = ODD.replace('\\', "\\\\");
    assert_eq!(facts, [format!("network {odd}"), format!("name {odd}"), format!("ExtraConfig guestinfo.odd {odd}")]);
}

/// Each has its drive; VirtualBox gives no properties to guests, so it has none.
#[test]
fn a_disc_of_properties_has_a_drive() {
    let test = "a_disc_of_properties_has_a_drive";
    let drive = |host| {
        let facts = facts_of(test, &ovf(&with_properties(), host), &["item"])?;
        Some(facts.into_iter().filter(|fact| fact.starts_with("item 5") || fact.starts_with("item 15")).collect())
    };
    let Some(found): Option<Vec<String>> = drive(Host::Vmware) else { return };
    assert_eq!(found, ["item 5", "item 15 sub=vmware.cdrom.remotepassthrough on=5 at=0 optional=false"]);
    assert!(drive(Host::VirtualBox).unwrap().is_empty());
}

/// VirtualBox alone has forwarded ports, in an element that DMTF's schema refuses and packer reads by line.
#[test]
fn virtualbox_s_own_element_is_for_virtualbox_alone() {
    let appliance = networked();
    for host in [Host::Any, Host::Vmware] {
        assert!(!ovf(&appliance, host).contains("vbox:Machine"));
    }
    let text = ovf(&appliance, Host::VirtualBox);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in [
        r#"<Adapter slot="0" enabled="true" MACAddress="080027000000" type="82540EM">"#,
        r#"<Adapter slot="1" enabled="true" MACAddress="080027000001" type="82540EM">"#,
        r#"<Forwarding name="ssh" proto="1" hostip="127.0.0.1" hostport="2222" guestport="22"/>"#,
        r#"<Forwarding name="dns" proto="0" hostport="5353" guestport="53"/>"#,
        r#"<Image uuid="{00000000-0000-0000-0000-000000000000}"/>"#,
    ] {
        assert!(lines.contains(&line), "{line}: {text}");
    }
    assert!(ovf(&efi(false), Host::VirtualBox).contains(r#"<Firmware type="EFI"/>"#));
    assert!(!text.contains("<Firmware"));
    assert_eq!(mac_address(&packed(&appliance), 0), "080027000000");
}

#[test]
fn what_virtualbox_refuses_is_refused_with_what_to_do() {
    let mut two = with_disks(1, Controller::LsiLogic);
    two.disks.extend(with_disks(1, Controller::Pvscsi).disks);
    let mut nine = with_disks(1, Controller::LsiLogic);
    nine.networks = vec![network("n", NetworkKind::Nat, NetworkModel::E1000); 9];
    let cases = [
        with_disks(16, Controller::LsiLogic),
        with_disks(31, Controller::Sata),
        with_disks(1, Controller::Nvme),
        two,
        nine,
    ];
    for appliance in cases {
        for host in [Host::Any, Host::VirtualBox] {
            let error = write(&appliance, &packed(&appliance), host).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.hint().is_some());
        }
        assert!(write(&appliance, &packed(&appliance), Host::Vmware).is_ok());
    }
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let appliance = with_disks(1, Controller::LsiLogic);
    let kind = |appliance: &Appliance, disks: &[_]| write(appliance, disks, Host::Any).unwrap_err().kind();
    assert_eq!(kind(&appliance, &[]), ErrorKind::Usage);
    let mut half = packed(&appliance);
    half[0].capacity += 1;
    assert_eq!(kind(&appliance, &half), ErrorKind::Usage);
    for name in ["a b.vmdk", "../a.vmdk", "ü.vmdk", "a", ""] {
        let mut named = packed(&appliance);
        named[0].file = Some((name.into(), 1));
        assert_eq!(kind(&appliance, &named), ErrorKind::Usage, "{name}");
    }
    let bell = Appliance { name: "a\u{7}".into(), ..appliance };
    assert_eq!(kind(&bell, &packed(&bell)), ErrorKind::Usage);
}

#[test]
fn dissect_finds_the_disks_of_every_descriptor() {
    let test = "dissect_finds_the_disks_of_every_descriptor";
    let Some(python) = std::env::var_os("VIMAGE_PYTHON") else { return left_out(test, "VIMAGE_PYTHON is not set") };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliances/dissect_hypervisor.py");
    // It knows no empty disks.
    let full = |appliance: &Appliance| packed(appliance).iter().all(|disk| disk.file.is_some());
    for (name, appliance) in all().iter().filter(|(_, appliance)| full(appliance)) {
        let mut written = Written::new();
        written.add(name, &ovf(appliance, Host::Vmware));
        let found = printed(Command::new(&python).arg(&script).arg("ovf").args(&written.paths));
        let expected: Vec<_> = (1..=appliance.disks.len()).map(|number| format!("demo-disk{number}.vmdk")).collect();
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let of = |variants: usize| {
        let variant = |number| Configuration {
            id: format!("v{number}"),
            label: "Variant".into(),
            description: "One of many.".into(),
            cpus: None,
            memory: None,
        };
        Appliance { configurations: (0..variants).map(variant).collect(), ..Appliance::new("many") }
    };
    // Each is three elements, and a reader takes 100 000.
    let text = ovf(&of(30_000), Host::Any);
    assert_eq!(read(text.as_bytes()).unwrap().configurations.len(), 30_000);
    let error = write(&of(40_000), &[], Host::Any).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.message().contains("more than 100000 elements"), "{error}");
}
