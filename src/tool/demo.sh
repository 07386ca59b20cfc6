# SPDX-License-Identifier: MIT
# The demonstration, which bash runs. It runs the same unmodified bash twice, each time in a pid namespace of its own
# with few PIDs. $1 is the preload object.
# shellcheck shell=bash
set -uf
pg_lib=$1
PATH=${PATH:+$PATH:}/usr/bin:/bin

pg_die() {
  local status=$1
  shift
  printf 'pidguard: %s\n' "$*" >&2
  exit "$status"
}

# Sets pg_unshare to the command that makes a pid namespace, as root or through a user namespace. Sets pg_way to the way
# in which PIDs come round in it. From Linux 6.14 on the namespace has a pid_max of its own. The test for it writes a
# value one below the current pid_max. Before 6.14 that changes the pid_max of the whole machine, so it is restored.
pg_demo_can() {
  local max=/proc/sys/kernel/pid_max before after size said=''
  [[ -r $max ]] || pg_die 77 "$max cannot be read; is /proc mounted?"
  type -P unshare >/dev/null || pg_die 77 'unshare (of util-linux) is not installed'
  pg_unshare=(unshare --pid --fork --mount-proc --kill-child)
  said=$("${pg_unshare[@]}" true 2>&1) || {
    pg_unshare=(unshare --user --map-root-user "${pg_unshare[@]:1}")
    "${pg_unshare[@]}" true 2>/dev/null || {
      printf '%s\n' "$said" >&2
      "${pg_unshare[@]}" true # prints why this failed, too
      pg_die 77 'this user cannot make a pid namespace, not even through a user namespace'
    }
  }
  before=$(<$max)
  if "${pg_unshare[@]}" sh -c "echo $((before - 1)) >$max" 2>/dev/null; then
    after=$(<$max)
    if ((after == before)); then
      for size in 400 1200 2400 4800 9600; do # the kernel's lower bound grows with the processors
        pg_way="echo $size >$max"
        "${pg_unshare[@]}" sh -c "$pg_way" 2>/dev/null && pg_told="PIDs up to $((size - 1))" && return 0
      done
    else
      echo "$before" >$max
    fi
  fi
  pg_way=last
  pg_told='PIDs set by ns_last_pid, because this kernel has one pid_max for all namespaces (Linux 6.14 has more)'
  said=$("${pg_unshare[@]}" sh -c 'echo 400 >/proc/sys/kernel/ns_last_pid' 2>&1) ||
    pg_die 77 "this kernel cannot limit the PIDs of a namespace (Linux 6.14 can), and ns_last_pid cannot be set: $said"
}

# Runs as the first process of a namespace, twice. Arguments: DIRECTORY WAY PRELOAD. Leaves the results in the
# directory. The kernel gives PIDs below 300 only before the first wrap, so the story uses these up first.
# shellcheck disable=SC2016
pg_demo_story() {
  local dir=$1 way=$2 preload=$3 program child i dead=0
  [[ $way == last ]] || eval "$way"
  for ((i = 0; i < 400; i++)); do
    : &
    wait
    (($! <= 300)) || break
  done
  mkfifo "$dir/child" "$dir/go" "$dir/ready"
  LD_PRELOAD=$preload bash -c '
    sleep 0 & child=$!
    wait "$child"
    echo "$child" >"$1/child"
    read -r _ <"$1/go"
    kill -9 "$child" 2>"$1/said"
    echo $? >"$1/status"' bash "$dir" &
  program=$!
  read -r child <"$dir/child"
  bash -c '
    for ((forks = 1; forks < 20000; forks++)); do
      [[ $3 != last ]] || echo $(($2 - 1)) >/proc/sys/kernel/ns_last_pid
      sleep 600 &
      (($! != $2)) || break
      kill -9 $!
      wait $!
    done
    until [[ $(</proc/$!/comm) == sleep ]]; do :; done
    echo "$forks" >"$1/ready"
    wait' bash "$dir" "$child" "$way" 2>/dev/null &
  read -r i <"$dir/ready"
  printf '%s\n' "$child" >"$dir/number"
  printf '%s, pid %s, after %s forks\n' "$(<"/proc/$child/comm")" "$child" "$i" >"$dir/stranger"
  echo >"$dir/go"
  wait "$program"
  # A stranger that was hit needs a moment to die, so one that lives is also judged after that time.
  for ((i = 0; i < 10 && ! dead; i++)); do
    sleep 0.05
    [[ -e /proc/$child/comm && $(<"/proc/$child/stat") != *') Z '* ]] || dead=1
  done
  ((dead)) && echo DEAD >"$dir/fate" || echo alive >"$dir/fate"
}

pg_demo_row() { printf '%-34s%-36s%s\n' "$1" "$2" "$3"; }
pg_demo_told() { sed 's/^bash: line [0-9]*: //' "$dir/$1/$2" 2>/dev/null; }

pg_demo_tell() {
  printf 'The same unmodified bash twice, each time in a pid namespace of its own with\n%s.\n\n' "$pg_told"
  pg_demo_row '' 'without pidguard' 'with pidguard'
  pg_demo_row 'bash starts a child and reaps it' "$(pg_demo_told without number)" "$(pg_demo_told with number)"
  pg_demo_row 'a stranger gets the number' "$(pg_demo_told without stranger)" "$(pg_demo_told with stranger)"
  pg_demo_row 'bash: kill -9 of that number' \
    "status $(pg_demo_told without status)" "status $(pg_demo_told with status)"
  pg_demo_row '' "$(pg_demo_told without said)" "$(pg_demo_told with said)"
  pg_demo_row 'the stranger' "$(pg_demo_told without fate)" "$(pg_demo_told with fate)"
  printf '\nWhat the shim logged:\n'
  sed 's/^/  /' "$dir/log" 2>/dev/null || echo '  nothing'
}

pg_demo_can
dir=$(mktemp -d) || pg_die 77 'cannot make a directory for the files of the demonstration'
# shellcheck disable=SC2064
trap "rm -rf '$dir'" EXIT
mkdir "$dir/without" "$dir/with"
story=$(declare -f pg_demo_story)
"${pg_unshare[@]}" "$BASH" -c "$story; pg_demo_story \"\$@\"" demo "$dir/without" "$pg_way" ''
PIDGUARD_MODE=enforce PIDGUARD_DEBUG=info PIDGUARD_LOG=$dir/log \
  "${pg_unshare[@]}" "$BASH" -c "$story; pg_demo_story \"\$@\"" demo "$dir/with" "$pg_way" "$pg_lib"
pg_demo_tell >"$dir/told"
cat -- "$dir/told" || pg_die 125 'cannot print the demonstration'
[[ $(pg_demo_told without fate)-$(pg_demo_told with fate) == DEAD-alive ]]
