#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the tables and the picture that are made from a table file with known figures. Measures nothing.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P) || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
fail() {
  echo "FAILED: $*"
  exit 1
}
row() { printf '%s\t' "$@" | sed 's/\t$/\n/'; }
{
  row machine 'a machine <of ours>' 'processor time'
  row works 0 1 kill-child 'kill(child)' 250.0 shim 1.0100 1.0200 1.0300
  row works 0 1 kill-child 'kill(child)' 250.0 empty 0.9900 1.0000 1.0100
  row works 0 1 vfork-waitpid 'vfork+_exit+waitpid' 10000.0 shim 1.3000 1.4000 1.5000
  row works 0 1 spawn-wait 'posix_spawn true+waitpid' 600000.0 shim 1.0500 1.0600 1.0700
  row works 0 1 spawn-wait 'posix_spawn true+waitpid' 600000.0 shim/empty 1.0100 1.0150 1.0200
  row works 100 1 vfork-waitpid 'vfork+_exit+waitpid' 10000.0 shim 1.3000 1.4500 1.5000
  row fd-max=16 1200 1 vfork-waitpid 'vfork+_exit+waitpid' 10000.0 shim 1.2000 1.2500 1.3000
  row memory 1000 1 shim 1700 180 29 72 8
  row object shim relocations 40 20
} >"$tmp/in"
awk -f "$here/report.awk" "$tmp/in" >"$tmp/md" || fail 'report.awk'
awk -f "$here/picture.awk" "$tmp/in" >"$tmp/svg" || fail 'picture.awk'
has() { grep -qF -- "$2" "$tmp/$1" || { cat "$tmp/$1"; fail "no \"$2\" in $1"; }; }
has md '| kill(child) | 250 ns | 1.020 (1.010-1.030) | 1.000 (0.990-1.010) |  |  | ≤ 1.03 | yes |'
has md '| vfork+_exit+waitpid | 10.0 us | 1.400 (1.300-1.500) |  |  |  | ≤ 1.05 | no |'
has md '| posix_spawn true+waitpid | 600 us | 1.060 (1.050-1.070) |  |  | 1.01 | ≤ 1.02 of empty | yes |'
has md '| +4.5 us, 1.45 |'
has md '| +2.5 us, 1.25 |'
has md '40 relative relocations and 20 by symbol'
has svg 'a machine &lt;of ours&gt;'
has svg '>1.40</text>'
[[ $(head -c 4 "$tmp/svg") == '<svg' && $(tail -n 1 "$tmp/svg") == '</svg>' ]] || fail 'the picture is incomplete'
# Every element must be closed: <text> by </text>, the others by />.
awk '!/^<\/?svg/ && !/\/>$/ && !/<\/text>$/ { bad = 1; print "not closed: " $0 }
  /nan|inf/ { bad = 1; print }
  END { exit bad }' "$tmp/svg" || fail 'the picture is not well-formed'
echo 'the tables and the picture are as they should be'
