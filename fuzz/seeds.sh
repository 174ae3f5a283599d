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
