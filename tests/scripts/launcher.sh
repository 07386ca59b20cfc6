# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# The launcher as a program: what it passes to the command, what it adds and what it prints. See check.sh for the
# arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

# Status, arguments, standard input.
run "$pidguard" sh -c 'exit 37'
expect status 37
run "$pidguard" sh -c 'printf "%s|" "$@"' sh 'a b' '' '*' --help
expect out 'a b||\*|--help|'
run "$pidguard" -- printf %s x
expect out x
run sh -c "echo typed | '$pidguard' cat"
expect out typed

# A signal reaches the command itself, because the launcher execs it.
if find_namespace; then
  run "${in_namespace[@]}" bash -c '
    "$0" sleep 60 & pid=$!
    for i in $(seq 200); do [[ $(<"/proc/$pid/comm") == sleep ]] && break; sleep 0.02; done
    cat "/proc/$pid/comm"
    ((pid > 1)) && kill -TERM "$pid"
    wait "$pid"; echo $?' "$pidguard"
  expect out $'sleep\n143'
else
  skip 'signals, because this user cannot make a pid namespace'
fi

# The launcher adds its variables to the environment, and leaves all others unchanged.
run env -i 'a.b=1' 'BASH_FUNC_f%%=() {  echo hi; }' PATH="$PATH" SHLVL=3 PWD=/x file=F line=L REPLY=R command=C \
  "$pidguard" env
expect out '*a.b=1*'
expect out '*BASH_FUNC_f%%=() {  echo hi; }*'
for entry in PWD=/x SHLVL=3 file=F line=L REPLY=R command=C "LD_PRELOAD=$lib"; do
  expect out "*$entry*"
done
run env -i PATH="$PATH" SHLVL=1 "$pidguard" env
expect status 0
checks=$((checks + 1))
left=$(grep -v -e '^PATH=' -e '^SHLVL=1$' -e '^LD_PRELOAD=' <<<"$out")
[[ -z $left ]] || {
  failures=$((failures + 1))
  printf 'FAILED: the command has new variables: %s\n' "$left"
}
# The command gets the caller's exported shell options, and none of the launcher.
for options in SHELLOPTS=braceexpand:hashall:interactive-comments BASHOPTS=checkwinsize:extglob NONE=; do
  # shellcheck disable=SC2016
  show=(bash -c 'echo "$SHELLOPTS $BASHOPTS"; printenv SHELLOPTS BASHOPTS')
  plain=$(env -u SHELLOPTS -u BASHOPTS "$options" "${show[@]}")
  run env -u SHELLOPTS -u BASHOPTS "$options" "$pidguard" "${show[@]}"
  expect out "$plain"
  run env -u SHELLOPTS -u BASHOPTS "$options" "$pidguard" printenv LD_PRELOAD
  expect out "$lib"
done
# The launcher does not need the caller's PATH for itself, and looks for the command only there.
mkdir only
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "found, PATH=$PATH"\n' >only/here
chmod +x only/here
for path in "$tmp/only" ''; do
  run env PATH="$path" "$pidguard" "$tmp/only/here"
  expect out "found, PATH=$path"
  run env PATH="$path" "$pidguard" /bin/sh -c 'exit 5'
  expect status 5
  expect err ''
done
run env PATH="$tmp/only" "$pidguard" here
expect out "found, PATH=$tmp/only"
run env PATH="$tmp/only" "$pidguard" env
expect status 127

# The launcher leaves no descriptor open for the command.
run bash -c 'ls -l /proc/self/fd | grep -c "" ; exec "$0" bash -c "ls -l /proc/self/fd | grep -c \"\""' "$pidguard"
checks=$((checks + 1))
[[ ${out%%$'\n'*} == "${out##*$'\n'}" ]] || {
  failures=$((failures + 1))
  printf 'FAILED: descriptors without and with the launcher: %s\n' "$out"
}

