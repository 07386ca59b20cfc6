# SPDX-License-Identifier: MIT
# Runs units with and without the shim, and prints the differences of their verdicts (sourced, bash). A unit is one file
# of a suite, whose output has the verdicts of many cases. Expects conf_shim, conf_keep and pg_unshare. Each suite
# defines:
#
#   suite_wants    array of its needs, as PACKAGE=COMMAND (or PACKAGE=HEADER.h, or PACKAGE=/FILE)
#   suite_prepare  fills $suite_dir, the folder of the suite; called once, or each time if suite_always=1
#   suite_units    prints the units, one a line
#   conf_command   for unit $1, sets the array command, and perhaps directory, environment (array) and limit (seconds)
#   conf_verdicts  for unit $1, reads $2 (stdout) and $3 (stderr), and prints lines of CASE<TAB>VERDICT
# shellcheck shell=bash disable=SC2154,SC2034

conf_runs=4 # the runs of a unit that differs, each way; they alternate, so that a busy machine affects both ways alike

# Runs a command in a pid namespace of its own, under a time limit. The first process of the namespace is a shell, which
# reaps the processes that the command leaves behind. Only the command gets the shim. Arguments: preload (or ''),
# seconds, stdout, stderr, command. The exit status is the command's, or 137 if the limit expired.
conf_run() {
  local preload=$1 seconds=$2 out=$3 err=$4
  shift 4
  local -a with=(env)
  [[ -z $preload ]] || with=(env "LD_PRELOAD=$preload")
  # shellcheck disable=SC2016 # $@ is the inner shell's
  timeout --signal=KILL "$seconds" setsid --wait "${pg_unshare[@]}" sh -c '"$@"; exit $?' init \
    "${with[@]}" "$@" </dev/null >"$out" 2>"$err"
}

# Runs a unit once, and leaves NAME.out, NAME.err and NAME.verdicts. Arguments: unit, preload, NAME.
conf_run_unit() {
  local unit=$1 preload=$2 name=$3 status=0
  local -a command=() environment=()
  local directory=$suite_dir limit=$conf_limit
  conf_command "$unit"
  (
    cd "$directory" || exit 125
    conf_run "$preload" "$limit" "$name.out" "$name.err" "${environment[@]}" "${command[@]}"
  ) || status=$?
  {
    conf_verdicts "$unit" "$name.out" "$name.err"
    if ((status == 137)); then
      printf '(end)\tstopped after %s s\n' "$limit"
    else
      printf '(end)\tstatus %s\n' "$status"
    fi
  } | conf_number_doubles >"$name.verdicts"
}

# Gives cases with the same name a number, so that each line is one case.
conf_number_doubles() {
  awk -F'\t' '{ n[$1]++; print (n[$1] > 1 ? $1 " #" n[$1] : $1) "\t" $2 }'
}

# Finds the cases in which a run with the shim has a verdict that no plain run has, and those on which plain runs
# disagree. Argument: the directory of one unit. Prints four counts: cases, good, flaky, different.
conf_compare() {
  local dir=$1
  : >"$dir/differences" >"$dir/flaky"
  awk -F'\t' -v dir="$dir" '
    function run_of(file) { sub(/^.*\//, "", file); sub(/\.verdicts$/, "", file); return file }
    FNR == 1 { run = run_of(FILENAME); runs[run] = 1 }
    { verdict[run, $1] = $2; cases[$1] = 1 }
    END {
      for (c in cases) {
        plains = ""; split("", seen); kinds = 0; shims = ""; others = 0; of = 0
        for (r in runs) if (r ~ /^plain/) {
          v = (r, c) in verdict ? verdict[r, c] : "absent"
          if (!(v in seen)) { seen[v] = 1; kinds++; plains = plains (plains ? " or " : "") v }
        }
        for (r in runs) if (r ~ /^shim/) {
          v = (r, c) in verdict ? verdict[r, c] : "absent"
          of++
          if (!(v in seen)) { others++; if (!index(shims, v)) shims = shims (shims ? " or " : "") v }
        }
        total++
        if (others) {
          different++
          print c "\tplain: " plains "\tshim: " shims "\t" others " of " of " runs" >(dir "/differences")
        }
        else if (kinds > 1) { flaky++; print c "\t" plains >(dir "/flaky") }
        else good += plains ~ /^(ok|pass|PASS|status 0)/
      }
      print total + 0, good + 0, flaky + 0, different + 0
    }' "$dir"/*.verdicts
}

# Runs a unit plain and with the shim. If the two differ, runs it again to find the flaky cases. Prints the counts.
conf_unit() {
  local unit=$1 dir=$2 i
  mkdir -p "$dir" || return 1
  conf_run_unit "$unit" '' "$dir/plain1"
  conf_run_unit "$unit" "$conf_shim" "$dir/shim1"
  if ! cmp -s "$dir/plain1.verdicts" "$dir/shim1.verdicts"; then
    for ((i = 2; i <= conf_runs; i++)); do
      conf_run_unit "$unit" '' "$dir/plain$i"
      conf_run_unit "$unit" "$conf_shim" "$dir/shim$i"
    done
  fi
  conf_compare "$dir"
}

# Runs all units of a suite that has been sourced and prepared. Prints the results, and appends to $conf_keep/counts.
conf_suite() {
  local suite=$1 unit total=0 good=0 flaky=0 different=0 units=0 t g f d
  local -a all
  mapfile -t all < <(suite_units | grep -E -- "${conf_match-}")
  ((${#all[@]})) || {
    pg_say "the suite $suite has no unit to run"
    return 1
  }
  for unit in "${all[@]}"; do
    local dir=$conf_keep/$suite/${unit//\//,}
    read -r t g f d < <(conf_unit "$unit" "$dir") && [[ $d == [0-9]* ]] || {
      pg_say "$suite $unit gave no result (is the disk full?)"
      return 1
    }
    total=$((total + t)) good=$((good + g)) flaky=$((flaky + f)) different=$((different + d)) units=$((units + 1))
    [[ -z ${conf_verbose-} ]] || printf '  %s: %s cases, %s good, %s flaky, %s different\n' "$unit" "$t" "$g" "$f" "$d"
    sed "s|^|  DIFFERENT $suite $unit: |; s/\t/ | /g" "$dir/differences"
    sed "s|^|  flaky     $suite $unit: |; s/\t/ | /g" "$dir/flaky"
  done
  printf '%s: %s units, %s cases, %s good both ways, %s not good both ways, %s flaky, %s different\n' \
    "$suite" "$units" "$total" "$good" "$((total - good - flaky - different))" "$flaky" "$different"
  printf '%s\n' "$suite $units $total $good $flaky $different" >>"$conf_keep/counts"
}
