//! Guest operating systems, by the names that each hypervisor gives them.
//!
//! The numbers are those of `CIM_OperatingSystem.OSType` (DMTF), where it has one for the system. VMware's names are those
//! that ESXi 6.5 knows, as that is the oldest host of [`crate::package::appliance::HARDWARE`]: a host makes "Other" of a name
//! that is newer than itself, with fewer devices than the system could have. Names that came later are left to the last one
//! of the same family before them; a comment says which. VirtualBox's are those that 6.1 knows, for it refuses others.

/// A guest operating system.
#[derive(Debug, PartialEq, Eq)]
pub struct Guest {
    /// The name by which a description calls it.
    pub key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Its number in CIM_OperatingSystem.OSType.
    pub cim: u16,
    /// VMware's name in OVF: `otherLinux64Guest`.
    pub vmware: &'static str,
    /// VMware's name in a .vmx: `other3xlinux-64`.
    pub vmx: &'static str,
    /// VirtualBox's name: `Linux_64`.
    pub virtualbox: &'static str,
}

/// A row of the table.
const fn guest(
    key: &'static str,
    name: &'static str,
    cim: u16,
    vmware: &'static str,
    vmx: &'static str,
    virtualbox: &'static str,
) -> Guest {
    Guest { key, name, cim, vmware, vmx, virtualbox }
}

