# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# Sourced by the tests in this folder. Runs commands, compares their status and output, and counts. Arguments of each
# test: the top of the source tree, the preload object of the build. It leaves no files behind.
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

# Closes the descriptors that this test inherited, so that the commands do not get them. Bash itself reads this script
# through 255.
for number in /proc/self/fd/*; do
  number=${number##*/}
  ((number <= 2 || number == 255)) || eval "exec $number>&-"
done

built=$lib
[[ -x ${built%/lib/*}/bin/pidguard ]] || {
  echo "there is no ${built%/lib/*}/bin/pidguard"
  exit 1
}
# Puts the program of this build and an object (a copy of the real one, or FILE) into a folder, as in an installation.
place() { # FOLDER [FILE]
  mkdir -p "$1/bin" "$1/lib" && cp "${built%/lib/*}/bin/pidguard" "$1/bin/" &&
    cp "${2-$built}" "$1/lib/libpidguard-preload.so.0" && chmod -R a+rX "$1"
}
# Both files of this build go to a folder that every user can reach.
place "$tmp/installed" || exit 1
pidguard=$tmp/installed/bin/pidguard
lib=$tmp/installed/lib/libpidguard-preload.so.0

# run COMMAND [ARG…]: runs the command, and sets status, out and err.
run() {
  ran=$*
  "$@" >"$tmp/.out" 2>"$tmp/.err" </dev/null
  status=$?
  out=$(<"$tmp/.out")
  err=$(<"$tmp/.err")
}

# expect status|out|err PATTERN: that result of the last command must match the shell pattern.
expect() {
  checks=$((checks + 1))
  # shellcheck disable=SC2053
  [[ ${!1} == $2 ]] && return
  failures=$((failures + 1))
  printf 'FAILED: %s\n  %s should match: %s\n  status %s\n  stdout: %s\n  stderr: %s\n' \
    "$ran" "$1" "$2" "$status" "$out" "$err"
}

skip() { printf 'SKIP: %s\n' "$*"; }

# True if this test can run commands as another user, by as_other. Root cannot always do so in a user namespace.
as_other=(setpriv --reuid 1 --regid 1 --clear-groups)
can_be_other() { ((EUID == 0)) && "${as_other[@]}" true 2>/dev/null; }

# True if root is mapped in this user namespace. If not, root's setuid programs give no rights.
root_is_mapped() { awk '$1 == 0 { found = 1 } END { exit !found }' /proc/self/uid_map; }

# Sets in_namespace to the command that makes a pid namespace. False if this user cannot make one. unshare --fork of
# util-linux 2.36 makes its command ignore two signals.
find_namespace() {
  local -a options=(--pid --fork --mount-proc --kill-child) again=(env --default-signal=INT,TERM)
  "${again[@]}" true 2>/dev/null || again=()
  in_namespace=(unshare "${options[@]}" "${again[@]}")
  "${in_namespace[@]}" true 2>/dev/null && return
  in_namespace=(unshare --user --map-root-user "${options[@]}" "${again[@]}")
  "${in_namespace[@]}" true 2>/dev/null
}

finish() {
  printf '%s checks, %s failed\n' "$checks" "$failures"
  ((checks > 0 && failures == 0))
  exit
}
