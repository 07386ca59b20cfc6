# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091,SC2016
# Tests `pidguard report` on real logs and on logs that are written here, with partial lines, rotated files, much input
# and bad input. See check.sh for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

json() { # FILTER: the last command's output must be JSON, and the filter must hold (Python; `d` is the document)
  checks=$((checks + 1))
  python3 -c 'import json, sys
d = json.load(sys.stdin)
sys.exit(not eval(sys.argv[1]))' "$1" <<<"$out" && return
  failures=$((failures + 1))
  printf 'FAILED: %s\n  should hold of its JSON: %s\n  stdout: %s\n' "$ran" "$1" "$out"
}
type -P python3 >/dev/null || {
  skip 'JSON, because there is no python3'
  json() { :; }
}

start='pidguard level=warn event=would-refuse'
where='caller=/no/such/object+0x10'
line() { # COMM NOW TIME AGO [OFFSET [CALL [SIGNAL]]]
  printf '%s pid=7 comm=%s time=%s mono=%s call=%s target=50 sig=%s result=ESRCH now=%s gone=wait ago=%s by=7 %s\n' \
    "$start" "$1" "$3" "$3" "${6:-kill}" "${7:-15}" "$2" "$4" "caller=/no/such/object+0x${5:-10}"
}

# An empty log, a log without findings, and files that are no log or cannot be read.
: >empty
run "$pidguard" report empty
expect status 0
expect out 'The programs used no PID of a child that was gone.*1 file, 0 lines'
echo 'pidguard level=info event=birth pid=1 comm=sh target=2 how=fork' >clean
run "$pidguard" report clean empty
expect status 0
echo 'some other text' >foreign
run "$pidguard" report foreign
expect status 2
expect err '*foreign: no line in it is a log line of pidguard*'
run "$pidguard" report no-such-file
expect status 2
expect err 'pidguard: no-such-file: No such file or directory'
run "$pidguard" report "$tmp"
expect status 2
expect err '*Is a directory'

# The report in README.md, without the function, which depends on the program.
echo "$start pid=303 comm=bash time=9 mono=9 call=kill target=304 sig=9 result=ESRCH now=sleep gone=wait ago=1.2" \
  'by=303 caller=/usr/bin/bash+0xa6931' >picture
run "$pidguard" report picture
expect status 1
mapfile -t picture < <(sed -n '/^pidguard report/,/^```/s/^# //p' "$src/README.md")
for said in "${picture[@]:-there is no picture}"; do
  expect out "*${said%  kill_builtin()}*"
done

# Two programs. The one that hit a stranger comes first, although it has fewer findings.
{
  line often nobody 1000.000001 0.5
  line often nobody 1001.5 2.25 10
  line often nobody 1002.000001 0.75
  line rare sshd 999.25 3
} >log
run "$pidguard" report log
expect status 1
expect out '2 places *[(]4 times[)]; 1 of them met another process there [(]1 times[)].*'
expect out '*1. rare: kill(50, SIGTERM)  1 time*: sshd [(]may have been HIT 1 times, *'
expect out '*2. often: kill(50, SIGTERM)  3 times*/no/such/object+0x10*'
expect out '*2. often: *taken by a wait of the program (by 7), 500.0 ms to 2.2 s before*'
expect out '*first  1970-01-01 00:16:40.000 UTC, last 1970-01-01 00:16:42.000 UTC*'
run "$pidguard" report --json log
expect status 1
json 'd["hits"] == 1 and d["uses"] == 4 and [s["program"] for s in d["stale"]] == ["rare", "often"]'
json 'd["stale"][1]["count"] == 3 and d["stale"][1]["least_ago"] == 0.5 and d["stale"][1]["most_ago"] == 2.25'
json 'd["stale"][0]["owners"] == ["sshd"] and d["stale"][0]["signals"] == [15] and d["first"] == 999.25'

