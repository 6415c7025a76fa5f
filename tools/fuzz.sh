#!/bin/sh
# Run every fuzz target for FUZZ_SECONDS.  usage: tools/fuzz.sh BUILD_DIR
# What is found new is kept in BUILD_DIR/corpus, not in the tree.
set -eu
seconds=${FUZZ_SECONDS:-60}
build=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "$build"/fuzz/fuzz_*; do
    [ -f "$target" ] && [ -x "$target" ] || continue
    name=${target##*/fuzz_}
    mkdir -p "$build/corpus/$name"
    printf '%-12s %4s s ' "$name" "$seconds"
    if ! "$target" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$build/$name-" "$build/corpus/$name" \
        "fuzz/corpus/$name" >"$log" 2>&1; then
        echo "FAILED; the input is in $build/$name-*"
        cat "$log"
        exit 1
    fi
    sed -n 's/^stat::number_of_executed_units: */ runs /p' "$log"
done
