//! Appliances of every sort, for tests of what is written of them; and running the tools that look at it.

#![allow(dead_code, reason = "each test uses its own part of this")]

use std::path::Path;
use std::process::Command;
use vimage_core::package::appliance::{
    Appliance, Configuration, Controller, Disk, Firmware, Forward, Network, NetworkKind, NetworkModel, Product,
    Property, Role, Transport,
};
use vimage_core::package::ovf::{Host, Packed};

pub(crate) const HOSTS: [Host; 3] = [Host::Any, Host::Vmware, Host::VirtualBox];

pub(crate) const CONTROLLERS: [Controller; 5] =
    [Controller::LsiLogic, Controller::LsiSas, Controller::Pvscsi, Controller::Sata, Controller::Nvme];

pub(crate) const MODELS: [NetworkModel; 5] =
    [NetworkModel::E1000, NetworkModel::E1000e, NetworkModel::Vmxnet3, NetworkModel::Virtio, NetworkModel::Pcnet32];

/// Every character that means something to XML, VMX files, Ruby or JSON, and some of other languages.
pub(crate) const ODD: &str = "a & <b> \"c\" 'd' |e| \\f #{g} $h ü 虚拟机 \u{1f600}";

/// A machine with `count` disks on `controller`.
pub(crate) fn with_disks(count: usize, controller: Controller) -> Appliance {
    let mut appliance = Appliance::new("demo");
    for number in 0..count {
        let role = if number == 0 { Role::System } else { Role::Data };
        appliance.disks.push(Disk { role, image: None, size: None, controller });
    }
    appliance
}

/// With another disk, that comes empty.
pub(crate) fn and_scratch(mut appliance: Appliance) -> Appliance {
    appliance.disks.push(Disk {
        role: Role::Scratch,
        image: None,
        size: Some(SCRATCH),
        controller: Controller::LsiLogic,
    });
    appliance
}

/// Bytes of a disk that is not empty.
pub(crate) const CAPACITY: u64 = 100 << 20;

/// Bytes of an empty disk.
pub(crate) const SCRATCH: u64 = 3 << 30;

/// The disks of `appliance` as a package has them.
pub(crate) fn packed(appliance: &Appliance) -> Vec<Packed> {
    let disks = appliance.disks.iter().enumerate();
    let packed = disks.map(|(number, disk)| Packed {
        file: (disk.role != Role::Scratch).then(|| (format!("demo-disk{}.vmdk", number + 1), 2_323_968)),
        capacity: disk.size.unwrap_or(CAPACITY),
        populated: 7_864_320,
        uuid: [number as u8; 16],
    });
    packed.collect()
}

/// A network with a card of `model`.
pub(crate) fn network(name: &str, kind: NetworkKind, model: NetworkModel) -> Network {
    Network { name: name.into(), kind, model, forwards: Vec::new() }
}

pub(crate) fn forward(name: &str, udp: bool, host_address: Option<[u8; 4]>, host: u16, guest: u16) -> Forward {
    Forward { name: name.into(), udp, host_address: host_address.map(Into::into), host, guest }
}

/// A machine that starts by UEFI.
pub(crate) fn efi(secure_boot: bool) -> Appliance {
    Appliance { firmware: Firmware::Efi { secure_boot }, ..with_disks(1, Controller::Sata) }
}

/// A machine with cards on networks of every kind, and ports forwarded to the first.
pub(crate) fn networked() -> Appliance {
    let mut appliance = with_disks(1, Controller::LsiLogic);
    appliance.networks = vec![
        network("Inside", NetworkKind::Nat, NetworkModel::E1000),
        network("Outside", NetworkKind::Bridged, NetworkModel::E1000),
        network("Between", NetworkKind::HostOnly, NetworkModel::E1000),
        network("Inside", NetworkKind::Nat, NetworkModel::E1000),
    ];
    appliance.networks[0].forwards = vec![
        forward("ssh", false, Some([127, 0, 0, 1]), 2222, 22),
        forward("dns", true, None, 5353, 53),
        forward("web", false, None, 8080, 80),
    ];
    appliance
}

/// A machine with a card of every model.
pub(crate) fn every_card() -> Appliance {
    let mut appliance = with_disks(1, Controller::LsiLogic);
    appliance.networks = MODELS.iter().map(|&model| network(&format!("{model:?}"), NetworkKind::Nat, model)).collect();
    appliance
}

