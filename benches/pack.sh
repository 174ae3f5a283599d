#!/usr/bin/env bash
# Packing a disk as an OVA beside what it replaces: qemu-img convert to streamOptimized, sha256sum and tar. In pairs, on one
# machine, and beside the conversion alone.
#
#   benches/pack.sh DISK.raw [RUNS]
#
# Needs qemu-img and /usr/bin/time. Memory is touched before each run, as for the other benches. vimage has its output on the disk when it
# ends; the others leave that to the system.
set -euo pipefail
disk=$(realpath "$1")
runs=${2:-3}
vimage=$(dirname "$(realpath "$0")")/../target/release/vimage
out=$(mktemp -d "$(dirname "$disk")/pack.XXXXXX")
trap 'rm -rf "$out"' EXIT
settle() { sync; python3 -c 'b = bytes([1]) * (6 << 30)'; cat "$1" >/dev/null; }
timed() { /usr/bin/time -f "%e %M" -o "$out/time" "$@"; }
# The descriptor itself costs nothing: any will do.
echo "<Envelope/>" >"$out/disk.ovf"

echo "| run | qemu-img + sha256sum + tar s | vimage s | times as fast | bytes | the disk alone s | of that | peak MiB |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|"
for run in $(seq 1 "$runs"); do
    rm -f "$out"/*.vmdk "$out"/*.ova "$out"/*.mf
    settle "$disk"
    timed bash -c 'cd "$1" && qemu-img convert -f raw -O vmdk -o subformat=streamOptimized "$0" disk1.vmdk && sha256sum disk.ovf disk1.vmdk > disk.mf &&
        tar cf theirs.ova disk.ovf disk.mf disk1.vmdk' "$disk" "$out"
    read -r theirs _ <"$out/time"
    rm "$out/disk1.vmdk"
    settle "$disk"
    timed "$vimage" convert -q "$disk" "$out/ours.ova"
    read -r ours peak <"$out/time"
    settle "$disk"
    timed "$vimage" convert -q "$disk" "$out/alone.vmdk" -o subformat=streamOptimized
    read -r alone _ <"$out/time"
    awk -v r="$run" -v t="$theirs" -v o="$ours" -v a="$alone" -v p="$peak" -v s="$(stat -c %s "$out/ours.ova")" \
        -v q="$(stat -c %s "$out/theirs.ova")" \
        'BEGIN { printf "| %s | %.2f | %.2f | %.2f | %.3f | %.2f | %.2f | %d |\n", r, t, o, t / o, s / q, a, o / a, p / 1024 }'
done
