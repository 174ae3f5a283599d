#!/usr/bin/env bash
# Runs the targets one after the other, and prints a row for each: executions, coverage (edges and features), seconds of processor time.
#
#   fuzz/run.sh                    a short run of each from the first inputs, the same every time: what CI does
#   fuzz/run.sh SECONDS [TARGET…]  so long each, on and on from the corpus
#
# The corpus is fuzz/corpus, or VIMAGE_CORPUS. What is found is put into fuzz/artifacts. VIMAGE_SANITIZER=address builds it with that sanitizer.
set -euo pipefail
cd "$(dirname "$0")"
export RUSTC_BOOTSTRAP=1
seconds=${1:-}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
corpus=${VIMAGE_CORPUS:-corpus}
# No input takes so long, nor so much: memory of Rust is bounded in src/lib.rs, and that of libraries in C by this.
limits=(-timeout=20 -rss_limit_mb=2048 -print_final_stats=1)
# Executions of a short run: a few seconds for each target.
declare -A short=([open]=8000 [image]=2000 [stream]=4000 [descriptor]=20000 [guest]=6000 [package]=1000 [seven_zip]=4000 [ovf]=40000
    [appliance]=6000 [manifest]=100000 [round_trip]=2000)

sanitizer=${VIMAGE_SANITIZER:-none}
folder=target
[ "$sanitizer" = none ] || folder=target/$sanitizer
# libdeflate has tables for each kind of processor under one name.
export ASAN_OPTIONS=detect_odr_violation=0
cargo fuzz build --sanitizer "$sanitizer" --codegen-units 16 --target-dir "$folder"
built=$folder/$(rustc -vV | sed -n 's/^host: //p')/release
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
status=0
printf '%-12s %12s %8s %8s %8s\n' target executions edges features seconds
for target in "${targets[@]}"; do
    mkdir -p "artifacts/$target" "$corpus/$target"
    if [ -n "$seconds" ]; then
        length=("-max_total_time=$seconds" "-max_len=300000" "$corpus/$target")
    else
        mkdir "$scratch/$target"
        length=("-runs=${short[$target]}" -seed=1 -max_len=100000 "$scratch/$target" "$corpus/$target")
    fi
    TIMEFORMAT='%U %S'
    { time "$built/$target" "${limits[@]}" "-artifact_prefix=artifacts/$target/" "${length[@]}" >"$scratch/log" 2>&1 || failed=$?; } 2>"$scratch/time"
    reached() { grep -oE "$1" "$scratch/log" | tail -1 | grep -oE '[0-9]+' || echo -; }
    printf '%-12s %12s %8s %8s %8.0f\n' "$target" "$(reached '^#[0-9]+')" "$(reached 'cov: [0-9]+')" "$(reached 'ft: [0-9]+')" \
        "$(awk '{ print $1 + $2 }' "$scratch/time")"
    if [ "${failed:-0}" != 0 ]; then
        grep -m1 -A3 -E 'panicked at|ERROR: libFuzzer' "$scratch/log" || tail -5 "$scratch/log"
        grep -E 'Test unit written' "$scratch/log" || true
        status=1 failed=0
    fi
done
exit $status
