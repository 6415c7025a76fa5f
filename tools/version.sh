#!/bin/sh
# The version string: the argument if there is one, else git describe of the
# source tree, else dev.
set -eu
if [ -n "${1:-}" ]; then
    echo "$1"
    exit 0
fi
cd "$(dirname "$0")/.."
if [ -e .git ] && version=$(git describe --tags --always --dirty 2>/dev/null); then
    echo "${version#v}"
else
    echo dev
fi
