# SPDX-License-Identifier: MIT
# GNU make's own tests, run on the installed make. A case is one of their scripts with its counts.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(make=make perl=/usr/bin/perl gcc=cc)

suite_prepare() {
  local source
  source=$(conf_source make) || return 1
  cp -a "$source/tests" "$source/src" "$suite_dir/"
  sed 's/@[A-Za-z_]*@//' "$source/tests/config-flags.pm.in" >"$suite_dir/tests/config-flags.pm"
}

# Each folder is a unit.
suite_units() {
  if ((conf_quick)); then
    printf '%s\n' features/parallelism misc/general3 functions/shell
  else
    (cd "$suite_dir/tests/scripts" && printf '%s\n' */)
  fi
}

conf_command() {
  local work=$suite_dir/work
  directory=$suite_dir/tests
  limit=$((conf_limit * 2))
  local -a scripts=("${1%/}")
  [[ $1 != */ ]] ||
    mapfile -t scripts < <(cd "$directory/scripts" && find "$1" -type f ! -name '*~' | sed 's|//|/|' | sort)
  environment=(env LC_ALL=C "TMPDIR=$work")
  mkdir -p "$work"
  command=(perl ./run_make_tests.pl -make "$(type -P make)" -srcdir "$suite_dir" -blddir "$suite_dir" "${scripts[@]}")
}

conf_verdicts() {
  sed -n 's/^\([a-z]*\/[A-Za-z0-9_-]*\) \.* *\(.*\)$/\1\t\2/p' "$2"
}
