#!/bin/sh
# The date of the source as seconds since 1970: what SOURCE_DATE_EPOCH says,
# the last commit's, or the one that a tarball was made with.
set -eu
cd "$(dirname "$0")/.."
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    echo "$SOURCE_DATE_EPOCH"
elif [ -e .git ] && date=$(git log -1 --format=%ct 2>/dev/null); then
    echo "$date"
elif [ -e .tarball-date ]; then
    cat .tarball-date
else
    echo 0
fi
