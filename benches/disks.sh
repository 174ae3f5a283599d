#!/usr/bin/env bash
# Makes the disks that vimage-benches measures on, each unless it is there.
#
#   benches/disks.sh FOLDER
#
#   debian.raw     8 GiB, a Debian system with 2.4 GB of data; as root, with mmdebstrap, in some minutes
#   dirty.raw      the same after 4 GB of junk were written and deleted; as root
#   random.raw     2 GiB that do not compress
#   zeros.raw      4 GiB of zeros, all written
#   scattered.raw  1 TiB, with 64 KiB of random data at each of 16,384 places
#   one.qcow2      1 GiB of random data
#   vast.qcow2     64 TiB, with the same at 1,024 places, 1 MiB each
#
# They take 19 GB. Needs what fixtures/debian-disk.sh and fixtures/dirty-disk.sh need, openssl, python3, qemu-img and a tmpfs on /dev/shm with room for
# 1 GiB: other file systems take no file of 64 TiB.
set -euo pipefail
fixtures=$(realpath "$(dirname "$0")/../fixtures")
mkdir -p "$1"
cd "$1"
scratch=
trap 'rm -rf ./*.part "$scratch"' EXIT

# Runs a command with the name of a file that does not exist, which then becomes NAME.
make() { # NAME COMMAND…
    [ ! -e "$1" ] || return 0
    echo "$1"
    "${@:2}" "$1.part"
    mv "$1.part" "$1"
}

random() { head -c 2G /dev/zero | openssl enc -aes-256-ctr -nosalt -K "$(printf '%064d' 1)" -iv "$(printf '%032d' 0)" -out "$1"; }
zeros() { dd if=/dev/zero of="$1" bs=1M count=4096 status=none; }
# Writes the first GiB of random.raw in pieces of PIECE bytes, the first at 0 and each DISTANCE behind the one before, on a disk of SIZE.
spread() { # PIECE DISTANCE SIZE FILE
    python3 - "$@" <<'PYTHON'
import sys
piece, distance, size = map(int, sys.argv[1:4])
with open("random.raw", "rb") as data, open(sys.argv[4], "wb") as disk:
    disk.truncate(size)
    for number in range((1 << 30) // piece):
        disk.seek(number * distance)
        disk.write(data.read(piece))
PYTHON
}
# The same as qcow2, written by another tool than ours.
spread_qcow2() { # PIECE DISTANCE SIZE FILE
    scratch=$(mktemp -d /dev/shm/disks.XXXXXX)
    spread "$1" "$2" "$3" "$scratch/disk"
    qemu-img convert -f raw -O qcow2 "$scratch/disk" "$4"
    rm -r "$scratch"
}

make debian.raw "$fixtures/debian-disk.sh"
make dirty.raw "$fixtures/dirty-disk.sh" debian.raw
make random.raw random
make zeros.raw zeros
make scattered.raw spread $((64 << 10)) $((64 << 20)) $((1 << 40))
make one.qcow2 spread_qcow2 $((1 << 20)) $((1 << 20)) $((1 << 30))
make vast.qcow2 spread_qcow2 $((1 << 20)) $((64 << 30)) $((64 << 40))
