#!/bin/sh
# Run every fuzz target for FUZZ_SECONDS.  usage: tools/fuzz.sh BUILD_DIR
# What is found new is kept in BUILD_DIR/corpus, not in the tree.
set -eu
seconds=${FUZZ_SECONDS:-60}
build=$1
for target in "$build"/fuzz/fuzz_*; do
    [ -f "$target" ] && [ -x "$target" ] || continue
    name=${target##*/fuzz_}
    mkdir -p "$build/corpus/$name"
    echo "== $name, $seconds s"
    "$target" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 \
        "$build/corpus/$name" "fuzz/corpus/$name"
done
