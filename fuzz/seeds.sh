#!/usr/bin/env bash
# Puts images small enough to mutate into the corpus of the targets that want them: the fixtures' hand-laid VMDKs, and qcow2
# and VDI of a disk of a few sectors.
set -euo pipefail
cd "$(dirname "$0")"
laid=$(mktemp -d)
trap 'rm -rf "$laid"' EXIT
cargo run --quiet --release --manifest-path ../Cargo.toml -p vimage-fixtures -- vmdk "$laid" >/dev/null
mkdir -p corpus/open corpus/descriptor
find "$laid" -name '*.vmdk' -size -600k | while read -r file; do
    name=$(echo "${file#"$laid"/}" | tr / -)
    if head -c 4 "$file" | grep -q KDMV; then
        cp "$file" "corpus/open/$name"
    else
        head -c 65536 "$file" >"corpus/descriptor/$name"
    fi
done
vimage() { cargo run --quiet --release --manifest-path ../Cargo.toml --bin vimage -- "$@" >/dev/null; }
{ head -c 70000 /dev/zero; echo some text; head -c 5000 ../Cargo.lock; head -c 9000 /dev/zero; } >"$laid/disk.raw"
number=0
for options in "-o cluster_size=512" "-o cluster_size=512 -c" "-o cluster_size=4k,compat=0.10 -c" "-o cluster_size=16k,extended_l2=on" \
    "-o cluster_size=4k,compression_type=zstd -c" "-o cluster_size=4k,refcount_bits=1" "-B disk.raw -F raw -o cluster_size=4k"; do
    number=$((number + 1))
    # shellcheck disable=SC2086 # the options are words
    vimage convert "$laid/disk.raw" "$laid/$number.qcow2" $options
    cp "$laid/$number.qcow2" "corpus/open/$number.qcow2"
done
ls corpus/open | wc -l

# Disks of guests, as small as each file system goes, for the target that changes bytes of them.
mkdir -p images corpus/guest
guest() { # NAME SIZE MKFS…: a disk that is one volume
    truncate -s "$2" "$laid/guest.raw"
    "${@:3}" "$laid/guest.raw" >/dev/null 2>&1
    vimage convert "$laid/guest.raw" "images/$1.qcow2" -c --force
    rm "$laid/guest.raw"
}
export SOURCE_DATE_EPOCH=1 E2FSPROGS_FAKE_TIME=1 PATH=$PATH:/usr/sbin:/sbin
files=$laid/files
mkdir "$files"
cp ../vimage-core/src/*.rs "$files"
guest ext2 1M mke2fs -q -t ext2 -b 1024 -d "$files"
guest ext4 16M mke2fs -q -t ext4 -d "$files"
guest bigalloc 64M mke2fs -q -t ext4 -O bigalloc -C 16384 -d "$files"
guest xfs5 300M mkfs.xfs -q
guest xfs4 300M mkfs.xfs -q -m crc=0
guest btrfs 128M mkfs.btrfs -q -r "$files"
guest ntfs 8M mkntfs -Q -F -q
guest fat12 1M mkfs.fat -F 12
guest fat16 16M mkfs.fat -F 16
guest fat32 64M mkfs.fat -F 32
guest exfat 16M mkfs.exfat
guest swap 1M mkswap
guest mbr 64M sh -c 'printf "2048,4096,L\n8192,4096,S\n16384,+,Ex\n20480,8192,L\n" | sfdisk -q "$0"'
guest gpt 64M sh -c 'printf "label: gpt\n2048,4096,L\n8192,4096,S\n" | sfdisk -q "$0"'
number=0
for _ in images/*.qcow2; do
    printf "\\$(printf %03o $number)\\001\\002\\000\\000\\004\\377\\000\\001\\200" >"corpus/guest/$number"
    number=$((number + 1))
done
