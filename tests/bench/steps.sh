#!/bin/bash
# SPDX-License-Identifier: MIT
# Compares instructions and system calls of the shim's paths with the figures in steps.table, or for a glibc before 2.34
# in steps-2.31.table. Such a glibc has libdl beside it, which the object needs. Before 2.32 it does not tell whether
# the program has threads, so the shim takes the way of programs with threads. Usage:
#   steps.sh BUILD-DIR calls        checks that the system calls are no more than in the table, with any compiler
#   steps.sh BUILD-DIR steps        checks that the instructions within the preload object are within the margin; the
#                                   margin is three times as wide for another compiler than the table's
#   steps.sh BUILD-DIR show         shows everything beside the plain program, and checks nothing
#   steps.sh BUILD-DIR table        prints a new table
# It enters a pid namespace of its own. Exit status 77 with a reason if it cannot measure.
set -uo pipefail
unset LD_PRELOAD "${!PIDGUARD_@}"

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P) || exit 1
build=$1 what=$2
bin=$build/bin lib=$build/lib table=$here/steps.table
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null)
for_libc='glibc from 2.34'
[[ $libc != glibc\ 2.* ]] || ((${libc#glibc 2.} >= 34)) || for_libc='glibc before 2.34' table=$here/steps-2.31.table
works=(kill-child kill-stranger kill-reaped waitpid-child waitpid-any fork fork-child reap reap-any vfork spawn
  close dup2 syscall start)

skip() {
  echo "SKIP: $*"
  exit 77
}

if [[ ${PG_STEPS_INSIDE:-} != 1 ]]; then
  # shellcheck source=scripts/setup-lib.sh
  pg_root=$here/../.. pg_build=$build . "$here/../../scripts/setup-lib.sh"
  pg_find_namespace || skip 'this user cannot make a pid namespace, and the counted programs send signals'
  exec "${pg_unshare[@]}" env PG_STEPS_INSIDE=1 bash "${BASH_SOURCE[0]}" "$@"
fi

# The figures of the table hold for one compiler and one level of optimisation.
widen=1
cache() { sed -n "s/^$1:[^=]*=//p" "$build/CMakeCache.txt"; }
compiler() {
  "$(cache CMAKE_C_COMPILER)" -dM -E - </dev/null | awk '/__clang__/ { c = 1 } END { print c ? "clang" : "gcc" }'
}
[[ -z $(cache PIDGUARD_SANITIZE) ]] || skip 'the build has a sanitizer, which adds instructions and system calls'
if [[ $what == steps ]]; then
  [[ $(cache CMAKE_BUILD_TYPE) == RelWithDebInfo && -z $(cache CMAKE_C_FLAGS) &&
    $(cache CMAKE_C_FLAGS_RELWITHDEBINFO) == '-O2 -g -DNDEBUG' ]] ||
    skip "${table##*/} is for the default build type without further flags"
  wanted=$(sed -n 's/.*steps.sh table; \(gcc [0-9]*\).*/\1/p' "$table")
  [[ "$(compiler) $("$(cache CMAKE_C_COMPILER)" -dumpversion | cut -d. -f1)" == "$wanted" ]] ||
    { widen=3 && echo "${table##*/} is for $wanted; its margin is three times as wide for this compiler"; }
fi
"$bin/pg_stepped" pidfs
case $? in
0) ;;
1) skip "${table##*/} is for kernels with pidfs (Linux 6.9)" ;;
*)
  echo "FAILED: $bin/pg_stepped cannot be run"
  exit 1
  ;;
esac

