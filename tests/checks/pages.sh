# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091,SC2016
# Runs the examples of pidguard-services(7) and pidguard-trust(7) unchanged. Comments before each example tell how:
#   test: run [STATUS...]   a shell runs it in a pid namespace and a folder of its own; the status is one of these (0)
#   test: unit              it is a drop-in, which systemd-analyze reads; a command gets its variables
#   test: root              like run, in a root tree; all such examples run in the same tree, one after the other
#   test: image             it is a container file; commands in that root tree get its variables, one under Docker's
#                           filter
#   test: bound             it prints the bound of retired PIDs, which must be the bound that a process has
#   test: rounds            it is a table of the bound, and of the time until PIDs come round, in whole units
#   test: systemd           scripts/services runs it, with a systemd that it boots
#   test: none REASON       nothing runs it
#   expect: PATTERN         the output, with a shell's wildcards
# Arguments: the top of the source tree, the preload object that was built.
. "$1/tests/scripts/check.sh"

find_namespace || {
  echo 'SKIP: this user cannot make a pid namespace'
  exit 77
}
export LD_LIBRARY_PATH=$tmp/installed/lib PATH=$tmp/installed/bin:$PATH

mkdir examples
for page in services trust; do
  awk -v stem="examples/$page-" -f "$src/tests/checks/pages.awk" "$src/src/man/pidguard-$page.7"
done

# told STATUS...: the last command must have ended with one of these, and printed what the example expects.
told() {
  local wanted=${*:-0} pattern
  expect status "@(${wanted// /|})"
  pattern=$(<"$example.expect")
  [[ -z $pattern ]] || {
    all=$out$err
    expect all "$pattern"
  }
}

# Makes a root tree with this machine's /usr, and with an /etc, a /tmp and an object of its own. Runs a bash script in
# it. Arguments: the script, and its arguments from $0 on.
in_root() {
  run "${in_namespace[@]}" bash -c '
    tree=$1 installed=$2
    shift 2
    mkdir -p "$tree" && mount -t tmpfs tmpfs "$tree" && mkdir "$tree"/{usr,etc,proc,dev,tmp,opt} &&
      mount --rbind /usr "$tree/usr" && mount --rbind /dev "$tree/dev" && mount -t proc proc "$tree/proc" || exit 99
    for name in bin sbin lib lib32 lib64 libx32; do
      [[ ! -e /$name ]] || if [[ -L /$name ]]; then
        cp -P "/$name" "$tree/$name"
      else
        mkdir "$tree/$name" && mount --rbind "/$name" "$tree/$name" || exit 99
      fi
    done
    cp -r "$installed" "$tree/opt/pidguard" && echo /opt/pidguard/lib >"$tree/etc/ld.so.conf" || exit 99
    [[ ! -e /etc/alternatives ]] || cp -a /etc/alternatives "$tree/etc/" || exit 99
    PATH=/usr/sbin:/sbin:$PATH
    ldconfig -r "$tree" -X 2>"$tree/tmp/said" || { cat "$tree/tmp/said" >&2; exit 99; }
    exec chroot "$tree" /usr/bin/env -i PATH=/opt/pidguard/bin:/usr/bin:/bin:/usr/sbin:/sbin /bin/bash -e -c "$@"
    ' bash "$tmp/tree" "$tmp/installed" "$@"
}

