# shellcheck shell=bash disable=SC2154,SC2034,SC1091,SC2016
# Completion in the shells themselves: bash is asked as readline would ask, zsh sits in a terminal. See check.sh for the
# arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

# complete WORD…: what bash offers for the last of the words, in `out`.
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
  cat >ask.zsh <<'END_ZSH'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'TERM=dumb; fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -d dump; zstyle ":completion:*" list-colors; bindkey "^I" complete-word; setopt no_beep; PS1="p""g> "'
for i in {1..300}; do
  zpty -r -t shell piece && text+=$piece
  [[ $text == *"pg> "* ]] && break
  sleep 0.1
done
sleep 0.3 # what is typed before the editor is there is not completed
zpty -w -n shell $1$'\t'
text= piece=
for i in {1..900}; do
  zpty -r -t shell piece && text+=$piece
  [[ $text == *$2* ]] && break
  sleep 0.1
done
zpty -w -n shell $'\C-u'
print -r -- $text
zpty -d shell
END_ZSH
  zsh_offers() { # TEXT WHAT
    run timeout 150 zsh -f ask.zsh "$1" "$2"
    expect out "*$2*"
  }
  zsh_offers 'pidguard repo' 'report'
  zsh_offers 'pidguard --stri' '--strict'
  zsh_offers 'pidguard --fam' '--family'
  zsh_offers 'pidguard run --deepb' '--deepbind='
  zsh_offers 'pidguard --deepbind=cl' 'clear'
  zsh_offers 'pidguard --mode=au' 'audit'
  zsh_offers 'pidguard --log=a-l' 'a-log'
  zsh_offers 'pidguard report a-l' 'a-log'
  zsh_offers 'pidguard check --qu' '--quiet'
  zsh_offers 'pidguard --strict unsha' 'unshare'
  zsh_offers 'pidguard cat a-l' 'a-log'
else
  skip 'zsh is not installed'
fi
finish
