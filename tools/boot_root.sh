#!/bin/sh
# Boot systemd in a root filesystem until it powers itself off: with namespaces
# and control groups of its own, which are removed afterwards, and without the
# units that would change the machine.  Needs root.  usage: boot_root.sh ROOT SECONDS
set -eu
root=$1
name=boot-root.$$
masked="systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service kmod-static-nodes.service
systemd-random-seed.service systemd-update-utmp.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount
sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount getty@.service console-getty.service"

# Each hierarchy: of version 1, version 2, or of both side by side.
hierarchies=$(awk '$3 ~ /^cgroup2?$/ && $2 ~ /^\/sys\/fs\/cgroup/ { print $2 }' /proc/mounts)
leave() {
    for group in $hierarchies; do
        [ ! -d "$group/$name" ] || find "$group/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}
trap leave EXIT

for unit in $masked; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
for group in $hierarchies; do
    mkdir "$group/$name" 2>/dev/null || continue
    for file in cpuset.cpus cpuset.mems; do
        [ ! -e "$group/$name/$file" ] || cat "$group/$file" >"$group/$name/$file" 2>/dev/null || true
    done
done

# shellcheck disable=SC2016
inside='
set -eu
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
else
    mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd,xattr cgroup "$root/sys/fs/cgroup/systemd"
fi
for at in run tmp dev; do mount -t tmpfs tmpfs "$root/$at"; done
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
pivot_root . mnt
exec chroot . /bin/sh -c "umount -l /mnt && exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --log-target=journal"
'
(
    # This process and what it starts; $$ would be the one outside.
    for group in $hierarchies; do
        sh -c 'echo $PPID' >"$group/$name/cgroup.procs" 2>/dev/null || true
    done
    exec timeout -k 5 "$2" unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup sh -c "$inside" sh "$root"
) >/dev/null 2>&1 || true
