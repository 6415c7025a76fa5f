#!/bin/sh
# The version string where the build is given none: git describe of the source
# tree, what a tarball was made with, else dev.
set -eu
cd "$(dirname "$0")/.."
if [ -e .git ] && version=$(git describe --tags --always --dirty 2>/dev/null); then
    echo "${version#v}"
elif [ -e .tarball-version ]; then
    cat .tarball-version
else
    echo dev
fi
