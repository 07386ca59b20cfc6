# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A story for tests/services/boot.sh. It runs a service of an unprivileged user with and without the drop-in of
# pidguard-services(7), and in other ways. Prints one row for each way. Status 0 if no check failed.
set -u
shopt -s lastpipe # the last command of a pipeline must be able to count its failures
failures=0

fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*"
}

# until_true SECONDS COMMAND…: true as soon as the command succeeds.
until_true() {
  local tries=$(($1 * 20))
  shift
  until "$@"; do
    ((tries-- > 0)) || return 1
    sleep 0.05
  done
}

# Prints the examples of the page for one kind of test.
example() {
  local file
  for file in /story/examples/services-*.test; do
    [[ $(<"$file") != "$1" ]] || cat "${file%.test}.text"
  done
}
drop_in() { example unit; }

# Starts a stranger with this PID. It belongs to the same user, so the service may signal it. It is no child of the
# service.
take() { # NUMBER USER
  local tries
  for ((tries = 0; tries < 50; tries++)); do
    # shellcheck disable=SC2016
    stranger=$(bash -c 'echo $(($1 - 1)) >/run/story/ns_last_pid
      setpriv --reuid="$2" --regid="$2" --clear-groups sleep 600 >/dev/null 2>&1 & echo $!' bash "$@")
    [[ $stranger != "$1" ]] || break
    kill "$stranger"
  done
  [[ $stranger == "$1" ]] && until_true 20 eval '[[ $(</proc/$stranger/comm) == sleep ]]'
}

lives() { grep -q '^State:[[:space:]]*[SR]' "/proc/$1/status" 2>/dev/null; }

# one NAME WAY STRANGER STATUS-OF-KILL PATTERN: runs a new service with the drop-in from standard input. The output of
# pidguard must match the pattern.
one() {
  local name=$1 way=$2 wanted=$3 kill_says=$4 pattern=$5 state number user is=dead said status main confined
  local unit=/etc/systemd/system/$name.service
  state=/var/lib/private/$name
  mkdir "$unit.d" && cat >"$unit.d/pidguard.conf" && cat >"$unit" <<END
[Service]
ExecStart=/bin/bash /story/worker.sh
DynamicUser=yes
SystemCallFilter=@system-service
ProtectSystem=strict
StateDirectory=$name
TimeoutStopSec=5
END
  systemctl daemon-reload
  systemctl start "$name" || fail "$way: the service did not start"
  until_true 20 test -e "$state/number" || {
    fail "$way: the service made no child; its journal: $(journalctl --unit="$name" --output=cat | tail -n 5)"
    systemctl stop "$name"
    return
  }
  number=$(<"$state/number")
  main=$(systemctl show --property=MainPID --value "$name")
  # Not the owner of the folder: a newer systemd maps the ids of its mount.
  user=$(awk '$1 == "Uid:" { print $2 }' "/proc/$main/status")
  confined=$(awk '$1 == "Uid:" { u = $2 } $1 == "NoNewPrivs:" { n = $2 } $1 == "Seccomp:" { s = $2 }
    END { print (u > 0), n, s }' "/proc/$main/status")
  [[ $confined == '1 1 2' ]] || fail "$way: the service is not confined ($confined)"
  take "$number" "$user" && lives "$stranger" || fail "$way: no stranger could get PID $number"
  echo go >"$state/go"
  until_true 20 test -e "$state/status" || fail "$way: the service left no status of kill"
  status=$(<"$state/status")
  sleep 0.1
  ! lives "$stranger" || is=alive
  [[ $is == "$wanted" ]] || fail "$way: the stranger is $is"
  [[ $status == "$kill_says" ]] || fail "$way: kill had status $status; $(journalctl --unit="$name" --output=cat)"
  # Runs the commands of the page for this service, except systemctl, which would start the service again.
  said=$(eval "$(example systemd | sed "/^systemctl/d;s/NAME/$name/g")" 2>&1)
  echo end >"$state/end"
  until_true 20 eval '[[ $(systemctl is-active $name) == inactive ]]' || fail "$way: the service does not end"
  said+=$'\n'$(journalctl --unit="$name" --output=cat 2>&1)
  # shellcheck disable=SC2053
  [[ $said == $pattern ]] || fail "$way: the output is: ${said:0:1500}"
  case $said in
  *event=degraded*) [[ $name == filtered ]] || fail "$way: the protection is degraded" ;;
  *) [[ $name != filtered ]] || fail "$way: the protection is not degraded" ;;
  esac
  printf '%-48s %-8s %-6s %s\n' "$way" "$is" "$status" "$(grep -oE "$told" <<<"$said" | sort -u | paste -sd';' |
    sed 's/;/; /g')"
  kill "$stranger" 2>/dev/null
}
told='mode [a-z]+|switched off|[0-9]+ place used|event=(refused|would-refuse|degraded)|is not protected'

systemctl --version | head -n 1
printf '%-48s %-8s %-6s %s\n' 'a service' stranger kill 'pidguard says'
one plain 'without the drop-in' dead 0 '*' </dev/null
drop_in | one audited 'the drop-in, which audits' dead 0 \
  '*mode audit*1. bash: kill(*event=would-refuse*event=summary* degraded=0 *'
drop_in | sed /PIDGUARD_MODE/d | one protected 'without its second line: protected' alive 1 '*mode enforce*'
drop_in | sed 's/PIDGUARD_MODE=audit //' | one logged 'protected, with a log' alive 1 \
  '*mode enforce*event=refused*event=summary* degraded=0 *'
{
  drop_in | sed 's/PIDGUARD_MODE=audit //'
  printf 'SystemCallFilter=~pidfd_open pidfd_send_signal\nSystemCallErrorNumber=EPERM\n'
} | one filtered 'the same, and a filter that refuses pidfds' alive 1 '*mode enforce*event=refused*event=summary*'
drop_in | sed s/audit/off/ | one unguarded 'PIDGUARD_MODE=off' dead 0 '*switched off*'
exit $((failures > 0))
