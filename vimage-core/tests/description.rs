//! Descriptions of appliances: what is read, what is refused and how, the first one for a disk, and the reference of the keys.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "description/broken.rs"]
mod broken;

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use vimage_core::package::appliance::{
    Appliance, Controller, DiskImage, Firmware, Forward, NetworkKind, NetworkModel, Role, Transport,
};
use vimage_core::package::description::{Facts, read, template};
use vimage_core::package::guests::{self, GUESTS};
use vimage_core::{Error, ErrorKind};

/// The shortest description: three lines.
const SHORTEST: &str = "name = \"m\"\n[[disk]]\nimage = \"d.qcow2\"\n";

/// The reference of the keys.
const REFERENCE: &str = include_str!("../../docs/appliance.md");

/// The files that descriptions here name.
fn load(path: &Path) -> Result<Vec<u8>, Error> {
    Ok(match path.to_str().unwrap() {
        "vm/latin1.txt" => vec![b'a', 0xE9],
        "vm/bell.txt" => b"a\nb\x07".to_vec(),
        "vm/empty.txt" => b"\n".to_vec(),
        "vm/paged.txt" => b"\xEF\xBB\xBFone\n\x0Ctwo\n".to_vec(),
        path => path.as_bytes().to_vec(),
    })
}

fn described(text: &str) -> Result<Appliance, Error> {
    read(text, Path::new("vm/appliance.toml"), &mut load)
}

