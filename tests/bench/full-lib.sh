# SPDX-License-Identifier: MIT
# The runs of scripts/bench --full (sourced, bash). All results go into the table file, from which report.awk makes the
# tables and picture.awk the picture. Expects bin, lib, out, run() and the rounds.
# shellcheck shell=bash disable=SC2154

bench_curve=kill-child,kill-oldest,waitpid-child,fork-waitpid,vfork-waitpid,spawn-wait

section() { printf '\n== %s\n' "$*"; }

# Measures what the object costs at a start: relocations, page faults and mappings.
measure_object() {
  local way preload
  section 'the preload object'
  for way in "shim:$lib/libpidguard-preload.so" "empty:$lib/libpg_bench_empty.so"; do
    preload=${way#*:}
    readelf -rW "$preload" | awk -v way="${way%%:*}" -v table="$table" '
      $3 ~ /_RELATIVE$/ { relative++; next } $3 ~ /^R_/ { symbol++ }
      END { printf "%s: %d relative relocations, %d by symbol\n", way, relative, symbol
            printf "object\t%s\trelocations\t%d\t%d\n", way, relative, symbol >>table }'
  done
  for way in plain: "empty:$lib/libpg_bench_empty.so" "shim:$lib/libpidguard-preload.so"; do
    preload=${way#*:}
    "$bin/pg_stepped" starts "$preload" | awk -v way="${way%%:*}" -v table="$table" '
      { printf "%s: %d page faults from exec to exit, %d mappings, %d kB resident in main\n", way, $1, $2, $3
        printf "object\t%s\tstart\t%d\t%d\t%d\n", way, $1, $2, $3 >>table }'
  done
}

measure_programs() {
  section 'whole programs'
  local tree=$out/tree shells=() shell
  for shell in dash bash; do
    ! type -P "$shell" >/dev/null ||
      shells+=(-x "script of 2,000 commands, $shell=$(type -P "$shell") $here/commands.sh")
  done
  run -l programs -r "$program_rounds" -s 1 -w none "${shells[@]}" \
    -x "make -j2 of a source tree=/bin/sh $here/build-tree.sh $pg_root $tree" \
    -x "prefork server, 200 workers=$bin/pg_bench_server 200 50 20000 100" "${preloads[@]}"
}

# Each child in turn. If the children of all ways would be too many at once, one way runs after the other.
measure_turn() {
  local n together
  for n in 0 63 64 199 1999 29999; do
    section "$((n + 1)) children, each in turn"
    together=()
    ((n < 10000)) || together=(-b)
    run "${together[@]}" -l turn -c "$n" -r "$rounds" -s "$slice" -w kill-each,poll-each,wait-each "${preloads[@]}"
  done
}

# Everything, the most interesting measurements first.
measure_all() {
  local n
  section 'single operations'
  run -l works -r "$rounds" -s "$slice" "${list[@]}"
  measure_programs
  for n in 1 10 100; do
    section "$n other children"
    run -l works -c "$n" -r "$rounds" -s "$slice" -w "$bench_curve" "${two[@]}"
  done
  section '1,000 other children'
  run -l works -c 1000 -r "$rounds" -s "$slice" "${preloads[@]}"
  section '30,000 other children (one way after the other)'
  run -b -l works -c 30000 -r "$rounds" -s "$slice" "${two[@]}"
  measure_turn
  for n in 0 16 64 256 1024; do
    section "PIDGUARD_FD_MAX=$n, 1,200 other children"
    # The shim holds descriptors for at most a quarter of the limit, so the limit must be high here.
    (ulimit -Sn 8192 2>/dev/null
      PIDGUARD_FD_MAX=$n run -l "fd-max=$n" -c 1200 -r "$rounds" -s "$slice" -w "$bench_curve" "${two[@]}"
      exit "$failed") || failed=1
  done
  for n in 1 2 3 4; do
    section "$n threads"
    run -u -l threads -t "$n" -r "$rounds" -s "$slice" \
      -w kill-child,kill-same,kill-stranger,waitpid-child,syscall-getppid "${two[@]}"
  done
  section 'memory'
  for n in 0 1000 30000; do
    printf '%s other children\n' "$n"
    run -b -m -c "$n" "${two[@]}"
  done
  measure_object
  section 'instructions in user space'
  bash "$here/steps.sh" "$pg_build" show
}
