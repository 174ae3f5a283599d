//! The other files that describe a machine, looked at by tools of other projects: libvirt's schema and parser, Python, Ruby and
//! dissect.hypervisor. A test whose tool is missing says so.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod appliances;
#[path = "peers/left_out.rs"]
mod left_out;

use appliances::*;
use left_out::{left_out, say};
use std::path::{Path, PathBuf};
use std::process::Command;
use vimage_core::ErrorKind;
use vimage_core::package::appliance::{Appliance, Controller};
use vimage_core::package::guests::GUESTS;
use vimage_core::package::ovf::mac_address;
use vimage_core::package::vagrant::{Provider, metadata, vagrantfile};
use vimage_core::package::{libvirt, vmx};

const PROVIDERS: [Provider; 3] = [Provider::VirtualBox, Provider::Libvirt, Provider::VmwareDesktop];

/// The files of as many disks as `appliance` has.
fn files(appliance: &Appliance, ending: &str) -> Vec<String> {
    (1..=appliance.disks.len()).map(|number| format!("demo-disk{number}.{ending}")).collect()
}

fn domain(appliance: &Appliance) -> String {
    libvirt::write(appliance, &files(appliance, "qcow2"), libvirt::FOLDER).unwrap()
}

/// Appliances, and one with Windows as its guest.
fn with_windows() -> Vec<(String, Appliance)> {
    let mut all = all();
    if let Some(guest) = GUESTS.iter().find(|guest| guest.virtualbox.starts_with("Windows")) {
        all.push(("windows".into(), Appliance { guest, ..with_disks(2, Controller::LsiLogic) }));
    }
    all
}

/// The one line of `text` that begins with `start`, without that.
fn line<'a>(text: &'a str, start: &str) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(start));
    let line = lines.next().unwrap_or_else(|| panic!("no {start} in {text}"));
    assert_eq!(lines.next(), None, "{start} twice in {text}");
    line
}

#[test]
fn every_domain_is_valid_by_libvirt_s_schema() {
    let test = "every_domain_is_valid_by_libvirt_s_schema";
    if !runs("virt-xml-validate") {
        return left_out(test, "there is no virt-xml-validate");
    }
    let folder = tempfile::tempdir().unwrap();
    let validate = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Command::new("virt-xml-validate").arg(path).arg("domain").output().unwrap().status.success()
    };
    for (name, appliance) in with_windows() {
        let text = domain(&appliance);
        assert!(validate(&name, &text), "{name}: {text}");
    }
    // The schema is really asked.
    let text = domain(&with_disks(1, Controller::LsiLogic));
    assert!(!validate("relative", &text.replace("file=\"/", "file=\"")));
}

/// The schema does not know which values go together: libvirt's own parser does.
#[test]
fn every_domain_is_defined_by_libvirt() {
    let test = "every_domain_is_defined_by_libvirt";
    if !runs("virsh") {
        return left_out(test, "there is no virsh");
    }
    let folder = tempfile::tempdir().unwrap();
    let define = |appliance: &Appliance| {
        let path = folder.path().join("domain.xml");
        std::fs::write(&path, domain(appliance)).unwrap();
        let commands = format!("define {}; dumpxml {}", path.display(), appliance.stem().unwrap());
        // A host that is made of nothing but libvirt's own state, and is gone with the command.
        let mut virsh = Command::new("virsh");
        virsh.env("HOME", folder.path()).args(["-c", "test:///default", &commands]).output().unwrap()
    };
    for (name, mut appliance) in with_windows() {
        let mut output = define(&appliance);
        // libvirt 9.0.0 as Debian 12 has it does not know this word of its own schema.
        if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("'backend': 'passt'") {
            say(test, &format!("{name}: this libvirt has no passt: looked at without forwarded ports"));
            appliance.networks.iter_mut().for_each(|network| network.forwards.clear());
            output = define(&appliance);
        }
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let defined = String::from_utf8(output.stdout).unwrap();
        assert_eq!(defined.matches("<driver name='qemu' type='qcow2'").count(), appliance.disks.len(), "{defined}");
        assert_eq!(defined.matches("<interface type=").count(), appliance.networks.len(), "{defined}");
    }
}

