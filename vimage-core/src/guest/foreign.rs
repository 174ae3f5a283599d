//! What is known by its mark and not looked into: encrypted volumes, members of arrays, other file systems.
//!
//! The marks are those that libblkid's probes look for, and the formats' own headers: cryptsetup's on-disk formats, Linux's
//! include/uapi/linux/raid/md_p.h, fs/*/ and include/linux/*_fs.h, DRBD's drbd_meta_data.h, OpenZFS's vdev_label.c.

use super::volume::Volume;
use super::{FILE_SYSTEMS, partitions};
use crate::error::Result;

/// Where a mark stands.
enum At {
    /// At one of these bytes.
    Start(&'static [u64]),
    /// So many bytes before the end, and so many behind that, where the volume's size counts in whole units of the third.
    End(u64, u64, u64),
}
use At::{End, Start};

/// Names as people write them, places and bytes.
const MARKS: &[(&str, At, &[u8])] = &[
    // Encryption, and what checks or maps blocks.
    ("LUKS", Start(&[0]), b"LUKS\xba\xbe"),
    (
        "LUKS",
        Start(&[0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x10_0000, 0x20_0000, 0x40_0000]),
        b"SKUL\xba\xbe",
    ),
    ("BitLocker", Start(&[3]), b"-FVE-FS-"),
    // To Go, which shows a small FAT to those who do not know it: encrypted whole, and in its used part only.
    ("BitLocker", Start(&[424]), b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"),
    ("BitLocker", Start(&[424]), b"\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8"),
    ("dm-verity", Start(&[0]), b"verity\0\0"),
    ("dm-integrity", Start(&[0]), b"integrt\0"),
    ("a snapshot's store", Start(&[0]), b"SnAp\x01\0\0\0"),
    ("VDO", Start(&[0]), b"dmvdo001"),
    ("Stratis", Start(&[516, 4612]), b"!Stra0tis\x86\xff\x02^\x41rh"),
    ("bcache", Start(&[4120]), b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
    ("bcachefs", Start(&[4120]), b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"),
    // Members of arrays. Those with their mark at the end show at their start what the array holds.
    ("MD RAID member", Start(&[0, 4096]), b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
    ("MD RAID member", End(8192, 0, 4096), b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
    ("MD RAID member", End(65536, 0, 65536), b"\xfc\x4e\x2b\xa9\0\0\0\0\x5a\0\0\0"),
    ("MD RAID member", End(65536, 0, 65536), b"\xa9\x2b\x4e\xfc\0\0\0\0\0\0\0\x5a"),
    ("Intel RAID member", End(1024, 0, 512), b"Intel Raid ISM Cfg Sig. "),
    ("DDF RAID member", End(512, 0, 512), b"\xde\x11\xde\x11"),
    ("DRBD", End(4096, 60, 512), b"\x83\x74\x02\x6b"),
    ("DRBD", End(4096, 60, 512), b"\x83\x74\x02\x6c"),
    ("DRBD", End(4096, 60, 512), b"\x83\x74\x02\x6d"),
    ("LVM1", Start(&[0]), b"HM\x01\0"),
    ("Windows dynamic disk", Start(&[3072]), b"PRIVHEAD"),
    // The first name in the list that each of a ZFS volume's four labels holds.
    ("ZFS", Start(&[16384 + 20, 262_144 + 16384 + 20]), b"\0\0\0\x07version\0"),
    ("ZFS", End(524_288, 16384 + 20, 262_144), b"\0\0\0\x07version\0"),
    ("ZFS", End(262_144, 16384 + 20, 262_144), b"\0\0\0\x07version\0"),
    ("Ceph BlueStore", Start(&[0]), b"bluestore block device"),
    ("VMFS", Start(&[0x10_0000]), b"\x0d\xd0\x01\xc0"),
    ("VMFS", Start(&[0x20_0000]), b"\x5e\xf1\xab\x2f"),
    // File systems.
    ("ReFS", Start(&[0]), b"\0\0\0ReFS\0"),
    ("F2FS", Start(&[1024]), b"\x10\x20\xf5\xf2"),
    ("NILFS2", Start(&[1024]), b"\x02\0\0\0\0\0\x34\x34"),
    ("EROFS", Start(&[1024]), b"\xe2\xe1\xf5\xe0"),
    ("HFS+", Start(&[1024]), b"H+\0\x04"),
    ("HFS+", Start(&[1024]), b"HX\0\x05"),
    ("APFS", Start(&[32]), b"NXSB"),
    ("SquashFS", Start(&[0]), b"hsqs"),
    ("cramfs", Start(&[0]), b"\x45\x3d\xcd\x28"),
    ("romfs", Start(&[0]), b"-rom1fs-"),
    ("JFS", Start(&[32768]), b"JFS1\x01\0\0\0"),
    ("JFS", Start(&[32768]), b"JFS1\x02\0\0\0"),
    ("ReiserFS", Start(&[8192 + 52, 65536 + 52]), b"ReIsErFs"),
    ("ReiserFS", Start(&[65536 + 52]), b"ReIsEr2Fs"),
    ("ReiserFS", Start(&[65536 + 52]), b"ReIsEr3Fs"),
    ("Reiser4", Start(&[65536]), b"ReIsEr4"),
    ("UFS", Start(&[8192 + 1372, 65536 + 1372, 262_144 + 1372]), b"\x54\x19\x01\x00"),
    ("UFS", Start(&[8192 + 1372, 65536 + 1372, 262_144 + 1372]), b"\x00\x01\x19\x54"),
    ("UFS", Start(&[8192 + 1372, 65536 + 1372, 262_144 + 1372]), b"\x19\x01\x54\x19"),
    ("UFS", Start(&[8192 + 1372, 65536 + 1372, 262_144 + 1372]), b"\x19\x54\x01\x19"),
    ("GFS2", Start(&[65536]), b"\x01\x16\x19\x70\0\0\0\x01"),
    ("OCFS2", Start(&[1024, 2048, 4096, 8192]), b"OCFSV2"),
    ("ISO 9660", Start(&[32769]), b"CD001"),
    ("UDF", Start(&[32769]), b"BEA01"),
];

/// What the volume is, where it carries a mark that is known here, or is divided as a disk of its own: a file system that
/// seems to be on it may then be a leftover.
///
/// # Errors
/// Those of reading.
pub(super) fn recognise(volume: &Volume<'_>) -> Result<Option<&'static str>> {
    Ok(match marked(volume)? {
        None if partitions::divides(volume)? => Some("a partition table"),
        found => found,
    })
}

fn marked(volume: &Volume<'_>) -> Result<Option<&'static str>> {
    for (name, at, bytes) in MARKS {
        let from_end;
        let places = match *at {
            Start(places) => places,
            End(before, behind, unit) => {
                // Past every volume's end, where the volume is too small.
                from_end = [(volume.size() / unit * unit).checked_sub(before).map_or(u64::MAX, |place| place + behind)];
                &from_end
            }
        };
        for place in places {
            if place.checked_add(bytes.len() as u64).is_some_and(|end| end <= volume.size())
                && volume.read(*place, bytes.len())? == *bytes
            {
                return Ok(Some(name));
            }
        }
    }
    Ok(None)
}

/// What the volume holds by any mark that is known, whether it is looked into or not. Partition tables are none.
///
/// # Errors
/// Those of reading.
pub(super) fn anything(volume: &Volume<'_>) -> Result<Option<&'static str>> {
    for system in FILE_SYSTEMS {
        if let Some(kind) = system.recognise(volume)? {
            return Ok(Some(kind));
        }
    }
    marked(volume)
}
