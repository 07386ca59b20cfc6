# SPDX-License-Identifier: MIT
# Perl's own tests (t/op, t/io, t/run, and those of libraries that make processes), run by the installed perl. Cases are
# lines of the Test Anything Protocol.
# shellcheck shell=bash disable=SC2154,SC2034
suite_wants=(perl=/usr/bin/perl)

suite_prepare() {
  local source lib dir
  source=$(conf_source perl-base) || return 1
  lib=$suite_dir/lib
  mkdir -p "$lib" || return 1
  cp -a "$source"/{t,ext,dist,cpan} "$suite_dir/"
  # The tests look for a built tree. The installed modules stand in for it.
  while read -r dir; do
    [[ ! -d $dir ]] || cp -as "$dir/." "$lib/" 2>/dev/null
  done < <(perl -e 'print map "$_\n", grep m{^/usr/(lib|share)/}, @INC')
  ln -s /usr/bin/perl "$suite_dir/t/perl"
  ln -s /usr/bin/perl "$suite_dir/perl"
}

suite_units() {
  local -a few=(t/op/{fork,kill0,exec,alarm,die_exit,getppid,getpid,sigdispatch,sigsystem}.t t/io/{pipe,errnosig}.t
    ext/POSIX/t/{waitpid,sigaction}.t ext/IPC-Open3/t/IPC-Open3.t)
  local -a all=(t/op/{magic,sleep,die_keeperr,warn,stat,readline,threads,attrproto,exp,time,closure,goto}.t
    t/io/{fs,dup,open,closepid,fflush,inplace,print,say,socket,perlio_open,perlio_fail,tell,read,shm,sem,msg,through}.t
    t/run/*.t ext/POSIX/t/{posix,wrappers,sigset,termios,time,usage}.t
    ext/IPC-Open3/t/{IPC-Open2,fd}.t cpan/IPC-Cmd/t/*.t cpan/IPC-SysV/t/{ipcsysv,msg,sem,shm}.t
    cpan/autodie/t/{kill,exec,open,fork,args}.t
    dist/IO/t/io_{dup,file,leak,multihomed,pipe,poll,sel,sock,taint,tell,unix}.t
    dist/threads/t/*.t cpan/Test-Harness/t/*.t
    cpan/Test-Simple/t/Legacy/{fork*,exit}.t cpan/Test-Simple/t/Test2/{acceptance,behavior,modules}/*.t)
  local unit
  cd "$suite_dir" || return 1
  ((conf_quick)) && all=()
  shopt -s nullglob
  for unit in "${few[@]}" ${all[@]}; do
    [[ ! -e $unit ]] || printf '%s\n' "$unit"
  done
}

conf_command() {
  local taint # a test that asks for taint checks in its first line needs the same option on the command line
  taint=$(sed -nE '1s/^#!.*perl.* (-[tT]w?)( .*)?$/\1/p' "$suite_dir/$1")
  environment=(env PERL_CORE=1 HARNESS_ACTIVE=1 LC_ALL=C.UTF-8)
  case $1 in
  t/*)
    directory=$suite_dir/t
    command=(./perl ${taint:+"$taint"} "${1#t/}")
    ;;
  *)
    directory=$suite_dir/${1%/t/*}
    command=(/usr/bin/perl ${taint:+"$taint"} -I../../lib -I../../t "t/${1#*/t/}")
    ;;
  esac
}

# "not ok 3 - name # TODO" is as good as "ok", because a verdict only has to stay the same.
conf_verdicts() {
  awk '/^(not )?ok [0-9]+/ {
         verdict = /^not/ ? "not ok" : "ok"
         sub(/^not /, ""); number = $2
         if (match($0, /# ?(skip|TODO)/)) verdict = verdict " " substr($0, RSTART)
         print "test " number "\t" verdict
       }
       /^1\.\.[0-9]/ { print "plan\tok " $0 }
       /^Bail out/ { print "bail out\t" $0 }' "$2"
}
