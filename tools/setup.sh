#!/bin/sh
# Set a build directory up; meson's output only when it fails.
# usage: tools/setup.sh BUILD_DIR MESON_OPTION...
log=$(mktemp)
trap 'rm -f "$log"' EXIT
meson setup "$@" >"$log" 2>&1 && exit 0
cat "$log" >&2
exit 1
