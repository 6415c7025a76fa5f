#!/bin/sh
# The source tarball: out/pyrycode-relay-VERSION.tar.gz.  usage: tools/dist.sh
# What is committed, or without git what is there, with its version and date
# beside it; the same source gives the same bytes.
set -eu
cd "$(dirname "$0")/.."
date=$(tools/source_date.sh)
mkdir -p out

pack_commit() {
    git archive --format=tar --prefix="$name/" \
        --add-virtual-file="$name/.tarball-version:$version
" --add-virtual-file="$name/.tarball-date:$date
" HEAD
    git diff --quiet HEAD || echo "not in it: what is not committed" >&2
}

pack_tree() {
    copy=out/dist.$$
    mkdir -p "$copy/$name"
    tar -cf - --exclude=./build --exclude=./out --exclude=__pycache__ --exclude=.pytest_cache . | tar -xf - -C "$copy/$name"
    echo "$version" >"$copy/$name/.tarball-version"
    echo "$date" >"$copy/$name/.tarball-date"
    tar -cf - -C "$copy" --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner "$name"
    rm -rf "$copy"
}

if [ -e .git ] && version=$(git describe --tags --always 2>/dev/null); then
    version=${version#v}
    pack=pack_commit
else
    version=$(tools/version.sh)
    pack=pack_tree
fi
name=pyrycode-relay-$version
$pack >"out/$name.tar"
gzip -9nf "out/$name.tar"
echo "built: out/$name.tar.gz"