#[test]
fn a_domain_has_what_the_appliance_asks_for() {
    let text = domain(&and_scratch(with_disks(2, Controller::Sata)));
    let starts = ["<source file=", "<target dev="];
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| starts.iter().any(|s| line.starts_with(s))).collect();
    let expected = [
        r#"<source file="/var/lib/libvirt/images/demo-disk1.qcow2"/>"#,
        r#"<target dev="sda" bus="sata"/>"#,
        r#"<source file="/var/lib/libvirt/images/demo-disk2.qcow2"/>"#,
        r#"<target dev="sdb" bus="sata"/>"#,
        r#"<source file="/var/lib/libvirt/images/demo-disk3.qcow2"/>"#,
        r#"<target dev="vda" bus="virtio"/>"#,
    ];
    assert_eq!(lines, expected);

    let text = domain(&with_configurations());
    assert_eq!(line(&text, "<vcpu>"), "4</vcpu>");
    assert_eq!(line(&text, "<memory unit=\"MiB\">"), "2048</memory>");

    for secure in [false, true] {
        let text = domain(&efi(secure));
        assert_eq!(line(&text, "<os"), " firmware=\"efi\">");
        assert_eq!(text.contains("<smm state=\"on\"/>"), secure);
    }

    let text = domain(&networked());
    for part in [
        r#"<interface type="user">"#,
        r#"<backend type="passt"/>"#,
        r#"<portForward proto="tcp" address="127.0.0.1">"#,
        r#"<range start="2222" to="22"/>"#,
        r#"<portForward proto="udp">"#,
        r#"<range start="5353" to="53"/>"#,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_domain_without_a_whole_path_is_refused() {
    let appliance = with_disks(1, Controller::LsiLogic);
    let files = files(&appliance, "qcow2");
    assert_eq!(libvirt::write(&appliance, &files, "images").unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(libvirt::write(&appliance, &[], "/images").unwrap_err().kind(), ErrorKind::Usage);
}

fn machine(appliance: &Appliance) -> String {
    vmx::write(appliance, &files(appliance, "vmdk")).unwrap()
}

#[test]
fn a_vmx_has_every_line_that_powers_it_on() {
    let mut appliance = Appliance { cpus: 8, cores_per_socket: Some(4), memory: 1022 << 20, ..efi(true) };
    appliance.disks.extend(with_disks(9, Controller::LsiSas).disks);
    appliance.extra = vec![("guestinfo.role".into(), "a|b\"c\nd#\té\u{85}".into()), ("NumVCPUs".into(), "2".into())];
    let text = machine(&appliance);
    for (key, value) in [
        (".encoding", "UTF-8"),
        ("config.version", "8"),
        ("virtualHW.version", "13"),
        ("displayName", "demo"),
        ("guestOS", "other-64"),
        ("firmware", "efi"),
        ("uefi.secureBoot.enabled", "TRUE"),
        // Another of the same key takes its place: there are no two.
        ("numvcpus", "2"),
        ("cpuid.coresPerSocket", "4"),
        ("memsize", "1024"),
        ("pciBridge7.virtualDev", "pcieRootPort"),
        ("sata0.present", "TRUE"),
        ("sata0:0.present", "TRUE"),
        ("sata0:0.fileName", "demo-disk1.vmdk"),
        ("scsi0.virtualDev", "lsisas1068"),
        ("scsi0:6.fileName", "demo-disk8.vmdk"),
        ("scsi0:8.fileName", "demo-disk9.vmdk"),
        ("ethernet0.connectionType", "nat"),
        ("ethernet0.virtualDev", "e1000"),
        // By the table of open-vm-tools' lib/dict: bars, quotes and control characters but tabs are numbers. It is one of bytes and knows
        // none beyond ASCII; but other readers take U+0085 for the end of a line.
        ("guestinfo.role", "a|7Cb|22c|0Ad#\té|C2|85"),
    ] {
        assert_eq!(line(&text, &format!("{key} = ")), format!("\"{value}\""));
    }
    // VMware makes these itself, and asks for what it does not find.
    assert!(!text.contains("uuid.bios") && !text.contains("nvram"));
}

#[test]
fn every_vmx_is_read_by_dissect_with_its_disks() {
    let test = "every_vmx_is_read_by_dissect_with_its_disks";
    let Some(python) = std::env::var_os("VIMAGE_PYTHON") else { return left_out(test, "VIMAGE_PYTHON is not set") };
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliances/dissect_hypervisor.py");
    let folder = tempfile::tempdir().unwrap();
    for (name, appliance) in all() {
        let path = folder.path().join(name);
        std::fs::write(&path, machine(&appliance)).unwrap();
        let printed = printed(Command::new(&python).arg(&script).arg("vmx").arg(path));
        let mut disks: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix("disk\t")).collect();
        let mut expected = files(&appliance, "vmdk");
        disks.sort_unstable();
        expected.sort_unstable();
        assert_eq!(disks, expected);
        let ascii: String = appliance.name.chars().filter(char::is_ascii).collect();
        if ascii == appliance.name {
            assert_eq!(line(&printed, "displayname\t"), format!("'{ascii}'"));
        } else {
            let written = "'a & <b> \"c\" \\'d\\' |e| \\\\f #{g} $h \\xfc \\u865a\\u62df\\u673a \\U0001f600'";
            assert_eq!(line(&printed, "guestinfo.odd\t"), written);
        }
    }
}

