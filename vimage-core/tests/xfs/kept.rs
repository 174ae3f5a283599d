//! What is kept whole, and why.

use super::layout::{Subject, number};
use super::{MIB, TOOLS, Told, field, is_kept, make};
use crate::guest::{Scratch, have, noise, only, peek, poke, survey_of};
use std::fs::File;

#[test]
fn what_contradicts_is_kept_whole() {
    if !have("what_contradicts_is_kept_whole", &TOOLS) {
        return;
    }
    for (options, version) in [(&["-d", "agcount=2"][..], 5), (&["-m", "crc=0", "-d", "agcount=2"], 4)] {
        let mut subject = Subject::made(64 * MIB, options);
        let before: Vec<_> = survey_of(subject.disk()).unused.iter().cloned().collect();
        let sealed = version == 5;
        let (agf, header) = (subject.layout.agf(0), if sealed { 56 } else { 16 });
        if sealed {
            for (at, why) in [
                (0x6c, "the superblock has a wrong checksum"),
                (agf + 0x60, "header of free space with a wrong checksum"),
                (agf + subject.layout.sector + 0x150, "header of inodes with a wrong checksum"),
                (agf + 2 * subject.layout.sector + 0x100, "set aside with a wrong checksum"),
                (subject.layout.tree_root(subject.disk(), 0, 4) + 2000, "wrong checksum"),
                (subject.layout.tree_root(subject.disk(), 1, 5) + 2000, "wrong checksum"),
                (subject.layout.at(1, 0) + 0x6c, "superblock of allocation group 1 has a wrong checksum"),
            ] {
                let byte = peek(subject.disk(), at, 1)[0] ^ 0x10;
                subject.put(at, &[byte]).whole(why);
            }
        }
        // The superblock.
        subject.superblock(0x08, &(65 * MIB / 4096).to_be_bytes(), "blocks of 4096 bytes in a volume of");
        subject.superblock(0x54, &5000_u32.to_be_bytes(), "allocation groups");
        subject.superblock(0x58, &3_u32.to_be_bytes(), "allocation groups");
        subject.superblock(0x78, &[13], "blocks of 4096");
        subject.superblock(0x60, &0x7fff_ffff_u32.to_be_bytes(), "has a log of");
        subject.superblock(0x30, &1_u64.to_be_bytes(), "log");
        let free = field(subject.disk(), "sb 0", "fdblocks");
        subject.superblock(0x90, &(free + 1).to_be_bytes(), "the superblock counts");
        subject.put(subject.layout.at(1, 0), b"XFSC").whole("allocation group 1 is not there");
        // The AGF.
        subject.agf(0, |magic| magic + 1, "no header of free space");
        subject.agf(2, |group| group + 1, "no header of free space");
        subject.agf(3, |blocks| blocks - 1, "no header of free space");
        subject.agf(7, |_| 2, "level");
        subject.agf(7, |_| 0, "0 levels");
        subject.agf(7, |_| 10, "10 levels");
        subject.agf(8, |_| 0xffff_ffff, "levels");
        subject.agf(4, |_| 0xffff_fff0, "points to block");
        subject.agf(4, |_| 0, "points to block 0");
        subject.agf(10, |_| 0x1000, "impossible list");
        subject.agf(12, |count| count - 1, "impossible list");
        subject.agf(13, |free| free - 1, "free blocks");
        subject.agf(14, |longest| longest - 1, "in a row");
        subject.agf(15, |blocks| blocks + 1, "blocks of trees");
        let by_size = number(subject.disk(), agf + 5 * 4);
        subject.agf(4, |_| by_size, "no block of that tree");
        // A block of the list that is free.
        let root = subject.layout.tree_root(subject.disk(), 0, 4);
        let (start, blocks) = (number(subject.disk(), root + header), number(subject.disk(), root + header + 4));
        let first = u64::from(number(subject.disk(), agf + 10 * 4)) * 4 + if sealed { 36 } else { 0 };
        let list = subject.layout.list(0);
        subject.put_sealed(list, first, &(start + 1).to_be_bytes()).whole("free, which is in use");
        subject.put_sealed(list, first, &0xffff_ffff_u32.to_be_bytes()).whole("points to block");
        // The tree by place: what it says is in no other order and of no other length.
        subject.tree(root, &[(header, start - 1)], "do not agree");
        subject.tree(root, &[(header, 0)], "calls");
        subject.tree(root, &[(header + 4, 0)], "calls 0 blocks");
        subject.tree(root, &[(header + 4, 0xffff_ffff)], "calls");
        subject.tree(root, &[(header + 4, blocks - 1)], "do not agree");
        subject.tree(root, &[(4, 0x0000_ffff)], "number of records");
        subject.tree(root, &[(4, 0x0001_0001)], "level");
        subject.tree(root, &[(8, 17)], "neighbour");
        subject.tree(root, &[(12, 17)], "neighbour");
        if sealed {
            subject.tree(root, &[(20, 17)], "belongs elsewhere");
            subject.tree(root, &[(36, 17)], "belongs elsewhere");
            subject.tree(root, &[(48, 17)], "belongs elsewhere");
        }
        // A root that is its own child.
        let block = number(subject.disk(), agf + 4 * 4);
        let most = (4096 - header) / 12;
        subject.put_sealed(subject.layout.space_header(0), 7 * 4, &2_u32.to_be_bytes());
        subject.tree(root, &[(4, 0x0001_0001), (header + most * 8, block)], "level");
        // Both trees call a root free, and count it.
        let inode_root = number(subject.disk(), agf + subject.layout.sector + 5 * 4);
        for tree in [root, subject.layout.tree_root(subject.disk(), 0, 5)] {
            let extent = (tree + header..).step_by(8).find(|&at| number(subject.disk(), at) == start).unwrap();
            subject.put_sealed(subject.layout.tree(tree), extent - tree, &inode_root.to_be_bytes());
        }
        subject.whole("free, which is in use");
        // All is as it was.
        assert_eq!(survey_of(subject.disk()).unused.iter().cloned().collect::<Vec<_>>(), before);
    }
}

