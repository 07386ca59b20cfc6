# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# Sourced by the tests in this folder: runs a command, compares its status and its output, counts. Arguments of each
# test: the top of the source tree, the preload object that was built. Leaves nothing behind but its exit status.
set -u
src=$1
lib=$2
unset LD_PRELOAD PIDGUARD_MODE PIDGUARD_DEBUG PIDGUARD_LOG PIDGUARD_BUILD_DIR

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
cd "$tmp" || exit 1
checks=0
failures=0

# What is passed on by whoever runs the tests is not the commands' (255: bash's own, of this script).
for number in /proc/self/fd/*; do
  number=${number##*/}
  ((number <= 2 || number == 255)) || eval "exec $number>&-"
done

built=$lib
[[ -x ${built%/lib/*}/bin/pidguard ]] || {
  echo "${built%/lib/*}/bin/pidguard is not there"
  exit 1
}
# Puts the program of this build and an object (a copy of the real one, or FILE) into a folder, as an installation
# would.
place() { # FOLDER [FILE]
  mkdir -p "$1/bin" "$1/lib" && cp "${built%/lib/*}/bin/pidguard" "$1/bin/" &&
    cp "${2-$built}" "$1/lib/libpidguard-preload.so.0" && chmod -R a+rX "$1"
}
# Both of this build, where every user can reach them.
place "$tmp/installed" || exit 1
pidguard=$tmp/installed/bin/pidguard
lib=$tmp/installed/lib/libpidguard-preload.so.0

# run COMMAND [ARG…]: sets status, out and err.
run() {
  ran=$*
  "$@" >"$tmp/.out" 2>"$tmp/.err" </dev/null
  status=$?
  out=$(<"$tmp/.out")
  err=$(<"$tmp/.err")
}

# expect status|out|err PATTERN: the last command's, as a shell pattern.
expect() {
  checks=$((checks + 1))
  # shellcheck disable=SC2053
  [[ ${!1} == $2 ]] && return
  failures=$((failures + 1))
  printf 'FAILED: %s\n  %s should match: %s\n  status %s\n  stdout: %s\n  stderr: %s\n' \
    "$ran" "$1" "$2" "$status" "$out" "$err"
}

skip() { printf 'SKIP: %s\n' "$*"; }

# True when this test can run commands as somebody else; not even every root can (user namespaces). One does it so:
as_other=(setpriv --reuid 1 --regid 1 --clear-groups)
can_be_other() { ((EUID == 0)) && "${as_other[@]}" true 2>/dev/null; }

# Is root somebody in this user namespace? Else his set-user-id programs give nobody his rights.
root_is_mapped() { awk '$1 == 0 { found = 1 } END { exit !found }' /proc/self/uid_map; }

# Sets in_namespace to the command that gives a pid namespace; false where there is none.
find_namespace() {
  in_namespace=(unshare --pid --fork --mount-proc --kill-child)
  "${in_namespace[@]}" true 2>/dev/null && return
  in_namespace=(unshare --user --map-root-user "${in_namespace[@]:1}")
  "${in_namespace[@]}" true 2>/dev/null
}

finish() {
  printf '%s checks, %s failed\n' "$checks" "$failures"
  ((checks > 0 && failures == 0))
  exit
}
