//! What commands read: the disks, and what is made of them while a job needs it.

use crate::cores;
use crate::extents::{SLAB, cut, data};
use crate::place::Place;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What is made of the disks, and how. The grown ones are one part of a disk again and again: the same data in each GiB.
const MADE: [(&str, &str); 10] = [
    ("stream.vmdk", "vimage convert -q $disks/debian.raw $disks/stream.vmdk -c"),
    ("zlib.qcow2", "vimage convert -q $disks/debian.raw $disks/zlib.qcow2 -c"),
    ("plain.qcow2", "vimage convert -q $disks/debian.raw $disks/plain.qcow2"),
    ("debian.raw.gz", "pigz -c $disks/debian.raw >$disks/debian.raw.gz"),
    ("scattered.qcow2", "vimage convert -q $disks/scattered.raw $disks/scattered.qcow2"),
    ("part.raw", "dd if=$disks/dirty.raw of=$disks/part.raw bs=64K skip=16 conv=sparse status=none"),
    ("grown-2.raw", "grow 2"),
    ("grown-4.raw", "grow 4"),
    ("grown-8.raw", "grow 8"),
    ("grown-16.raw", "grow 16"),
];

/// Makes a disk of so many GiB of 2 GiB of the Debian disk, again and again; its data ends some 600 MiB into them.
const GROW: &str = "grow() {
    for at in $(seq 0 2 $(($1 - 1))); do
        dd if=$disks/debian.raw of=$disks/grown-$1.raw bs=1M skip=1740 count=2048 seek=$((at * 1024)) conv=sparse,notrunc status=none
    done
    truncate -s $1G $disks/grown-$1.raw
}";

/// The names of the sources that `command` reads.
pub(crate) fn of(command: &str) -> impl Iterator<Item = &str> {
    command.split("$disks/").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-').unwrap_or(rest.len());
        &rest[..end]
    })
}

/// Makes what `commands` read and removes what they do not, so that there is room.
pub(crate) fn make(place: &Place, commands: &[&str]) -> Result<(), String> {
    let read = |name: &str| commands.iter().any(|command| of(command).any(|source| source == name));
    for (name, _) in MADE.iter().filter(|(name, _)| !read(name)) {
        let path = place.disks.join(name);
        if path.exists() {
            std::fs::remove_file(&path).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    for (name, how) in MADE.iter().filter(|(name, _)| read(name)) {
        if !place.disks.join(name).exists() {
            place.prepare(&format!("{GROW}\n{how}"))?;
        }
    }
    forget_others(place, read)?;
    let mut missing = commands.iter().flat_map(|command| of(command)).filter(|name| !place.disks.join(name).exists());
    missing.next().map_or(Ok(()), |name| Err(format!("there is no {name}: benches/disks.sh makes it")))
}

/// Takes the disks that are not `read` out of the page cache: else it is chance whether the system makes room there or in what is.
fn forget_others(place: &Place, read: impl Fn(&str) -> bool) -> Result<(), String> {
    let fault = |error: std::io::Error| format!("{}: {error}", place.disks.display());
    for entry in place.disks.read_dir().map_err(fault)? {
        let entry = entry.map_err(fault)?;
        if !entry.file_name().to_str().is_some_and(&read) {
            let file = File::open(entry.path()).map_err(fault)?;
            fadvise(&file, 0, None, Advice::DontNeed).map_err(|error| fault(error.into()))?;
        }
    }
    Ok(())
}

/// Bytes of data that the sources of `command` hold.
pub(crate) fn size(place: &Place, command: &str) -> Result<u64, String> {
    let slabs = of(command).map(|name| open(place, name)).collect::<Result<Vec<_>, _>>()?;
    Ok(slabs.iter().flat_map(|(_, slabs)| slabs).map(|slab| slab.end - slab.start).sum())
}

/// Brings the sources of `command` into the page cache.
pub(crate) fn read(place: &Place, command: &str) -> Result<(), String> {
    for name in of(command) {
        let (file, slabs) = open(place, name)?;
        cores::each(&slabs, |slab, buffer| {
            buffer.resize((slab.end - slab.start) as usize, 0);
            file.read_exact_at(buffer, slab.start).map_err(|error| format!("{name}: {error}"))
        })?;
    }
    Ok(())
}

/// The source of a name, and its data cut into slabs.
pub(crate) fn open(place: &Place, name: &str) -> Result<(File, Vec<Range<u64>>), String> {
    let fault = |error| format!("{name}: {error}");
    let file = File::open(place.disks.join(name)).map_err(fault)?;
    let slabs = cut(&data(&file).map_err(fault)?, SLAB);
    Ok((file, slabs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_in_commands() {
        let command = "cp $disks/debian.raw disk.raw; x \"$disks/grown-16.raw\" && y <$disks/a.qcow2";
        assert_eq!(of(command).collect::<Vec<_>>(), ["debian.raw", "grown-16.raw", "a.qcow2"]);
    }
}