# A call without a signal, or with signal 0, hits nobody. A signal that was refused did not either. The log is written
# before the call, so it does not say whether a signal arrived.
{
  line probe sshd 1 1 10 kill 0
  line probe sshd 1 1 10 kill 0
  line nice sshd 1 1 10 getpriority 0
  line quiet nobody 1 1 10 getpriority 0
  line both sshd 1 1 10 kill 0
  line both sshd 1 1 10 kill 9
  line spared sshd 1 1 10 kill 9 | sed 's/would-refuse/refused/'
} >probes
run "$pidguard" report probes
expect status 1
expect out '5 places *[(]7 times[)]; 4 of them met another process there [(]6 times[)].*'
expect out '*1. both: *sshd [(]may have been HIT 1 times, because nothing prevented that[)]*2. probe: *'
expect out '*probe: kill(50, 0)  2 times*had it 2 times: sshd [(]no signal was sent to it[)]*'
expect out '*nice: getpriority(50, 0)  1 time*had it 1 times: sshd [(]no signal was sent to it[)]*'
expect out '*spared: *had it 1 times: sshd [(]protected from it[)]*'
expect out '*quiet: *PID    no process had it'$'\n''*'
run "$pidguard" report --json probes
json 'd["uses"] == 7 and d["met"] == 6 and d["hits"] == 1'
json '[(s["program"], s["met"], s["hits"]) for s in d["stale"][:2]] == [("both", 2, 1), ("probe", 2, 0)]'
json 'sum(s["hits"] for s in d["stale"]) == 1'

# Incomplete lines, at the start and at the end, other text in between, names that need quotes, and bytes that are no
# text.
{
  printf 'ed line of which the start was rotated away now=sshd\n'
  line one nobody 1 1
  printf 'prompt> %s\n' "$(line two nobody 2 1)"
  printf '%s\n' "$start pid=1 comm=\"a \\\"b\\\" \\\\ \\x0a\" call=kill target=5 sig=9 now=\"x y\" $where"
  printf '%s\n' "$start pid=1 comm=\"never closed call=kill target=5"
  printf 'pidguard level=warn event=would-refuse pid=1 comm=\377\376 call=kill target=5 now=nobody\n'
  line three nobody 3 1 | head -c 100
} >parts
run "$pidguard" report --json parts
expect status 1
json 'd["cut"] == 2 and d["foreign"] == 1 and d["uses"] == 4 and d["lines"] == 7'
json 'any(s["program"] == "a \"b\" \\ \n" and s["owners"] == ["x y"] for s in d["stale"])'
json 'any(s["program"] == "\ufffd\ufffd" for s in d["stale"])'
# No byte of a log can steer the terminal.
bad='"\x1b[31m"'
{
  printf '%s\n' "$start pid=1 comm=$bad call=$bad target=5 now=$bad gone=$bad ago=1 by=$bad caller=$bad"
  printf '%s\n' "pidguard level=warn event=$bad pid=3 comm=$bad what=$bad result=$bad"
} >steering
run "$pidguard" report steering
expect status 1
expect out '*child  ?[[]31m (by ?[[]31m)*'
[[ $out != *$'\e'* ]] || expect out 'no escape character'
# The same for C1 control characters, and for bytes that are not UTF-8. Other characters stay.
name=$'\xc2\x9b31m \xc2\x80\xc2\x9f \x9b\xff\xc3 \xed\xa0\x80 \xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80'
plain=$'?31m ?? ??? ??? \xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80'
printf '%s\n' "$start pid=1 comm=\"$name\" call=kill target=5 sig=64 now=nobody" >steering
run "$pidguard" report steering
expect out "*1. $plain: kill(5, 64)  1 time*"
run "$pidguard" report --json steering
json 'd["stale"][0]["program"] == "\x9b31m \x80\x9f " + "\ufffd\ufffd\ufffd " * 2 + "\xa0\xe9\u20ac\U0001f600"'
json 'd["stale"][0]["signals"] == [64]'
run bash -c '"$0" report --json "$1" | LC_ALL=C tr -d "\n -~" | od -An -tx1' "$pidguard" steering
expect out ' c2 a0 c3 a9 e2 82 ac f0 9f 98 80'
run "$pidguard" report "$name"
expect err "pidguard: $plain: No such file or directory"
head -c 100 "$pidguard" >binary
run "$pidguard" report binary
expect status 2
for size in $(seq 1 130 "$(wc -c <parts)"); do # cut anywhere
  head -c "$size" parts >piece
  run "$pidguard" report piece
  expect status '[012]'
done

