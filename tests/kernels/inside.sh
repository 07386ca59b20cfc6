#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# Runs the tests of /tests.list one after another, as root inside an image. Prints their output as lines "@@NAME line",
# and "@@end NAME STATUS SECONDS" for each, which scripts/kernels and scripts/ports read. In the environment SLOW
# multiplies the time limits, and ONLY is a pattern of names. With PG_TEST_SAMPLE=N the tests that go through a matrix
# take every Nth cell, and the differential tester runs 1/N of its programs.
export PATH=/bin:/usr/bin HOME=/root SHELL=/bin/sh LC_ALL=C
export PG_TEST_SLOW=${SLOW:-1}
driven=
echo "@@system $(uname -m) $(uname -r)"
while IFS="$(printf '\t')" read -r name limit command; do
  [ -z "$ONLY" ] || echo "$name" | grep -qE "$ONLY" || continue
  if [ "$name" = compare ] && [ "$driven" ]; then # the same cases
    printf '@@compare SKIP: the test drivers have compared all cases\n@@end compare 77 0\n'
    continue
  fi
  start=$(cut -d. -f1 /proc/uptime)
  timeout -s KILL $((limit * ${SLOW:-1})) sh -c "exec $command" </dev/null >/tmp/output 2>&1
  status=$?
  case $name-$status in same_*-0) driven=1 ;; esac
  sed "s/^/@@$name /" /tmp/output | tail -n 400
  echo
  echo "@@end $name $status $(($(cut -d. -f1 /proc/uptime) - start))"
done </tests.list
echo "@@done"
