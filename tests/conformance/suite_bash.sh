# SPDX-License-Identifier: MIT
# bash's own tests (tests/run-*), run on the installed bash. A case is good if it has no output. Other output is
# compared without numbers of two digits and more, such as PIDs.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(bash=/bin/bash gcc=cc libc6-dev=stdio.h)

suite_prepare() {
  local source tool
  source=$(conf_source bash) || return 1
  cp -a "$source/tests" "$suite_dir/"
  mkdir -p "$suite_dir/include"
  printf '#include <%s>\n' string.h stdlib.h unistd.h >"$suite_dir/include/bashansi.h" # stands in for configure's
  printf '#define HAVE_UNISTD_H 1\n' >"$suite_dir/include/config.h"
  for tool in recho zecho xcase printenv; do
    "$(pg_compiler)" -w -I"$suite_dir/include" -o "$suite_dir/tests/$tool" "$source/support/$tool.c" || return 1
  done
}

suite_units() {
  if ((conf_quick)); then
    printf '%s\n' run-comsub run-execscript run-jobs run-trap run-procsub run-lastpipe
  else
    (cd "$suite_dir/tests" && printf '%s\n' run-*) | grep -vE '^run-(all|minimal|gprof)$'
  fi
}

conf_command() {
  directory=$suite_dir/tests
  mkdir -p "$suite_dir/tmp"
  environment=(env -u BASH_ENV -u SHELLOPTS THIS_SH=/bin/bash "BUILD_DIR=$suite_dir" "BASH_TSTOUT=$suite_dir/tmp/out"
    "TMPDIR=$suite_dir/tmp" "PATH=$suite_dir/tests:$PATH" LC_ALL=C)
  command=(sh "$1")
}

conf_verdicts() {
  local complaint
  complaint=$(sed -E 's/[0-9]{2,}/N/g' "$2")
  if [[ -z $complaint ]]; then
    printf 'output\tok\n'
  else
    printf 'output\tcomplains (%s lines, sum %s)\n' \
      "$(wc -l <<<"$complaint")" "$(cksum <<<"$complaint" | cut -d' ' -f1)"
  fi
}
