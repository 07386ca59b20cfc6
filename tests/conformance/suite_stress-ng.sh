# SPDX-License-Identifier: MIT
# Runs stress-ng's stressors for processes with --verify. Verdicts come from its counts of passed and failed. The ratio
# of the work done with and without the shim is printed, and is no verdict. forkheavy is left out, because it fills the
# disk.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(stress-ng=stress-ng)

suite_prepare() { :; }

suite_units() {
  local stressor known
  known=$(stress-ng --help)
  for stressor in fork vfork clone kill sigchld zombie wait daemon pidfd exec spawn sigq sigrt session \
    vforkmany ptrace signest sigsuspend; do
    grep -qE -- "--$stressor N " <<<"$known" && printf '%s\n' "$stressor"
  done
}

conf_command() {
  mkdir -p -m 1777 "$suite_dir/tmp"
  # These two refuse to run as root.
  [[ $1 != exec && $1 != spawn ]] || ((EUID)) || environment=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  limit=$((conf_seconds * 3 + 60))
  command=(stress-ng --temp-path "$suite_dir/tmp" "--$1" 1 --timeout "${conf_seconds}s" --verify --metrics
    --no-rand-seed)
}

conf_verdicts() {
  cat "$2" "$3" | awk -v stressor="$1" '
    /: (passed|failed|skipped): / { for (i = 1; i < NF; i++) if ($i ~ /^(passed|failed|skipped):$/) n[$i] = $(i + 1) }
    / fail: / { failures++ }
    / unsuccessful run completed/ { failures++ }
    / successful run completed/ { completed = 1 }
    END {
      if (n["failed:"] + failures) print stressor "\tfailed (" n["failed:"] + 0 ", " failures + 0 " messages)"
      else if (n["skipped:"] + 0) print stressor "\tskipped"
      else if (n["passed:"] + 0 || completed) print stressor "\tpass"
      else print stressor "\tno verdict"
    }'
}

# Called after the suite. Prints the bogo operations with and without the shim, and the ratio of their rates.
suite_after() {
  local unit dir
  printf '  bogo operations with the shim, without, and the ratio by wall clock and by processor time:\n'
  while read -r unit; do
    dir=$conf_keep/stress-ng/$unit
    awk -v unit="$unit" '
      /metrc:/ && $0 ~ "] " unit " " {
        for (i = 1; i < NF; i++) if ($i == unit && $(i + 1) ~ /^[0-9]+$/ && NF >= i + 6) {
          shim = FILENAME ~ /shim/; ops[shim] = $(i + 1); wall[shim] = $(i + 5); cpu[shim] = $(i + 6)
        } }
      END {
        if (wall[0] > 0 && cpu[0] > 0)
          printf "    %-12s %10d %10d  ratio %.3f %.3f\n",
            unit, ops[1], ops[0], wall[1] / wall[0], cpu[1] / cpu[0]
        else
          printf "    %-12s nothing measured\n", unit
      }' "$dir"/{plain1,shim1}.{out,err}
  done < <(suite_units)
}
