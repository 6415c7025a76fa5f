#!/bin/sh
# The SBOM of what was installed, beside it: an install script of meson, after
# files were stripped.  usage: sbom_install.sh VERSION LIBDIR DATADIR
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
to=$MESON_INSTALL_DESTDIR_PREFIX
SOURCE_DATE_EPOCH=$("$tools/source_date.sh")
export SOURCE_DATE_EPOCH
mkdir -p "$to/$3/doc/pyrycode-relay"
"$tools/sbom.py" --version "$1" "$to/bin/pyrycode-relay" "$to/bin/posture" "$to/$2/libposture.so.0.1.0" \
    >"$to/$3/doc/pyrycode-relay/sbom.spdx.json"