#[test]
fn a_key_that_would_break_the_vmx_is_refused() {
    for key in ["", "a b", "a = \"b\"\nc", "a#", "é"] {
        let mut appliance = with_disks(1, Controller::LsiLogic);
        appliance.extra = vec![(key.into(), "x".into())];
        let error = vmx::write(&appliance, &files(&appliance, "vmdk")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{key:?}");
    }
}

/// What Python's `json` makes of a metadata file.
fn json(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.json");
    std::fs::write(&path, text).unwrap();
    printed(Command::new("python3").args(["-m", "json.tool", "--compact", "--sort-keys"]).arg(path)).trim().to_owned()
}

#[test]
fn metadata_is_json_that_vagrant_takes() {
    let test = "metadata_is_json_that_vagrant_takes";
    if !runs("python3") {
        return left_out(test, "there is no python3");
    }
    const GIB: u64 = 1 << 30;
    let several = r#"{"architecture":"amd64","disks":[{"format":"qcow2","path":"box_0.img"},{"format":"qcow2","path":"box_1.img"}],"provider":"libvirt"}"#;
    for (provider, capacities, expected) in [
        (Provider::VirtualBox, vec![GIB, GIB], r#"{"architecture":"amd64","provider":"virtualbox"}"#),
        (Provider::VmwareDesktop, vec![GIB], r#"{"architecture":"amd64","provider":"vmware_desktop"}"#),
        (Provider::Libvirt, vec![GIB, GIB], several),
    ] {
        assert_eq!(json(&metadata(provider, &capacities).unwrap()), expected);
    }
    // A number, whole, and never smaller than the disk.
    for (capacity, size) in [(1, 1), (GIB, 1), (GIB + 512, 2), (10 * GIB, 10)] {
        let found = json(&metadata(Provider::Libvirt, &[capacity]).unwrap());
        let expected =
            format!(r#"{{"architecture":"amd64","format":"qcow2","provider":"libvirt","virtual_size":{size}}}"#);
        assert_eq!(found, expected);
    }
    assert_eq!(metadata(Provider::Libvirt, &[]).unwrap_err().kind(), ErrorKind::Usage);
}

/// A box of nothing but what is written here, and of images that nobody looks into, is added, and listed for its provider.
#[test]
fn vagrant_adds_boxes_of_every_provider() {
    let test = "vagrant_adds_boxes_of_every_provider";
    if !runs("vagrant") || !runs("tar") {
        return left_out(test, "there is no vagrant, or no tar");
    }
    let folder = tempfile::tempdir().unwrap();
    let vagrant = || {
        let mut vagrant = Command::new("vagrant");
        vagrant.env("VAGRANT_HOME", folder.path().join("home")).current_dir(folder.path()).arg("box");
        vagrant.env("VAGRANT_CHECKPOINT_DISABLE", "1");
        vagrant
    };
    let appliance = networked();
    let disks = packed(&appliance);
    for provider in PROVIDERS {
        let images = provider.images(1).unwrap_or_default();
        let metadata = metadata(provider, &[disks[0].capacity]).unwrap();
        let mut files = vec![("metadata.json", metadata), ("Vagrantfile", vagrantfile(&appliance, provider, &disks))];
        files.extend(images.iter().map(|image| (image.as_str(), String::new())));
        for (name, text) in &files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut tar = Command::new("tar");
        printed(tar.current_dir(folder.path()).arg("-cf").arg("made.box").args(files.iter().map(|file| file.0)));
        printed(vagrant().args(["add", "--name", provider.name(), "made.box"]));
    }
    let listed = printed(vagrant().arg("list"));
    for provider in PROVIDERS {
        let name = provider.name();
        // Versions of 2.4 and later tell the architecture too.
        assert!(listed.lines().any(|line| line.starts_with(name) && line.contains(&format!("({name}, 0"))), "{listed}");
    }
}

/// What Ruby makes of a Vagrantfile.
fn settings(text: &str) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliances/vagrantfile.rb");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Vagrantfile");
    std::fs::write(&path, text).unwrap();
    printed(Command::new("ruby").args(["-w", "-E", "UTF-8"]).arg(script).arg(path)).lines().map(str::to_owned).collect()
}

#[test]
fn a_vagrantfile_sets_what_a_project_need_not() {
    let test = "a_vagrantfile_sets_what_a_project_need_not";
    if !runs("ruby") {
        return left_out(test, "there is no ruby");
    }
    let mut appliance = networked();
    appliance.networks[0].forwards[2].name = "a#{1}'b\\".into();
    let disks = packed(&appliance);
    let ports = [
        r#"config.vm.network "forwarded_port" guest=22 host=2222 host_ip="127.0.0.1" protocol="tcp" id="ssh" auto_correct=true"#,
        r#"config.vm.network "forwarded_port" guest=53 host=5353 protocol="udp" id="dns" auto_correct=true"#,
        r##"config.vm.network "forwarded_port" guest=80 host=8080 protocol="tcp" id="a\#{1}'b\\" auto_correct=true"##,
    ];
    assert_eq!(settings(&vagrantfile(&appliance, Provider::VmwareDesktop, &disks)), ports);

    let found = settings(&vagrantfile(&appliance, Provider::VirtualBox, &disks));
    assert_eq!(found[0], format!("config.vm.base_mac= {:?}", mac_address(&disks, 0)));
    assert_eq!(found[1..], ports);

    let found = settings(&vagrantfile(&efi(false), Provider::Libvirt, &disks));
    let expected =
        ["config.vm.provider :libvirt", "provider.memory= 1024", "provider.cpus= 1", "provider.disk_bus= \"sata\""];
    assert_eq!(found, expected);

    for (_, appliance) in all() {
        PROVIDERS.iter().for_each(|&provider| drop(settings(&vagrantfile(&appliance, provider, &packed(&appliance)))));
    }
}
