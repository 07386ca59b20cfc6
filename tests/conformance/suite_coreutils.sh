# SPDX-License-Identifier: MIT
# GNU coreutils' own tests of the programs that start, stop and signal processes, run on the installed programs.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(coreutils=timeout perl=/usr/bin/perl gcc=cc)

suite_prepare() {
  local source tool
  source=$(conf_source coreutils) || return 1
  cp -a "$source"/{tests,init.cfg,build-aux} "$suite_dir/"
  mkdir -p "$suite_dir/src"
  while read -r tool; do
    ln -sf "$tool" "$suite_dir/src/"
  done < <(dpkg -L coreutils | grep -E '^/(usr/)?(s?bin)/')
  ln -sf "$(type -P kill)" "$suite_dir/src/" # Debian has it in another package
  : >"$suite_dir/config.h"
}

suite_units() {
  cd "$suite_dir/tests" || return 1
  printf '%s\n' misc/{timeout,timeout-group,nice,nice-fail,kill,nohup,env-signal-handler}.sh misc/timeout-blocked.pl
  ((conf_quick)) || printf '%s\n' misc/{env,stdbuf,tty,sort-compress*,tac,tee,split,xattr,seq-epipe}.sh \
    tail-2/*.sh split/filter.sh dd/{sig,stats}*.sh
}

conf_command() {
  mkdir -p "$suite_dir/tmp"
  environment=(env VERSION="$(timeout --version | sed -n '1s/.* //p')" LC_ALL=C "abs_top_builddir=$suite_dir"
    "abs_top_srcdir=$suite_dir" "abs_srcdir=$suite_dir" srcdir=. top_srcdir=. "CONFIG_HEADER=$suite_dir/config.h"
    "built_programs=$(cd "$suite_dir/src" && echo *)" fail=0 "CU_TEST_NAME=${1//\//-}" CC="$(pg_compiler)" AWK=awk
    EGREP='grep -E' EXEEXT= PERL=perl SHELL=/bin/bash PREFERABLY_POSIX_SHELL=/bin/bash "TMPDIR=$suite_dir/tmp"
    "PATH=$suite_dir/src:$PATH" RUN_EXPENSIVE_TESTS=no)
  case $1 in
  *.pl) command=(sh -c 'exec 9>&2; exec perl -w -I./tests -MCuSkip -MCoreutils -- "$1"' sh "tests/$1") ;;
  # These tests ask whether kill(-1) works, which needs another process in the namespace.
  *) command=(bash -c 'exec 9>&2; sleep 1000 & exec bash "$1"' bash "tests/$1") ;;
  esac
}

conf_verdicts() { :; } # the exit status is the verdict: 77 is a skip