#[test]
fn what_is_not_known_is_kept_whole() {
    if !have("what_is_not_known_is_kept_whole", &TOOLS) {
        return;
    }
    let mut new = Subject::made(64 * MIB, &[]);
    let incompatible = number(new.disk(), 0xd8);
    let mut with = |bit: u32, why: &str| new.superblock(0xd8, &(incompatible | bit).to_be_bytes(), why);
    assert_eq!(with(0x10, "needing repair").hint.as_deref(), Some("run xfs_repair on it"));
    with(0x100, "metadata directory");
    with(0x200, "zones");
    with(0x400, "incompatible features that are not known: 0x400");
    with(0x8000_0000, "0x80000000");
    let compatible = number(new.disk(), 0xd4);
    new.superblock(0xd4, &(compatible | 0x10).to_be_bytes(), "read-only compatible features that are not known: 0x10");
    new.superblock(0xd0, &1_u32.to_be_bytes(), "compatible features that are not known: 0x1");
    new.superblock(0xdc, &2_u32.to_be_bytes(), "log features that are not known: 0x2");
    new.superblock(0x7e, &[1], "mkfs");
    new.superblock(0x10, &100_u64.to_be_bytes(), "realtime");
    new.superblock(0x30, &0_u64.to_be_bytes(), "log on another device");
    new.superblock(0x65, &[0xb6], "version 6");

    let mut old = Subject::made(64 * MIB, &["-m", "crc=0"]);
    let version = number(old.disk(), 0x64) >> 16;
    let number_of = |bits: u32| (bits as u16).to_be_bytes();
    old.superblock(0x64, &number_of(version | 0x200), "version features that are not known: 0x200");
    old.superblock(0x64, &number_of(version & !0x2000), "directories of version 1");
    old.superblock(0x64, &number_of(version & !15 | 3), "version 3");
    let features = number(old.disk(), 0xc8);
    old.superblock(0xc8, &(features | 0x10).to_be_bytes(), "features2 features that are not known: 0x10");
    old.superblock(0xcc, &(features | 0x4000).to_be_bytes(), "features2 features that are not known: 0x4000");
    old.superblock(0xc8, &(features | 0x100).to_be_bytes(), "checksums");
}

