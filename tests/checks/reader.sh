#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that a newcomer finds the answers. Runs each command of reader.table, whose first screen must have the answer.
# Usage: reader.sh SOURCE
set -uf
export LC_ALL=C
cd -- "${1:?usage: reader.sh SOURCE}" || exit 1
failures=0
asked=0
fail() {
  failures=$((failures + 1))
  echo "FAILED: $*"
}

while IFS='|' read -r question command answer; do
  question=${question% } command=${command# } command=${command% } answer=${answer# }
  asked=$((asked + 1))
  [[ $command == 'grep '* && $command != *[\;\&\$\`]* ]] || fail "$question the command is no plain grep: $command"
  documents=$(grep -oE '[a-zA-Z/]+\.(md|[1-9])( |$)' <<<"$command" | wc -l)
  ((documents >= 1 && documents <= 2)) || fail "$question $documents documents"
  screen=$(eval "$command" | head -n 24)
  grep -qE -- "$answer" <<<"$screen" || fail "$question no \"$answer\" on the first screen of: $command"$'\n'"$screen"
done < <(grep -v '^#' tests/checks/reader.table)

((asked == 10)) || fail "$asked questions"
echo "$asked questions, $failures failed"
((failures == 0))
