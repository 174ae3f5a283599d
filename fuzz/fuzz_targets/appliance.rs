//! Any text as the description of an appliance: an error, or values of which every package's description can be written, the same each
//! time, and which come back from the OVF. And any two lines as a disk's name and image: the first description that is made of them
//! can be read, as it is and with all that it offers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use vimage_core::package::appliance::{Appliance, Role};
use vimage_core::package::description::{Facts, read, template};
use vimage_core::package::ovf::{self, Host, Packed};
use vimage_core::package::vagrant::{self, Provider};
use vimage_core::package::{libvirt, vmx};
use vimage_core::{Error, Result};

fuzz_target!(|text: &str| {
    if let Ok(appliance) = described(text) {
        appliance.check().expect("what is read is right");
        written(&appliance);
    }
    begun(text);
});

fn described(text: &str) -> Result<Appliance> {
    let mut load = |path: &Path| match path.starts_with("folder") {
        true => Ok(b"A text.".to_vec()),
        false => Err(Error::refused("a text is taken from elsewhere")),
    };
    read(text, Path::new("folder/appliance.toml"), &mut load)
}

fn written(appliance: &Appliance) {
    let packed = |(number, disk): (usize, &vimage_core::package::appliance::Disk)| {
        let file = (disk.role != Role::Scratch).then(|| (format!("disk{number}.vmdk"), 1000));
        Packed { file, capacity: disk.size.unwrap_or(1 << 20), populated: 0, uuid: [number as u8; 16] }
    };
    let disks: Vec<_> = appliance.disks.iter().enumerate().map(packed).collect();
    for host in [Host::Any, Host::Vmware, Host::VirtualBox] {
        let Ok(text) = ovf::write(appliance, &disks, host) else { continue };
        assert_eq!(ovf::write(appliance, &disks, host).ok().as_ref(), Some(&text));
        let found = ovf::read(text.as_bytes()).expect("what is written can be read");
        let broken: Vec<_> =
            ovf::rules(text.as_bytes()).expect("read").into_iter().filter(|found| found.broken).collect();
        assert!(broken.is_empty(), "{broken:?} in {text}");
        assert_eq!(found.systems.len(), 1);
        let system = &found.systems[0];
        // What is empty around a text is dropped where it is read: others' documents are indented.
        assert_eq!(system.name.as_deref(), Some(appliance.name.trim()));
        let capacities = found.disks.iter().map(|disk| disk.capacity);
        assert!(capacities.eq(disks.iter().map(|disk| Some(disk.capacity))), "{:?}", found.disks);
        assert_eq!(system.efi, appliance.firmware != Default::default());
        assert_eq!(system.properties.len(), appliance.properties.len());
        let cards = system.items.iter().filter(|item| item.kind == 10).count();
        assert_eq!(cards, appliance.networks.len());
        let quantity = |kind, value| system.items.iter().any(|item| item.kind == kind && item.quantity == Some(value));
        // Where there are variants one of them is meant; VirtualBox knows none, and is told of the default.
        let variants = if host == Host::VirtualBox { 1 } else { appliance.configurations.len() };
        let mut wanted: Vec<_> =
            appliance.configurations.iter().take(variants).map(|it| (it.cpus, it.memory)).collect();
        if wanted.is_empty() {
            wanted.push((None, None));
        }
        for (cpus, memory) in wanted {
            let (cpus, memory) = (cpus.unwrap_or(appliance.cpus), memory.unwrap_or(appliance.memory));
            assert!(quantity(3, cpus.into()) && quantity(4, memory), "{:?}", system.items);
        }
    }
    let names: Vec<_> = (0..disks.len()).map(|number| format!("disk{number}.vmdk")).collect();
    if let Ok(text) = vmx::write(appliance, &names) {
        // A value that could end its line would set others.
        for line in text.lines() {
            let (key, value) = line.split_once(" = ").expect("a key and a value");
            assert!(!key.contains(' ') && value.len() >= 2 && value.starts_with('"') && value.ends_with('"'), "{line}");
            let is_ended = |c: char| c.is_control() && c != '\t';
            assert!(!value[1..value.len() - 1].contains('"') && !line.contains(is_ended), "{line:?}");
        }
    }
    let _ = libvirt::write(appliance, &names, libvirt::FOLDER);
    for provider in [Provider::VirtualBox, Provider::Libvirt, Provider::VmwareDesktop] {
        let _ = vagrant::vagrantfile(appliance, provider, &disks);
    }
}

fn begun(text: &str) {
    let mut lines = text.split('\n');
    let (Some(name), Some(image)) = (lines.next(), lines.next()) else { return };
    let facts = Facts { image: image.into(), name: name.into(), virtual_size: 1 << 30, efi: text.len() % 2 == 1 };
    let begun = template(&facts);
    let whole: Vec<_> = begun.lines().map(|line| uncommented(line).unwrap_or(line)).collect();
    for text in [&begun, &whole.join("\n")] {
        match described(text) {
            Ok(appliance) => {
                assert!(appliance.name == name || appliance.name == "appliance", "{:?}", appliance.name);
                let image = appliance.disks[0].image.as_ref().expect("an image");
                assert_eq!(image.path, Path::new("folder").join(&facts.image));
            }
            Err(error) => assert!(image.is_empty() || image.contains('\0'), "{error} in {text}"),
        }
    }
}

/// What stands behind the `#` of a default or an example; prose has a space there.
fn uncommented(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| !rest.starts_with(' '))
}