/// All that are known, sorted by key.
#[rustfmt::skip]
pub static GUESTS: &[Guest] = &[
    // VMware's almalinux_64Guest came with 8.0. CIM has no number for it but Linux's.
    guest("alma10-64", "AlmaLinux 10 (64-bit)", 101, "centos7_64Guest", "centos7-64", "RedHat_64"),
    guest("alma8-64", "AlmaLinux 8 (64-bit)", 101, "centos7_64Guest", "centos7-64", "RedHat_64"),
    guest("alma9-64", "AlmaLinux 9 (64-bit)", 101, "centos7_64Guest", "centos7-64", "RedHat_64"),
    // No hypervisor has a name for it.
    guest("alpine-64", "Alpine Linux (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    // VMware's amazonlinux2_64Guest came with 6.7 Update 1.
    guest("amazon2-64", "Amazon Linux 2 (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("amazon2023-64", "Amazon Linux 2023 (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("arch-64", "Arch Linux (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "ArchLinux_64"),
    // centos8_64Guest came with 6.7, centos9_64Guest with 7.0 Update 1.
    guest("centos10-64", "CentOS Stream 10 (64-bit)", 107, "centos7_64Guest", "centos7-64", "RedHat_64"),
    guest("centos7-64", "CentOS 7 (64-bit)", 107, "centos7_64Guest", "centos7-64", "RedHat_64"),
    guest("centos8-64", "CentOS Stream 8 (64-bit)", 107, "centos7_64Guest", "centos7-64", "RedHat_64"),
    guest("centos9-64", "CentOS Stream 9 (64-bit)", 107, "centos7_64Guest", "centos7-64", "RedHat_64"),
    // debian11_64Guest came with 7.0, debian12_64Guest with 8.0.
    guest("debian10-64", "Debian 10 (64-bit)", 96, "debian10_64Guest", "debian10-64", "Debian_64"),
    guest("debian11-64", "Debian 11 (64-bit)", 96, "debian10_64Guest", "debian10-64", "Debian_64"),
    guest("debian12-32", "Debian 12 (32-bit)", 95, "debian10Guest", "debian10", "Debian"),
    guest("debian12-64", "Debian 12 (64-bit)", 96, "debian10_64Guest", "debian10-64", "Debian_64"),
    guest("debian13-64", "Debian 13 (64-bit)", 96, "debian10_64Guest", "debian10-64", "Debian_64"),
    guest("debian9-64", "Debian 9 (64-bit)", 96, "debian9_64Guest", "debian9-64", "Debian_64"),
    guest("fedora-64", "Fedora (64-bit)", 101, "fedora64Guest", "fedora-64", "Fedora_64"),
    guest("fedora-coreos-64", "Fedora CoreOS (64-bit)", 101, "coreos64Guest", "coreos-64", "Fedora_64"),
    guest("flatcar-64", "Flatcar Container Linux (64-bit)", 101, "coreos64Guest", "coreos-64", "Linux26_64"),
    // Names with a version came with 6.7 (11, 12), 7.0 Update 1 (13) and 8.0 (14).
    guest("freebsd-32", "FreeBSD (32-bit)", 42, "freebsdGuest", "freeBSD", "FreeBSD"),
    guest("freebsd-64", "FreeBSD (64-bit)", 78, "freebsd64Guest", "freeBSD-64", "FreeBSD_64"),
    guest("freebsd12-64", "FreeBSD 12 (64-bit)", 78, "freebsd64Guest", "freeBSD-64", "FreeBSD_64"),
    guest("freebsd13-64", "FreeBSD 13 (64-bit)", 78, "freebsd64Guest", "freeBSD-64", "FreeBSD_64"),
    guest("freebsd14-64", "FreeBSD 14 (64-bit)", 78, "freebsd64Guest", "freeBSD-64", "FreeBSD_64"),
    guest("gentoo-64", "Gentoo (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Gentoo_64"),
    guest("kali-64", "Kali Linux (64-bit)", 96, "debian10_64Guest", "debian10-64", "Debian_64"),
    // other4xLinux64Guest came with 6.7, 5x with 7.0 Update 1, 6x with 8.0.
    // VirtualBox calls every kernel since 2.6 by that one.
    guest("linux-32", "Linux (32-bit)", 36, "other3xLinuxGuest", "other3xlinux", "Linux26"),
    guest("linux-64", "Linux (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("linux2.6-64", "Linux 2.6 (64-bit)", 100, "other26xLinux64Guest", "other26xlinux-64", "Linux26_64"),
    guest("linux3-64", "Linux 3.x (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("linux4-64", "Linux 4.x (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("linux5-64", "Linux 5.x (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("linux6-64", "Linux 6.x (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("mint-64", "Linux Mint (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    // CIM's numbers for NetBSD and OpenBSD are of 32-bit days; VMware has no names for them.
    guest("netbsd-64", "NetBSD (64-bit)", 102, "otherGuest64", "other-64", "NetBSD_64"),
    guest("nixos-64", "NixOS (64-bit)", 101, "other3xLinux64Guest", "other3xlinux-64", "Linux26_64"),
    guest("openbsd-64", "OpenBSD (64-bit)", 102, "otherGuest64", "other-64", "OpenBSD_64"),
    guest("opensuse-leap-64", "openSUSE Leap (64-bit)", 83, "opensuse64Guest", "opensuse-64", "OpenSUSE_64"),
    guest("opensuse-tumbleweed-64", "openSUSE Tumbleweed (64-bit)", 83, "opensuse64Guest", "opensuse-64", "OpenSUSE_64"),
    // oracleLinux8_64Guest came with 6.7, oracleLinux9_64Guest with 7.0 Update 1.
    guest("oracle10-64", "Oracle Linux 10 (64-bit)", 109, "oracleLinux7_64Guest", "oraclelinux7-64", "Oracle_64"),
    guest("oracle7-64", "Oracle Linux 7 (64-bit)", 109, "oracleLinux7_64Guest", "oraclelinux7-64", "Oracle_64"),
    guest("oracle8-64", "Oracle Linux 8 (64-bit)", 109, "oracleLinux7_64Guest", "oraclelinux7-64", "Oracle_64"),
    guest("oracle9-64", "Oracle Linux 9 (64-bit)", 109, "oracleLinux7_64Guest", "oraclelinux7-64", "Oracle_64"),
    guest("other-32", "Other (32-bit)", 1, "otherGuest", "other", "Other"),
    guest("other-64", "Other (64-bit)", 102, "otherGuest64", "other-64", "Other_64"),
    guest("photon-64", "VMware Photon OS (64-bit)", 101, "vmwarePhoton64Guest", "vmware-photon-64", "Linux26_64"),
    // rhel8_64Guest came with 6.7, rhel9_64Guest with 7.0 Update 1.
    guest("rhel10-64", "Red Hat Enterprise Linux 10 (64-bit)", 80, "rhel7_64Guest", "rhel7-64", "RedHat_64"),
    guest("rhel6-64", "Red Hat Enterprise Linux 6 (64-bit)", 80, "rhel6_64Guest", "rhel6-64", "RedHat_64"),
    guest("rhel7-64", "Red Hat Enterprise Linux 7 (64-bit)", 80, "rhel7_64Guest", "rhel7-64", "RedHat_64"),
    guest("rhel8-64", "Red Hat Enterprise Linux 8 (64-bit)", 80, "rhel7_64Guest", "rhel7-64", "RedHat_64"),
    guest("rhel9-64", "Red Hat Enterprise Linux 9 (64-bit)", 80, "rhel7_64Guest", "rhel7-64", "RedHat_64"),
    // VMware's rockylinux_64Guest came with 8.0.
    guest("rocky10-64", "Rocky Linux 10 (64-bit)", 101, "centos7_64Guest", "centos7-64", "RedHat_64"),
    guest("rocky8-64", "Rocky Linux 8 (64-bit)", 101, "centos7_64Guest", "centos7-64", "RedHat_64"),
    guest("rocky9-64", "Rocky Linux 9 (64-bit)", 101, "centos7_64Guest", "centos7-64", "RedHat_64"),
    // sles15_64Guest came with 6.7, sles16_64Guest with 7.0 Update 1; SUSE_LE_64 with VirtualBox 7.0.
    guest("sles11-64", "SUSE Linux Enterprise Server 11 (64-bit)", 85, "sles11_64Guest", "sles11-64", "OpenSUSE_64"),
    guest("sles12-64", "SUSE Linux Enterprise Server 12 (64-bit)", 85, "sles12_64Guest", "sles12-64", "OpenSUSE_64"),
    guest("sles15-64", "SUSE Linux Enterprise Server 15 (64-bit)", 85, "sles12_64Guest", "sles12-64", "OpenSUSE_64"),
    guest("sles16-64", "SUSE Linux Enterprise Server 16 (64-bit)", 85, "sles12_64Guest", "sles12-64", "OpenSUSE_64"),
    guest("solaris11-64", "Oracle Solaris 11 (64-bit)", 81, "solaris11_64Guest", "solaris11-64", "Solaris11_64"),
    // VMware has one name for all of them; VirtualBox's with a version came with 7.0.
    guest("ubuntu-32", "Ubuntu (32-bit)", 93, "ubuntuGuest", "ubuntu", "Ubuntu"),
    guest("ubuntu-64", "Ubuntu (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    guest("ubuntu14.04-64", "Ubuntu 14.04 LTS (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    guest("ubuntu16.04-64", "Ubuntu 16.04 LTS (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    guest("ubuntu18.04-64", "Ubuntu 18.04 LTS (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    guest("ubuntu20.04-64", "Ubuntu 20.04 LTS (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    guest("ubuntu22.04-64", "Ubuntu 22.04 LTS (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    guest("ubuntu24.04-64", "Ubuntu 24.04 LTS (64-bit)", 94, "ubuntu64Guest", "ubuntu-64", "Ubuntu_64"),
    // windows2019srv_64Guest came with 7.0, its successors later; Windows2022_64 is not in every VirtualBox 6.1.
    // From 2016 on the number is the one that VMware's own exports have: readers disagree about those above 115.
    guest("windows-server2008r2-64", "Windows Server 2008 R2 (64-bit)", 103, "windows7Server64Guest", "windows7srv-64", "Windows2008_64"),
    guest("windows-server2012-64", "Windows Server 2012 (64-bit)", 112, "windows8Server64Guest", "windows8srv-64", "Windows2012_64"),
    guest("windows-server2012r2-64", "Windows Server 2012 R2 (64-bit)", 115, "windows8Server64Guest", "windows8srv-64", "Windows2012_64"),
    guest("windows-server2016-64", "Windows Server 2016 (64-bit)", 112, "windows9Server64Guest", "windows9srv-64", "Windows2016_64"),
    guest("windows-server2019-64", "Windows Server 2019 (64-bit)", 112, "windows9Server64Guest", "windows9srv-64", "Windows2019_64"),
    guest("windows-server2022-64", "Windows Server 2022 (64-bit)", 112, "windows9Server64Guest", "windows9srv-64", "Windows2019_64"),
    guest("windows-server2025-64", "Windows Server 2025 (64-bit)", 112, "windows9Server64Guest", "windows9srv-64", "Windows2019_64"),
    // VMware calls Windows 10 "9"; windows11_64Guest came with 8.0. Windows11_64 is not in every VirtualBox 6.1.
    // CIM's numbers end with Windows 10.
    guest("windows10-32", "Windows 10 (32-bit)", 119, "windows9Guest", "windows9", "Windows10"),
    guest("windows10-64", "Windows 10 (64-bit)", 120, "windows9_64Guest", "windows9-64", "Windows10_64"),
    guest("windows11-64", "Windows 11 (64-bit)", 120, "windows9_64Guest", "windows9-64", "Windows10_64"),
    // VMware's names and CIM's number of Windows 8.1 are those of Windows 8.
    guest("windows7-32", "Windows 7 (32-bit)", 105, "windows7Guest", "windows7", "Windows7"),
    guest("windows7-64", "Windows 7 (64-bit)", 105, "windows7_64Guest", "windows7-64", "Windows7_64"),
    guest("windows8-64", "Windows 8 (64-bit)", 114, "windows8_64Guest", "windows8-64", "Windows8_64"),
    guest("windows8.1-64", "Windows 8.1 (64-bit)", 114, "windows8_64Guest", "windows8-64", "Windows81_64"),
];

/// The key of the one of which nothing is known.
const OTHER: &str = "other-64";

/// The one called `key`.
pub fn by_key(key: &str) -> Option<&'static Guest> {
    let at = GUESTS.binary_search_by(|guest| guest.key.cmp(key)).ok()?;
    GUESTS.get(at)
}

/// One of which nothing is known.
pub fn other() -> &'static Guest {
    by_key(OTHER).unwrap_or(&GUESTS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 64-bit and 32-bit names of the vSphere API up to 6.5 (`VirtualMachineGuestOsIdentifier`) for the systems here.
    const VSPHERE_6_5: &str = "centos7_64Guest coreos64Guest debian9_64Guest debian10Guest debian10_64Guest fedora64Guest \
        freebsdGuest freebsd64Guest opensuse64Guest oracleLinux7_64Guest other26xLinux64Guest other3xLinuxGuest \
        other3xLinux64Guest otherGuest otherGuest64 rhel6_64Guest rhel7_64Guest sles11_64Guest sles12_64Guest solaris11_64Guest \
        ubuntuGuest ubuntu64Guest vmwarePhoton64Guest windows7Guest windows7_64Guest windows7Server64Guest windows8_64Guest \
        windows8Server64Guest windows9Guest windows9_64Guest windows9Server64Guest";

    #[test]
    fn keys_are_sorted_and_each_is_there_once() {
        assert!(GUESTS.windows(2).all(|pair| pair[0].key < pair[1].key));
        assert!(GUESTS.iter().all(|guest| by_key(guest.key) == Some(guest)));
        assert_eq!(by_key("debian12_64Guest"), None);
        assert_eq!(other().key, OTHER);
    }

    #[test]
    fn the_default_hardware_s_oldest_host_knows_every_name() {
        for guest in GUESTS {
            assert!(VSPHERE_6_5.split_whitespace().any(|name| name == guest.vmware), "{}: {}", guest.key, guest.vmware);
        }
    }

    #[test]
    fn words_and_widths_agree() {
        for guest in GUESTS {
            let wide = guest.key.ends_with("-64");
            assert_eq!(guest.vmx.ends_with("-64"), wide, "{}", guest.key);
            assert_eq!(guest.virtualbox.ends_with("_64"), wide, "{}", guest.key);
            assert!(guest.name.ends_with(if wide { "(64-bit)" } else { "(32-bit)" }), "{}", guest.key);
            // VMware makes one word of the other so: `debian10-64` and `debian10_64Guest`, `other-64` and `otherGuest64`.
            let plain = |word: &str| {
                word.to_ascii_lowercase().replace(['-', '_'], "").replace("guest", "").replace("srv", "server")
            };
            let (vmx, ovf) = (plain(guest.vmx), plain(guest.vmware));
            assert_eq!(vmx, ovf, "{}", guest.key);
        }
    }
}