# The launcher keeps the caller's LD_PRELOAD in front, and adds its object once.
cp "$lib" other.so
run env LD_PRELOAD="$tmp/other.so" "$pidguard" printenv LD_PRELOAD
expect out "$tmp/other.so:$lib"
run "$pidguard" "$pidguard" printenv LD_PRELOAD
expect out "$lib"
run "$pidguard" grep -c "${lib##*/}" /proc/self/maps
expect out '[1-9]*'

# Options become the environment of the shim.
run "$pidguard" --mode audit --debug=warn --log here.log sh -c 'echo $PIDGUARD_MODE $PIDGUARD_DEBUG $PIDGUARD_LOG'
expect out "audit warn $tmp/here.log"
run "$pidguard" --mode=audit sh -c 'echo $PIDGUARD_MODE $PIDGUARD_DEBUG'
expect out 'audit warn'
run "$pidguard" --mode=off --debug sh -c 'echo $PIDGUARD_MODE $PIDGUARD_DEBUG'
expect out 'off debug'
run "$pidguard" --log=/dev/null sh -c 'echo $PIDGUARD_DEBUG $PIDGUARD_LOG'
expect out 'info /dev/null'
run "$pidguard" sh -c 'echo "${PIDGUARD_MODE-none} ${PIDGUARD_DEBUG-none} ${PIDGUARD_LOG-none}"'
expect out 'none none none'

run "$pidguard" sh -c 'echo ${PIDGUARD_FAMILY-none} ${PIDGUARD_DEEPBIND-none}'
expect out 'none none'
run "$pidguard" --family --deepbind=clear sh -c 'echo $PIDGUARD_FAMILY $PIDGUARD_DEEPBIND'
expect out 'on clear'
expect err ''
run "$pidguard" run --deepbind keep sh -c 'echo $PIDGUARD_DEEPBIND'
expect out keep

# The launcher's help, and its answers to mistakes.
run "$pidguard" --help
expect status 0
expect out 'usage: pidguard *'
run "$pidguard" --strict --help
expect status 0
expect out 'usage: pidguard *'
run "$pidguard" --mode=off --version
expect out "pidguard [0-9]*"
run "$pidguard" --version
expect out "pidguard $(sed -n 's/^project(pidguard VERSION \([0-9.]*\).*/\1/p' "$src/CMakeLists.txt")"
for mistake in '' --nonsense --mode=maybe --debug=loud --mode --log= --family=on --deepbind=no --deepbind; do
  # shellcheck disable=SC2086
  run "$pidguard" $mistake
  expect status 125
done
run "$pidguard" no-such-command-here
expect status 127
expect err 'pidguard: no-such-command-here: not found'
run "$pidguard" ./no/such/file
expect status 127
run "$pidguard" /tmp
expect status 126
: >plain-file
run "$pidguard" ./plain-file
expect status 126

# A path that the dynamic linker splits, or takes for something else.
for name in 'a b' a:b 'a$LIB'; do
  place "$name"
  run "./$name/bin/pidguard" true
  expect status 125
  expect out ''
  expect err "pidguard: $tmp/*/lib/libpidguard-preload.so.0: the dynamic linker *move it"
done
place moved
run moved/bin/pidguard printenv LD_PRELOAD
expect out "$tmp/moved/lib/libpidguard-preload.so.0"
mv moved "moved again" && mv "moved again" elsewhere
run elsewhere/bin/pidguard printenv LD_PRELOAD
expect out "$tmp/elsewhere/lib/libpidguard-preload.so.0"

# If the object cannot be loaded, the launcher tells what is wrong with it, and does not run the command.
object=elsewhere/lib/libpidguard-preload.so.0
broken() { # WHAT
  run elsewhere/bin/pidguard echo ran
  expect status 125
  expect out ''
  expect err "pidguard: $tmp/$object $1*"
}
for size in 0 1 20 63 64 100 4096 50000; do
  head -c "$size" "$lib" >"$object"
  case $size in
  0) broken 'is empty' ;;
  1) broken 'is not an ELF file' ;;
  *) broken 'is cut short' ;;
  esac
