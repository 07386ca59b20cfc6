# SPDX-License-Identifier: MIT
# Tcl's own tests, run by the installed tclsh. The cases come from tcltest's verbose output.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(tcl8.6=tclsh8.6)

suite_prepare() {
  local source
  source=$(conf_source tcl8.6) || return 1
  cp -a "$source/tests" "$source/library" "$suite_dir/"
}

suite_units() {
  printf '%s\n' exec pid unixFCmd unixForkEvent unixNotfy
  ((conf_quick)) || printf '%s\n' io ioCmd chan chanio event async socket fCmd cmdAH interp main thread env safe timer \
    tcltest unixInit unixFile iogt ioTrans encoding
}

conf_command() {
  directory=$suite_dir/tests
  command=(tclsh8.6 "$1.test" -verbose 'body pass skip start error usec')
}

conf_verdicts() {
  awk '/^\+\+\+\+ .* PASSED/ { print $2 "\tpass"; next }
       /^\+\+\+\+ .* SKIPPED/ { print $2 "\tskipped"; next }
       /^==== .* FAILED$/ { if (!($2 in failed)) print $2 "\tFAILED"; failed[$2] = 1 }' "$2"
}
