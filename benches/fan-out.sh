#!/usr/bin/env bash
# A disk to several outputs in one run, beside the slowest of them alone. In pairs, on one machine.
#
#   benches/fan-out.sh DISK.raw [RUNS]
#
# Needs /usr/bin/time and cmp. Before each run, what was written is removed, all is synced, memory is touched and the disk read, outside
# the time that is taken. Every output is compared with that of its own run once.
set -euo pipefail
disk=$(realpath "$1")
runs=${2:-5}
vimage=$(dirname "$(realpath "$0")")/../target/release/vimage
out=$(mktemp -d "$(dirname "$disk")/fan-out.XXXXXX")
trap 'rm -rf "$out"' EXIT
settle() { sync; python3 -c 'b = bytes([1]) * (6 << 30)'; cat "$disk" >/dev/null; }
timed() { /usr/bin/time -f "%e %U %M" -o "$out/time" "$vimage" convert -q "$disk" "$@"; }

# Each list with the outputs that it has, the slowest of which is found by running each once.
lists=("vmdk,qcow2,vdi,ova" "vmdk:subformat=streamOptimized,ova,raw:file=disk.raw,qcow2")
alone() {
    case $1 in
    ova) timed "$out/disk.ova" ;;
    vmdk:subformat=streamOptimized) timed "$out/disk.vmdk" -c ;;
    raw:file=disk.raw) timed "$out/disk.raw" ;;
    *) timed "$out/disk.$1" ;;
    esac
}
outputs() { tr ',' '\n' <<<"$1"; }

echo "| outputs | slowest alone | alone s | all together s | of that (range) | the sum of all alone s | peak MiB |"
echo "|---|---|--:|--:|--:|--:|--:|"
for list in "${lists[@]}"; do
    slowest="" most=0 sum=0
    mkdir "$out/each"
    while read -r one; do
        settle
        alone "$one"
        read -r seconds _ <"$out/time"
        mv "$out"/disk.* "$out/each/"
        sum=$(awk -v a="$sum" -v b="$seconds" 'BEGIN { print a + b }')
        if awk -v a="$seconds" -v b="$most" 'BEGIN { exit !(a > b) }'; then most=$seconds slowest=$one; fi
    done < <(outputs "$list")
    settle
    timed "$out/disk" -O "$list"
    for file in "$out"/each/*; do cmp "$file" "$out/$(basename "$file")"; done
    rm -rf "$out/each" "$out"/disk.*
    : >"$out/pairs"
    for _ in $(seq 1 "$runs"); do
        settle
        alone "$slowest"
        read -r one _ <"$out/time"
        rm -f "$out"/disk.*
        settle
        timed "$out/disk" -O "$list"
        read -r all _ peak <"$out/time"
        rm -f "$out"/disk.*
        echo "$one $all $(awk -v a="$all" -v b="$one" 'BEGIN { printf "%.2f", a / b }') $peak" >>"$out/pairs"
    done
    middle() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
    column() { awk -v c="$1" '{ print $c }' "$out/pairs"; }
    printf '| `%s` | `%s` | %s | %s | %s (%s–%s) | %.1f | %d |\n' "$list" "$slowest" "$(column 1 | middle)" "$(column 2 | middle)" \
        "$(column 3 | middle)" "$(column 3 | sort -n | head -1)" "$(column 3 | sort -n | tail -1)" "$sum" "$(($(column 4 | sort -n | tail -1) / 1024))"
done
