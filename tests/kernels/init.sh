#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# Process 1 of a booted image. Mounts the file systems that the tests expect, runs the tests, and switches the machine
# off. The options are on the kernel's command line.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/pts /dev/shm /sys/fs/cgroup /mnt
/bin/busybox ln -s /proc/self/fd /dev/fd
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox mount -t tmpfs shm /dev/shm
/bin/busybox mount -t cgroup2 cgroup /sys/fs/cgroup
/bin/busybox ip link set lo up 2>/dev/null
SLOW=$(/bin/busybox sed -n 's/.*pg_slow=\([0-9]*\).*/\1/p' /proc/cmdline)
ONLY=$(/bin/busybox sed -n 's/.*pg_only=\([^ ]*\).*/\1/p' /proc/cmdline)
PG_TEST_SAMPLE=$(/bin/busybox sed -n 's/.*pg_sample=\([0-9]*\).*/\1/p' /proc/cmdline)
export SLOW ONLY PG_TEST_SAMPLE
/bin/busybox sh /inside.sh
/bin/busybox poweroff -f
