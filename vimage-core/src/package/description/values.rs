//! What the words of a description mean.

use super::fields;
use super::nearest::nearest;
use crate::error::{Error, Result};
use crate::package::appliance::{
    Appliance, Configuration, Controller, Disk, DiskImage, Firmware, Forward, Network, NetworkKind, NetworkModel,
    Product, Property, Readme, Role, Transport,
};
use crate::package::check::{self, CORES, CPUS, Checked, Fault, HARDWARE, Key};
use crate::package::guests::{self, GUESTS, Guest};
use std::path::Path;

/// Why no appliance came of a description.
pub(super) enum Stop {
    /// Something in it.
    Fault(Fault),
    /// A file that it names.
    Elsewhere(Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

/// How a file that a description names is read.
type Load<'a> = &'a mut dyn FnMut(&Path) -> Result<Vec<u8>>;

/// The appliance that is described, in the order of the text, with what it names in `folder`; and which of its
/// configurations is the default, where that is told.
pub(super) fn appliance(
    text: fields::Description,
    folder: &Path,
    load: Load<'_>,
) -> Result<(Appliance, Option<usize>), Stop> {
    let eulas =
        text.eula.iter().enumerate().map(|(index, file)| eula(index, file, folder, load)).collect::<Result<_, _>>()?;
    let readme = text.readme.map(|file| readme(&file, folder, load)).transpose()?;
    let mut appliance = Appliance::new(text.name);
    appliance.annotation = text.annotation;
    appliance.eulas = eulas;
    appliance.readme = readme;
    appliance.product = product(text.product);
    system(&mut appliance, text.system)?;
    appliance.disks = each(Key::of("disk"), text.disk, |key, index, disk| self::disk(key, index, disk, folder))?;
    if let Some(networks) = text.network {
        appliance.networks = each(Key::of("network"), networks, |key, _, network| self::network(key, network))?;
    }
    appliance.properties = text.property.into_iter().map(property).collect();
    appliance.transport = match text.transport {
        Some(words) => {
            each(Key::of("transport"), words, |key, _, word| one_of(key.clone(), &word, "transport", &TRANSPORTS))?
        }
        None if appliance.properties.is_empty() => Vec::new(),
        None => vec![Transport::GuestInfo],
    };
    let default = default_configuration(&text.configuration)?;
    appliance.configurations =
        each(Key::of("configuration"), text.configuration, |key, _, one| configuration(key, one))?;
    appliance.extra = text.extra.into_iter().map(|(key, value)| (key, value.0)).collect();
    Ok((appliance, default))
}

/// What `value` makes of each of `all`.
fn each<T, U>(key: Key, all: Vec<T>, mut value: impl FnMut(&Key, usize, T) -> Checked<U>) -> Checked<Vec<U>> {
    all.into_iter().enumerate().map(|(index, one)| value(&key.nth(index), index, one)).collect()
}

/// A text to be agreed to.
fn eula(index: usize, file: &str, folder: &Path, load: Load<'_>) -> Result<String, Stop> {
    let key = Key::of("eula").nth(index);
    let bytes = file_at(key.clone(), file, folder, load)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Fault::new(key.clone(), format!("{file:?} is not UTF-8")).with_hint("convert it: iconv -t UTF-8")
    })?;
    // Form feeds are for printers: licences have them between pages, and XML cannot hold them.
    let text = text.trim_start_matches('\u{FEFF}').replace('\u{C}', "");
    if text.trim().is_empty() {
        return Err(Fault::new(key, format!("{file:?} is empty")).into());
    }
    if let Some((line, c)) = check::unfit(&text) {
        let message = format!("{file:?} has U+{:04X} in line {line}, which XML cannot hold", u32::from(c));
        return Err(Fault::new(key, message).into());
    }
    Ok(text)
}

/// A text that goes with a package.
fn readme(file: &str, folder: &Path, load: Load<'_>) -> Result<Readme, Stop> {
    let text = file_at(Key::of("readme"), file, folder, load)?;
    let name = Path::new(file).file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| Fault::new(Key::of("readme"), format!("{file:?} is no file")))?;
    Ok(Readme { name, text })
}

