//! Broken descriptions, with what is said of each behind the file's name.

/// One, and what is said of it.
pub(crate) type Broken = (&'static str, &'static str);

/// Whole descriptions.
pub(crate) const WHOLE: &[Broken] = &[
    (
        r#"name = "m
"#,
        r#"line 1: invalid basic string, expected `"`"#,
    ),
    (
        r#"name = "m"
name = "n"
"#,
        "line 2: name: duplicate key",
    ),
    (
        r#"name "m"
"#,
        "line 1: key with no value, expected `=`",
    ),
    ("", "line 1: name: is missing"),
    (
        r#"[[disk]]
image = "d"
"#,
        "line 1: name: is missing",
    ),
    (
        r"name = 5
",
        "line 1: name: has to be text in quotes, not integer 5",
    ),
    (
        r#"name = "m"
system = 1
"#,
        "line 2: system: has to be a table, not integer 1",
    ),
    (
        r#"name = "m"
[disk]
image = "d"
"#,
        "line 2: disk: has to be a list, not a table",
    ),
    (
        r#"name = ""
[[disk]]
image = "d"
"#,
        "line 1: name: is empty",
    ),
    (
        r#"name = "虚拟机"
[[disk]]
image = "d"
"#,
        r#"line 1: name: no file can be named after the appliance "虚拟机""#,
    ),
    (
        r#"name = "a\u0007"
[[disk]]
image = "d"
"#,
        "line 1: name: has U+0007 in it, and is one line of text",
    ),
    (
        r#"name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
[[disk]]
image = "d"
"#,
        "line 1: name: has 81 characters, and vCenter takes 80",
    ),
    (
        r#"name = "m"
"#,
        "line 1: disk: there is no disk",
    ),
    (
        r#"name = "m"
[[disk]]
"#,
        "line 2: disk.image: the disk needs an image",
    ),
    (
        r#"name = "m"
[[disk]]
image = ""
"#,
        "line 3: disk.image: is the name of a file, and is empty",
    ),
    (
        r#"name = "m"
[[disk]]
role = "scratch"
size = "1G"
"#,
        "line 3: disk.role: the first disk is the one that the machine starts from",
    ),
];

