#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that the documents are readable. Their sentences, and those of the public header, must have at most 16 words on
# average. Those of the comments of src/ and tests/ must have at most 12. No sentence may have more than 25. The program
# in README.md must compile. Usage: sentences.sh SOURCE C-COMPILER [FILE…]
set -u
export LC_ALL=C
src=${1:?usage: sentences.sh SOURCE C-COMPILER [FILE…]}
cc=${2:?usage: sentences.sh SOURCE C-COMPILER [FILE…]}
shift 2
cd -- "$src" || exit 1
(($#)) || set -- README.md src/README.md tests/README.md tests/bench/README.md src/man/pidguard{.1,.7,-*.7,_*.3} \
  include/pidguard/pidguard.h
failures=0
fail() {
  failures=$((failures + 1))
  echo "FAILED: $*"
}

for file; do
  awk -v most=25 -v average=16 -f tests/checks/sentences.awk "$file" || fail "$file has sentences that are too long"
done
for folder in src tests; do
  # shellcheck disable=SC2046
  awk -v most=25 -v average=12 -v name="comments of $folder/" -f tests/checks/sentences.awk \
    $(find "$folder" -name '*.[chS]' | sort) || fail "$folder has comments with sentences that are too long"
done

# Checks the counter itself, for example with a sentence of 26 words, and with an average of 17.
count() { awk -v most=25 -v average=16 -f tests/checks/sentences.awk "$tmp/$1" >"$tmp/out"; }
words() { printf ' word%.0s' $(seq "$1"); }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
{ words 26; echo .; words 3; echo .; words 3; echo .; } >"$tmp/a.md"
count a.md && fail 'the counter accepts a sentence of 26 words'
{ echo '.SH DESCRIPTION'; words 17; echo .; } >"$tmp/a.7"
count a.7 && fail 'the counter accepts an average of 17 words'
{ words 15; echo '.  '; printf '```\n'; words 90; printf '\n```\n'; } >"$tmp/b.md"
count b.md || fail 'the counter counts code'
{ echo '/* '; words 26; echo '. */'; echo 'int x; /* one more */'; } >"$tmp/c.h"
count c.h && fail 'the counter accepts a sentence of 26 words in a comment'
{ echo '/* This is text.'; echo ' *'; words 90 | sed 's/^/ *     /'; echo; echo ' * This is more. */'; } >"$tmp/d.h"
count d.h || fail 'the counter counts an example in a comment'

lines=$(wc -l <README.md)
((lines <= 150)) || fail "README.md has $lines lines, more than 150"
# shellcheck disable=SC2016
sed -n '/^```c$/,/^```$/{/^```/d;p}' README.md >"$tmp/hello.c"
[[ -s $tmp/hello.c ]] || fail 'README.md shows no program'
"$cc" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Iinclude "$tmp/hello.c" ||
  fail 'the program of README.md does not compile'
echo "$# documents, $failures failed"
((failures == 0))
