#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# Runs every case of every same_* program plain and with the shim. Its output and its status must not differ. This needs
# neither CUnit nor a namespace nor pidfds. It therefore also runs where the test drivers cannot: on kernels without
# pidfd_open, and in a user-mode emulator. EMULATOR is then put in front, and its option -E passes the preload to the
# program alone. Arguments: the directory of the programs, the preload object, optionally a pattern of PROGRAM/CASE to
# leave out.
bin=$1 preload=$2 leave=${3:-^$} passed=0 failed=0 left=0
work=${TMPDIR:-/tmp}/compare.$$
mkdir -p "$work" || exit 1
trap 'rm -rf "$work"' EXIT

# The setsid of busybox has no -w. It also waits, unless it must fork.
session=setsid
setsid -w true 2>/dev/null && session='setsid -w'

# run OUTPUT PRELOAD PROGRAM [CASE]: the last line of the output is the status. The program runs in a session of its
# own, as under the test drivers.
run() {
  output=$1 object=$2
  shift 2
  # shellcheck disable=SC2086
  if [ -n "$EMULATOR" ]; then
    timeout -s KILL $((60 * ${SLOW:-1})) $session $EMULATOR ${object:+-E LD_PRELOAD="$object"} "$@" \
      >"$output" 2>/dev/null </dev/null
  elif [ -n "$object" ]; then
    LD_PRELOAD=$object timeout -s KILL $((60 * ${SLOW:-1})) $session "$@" >"$output" 2>/dev/null </dev/null
  else
    timeout -s KILL $((60 * ${SLOW:-1})) $session "$@" >"$output" 2>/dev/null </dev/null
  fi
  status=$?
  sed -i '/^?/d' "$output" # these lines are for the test driver, and differ from run to run
  echo "status $status" >>"$output"
}

# Some cases depend on how long things take, and a machine can be late. So a difference must be seen twice.
is_same() {
  run "$work/plain" '' "$1" "$2"
  run "$work/shim" "$preload" "$1" "$2"
  cmp -s "$work/plain" "$work/shim"
}

for program in "$bin"/same_*; do
  name=${program##*/}
  run "$work/cases" '' "$program"
  for case in $(grep -v '^status ' "$work/cases"); do
    if echo "$name/$case" | grep -qE "$leave"; then
      left=$((left + 1))
      continue
    fi
    is_same "$program" "$case" || {
      echo "$name/$case differs once"
      is_same "$program" "$case"
    }
    if cmp -s "$work/plain" "$work/shim"; then
      passed=$((passed + 1))
    elif tail -n 1 "$work/plain" | grep -qE 'status 1(2[89]|[3-9].)'; then
      left=$((left + 1))
      echo "left out: $name/$case is killed without the shim, too: $(tail -n 1 "$work/plain")"
    else
      failed=$((failed + 1))
      echo "FAILED $name/$case: plain $(tail -n 1 "$work/plain"), with the shim $(tail -n 1 "$work/shim")"
      diff "$work/plain" "$work/shim" | grep '^[-+<>]' | grep -v '^\(---\|+++\)' | head -n 4
    fi
  done
done
echo "compare: $passed passed, $failed failed, $left left out"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