/// The bytes of a file that is named.
fn file_at(key: Key, file: &str, folder: &Path, load: Load<'_>) -> Result<Vec<u8>, Stop> {
    if file.is_empty() {
        return Err(Fault::new(key, "is the name of a file, and is empty").into());
    }
    let path = folder.join(file);
    let named = |error: Error| error.at_path(&path).with_hint(format!("the description names it as {}", key.names()));
    load(&path).map_err(|error| Stop::Elsewhere(named(error)))
}

fn product(text: fields::Product) -> Product {
    Product {
        name: text.name,
        vendor: text.vendor,
        version: text.version,
        full_version: text.full_version,
        product_url: text.product_url,
        vendor_url: text.vendor_url,
        app_url: text.app_url,
    }
}

fn system(appliance: &mut Appliance, text: fields::System) -> Checked {
    let key = Key::of("system");
    if let Some(os) = &text.os {
        appliance.guest = guest(key.then("os"), os)?;
    }
    if let Some(cpus) = text.cpus {
        appliance.cpus = check::within(key.then("cpus"), cpus, &CPUS)?;
    }
    let cores = |cores| check::within(key.then("cores-per-socket"), cores, &CORES);
    appliance.cores_per_socket = text.cores_per_socket.map(cores).transpose()?;
    if let Some(memory) = text.memory {
        appliance.memory = memory.0;
    }
    appliance.minimum_memory = text.minimum_memory.map(|memory| memory.0);
    if let Some(hardware) = text.hardware {
        appliance.hardware = check::within(key.then("hardware"), hardware, &HARDWARE)?;
    }
    let efi = one_of(key.then("firmware"), text.firmware.as_deref().unwrap_or("bios"), "firmware", &FIRMWARE)?;
    appliance.firmware = match (efi, text.secure_boot) {
        (true, secure_boot) => Firmware::Efi { secure_boot: secure_boot.unwrap_or_default() },
        (false, Some(true)) => {
            return Err(Fault::new(key.then("secure-boot"), "is a part of EFI")
                .with_hint("add firmware = \"efi\", where the disk starts so"));
        }
        (false, _) => Firmware::Bios,
    };
    Ok(())
}

/// The operating system called so.
fn guest(key: Key, os: &str) -> Checked<&'static Guest> {
    guests::by_key(os).ok_or_else(|| {
        // Who leaves the width out means the wide one.
        let word = if os.ends_with("-64") || os.ends_with("-32") { os.to_owned() } else { format!("{os}-64") };
        let near = nearest(&word, GUESTS.iter().map(|guest| guest.key));
        let hint = match near.as_slice() {
            [] => "linux-64, other-64 and other-32 stand for what has no name here; docs/appliance.md lists the others"
                .into(),
            near => format!("the nearest: {}", near.join(", ")),
        };
        Fault::new(key, format!("there is no operating system {os:?}")).with_hint(hint)
    })
}

fn disk(key: &Key, index: usize, text: fields::Disk, folder: &Path) -> Checked<Disk> {
    let own = match (index, &text.image) {
        (0, _) => Role::System,
        (_, Some(_)) => Role::Data,
        (_, None) if text.size.is_some() => Role::Scratch,
        (_, None) => Role::Data,
    };
    let role = text.role.map_or(Ok(own), |word| one_of(key.then("role"), &word, "role", &ROLES))?;
    let of_an_image = [("format", &text.format), ("snapshot", &text.snapshot)];
    for (name, value) in of_an_image {
        match value {
            Some(_) if text.image.is_none() => {
                return Err(Fault::new(key.then(name), "is of an image, and the disk has none"));
            }
            Some(value) if value.trim().is_empty() => return Err(Fault::new(key.then(name), "is empty")),
            _ => {}
        }
    }
    if text.image.as_ref().is_some_and(String::is_empty) {
        return Err(Fault::new(key.then("image"), "is the name of a file, and is empty"));
    }
    let controller = text.controller.unwrap_or_else(|| Controller::default().word().into());
    let controllers = Controller::ALL.map(|kind| (kind.word(), kind));
    let image =
        text.image.map(|image| DiskImage { path: folder.join(image), format: text.format, snapshot: text.snapshot });
    let controller = one_of(key.then("controller"), &controller, "controller", &controllers)?;
    Ok(Disk { role, image, size: text.size.map(|size| size.0), controller })
}

