#!/bin/bash
# SPDX-License-Identifier: MIT
# Compares the manual with the header and the sources. Exactly one page must document each public function, with the
# prototype of the header. No page may name a function that does not exist. pidguard(7) must have each variable of the
# environment and each event of the log. The installed formatters must accept the pages without a warning.
# Usage: manual.sh [C-COMPILER]
set -uf
export LC_ALL=C
root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P) || exit 1
cc=${1:-cc}
set +f
pages=("$root"/src/man/*.[1-9])
group_pages=("$root"/src/man/*.3)
set -f

checks=0
failures=0
fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*"
}
same() { # WHAT EXPECTED ACTUAL: lists, one entry a line
  checks=$((checks + 1))
  local difference
  difference=$(diff <(sort -u <<<"$2") <(sort <<<"$3")) || fail "$1:"$'\n'"$difference"
}

# Prints the text of a page without its markup.
plain() { sed -e '/^\.\\"/d' -e 's/^\.[A-Z][A-Z]* //; s/^\.[A-Z][A-Z]*$//' -e 's/\\f[A-Z]//g; s/\\-/-/g; s/"//g' "$1"; }
section() { awk -v s="$2" '/^\.SH / {on = ($0 == ".SH " s)} on' "$1"; }
# Prints prototypes, one a line, in the form "pidguard_kill(pid_t pid,int sig)".
prototypes() {
  tr '\n' ' ' | sed 's/[;{}]/\n/g' | grep -o 'pidguard_[a-z0-9_]* *(.*)' | sed 's/  */ /g; s/ *\([*(),]\) */\1/g'
}

header=$("$cc" -E -P -D_GNU_SOURCE -I"$root/include" -x c "$root/include/pidguard/pidguard.h" |
  sed 's/__attribute__ *((visibility("default")))//; s/\<_Bool\>/bool/g')
functions=$(prototypes <<<"$header" | sed 's/(.*//' | sort -u)
checks=$((checks + 1))
(($(wc -l <<<"$functions") > 50)) || fail 'the header declares hardly any functions'

documented=$(for page in "${group_pages[@]}"; do section "$page" NAME; done |
  sed 's/\\- .*//' | grep -o 'pidguard_[a-z0-9_]*')
same 'functions of the header, and of the NAME sections' "$functions" "$documented"

# .BI joins its words without blanks, and .B with blanks. Quoted words keep their blanks.
shown=$(for page in "${group_pages[@]}"; do
  section "$page" SYNOPSIS | awk '
    /^\.BI? / {
      text = ""
      quoted = 0
      loose = /^\.B /
      sub(/^\.BI? /, "")
      for (i = 1; i <= length($0); i++) {
        c = substr($0, i, 1)
        if (c == "\"")
          quoted = !quoted
        else if (c != " " || quoted || loose)
          text = text c
      }
      print text
    }'
done)
same 'prototypes of the header, and of the SYNOPSIS sections' "$(prototypes <<<"$header")" "$(prototypes <<<"$shown")"

for page in "${pages[@]}"; do
  name=${page##*/}
  # Only names with a bracket count: with () or a section, or in an example. File names and macros have no bracket.
  named=$(plain "$page" | grep -oE 'pidguard_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u)
  for other in $named; do
    checks=$((checks + 1))
    grep -qx "$other" <<<"$functions" || [[ -e $root/src/man/$other.3 ]] ||
      fail "$name names $other, which is neither a function nor a page"
  done
done

# Compares the table of calls that take a PID with the section that lists them.
same 'calls of preload/numbers.h, and of pidguard.7' \
  "$(sed -n 's/^  X(\([a-z0-9_]*\), PG_AT.*/\1/p' "$root/src/preload/numbers.h"
    printf '%s\n' prlimit posix_spawn{,p} pidfd_spawn{,p})" \
  "$(awk '/^\.SS /{on = /calls that take a number/; next} on' "$root/src/man/pidguard.7" | sed -n '/^\.TP/,$p' |
    sed 's/\\-/-/g' | grep -oE '^\.(B|BR|RB) (\( )?[a-z][a-z0-9_]+' | sed 's/.* //' | sort -u)"

missing_in_overview() { # WHAT WORD…
  local what=$1 word
  shift
  for word; do
    checks=$((checks + 1))
    sed 's/\\-/-/g' "$root/src/man/pidguard.7" | grep -qwF -- "$word" || fail "pidguard.7 lacks the $what $word"
  done
}
# shellcheck disable=SC2046
missing_in_overview variable $(sed -n 's/^ *{"\([A-Z_]*\)", read_.*/PIDGUARD_\1/p' "$root/src/runtime/config.c")
# shellcheck disable=SC2046
missing_in_overview event $(
  grep -rhoE '(pg_line_begin|log_child)\(.*"' "$root/src/child" "$root/src/runtime" | grep -oE '"[a-z-]+"' |
    tr -d '"' | sort -u
)

formatters=''
formatted() { # TOOL COMMAND…: the page is added as the last argument; all output on stderr is a warning
  local page said
  for page in "${pages[@]}"; do
    checks=$((checks + 1))
    said=$("${@:2}" "$page" 2>&1 >/dev/null)
    [[ -z $said ]] || fail "$1: $said"
  done
  formatters+=" $1"
}
! command -v groff >/dev/null || formatted groff groff -man -Tutf8 -ww
! command -v mandoc >/dev/null || formatted mandoc mandoc -Tlint -Wstyle
[[ -n $formatters ]] || echo 'SKIP: the pages were not formatted, because neither groff nor mandoc is installed'

echo "$checks checks, ${#pages[@]} pages, $(wc -l <<<"$functions") functions, formatted by:${formatters:- nothing};" \
  "$failures failed"
((failures == 0))
