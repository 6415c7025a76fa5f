#!/bin/sh
# The source tarball: out/pyrycode-relay-VERSION.tar.gz.  usage: tools/dist.sh
# What is committed, with its version and date beside it, since the tarball has
# no git; the same commit gives the same bytes.
set -eu
cd "$(dirname "$0")/.."
if [ ! -e .git ]; then
    echo "make dist needs the repository: this tree was unpacked from a tarball" >&2
    exit 1
fi
version=$(git describe --tags --always)
version=${version#v}
name=pyrycode-relay-$version
mkdir -p out
git archive --format=tar --prefix="$name/" \
    --add-virtual-file="$name/.tarball-version:$version
" --add-virtual-file="$name/.tarball-date:$(git log -1 --format=%ct)
" HEAD | gzip -9n >"out/$name.tar.gz.new"
mv "out/$name.tar.gz.new" "out/$name.tar.gz"
git diff --quiet HEAD || echo "not in it: what is not committed"
echo "built: out/$name.tar.gz"
