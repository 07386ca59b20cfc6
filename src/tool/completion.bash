# SPDX-License-Identifier: MIT
# bash completion for pidguard                                             -*- shell-script -*-

# What follows the launcher's own words is completed as the command that it is.
_pidguard() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} mode=run i
  local options='--mode= --debug --debug= --log= --family --deepbind= --strict'
  COMPREPLY=()
  # Readline takes '=' for the end of a word.
  [[ $cur != = ]] || cur=
  [[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    run | report | check | status)
      ((i == 1)) || break
      mode=${COMP_WORDS[i]}
      ;;
    --mode | --log | --deepbind) [[ ${COMP_WORDS[i + 1]-} == = ]] || ((i++)) ;;
    --debug | --family | --strict | --json | --quiet) ;;
    =) ((i++)) ;;
    --)
      ((i++))
      break
      ;;
    -*) ;;
    *) [[ $mode != run ]] || break ;;
    esac
  done
  if [[ $mode == run ]] && ((i < COMP_CWORD)); then
    if declare -F _command_offset >/dev/null; then
      _command_offset "$i"
    elif declare -F _comp_command_offset >/dev/null; then
      _comp_command_offset "$i"
    else
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
    return
  fi
  case $mode:$prev in
  run:--mode) mapfile -t COMPREPLY < <(compgen -W 'enforce audit off' -- "$cur") ;;
  run:--debug)
    mapfile -t COMPREPLY < <(compgen -W 'off error warn info debug' -- "$cur"
      [[ ${COMP_WORDS[COMP_CWORD]} == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]] || compgen -c -- "$cur")
    ;;
  run:--deepbind) mapfile -t COMPREPLY < <(compgen -W 'keep clear' -- "$cur") ;;
  run:--log) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
  run:*)
    if [[ $cur == -* ]]; then
      ((COMP_CWORD > 1)) || options+=' --demo --help --version'
      mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
      [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
    elif ((COMP_CWORD == 1)); then
      mapfile -t COMPREPLY < <(compgen -W 'run report check status' -- "$cur"
        compgen -c -- "$cur")
    else
      mapfile -t COMPREPLY < <(compgen -c -- "$cur")
    fi
    ;;
  report:*)
    mapfile -t COMPREPLY < <([[ $cur != -* ]] && compgen -f -- "$cur" || compgen -W '--json' -- "$cur")
    compopt -o filenames
    ;;
  check:*)
    mapfile -t COMPREPLY < <([[ $cur != -* ]] && compgen -f -- "$cur" || compgen -W '--json --quiet' -- "$cur"
      [[ $cur == */* || $cur == -* ]] || compgen -c -- "$cur")
    compopt -o filenames
    ;;
  status:*)
    mapfile -t COMPREPLY < <(cd /proc && compgen -W "--json $(printf '%s ' [0-9]*)" -- "$cur")
    ;;
  esac
} && complete -F _pidguard pidguard