/// What is said of a description, without the file's name.
fn fault(text: &str) -> String {
    let error = described(text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
    assert_eq!(error.path(), Some(Path::new("vm/appliance.toml")), "{text}");
    error.message().to_owned()
}

/// The block of the reference that is a whole description.
fn example() -> &'static str {
    REFERENCE.split("```toml\n").nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn every_fault_is_told_with_its_line_and_key() {
    let below = |table: &str| format!("{SHORTEST}{table}\n");
    for (front, behind, all) in [
        (String::new(), "", broken::WHOLE),
        ("name = \"m\"\n".into(), "\n[[disk]]\nimage = \"d.qcow2\"\n", broken::FRONT),
        (below("[system]"), "\n", broken::SYSTEM),
        (below("[[disk]]"), "\n", broken::DISK),
        (below("[[network]]"), "\n", broken::NETWORK),
        (below("[[network]]\n[[network.forward]]"), "\n", broken::FORWARD),
        (below("[[property]]"), "\n", broken::PROPERTY),
        (below("[[configuration]]"), "\n", broken::CONFIGURATION),
        (SHORTEST.into(), "\n", broken::MORE),
    ] {
        for (text, message) in all {
            assert_eq!(fault(&[&front, *text, behind].concat()), *message, "{text}");
        }
    }
}

#[test]
fn errors_name_the_file_and_say_what_to_do() {
    let error = described("name = \"m\"\n[[disk]]\nimage = \"d\"\ncontroler = \"sata\"\n").unwrap_err();
    let message = "vm/appliance.toml: line 4: disk.controler: there is no such key \
                   (image, format, snapshot, role, size, controller)";
    assert_eq!(error.to_string(), message);
    for (text, hint) in [
        ("[[disk]]\nimage = \"d\"\ncontroler = \"sata\"\n", "the nearest: controller"),
        ("[system]\nos = \"debian-12\"\n", "the nearest: debian12-64, debian10-64, debian11-64"),
        ("[system]\nos = \"windows2022-64\"\n", "the nearest: windows-server2022-64"),
        ("[system]\nos = \"plan9\"\n", "docs/appliance.md lists"),
        ("[system]\nmemory = \"1001M\"\n", "1000M and 1004M are"),
        ("[disk]\n", "[[disk]]"),
        ("eula = \"EULA.txt\"\n", "in brackets"),
        ("[[disk]]\nimage = \"d\"\n[[property]]\nkey = \"guestinfo.x\"\n", "class = \"guestinfo\""),
    ] {
        let error = described(&format!("name = \"m\"\n{text}")).unwrap_err();
        assert!(error.hint().unwrap().contains(hint), "{text}: {:?}", error.hint());
    }
}

#[test]
fn the_shortest_description_is_a_machine_with_defaults() {
    let appliance = described(SHORTEST).unwrap();
    assert_eq!(appliance, Appliance::new("m").with_image("vm/d.qcow2"));
    assert_eq!((appliance.cpus, appliance.memory, appliance.hardware), (1, 1 << 30, 13));
    assert_eq!(appliance.guest, guests::other());
}

#[test]
fn the_example_of_the_reference_is_read_as_it_says() {
    let appliance = described(example()).unwrap();
    assert_eq!(appliance.name, "Example Server 1.4");
    assert!(appliance.annotation.unwrap().starts_with("The server of the example.\n"));
    assert_eq!(appliance.eulas, ["vm/EULA.txt"]);
    assert_eq!(appliance.readme.unwrap().name, "README.md");
    assert_eq!(appliance.product.full_version.as_deref(), Some("1.4.2-77"));
    assert_eq!(appliance.product.app_url.as_deref(), Some("https://${guestinfo.address}/"));
    assert_eq!(appliance.guest.name, "Debian 12 (64-bit)");
    assert_eq!((appliance.cpus, appliance.cores_per_socket), (2, Some(2)));
    assert_eq!((appliance.memory, appliance.minimum_memory), (4 << 30, Some(2 << 30)));
    assert_eq!(appliance.firmware, Firmware::Efi { secure_boot: true });
    let image = DiskImage {
        path: PathBuf::from("vm/server.qcow2"),
        format: Some("qcow2".into()),
        snapshot: Some("release".into()),
    };
    assert_eq!(appliance.disks[0].image, Some(image));
    assert_eq!(
        appliance.disks.iter().map(|disk| disk.role).collect::<Vec<_>>(),
        [Role::System, Role::Data, Role::Scratch]
    );
    assert_eq!((appliance.disks[2].size, appliance.disks[2].controller), (Some(100 << 30), Controller::Pvscsi));
    let [front, storage] = appliance.networks.as_slice() else { panic!("{:?}", appliance.networks) };
    assert_eq!((front.kind, front.model), (NetworkKind::Nat, NetworkModel::Vmxnet3));
    let forward =
        Forward { name: "https".into(), udp: false, host_address: Some([127, 0, 0, 1].into()), host: 8443, guest: 443 };
    assert_eq!(front.forwards, [forward]);
    assert_eq!((storage.name.as_str(), storage.kind), ("Storage", NetworkKind::HostOnly));
    assert_eq!(appliance.transport, [Transport::GuestInfo, Transport::Iso]);
    let defaults: Vec<_> = appliance.properties.iter().map(|one| (one.key.as_str(), one.default.as_deref())).collect();
    let expected =
        [("hostname", Some("server")), ("password", None), ("workers", Some("4")), ("edition", Some("standard"))];
    assert_eq!(defaults, expected);
    assert_eq!(
        appliance.properties.iter().map(|one| one.user_configurable).collect::<Vec<_>>(),
        [true, true, true, false]
    );
    // The default is in front, wherever it was written.
    assert_eq!(appliance.configurations.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["large", "small"]);
    let extra = [("disk.EnableUUID", "true"), ("guestinfo.example.channel", "stable")];
    assert_eq!(appliance.extra, extra.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn what_is_left_out_is_derived() {
    let text = format!(
        "network = []\n{SHORTEST}[[disk]]\nimage = \"e\"\n[[disk]]\nsize = \"1M\"\n[[property]]\nkey = \"a\"\n\
         [[configuration]]\nid = \"a\"\n"
    );
    let appliance = described(&text).unwrap();
    assert_eq!(appliance.networks, []);
    assert_eq!((appliance.disks[1].role, appliance.disks[2].role), (Role::Data, Role::Scratch));
    assert_eq!(appliance.transport, [Transport::GuestInfo]);
    assert_eq!((appliance.properties[0].kind.as_str(), appliance.properties[0].user_configurable), ("string", true));
    assert_eq!(appliance.configurations[0].label, "a");
    let text = format!("{SHORTEST}[[network]]\n[[network.forward]]\nprotocol = \"udp\"\nhost = 53\nguest = 53\n");
    assert_eq!(described(&text).unwrap().networks[0].forwards[0].name, "udp53");
}

#[test]
fn one_port_of_the_host_leads_to_one_place() {
    let two = |one: &str, other: &str| {
        let rule = |text: &str, name: &str| format!("[[network.forward]]\nname = \"{name}\"\nguest = 1\n{text}\n");
        described(&format!("{SHORTEST}[[network]]\n{}{}", rule(one, "a"), rule(other, "b"))).is_ok()
    };
    assert!(two("host = 1", "host = 2"));
    assert!(two("host = 1", "host = 1\nprotocol = \"udp\""));
    assert!(two("host = 1\nhost-address = \"127.0.0.1\"", "host = 1\nhost-address = \"127.0.0.2\""));
    assert!(!two("host = 1", "host = 1"));
    assert!(!two("host = 1", "host = 1\nhost-address = \"127.0.0.1\""));
    assert!(!two("host = 1\nhost-address = \"0.0.0.0\"", "host = 1\nhost-address = \"127.0.0.1\""));
}

#[test]
fn disks_have_places_on_their_controllers() {
    let disks = |controller: &str, count: usize| {
        format!("{SHORTEST}{}", format!("[[disk]]\nsize = \"1M\"\ncontroller = \"{controller}\"\n").repeat(count))
    };
    // One SCSI controller is the system disk's.
    for (controller, most) in [("sata", 30), ("nvme", 15), ("pvscsi", 45), ("lsilogic", 59)] {
        assert_eq!(described(&disks(controller, most)).unwrap().disks.len(), most + 1);
        let line = 3 + 3 * (most + 1);
        let message = fault(&disks(controller, most + 1));
        assert!(message.starts_with(&format!("line {line}: disk.controller: ")), "{message}");
    }
}

#[test]
fn files_are_taken_from_the_description_s_folder() {
    let text = "name = \"m\"\neula = [\"paged.txt\", \"/etc/../LICENSE\"]\nreadme = \"docs/README.md\"\n\
                [[disk]]\nimage = \"../d.qcow2\"\n";
    let appliance = described(text).unwrap();
    // Without the byte order mark, and without the form feed that XML cannot hold.
    assert_eq!(appliance.eulas, ["one\ntwo\n", "/etc/../LICENSE"]);
    let readme = appliance.readme.unwrap();
    assert_eq!((readme.name.as_str(), readme.text.as_slice()), ("README.md", b"vm/docs/README.md".as_slice()));
    assert_eq!(appliance.disks[0].image.as_ref().unwrap().path, Path::new("vm/../d.qcow2"));
    let error = read(text, Path::new("appliance.toml"), &mut |path| {
        assert_eq!(path, Path::new("paged.txt"));
        Err(Error::io("cannot read", std::io::ErrorKind::NotFound.into()))
    })
    .unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Io, "paged.txt: cannot read"));
    assert_eq!(error.hint(), Some("the description names it as eula"));
}

#[test]
fn an_appliance_made_without_a_description_is_held_to_the_same() {
    let appliance = Appliance::new("m").with_image("a").with_image("b");
    appliance.check().unwrap();
    let mut broken = appliance.clone();
    broken.disks[1].size = Some(1);
    let message = "disk[1].size: is for scratch disks: an image has its own size";
    assert_eq!(broken.check().unwrap_err().message(), message);
    let mut broken = appliance;
    broken.eulas = vec!["a".into(), "\u{1}".into()];
    assert_eq!(broken.check().unwrap_err().message(), "eula[1]: has U+0001 in it, which XML cannot hold");
}

#[test]
fn what_is_nested_without_end_is_an_error() {
    let times = 100_000;
    for text in [
        format!("a = {}", "[".repeat(times)),
        format!("a = {}", "{a=".repeat(times)),
        format!("{}a = 1", "a.".repeat(times)),
        format!("{SHORTEST}[extra{}]", ".a".repeat(times)),
    ] {
        let message = fault(&text);
        assert!(message.contains("recurs"), "{message}");
    }
}

/// The tables of a description with their keys, as the errors for unknown keys list them.
fn keys() -> Vec<(&'static str, Vec<String>)> {
    let tables = [
        "",
        "[product]",
        "[system]",
        "[[disk]]",
        "[[network]]",
        "[[network]]\n[[network.forward]]",
        "[[property]]",
        "[[configuration]]",
    ];
    let known = |table: &str| {
        let message = fault(&format!("{table}\nno-such-key = 1\n"));
        let list = message.split('(').nth(1).unwrap().trim_end_matches(')').to_owned();
        list.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    let keys: Vec<_> = tables.into_iter().map(|table| (table, known(table))).collect();
    assert!(keys.iter().all(|(_, keys)| keys.len() > 3), "{keys:?}");
    keys
}

#[test]
fn the_reference_has_every_key_and_every_operating_system() {
    for (table, keys) in keys() {
        let section = match table {
            "" => "## The outermost keys".to_owned(),
            table => format!("# `{}`", table.lines().last().unwrap()),
        };
        let (_, section) = REFERENCE.split_once(&section).unwrap_or_else(|| panic!("{table} has no section"));
        let section = section.split("\n#").next().unwrap();
        for key in keys {
            let table = ["product", "system", "disk", "network", "property", "configuration", "extra", "forward"];
            let here = section.contains(&format!("\n| `{key}` |"));
            let own_section = table.contains(&key.as_str()) && REFERENCE.contains(&format!("{key}]"));
            assert!(here || own_section, "{key}");
        }
    }
    for guest in GUESTS {
        assert!(REFERENCE.contains(&format!("`{}`", guest.key)), "{}", guest.key);
    }
    for controller in Controller::ALL {
        assert!(REFERENCE.contains(&format!("`\"{controller}\"`")), "{controller}");
    }
}

/// The lines of a template that are commented out, without the mark; prose has a space behind it.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_first_description_of_a_disk_is_read_as_it_is_and_with_everything_uncommented() {
    for efi in [false, true] {
        let facts = Facts { image: "my disk.qcow2".into(), name: "my disk".into(), virtual_size: 10 << 30, efi };
        let text = template(&facts);
        let appliance = described(&text).unwrap();
        let mut expected = Appliance::new("my disk").with_image("vm/my disk.qcow2");
        if efi {
            expected.firmware = Firmware::Efi { secure_boot: false };
        }
        assert_eq!(appliance, expected);
        assert!(text.contains("10240 MiB"));

        let appliance = described(&uncommented(&text)).unwrap();
        assert_eq!(appliance.firmware, if efi { Firmware::Efi { secure_boot: true } } else { Firmware::Bios });
        assert_eq!((appliance.disks.len(), appliance.networks[0].forwards.len()), (2, 1));
        assert_eq!((appliance.properties.len(), appliance.configurations.len(), appliance.extra.len()), (1, 1, 1));
        for (table, keys) in keys() {
            for key in keys {
                let there = [format!("\n{key} = "), format!("\n#{key} = "), format!("{key}]")];
                assert!(there.iter().any(|there| text.contains(there)), "{table} {key}");
            }
        }
    }
}

#[test]
fn defaults_in_the_first_description_are_the_defaults() {
    let facts = Facts { image: "d.qcow2".into(), name: "m".into(), virtual_size: 0, efi: false };
    let text = template(&facts);
    for key in ["os", "cpus", "memory", "hardware", "role", "controller", "secure-boot"] {
        let text = text.replacen(&format!("\n#{key} = "), &format!("\n{key} = "), 1);
        assert_eq!(described(&text).unwrap(), described(SHORTEST).unwrap(), "{key}");
    }
}

/// Pieces of which descriptions are made, whole and in halves.
fn pieces() -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = example().lines().collect();
    let one = prop_oneof![
        8 => prop::sample::select(lines),
        1 => prop::sample::select(vec![
            "default = 1e999", "size = \"0T\"", "host = 9223372036854775807", "cpus = -9223372036854775808",
            "qualifiers = 'ValueMap{\"'", "forward = [{host = 1, guest = 2}]", "disk.image = \"a\"", "[network.forward]",
            "\"\\u0000\" = 1", "name = '''", "eula = [[[[]]]]", "a = {b = {c = {}}}", "[extra.a]", "memory = \"-1G\"",
            "class = \"\\uFFFF\"", "\u{FEFF}", "key = \"\u{1F600}\"", "cores-per-socket = 0",
        ]),
    ];
    prop::collection::vec(one, 0..40).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = described(&text);
    }

    #[test]
    fn no_description_makes_it_panic(text in pieces(), name in any::<bool>()) {
        let text = if name { format!("{SHORTEST}{text}") } else { text };
        if let Ok(appliance) = described(&text) {
            appliance.check().unwrap();
        }
    }

    #[test]
    fn a_damaged_description_does_not_make_it_panic(at in any::<prop::sample::Index>(), c in any::<char>(), cut in any::<bool>()) {
        let mut chars: Vec<char> = example().chars().collect();
        let at = at.index(chars.len());
        if cut { chars.truncate(at) } else { chars[at] = c }
        let _ = described(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn any_disk_has_a_first_description(image in ".+", name in any::<String>(), virtual_size in any::<u64>(), efi in any::<bool>()) {
        let appliance = described(&template(&Facts { image: image.clone(), name: name.clone(), virtual_size, efi })).unwrap();
        prop_assert_eq!(&appliance.disks[0].image.as_ref().unwrap().path, &Path::new("vm").join(image));
        prop_assert!(appliance.name == name || appliance.name == "appliance");
    }
}
