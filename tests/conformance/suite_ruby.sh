# SPDX-License-Identifier: MIT
# Ruby's own tests of processes, signals and pipes, run by the installed ruby.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(ruby=ruby)

suite_prepare() {
  local source
  source=$(conf_source "$(dpkg-query -S "$(readlink -f "$(type -P ruby)")" | sed 's/:.*//')") || return 1
  cp -a "$source/test" "$source/tool" "$suite_dir/"
}

suite_units() {
  printf '%s\n' test_process test_signal
  ((conf_quick)) || printf '%s\n' test_io test_thread test_rubyoptions test_system test_exception test_file test_pty \
    test_open3 test_beginendblock test_gc test_io_nonblock
}

conf_command() {
  local file
  file=$(cd "$suite_dir" && find test -name "$1.rb" ! -path '*/-ext-/*' ! -path '*/fiber/*' | sort | head -n 1)
  limit=$((conf_limit * 3))
  environment=(env LC_ALL=C.UTF-8)
  command=(ruby -I tool/lib -I test/lib test/runner.rb --ruby="$(type -P ruby)" -v "$file")
}

conf_verdicts() {
  tr '\r' '\n' <"$2" | awk '
    match($0, /Test[A-Za-z0-9:]*#test_[A-Za-z0-9_?!=]*/) && / = / && /^\[/ {
      name = substr($0, RSTART, RLENGTH)
      ran[name] = 1
    }
    /^ *[0-9]+\) (Failure|Error|Skipped):/ { kind = $2; next }
    kind && match($0, /Test[A-Za-z0-9:]*#test_[A-Za-z0-9_?!=]*/) { bad[substr($0, RSTART, RLENGTH)] = kind; kind = "" }
    END {
      for (n in ran) print n "\t" (n in bad ? bad[n] : "ok")
      for (n in bad) if (!(n in ran)) print n "\t" bad[n]
    }' |
    sort
}
