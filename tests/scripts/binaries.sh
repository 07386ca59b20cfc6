# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# The launcher names a program that cannot be protected, and runs it, or refuses it with --strict. See check.sh for the
# arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

named() { # named REASON COMMAND [ARG…]
  local reason=$1
  shift
  run "$pidguard" "$@"
  expect err "*NOT protected: *$reason*"
  run "$pidguard" --strict "$@"
  expect status 126
  expect out ''
  expect err "*refused: *$reason*"
}

unnamed() {
  run "$pidguard" --strict "$@"
  expect status 0
  expect err ''
}

cc=$(type -P "${CC:-cc}" || type -P gcc || type -P clang)
printf 'int main(void) { return 7; }\n' >seven.c

# Dynamic programs, position independent and not, and the dynamic linker as a command.
unnamed true
unnamed sh -c :
loader=$("$cc" -print-file-name=ld-linux-x86-64.so.2)
[[ ! -x $loader ]] || unnamed "$loader" "$(type -P true)"
"$cc" -no-pie -o nopie seven.c 2>/dev/null && {
  run "$pidguard" --strict ./nopie
  expect status 7
  expect err ''
}

# Static ones.
for kind in -static -static-pie; do
  if "$cc" "$kind" -o "seven$kind" seven.c 2>/dev/null; then
    named 'statically linked' "./seven$kind"
    run "$pidguard" "./seven$kind"
    expect status 7
    printf '#!%s\n' "$tmp/seven$kind" >"script$kind"
    printf '#! /usr/bin/env %s\n' "$tmp/seven$kind" >"env$kind"
    printf '#!%s\n' "$tmp/script$kind" >"chain$kind"
    chmod 755 "script$kind" "env$kind" "chain$kind"
    named 'statically linked' "./script$kind"
    named 'statically linked' "./env$kind"
    named 'statically linked' "./chain$kind"
    mkdir -p folder.source && cp "seven$kind" folder.source/seven.sorted # no library, in spite of its name
    named 'statically linked' folder.source/seven.sorted
  else
    skip "$kind, because this compiler cannot make such a program"
  fi
done

# Scripts.
printf '#! /bin/sh -e\nexit 0\n' >script
printf 'exit 0\n' >plain
: >empty
chmod 755 script plain empty
unnamed ./script
unnamed ./empty
unnamed ./plain
# A script without #! is run by a shell with the preload.
printf 'grep -c %s /proc/$$/maps\n' "${lib##*/}" >plain
run "$pidguard" ./plain
expect out '[1-9]*'
# So is a script that the kernel refuses because of its first line (env uses execvp).
printf 'echo not run\n' >interpreter && chmod 755 interpreter
for line in '#!' '#! ' "#!$tmp/interpreter" "#!/bin/$(printf '%0260d' 0)"; do
  # shellcheck disable=SC2016
  printf '%s\necho "$0 $@"; grep -c %s /proc/$$/maps\n' "$line" "${lib##*/}" >refused && chmod 755 refused
  run env ./refused 'a  b'
  expect out $'./refused a  b\n0'
  run "$pidguard" --strict ./refused 'a  b'
  expect out $'./refused a  b\n[1-9]*'
  run "$pidguard" check ./refused
  expect out 'full *'
done

# Programs for another machine, which are programs of this one with another machine number or class.
cp "$(type -P true)" other
printf '\363\0' | dd of=other bs=1 seek=18 conv=notrunc status=none
named 'another machine' ./other
cp "$(type -P true)" class
printf '\1' | dd of=class bs=1 seek=4 conv=notrunc status=none
named 'another machine (32-bit' ./class
if type -P musl-gcc >/dev/null; then
  musl-gcc -o musl seven.c
  named 'uses musl' ./musl
  run "$pidguard" ./musl
  expect status 7
else
  skip 'musl, because there is no musl-gcc'
fi

# A program that gains rights, for which the dynamic linker ignores preloads.
if can_be_other; then
  cp "$(type -P sleep)" setuid && chown 1 setuid && chmod 4755 setuid
  cp "$(type -P sleep)" setgid && chgrp 1 setgid && chmod 2755 setgid
  cp "$(type -P sleep)" own && chmod 6755 own
  named 'is setuid' ./setuid 0
  named 'is setgid' ./setgid 0
  unnamed ./own 0 # root's program gains nothing for root, so the preload works
