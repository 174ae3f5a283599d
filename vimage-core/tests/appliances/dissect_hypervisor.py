"""Prints what dissect.hypervisor finds in a descriptor: its disks' files, and for a .vmx its keys and values.

Usage: dissect_hypervisor.py ovf|vmx FILE
"""

import re
import sys

from dissect.hypervisor.descriptor.ovf import OVF
from dissect.hypervisor.descriptor.vmx import VMX

kind, name = sys.argv[1:]
with open(name, encoding="utf-8", newline="\n") as file:
    if kind == "ovf":
        print(*OVF(file).disks(), sep="\n")
    else:
        machine = VMX.parse(file.read())
        for key, value in machine.attr.items():
            # It leaves the numbers that stand for characters as they are.
            print(key, ascii(re.sub(r"\|([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), value)), sep="\t")
        print(*(f"disk\t{disk}" for disk in machine.disks()), sep="\n")
