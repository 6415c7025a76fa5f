#!/bin/sh
# Install the packages of packages/NAME.txt that are missing.
# usage: tools/install-packages.sh NAME...
set -eu
cd "$(dirname "$0")/.."
wanted=$(for name in "$@"; do sed 's/#.*//' "packages/$name.txt"; done | xargs)
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # Not Debian: the tools must be there; the list says what to install.
    for tool in gcc meson ninja pkg-config; do
        command -v "$tool" >/dev/null && continue
        echo "missing: $tool; install what these Debian packages hold: $wanted" >&2
        exit 1
    done
    exit 0
fi
missing=
for package in $wanted; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "missing packages, and neither root nor sudo here:$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# Some hold a service beside the tool that is wanted: prometheus, haproxy, nginx.
# None is started now, see policy-rc.d(8), and none at the next boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$sudo rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod 755 $policy
fi
# shellcheck disable=SC2086
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
for service in haproxy nginx prometheus; do
    case " $missing " in
    *" $service "*) $sudo update-rc.d $service disable >/dev/null 2>&1 || true ;;
    esac
done
