# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091,SC2016
# Tests `pidguard status`, which reads a running process without a signal, and without stopping it. See check.sh for the
# arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

find_namespace || {
  echo 'SKIP: this user cannot make a pid namespace'
  exit 77
}
inside() { run "${in_namespace[@]}" "$pidguard" bash -c "$1" bash "$pidguard"; }

# The record of bash may already include the child that asks, so there may be two or three children. No $(<FILE), for
# which bash 5.1 forks.
inside 'sleep 60 & two=($!); sleep 60 & two+=($!)
  for pid in "${two[@]}"; do until read -r comm </proc/$pid/comm && [[ $comm == sleep ]]; do :; done; done
  "$1" status $$; echo "status $?"; kill %1 %2'
expect status 0
expect out "* bash: mode enforce, $lib *"
expect out '* births [23] * reaped 0 *0 retired PIDs are remembered*'
expect out '* remembered*[23] children*sleep, alive, known by *sleep, alive, known by *status 0'

# A process group that outlives its leader, and a forked child that has made no child.
inside 'set -m; (sleep 60 & exit 0) & wait $!; sleep 0.2 & "$1" status $$ | grep group; set +m
  (trap : TERM; "$1" status $BASHPID)'
expect out '*is gone, and the process group that it led lives*'

# JSON for several PIDs at once, one of which no process has.
inside '"$1" status --json $$ 1 4000000; echo " $?"'
expect out '[[]{"pid":*"protected":true,"mode":"enforce"*"counters":{"births":*}*{"pid":*]* 2'
expect err '*4000000: there is no such process*'
if type -P python3 >/dev/null; then
  inside '"$1" status --json $$ |
    python3 -c "import json, sys; print(json.load(sys.stdin)[0][\"children\"][0][\"alive\"])"'
  expect out True
fi

# A thread.
if type -P python3 >/dev/null; then
  inside 'python3 -c "import os, subprocess, sys, threading
def ask(): sys.exit(subprocess.run([sys.argv[1], \"status\", str(threading.get_native_id())]).returncode)
thread = threading.Thread(target=ask)
thread.start()
thread.join()" "$1"'
  expect err '*: it is a thread of process *'
fi

# Other modes, and a process that is not protected.
run "${in_namespace[@]}" "$pidguard" --mode=audit bash -c '"$1" status $$; :' bash "$pidguard"
expect out '*mode audit*'
run "${in_namespace[@]}" "$pidguard" --mode=off bash -c '"$1" status $$; echo $?' bash "$pidguard"
expect out '*not protected: the object is loaded, and switched off*1'
run "${in_namespace[@]}" bash -c '"$1" status $$; echo $?' bash "$pidguard"
expect out '*not protected: the object is not loaded*1'
for word in 0 -1 x 99999999999999999999 1x --json; do
  run "$pidguard" status --json -- 1 "$word"
  expect status 2
  expect out ''
  expect err "pidguard: status: '$word' is not a PID"
done
for words in '' --json '--json --json' --; do
  # shellcheck disable=SC2086
  run "$pidguard" status $words
  expect status 2
  expect err 'pidguard: status: no PID was given'
done
run "$pidguard" status --jason 1
expect status 2
expect err 'pidguard: status: unknown option --jason (see --help)'

# A zombie has no memory.
mkfifo go # the child ends when its parent is no shell any more, which would reap it
run "${in_namespace[@]}" bash -c '(read -r <go & echo $! >zombie; exec sleep 60) &
  until [[ $(</proc/$!/comm) == sleep ]]; do :; done
  echo >go
  until read -r _ _ state _ <"/proc/$(<zombie)/stat" && [[ $state == Z ]]; do :; done
  "$1" status --json $(<zombie); result=$?; kill $!; exit $result' bash "$pidguard"
expect status 2
expect err 'pidguard: *: it has no memory, so it has ended, or is a thread of the kernel'

# More children than fit on the first page. The process that was read was neither stopped nor signalled.
inside 'for ((i = 0; i < 80; i++)); do sleep 60 & done; "$1" status --json $$ >many
  jobs -p | wc -l >jobs; kill $(jobs -p)'
run sh -c 'grep -oE "\"program\":\"[a-z]*\",\"alive\":true,\"known_by\":\"(pidfd|identity|number)\"" many |
  grep -vc pidguard'
expect out "$(<jobs)"
inside 'n=0; trap "n=\$((n + 1))" CHLD USR1 USR2 CONT; for i in 1 2 3 4 5; do :; done
  "$1" status $$ >/dev/null; grep -E "^(TracerPid|SigPnd)" /proc/$$/status | tr -d "\t\n"'
expect out 'TracerPid:0SigPnd:0000000000000000'

# Another user's process.
if can_be_other; then
  run "${in_namespace[@]}" bash -c 'sleep 60 & '"${as_other[*]}"' "$1" status $!; echo $?; kill $!' bash "$pidguard"
  expect out 2
  expect err '*its memory cannot be read: Permission denied*'
else
  skip "another user's process, because this test cannot become another user"
fi
finish
