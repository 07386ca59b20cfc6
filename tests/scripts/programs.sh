# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091,SC2016
# Five real programs, unmodified, in audit mode. The report names the place in each that signals a child that is gone.
# A program that is not installed is skipped by name. See check.sh for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

find_namespace || {
  echo 'SKIP: this user cannot make a pid namespace'
  exit 77
}
shown=0

# named PROGRAM CALL [FUNCTION]: checks the report on the file `log`, which is one program's log.
named() {
  run "$pidguard" report log
  expect status 1
  expect out "*: $2(*"
  expect out "* $1: $2(*from   /*$1*+0x*${3-}*child  taken by a wait of the program (by *PID *first  20*"
  run "$pidguard" report --json log
  expect status 1
  expect out "*\"program\":\"$1\",\"call\":\"$2\",\"caller\":\"/*"
  rm -f log
  shown=$((shown + 1))
}
have() { type -P "$1" >/dev/null || {
  skip "$1 is not installed"
  return 1
}; }

# bash runs a script that signals its job after it has waited for it.
if have bash; then
  run "${in_namespace[@]}" "$pidguard" --mode=audit --log=log bash -c 'sleep 0 & wait $!; kill $! 2>/dev/null; exit 3'
  expect status 3
  named bash kill
fi

# dumb-init always signals the child's process group after the child has ended.
if have dumb-init; then
  run "${in_namespace[@]}" "$pidguard" --mode=audit --log=log dumb-init sh -c 'exit 4'
  expect status 4
  named dumb-init kill
fi

# PHP calls proc_terminate for a process that proc_get_status has found to be gone.
if have php; then
  cat >run.php <<'END_PHP'
<?php
$p = proc_open(['true'], [], $pipes);
while (proc_get_status($p)['running']) usleep(10000);
proc_terminate($p);
exit(5);
END_PHP
  run "${in_namespace[@]}" "$pidguard" --mode=audit --log=log php -n run.php
  expect status 5
  named php kill
fi

# SIGTERM ends GNU make between two lines of a recipe. make waits there, because its output goes to a full pipe.
if have make; then
  printf 'all:\n\t@true\n\techo second\n' >Makefile
  mkfifo fifo
  cat >held.sh <<'END_SH'
exec 9<>fifo
dd if=/dev/zero of=fifo oflag=nonblock bs=4096 2>/dev/null
"$1" --mode=audit --log=log make >fifo 2>/dev/null & make=$!
for ((i = 0; i < 600; i++)); do # until it writes to the full pipe
  [[ $(</proc/$make/comm) == make && $(</proc/$make/wchan) == *pipe* ]] && break
  [[ $(</proc/$make/comm) == make && $(</proc/$make/syscall) == '1 0x1 '* ]] 2>/dev/null && break
  sleep 0.05
done
kill -TERM "$make"
for ((i = 0; i < 600; i++)); do
  grep -q would-refuse log && break
  sleep 0.05
done
cat <&9 >/dev/null & reader=$!
wait "$make"
kill "$reader"
END_SH
  run "${in_namespace[@]}" bash held.sh "$pidguard"
  named make kill fatal_error_signal
fi

# tmux runs a job that closes its output before it ends.
if have tmux; then
  cat >tmux.sh <<'END_SH'
"$1" --mode=audit --log=log tmux -S "$PWD/socket" -f /dev/null new-session -d 'sleep 60'
tmux -S socket run-shell 'exec >/dev/null 2>&1; sleep 0.5'
for ((i = 0; i < 600; i++)); do
  grep -q would-refuse log && break
  sleep 0.05
done
tmux -S socket kill-server
END_SH
  run "${in_namespace[@]}" env -u TMUX TERM=xterm bash tmux.sh "$pidguard"
  named tmux kill
fi
((shown)) || {
  echo 'SKIP: none of the programs is installed'
  exit 77
}
finish