out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
shim=$(readlink -f "$lib/libpidguard-preload.so") # /proc/PID/maps has the file's own name
for way in plain: "empty:$lib/libpg_bench_empty.so" "shim:$shim" "audit:$shim"; do
  case $what,$way in
  calls,empty:*) continue ;;
  calls,*) ;;
  *,audit:*) continue ;;
  esac
  preload=${way#*:} options=() mode=()
  [[ $way != audit:* ]] || mode=(PIDGUARD_MODE=audit)
  # Counting the instructions of a start takes most of the time, and those of a plain start are compared with nothing.
  [[ $what != calls && ($what != steps || $way != plain:*) ]] || options=(-c)
  # The environment is empty, because the shim reads all of it when it starts.
  env -i "${mode[@]}" "$bin/pg_steps" ${preload:+-p "$preload"} "${options[@]}" \
    "$bin/pg_stepped" "${works[@]}" >"$out.way"
  status=$?
  ((status != 77)) || { cat "$out.way"; exit 77; }
  ((status == 0)) || exit 1
  sed "s/^/${way%%:*}\t/" "$out.way" >>"$out"
done
rm -f "$out.way"

# The columns of $out are: way, work, all instructions, those in the preload object, in libc and in the loader, calls,
# names of the calls. "bind" is computed. It is what libc and the loader do at the start for the object, more than for
# an empty object.
version=$("$(cache CMAKE_C_COMPILER)" -dumpfullversion 2>/dev/null)
awk -F'\t' -v what="$what" -v widen="$widen" -v table="$table" -v version="$version" -v libc="$libc" \
  -v for_libc="$for_libc" '
  $1 == "shim" && !($2 in seen) { seen[$2] = 1; order[++n] = $2 }
  { total[$1, $2] = $3; object[$1, $2] = $4; outside[$1, $2] = $5 + $6; calls[$1, $2] = $7; names[$1, $2] = $8 }
  function extra(work) { return work == "bind" ? 0 : calls["shim", work] - calls["plain", work] }
  function steps_of(work) {
    return work == "bind" ? outside["shim", "start"] - outside["empty", "start"] : object["shim", work]
  }
  END {
    order[++n] = "bind"
    if (what == "table") {
      print "# SPDX-License-Identifier: MIT"
      print "# For a " for_libc ", see steps.sh. The columns are:"
      print "# instructions within the preload object (bind: in libc and the loader, for it), the margin in per " \
        "cent, and"
      print "# system calls more than without the shim. Made by steps.sh table; gcc " version ", -O2, x86-64, " libc "."
      for (i = 1; i <= n; i++)
        printf "%-14s %6d %3d %3d\n", order[i], steps_of(order[i]), order[i] == "bind" ? 30 : 10, extra(order[i])
      exit
    }
    if (what == "show") {
      printf "%-14s %8s %8s %8s %8s  %s\n", "work", "plain", "empty", "shim", "object", "system calls with the shim"
      for (i = 1; i < n; i++)
        printf "%-14s %8d %8d %8d %8d  %s\n", order[i], total["plain", order[i]], total["empty", order[i]],
               total["shim", order[i]], object["shim", order[i]],
               order[i] == "start" ? extra("start") " more" : names["shim", order[i]]
      printf "%-14s %8s %8s %8d\n", "bind", "", "", steps_of("bind")
      exit
    }
    while ((getline line < table) > 0) {
      if (line ~ /^#/ || split(line, f, " ") != 4) continue
      known[f[1]] = 1
      if (what == "calls" && f[1] == "bind") continue
      if (what == "calls") { # audit mode makes no further call, except for the signal that it lets pass
        audit = calls["audit", f[1]] - calls["shim", f[1]]
        if (audit > (f[1] == "kill-reaped")) { print "FAILED " f[1] ": " audit " calls more in audit mode"; failed++ }
      }
      is = what == "calls" ? extra(f[1]) : steps_of(f[1])
      may = what == "calls" ? f[4] : int(f[2] * (1 + widen * f[3] / 100) + 8)
      bad = is > may
      failed += bad
      checked++
      printf "%s %-14s %6d, allowed %6d%s\n", bad ? "FAILED" : "ok    ", f[1], is, may,
             what == "steps" && is < f[2] * 0.8 ? "  (the table can be tightened)" : ""
    }
    for (i = 1; i <= n; i++)
      if (!(order[i] in known)) { print "FAILED " order[i] " is not in the table"; failed++ }
    if (!checked) { print "FAILED: " table " has no figures"; failed++ }
    exit failed > 0
  }' "$out"
