//! A first description of a disk, to be edited: every key is in it, those that may be left out behind a `#`.

use crate::package::appliance::Appliance;
use std::fmt::Write as _;

/// What is known of the disk that a description is begun for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its image, from the description's folder.
    pub image: String,
    /// What the machine is to be called; the image's stem, as a rule.
    pub name: String,
    /// Bytes that the guest sees.
    pub virtual_size: u64,
    /// Whether it starts by UEFI.
    pub efi: bool,
}

/// A description of a machine with that one disk.
///
/// It reads back as it is, and with all of its `#key = value` lines uncommented. Prose is behind `# `, with a space.
pub fn template(facts: &Facts) -> String {
    // A name that no machine can have would only be an error later.
    let named = Appliance::new(facts.name.as_str()).with_image("disk").check().is_ok();
    let name = quoted(if named { &facts.name } else { "appliance" });
    let image = quoted(&facts.image);
    let firmware = if facts.efi { "efi" } else { "bios" };
    // Secure boot is a part of EFI: uncommented below a BIOS it would be a contradiction.
    let secure_boot = if facts.efi { "true" } else { "false" };
    let mib = facts.virtual_size.div_ceil(1 << 20);
    format!(
        r##"# The appliance, as vimage packs it. Lines that begin with "#" are defaults and examples: uncomment what you need.

# The machine's name, as people see it; its files are called after it.
name = {name}
# What a person should know before running it.
#annotation = """
#Log in as admin. The password is asked for when the appliance is deployed.
#"""
# Files with the texts that have to be agreed to, in UTF-8.
#eula = ["EULA.txt"]
# A file that goes with packages that are folders.
#readme = "README.md"
# How properties reach the guest: "guestinfo" (by VMware's tools), "iso" (on a CD).
#transport = ["guestinfo"]

{PRODUCT}
[system]
# The operating system: debian12-64, ubuntu24.04-64, rhel9-64, windows-server2022-64, linux-64, other-64, ...
#os = "other-64"
# Processors, and how many of them are cores of one socket.
#cpus = 1
#cores-per-socket = 1
# Memory: what it should have, and without what it does not run.
#memory = "1G"
#minimum-memory = "512M"
# What starts it: "bios" or "efi"; with EFI, whether it starts only what is signed.
firmware = "{firmware}"
#secure-boot = {secure_boot}
# The generation of VMware's virtual hardware. 13 is for ESXi 6.5 and all later ones.
#hardware = 13

# The disk that it starts from: {mib} MiB.
[[disk]]
image = {image}
# The image's format, where it is not to be found out: raw, qcow2, vmdk, vdi.
#format = "raw"
# The snapshot that is meant, where it is not the present state.
#snapshot = "clean"
# "system" for the first disk, "data" for others with an image, "scratch" for those without.
#role = "system"
# What it hangs on: lsilogic, lsisas, pvscsi, sata or nvme.
#controller = "lsilogic"

{REST}"##
    )
}

/// The lines that no disk changes, in front of the system's.
const PRODUCT: &str = r#"# What it is as a product.
#[product]
# The product's name; the machine's, unless it is told.
#name = "Example"
#vendor = "Example Ltd"
#version = "1.0"
#full-version = "1.0.0-1"
#product-url = "https://example.com/product"
#vendor-url = "https://example.com"
# Where it is used once it runs.
#app-url = "https://${app.ip}/"
"#;

/// The lines that no disk changes, behind the system's disk.
const REST: &str = r#"# A disk that comes empty: a package has its size, and no file.
#[[disk]]
#role = "scratch"
#size = "10G"

# A network card. Without this, there is one behind NAT; network = [] above is for none.
#[[network]]
# The network's name: a person maps it to one of theirs.
#name = "VM Network"
# "nat" (behind the host's address), "bridged" (on the host's network), "host-only".
#kind = "nat"
# The card: e1000, e1000e, vmxnet3, virtio or pcnet32.
#model = "e1000"

# A port of the host that leads to one of the guest, behind NAT.
#[[network.forward]]
#name = "ssh"
#protocol = "tcp"
#host = 2222
#guest = 22
#host-address = "127.0.0.1"

# A question that a person is asked when the appliance is deployed.
#[[property]]
#key = "hostname"
# What it belongs to, in front of the key; and which of several, behind it.
#class = "guestinfo"
#instance = "1"
# The heading above it.
#category = "Network"
# string, boolean, uint8 to uint64, sint8 to sint64, real32 or real64.
#type = "string"
#default = "appliance"
# Whether it is a secret; one has no default.
#password = false
# Whether it may be changed when the appliance is deployed.
#user-configurable = true
# What values may be: MinLen(1) MaxLen(64), MinValue(1) MaxValue(9), ValueMap{"a","b"}.
#qualifiers = "MinLen(1) MaxLen(63)"
#label = "Host name"
#description = "The name by which the machine is known on the network."

# A variant of the machine, to choose from; the first is the default, unless another one is.
#[[configuration]]
#id = "large"
#label = "Large"
#description = "For more than a hundred users."
#cpus = 4
#memory = "8G"
#default = true

# More settings for VMware, as they stand in a .vmx.
#[extra]
#"guestinfo.example" = "value"
"#;

/// A string of TOML that reads as `text` (TOML 1.0, basic strings).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04X}", u32::from(c)).unwrap_or_default(),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
