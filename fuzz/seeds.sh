#!/usr/bin/env bash
# Puts the fixtures' hand-laid VMDKs, small enough to mutate, into the corpus of the targets that want them.
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
ls corpus/open | wc -l