# Rotated and compressed logs, a log from a pipe, and all other events.
line one nobody 1 1 >rotated.1
gzip -k rotated.1
line one sshd 5 1 >rotated
{
  printf '%s ' pidguard level=warn event=late-wait pid=3 comm=app time=6 call=waitpid target=9
  echo result=ECHILD gone=silent ago=1 by=kernel
  echo 'pidguard level=warn event=degraded pid=3 comm=app what=track target=9 result=ENOMEM'
  echo 'pidguard level=error event=bad-environment pid=3 comm=app variable=PIDGUARD_MODE value=x used=enforce'
  echo 'pidguard level=info event=summary pid=3 comm=app births=5 reaped=3 silent=1 degraded=1 unwaited=1 forgotten=2'
} >>rotated
run sh -c '"$0" report --json rotated.1.gz rotated - <rotated.1' "$pidguard"
expect status 1
json 'd["files"] == 3 and d["stale"][0]["count"] == 3 and d["stale"][0]["hits"] == 1 and len(d["stale"]) == 1'
json 'd["late_waits"][0]["gone"] == "silent" and d["late_waits"][0]["by"] == "kernel" and len(d["trouble"]) == 2'
json 'd["counters"]["births"] == 5 and d["counters"]["forgotten"] == 2 and d["counters"]["unwaited"] == 1'
run "$pidguard" report rotated
expect out '*Children that another wait had reaped*app: waitpid(9)*degraded: track: ENOMEM*'
expect out '*degraded: track: ENOMEM*5 children, 3 of them*2 retired PIDs were forgotten*'
head -c 30 rotated.1.gz >broken.gz
run "$pidguard" report broken.gz
expect status 2

# Much more input than fits into the memory limit, and more kinds of findings than the report keeps separately.
for ((i = 0; i < 6000; i++)); do line prog nobody "$i" 1 "$i"; done >kinds
for ((i = 0; i < 10; i++)); do cat kinds kinds kinds kinds; done >many
run bash -c 'ulimit -v 65536
  for i in 1 2 3 4; do cat many; head -c 3000000 /dev/zero; echo; done | "$0" report --json -' "$pidguard"
expect status 1
json 'd["uses"] == 6000 * 160 and len(d["stale"]) == 4096 and d["stale_left_out"] > 0 and d["foreign"] == 4'
json 'sum(s["count"] for s in d["stale"]) + d["stale_left_out"] == d["uses"]'
rm many
run bash -c '"$0" report log >/dev/full' "$pidguard"
expect status 2

# A real log. The report has the function that made the call, from the symbols, and its line, from the debugging
# information.
cc=$(type -P "${CC:-cc}" || type -P gcc || type -P clang)
cat >stale.c <<'END_C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
void shoot_at(pid_t pid);
__attribute__((noinline)) void shoot_at(pid_t pid) {
  if (pid > 1)
    kill(pid, SIGTERM);
  __asm__ volatile("");
}
int main(void) {
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  waitpid(-1, NULL, 0);
  waitpid(pid, NULL, 0);
  shoot_at(pid);
  return 0;
}
END_C
if find_namespace && "$cc" -g -O1 -o stale stale.c 2>/dev/null; then
  for mode in audit enforce; do
    run "${in_namespace[@]}" "$pidguard" --mode=$mode --debug=warn --log=real.%p ./stale
    expect status 0
    cat real.* >real && rm real.*
    run "$pidguard" report --json real
    expect status 1
    json 'd["stale"][0]["program"] == "stale" and d["stale"][0]["call"] == "kill" and d["hits"] == 0'
    json 'd["stale"][0]["function"] == "shoot_at" and d["stale"][0]["caller"].startswith("/")'
    json 'd["stale"][0]["gone"] == "wait" and 0 <= d["stale"][0]["least_ago"] < 60 and d["stale"][0]["by"] != ""'
    json 'd["late_waits"][0]["call"] == "waitpid" and d["late_waits"][0]["function"] == "main"'
    json 'd["stale"][0]["refused"] == ('"'$mode'"' == "enforce")'
    type -P addr2line >/dev/null && json 'd["stale"][0]["source"].endswith("stale.c:7")'
  done
  run "${in_namespace[@]}" "$pidguard" --mode=audit --log=summary.%p bash -c 'true & true & wait'
  run "$pidguard" report --json summary.*
  expect status 0
  json 'd["counters"]["births"] == 2 and d["counters"]["reaped"] == 2 and d["counters"]["unwaited"] == 0'
  # Each child counts in its parent. A subshell knows its siblings, and finds that one of them was reaped.
  run "${in_namespace[@]}" "$pidguard" --mode=audit --log=family.%p bash -c 'sleep 0.3 & first=$!
    (while [[ -e /proc/$first ]]; do :; done; kill $first 2>/dev/null) & wait'
  run "$pidguard" report --json family.*
  json 'd["counters"]["births"] == 2 and d["counters"]["reaped"] == 2 and d["counters"]["silent"] == 0'
else
  skip 'a real program, because there is no pid namespace, or no compiler'
fi
finish
