#!/bin/busybox sh
# Runs inside an image, as root, where nothing is but busybox and one build: the tests of /tests.list one after another.
# Prints "@@NAME line" for what they say and "@@end NAME STATUS SECONDS"; scripts/kernels and scripts/ports read that.
# SLOW (from the environment) multiplies the time limits, ONLY is a pattern of names.
export PATH=/bin:/usr/bin HOME=/root LC_ALL=C
echo "@@system $(uname -m) $(uname -r)"
while IFS="$(printf '\t')" read -r name limit command; do
  [ -z "$ONLY" ] || echo "$name" | grep -qE "$ONLY" || continue
  start=$(cut -d. -f1 /proc/uptime)
  timeout -s KILL $((limit * ${SLOW:-1})) sh -c "exec $command" </dev/null >/tmp/output 2>&1
  status=$?
  sed "s/^/@@$name /" /tmp/output | tail -n 400
  echo
  echo "@@end $name $status $(($(cut -d. -f1 /proc/uptime) - start))"
done </tests.list
echo "@@done"
