#!/bin/bash
# SPDX-License-Identifier: MIT
# Takes the figures of README.md and pidguard-trust(7) from the tables of tests/bench/README.md.
#   costs.sh fill     writes the figures into both documents
#   costs.sh check    compares them; status 1 if one differs
set -uo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P) || exit 1
tables=$root/tests/bench/README.md
readme=$root/README.md page=$root/src/man/pidguard-trust.7

# cell ROW COLUMN: the first number in that cell. Column 3 is plain, 4 is the shim, 5 is the empty object.
cell() {
  awk -F ' *[|] *' -v row="$1" -v column="$2" '
    $2 == row && !done { split($(column), words, " "); print words[1]; done = 1 } END { exit !done }' "$tables" || {
    echo "FAILED: the tables have no row '$1'" >&2
    exit 1
  }
}
ratio() { awk -v r="$(cell "$1" 4)" 'BEGIN { printf "%.2f", r + 1e-9 }'; }
per_cent() { awk -v r="$(cell "$1" "$2")" 'BEGIN { p = int((r - 1) * 100 + 100.5) - 100; printf "%d %%", p }'; }

# Each phrase of README.md, and the row whose ratio follows the phrase.
phrases=('kill of a child=kill(child)' 'of a stranger=kill(stranger)' 'of a retired PID=kill(reaped child)'
  'waitpid with WNOHANG=waitpid(child, WNOHANG)' 'fork, exit and wait=fork+_exit+waitpid'
  'posix_spawn and wait=posix_spawn true+waitpid')
fill_readme() {
  local phrase edits=()
  for phrase in "${phrases[@]}"; do
    edits+=(-e "s/(${phrase%%=*}) [0-9]+\.[0-9]+/\1 $(ratio "${phrase#*=}")/")
    grep -qE "${phrase%%=*} [0-9]+\.[0-9]+" "$readme" || {
      echo "FAILED: README.md does not say '${phrase%%=*} N' in one line" >&2
      exit 1
    }
  done
  sed -E "${edits[@]}" "$readme"
}

# In the manual page a comment "cost: ROW", "cost: memory" or "cost: machine" stands before the line with the figure.
memory() {
  awk -F ' *[|] *' '$2 == "0" && NF >= 8 { none = $6 - $5 } $2 == "30000" && NF >= 8 { many = $6 - $5 }
    END { printf "%d kB, and %.0f bytes for each child\n", none, (many - none) * 1024 / 30000 }' "$tables"
}
figure() {
  case $1 in
  memory) memory ;;
  machine)
    sed -nE 's/^([a-z0-9_]+), .*; (Linux [0-9.]+).*; (glibc [0-9.]+); ([0-9-]+)\. .*/\1, \2, \3, \4/p' "$tables" |
      sed 's/^/Measured on /;s/$/, beside the same work/'
    ;;
  *) printf '%s [%s]\n' "$(per_cent "$1" 4)" "$(per_cent "$1" 5)" ;;
  esac
}
fill_page() {
  local line row=
  while IFS= read -r line; do
    case $line in
    '.\" cost: '*) row=${line#'.\" cost: '} ;;
    *) [[ -z $row ]] || { line=$(figure "$row") && row=; } ;;
    esac
    printf '%s\n' "$line"
  done <"$page"
}

new=$(mktemp -d) || exit 1
trap 'rm -rf "$new"' EXIT
fill_readme >"$new/readme" && fill_page >"$new/page" && (($(grep -c '" cost: ' "$page") >= 6)) || exit 1
case ${1-} in
fill) cat "$new/readme" >"$readme" && cat "$new/page" >"$page" ;;
check) diff "$readme" "$new/readme" && diff "$page" "$new/page" && echo 'the figures agree with the tables' ;;
*) exit 2 ;;
esac