done
echo text >"$object"
broken 'is not an ELF file'
rm "$object"
broken 'does not exist; install pidguard again'
ln -s loop "${object%/*}/loop" && ln -s loop "$object"
broken 'cannot be read: Too many levels of symbolic links'
rm "$object" && mkdir "$object"
broken 'is a directory'
rmdir "$object" && mkfifo "$object"
broken 'is not a regular file'
rm "$object" && cp "$(type -P true)" "$object"
unreadable=()
if ((EUID)); then
  chmod 000 "$object"
elif can_be_other; then
  chmod 000 "$object"
  unreadable=("${as_other[@]}")
fi
if ((EUID)) || ((${#unreadable[@]})); then
  run "${unreadable[@]}" elsewhere/bin/pidguard echo ran
  expect status 125
  expect err "*$object cannot be read: Permission denied"
else
  skip 'an unreadable object, because this root can read every file'
fi

# The launcher explains why a command cannot run.
printf '#!/no/such/interpreter\n' >script
printf '#!/bin/sh\r\nexit 0\r\n' >dos
printf '#!%s\n' "$tmp/plain-file" >closed
chmod 755 script dos closed
run "$pidguard" ./script
expect status 126
expect err 'pidguard: ./script: its interpreter /no/such/interpreter is not there'
run "$pidguard" ./dos
expect status 126
expect err '*carriage return*DOS*'
run "$pidguard" ./closed
expect status 126
expect err "*its interpreter $tmp/plain-file may not be executed"
cp "$(type -P true)" foreign && printf '\377\176' | dd of=foreign bs=1 seek=18 conv=notrunc status=none
run "$pidguard" ./foreign
expect status 126
expect err '*for another machine*this machine cannot run programs for another machine'
if unshare --mount mount -t tmpfs none /mnt 2>/dev/null; then
  # shellcheck disable=SC2016
  run unshare --mount sh -c 'mount -t tmpfs -o noexec none /mnt && cp "$1" /mnt/true && exec "$0" /mnt/true' \
    "$pidguard" "$(type -P true)"
  expect status 126
  expect err 'pidguard: /mnt/true: its file system is mounted noexec'
else
  skip 'noexec, because no file system can be mounted here'
fi
head -c 5000 "$(type -P bash)" >cut && chmod 755 cut
run "$pidguard" ./cut
expect status 126
expect err 'pidguard: ./cut is cut short*'

# The launcher reports a log that cannot be written once, with its option and the reason.
run "$pidguard" --log=/no/such/folder/log sh -c 'echo ran; true & wait'
expect status 125
expect out ''
expect err 'pidguard: --log: cannot write to /no/such/folder/log: No such file or directory'
run "$pidguard" --log="$tmp" true
expect err "pidguard: --log: cannot write to $tmp: Is a directory"
ln -s "$tmp/aim" link
run "$pidguard" --log=link true
expect status 125
expect err '*is a symbolic link*'
[[ ! -e aim ]] || expect err 'the link was not to be followed'
# It refuses every file that the shim refuses.
refused_log() { # NAME REASON
  run "$pidguard" --log="$1" true
  expect status 125
  expect err "pidguard: --log: $2"
  run env PIDGUARD_DEBUG=info PIDGUARD_LOG="$tmp/$1" LD_PRELOAD="$lib" true
  expect err '*event=bad-environment *'
}
mkdir shared own && chmod 1777 shared
refused_log shared/log.%p "$tmp/shared/log.%p: other users can make files in that directory"
: >first && ln first second
refused_log second "$tmp/second: the file has another name as well"
if can_be_other; then
  mkdir foreign-folder && chown 1 foreign-folder
  refused_log foreign-folder/%p.log "$tmp/foreign-folder/%p.log: the directory belongs to another user"
  : >foreign-log && chown 1 foreign-log
  refused_log foreign-log "$tmp/foreign-log: the file belongs to another user"
  mkfifo foreign-fifo && chown 1 foreign-fifo
  refused_log foreign-fifo "$tmp/foreign-fifo: the file belongs to another user"
  mkdir group && chgrp 1 group && chmod 775 group
  refused_log group/log.%p "$tmp/group/log.%p: other users can make files in that directory"
fi
# It does not open a FIFO, because a close would end its reader. The shim tells that there is no reader.
mkfifo fifo
run bash -c 'timeout 1 cat fifo & sleep 0.3; "$0" --log=fifo ./script 2>/dev/null; wait $!; echo $?' "$pidguard"
expect out 124
run "$pidguard" --log=fifo true
expect status 0
expect err '*event=bad-environment *result=ENXIO used=stderr'
# The shim's name of the log is also the launcher's. The launcher leaves no log behind of a command that cannot run.
run "$pidguard" --log=own/%p.%p sh -c 'test -e own/$$.$$'
expect status 0
run ls own
expect out '+([0-9]).+([0-9])'
mkdir none
run "$pidguard" --log=none/%p ./script
expect status 126
run ls none
expect out ''

# A level may be a separate word if a command follows.
run "$pidguard" --debug info sh -c 'echo $PIDGUARD_DEBUG'
expect out info
expect status 0
run "$pidguard" --debug -- sh -c 'echo $PIDGUARD_DEBUG'
expect out debug

# Few descriptors, a closed stderr, a current directory without a path, and a standard output that cannot be written.
run bash -c 'ulimit -n 4; exec "$0" sh -c "exit 9"' "$pidguard"
expect status 9
expect err ''
run bash -c '"$0" sh -c "[ ! -e /proc/self/fd/2 ] || ls -l /proc/self/fd/2" 2>&-' "$pidguard"
expect out ''
run bash -c 'mkdir gone && cd gone && rmdir ../gone && "$0" sh -c "exit 4"' "$pidguard"
expect status 4
run bash -c 'mkdir gone && cd gone && rmdir ../gone && "$0" --log=here sh -c "exit 4"' "$pidguard"
expect status 125
expect err '*the current directory has no path*'
for option in --help --version; do
  run bash -c '"$0" "$1" >/dev/full' "$pidguard" "$option"
  expect status 125
  expect err '*No space left on device'
done

# A log that cannot be written says so at once: this program ends by _exit(), without its summary.
# In a user namespace /dev/full belongs to nobody there, so the log does not go there.
if [[ $(stat -c %u /dev/full) == 0 ]]; then
  run "$pidguard" --log=/dev/full dash -c '/bin/true; /bin/true; exit 3'
  expect status 3
  expect err 'pidguard level=error event=log-lost *result=ENOSPC'
  run env PIDGUARD_SUMMARY=1 PIDGUARD_LOG=/dev/full "$pidguard" bash -c 'exit 3'
  expect err '*event=log-lost *event=summary *'
else
  echo 'SKIP: a full log, because /dev/full is nobody'"'"'s in this user namespace'
fi

# Subcommands, and commands with the name of one.
run "$pidguard" run --mode=off sh -c 'echo $PIDGUARD_MODE; exit 6'
expect status 6
expect out off
printf '#!/bin/sh\necho "mine $*"\n' >only/status && chmod 755 only/status
run env PATH="$tmp/only:$PATH" "$pidguard" run status 5
expect out 'mine 5'
run env PATH="$tmp/only:$PATH" "$pidguard" -- status 5
expect out 'mine 5'
for command in run report check status; do
  run "$pidguard" "$command" --help
  expect status 0
  expect out 'usage: *'
  run "$pidguard" "$command" --nonsense
  expect status "@(125|2)"
  run "$pidguard" "$command"
  expect status "@(125|2)"
done
finish
