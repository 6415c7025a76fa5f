#!/bin/sh
# Compile a build directory; its output only when it fails.
# usage: tools/compile.sh BUILD_DIR
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "compiling $1"
meson compile -C "$1" >"$log" 2>&1 && exit 0
grep -vE '^\[|^ninja|^INFO' "$log" >&2
exit 1
