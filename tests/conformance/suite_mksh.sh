# SPDX-License-Identifier: MIT
# mksh's own tests, which their own driver runs on the installed mksh.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(mksh=mksh perl=/usr/bin/perl)

suite_prepare() {
  local source
  source=$(conf_source mksh) || return 1
  cp -a "$source"/check.{t,pl} "$suite_dir/"
}

suite_units() { printf 'check.t\n'; }

conf_command() {
  mkdir -p "$suite_dir/tmp"
  limit=$((conf_limit * 3))
  environment=(env LC_ALL=C "TMPDIR=$suite_dir/tmp")
  command=(perl check.pl -v -s check.t -p /bin/mksh -T "$suite_dir/tmp" -C shell:legacy-no,int:32,fastbox)
}

conf_verdicts() {
  sed -nE 's/^(pass|FAIL) [^:]*:([A-Za-z0-9_-]+).*$/\2\t\1/p' "$2"
}