/// What stands in front of the first table.
pub(crate) const FRONT: &[Broken] = &[
    (
        r#"nmae = "x""#,
        "line 2: nmae: there is no such key (name, annotation, eula, readme, transport, product, system, disk, network, property, configuration, extra)",
    ),
    (r#"eula = "EULA.txt""#, r#"line 2: eula: has to be a list, not string "EULA.txt""#),
    (
        r#"annotation = """
a\u000Cb""""#,
        "line 2: annotation: has U+000C in it, which XML cannot hold",
    ),
    (r#"annotation = "a\uFFFE""#, "line 2: annotation: has U+FFFE in it, which XML cannot hold"),
    (r#"transport = ["guestinfo", "usb"]"#, r#"line 2: transport: there is no transport "usb" (guestinfo, iso)"#),
    (r#"transport = ["iso", "iso"]"#, "line 2: transport: is there twice"),
    (r#"eula = ["EULA.txt", "latin1.txt"]"#, r#"line 2: eula: "latin1.txt" is not UTF-8"#),
    (r#"eula = ["bell.txt"]"#, r#"line 2: eula: "bell.txt" has U+0007 in line 2, which XML cannot hold"#),
    (r#"eula = ["empty.txt"]"#, r#"line 2: eula: "empty.txt" is empty"#),
    (r#"eula = [""]"#, "line 2: eula: is the name of a file, and is empty"),
    (r#"readme = "read me.md""#, r#"line 2: readme: "read me.md" is not of letters, digits, ".", "_" and "-" alone"#),
    (r#"readme = "..""#, r#"line 2: readme: ".." is no file"#),
];

/// What stands below `[system]`.
pub(crate) const SYSTEM: &[Broken] = &[
    (
        r#"memroy = "1G""#,
        "line 5: system.memroy: there is no such key (os, cpus, cores-per-socket, memory, minimum-memory, firmware, secure-boot, hardware)",
    ),
    (r#"cpus = "2""#, r#"line 5: system.cpus: has to be a whole number, not string "2""#),
    ("memory = 2048", r#"line 5: system.memory: has to be a size in quotes, such as "2G" or "512M", not integer 2048"#),
    (
        r#"memory = "2048""#,
        r#"line 5: system.memory: "2048" is not a size: write a whole number with a unit, such as "2G" or "512M""#,
    ),
    (
        r#"memory = "2 fortnights""#,
        r#"line 5: system.memory: "2 fortnights" is not a size: write a whole number with a unit, such as "2G" or "512M""#,
    ),
    (r#"memory = "16777216T""#, r#"line 5: system.memory: "16777216T" is too large"#),
    (r#"secure-boot = "yes""#, r#"line 5: system.secure-boot: has to be true or false, not string "yes""#),
    (r#"os = "debian-12""#, r#"line 5: system.os: there is no operating system "debian-12""#),
    (r#"os = "plan9""#, r#"line 5: system.os: there is no operating system "plan9""#),
    ("cpus = 0", "line 5: system.cpus: has to be from 1 to 768, not 0"),
    ("cpus = 769", "line 5: system.cpus: has to be from 1 to 768, not 769"),
    ("cpus = -1", "line 5: system.cpus: has to be from 1 to 768, not -1"),
    (
        r"cpus = 4
cores-per-socket = 3",
        "line 6: system.cores-per-socket: 4 processors do not make whole sockets of 3 cores",
    ),
    ("cores-per-socket = 0", "line 5: system.cores-per-socket: has to be from 1 to 768, not 0"),
    (
        r#"memory = "1001M""#,
        "line 5: system.memory: is not a multiple of 4 MiB, and VMware starts no machine with such memory",
    ),
    (r#"memory = "1500KB""#, "line 5: system.memory: a machine has from 4 MiB to 24 TiB of memory"),
    (r#"memory = "1M""#, "line 5: system.memory: a machine has from 4 MiB to 24 TiB of memory"),
    (r#"memory = "25T""#, "line 5: system.memory: a machine has from 4 MiB to 24 TiB of memory"),
    (r#"minimum-memory = "2G""#, "line 5: system.minimum-memory: is more than memory"),
    (r#"firmware = "uefi""#, r#"line 5: system.firmware: there is no firmware "uefi" (bios, efi)"#),
    ("secure-boot = true", "line 5: system.secure-boot: is a part of EFI"),
    (
        r#"firmware = "efi"
secure-boot = true
hardware = 11"#,
        "line 6: system.secure-boot: needs hardware = 13 or later, not 11",
    ),
    ("hardware = 6", "line 5: system.hardware: has to be from 7 to 21, not 6"),
    ("hardware = 22", "line 5: system.hardware: has to be from 7 to 21, not 22"),
    (
        r#"cpus = 4
cores-per-socket = 2
[[configuration]]
id = "a"
cpus = 3"#,
        "line 9: configuration.cpus: 3 processors do not make whole sockets of 2 cores",
    ),
    (
        r#"minimum-memory = "1G"
[[configuration]]
id = "a"
memory = "512M""#,
        "line 8: configuration.memory: is less than system.minimum-memory",
    ),
];

/// What stands below a second `[[disk]]`.
pub(crate) const DISK: &[Broken] = &[
    (
        r#"image = "e"
role = "system""#,
        "line 6: disk.role: there is one disk of the system, and it is the first",
    ),
    (r#"role = "scratch""#, "line 4: disk.size: a scratch disk needs a size"),
    (
        r#"role = "scratch"
image = "e""#,
        "line 6: disk.image: a scratch disk is empty and has no image",
    ),
    (
        r#"role = "data"
size = "1G""#,
        "line 4: disk.image: the disk needs an image",
    ),
    (
        r#"image = "e"
size = "1G""#,
        "line 6: disk.size: is for scratch disks: an image has its own size",
    ),
    (r#"size = "1500K""#, "line 5: disk.size: is not a whole number of mebibytes"),
    (r#"size = "0G""#, "line 5: disk.size: is 0"),
    (r#"size = "63T""#, "line 5: disk.size: is more than 62 TiB, the largest disk that ESXi takes"),
    (
        r#"size = "1G"
format = "raw""#,
        "line 6: disk.format: is of an image, and the disk has none",
    ),
    (
        r#"size = "1G"
role = "swap""#,
        r#"line 6: disk.role: there is no role "swap" (system, data, scratch)"#,
    ),
    (
        r#"size = "1G"
controller = "scsy""#,
        r#"line 6: disk.controller: there is no controller "scsy" (lsilogic, lsisas, pvscsi, sata, nvme)"#,
    ),
    (
        r#"controller = "nvme"
size = "1G"
[system]
hardware = 11"#,
        "line 5: disk.controller: nvme came with hardware = 13, and the system has 11",
    ),
];

/// What stands below `[[network]]`.
pub(crate) const NETWORK: &[Broken] = &[
    (r#"name = """#, "line 5: network.name: is empty"),
    (
        r#"kind = "hostonly""#,
        r#"line 5: network.kind: there is no kind of network "hostonly" (nat, bridged, host-only)"#,
    ),
    (
        r#"model = "rtl8139""#,
        r#"line 5: network.model: there is no model of network card "rtl8139" (e1000, e1000e, vmxnet3, virtio, pcnet32)"#,
    ),
    (
        r#"name = "lan"
[[network]]
name = "lan"
kind = "bridged""#,
        r#"line 8: network.kind: the network "lan" is of another kind above"#,
    ),
    (
        r"[[network]]
[[network]]
[[network]]
[[network]]
[[network]]
[[network]]
[[network]]
[[network]]
[[network]]
[[network]]",
        "line 14: network: a machine has up to 10 network cards",
    ),
    (
        r#"kind = "bridged"
[[network.forward]]
host = 22
guest = 22"#,
        r#"line 6: network.forward: ports are forwarded where kind = "nat" alone: elsewhere the guest has an address of its own"#,
    ),
];

/// What stands below `[[network.forward]]`.
pub(crate) const FORWARD: &[Broken] = &[
    ("host = 2222", "line 5: network.forward.guest: is missing"),
    (
        r"host = 0
guest = 22",
        "line 6: network.forward.host: has to be from 1 to 65535, not 0",
    ),
    (
        r"host = 22
guest = 65536",
        "line 7: network.forward.guest: has to be from 1 to 65535, not 65536",
    ),
    (
        r#"host = 22
guest = 22
protocol = "icmp""#,
        r#"line 8: network.forward.protocol: there is no protocol "icmp" (tcp, udp)"#,
    ),
    (
        r#"host = 22
guest = 22
host-address = "localhost""#,
        r#"line 8: network.forward.host-address: "localhost" is not an address as in 127.0.0.1"#,
    ),
    (
        r#"host = 22
guest = 22
name = "a,b""#,
        r#"line 8: network.forward.name: "a,b" is not of letters, digits, ".", "_" and "-" alone"#,
    ),
    (
        r#"host = 22
guest = 22
[[network.forward]]
name = "b"
host = 22
guest = 23"#,
        "line 10: network.forward.host: port 22 of the host is forwarded already",
    ),
    (
        r#"name = "a"
host = 22
guest = 22
[[network.forward]]
name = "a"
host = 23
guest = 23"#,
        r#"line 10: network.forward.name: "a" is the name of another one too"#,
    ),
];

/// What stands below `[[property]]`.
pub(crate) const PROPERTY: &[Broken] = &[
    (
        r#"key = "a"
qualifiers = "ValueMap{\"\u0001\"}""#,
        "line 6: property.qualifiers: has U+0001 in it, and is one line of text",
    ),
    (r#"type = "string""#, "line 4: property.key: is missing"),
    (
        r#"key = "a"
default = [1]"#,
        "line 6: property.default: has to be a string, a number, true or false, not a list",
    ),
    (r#"key = "guestinfo.hostname""#, "line 5: property.key: OVF allows no '.' in it"),
    (r#"key = "a:b""#, "line 5: property.key: OVF allows no ':' in it"),
    (r#"key = """#, "line 5: property.key: is empty"),
    (
        r#"key = "a"
instance = "1.2""#,
        "line 6: property.instance: OVF allows no '.' in it",
    ),
    (
        r#"key = "a"
class = "a b""#,
        "line 6: property.class: OVF allows no ' ' in it",
    ),
    (
        r#"key = "a"
[[property]]
key = "a""#,
        r#"line 7: property.key: "a" is the key of another one too"#,
    ),
    (
        r#"key = "a"
type = "int""#,
        r#"line 6: property.type: OVF has no type "int" (string, boolean, uint8, uint16, uint32, uint64, sint8, sint16, sint32, sint64, real32, real64)"#,
    ),
    (
        r#"key = "a"
type = "uint8"
default = 256"#,
        r#"line 7: property.default: "256" is not of the type uint8"#,
    ),
    (
        r#"key = "a"
type = "uint16"
default = -1"#,
        r#"line 7: property.default: "-1" is not of the type uint16"#,
    ),
    (
        r#"key = "a"
type = "boolean"
default = "yes""#,
        r#"line 7: property.default: "yes" is not of the type boolean"#,
    ),
    (
        r#"key = "a"
type = "real32"
default = inf"#,
        r#"line 7: property.default: "inf" is not of the type real32"#,
    ),
    (
        r#"key = "a"
qualifiers = "MinLen(3)"
default = "ab""#,
        r#"line 7: property.default: "ab" is not what MinLen(3) allows"#,
    ),
    (
        r#"key = "a"
qualifiers = 'ValueMap{"x","y"}'
default = "z""#,
        r#"line 7: property.default: "z" is not what ValueMap allows"#,
    ),
    (
        r#"key = "a"
type = "uint8"
qualifiers = "MinValue(1) MaxValue(9)"
default = 10"#,
        r#"line 8: property.default: "10" is not what MaxValue(9) allows"#,
    ),
    (
        r#"key = "a"
qualifiers = "Ip""#,
        r#"line 6: property.qualifiers: "Ip" is not as in MinLen(1) MaxLen(64) or ValueMap{"a","b"}"#,
    ),
    (
        r#"key = "a"
qualifiers = "Ip(Net)""#,
        r#"line 6: property.qualifiers: "Ip(Net)" is not as in MinLen(1) MaxLen(64) or ValueMap{"a","b"}"#,
    ),
    (
        r#"key = "a"
qualifiers = "MinLen(5) MaxLen(2)""#,
        "line 6: property.qualifiers: nothing is both that long and that short",
    ),
    (
        r#"key = "a"
type = "uint8"
qualifiers = "MinLen(5)""#,
        "line 7: property.qualifiers: MinLen is for strings, not for values of the type uint8",
    ),
    (
        r#"key = "a"
password = true
default = "secret""#,
        "line 7: property.default: a password that is shipped is known to everybody",
    ),
    (
        r#"key = "a"
type = "uint8"
password = true"#,
        "line 7: property.password: a password is a string, not uint8",
    ),
    (
        r#"key = "a"
user-configurable = false"#,
        "line 6: property.user-configurable: nobody is asked, and there is no default: the property would never have a value",
    ),
    (
        r#"key = "a"
label = "a\tb""#,
        "line 6: property.label: has U+0009 in it, and is one line of text",
    ),
    (
        r#"key = "a"
description = "a\u0000""#,
        "line 6: property.description: has U+0000 in it, which XML cannot hold",
    ),
    (
        r#"key = "a"
default = "\u0001""#,
        "line 6: property.default: has U+0001 in it, which XML cannot hold",
    ),
];

/// What stands below `[[configuration]]`.
pub(crate) const CONFIGURATION: &[Broken] = &[
    (r#"label = "x""#, "line 4: configuration.id: is missing"),
    (r#"id = "a b""#, r#"line 5: configuration.id: "a b" is not of letters, digits, ".", "_" and "-" alone"#),
    (
        r#"id = "a"
[[configuration]]
id = "a""#,
        r#"line 7: configuration.id: "a" is the id of another one too"#,
    ),
    (
        r#"id = "a"
default = true
[[configuration]]
id = "b"
default = true"#,
        "line 9: configuration.default: another configuration is the default already",
    ),
    (
        r#"id = "a"
cpus = 1000"#,
        "line 6: configuration.cpus: has to be from 1 to 768, not 1000",
    ),
    (
        r#"id = "a"
[[configuration]]
id = "b"
memory = "6M"
default = true"#,
        "line 8: configuration.memory: is not a multiple of 4 MiB, and VMware starts no machine with such memory",
    ),
];

/// What stands behind the shortest description.
pub(crate) const MORE: &[Broken] = &[
    ("[system", "line 4: unclosed table, expected `]`"),
    (
        "[machine]",
        "line 4: machine: there is no such key (name, annotation, eula, readme, transport, product, system, disk, network, property, configuration, extra)",
    ),
    (
        r#"[product]
url = "x""#,
        "line 5: product.url: there is no such key (name, vendor, version, full-version, product-url, vendor-url, app-url)",
    ),
    (
        "[disks]",
        "line 4: disks: there is no such key (name, annotation, eula, readme, transport, product, system, disk, network, property, configuration, extra)",
    ),
    (
        r#"[extra]
"a" = 1979-05-27"#,
        "line 5: extra.a: has to be a string, a number, true or false, not a table or a date",
    ),
    (
        r#"[product]
vendor = "a\nb""#,
        "line 5: product.vendor: has U+000A in it, and is one line of text",
    ),
    (
        r#"[extra]
"a b" = 1"#,
        r#"line 5: extra.a b: a setting's name is of letters, digits, ".", "_", "-" and ":""#,
    ),
    (
        r"[extra]
memSize = 5",
        "line 5: extra.memSize: is told by system.memory",
    ),
    (
        r#"[extra]
"a" = 1
"A" = 2"#,
        "line 5: extra.a: is there twice, as VMware does not tell upper from lower case",
    ),
    (
        r#"[extra]
"a" = "1\n2""#,
        "line 5: extra.a: has U+000A in it, and is one line of text",
    ),
];