else
  for file in /usr/bin/passwd /usr/bin/su /usr/bin/newgrp; do
    [[ -u $file && ! -O $file ]] || continue
    run "$pidguard" --strict "$file" --help
    if ! root_is_mapped; then # the program gains nothing here, so it is protected
      expect err '!(*NOT protected*|*refused:*)'
      continue
    fi
    expect status 126
    expect err '*is setuid*'
  done
fi
if can_be_other && type -P setcap >/dev/null && cp "$(type -P sleep)" cap && setcap cap_net_raw+ep cap 2>/dev/null; then
  unnamed ./cap 0 # root gains nothing by file capabilities
  run "${as_other[@]}" "$pidguard" --strict ./cap 0
  expect status 126
  expect err '*has file capabilities*'
  run "${as_other[@]}" "$pidguard" --strict sleep 0
  expect status 0
else
  skip 'file capabilities, because only root with setcap can set them'
fi

# The caller's own real user or group differs from the effective one. Then the linker ignores preloads in all programs.
if can_be_other; then
  for ids in '--ruid 1' '--euid 1' '--rgid 1' '--egid 1'; do
    # shellcheck disable=SC2206
    as_both=(setpriv $ids --clear-groups)
    for command in true ./script ./plain; do
      run "${as_both[@]}" "$pidguard" "$command"
      expect err "*NOT protected: * the real one*"
      run "${as_both[@]}" "$pidguard" --strict "$command"
      expect status 126
      expect err "*refused: * the real one*"
    done
    run "${as_both[@]}" "$pidguard" check true # for any user
    expect status 0
  done
  unnamed setpriv --ruid 1 --euid 1 --clear-groups "$pidguard" --strict true
  # A setuid program that makes both the same again loads the preload before Linux 6.16, and counts as if it did not.
  cp "$(type -P true)" same && chown 1 same && chmod 4755 same
  run setpriv --ruid 1 --euid 0 --clear-groups "$pidguard" --strict ./same
  expect status 126
  expect err '*is setuid*'
fi

# A program that cannot be read cannot be judged.
if ((EUID)); then
  cp "$(type -P true)" secret
  chmod 111 secret
  named 'cannot be read' ./secret
fi

# Under no_new_privs a program gains nothing, so the preload works.
for file in /usr/bin/passwd /usr/bin/su; do
  [[ -u $file && ! -O $file ]] && setpriv --no-new-privs true 2>/dev/null || continue
  run setpriv --no-new-privs "$pidguard" --strict "$file" --help
  expect status 0
  expect err ''
done
if can_be_other && [[ -u setuid ]]; then
  run "${as_other[@]}" setpriv --no-new-privs "$pidguard" --strict ./setgid 0
  expect status 0
  run setpriv --no-new-privs "$pidguard" --strict ./setuid 0
  expect status 0
  # The program's own maps show that the preload works. It also works on a nosuid mount, even with capabilities.
  for bits in 4755 2755 6755; do
    cp "$(type -P grep)" gaining && chown 2:2 gaining && chmod "$bits" gaining
    named "is set" ./gaining -c "${lib##*/}" /proc/self/maps
    run "${as_other[@]}" setpriv --no-new-privs "$pidguard" --strict ./gaining -c "${lib##*/}" /proc/self/maps
    expect status 0
    expect out '[1-9]*'
    if unshare --mount mount -t tmpfs -o nosuid none /mnt 2>/dev/null; then
      # shellcheck disable=SC2016
      run unshare --mount bash -c 'mount -t tmpfs -o nosuid,mode=755 none /mnt && cp -p gaining /mnt &&
        { ! type -P setcap >/dev/null || [[ $1 != 6755 ]] || setcap cap_net_raw+ep /mnt/gaining; } && exec "${@:2}"' \
        bash "$bits" "${as_other[@]}" "$pidguard" --strict /mnt/gaining -c "${lib##*/}" /proc/self/maps
      expect status 0
      expect out '[1-9]*'
      expect err ''
    else
      skip 'nosuid, because no file system can be mounted here'
    fi
  done
fi
finish