/// A machine with variants: the default has its own values.
pub(crate) fn with_configurations() -> Appliance {
    let configuration = |id: &str, cpus, memory: Option<u64>| Configuration {
        id: id.into(),
        label: format!("The {id} one"),
        description: ODD.into(),
        cpus,
        memory: memory.map(|gibibytes| gibibytes << 30),
    };
    let mut appliance = Appliance { cpus: 2, memory: 2 << 30, ..with_disks(1, Controller::LsiLogic) };
    appliance.configurations = vec![
        configuration("middle", Some(4), None),
        configuration("small", None, None),
        configuration("large", Some(8), Some(16)),
        configuration("wide", Some(8), None),
    ];
    appliance
}

/// A machine with properties of every type, of several classes, and everything else that people are told.
pub(crate) fn with_properties() -> Appliance {
    const KINDS: [&str; 12] = [
        "string", "boolean", "uint8", "uint16", "uint32", "uint64", "sint8", "sint16", "sint32", "sint64", "real32",
        "real64",
    ];
    let mut appliance = with_disks(1, Controller::LsiLogic);
    appliance.transport = vec![Transport::GuestInfo, Transport::Iso];
    appliance.product = Product {
        name: Some(ODD.into()),
        vendor: Some("Example".into()),
        version: Some("1.0".into()),
        full_version: Some("1.0.0-3".into()),
        product_url: Some("https://example.org/?a=1&b=2".into()),
        vendor_url: Some("https://example.org".into()),
        app_url: Some("https://${hostname}/".into()),
    };
    appliance.annotation = Some("two\nlines".into());
    appliance.minimum_memory = Some(512 << 20);
    appliance.eulas = vec!["first & last".into(), ODD.into()];
    let property = |key: &str, kind: &str| Property {
        key: key.into(),
        kind: kind.into(),
        user_configurable: true,
        ..Property::default()
    };
    let hostname = Property {
        default: Some(ODD.into()),
        qualifiers: Some("MinLen(1) MaxLen(64)".into()),
        label: Some("Name".into()),
        description: Some("two\nlines".into()),
        category: Some("Network".into()),
        ..property("hostname", "string")
    };
    let secret = Property { password: true, category: Some("Users".into()), ..property("secret", "string") };
    let address = Property { category: Some("Network".into()), ..property("address", "string") };
    let fixed = Property {
        user_configurable: false,
        default: Some(String::new()),
        class: Some("org.example".into()),
        instance: Some("1".into()),
        ..property("fixed", "string")
    };
    appliance.properties = vec![hostname, secret, address, fixed];
    appliance.properties.extend(KINDS.iter().map(|kind| property(&format!("of-{kind}"), kind)));
    appliance
}

/// A machine whose every text is odd.
pub(crate) fn odd() -> Appliance {
    let mut appliance = with_disks(1, Controller::LsiLogic);
    appliance.name = ODD.into();
    appliance.annotation = Some(ODD.into());
    appliance.networks[0].name = ODD.into();
    appliance.networks[0].forwards = vec![forward(ODD, false, None, 2222, 22)];
    appliance.extra = vec![("guestinfo.odd".into(), ODD.into())];
    appliance
}

/// Everything that a writer may meet, by name.
pub(crate) fn all() -> Vec<(String, Appliance)> {
    let mut all = vec![
        ("nothing".into(), Appliance { networks: Vec::new(), ..Appliance::new("demo") }),
        ("one".into(), with_disks(1, Controller::LsiLogic)),
        ("scratch".into(), and_scratch(with_disks(1, Controller::LsiLogic))),
        ("efi".into(), efi(false)),
        ("secure".into(), efi(true)),
        ("networked".into(), networked()),
        ("cards".into(), every_card()),
        ("configurations".into(), with_configurations()),
        ("properties".into(), with_properties()),
        ("odd".into(), odd()),
        ("cores".into(), Appliance { cpus: 8, cores_per_socket: Some(4), ..with_disks(1, Controller::LsiLogic) }),
    ];
    for controller in CONTROLLERS {
        all.push((format!("two-{controller:?}"), with_disks(2, controller)));
        all.push((format!("many-{controller:?}"), with_disks(16, controller)));
    }
    let mut mixed = with_disks(1, Controller::Sata);
    CONTROLLERS.iter().for_each(|&controller| mixed.disks.extend(with_disks(2, controller).disks));
    all.push(("mixed".into(), mixed));
    all
}

/// Whether `program` can be run.
pub(crate) fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// What `command` prints.
///
/// # Panics
/// Where it fails.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The path as text.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
