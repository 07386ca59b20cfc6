#compdef pidguard
# SPDX-License-Identifier: MIT
# zsh completion for pidguard

local curcontext=$curcontext state line
local -a run_options subcommands
typeset -A opt_args
run_options=(
  '--mode=[what is done about a stale number]:mode:(enforce audit off)'
  '--debug=-[log at this level]::level:(off error warn info debug)'
  '--log=[log to a file]:log file:_files'
  '--family[spare also whom other processes of the family would hit]'
  '--deepbind=[objects opened with RTLD_DEEPBIND]:how:(keep clear)'
  '--strict[refuse a command that cannot be protected]'
)
subcommands=(
  'run:run a command so that its signals cannot hit strangers'
  'report:tell what logs say'
  'check:can these programs be protected?'
  'status:the children and counters of a running process'
)

case ${words[2]} in
report)
  words=("${words[@]:1}")
  ((CURRENT--))
  _arguments '--json[for programs]' '*:log:_files'
  ;;
check)
  words=("${words[@]:1}")
  ((CURRENT--))
  _arguments '--json[for programs]' '--quiet[only those that are not fully protected]' '*:program:_files'
  ;;
status)
  words=("${words[@]:1}")
  ((CURRENT--))
  _arguments '--json[for programs]' '*:process:_pids'
  ;;
*)
  if [[ ${words[2]} == run ]] && ((CURRENT > 2)); then
    words=("${words[@]:1}")
    ((CURRENT--))
    _arguments -S $run_options '(-):command:_command_names -e' '*::arguments:_normal'
    return
  fi
  if ((CURRENT == 2)) && [[ ${words[2]} != -* ]]; then
    _describe -t subcommands subcommand subcommands
  fi
  _arguments -S $run_options '(- *)--demo[show what it is for]' '(- *)--help[show the usage]' \
    '(- *)--version[show the version]' '(-):command:_command_names -e' '*::arguments:_normal'
  ;;
esac
