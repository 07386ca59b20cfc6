# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# The launcher as a program: what it passes through, what it adds, what it says. See check.sh for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

# Status, arguments, standard input.
run "$pidguard" sh -c 'exit 37'
expect status 37
run "$pidguard" sh -c 'printf "%s|" "$@"' sh 'a b' '' '*' --help
expect out 'a b||\*|--help|'
run "$pidguard" -- printf %s x
expect out x
run sh -c "echo typed | '$pidguard' cat"
expect out typed

# A signal meets the command itself: exec left nobody in between.
if find_namespace; then
  run "${in_namespace[@]}" bash -c '
    "$0" sleep 60 & pid=$!
    for i in $(seq 200); do [[ $(<"/proc/$pid/comm") == sleep ]] && break; sleep 0.02; done
    cat "/proc/$pid/comm"
    ((pid > 1)) && kill -TERM "$pid"
    wait "$pid"; echo $?' "$pidguard"
  expect out $'sleep\n143'
else
  skip 'signals: no pid namespace to be had'
fi

# The environment: ours is added, everything else is as it was, whatever names the script uses for itself.
run env -i 'a.b=1' 'BASH_FUNC_f%%=() {  echo hi; }' PATH="$PATH" SHLVL=3 PWD=/x file=F line=L REPLY=R command=C \
  "$pidguard" env
expect out '*a.b=1*'
expect out '*BASH_FUNC_f%%=() {  echo hi; }*'
for entry in PWD=/x SHLVL=3 file=F line=L REPLY=R command=C "LD_PRELOAD=$lib"; do
  expect out "*$entry*"
done
run env -i PATH="$PATH" SHLVL=1 "$pidguard" env
expect out $'*'
checks=$((checks + 1))
left=$(grep -v -e '^PATH=' -e '^SHLVL=1$' -e '^LD_PRELOAD=' -e '^_=' <<<"$out")
[[ -z $left ]] || {
  failures=$((failures + 1))
  printf 'FAILED: the command finds new variables: %s\n' "$left"
}
# A caller's exported shell options are those of the command, and the launcher's own are not.
for options in SHELLOPTS=braceexpand:hashall:interactive-comments BASHOPTS=checkwinsize:extglob NONE=; do
  # shellcheck disable=SC2016
  show=(bash -c 'echo "$SHELLOPTS $BASHOPTS"; printenv SHELLOPTS BASHOPTS')
  plain=$(env -u SHELLOPTS -u BASHOPTS "$options" "${show[@]}")
  run env -u SHELLOPTS -u BASHOPTS "$options" "$pidguard" "${show[@]}"
  expect out "$plain"
  run env -u SHELLOPTS -u BASHOPTS "$options" "$pidguard" printenv LD_PRELOAD
  expect out "$lib"
done
# Nor does it need the caller's PATH for itself, or look elsewhere for the command.
mkdir only
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "found, PATH=$PATH"\n' >only/here
chmod +x only/here
for path in "$tmp/only" ''; do
  run env PATH="$path" "$pidguard" "$tmp/only/here"
  expect out "found, PATH=$path"
  run env PATH="$path" "$pidguard" /bin/sh -c 'exit 5'
  expect status 5
  expect err ''
done
run env PATH="$tmp/only" "$pidguard" here
expect out "found, PATH=$tmp/only"
run env PATH="$tmp/only" "$pidguard" env
expect status 127

# No descriptor is left open for it.
run bash -c 'ls -l /proc/self/fd | grep -c "" ; exec "$0" bash -c "ls -l /proc/self/fd | grep -c \"\""' "$pidguard"
checks=$((checks + 1))
[[ ${out%%$'\n'*} == "${out##*$'\n'}" ]] || {
  failures=$((failures + 1))
  printf 'FAILED: descriptors without and with the launcher: %s\n' "$out"
}

# LD_PRELOAD: kept, in front of ours, and ours is there once.
cp "$lib" other.so
run env LD_PRELOAD="$tmp/other.so" "$pidguard" printenv LD_PRELOAD
expect out "$tmp/other.so:$lib"
run "$pidguard" "$pidguard" printenv LD_PRELOAD
expect out "$lib"
run "$pidguard" grep -c "${lib##*/}" /proc/self/maps
expect out '[1-9]*'

# Options become the environment of the shim.
run "$pidguard" --mode audit --debug=warn --log here.log sh -c 'echo $PIDGUARD_MODE $PIDGUARD_DEBUG $PIDGUARD_LOG'
expect out "audit warn $tmp/here.log"
run "$pidguard" --mode=audit sh -c 'echo $PIDGUARD_MODE $PIDGUARD_DEBUG'
expect out 'audit warn'
run "$pidguard" --mode=off --debug sh -c 'echo $PIDGUARD_MODE $PIDGUARD_DEBUG'
expect out 'off debug'
run "$pidguard" --log=/dev/null sh -c 'echo $PIDGUARD_DEBUG $PIDGUARD_LOG'
expect out 'info /dev/null'
run "$pidguard" sh -c 'echo "${PIDGUARD_MODE-none} ${PIDGUARD_DEBUG-none} ${PIDGUARD_LOG-none}"'
expect out 'none none none'

# What it says about itself and about mistakes.
run "$pidguard" --help
expect status 0
expect out 'usage: pidguard *'
run "$pidguard" --version
expect out "pidguard $(sed -n 's/^project(pidguard VERSION \([0-9.]*\).*/\1/p' "$src/CMakeLists.txt")"
for mistake in '' --nonsense --mode=maybe --debug=loud --mode --log=; do
  # shellcheck disable=SC2086
  run "$pidguard" $mistake
  expect status 125
done
run "$pidguard" no-such-command-here
expect status 127
expect err 'pidguard: no-such-command-here: not found'
run "$pidguard" ./no/such/file
expect status 127
run "$pidguard" /tmp
expect status 126
: >plain-file
run "$pidguard" ./plain-file
expect status 126

# A place that LD_PRELOAD cannot name.
mkdir 'a b'
cp "$lib" "a b/"
sed "s|^PIDGUARD_LIB=.*|PIDGUARD_LIB='$tmp/a b/${lib##*/}'|" "$src/scripts/pidguard" >blank
run bash -p ./blank true
expect status 125
expect err '*blanks and colons*'
finish