filter=${built%/lib/*}/bin/filter
cp "$filter" installed/bin/ || exit 1

# The tree is made again for each example of it, so the script first repeats the earlier examples.
rooted=
in_root true bash
can_root=$status
[[ $can_root == 0 ]] ||
  skip "the examples for a whole system, because this user cannot make a root tree (${err:-status $status})"

bound_of_a_process() {
  "${in_namespace[@]}" pidguard bash -c 'for i in {1..70}; do true & wait $!; done; pidguard status $$; :'
}

examples=0
for example in examples/*.test; do
  example=$tmp/${example%.test}
  examples=$((examples + 1))
  read -r kind rest <"$example.test"
  text=$(<"$example.text")
  case $kind in
  run)
    mkdir "$example.folder" && printf 'all:\n\t@true\n' >"$example.folder/Makefile"
    run "${in_namespace[@]}" bash -e -c 'cd "$1" && eval "$2"' bash "$example.folder" "$text"
    # shellcheck disable=SC2086
    told $rest
    ;;
  bound)
    run "${in_namespace[@]}" bash -e -c "$text"
    told
    all=$(bound_of_a_process 2>&1)
    expect all "*PIDs are remembered, of at most $out;*"
    ;;
  rounds)
    # shellcheck disable=SC2016
    run awk '
      function bound(n) { n = int(n / 256); return n < 64 ? 64 : n > 16384 ? 16384 : n }
      BEGIN { unit["seconds"] = 1; unit["minutes"] = 60; unit["hours"] = 3600; unit["days"] = 86400 }
      NR == 1 { split("10 100 1000", rate, " "); gsub(",", ""); if ($0 !~ / 10 .* 100 .* 1000$/) bad = 1; next }
      { if ($2 != bound($1)) bad = 1
        for (i = 1; i <= 3; i++)
          if ($(2 * i + 1) != int($1 / rate[i] / unit[$(2 * i + 2)])) bad = 1
        rows++ }
      END { exit bad || rows < 2 }' "$example.text"
    expect status 0
    ;;
  unit)
    mapfile -t variables < <(sed -n 's/^Environment=//p' <<<"$text" | tr ' ' '\n')
    run "${in_namespace[@]}" env "${variables[@]}" bash -c 'sleep 0 & wait $!; kill $!'
    expect err '*event=would-refuse*event=summary*'
    if ! type -P systemd-analyze >/dev/null; then
      skip 'the drop-in, because systemd-analyze is not installed'
      continue
    fi
    mkdir -p units/a.service.d && cp "$example.text" units/a.service.d/pidguard.conf
    printf '[Service]\nExecStart=/bin/true\nSystemCallFilter=@system-service\nDynamicUser=yes\nProtectSystem=strict\n' \
      >units/a.service
    run env SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze verify --man=no "$tmp/units/a.service"
    expect status 0
    checks=$((checks + 1))
    [[ $err != *pidguard.conf* ]] || {
      failures=$((failures + 1))
      printf 'FAILED: systemd-analyze does not accept the drop-in: %s\n' "$err"
    }
    # Checks that systemd-analyze reports a mistake in the drop-in.
    sed 's/^Environment/Enviroment/' "$example.text" >units/a.service.d/pidguard.conf
    run env SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze verify --man=no "$tmp/units/a.service"
    expect err '*pidguard.conf*Enviroment*'
    ;;
  root)
    ((can_root == 0)) || continue
    [[ -z $rooted ]] || rooted+=$'\n'
    in_root "eval \"\$1\" >/dev/null; eval \"\$2\"" bash "${rooted:-:}" "$text"
    told
    rooted+=$text
    # The dynamic linker does not search for the preload object of a setuid program.
    in_root "eval \"\$1\" >/dev/null; chage -l root 2>&1; true" bash "$rooted"
    expect out '!(*ld.so*)'
    ;;
  image)
    ((can_root == 0)) || continue
    mapfile -t variables < <(sed -n 's/^ENV //p' <<<"$text")
    in_root 'env "$@" grep libpidguard-preload /proc/self/maps' bash "${variables[@]}"
    expect status 0
    expect out '*/opt/pidguard/lib/libpidguard-preload.so.0*'
    # The same under Docker's own filter, which the program `filter` makes from Docker's list.
    if ! "$filter" docker true 2>"$tmp/.why"; then
      skip "an image under Docker's filter ($(<"$tmp/.why"))"
      continue
    fi
    in_root 'filter docker env PIDGUARD_DEBUG=warn "$@" bash -c "grep ^Seccomp: /proc/self/status
      sleep 0 & wait \$!; kill \$!"' bash "${variables[@]}"
    expect out 'Seccomp:?2'
    expect err '*event=refused*'
    checks=$((checks + 1))
    [[ $err != *event=degraded* ]] || {
      failures=$((failures + 1))
      printf 'FAILED: protection is degraded under Docker'\''s filter: %s\n' "$err"
    }
    ;;
  systemd) ;;
  none) [[ -n $rest ]] || failures=$((failures + 1)) ;;
  *)
    failures=$((failures + 1))
    printf 'FAILED: no comment tells how %s is tested\n' "${example##*/}"
    ;;
  esac
done
checks=$((checks + 1))
((examples >= 12)) || {
  failures=$((failures + 1))
  printf 'FAILED: only %s examples were found\n' "$examples"
}
finish
