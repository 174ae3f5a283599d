#!/usr/bin/env bash
# Makes the disk on which compaction is counted: ext4 with files that stay between files that were deleted, the same on every
# machine with this e2fsprogs. As target/compaction/disk.raw, and as qcow2 beside it. Needs e2fsprogs, a built vimage and no root.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
export E2FSPROGS_FAKE_TIME=1700000000 LC_ALL=C
folder=target/compaction
rm -rf "$folder"
mkdir -p "$folder/files"
for number in $(seq 1 120); do
    seq "$number" $((number * 700 + 20000)) >"$folder/files/file-$number"
done
find "$folder/files" -exec touch -d @1700000000 {} +
truncate -s 256M "$folder/disk.raw"
mke2fs -q -F -t ext4 -U 6ba7b810-9dad-41d1-80b4-00c04fd430c8 -E hash_seed=6ba7b811-9dad-41d1-80b4-00c04fd430c8,root_owner=0:0 \
    -d "$folder/files" "$folder/disk.raw"
seq 1 2 120 | sed 's/^/rm file-/' >"$folder/delete"
debugfs -w -f "$folder/delete" "$folder/disk.raw" >/dev/null 2>&1
e2fsck -fn "$folder/disk.raw" >/dev/null 2>&1
# Left to itself, the file has space that was set aside and never written, which is data or a hole by what the page cache happens to
# hold of it. Every block of zeros is a hole in this copy.
cp --sparse=always "$folder/disk.raw" "$folder/sparse.raw"
mv "$folder/sparse.raw" "$folder/disk.raw"
target/release/vimage convert -q "$folder/disk.raw" "$folder/disk.qcow2"
rm -r "$folder/files" "$folder/delete"
# Where the holes of a file are can depend on whether it is on the disk yet.
sync "$folder"/disk.*
ls -ls "$folder"