#[test]
fn a_log_that_is_not_proven_clean_is_kept() {
    if !have("a_log_that_is_not_proven_clean_is_kept", &TOOLS) {
        return;
    }
    for options in [&["-l", "size=8m"][..], &["-m", "crc=0", "-l", "version=1,size=8m"], &["-s", "size=4096"]] {
        let mut subject = Subject::made(64 * MIB, options);
        let log = subject.layout.log(subject.disk());
        let end = log + field(subject.disk(), "sb 0", "logblocks") * subject.layout.block;
        // What mkfs leaves: a record with one operation, which unmounts.
        assert_eq!(peek(subject.disk(), log, 4), [0xfe, 0xed, 0xba, 0xbe]);
        let flags = log + 512 + 9;
        assert_eq!(peek(subject.disk(), flags, 1), [0x20]);
        subject.put(flags, &[0x10]).whole("not unmounted");
        subject.put(flags - 1, &[0x69]).whole("not unmounted");
        subject.put(flags + 3, b"TR").whole("not unmounted");
        subject.put(log + 40, &2_u32.to_be_bytes()).whole("not unmounted");
        subject.put(log, &[0; 4]).whole("log");
        subject.put(log + 4, &2_u32.to_be_bytes()).whole("log");
        subject.put(log + 8, &3_u32.to_be_bytes()).whole("makes no sense");
        subject.put(log + 12, &0x1000_u32.to_be_bytes()).whole("does not end at its head");
        subject.put(log + 12, &0_u32.to_be_bytes()).whole("makes no sense");
        subject.put(log + 12, &0xffff_ffff_u32.to_be_bytes()).whole("makes no sense");
        subject.put(log + 16, &2_u32.to_be_bytes()).whole("makes no sense");
        subject.put(log + 0x130, &[7; 16]).whole("another file system");
        // Something written behind the record, next to it and further on.
        let head = (log..end).step_by(512).find(|&at| number(subject.disk(), at) == 0).unwrap();
        subject.put(head, &1_u32.to_be_bytes()).whole("does not end at its head");
        subject.put(head + 512 * 5, &1_u32.to_be_bytes()).whole("one turn");
        subject.put(end - 512, &1_u32.to_be_bytes()).whole("one turn");
        subject.put(log + MIB, &[0xfe, 0xed, 0xba, 0xbe, 0, 0, 0, 1]).whole("one turn");
        let kept = subject.put(log, &vec![0; (head - log) as usize]).whole("log");
        assert_eq!(kept.hint.as_deref(), Some("mount and unmount it once"));
    }
}

#[test]
fn what_lies_elsewhere_is_kept_whole() {
    if !have("what_lies_elsewhere_is_kept_whole", &TOOLS) {
        return;
    }
    let scratch = Scratch::of(64 * MIB);
    let other = scratch.path("other.raw");
    File::create(&other).unwrap().set_len(64 * MIB).unwrap();
    make(&scratch.disk, &["-l", &format!("logdev={},size=16m", other.display())]);
    is_kept(&scratch.disk, "its log on another device");
    make(&scratch.disk, &["-f", "-r", &format!("rtdev={},size=32m", other.display())]);
    is_kept(&scratch.disk, "a realtime section on another device");
    // Cut off, and with something behind its end.
    make(&scratch.disk, &["-f"]);
    let disk = File::options().write(true).open(&scratch.disk).unwrap();
    let told = Told::of(&scratch.disk);
    disk.set_len(96 * MIB).unwrap();
    poke(&scratch.disk, 80 * MIB, &noise(1, 100));
    told.is(&survey_of(&scratch.disk));
    disk.set_len(63 * MIB).unwrap();
    is_kept(&scratch.disk, "in a volume of");
    // Nothing at all.
    disk.set_len(512).unwrap();
    is_kept(&scratch.disk, "");
    disk.set_len(511).unwrap();
    assert_eq!(only(&survey_of(&scratch.disk)).kind, None);
}

/// A disk of nothing but noise behind the mark.
#[test]
fn noise_is_kept_whole() {
    let scratch = Scratch::of(MIB);
    for seed in 0..300 {
        poke(&scratch.disk, 0, &noise(seed, 8192));
        poke(&scratch.disk, 0, b"XFSB");
        is_kept(&scratch.disk, "");
    }
}
