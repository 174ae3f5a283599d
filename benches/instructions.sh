#!/usr/bin/env bash
# Counts what the hot paths cost in instructions, on one thread under callgrind, and compares with benches/instructions.txt. Fails
# where a case needs 3 % more than the list says; where one needs 3 % less, says that the list is to be renewed.
#
#   benches/instructions.sh [--renew]
#
# With --renew, writes the list anew instead. Needs valgrind, gungraun-runner of the version in Cargo.lock, e2fsprogs, and a release
# build of vimage.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
list=benches/instructions.txt
counted=target/gungraun/vimage-benches/instructions
benches/compaction-disk.sh
# Cases that are gone must not be counted.
rm -rf "$counted"
cargo bench --locked -p vimage-benches --bench instructions
counts() {
    for out in "$counted"/*/*/callgrind.*.out; do
        name=${out#"$counted/"}
        awk -v name="${name%/*}" '/^summary:/ { print name, $2; exit }' "$out"
    done | sort
}
if [ "${1-}" = --renew ]; then
    counts >"$list"
    exit
fi
counts | awk '
    NR == FNR { listed[$1] = $2; next }
    { seen[$1] = 1; verdict = "" }
    !($1 in listed) { verdict = "is not in the list"; failed = 1 }
    $1 in listed && $2 > listed[$1] * 1.03 { verdict = "MORE than listed"; failed = 1 }
    $1 in listed && $2 < listed[$1] * 0.97 { verdict = "less: to be renewed" }
    { printf "%-44s %12d %12d %+7.2f %%  %s\n", $1, listed[$1], $2, listed[$1] ? ($2 / listed[$1] - 1) * 100 : 0, verdict }
    END {
        for (name in listed) if (!(name in seen)) { print name " is in the list and was not counted"; failed = 1 }
        exit failed
    }' "$list" -
