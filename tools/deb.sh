#!/bin/sh
# The Debian packages, of what is committed.  usage: tools/deb.sh TARBALL DIR
# Unpacked and built below DIR; the packages are then in DIR.  The same tarball
# gives the same bytes, in whatever folder.
set -eu
tarball=$(realpath "$1")
mkdir -p "$2"
cd "$2"
name=$(basename "$tarball" .tar.gz)
rm -rf "$name" ./*.deb ./*.changes ./*.buildinfo
tar -xzf "$tarball"
cd "$name"
said=$(cat .tarball-version)
date=$(cat .tarball-date)
# A version of Debian begins with a digit: policy, section 5.6.12.  One without
# a tag comes before all that have one.
case $said in
[0-9]*.*) version=$(echo "$said" | tr - +) ;;
*) version=0~$(date -u -d "@$date" +%Y%m%d%H%M%S).g$said ;;
esac
cp -R packaging/debian debian
cat >debian/changelog <<END
pyrycode-relay ($version) unstable; urgency=medium

  * See the changelog of the project.

 -- pyrycode-relay maintainers <maintainers@pyrycode-relay.invalid>  $(date -u -R -d "@$date")
END
log=../build.log
if ! SOURCE_DATE_EPOCH=$date dpkg-buildpackage -us -uc -b >$log 2>&1; then
    tail -n 40 $log >&2
    exit 1
fi
cd ..
rm -rf "$name"
ls ./*.deb
