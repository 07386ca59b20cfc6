#!/bin/bash
# SPDX-License-Identifier: MIT
# Becomes the systemd of a root tree. It runs in a mount namespace of its own, as root, and makes the other namespaces
# itself. Arguments: the tree, an empty folder, the name of a control group to make. Its status is systemd's status.
# Inside, /run/story/ns_last_pid sets the PID of the next process. The rest of /proc/sys is read-only.
set -eu
tree=$1

if [[ ${4-} != inside ]]; then
  # systemd needs a control group of its own, because it takes the group that it finds for the whole hierarchy.
  mount --make-rprivate /
  mount -t cgroup2 cgroup2 "$2"
  mkdir -p "$2/$3"
  home=$2$(sed -n 's/^0:://p' /proc/self/cgroup)
  echo 0 >"$2/$3/cgroup.procs"
  status=0
  timeout -k 5 "${PG_SERVICES_LIMIT:-1800}" unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup \
    bash "$0" "$tree" "$2" "$3" inside || status=$?
  echo 0 >"$home/cgroup.procs"
  find "$2/$3" -depth -type d -exec rmdir {} + 2>/dev/null || true
  exit "$status"
fi

mount --bind "$tree" "$tree"
cd "$tree"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm run/story
for name in null zero full random urandom tty; do
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "dev/${number#*:}"; done
touch run/story/ns_last_pid
mount --bind proc/sys/kernel/ns_last_pid run/story/ns_last_pid
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
pivot_root . .
umount -l .
cd /
# Drops the capabilities whose effects reach beyond the namespaces.
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set -sys_module,-sys_time,-sys_boot,-sys_rawio,-syslog,-mac_admin,-mac_override \
  /lib/systemd/systemd --unit=story.service --show-status=no --log-target=journal