fn network(key: &Key, text: fields::Network) -> Checked<Network> {
    let own = Network::default();
    let word = |name: &'static str, word: &Option<String>| word.as_ref().map(|word| (key.then(name), word.clone()));
    Ok(Network {
        name: text.name.unwrap_or(own.name),
        kind: word("kind", &text.kind)
            .map_or(Ok(own.kind), |(key, word)| one_of(key, &word, "kind of network", &KINDS))?,
        model: word("model", &text.model)
            .map_or(Ok(own.model), |(key, word)| one_of(key, &word, "model of network card", &MODELS))?,
        forwards: each(key.then("forward"), text.forward, |key, _, text| forward(key, text))?,
    })
}

fn forward(key: &Key, text: fields::Forward) -> Checked<Forward> {
    let protocol = text.protocol.unwrap_or_else(|| "tcp".into());
    let udp = one_of(key.then("protocol"), &protocol, "protocol", &PROTOCOLS)?;
    let port = |name: &'static str, port: i64| {
        let found = u16::try_from(port).ok().filter(|&port| port != 0);
        found.ok_or_else(|| Fault::new(key.then(name), format!("has to be from 1 to 65535, not {port}")))
    };
    let (host, guest) = (port("host", text.host)?, port("guest", text.guest)?);
    let address = |address: String| {
        let wrong = |_| Fault::new(key.then("host-address"), format!("{address:?} is not an address as in 127.0.0.1"));
        address.parse().map_err(wrong)
    };
    let host_address = text.host_address.map(address).transpose()?;
    let name = text.name.unwrap_or_else(|| format!("{protocol}{host}"));
    Ok(Forward { name, udp, host_address, host, guest })
}

fn property(text: fields::Property) -> Property {
    Property {
        key: text.key,
        class: text.class,
        instance: text.instance,
        category: text.category,
        kind: text.kind.unwrap_or_else(|| "string".into()),
        default: text.default.map(|default| default.0),
        password: text.password.unwrap_or_default(),
        user_configurable: text.user_configurable.unwrap_or(true),
        qualifiers: text.qualifiers,
        label: text.label,
        description: text.description,
    }
}

/// Which of the variants is the default, where that is told.
fn default_configuration(all: &[fields::Configuration]) -> Checked<Option<usize>> {
    let mut told = all.iter().enumerate().filter(|(_, one)| one.default == Some(true)).map(|(index, _)| index);
    let first = told.next();
    match told.next() {
        Some(second) => {
            let key = Key::of("configuration").nth(second).then("default");
            Err(Fault::new(key, "another configuration is the default already"))
        }
        None => Ok(first),
    }
}

fn configuration(key: &Key, text: fields::Configuration) -> Checked<Configuration> {
    let label = text.label.unwrap_or_else(|| text.id.clone());
    let cpus = text.cpus.map(|cpus| check::within(key.then("cpus"), cpus, &CPUS)).transpose()?;
    Ok(Configuration {
        description: text.description.unwrap_or_else(|| label.clone()),
        label,
        id: text.id,
        cpus,
        memory: text.memory.map(|memory| memory.0),
    })
}

/// The value that `word` stands for among `words`; `what` is what people call it.
fn one_of<T: Copy>(key: Key, word: &str, what: &str, words: &[(&str, T)]) -> Checked<T> {
    let found = words.iter().find(|(known, _)| *known == word).map(|&(_, value)| value);
    found.ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|&(known, _)| known).collect();
        Fault::new(key, format!("there is no {what} {word:?} ({})", known.join(", ")))
    })
}

const TRANSPORTS: [(&str, Transport); 2] = [("guestinfo", Transport::GuestInfo), ("iso", Transport::Iso)];

/// Whether it is EFI.
const FIRMWARE: [(&str, bool); 2] = [("bios", false), ("efi", true)];

const ROLES: [(&str, Role); 3] = [("system", Role::System), ("data", Role::Data), ("scratch", Role::Scratch)];

const KINDS: [(&str, NetworkKind); 3] =
    [("nat", NetworkKind::Nat), ("bridged", NetworkKind::Bridged), ("host-only", NetworkKind::HostOnly)];

const MODELS: [(&str, NetworkModel); 5] = [
    ("e1000", NetworkModel::E1000),
    ("e1000e", NetworkModel::E1000e),
    ("vmxnet3", NetworkModel::Vmxnet3),
    ("virtio", NetworkModel::Virtio),
    ("pcnet32", NetworkModel::Pcnet32),
];

/// Whether it is UDP.
const PROTOCOLS: [(&str, bool); 2] = [("tcp", false), ("udp", true)];
