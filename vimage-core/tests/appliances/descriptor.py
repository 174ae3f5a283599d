"""Reads OVF descriptors with the parser of Python, holds them against DSP0243's rules, and prints what they say.

Usage: descriptor.py FILE...   Facts go to standard output, a line each, after a line with the file's name; broken rules go to
standard error, and make the exit status 1.
"""

import sys
import xml.etree.ElementTree as tree

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
CIM = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_%sSettingData}"
RASD, VSSD = CIM % "ResourceAllocation", CIM % "VirtualSystem"
VMW, VBOX = "{http://www.vmware.com/schema/ovf}", "{http://www.virtualbox.org/ovf/machine}"
CONTROLLERS = {"5", "6", "20"}


def fact(*words):
    print("\t".join(w.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") for w in words if w is not None))


def child(element, name, namespace=RASD):
    found = element.find(namespace + name)
    return None if found is None else found.text or ""


def capacity(disk):
    unit = disk.get(OVF + "capacityAllocationUnits", "byte")
    factor = 1
    if unit != "byte":
        byte, base, exponent = unit.replace("^", " ^ ").replace("byte *", "byte").replace(" ^ ", " ").split()
        assert byte == "byte", unit
        factor = int(base) ** int(exponent)
    return int(disk.get(OVF + "capacity")) * factor


def check(name):
    broken = []

    def rule(holds, text):
        if not holds:
            broken.append(text)

    root = tree.parse(name).getroot()
    rule(root.tag == OVF + "Envelope", "the root is no Envelope of OVF 1")
    order = ["References", "DiskSection", "NetworkSection", "DeploymentOptionSection", "VirtualSystem"]
    tags = [e.tag.removeprefix(OVF) for e in root]
    rule(tags == [t for t in order if t in tags], f"sections of the envelope: {tags}")
    for word in ("StartupSection", "VirtualSystemOtherConfigurationData", "StorageItem", "EthernetPortItem", "Icon"):
        rule(root.find(f".//{OVF}{word}") is None, f"has {word}")
    rule(root.find(f".//{VMW}BootOrderSection") is None, "has an order of booting")
    for element in root.iter():
        if element.tag.startswith((VMW, VBOX)):
            rule(element.get(OVF + "required") == "false", f"{element.tag} is required")
        for key in element.attrib:
            inside = element.tag.startswith((OVF, RASD, VSSD, VMW)) and not machine(root, element)
            rule(key.startswith("{") or not inside, f"{element.tag}@{key} has no namespace")

    files = {}
    for file in root.iter(OVF + "File"):
        href = file.get(OVF + "href")
        rule(all(c.isascii() and (c.isalnum() or c in "._-") for c in href), f"href {href}")
        rule("." in href and file.get(OVF + "id") not in files, f"file {href}")
        rule(not {OVF + "chunkSize", OVF + "compression"} & set(file.attrib), "pieces or compression")
        rule(not href.endswith(".nvram"), "an NVRAM file")
        files[file.get(OVF + "id")] = href
        fact("file", href, file.get(OVF + "size"))
    disks = {}
    for disk in root.iter(OVF + "Disk"):
        ident, ref = disk.get(OVF + "diskId"), disk.get(OVF + "fileRef")
        rule(ident not in disks and (ref is None or ref in files), f"disk {ident}")
        rule(disk.get(OVF + "format", "").endswith("#streamOptimized"), "the disk's format")
        unit = disk.get(OVF + "capacityAllocationUnits")
        rule(ref is None or "^" in unit, f"Proxmox cannot read {unit}")
        rule(ref is not None or unit == "byte", f"VirtualBox cannot read {unit}")
        disks[ident] = capacity(disk)
        fact("disk", ident, files.get(ref, "-"), str(disks[ident]), disk.get(OVF + "populatedSize"))
    networks = [n.get(OVF + "name") for n in root.find(OVF + "NetworkSection").iter(OVF + "Network")]
    rule(len(set(networks)) == len(networks), "a network twice")
    for network in networks:
        fact("network", network)
    variants = [c.get(OVF + "id") for c in root.iter(OVF + "Configuration")]
    for number, variant in enumerate(root.iter(OVF + "Configuration")):
        rule((variant.get(OVF + "default") == "true") == (number == 0), "the default is not the first")
        fact("configuration", variant.get(OVF + "id"), child(variant, "Label", OVF), child(variant, "Description", OVF))

    system = root.find(OVF + "VirtualSystem")
    rule([e.tag for e in system][:2] == [OVF + "Info", OVF + "Name"], "the name is not behind Info")
    fact("name", child(system, "Name", OVF))
    guest = system.find(OVF + "OperatingSystemSection")
    fact("guest", guest.get(OVF + "id"), guest.get(VMW + "osType"), child(guest, "OSType", VBOX))
    hardware = system.find(OVF + "VirtualHardwareSection")
    if hardware.get(OVF + "transport"):
        fact("transport", hardware.get(OVF + "transport"))
    fact("system", child(hardware.find(OVF + "System"), "VirtualSystemType", VSSD))
    items(hardware, disks, networks, variants, rule)
    for setting in hardware:
        if setting.tag in (VMW + "Config", VMW + "ExtraConfig"):
            fact(setting.tag.removeprefix(VMW), setting.get(VMW + "key"), setting.get(VMW + "value"))
    for section in system:
        tell(section, rule)
    uuids(root, rule)
    return broken


def machine(root, element):
    return any(element in list(m.iter()) for m in root.iter(VBOX + "Machine"))


def items(hardware, disks, networks, variants, rule):
    known, places, used, quantities = {}, set(), [], {}
    for item in hardware.iter(OVF + "Item"):
        tags = [e.tag for e in item]
        values = [t for t in tags if t.startswith(RASD)]
        rule(values == sorted(values) and len(set(values)) == len(values), f"order of {values}")
        rule(tags[: len(values)] == values, "another's element in front of CIM's")
        rule(item.get(OVF + "bound") is None, "a bound")
        instance, kind, parent = child(item, "InstanceID"), child(item, "ResourceType"), child(item, "Parent")
        rule(instance not in known and instance != "0", f"InstanceID {instance} twice or 0")
        rule(bool(child(item, "ElementName")) and bool(child(item, "Caption")), f"item {instance} has no name")
        chosen = (item.get(OVF + "configuration") or "").split()
        rule(set(chosen) <= set(variants), f"unknown variants {chosen}")
        if kind in "34":
            for variant in chosen or variants or [None]:
                rule((kind, variant) not in quantities, f"two items of type {kind} for {variant}")
                quantities[kind, variant] = child(item, "VirtualQuantity")
        if kind in ("15", "17"):
            rule(known.get(parent) in CONTROLLERS, f"item {instance} is in front of its controller, or has none")
            place = (parent, child(item, "AddressOnParent"))
            rule(place not in places, f"two on {place}")
            rule(known.get(parent) != "6" or place[1] != "7", "a disk on the place of the SCSI controller")
            places.add(place)
        if kind == "17":
            resource = child(item, "HostResource")
            rule(resource.startswith("ovf:/disk/") and resource.removeprefix("ovf:/disk/") in disks, resource)
            used.append(resource.removeprefix("ovf:/disk/"))
        if kind == "10":
            rule(child(item, "Connection") in networks, "a card on a network that is not listed")
        if kind == "5":
            rule(child(item, "ResourceSubType") is None, "vCenter refuses a kind of IDE controller")
        if kind == "4":
            rule(child(item, "AllocationUnits") == "byte * 2^20", "memory is not in MiB")
        known[instance] = kind
        told = {
            "sub": child(item, "ResourceSubType"),
            "count": child(item, "VirtualQuantity"),
            "on": known.get(parent),
            "at": child(item, "AddressOnParent") if kind != "10" else None,
            "disk": child(item, "HostResource"),
            "net": child(item, "Connection"),
            "variants": " ".join(chosen) or None,
            "optional": item.get(OVF + "required"),
            "cores": child(item, "CoresPerSocket", VMW),
        }
        fact("item", kind, *(f"{key}={value}" for key, value in told.items() if value is not None))
    rule(sorted(used) == sorted(disks), f"disks that hang nowhere, or twice: {used}")
    for kind in "34":
        found = {variant for known, variant in quantities if known == kind}
        rule(found == set(variants or [None]), f"items of type {kind} are for {found}")


def tell(section, rule):
    rule(section.tag in (OVF + "Name", OVF + "Info") or section[0].tag == OVF + "Info", f"{section.tag} has no Info")
    if section.tag == OVF + "ProductSection":
        fact("product", "|".join(section.get(OVF + key, "") for key in ("class", "instance")))
        for element in section:
            tag = element.tag.removeprefix(OVF)
            if tag == "Property":
                attributes = (f"{key.removeprefix(OVF)}={value}" for key, value in sorted(element.attrib.items()))
                fact("property", *attributes, *(f"{e.tag.removeprefix(OVF)}={e.text}" for e in element))
            elif tag != "Info":
                fact(tag, element.text or "")
    if section.tag in (OVF + "AnnotationSection", OVF + "EulaSection"):
        fact(section[1].tag.removeprefix(OVF), section[1].text or "")


def uuids(root, rule):
    """VirtualBox finds the disks of its own element by the identifiers of those of the descriptor."""
    machines = list(root.iter(VBOX + "Machine"))
    rule(len(machines) <= 1, "more than one machine of VirtualBox's")
    if machines:
        disks = sorted("{%s}" % disk.get(VBOX + "uuid") for disk in root.iter(OVF + "Disk"))
        images = sorted(image.get("uuid") for image in machines[0].iter(OVF + "Image"))
        rule(disks == images and len(set(disks)) == len(disks), f"disks {disks}, images {images}")
        rule(machines[0].get("uuid") not in disks, "the machine has a disk's identifier")


def main():
    failed = False
    for name in sys.argv[1:]:
        fact("=", name)
        for text in check(name):
            failed = True
            print(f"{name}: {text}", file=sys.stderr)
    sys.exit(failed)


main()
