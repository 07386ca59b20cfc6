#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# Runs inside an image, as root, where nothing is but busybox and one build: the tests of /tests.list one after another.
# Prints "@@NAME line" for what they say and "@@end NAME STATUS SECONDS"; scripts/kernels and scripts/ports read that.
# SLOW (from the environment) multiplies the time limits, ONLY is a pattern of names. PG_TEST_SAMPLE=N makes the tests
# that go through a matrix take every Nth cell, and the differential tester every Nth of its programs.
export PATH=/bin:/usr/bin HOME=/root LC_ALL=C
export PG_TEST_SLOW=${SLOW:-1}
echo "@@system $(uname -m) $(uname -r)"
while IFS="$(printf '\t')" read -r name limit command; do
  [ -z "$ONLY" ] || echo "$name" | grep -qE "$ONLY" || continue
  case $command in
  */pg_diff*--count*)
    count=$(echo "$command" | sed 's/.*--count" "\([0-9]*\).*/\1/')
    command=$(echo "$command" | sed "s/--count\" \"$count/--count\" \"$((count / ${PG_TEST_SAMPLE:-1}))/")
    ;;
  esac
  start=$(cut -d. -f1 /proc/uptime)
  timeout -s KILL $((limit * ${SLOW:-1})) sh -c "exec $command" </dev/null >/tmp/output 2>&1
  status=$?
  sed "s/^/@@$name /" /tmp/output | tail -n 400
  echo
  echo "@@end $name $status $(($(cut -d. -f1 /proc/uptime) - start))"
done </tests.list
echo "@@done"
