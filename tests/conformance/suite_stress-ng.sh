# stress-ng's stressors for processes, each for a while, verifying. Verdicts come from its counts of passed and failed;
# the ratio of the work done with and without the shim is printed, and is no verdict.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(stress-ng=stress-ng)

suite_prepare() { :; }

suite_units() {
  local stressor
  for stressor in fork vfork clone kill sigchld zombie wait daemon pidfd exec spawn forkheavy sigq sigrt session \
    vforkmany ptrace pthread signest sigsuspend; do
    stress-ng --help | grep -qE -- "--$stressor N " && printf '%s\n' "$stressor"
  done
}

conf_command() {
  mkdir -p "$suite_dir/tmp"
  limit=$((conf_seconds * 3 + 60))
  command=(stress-ng --temp-path "$suite_dir/tmp" "--$1" 1 --timeout "${conf_seconds}s" --verify --metrics --no-rand-seed)
}

conf_verdicts() {
  cat "$2" "$3" | awk -v stressor="$1" '
    /: (passed|failed|skipped): / { for (i = 1; i < NF; i++) if ($i ~ /^(passed|failed|skipped):$/) n[$i] = $(i + 1) }
    / fail: / { failures++ }
    END {
      if (n["failed:"] + failures) print stressor "\tfailed (" n["failed:"] + 0 ", " failures + 0 " messages)"
      else if (n["skipped:"] + 0) print stressor "\tskipped"
      else if (n["passed:"] + 0) print stressor "\tpass"
      else print stressor "\tno verdict"
    }'
}

# Called when the suite is done: bogo operations a second of processor time, with the shim over without.
suite_after() {
  local unit dir
  printf '  bogo operations per second of the wall clock, with the shim / without:\n'
  while read -r unit; do
    dir=$conf_keep/stress-ng/$unit
    awk -v unit="$unit" '
      /metrc:/ && $0 ~ "] " unit " " { for (i = 1; i < NF; i++) if ($i == unit) rate[FILENAME ~ /shim/] = $(i + 5) }
      END { if (rate[0] > 0) printf "    %-12s %12.1f %12.1f  ratio %.3f\n", unit, rate[1], rate[0], rate[1] / rate[0]
            else printf "    %-12s nothing measured\n", unit }' "$dir"/{plain1,shim1}.{out,err}
  done < <(suite_units)
}
