# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091,SC2016
# Tests the completion in the shells themselves. It asks bash as readline does, and zsh runs in a terminal. See check.sh
# for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

# offers WORD…: sets `out` to the completions that bash offers for the last word.
offers() {
  run bash -c '
    . "$1"
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
    compopt() { :; }
    _pidguard
    printf "%s\n" "${COMPREPLY[@]}"' bash "$src/src/tool/completion.bash" "$@"
  expect err ''
  out=$'\n'$out$'\n'
}
offers pidguard re
expect out $'*\nreport\n*'
offers pidguard --m
expect out $'\n--mode=\n'
offers pidguard --mode = a
expect out $'\naudit\n'
offers pidguard --mode =
expect out $'*\nenforce\naudit\noff\n*'
offers pidguard --debug = w
expect out $'\nwarn\n'
offers pidguard --deepbind = k
expect out $'\nkeep\n'
offers pidguard --deepbind = clear unsh
expect out $'*\nunshare\n*'
offers pidguard run --fam
expect out $'\n--family\n'
offers pidguard run --st
expect out $'\n--strict\n'
: >a-log
offers pidguard report a-
expect out $'\na-log\n'
offers pidguard report --
expect out $'\n--json\n'
offers pidguard check --q
expect out $'\n--quiet\n'
offers pidguard status $$
expect out $'*\n'$$$'\n*'
offers pidguard --strict unsh
expect out $'*\nunshare\n*'
offers pidguard cat a-
expect out $'\na-log\n'

if type -P zsh >/dev/null && zsh -fc 'zmodload zsh/zpty' 2>/dev/null; then
  mkdir -p functions && cp "$src/src/tool/completion.zsh" functions/_pidguard
  : >for-report && : >for-log && : >for-cat
  # One shell answers everything. The arguments are pairs of a text to type before a tab, and a text that must appear.
  cat >ask.zsh <<'END_ZSH'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'TERM=dumb; fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -d dump'
zpty -w shell 'zstyle ":completion:*" list-colors; bindkey "^I" complete-word; setopt no_beep; PS1="p""g> "'
wait_for() {
  text=
  for i in {1..3000}; do
    zpty -r -t shell piece && text+=$piece
    [[ $text == *$1* ]] && return
    sleep 0.1
  done
  print -r -- "zsh does not offer $1, but shows: ${(V)text}"
  exit 1
}
wait_for "pg> "
sleep 0.3 # text that is typed before the editor has started is not completed
for typed wanted; do
  zpty -w -n shell $typed$'\t'
  wait_for $wanted
  zpty -w -n shell $'\C-u'
done
print done
zpty -d shell
END_ZSH
  run zsh -f ask.zsh \
    'pidguard repo' report \
    'pidguard --stri' --strict \
    'pidguard --fam' --family \
    'pidguard run --deepb' --deepbind= \
    'pidguard --deepbind=cl' clear \
    'pidguard --mode=au' audit \
    'pidguard --log=for-l' for-log \
    'pidguard report for-r' for-report \
    'pidguard check --qu' --quiet \
    'pidguard --strict unsha' unshare \
    'pidguard cat for-c' for-cat
  expect out done
else
  skip 'zsh is not installed'
fi
finish
