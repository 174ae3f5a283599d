#!/usr/bin/env bash
# Compaction beside what it replaces: zerofree on the partition, then qemu-img convert. In pairs, on one machine.
#
#   benches/zerofree.sh DIRTY.raw [RUNS]
#
# DIRTY.raw is a disk whose free blocks hold junk, with ext2 to ext4 in its first partition, such as KEEP=DIRTY.raw
# fixtures/check-compaction.sh DISK.raw makes. Needs root (zerofree wants a device), zerofree, qemu-img and /usr/bin/time. zerofree writes
# to the disk, so it gets a copy, which is made outside the time that is taken. Memory is touched before each run, as
# for the other benches. vimage has its output on the disk when it ends; the others leave that to the system.
set -euo pipefail
disk=$(realpath "$1")
runs=${2:-3}
vimage=$(dirname "$(realpath "$0")")/../target/release/vimage
PATH=$PATH:/usr/sbin:/sbin
out=$(mktemp -d "$(dirname "$disk")/zerofree.XXXXXX")
loop=
trap '[ -z "$loop" ] || losetup -d "$loop"; rm -rf "$out"' EXIT
start=$(($(sfdisk -d "$disk" | sed -n 's/.*start= *\([0-9]*\),.*/\1/p' | head -1) * 512))
size=$(($(sfdisk -d "$disk" | sed -n 's/.*size= *\([0-9]*\),.*/\1/p' | head -1) * 512))
settle() { sync; python3 -c 'b = bytes([1]) * (6 << 30)'; cat "$1" >/dev/null; }
timed() { /usr/bin/time -f "%e %M" -o "$out/time" "$@"; }

echo "| run | zerofree + qemu-img s | vimage s | times as fast | bytes | vimage's peak MiB |"
echo "|---|--:|--:|--:|--:|--:|"
for run in $(seq 1 "$runs"); do
    rm -f "$out"/*.qcow2
    cp --sparse=always "$disk" "$out/copy.raw"
    settle "$out/copy.raw"
    loop=$(losetup -f --show -o "$start" --sizelimit "$size" "$out/copy.raw")
    timed bash -c 'zerofree "$0" && losetup -d "$0" && qemu-img convert -f raw -O qcow2 "$1" "$2"' "$loop" "$out/copy.raw" "$out/theirs.qcow2"
    loop=
    read -r theirs _ <"$out/time"
    rm "$out/copy.raw"
    settle "$disk"
    timed "$vimage" convert -q "$disk" "$out/ours.qcow2" --trim
    read -r ours peak <"$out/time"
    awk -v r="$run" -v t="$theirs" -v o="$ours" -v p="$peak" -v s="$(stat -c %s "$out/ours.qcow2")" -v q="$(stat -c %s "$out/theirs.qcow2")" \
        'BEGIN { printf "| %s | %.2f | %.2f | %.2f | %.3f | %d |\n", r, t, o, t / o, s / q, p / 1024 }'
done
