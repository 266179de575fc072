#!/usr/bin/env bash
# boot.sh WORK PROJECT PYTHON SITE_PACKAGES UNIT: start a real systemd as PID 1 of its own namespaces, and stay until it is gone.
#
# Its root is this machine's own, read-only, with a copy of /etc and nothing in /var, /run, /tmp and /opt: it cannot change the
# machine. Sentinel is put in place as docs/install.md says, with this clone's packages. WORK/ready names systemd's process.
set -euo pipefail

if [ "${1:-}" != inside ]; then
    work=$1
    export WORK=$1 PROJECT=$2 PYTHON=$3 SITE_PACKAGES=$4 UNIT=$5
    mount --make-rprivate /
    # A cgroup of its own: without it systemd would write into this machine's root cgroup.
    mkdir -p "$work/cgroup" "$work/root"
    mount -t cgroup2 none "$work/cgroup"
    own=$work/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/sentinel-test-$$
    mkdir "$own"
    (
        echo "$BASHPID" >"$own/cgroup.procs"
        exec unshare --pid --fork --mount --net --uts --ipc --cgroup --kill-child bash "$0" inside
    ) &
    machine=$!
    trap 'kill -KILL "$machine" 2>/dev/null || true' EXIT TERM
    systemd=
    for _ in $(seq 100); do
        read -r systemd _ <"/proc/$machine/task/$machine/children" || true
        [ -n "$systemd" ] && break
        sleep 0.05
    done
    echo "$systemd" >"$work/pid" && mv "$work/pid" "$work/ready"
    wait "$machine" || true
    # Killed processes leave their cgroups a moment later.
    for _ in $(seq 50); do
        find "$own" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [ -d "$own" ] || exit 0
        sleep 0.1
    done
    echo "cgroups are left in $own" >&2
    exit 1
fi

root=$WORK/root
mount --bind / "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
for place in dev etc opt run tmp var; do mount -t tmpfs -o mode=755 tmpfs "$root/$place"; done
chmod 1777 "$root/tmp"

# Devices: the harmless ones only.
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
while read -r name minor; do mknod -m 666 "$root/dev/$name" c 1 "$minor"; done <<'END'
null 3
zero 5
full 7
random 8
urandom 9
END
mknod -m 666 "$root/dev/tty" c 5 0
ln -s /proc/self/fd "$root/dev/fd"

cp -a /etc/. "$root/etc"
rm -rf "$root/etc/systemd/system" && mkdir -p "$root/etc/systemd/system" "$root/var/log" "$root/var/lib" "$root/var/tmp"
echo sentinel-test >"$root/etc/hostname"
# Nothing here may set this machine's kernel, clock or devices.
for unit in systemd-udevd systemd-udev-trigger systemd-sysctl systemd-timesyncd systemd-modules-load systemd-binfmt systemd-pstore \
    systemd-random-seed systemd-tmpfiles-setup-dev kmod-static-nodes; do
    ln -s /dev/null "$root/etc/systemd/system/$unit.service"
done

# Sentinel, as docs/install.md puts it there; the packages are this clone's.
chroot "$root" "$PYTHON" -m venv --without-pip /opt/sentinel
packages=$(echo "$root"/opt/sentinel/lib/python3.*/site-packages)
mount --bind "$SITE_PACKAGES" "$packages"
mkdir "$root/opt/sentinel/src"
mount --bind "$PROJECT/src" "$root/opt/sentinel/src"
cat >"$root/opt/sentinel/bin/sentinel" <<'END'
#!/opt/sentinel/bin/python
import sys

sys.path.insert(0, "/opt/sentinel/src")
from sentinel.cli import main

sys.exit(main())
END
chmod 755 "$root/opt/sentinel/bin/sentinel"
cp -r "$WORK/files/etc/." "$root/etc"
chroot "$root" systemd-sysusers
chroot "$root" systemd-tmpfiles --create /etc/tmpfiles.d/sentinel.conf
ip link set lo up
# The file alone: the machine's other settings are not ours to repeat. This one belongs to the network namespace.
chroot "$root" /lib/systemd/systemd-sysctl /etc/sysctl.d/50-sentinel.conf

# The kernel refuses user namespaces, which PrivateUsers= needs, to who stands in a chroot: so the root is changed for good.
cd "$root"
if pivot_root . . 2>/dev/null; then umount -l .; fi
# As systemd does where it is not in a container: credentials are mounted by a helper, and must be seen by all.
mount --make-rshared /
if ! chroot . unshare --user true 2>/dev/null; then
    # This machine is a chroot or a container itself. The rest of the sandbox still holds.
    printf '[Service]\nPrivateUsers=no\n' >etc/systemd/system/sentinel.service.d/zz-no-user-namespaces.conf
fi

exec chroot . /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    /lib/systemd/systemd --log-target=journal --show-status=no --unit="$UNIT"
